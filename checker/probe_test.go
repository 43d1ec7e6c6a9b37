package checker

import (
	"bufio"
	"crypto/md5"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// once runs a specification through a real scheduler and returns the results of
// its steps, one after the other.
func once(t testing.TB, spec Spec, opt SchedulerOptions) []Result {
	t.Helper()
	posts := make(chan func(time.Time), 64)
	var got []Result
	urls := 1
	if h, ok := spec.(HTTPCheck); ok {
		urls = len(h.URLs)
	}
	opt.Post = func(f func(time.Time)) bool { posts <- f; return true }
	opt.Report = func(now time.Time, _ CheckID, r Result) Next {
		if got = append(got, r); len(got) < urls {
			return Next{At: now, Step: len(got)}
		}
		return Next{}
	}
	s := NewScheduler(opt)
	t.Cleanup(s.Close)
	s.Apply(Start{ID: 1, Spec: spec, At: time.Now()})
	limit := time.After(20 * time.Second)
	for len(got) < urls {
		s.Tick(time.Now())
		select {
		case f := <-posts:
			f(time.Now())
		case <-limit:
			t.Fatalf("no result after 20 s for %+v", spec)
		}
	}
	return got
}

// tcpService runs serve for every connection to a fresh port of 127.0.0.1.
func tcpService(t testing.TB, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// answer reads a request and writes the parts of an answer.
func answer(parts ...string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		for _, p := range parts {
			io.WriteString(c, p)
		}
	}
}

func readRequest(c net.Conn) string {
	var b strings.Builder
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// hold keeps a connection open until the other side closes it.
func hold(c net.Conn) { io.Copy(io.Discard, c) }

func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

const timeout = 500 * time.Millisecond

func connection(to netip.AddrPort) Connection { return Connection{To: to, Timeout: timeout} }

func httpCheck(to netip.AddrPort, change ...func(*URL)) HTTPCheck {
	u := URL{Path: "/", Status: []StatusRange{{200, 299}}}
	for _, f := range change {
		f(&u)
	}
	return HTTPCheck{Connection: connection(to), URLs: []URL{u}}
}

// lastPort counts the ports that closedPort has given.
var lastPort atomic.Uint32

// closedPort is a port that nobody listens at, and that nobody will be given
// who takes any: it is below those that the kernel chooses from, so that a
// server started later gets it although other tests run at the same time.
func closedPort(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 10_000 {
		port := 10_000 + (uint32(os.Getpid())*61+lastPort.Add(1))%20_000
		if at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)); closed(at) {
			return at
		}
	}
	t.Fatal("no port is free")
	return netip.AddrPort{}
}

func closed(at netip.AddrPort) bool {
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return false
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", at.String())
	if err != nil {
		return false
	}
	defer p.Close()
	l6, err := net.Listen("tcp", netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()).String())
	if err == nil {
		l6.Close()
	}
	return !errors.Is(err, unix.EADDRINUSE)
}

// silentPort accepts no more connections: its backlog is full.
func silentPort(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, _ := unix.Getsockname(fd)
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port))
	for {
		c, err := net.DialTimeout("tcp", to.String(), 100*time.Millisecond)
		if err != nil {
			return to
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestTCP(t *testing.T) {
	for _, tt := range []struct {
		name string
		to   netip.AddrPort
		want Reason
	}{
		{"open", tcpService(t, hold), OK},
		{"refused", closedPort(t), ConnectFailed},
		{"silent", silentPort(t), ConnectTimeout},
	} {
		play(t, tt.name, func(t testing.TB) {
			r := once(t, TCPCheck{connection(tt.to)}, SchedulerOptions{})[0]
			if r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
			if r.Took > timeout+200*time.Millisecond {
				t.Errorf("took %v with a timeout of %v", r.Took, timeout)
			}
		})
	}
}

func TestHTTP(t *testing.T) {
	const head = "HTTP/1.0 200 OK\r\n\r\n"
	sum := md5.Sum([]byte("hello"))
	endless := func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, head)
		for {
			if _, err := c.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}
	// Every piece comes in time, all of them together do not.
	drips := after(say(head, late(timeout/2, say("body", late(timeout/2, say("te", late(timeout/2, say("xt.", leave))))))))
	for _, tt := range []struct {
		name   string
		serve  func(net.Conn)
		change func(*URL)
		want   Reason
	}{
		{name: "drips", serve: drips, want: OK},
		{name: "drips-and-slow-regex", serve: drips, change: func(u *URL) { u.Regex = &Regex{Pattern: "(?<=body)text"} }, want: OK},
		{name: "plain", serve: answer(head, "hello"), want: OK},
		{name: "header-in-pieces", serve: answer("HTTP/1.0 2", "00 OK\r", "\n\r\nhello"), want: OK},
		{name: "no-reason-phrase", serve: answer("HTTP/1.1 200\r\n\r\n"), want: BadStatus},
		{name: "empty-reason-phrase", serve: answer("HTTP/1.1 200 \r\n\r\n"), want: OK},
		{name: "bare-newlines", serve: answer("HTTP/1.0 200 OK\n\nbody"), want: NoData},
		{name: "no-answer", serve: func(c net.Conn) { readRequest(c) }, want: NoData},
		{name: "garbage", serve: answer("\x00\xff garbage \r\n"), want: NoData},
		{name: "half-header", serve: func(c net.Conn) { answer("HTTP/1.0 200 OK\r\nServ")(c); hold(c) }, want: ReadTimeout},
		{name: "long-header", serve: answer("HTTP/1.0 200 OK\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n"), want: NoData},
		{name: "silent", serve: func(c net.Conn) { readRequest(c); hold(c) }, want: FirstByteTimeout},
		{name: "not-closed", serve: func(c net.Conn) { answer("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")(c); hold(c) }, want: ReadTimeout},
		{name: "reset", serve: func(c net.Conn) { answer("HTTP/1.0 200")(c); reset(c) }, want: ReadFailed},
		{name: "redirect", serve: answer("HTTP/1.0 302 Found\r\n\r\n"), want: BadStatus},
		{name: "redirect-wanted", serve: answer("HTTP/1.0 302 Found\r\n\r\n"), change: func(u *URL) { u.Status = []StatusRange{{200, 200}, {300, 399}} }, want: OK},
		{name: "digest", serve: answer(head, "hel", "lo"), change: func(u *URL) { u.Digest = sum[:] }, want: OK},
		{name: "digest-within-length", serve: answer("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello, world"), change: func(u *URL) { u.Digest = sum[:] }, want: OK},
		{name: "wrong-digest", serve: answer(head, "hallo"), change: func(u *URL) { u.Digest = sum[:] }, want: BadDigest},
		{name: "regex-across-reads", serve: answer(head, "body", "text."), change: func(u *URL) { u.Regex = &Regex{Pattern: "bodytext"} }, want: OK},
		{name: "regex-look-behind", serve: answer(head, "bodytext."), change: func(u *URL) { u.Regex = &Regex{Pattern: "(?<=body)text"} }, want: OK},
		{name: "regex-missing", serve: answer(head, "nothing."), change: func(u *URL) { u.Regex = &Regex{Pattern: "bodytext"} }, want: NoMatch},
		{name: "endless", serve: endless, want: ReadTimeout},
	} {
		play(t, tt.name, func(t testing.TB) {
			var change []func(*URL)
			if tt.change != nil {
				change = append(change, tt.change)
			}
			r := once(t, httpCheck(tcpService(t, tt.serve), change...), SchedulerOptions{})[0]
			if r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
			if limit := (patience + 1) * timeout; r.Took > limit {
				t.Errorf("took %v, want no more than %v", r.Took, limit)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	cert := selfSigned(t, nil)
	serve := func(f func(net.Conn), change ...func(*tls.Config)) func(net.Conn) {
		return func(c net.Conn) {
			cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
			for _, g := range change {
				g(cfg)
			}
			s := tls.Server(c, cfg)
			defer s.Close()
			if s.Handshake() == nil {
				f(s)
			}
		}
	}
	const head = "HTTP/1.0 200 OK\r\n\r\nhello"
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		want  Reason
	}{
		{"self-signed", serve(answer(head)), OK},
		{"tls10", serve(answer(head), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }), OK},
		{"no-close-notify", func(c net.Conn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			answer(head)(s)
		}, OK},
		{"alert", serve(answer(head), func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, fmt.Errorf("no") }
		}), TLSFailed},
		{"not-tls", func(c net.Conn) { io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n"); hold(c) }, TLSFailed},
		{"silent", hold, ConnectTimeout},
		{"status", serve(answer("HTTP/1.0 500 No\r\n\r\n")), BadStatus},
		{"stalled", serve(func(c net.Conn) { answer("HTTP/1.0 200 OK\r\n")(c); hold(c) }), ReadTimeout},
		{"reset", func(c net.Conn) { c.Read(make([]byte, 5)); reset(c) }, TLSFailed},
	} {
		play(t, tt.name, func(t testing.TB) {
			check := httpCheck(tcpService(t, tt.serve))
			check.TLS = true
			check.Connection.Timeout = 2 * time.Second
			r := once(t, check, SchedulerOptions{})[0]
			if r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
		})
	}
}

// TestBindPort: every kind of stream uses a source port again that its last
// connection has left in TIME_WAIT.
func TestBindPort(t *testing.T) {
	bound := func(to netip.AddrPort, port uint16) Connection {
		c := connection(to)
		c.Bind, c.BindPort = netip.MustParseAddr("127.0.0.1"), port
		return c
	}
	port := closedPort(t).Port()
	urls := []URL{{Path: "/", Status: []StatusRange{{200, 299}}}}
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		spec  func(Connection) Spec
		want  Reason
	}{
		{"tcp", hold, func(c Connection) Spec { return TCPCheck{c} }, OK},
		{"http", answer("HTTP/1.0 200 OK\r\n\r\n"), func(c Connection) Spec { return HTTPCheck{Connection: c, URLs: urls} }, OK},
		{"tls", hold, func(c Connection) Spec { return HTTPCheck{Connection: c, TLS: true, URLs: urls} }, ConnectTimeout},
		{"tcp-again", hold, func(c Connection) Spec { return TCPCheck{c} }, OK},
		{"tls-again", hold, func(c Connection) Spec { return HTTPCheck{Connection: c, TLS: true, URLs: urls} }, ConnectTimeout},
	} {
		r := once(t, tt.spec(bound(tcpService(t, tt.serve), port)), SchedulerOptions{})[0]
		if r.Reason != tt.want {
			t.Errorf("%s: %v (%s), want %v", tt.name, r.Reason, r.Text, tt.want)
		}
	}
}

// udpService answers datagrams on a fresh port of 127.0.0.1; nil: silence.
func udpService(t testing.TB, reply func([]byte) [][]byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			for _, r := range reply(b[:n]) {
				c.WriteTo(r, from)
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func closedUDP(t testing.TB) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestSMTP(t *testing.T) {
	// Each part is sent after one more line of the client.
	talk := func(parts ...string) func(net.Conn) {
		return func(c net.Conn) {
			r := bufio.NewReader(c)
			for i, p := range parts {
				if i > 0 {
					if _, err := r.ReadString('\n'); err != nil {
						return
					}
				}
				io.WriteString(c, p)
			}
			hold(c)
		}
	}
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		want  Reason
	}{
		{"plain", talk("220 mx ESMTP\r\n", "250 mx\r\n", "221 bye\r\n"), OK},
		{"any-answer-to-quit", talk("220 mx\r\n", "250 mx\r\n", "500 what\r\n"), OK},
		{"multi-line", talk("220-mx\r\n220 ready\r\n", "250-mx\r\n250 ok\r\n", "221 bye\r\n"), OK},
		{"two-greetings", talk("220 a\r\n220 b\r\n", "250 ok\r\n", "221 x\r\n"), OK},
		{"line-feeds", talk("220 hi\n", "250 ok\n", "500 no\n"), OK},
		{"bare-code", talk("220\r\n", "250\r\n", "221\r\n"), OK},
		{"in-pieces", talk("2", "", ""), ReadTimeout},
		{"not-ready", talk("554 go away\r\n"), BadGreeting},
		{"digits", talk("2204 mx\r\n"), BadGreeting},
		{"refused-helo", talk("220 mx\r\n", "501 what\r\n"), BadHelo},
		{"silent", hold, ReadTimeout},
		{"no-quit-answer", talk("220 mx\r\n", "250 mx\r\n"), ReadTimeout},
		{"closed", func(net.Conn) {}, ReadFailed},
		{"endless-line", func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, strings.Repeat("2", 100)); err != nil {
					return
				}
			}
		}, BadGreeting},
	} {
		play(t, tt.name, func(t testing.TB) {
			r := once(t, SMTPCheck{connection(tcpService(t, tt.serve)), DefaultHelo}, SchedulerOptions{})[0]
			if r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
		})
	}
}

func TestDNS(t *testing.T) {
	reply := func(change func([]byte)) func([]byte) [][]byte {
		return func(q []byte) [][]byte {
			r := append([]byte{}, q...)
			r[2] |= 0x80
			change(r)
			return [][]byte{r}
		}
	}
	for _, tt := range []struct {
		name string
		to   netip.AddrPort
		want Reason
	}{
		{"answer", udpService(t, reply(func([]byte) {})), OK},
		{"name-error", udpService(t, reply(func(r []byte) { r[3] = 3 })), BadRcode},
		{"other-id", udpService(t, reply(func(r []byte) { r[0]++ })), ReadTimeout},
		{"a-query", udpService(t, reply(func(r []byte) { r[2] = 1 })), ReadTimeout},
		{"short", udpService(t, func(q []byte) [][]byte { return [][]byte{q[:5], nil} }), ReadTimeout},
		{"garbage-then-answer", udpService(t, func(q []byte) [][]byte {
			return append([][]byte{{1, 2, 3}}, reply(func([]byte) {})(q)...)
		}), OK},
		{"silent", udpService(t, func([]byte) [][]byte { return nil }), ReadTimeout},
		{"closed", closedUDP(t), ReadFailed},
	} {
		play(t, tt.name, func(t testing.TB) {
			r := once(t, DNSCheck{connection(tt.to), DNSTypeSOA, "."}, SchedulerOptions{})[0]
			if r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
			if tt.name == "closed" && (r.Code != 111 || r.Text != "Connection refused") {
				t.Errorf("errno %d (%s), want 111 (Connection refused)", r.Code, r.Text)
			}
		})
	}
}

func TestUDP(t *testing.T) {
	say := func(b ...byte) func([]byte) [][]byte { return func([]byte) [][]byte { return [][]byte{b} } }
	silent := func([]byte) [][]byte { return nil }
	for _, tt := range []struct {
		name   string
		to     netip.AddrPort
		change func(*UDPCheck)
		want   Reason
	}{
		{"silence-is-well", udpService(t, silent), nil, OK},
		{"closed", closedUDP(t), nil, ReadFailed},
		{"reply-missing", udpService(t, silent), func(c *UDPCheck) { c.RequireReply = true }, ReadTimeout},
		{"any-reply", udpService(t, say(1)), func(c *UDPCheck) { c.RequireReply, c.MinReply = true, 5 }, OK},
		{"too-short", udpService(t, say(0x12, 0x34)), func(c *UDPCheck) {
			c.RequireReply, c.MinReply, c.Reply, c.ReplyMask = true, 5, []byte{0x12, 0x34}, []byte{255, 255}
		}, BadReply},
		{"wildcard", udpService(t, say(0x12, 0x39)), func(c *UDPCheck) {
			c.RequireReply, c.Reply, c.ReplyMask = true, []byte{0x12, 0x30}, []byte{255, 0xf0}
		}, OK},
		{"mismatch", udpService(t, say(0x12, 0x49)), func(c *UDPCheck) {
			c.RequireReply, c.Reply, c.ReplyMask = true, []byte{0x12, 0x30}, []byte{255, 0xf0}
		}, BadReply},
	} {
		play(t, tt.name, func(t testing.TB) {
			c := UDPCheck{Connection: connection(tt.to), MaxReply: 255}
			if tt.change != nil {
				tt.change(&c)
			}
			if r := once(t, c, SchedulerOptions{})[0]; r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
		})
	}
}

func TestConnectReason(t *testing.T) {
	for _, tt := range []struct {
		errno  unix.Errno
		atOnce bool
		want   Reason
		counts bool
	}{
		{unix.ENETUNREACH, true, Unreachable, true},
		{unix.EHOSTUNREACH, false, Unreachable, true},
		{unix.ECONNREFUSED, true, ConnectError, true},
		{unix.ECONNREFUSED, false, ConnectFailed, true},
		{unix.ETIMEDOUT, false, ConnectTimeout, true},
		{unix.EADDRNOTAVAIL, true, NoPort, false}, // out of local ports
		{unix.EACCES, true, NoPort, false},
		{unix.EPERM, true, NoPort, false},
	} {
		got := connectReason(tt.errno, tt.atOnce)
		if got != tt.want || got.Local() == tt.counts {
			t.Errorf("connectReason(%v, %v) = %v (local %v), want %v", tt.errno, tt.atOnce, got, got.Local(), tt.want)
		}
	}
}
