package checker

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// nginx is a real web server with one port for each way to ask it.
type nginx struct {
	dir                              string
	plain, tls12, tls13, names, cert uint16
	weak, weakTLS                    uint16 // they misbehave while a file of the fault's name exists
}

const page = "a page for the digest\n"

// newNginx writes its configuration. names serves by SNI and answers a name
// that it does not know with a TLS alert; cert wants a client certificate.
func newNginx(t testing.TB) *nginx {
	t.Helper()
	n := &nginx{dir: t.TempDir()}
	for _, p := range []*uint16{&n.plain, &n.tls12, &n.tls13, &n.names, &n.cert, &n.weak, &n.weakTLS} {
		*p = closedPort(t).Port()
	}
	write(t, n.dir+"/page.html", []byte(page))
	write(t, n.dir+"/large.html", bytes.Repeat([]byte("0123456789abcdef"), 40_000))
	writeCert(t, n.dir, "server", selfSigned(t, nil))
	writeCert(t, n.dir, "client", selfSigned(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.NotAfter = "the checker", time.Now().Add(24*time.Hour)
		c.IsCA, c.BasicConstraintsValid = true, true
	}))
	write(t, n.dir+"/nginx.conf", fmt.Appendf(nil, `
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events { worker_connections 64; }
http {
  access_log off; root %[1]s; default_type text/plain;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  ssl_certificate %[1]s/server.pem; ssl_certificate_key %[1]s/server.key;
  server {
    listen 127.0.0.1:%[7]d; listen 127.0.0.1:%[8]d ssl;
    location / {
      if (-f %[1]s/slow) { set $limit_rate 1; }
      if (-f %[1]s/endless) { set $limit_rate 20000; rewrite ^ /large.html break; }
      if (-f %[1]s/broken) { return 503; }
      if (-f %[1]s/gone) { return 444; }
    }
  }
  server {
    listen 127.0.0.1:%[2]d; listen [::1]:%[2]d;
    location /asked { return 200 "$request_method $server_protocol [$http_host] [$http_connection]"; }
    location /slow { alias %[1]s/large.html; limit_rate 1; }
    location /moved { return 302 /; }
    location /teapot { return 418 "no"; }
    location /broken { return 503 "no"; }
    location /gone { return 444; }
  }
  server { listen 127.0.0.1:%[3]d ssl; ssl_protocols TLSv1.2; location /version { return 200 "$ssl_protocol"; } }
  server { listen 127.0.0.1:%[4]d ssl; ssl_protocols TLSv1.3; location /version { return 200 "$ssl_protocol"; } }
  server { listen 127.0.0.1:%[5]d ssl default_server; ssl_reject_handshake on; }
  server { listen 127.0.0.1:%[5]d ssl; server_name one.example; location / { return 200 "one [$ssl_server_name] [$http_host]"; } }
  server { listen 127.0.0.1:%[5]d ssl; server_name two.example; location / { return 200 "two [$ssl_server_name] [$http_host]"; } }
  server { listen 127.0.0.1:%[6]d ssl; ssl_client_certificate %[1]s/client.pem; ssl_verify_client on;
           location / { return 200 "$ssl_client_s_dn"; } }
}
`, n.dir, n.plain, n.tls12, n.tls13, n.names, n.cert, n.weak, n.weakTLS))
	return n
}

// run starts nginx; it has ended when the test has.
func (n *nginx) run(t testing.TB) *os.Process {
	t.Helper()
	return realServer(t, n.plain, "nginx", "-c", n.dir+"/nginx.conf")
}

// ask is a check of nginx, SSL_GET unless the port is the plain one.
func (n *nginx) ask(port uint16, path string, change ...func(*HTTPCheck, *URL)) HTTPCheck {
	c := HTTPCheck{Connection: Connection{To: local(port), Timeout: 5 * time.Second}, TLS: port != n.plain,
		URLs: []URL{{Path: path, Status: []StatusRange{{200, 299}}}}}
	for _, f := range change {
		f(&c, &c.URLs[0])
	}
	return c
}

// body wants exactly this text.
func body(text string) func(*HTTPCheck, *URL) {
	sum := md5.Sum([]byte(text))
	return func(_ *HTTPCheck, u *URL) { u.Digest = sum[:] }
}

func status(ranges ...StatusRange) func(*HTTPCheck, *URL) {
	return func(_ *HTTPCheck, u *URL) { u.Status = ranges }
}

func regex(r Regex) func(*HTTPCheck, *URL) { return func(_ *HTTPCheck, u *URL) { u.Regex = &r } }

func protocol(p HTTPProtocol) func(*HTTPCheck, *URL) {
	return func(c *HTTPCheck, _ *URL) { c.Protocol = p }
}

// sni is enable_sni with the names of the url, of the check and sni_name.
func sni(url, check, name string) func(*HTTPCheck, *URL) {
	return func(c *HTTPCheck, u *URL) {
		c.SNI, c.SNIName, c.SNIHost, c.VirtualHost, u.VirtualHost = true, name, check, check, url
	}
}

// TestNginxAnswers asks a real nginx in every way that the configuration knows.
func TestNginxAnswers(t *testing.T) {
	n := newNginx(t)
	n.run(t)
	client, err := LoadClientTLS(&SSL{CA: n.dir + "/server.pem", Certificate: n.dir + "/client.pem", Key: n.dir + "/client.key"})
	if err != nil {
		t.Fatal(err)
	}
	at := n.bodyAt(t)
	host := local(n.plain).String()
	six := func(c *HTTPCheck, _ *URL) { c.Connection.To = netip.AddrPortFrom(netip.IPv6Loopback(), n.plain) }
	hurry := func(c *HTTPCheck, _ *URL) { c.Connection.Timeout = 300 * time.Millisecond }
	polite := func(c *HTTPCheck, _ *URL) { c.TLSCompliant = true }
	for _, tt := range []struct {
		name   string
		check  HTTPCheck
		client *ClientTLS
		want   Reason
		code   int
	}{
		{"page", n.ask(n.plain, "/page.html", body(page)), nil, OK, 200},
		{"page-v6", n.ask(n.plain, "/page.html", body(page), six), nil, OK, 200},
		{"large", n.ask(n.plain, "/large.html", body(string(bytes.Repeat([]byte("0123456789abcdef"), 40_000)))), nil, OK, 200},
		{"1.0", n.ask(n.plain, "/asked", body("GET HTTP/1.0 ["+host+"] []")), nil, OK, 200},
		{"1.0C", n.ask(n.plain, "/asked", protocol(HTTP10Close), body("GET HTTP/1.0 ["+host+"] [close]")), nil, OK, 200},
		{"1.1", n.ask(n.plain, "/asked", protocol(HTTP11), body("GET HTTP/1.1 ["+host+"] [close]")), nil, OK, 200},
		{"virtualhost", n.ask(n.plain, "/asked", func(c *HTTPCheck, _ *URL) { c.VirtualHost = "www.example" },
			body("GET HTTP/1.0 [www.example] []")), nil, OK, 200},
		{"url-virtualhost", n.ask(n.plain, "/asked", func(c *HTTPCheck, u *URL) { c.VirtualHost, u.VirtualHost = "www.example", "url.example:81" },
			body("GET HTTP/1.0 [url.example:81] []")), nil, OK, 200},
		{"wrong-digest", n.ask(n.plain, "/page.html", body("another page")), nil, BadDigest, 200},
		{"redirect", n.ask(n.plain, "/moved"), nil, BadStatus, 302},
		{"redirect-in-range", n.ask(n.plain, "/moved", status(StatusRange{200, 200}, StatusRange{300, 399})), nil, OK, 302},
		{"not-found", n.ask(n.plain, "/none"), nil, BadStatus, 404},
		{"teapot-wanted", n.ask(n.plain, "/teapot", status(StatusRange{418, 418})), nil, OK, 418},
		{"just-outside", n.ask(n.plain, "/teapot", status(StatusRange{400, 417}, StatusRange{419, 500})), nil, BadStatus, 418},
		{"unavailable", n.ask(n.plain, "/broken"), nil, BadStatus, 503},
		{"closed-without-answer", n.ask(n.plain, "/gone"), nil, NoData, 0},
		{"slow", n.ask(n.plain, "/slow", hurry), nil, ReadTimeout, 0},
		{"regex-in-header", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "^HTTP/1.1 200 OK\r\nServer: nginx"})), nil, OK, 200},
		{"regex-in-body", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "A PAGE", Options: []string{"caseless"}})), nil, OK, 200},
		{"regex-offsets", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "page", MinOffset: at + 2, MaxOffset: at + 2, HasMax: true})), nil, OK, 200},
		{"regex-starts-too-early", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "page", MinOffset: at + 3})), nil, NoMatch, 200},
		{"regex-starts-too-late", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "page", MaxOffset: at + 1, HasMax: true})), nil, NoMatch, 200},
		{"regex-no-match", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "maintenance", NoMatch: true})), nil, OK, 200},
		{"regex-no-match-found", n.ask(n.plain, "/page.html", regex(Regex{Pattern: "digest", NoMatch: true})), nil, NoMatch, 200},
		{"status-before-digest", n.ask(n.plain, "/broken", body("x")), nil, BadStatus, 503},
		{"digest-before-regex", n.ask(n.plain, "/page.html", body("x"), regex(Regex{Pattern: "never"})), nil, BadDigest, 200},
		{"tls12", n.ask(n.tls12, "/version", body("TLSv1.2")), nil, OK, 200},
		{"tls13", n.ask(n.tls13, "/version", body("TLSv1.3")), nil, OK, 200},
		{"tls13-compliant", n.ask(n.tls13, "/version", body("TLSv1.3"), polite), nil, OK, 200},
		{"sni-none", n.ask(n.names, "/"), nil, TLSFailed, 0},
		{"sni-unknown", n.ask(n.names, "/", sni("", "", "three.example")), nil, TLSFailed, 0},
		{"sni-name", n.ask(n.names, "/", sni("", "", "one.example"), func(c *HTTPCheck, _ *URL) { c.VirtualHost = "one.example" },
			body("one [one.example] [one.example]")), nil, OK, 200},
		{"sni-url-virtualhost", n.ask(n.names, "/", sni("two.example", "one.example", ""), body("two [two.example] [two.example]")), nil, OK, 200},
		{"sni-virtualhost", n.ask(n.names, "/", sni("", "two.example", ""), body("two [two.example] [two.example]")), nil, OK, 200},
		{"sni-name-and-virtualhost", n.ask(n.names, "/", sni("two.example", "", "one.example"), body("two [one.example] [two.example]")), nil, OK, 200},
		{"no-client-certificate", n.ask(n.cert, "/"), nil, BadStatus, 400},
		{"client-certificate", n.ask(n.cert, "/", body("CN=the checker")), client, OK, 200},
		{"plain-to-tls-port", n.ask(n.tls12, "/", func(c *HTTPCheck, _ *URL) { c.TLS = false }), nil, BadStatus, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := once(t, tt.check, SchedulerOptions{TLS: tt.client})[0]
			if r.Reason != tt.want || r.Code != tt.code {
				t.Errorf("%v (%s), code %d; want %v, code %d", r.Reason, r.Text, r.Code, tt.want, tt.code)
			}
		})
	}
}

// bodyAt is where the body of page.html begins in the answer.
func (n *nginx) bodyAt(t testing.TB) uint64 {
	t.Helper()
	var answer []byte
	r := Fetch{To: local(n.plain), Timeout: 5 * time.Second, Request: HTTPRequest(HTTP10, "/page.html", "x")}.
		Do(context.Background(), func(b []byte) { answer = append(answer, b...) })
	if r.Reason != OK || !bytes.HasSuffix(answer, []byte(page)) {
		t.Fatalf("%v: %q", r.Reason, answer)
	}
	return uint64(len(answer) - len(page))
}

// TestNginx stops it, lets it go on, and kills it.
func TestNginx(t *testing.T) {
	for _, tt := range []struct {
		name    string
		check   func(n *nginx) HTTPCheck
		stalled string
	}{
		{"http10", func(n *nginx) HTTPCheck { return n.ask(n.plain, "/page.html", body(page)) }, "connected, but no answer in time"},
		{"http11", func(n *nginx) HTTPCheck { return n.ask(n.plain, "/page.html", protocol(HTTP11), body(page)) }, "connected, but no answer in time"},
		{"tls12", func(n *nginx) HTTPCheck { return n.ask(n.tls12, "/page.html", body(page)) }, "no connection in time: TLS handshake"},
		{"tls13", func(n *nginx) HTTPCheck { return n.ask(n.tls13, "/page.html", body(page)) }, "no connection in time: TLS handshake"},
	} {
		play(t, tt.name, func(t testing.TB) {
			n := newNginx(t)
			c := tt.check(n)
			c.Connection.Timeout = time.Second
			verdicts(t, n.run(t), c, tt.stalled, "connection failed: Connection refused")
		})
	}
}

// TestFastRecovery: a server with three urls that was dead has each of them
// tested without a pause with fast_recovery, and a delay_loop apart without.
func TestFastRecovery(t *testing.T) {
	for _, fast := range []bool{true, false} {
		play(t, fmt.Sprint(fast), func(t testing.TB) {
			n := newNginx(t)
			start := func() int {
				return n.run(t).Pid
			}
			pid := start()
			c := n.ask(n.plain, "/page.html", body(page))
			c.FastRecovery = fast
			c.URLs = append(c.URLs, n.ask(n.plain, "/teapot", status(StatusRange{418, 418})).URLs[0],
				n.ask(n.plain, "/asked", regex(Regex{Pattern: "GET"})).URLs[0])
			r := newRig(t, SchedulerOptions{}, c)
			r.says(t, "Remote Web server", 10*time.Second)
			if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r.goesDown(t, "connection failed: Connection refused", time.Second)
			start()
			r.lines = nil
			r.says(t, " success to ", 10*time.Second) // the url that had failed
			began := time.Now()
			r.says(t, "Adding service", 10*time.Second)
			// Three urls follow, the first of them after a pause without fast_recovery.
			if took := time.Since(began); !fast && took < 3*rigDelay {
				t.Errorf("back after %v, want three pauses of %v", took, rigDelay)
			}
			want := []string{"MD5 digest success to [127.0.0.1]:tcp:80 url(/page.html)",
				"HTTP status code success to [127.0.0.1]:tcp:80 url(/teapot)", "Regex match success to [127.0.0.1]:tcp:80 url(/asked)"}
			for _, line := range want {
				if !r.said(line) {
					t.Errorf("no line says %q: %q", line, r.lines)
				}
			}
		})
	}
}
