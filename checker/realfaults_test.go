package checker

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The faults of real servers. Being stopped, stalled and killed is done to the
// process, in TestNginx, TestExim, TestUnbound and TestEchoProcess; here a
// server misbehaves by itself (a file in its folder makes it so), or what is
// between it and the check spoils its answers.

// realFault is one way in which a server that was well is not: a spoilt way, or
// the name of a file that makes the server misbehave.
type realFault struct {
	name string
	way  spoil
	file string
	why  string
}

// shortest is how long the checks of real servers wait.
const shortest = 400 * time.Millisecond

// spoilt plays faults of a server that start starts: it leaves the pool in time,
// the log says why, and when all is well again it comes back.
func spoilt(t *testing.T, faults []realFault, start func(t testing.TB) (at netip.AddrPort, dir string), check func(netip.AddrPort) Spec) {
	for _, f := range faults {
		play(t, f.name, func(t testing.TB) {
			at, dir := start(t)
			way := newBetween(t, at)
			r := newRig(t, SchedulerOptions{}, check(way.at))
			r.works(t)
			if f.file != "" {
				write(t, dir+"/"+f.file, nil)
			} else {
				way.be(f.way)
			}
			limit := check(way.at).Endpoint().Timeout * (patience + 1)
			r.goesDown(t, f.why, limit)
			if f.file != "" {
				os.Remove(dir + "/" + f.file)
			}
			way.be(straight)
			r.comesBack(t, limit)
		})
	}
}

func TestNginxSpoilt(t *testing.T) {
	const late, halfway = "connected, but no answer in time", "answer not complete in time"
	spoilt(t, []realFault{
		{name: "slow-answer", way: slowly(2 * shortest), why: late},
		{name: "slow-body", file: "slow", why: halfway},
		{name: "endless-body", file: "endless", why: halfway},
		{name: "endless-answer", way: changed(endless), why: halfway},
		{name: "garbage", way: changed(garbled), why: "no header in the answer"},
		{name: "half-header", way: cut(20, hold), why: halfway},
		{name: "half-header-closed", way: cut(20, leave), why: "no header in the answer"},
		{name: "reset-at-once", way: cut(0, reset), why: "connection broke while reading: Connection reset by peer"},
		{name: "reset-in-header", way: cut(20, reset), why: "connection broke while reading: Connection reset by peer"},
		{name: "refuses", file: "broken", why: "unexpected status: 503"},
		{name: "closes", file: "gone", why: "no header in the answer"},
	}, func(t testing.TB) (netip.AddrPort, string) {
		n := newNginx(t)
		n.run(t)
		return local(n.weak), n.dir
	}, func(to netip.AddrPort) Spec {
		c := (&nginx{plain: to.Port()}).ask(to.Port(), "/page.html", body(page))
		c.Connection.Timeout = shortest
		return c
	})
}

func TestNginxSpoiltTLS(t *testing.T) {
	const handshake, halfway = "no connection in time: TLS handshake", "answer not complete in time"
	n := newNginx(t) // for what leads elsewhere; the alert is its own: it rejects the handshake
	n.run(t)
	spoilt(t, []realFault{
		{name: "slow-handshake", way: slowly(3 * shortest), why: handshake},
		{name: "slow-body", file: "slow", why: halfway},
		{name: "endless-body", file: "endless", why: halfway},
		{name: "endless-handshake", way: changed(endless), why: "TLS handshake failed"},
		{name: "garbage", way: changed(garbled), why: "TLS handshake failed: tls: first record does not look like a TLS handshake"},
		{name: "half-record", way: cut(3, hold), why: handshake},
		{name: "half-record-closed", way: cut(3, leave), why: "TLS handshake failed"},
		{name: "reset-at-once", way: cut(0, reset), why: "TLS handshake failed"},
		{name: "alert", way: elsewhere(local(n.names)), why: "TLS handshake failed: remote error: tls: unrecognized name"},
		{name: "not-tls", way: elsewhere(local(n.plain)), why: "TLS handshake failed: tls: first record does not look like a TLS handshake"},
		{name: "refuses", file: "broken", why: "unexpected status: 503"},
		{name: "closes", file: "gone", why: "no header in the answer"},
	}, func(t testing.TB) (netip.AddrPort, string) {
		n := newNginx(t)
		n.run(t)
		return local(n.weakTLS), n.dir
	}, func(to netip.AddrPort) Spec {
		c := (&nginx{}).ask(to.Port(), "/page.html", body(page))
		c.Connection.Timeout = 2 * shortest
		return c
	})
}

func TestEximSpoilt(t *testing.T) {
	const late = "answer not complete in time"
	spoilt(t, []realFault{
		{name: "slow-greeting", file: "slow", why: late},
		{name: "slow-helo", file: "hesitant", why: late},
		{name: "slow-network", way: slowly(2 * shortest), why: late},
		{name: "garbage", way: changed(garbled), why: late}, // without an end of a line
		{name: "half-line", way: cut(3, hold), why: late},
		{name: "half-line-closed", way: cut(3, leave), why: "connection broke while reading"},
		{name: "endless-answer", way: changed(endless), why: "unexpected answer to HELO: 220"},
		{name: "reset-at-once", way: cut(0, reset), why: "connection broke while reading: Connection reset by peer"},
		{name: "refuses", file: "refuse", why: "unexpected greeting: 550 not today"},
	}, func(t testing.TB) (netip.AddrPort, string) {
		_, at, dir := newExim(t)
		return at, dir
	}, func(to netip.AddrPort) Spec {
		return SMTPCheck{Connection{To: to, Timeout: shortest}, DefaultHelo}
	})
}

// replyFault is a realFault of datagrams.
type replyFault struct {
	name string
	way  reply
	why  string
}

// spoiltReplies is spoilt for datagrams.
func spoiltReplies(t *testing.T, faults []replyFault, start func(t testing.TB) netip.AddrPort, check func(netip.AddrPort) Spec) {
	for _, f := range faults {
		play(t, f.name, func(t testing.TB) {
			at, way := newBetweenDatagrams(t, start(t))
			r := newRig(t, SchedulerOptions{}, check(at))
			r.works(t)
			way.be(f.way)
			r.goesDown(t, f.why, 2*shortest)
			way.be(untouched)
			r.comesBack(t, 2*shortest)
		})
	}
}

func slowReply(b []byte) [][]byte {
	<-time.After(2 * shortest)
	return untouched(b)
}

func garbledReply(b []byte) [][]byte { return [][]byte{flipped(b)} }

func halfReply(b []byte) [][]byte { return [][]byte{b[:min(len(b)/2, 6)]} }

func noReply([]byte) [][]byte { return nil }

// manyReplies is garbage without end, as far as there is one among datagrams.
func manyReplies(b []byte) (list [][]byte) {
	for range 1000 {
		list = append(list, flipped(b))
	}
	return list
}

func TestUnboundSpoilt(t *testing.T) {
	const late = "answer not complete in time"
	start := func(t testing.TB) netip.AddrPort {
		_, at := newUnbound(t)
		return at
	}
	check := func(name string) func(to netip.AddrPort) Spec {
		return func(to netip.AddrPort) Spec { return DNSCheck{Connection{To: to, Timeout: shortest}, DNSTypeA, name} }
	}
	spoiltReplies(t, []replyFault{
		{"slow", slowReply, late},
		{"garbage", garbledReply, late},
		{"endless", manyReplies, late},
		{"half-header", halfReply, late},
		{"lost", noReply, late},
	}, start, check("www.example.com"))
	play(t, "its-own-server-is-silent", func(t testing.TB) {
		r := newRig(t, SchedulerOptions{}, check("www.example.net")(start(t)))
		r.says(t, "Removing service", 3*(rigDelay+2*shortest))
		if !r.said(late) {
			t.Errorf("no line says why: %q", r.lines)
		}
	})
}

// echoAt is the variable in which the echo process finds where to listen.
const echoAt = "CHECKER_TEST_ECHO"

// echoProcess answers datagrams with themselves until it is killed.
func echoProcess(at string) {
	c, err := net.ListenPacket("udp", at)
	if err != nil {
		os.Exit(1)
	}
	b := make([]byte, 2048)
	for {
		if n, from, err := c.ReadFrom(b); err == nil {
			c.WriteTo(b[:n], from)
		}
	}
}

func newEcho(t testing.TB) (server *os.Process, at netip.AddrPort) {
	t.Helper()
	at = closedUDP(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), echoAt+"="+at.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process, at
}

func echoCheck(to netip.AddrPort) Spec {
	ping := []byte("ping-0123456789")
	mask := make([]byte, len(ping))
	for i := range mask {
		mask[i] = 0xff
	}
	return UDPCheck{Connection: Connection{To: to, Timeout: shortest}, Payload: ping,
		RequireReply: true, Reply: ping, ReplyMask: mask, MinReply: uint16(len(ping)), MaxReply: uint16(len(ping))}
}

// TestEchoProcess stops an echo server in the middle, lets it go on, and kills it.
func TestEchoProcess(t *testing.T) {
	play(t, "process", func(t testing.TB) {
		server, at := newEcho(t)
		verdicts(t, server, echoCheck(at), "answer not complete in time", "connection broke while reading: Connection refused")
	})
}

func TestEchoSpoilt(t *testing.T) {
	const late, wrong = "answer not complete in time", "unexpected reply data"
	spoiltReplies(t, []replyFault{
		{"slow", slowReply, late},
		{"garbage", garbledReply, wrong},
		{"endless", manyReplies, wrong},
		{"half", halfReply, wrong},
		{"lost", noReply, late},
	}, func(t testing.TB) netip.AddrPort {
		_, at := newEcho(t)
		return at
	}, echoCheck)
}
