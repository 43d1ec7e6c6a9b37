package checker

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// between is a way to a real server that can be spoilt: what a broken network, a
// broken balancer or an overloaded machine makes of a server that is well.
type between struct {
	switched[spoil]
	at     netip.AddrPort // where the check finds it
	server netip.AddrPort
}

// spoil carries one connection: c is the check's, s the server's.
type spoil func(c, s net.Conn)

// straight carries everything as it is.
func straight(c, s net.Conn) {
	go func() {
		io.Copy(s, c)
		s.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, s)
}

// changed carries the questions as they are, and the answer through f.
func changed(f func(c net.Conn, answer io.Reader)) spoil {
	return func(c, s net.Conn) {
		go io.Copy(s, c)
		f(c, s)
	}
}

// slowly holds each piece of the answer back.
func slowly(pause time.Duration) spoil {
	return changed(func(c net.Conn, answer io.Reader) {
		b := make([]byte, 64<<10)
		for {
			n, err := answer.Read(b)
			<-time.After(pause)
			if _, failed := c.Write(b[:n]); failed != nil || err != nil {
				return
			}
		}
	})
}

// garbled flips bits in the answer.
func garbled(c net.Conn, answer io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := answer.Read(b)
		if _, failed := c.Write(flipped(b[:n])); failed != nil || err != nil {
			return
		}
	}
}

func flipped(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0xa5
	}
	return out
}

// cut lets the beginning of the answer through; then does what then does.
func cut(n int64, then func(net.Conn)) spoil {
	return changed(func(c net.Conn, answer io.Reader) {
		io.CopyN(c, answer, n)
		then(c)
	})
}

// endless repeats the first piece of the answer for ever.
func endless(c net.Conn, answer io.Reader) {
	b := make([]byte, 4096)
	n, _ := answer.Read(b)
	forever(string(b[:n]), time.Millisecond)(c)
}

// elsewhere leads to another server.
func elsewhere(to netip.AddrPort) spoil {
	return func(c, _ net.Conn) {
		if s, err := net.Dial("tcp", to.String()); err == nil {
			defer s.Close()
			straight(c, s)
		}
	}
}

// newBetween listens in front of a TCP server.
func newBetween(t testing.TB, server netip.AddrPort) *between {
	t.Helper()
	w := &between{server: server}
	w.be(straight)
	w.at = tcpService(t, func(c net.Conn) {
		s, err := net.Dial("tcp", w.server.String())
		if err != nil {
			return
		}
		defer s.Close()
		w.now()(c, s)
	})
	return w
}

// reply is what becomes of one answer in a datagram.
type reply func(answer []byte) [][]byte

func untouched(b []byte) [][]byte { return [][]byte{b} }

// newBetweenDatagrams is the same in front of a UDP server.
func newBetweenDatagrams(t testing.TB, server netip.AddrPort) (at netip.AddrPort, way *switched[reply]) {
	t.Helper()
	way = &switched[reply]{}
	way.be(untouched)
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	carry := func(question []byte, from net.Addr) {
		s, err := net.Dial("udp", server.String())
		if err != nil {
			return
		}
		defer s.Close()
		s.Write(question)
		s.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 4096)
		if n, err := s.Read(b); err == nil {
			for _, r := range way.now()(b[:n]) {
				c.WriteTo(r, from)
			}
		}
	}
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			go carry(bytes.Clone(b[:n]), from)
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort(), way
}
