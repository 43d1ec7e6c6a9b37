package checker

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestRequests holds the recorded requests of the original (ipvs-golden/40, 55).
func TestRequests(t *testing.T) {
	to := netip.MustParseAddrPort("127.0.0.11:80")
	for _, tt := range []struct {
		name  string
		check HTTPCheck
		url   URL
		want  string
	}{
		{"default", HTTPCheck{}, URL{Path: "/"},
			"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.11:80\r\n\r\n"},
		{"1.0C", HTTPCheck{Protocol: HTTP10Close}, URL{Path: "/"},
			"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 127.0.0.11:80\r\n\r\n"},
		{"1.1", HTTPCheck{Protocol: HTTP11}, URL{Path: "/a?b=c&d=%20e"},
			"GET /a?b=c&d=%20e HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 127.0.0.11:80\r\n\r\n"},
		{"virtualhost", HTTPCheck{VirtualHost: "vs.example"}, URL{Path: "/"},
			"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: vs.example\r\n\r\n"},
		{"url-virtualhost", HTTPCheck{VirtualHost: "vs.example"}, URL{Path: "/x", VirtualHost: "url.example:8443"},
			"GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: url.example:8443\r\n\r\n"},
		{"IPv6", HTTPCheck{Connection: Connection{To: netip.MustParseAddrPort("[::1]:8090")}}, URL{Path: "/"},
			"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: [::1]:8090\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.check
			if !c.Connection.To.IsValid() {
				c.Connection.To = to
			}
			c.URLs = []URL{tt.url}
			send, over := newHTTPDialog(&c, 0).opened(&Result{})
			if string(send) != tt.want || over {
				t.Errorf("request %q, want %q", send, tt.want)
			}
		})
	}
	if n := len(HTTPRequest(HTTP10, "/"+strings.Repeat("x", 3000), "h")); n != 2047 {
		t.Errorf("a long request has %d bytes, want 2047", n)
	}
}

// TestDatagrams holds the recorded datagrams of the original (ipvs-golden/43).
func TestDatagrams(t *testing.T) {
	zero := func() uint16 { return 0 }
	for _, tt := range []struct {
		name string
		talk dialog
		want string // hexadecimal
	}{
		{"dns-default", newDNSDialog(&DNSCheck{Type: DNSTypeSOA, Name: "."}, zero), "0000010000010000000000000000060001"},
		{"dns-A", newDNSDialog(&DNSCheck{Type: DNSTypeA, Name: "www.example.com"}, zero),
			"0000" + "0100000100000000000003777777076578616d706c6503636f6d0000010001"},
		{"udp-default", newUDPDialog(&UDPCheck{}), "6b656570616c6976656420636865636b202d206b656570616c69766564206368"},
		{"udp-payload", newUDPDialog(&UDPCheck{Payload: []byte{0x0a, 1, 0xf3, 0x45, 6}}), "0a01f34506"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			send, _ := tt.talk.opened(&Result{})
			if got := hex.EncodeToString(send); got != tt.want {
				t.Errorf("sends %s, want %s", got, tt.want)
			}
		})
	}
	p := newPingDialog(false)
	for seq := byte(1); seq <= 2; seq++ {
		b, _ := p.opened(&Result{})
		if len(b) != 136 || b[0] != 8 || b[7] != seq || !strings.HasPrefix(string(b[8:]), "keepalived check - keepalived check - ") {
			t.Errorf("echo request %d is % x", seq, b[:16])
		}
	}
}

// TestRegex holds the recorded verdicts of the original (ipvs-golden/50).
func TestRegex(t *testing.T) {
	const answer = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n-bodytext and tail"
	for _, tt := range []struct {
		name string
		r    Regex
		want bool
	}{
		{"header", Regex{Pattern: "^HTTP/1.0 200"}, true},
		{"body", Regex{Pattern: "bodytext"}, true},
		{"offsets", Regex{Pattern: "bodytext", MinOffset: 46, MaxOffset: 46, HasMax: true}, true},
		{"too-late", Regex{Pattern: "bodytext", MaxOffset: 44, HasMax: true}, false},
		{"too-early", Regex{Pattern: "bodytext", MinOffset: 47}, false},
		{"behind-the-end", Regex{Pattern: "bodytext", MinOffset: 5000}, false},
		{"end-never-matches", Regex{Pattern: "tail$"}, false},
		{"greedy-to-the-end", Regex{Pattern: "(?s)tail.*"}, false},
		{"no-match", Regex{Pattern: "nothing", NoMatch: true}, true},
		{"caseless", Regex{Pattern: "BODYTEXT", Options: []string{"caseless"}}, true},
		{"multiline", Regex{Pattern: "^-body", Options: []string{"multiline"}}, true},
		{"dotall", Regex{Pattern: "200.*bodytext", Options: []string{"dotall"}}, true},
		{"not-dotall", Regex{Pattern: "200.*bodytext"}, false},
		{"extended", Regex{Pattern: "body  text # comment", Options: []string{"extended"}}, true},
		{"look-behind", Regex{Pattern: `(?<=-)bodytext`}, true},
		{"firstline", Regex{Pattern: "bodytext", Options: []string{"firstline"}}, false},
		{"bytes", Regex{Pattern: "(?<=-)b\\w+t", MinOffset: 1}, true},
		{"posix-class", Regex{Pattern: "-[[:alpha:]]+ and"}, true},
		{"posix-class-and-offset", Regex{Pattern: "-[[:alpha:]]+ and", MinOffset: 20}, true},
		{"posix-class-of-others", Regex{Pattern: "-[[:digit:]]+", MinOffset: 20}, false},
		{"possessive", Regex{Pattern: "bod++ytext"}, true},
		{"possessive-keeps-all", Regex{Pattern: "text++t"}, false},
		{"possessive-group", Regex{Pattern: "(?:bo|dy)*+text"}, true},
		{"possessive-escape", Regex{Pattern: `\x2d++\p{L}++ `}, true},
		{"vertical-space", Regex{Pattern: `OK\v+Content`}, true},
		{"any-newline", Regex{Pattern: `OK\RContent`}, true},
		{"blank", Regex{Pattern: `200\hOK\H`}, true},
		{"not-newline", Regex{Pattern: `\N\N-body`}, false},
		{"quoted", Regex{Pattern: `\QHTTP/1.0\E 200`}, true},
		{"quoted-is-literal", Regex{Pattern: `\QHTTP/1?0\E 200`}, false},
		{"comment", Regex{Pattern: `body(?#here)text`}, true},
		{"named-group", Regex{Pattern: `(?P<b>body)text(?= and)`, MinOffset: 1}, true},
		{"start-moved", Regex{Pattern: `body\Ktext`}, true},
		{"backslash-and-K", Regex{Pattern: `OK\\K`}, false},
		{"quoted-start-moved", Regex{Pattern: `\QOK\K\E`}, false},
		{"ungreedy-and-backtracking", Regex{Pattern: `(?<=-)b.*t`, Options: []string{"ungreedy"}}, true},
		{"word-is-ascii", Regex{Pattern: `^\w+/\d\.\d\s\S`, MinOffset: 0}, true},
		{"class-with-bracket", Regex{Pattern: `[][-]body`}, true},
		{"class-with-escapes", Regex{Pattern: `[^\d\s\h]body`}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.r.Compile()
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Passes([]byte(answer)); got != tt.want {
				t.Errorf("passes: %v, want %v", got, tt.want)
			}
		})
	}
	for _, pattern := range []string{"(", "[z-a]", `(?R)`} {
		if _, err := (&Regex{Pattern: pattern}).Compile(); err == nil {
			t.Errorf("%q compiles, want an error", pattern)
		}
	}
}

// TestHostileRegex: a pattern that explodes is given up after a second.
func TestHostileRegex(t *testing.T) {
	m, err := (&Regex{Pattern: `(?<=a)(x+x+)+y`}).Compile()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if m.Passes([]byte("a" + strings.Repeat("x", 5000))) {
		t.Error("it passes")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
