package checker

import (
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// switched is a server that can be made to behave in another way.
type switched[T any] struct{ how atomic.Pointer[T] }

func (s *switched[T]) be(how T) { s.how.Store(&how) }
func (s *switched[T]) now() T   { return *s.how.Load() }

// forever writes a text again and again until the client closes.
func forever(text string, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		tick := time.NewTicker(max(pause, time.Microsecond))
		defer tick.Stop()
		for ; ; <-tick.C {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// after reads a request first.
func after(then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		then(c)
	}
}

func say(text string, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		then(c)
	}
}

func leave(net.Conn) {}

// late lets some time pass first.
func late(pause time.Duration, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		<-time.After(pause)
		then(c)
	}
}

// TestFaults: a server that was well begins to misbehave: it leaves the pool in
// time, the log says why, and when it is well again it comes back.
func TestFaults(t *testing.T) {
	const (
		well  = "HTTP/1.0 200 OK\r\n\r\nhello"
		short = 250 * time.Millisecond
		// An attempt is at most this long when each step has its own time, and
		// when the server always sends one more byte.
		steps, dripped = 4 * short, (patience + 1) * short
	)
	cert := selfSigned(t, nil)
	secret := func(f func(net.Conn)) func(net.Conn) {
		return func(c net.Conn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			if s.Handshake() == nil {
				f(s)
			}
			s.Close()
		}
	}
	http := func(to netip.AddrPort) Spec {
		c := httpCheck(to)
		c.Connection.Timeout = short
		return c
	}
	https := func(to netip.AddrPort) Spec {
		c := http(to).(HTTPCheck)
		c.TLS, c.Connection.Timeout = true, 2*short
		return c
	}
	smtp := func(to netip.AddrPort) Spec { return SMTPCheck{Connection{To: to, Timeout: short}, DefaultHelo} }
	mail := func(c net.Conn) {
		say("220 mx\r\n", leave)(c)
		b := make([]byte, 100)
		for _, reply := range []string{"250 mx\r\n", "221 bye\r\n"} {
			if _, err := c.Read(b); err == nil {
				io.WriteString(c, reply)
			}
		}
	}
	for _, tt := range []struct {
		name      string
		check     func(netip.AddrPort) Spec
		well, bad func(net.Conn)
		why       string
		limit     time.Duration
	}{
		{"http-silent", http, answer(well), after(hold), "connected, but no answer in time", steps},
		{"http-never-reads", http, answer(well), hold, "connected, but no answer in time", steps},
		{"http-slow", http, answer(well), after(late(2*short, answer(well))), "connected, but no answer in time", steps},
		{"http-half-header", http, answer(well), after(say("HTTP/1.0 200 OK\r\nServ", hold)), "answer not complete in time", steps},
		{"http-half-header-closed", http, answer(well), after(say("HTTP/1.0 200 OK\r\nServ", leave)), "no header in the answer", steps},
		{"http-garbage", http, answer(well), after(say("\x00\xff\x01 what?\r\n", leave)), "no header in the answer", steps},
		{"http-garbage-forever", http, answer(well), after(forever("\xff\x00 what?\r\n", 0)), "no header in the answer", steps},
		{"http-closed", http, answer(well), after(leave), "no header in the answer", steps},
		{"http-reset", http, answer(well), after(reset), "connection broke while reading: Connection reset by peer", steps},
		{"http-reset-in-body", http, answer(well), after(say(well, func(c net.Conn) { reset(c) })), "connection broke while reading: Connection reset by peer", steps},
		{"http-endless-body", http, answer(well), after(say(well, forever(strings.Repeat("x", 4096), 0))), "answer not complete in time", dripped},
		{"http-slow-body", http, answer(well), after(say(well, forever("x", short/3))), "answer not complete in time", dripped},
		{"http-kept-open", http, answer(well), after(say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", hold)), "answer not complete in time", steps},
		{"http-status", http, answer(well), answer("HTTP/1.0 503 Service Unavailable\r\n\r\n"), "unexpected status: 503", steps},

		{"tls-alert", https, secret(answer(well)), say("\x15\x03\x03\x00\x02\x02\x28", hold), "TLS handshake failed: remote error: tls: handshake failure", steps},
		{"tls-not-tls", https, secret(answer(well)), say("HTTP/1.0 400 Bad Request\r\n\r\n", leave), "TLS handshake failed: tls: first record does not look like a TLS handshake", steps},
		{"tls-silent-handshake", https, secret(answer(well)), hold, "no connection in time: TLS handshake", steps},
		{"tls-reset", https, secret(answer(well)), func(c net.Conn) { c.Read(make([]byte, 5)); reset(c) }, "TLS handshake failed", steps},
		{"tls-silent", https, secret(answer(well)), secret(after(hold)), "connected, but no answer in time", steps},
		{"tls-half-header", https, secret(answer(well)), secret(after(say("HTTP/1.0 200 OK\r\n", hold))), "answer not complete in time", steps},
		{"tls-endless-body", https, secret(answer(well)), secret(after(say(well, forever(strings.Repeat("x", 4096), time.Millisecond)))), "answer not complete in time", steps},
		{"tls-garbage", https, secret(answer(well)), secret(after(say("what?", leave))), "no header in the answer", steps},

		{"smtp-silent", smtp, mail, hold, "answer not complete in time", steps},
		{"smtp-silent-after-greeting", smtp, mail, say("220 mx\r\n", hold), "answer not complete in time", steps},
		{"smtp-greets-late", smtp, mail, late(2*short, mail), "answer not complete in time", steps},
		{"smtp-half-line", smtp, mail, say("220 m", hold), "answer not complete in time", steps},
		{"smtp-garbage", smtp, mail, say("\x00\xff what?\r\n", hold), "unexpected greeting: \\x00\\xff what?", steps},
		{"smtp-not-ready", smtp, mail, say("554 no service\r\n", hold), "unexpected greeting: 554 no service", steps},
		{"smtp-refuses-helo", smtp, mail, say("220 mx\r\n", func(c net.Conn) { c.Read(make([]byte, 100)); say("550 no\r\n", hold)(c) }), "unexpected answer to HELO: 550 no", steps},
		{"smtp-endless-line", smtp, mail, forever(strings.Repeat("2", 100), 0), "unexpected greeting", steps},
		{"smtp-endless-lines", smtp, mail, forever("220-more\r\n", short/10), "answer not complete in time", dripped},
		{"smtp-slow", smtp, mail, forever("2", short/3), "answer not complete in time", dripped},
		{"smtp-reset", smtp, mail, reset, "connection broke while reading: Connection reset by peer", steps},
		{"smtp-closed", smtp, mail, leave, "connection broke while reading", steps},
	} {
		play(t, tt.name, func(t testing.TB) {
			var server switched[func(net.Conn)]
			server.be(tt.well)
			r := newRig(t, SchedulerOptions{}, tt.check(tcpService(t, func(c net.Conn) { server.now()(c) })))
			r.says(t, "succeed on service", 2*time.Second)
			server.be(tt.bad)
			r.goesDown(t, tt.why, tt.limit)
			server.be(tt.well)
			r.comesBack(t, tt.limit)
		})
	}
}

// TestDatagramFaults is the same for what has no connections.
func TestDatagramFaults(t *testing.T) {
	const short = 300 * time.Millisecond
	dns := func(to netip.AddrPort) Spec { return DNSCheck{Connection{To: to, Timeout: short}, DNSTypeSOA, "."} }
	udp := func(to netip.AddrPort) Spec {
		return UDPCheck{Connection: Connection{To: to, Timeout: short}, RequireReply: true,
			Reply: []byte("pong"), ReplyMask: []byte{255, 255, 255, 255}, MaxReply: 255}
	}
	type replies = func([]byte) [][]byte
	reply := func(b ...string) replies {
		return func([]byte) [][]byte {
			var list [][]byte
			for _, s := range b {
				list = append(list, []byte(s))
			}
			return list
		}
	}
	rcode := func(code byte) replies {
		return func(q []byte) [][]byte {
			r := append([]byte{}, q...)
			r[2], r[3] = r[2]|0x80, code
			return [][]byte{r}
		}
	}
	slow := func(r replies) replies {
		return func(q []byte) [][]byte {
			<-time.After(3 * short / 2) // later than the check waits
			return r(q)
		}
	}
	for _, tt := range []struct {
		name      string
		check     func(netip.AddrPort) Spec
		well, bad replies
		why       string
	}{
		{"dns-silent", dns, rcode(0), reply(), "answer not complete in time"},
		{"dns-slow", dns, rcode(0), slow(rcode(0)), "answer not complete in time"},
		{"dns-garbage", dns, rcode(0), reply("what?", "", strings.Repeat("x", 600)), "answer not complete in time"},
		{"dns-half-header", dns, rcode(0), func(q []byte) [][]byte { return [][]byte{q[:6]} }, "answer not complete in time"},
		{"dns-server-failure", dns, rcode(0), rcode(2), "error code in the answer"},
		{"dns-refused", dns, rcode(0), rcode(5), "error code in the answer"},
		{"udp-silent", udp, reply("pong"), reply(), "answer not complete in time"},
		{"udp-slow", udp, reply("pong"), slow(reply("pong")), "answer not complete in time"},
		{"udp-garbage", udp, reply("pong"), reply("what?"), "unexpected reply data"},
		{"udp-too-long", udp, reply("pong"), reply("pong" + strings.Repeat("x", 300)), "unexpected reply data"},
	} {
		play(t, tt.name, func(t testing.TB) {
			var server switched[replies]
			server.be(tt.well)
			r := newRig(t, SchedulerOptions{}, tt.check(udpService(t, func(q []byte) [][]byte { return server.now()(q) })))
			r.works(t)
			server.be(tt.bad)
			r.goesDown(t, tt.why, 2*short)
			server.be(tt.well)
			r.comesBack(t, 2*short)
		})
	}
}

// TestUDPEcho: an echo server as UDP_CHECK with a payload meets it: well,
// stopped (its port is closed), and started again.
func TestUDPEcho(t *testing.T) { nettest.Play(t, timeout, udpEcho) }

func udpEcho(t testing.TB) {
	payload, _ := hex.DecodeString("0a0bff")
	echo := func(at string) net.PacketConn {
		c, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			b := make([]byte, 2048)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo(b[:n], from)
			}
		}()
		return c
	}
	server := echo("127.0.0.1:0")
	at := server.LocalAddr().(*net.UDPAddr).AddrPort()
	r := newRig(t, SchedulerOptions{}, UDPCheck{Connection: connection(at), Payload: payload,
		RequireReply: true, Reply: payload, ReplyMask: []byte{255, 255, 255}, MaxReply: 255})
	r.says(t, "UDP connection to [127.0.0.1]:tcp:80 success.", 2*time.Second)
	server.Close()
	r.goesDown(t, "connection broke while reading: Connection refused", timeout)
	server = echo(at.String())
	defer server.Close()
	r.comesBack(t, timeout)
}
