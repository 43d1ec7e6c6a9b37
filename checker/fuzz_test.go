package checker

import (
	"bytes"
	"crypto/md5"
	"testing"
)

// Whatever a server answers, a dialog comes to a verdict that follows from the
// bytes, does not depend on how they were cut into pieces, and keeps no more of
// them than it says.

func FuzzHTTPAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 7)
	f.Add([]byte("HTTP/1.1 200\r\n\r\n"), 1)
	f.Add([]byte("HTTP/1.0 200 OK\n\nbody"), 3)
	f.Add([]byte("\r\n\r\n"), 2)
	f.Add([]byte("x\r\nContent-Length: 99999999999999999999\r\n\r\n"), 50)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		// However an answer is cut into pieces, it says the same.
		var whole, cut HTTPAnswer
		body, ok := whole.Add(b)
		var got []byte
		okCut := true
		piece = max(piece, 1)
		for rest := b; len(rest) > 0 && okCut; {
			n := min(piece, len(rest))
			var part []byte
			part, okCut = cut.Add(rest[:n])
			got = append(got, part...)
			rest = rest[n:]
		}
		if ok != okCut {
			t.Fatalf("whole %v, in pieces of %d %v", ok, piece, okCut)
		}
		if !ok {
			return
		}
		if len(b) > 0 && (whole.Complete() != cut.Complete() || whole.Status != cut.Status || whole.Length != cut.Length ||
			whole.Received != cut.Received || string(body) != string(got)) {
			t.Fatalf("whole %+v %q, in pieces of %d %+v %q", whole, body, piece, cut, got)
		}
		if whole.Length >= 0 && int64(len(body)) > whole.Length {
			t.Fatalf("%d bytes of body count with a Content-Length of %d", len(body), whole.Length)
		}
	})
}

func FuzzSMTP(f *testing.F) {
	f.Add([]byte("220 a\r\n"), []byte("250 b\r\n"), []byte("221 c\r\n"))
	f.Add([]byte("220-a\r\n220 b\r\n"), []byte("250"), []byte("\n"))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		d := newSMTPDialog("x")
		var r Result
		d.opened(&r)
		for _, part := range [][]byte{a, b, c, nil} {
			send, over := d.got(part, &r)
			if over {
				if r.Reason == OK && d.stage != smtpQuit {
					t.Fatalf("well in stage %d", d.stage)
				}
				return
			}
			if s := string(send); s != "" && s != "HELO x\r\n" && s != "QUIT\r\n" {
				t.Fatalf("sends %q", s)
			}
		}
	})
}

func FuzzDNS(f *testing.F) {
	f.Add([]byte{0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDNSDialog(&DNSCheck{Type: DNSTypeSOA, Name: "."}, func() uint16 { return 0 })
		var r Result
		d.opened(&r)
		if _, over := d.got(b, &r); over && r.Reason == OK && (len(b) < dnsHeader || b[3]&0x0f != 0 || b[2]&0x80 == 0) {
			t.Fatalf("% x passes", b)
		}
	})
}

// FuzzHTTPDialog: status, digest and regex come to the same verdict however
// the answer is cut.
func FuzzHTTPDialog(f *testing.F) {
	f.Add([]byte("HTTP/1.0 200 OK\r\n\r\nhello, it is up."), 7)
	f.Add([]byte("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello, up!"), 40)
	f.Add([]byte("HTTP/1.0 503 No\r\n\r\n"), 1)
	f.Add([]byte("HTTP/1.0 200 \r\nX: \r\n\r\r\n\r\n"), 2)
	sum := md5.Sum([]byte("hello"))
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		if len(b) == 0 {
			return
		}
		check := httpCheck(local(80), func(u *URL) {
			u.Status = []StatusRange{{200, 299}}
			if len(b)%2 == 0 {
				u.Digest = sum[:]
			}
			u.Regex = &Regex{Pattern: "up[.!]"}
		})
		run := func(piece int) (r Result) {
			d := newHTTPDialog(&check, 0)
			d.opened(&r)
			for rest := b; len(rest) > 0; {
				n := min(max(piece, 1), len(rest))
				if _, over := d.got(rest[:n], &r); over {
					return r
				}
				rest = rest[n:]
			}
			if _, over := d.got(nil, &r); !over {
				t.Fatal("not over at the end of the stream")
			}
			return r
		}
		whole, cut := run(len(b)), run(piece)
		if whole != cut {
			t.Fatalf("whole %+v, in pieces of %d %+v", whole, piece, cut)
		}
		if whole.Reason == OK && (whole.Code < 200 || whole.Code > 299 || !bytes.Contains(b, []byte("up"))) {
			t.Fatalf("%q passes with %+v", b, whole)
		}
	})
}

// FuzzPing: only the echo reply to the last request ends a check.
func FuzzPing(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 7, 0, 1}, false)
	f.Add([]byte{129, 0, 0, 0, 0, 7, 0, 1}, true)
	f.Add([]byte{3, 1, 0, 0, 0, 0, 0, 1}, false)
	f.Add([]byte{0, 0, 0}, false)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		d := newPingDialog(v6)
		var r Result
		d.opened(&r)
		_, over := d.got(b, &r)
		want := byte(echoReply4)
		if v6 {
			want = echoReply6
		}
		if r.Reason != OK || over != (len(b) >= 8 && b[0] == want && b[6] == 0 && b[7] == 1) {
			t.Fatalf("% x: over %v, %v", b, over, r.Reason)
		}
	})
}

// FuzzUDP: a reply passes only if its length and every byte that counts are as
// configured.
func FuzzUDP(f *testing.F) {
	f.Add([]byte{0x12, 0x39}, []byte{0x12, 0x30}, []byte{255, 0xf0}, uint16(0), uint16(255))
	f.Add([]byte{}, []byte{1}, []byte{}, uint16(1), uint16(2))
	f.Fuzz(func(t *testing.T, b, reply, mask []byte, shortest, longest uint16) {
		c := UDPCheck{RequireReply: true, Reply: reply, ReplyMask: mask, MinReply: shortest, MaxReply: longest}
		var r Result
		_, over := newUDPDialog(&c).got(b, &r)
		if !over {
			t.Fatal("a reply does not end the check")
		}
		if r.Reason != OK || len(reply) == 0 {
			return
		}
		if len(b) < int(shortest) || len(b) > int(longest) {
			t.Fatalf("%d bytes pass, want %d to %d", len(b), shortest, longest)
		}
		for i := range min(len(b), len(reply)) {
			if (i >= len(mask) || mask[i] == 0xff) && b[i] != reply[i] {
				t.Fatalf("% x passes for % x with mask % x", b, reply, mask)
			}
		}
	})
}
