package vrrpd

import (
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// slack is what a takeover may take beyond the protocol's bound.
const slack = 50 * time.Millisecond

// skew of version 3 (RFC 9568 section 6.1), for the instances of these tests.
func skew(priority int, interval time.Duration) time.Duration {
	return time.Duration(256-priority) * interval / 256
}

// takeover waits for the first advert of a host after a moment and returns when
// it was sent.
func takeover(t testing.TB, c *nettest.Capture, from string, after time.Time) time.Time {
	t.Helper()
	var at time.Time
	nettest.Eventually(t, 5*time.Second, from+" advertises", func() bool {
		for _, f := range adverts(c, from) {
			if f.At.After(after) {
				at = f.At
				return true
			}
		}
		return false
	})
	return at
}

// last returns when a host advertised last. The capture may lag behind what has
// been seen otherwise, such as the address.
func last(t testing.TB, c *nettest.Capture, from string) nettest.Frame {
	t.Helper()
	var list []nettest.Frame
	nettest.Eventually(t, 5*time.Second, from+" has advertised", func() bool {
		list = adverts(c, from)
		return len(list) > 0
	})
	return list[len(list)-1]
}

// TestFailover plays what an operator does with a pair: stop, start, crash.
func TestFailover(t *testing.T) { nettest.Play(t, slack, failover) }

func failover(t testing.TB) {
	const interval = 100 * time.Millisecond
	a, b := pair(t, instance(110), instance(100))
	c := b.ns.Capture("eth0")

	// A graceful stop moves the address within the skew time.
	began := time.Now()
	a.stop()
	got := takeover(t, c, "10.99.0.2", began)
	zero := last(t, c, "10.99.0.1")
	if zero.Priority != 0 {
		t.Errorf("the last advert of the stopped node has priority %d, want 0", zero.Priority)
	}
	if d := got.Sub(zero.At); d > skew(100, interval)+slack || d < skew(100, interval)-time.Millisecond {
		t.Errorf("takeover %v after priority 0, want %v", d, skew(100, interval))
	}
	converged(t, b, a)

	// A start brings it back.
	a.start()
	converged(t, a, b)
	b.waitLog("(VI_1) Master received advert from 10.99.0.1 with higher priority 110, ours 100")

	// A crash moves it within three intervals and the skew time.
	began = time.Now()
	a.crash()
	got = takeover(t, c, "10.99.0.2", began)
	bound := 3*interval + skew(100, interval)
	if d := got.Sub(last(t, c, "10.99.0.1").At); d > bound+slack || d < bound-time.Millisecond {
		t.Errorf("takeover %v after the last advert, want %v", d, bound)
	}
	// The address stays on the crashed node, and its successor removes it.
	if !a.has(vip) {
		t.Error("the address went away with the processes")
	}
	a.write(instance(90))
	a.start()
	converged(t, b, a)
}

// TestRules plays the questions that a pair is asked most: who is master?
func TestRules(t *testing.T) {
	play(t, "nopreempt", margin, func(t testing.TB) {
		a, b := pair(t, instance(100), instance(90))
		a.stop()
		converged(t, b, a)
		a.write(instance(100, "nopreempt"))
		a.start()
		a.waitLog("(VI_1) Entering BACKUP STATE (init)")
		nettest.Never(t, time.Second, "the higher priority takes over in spite of nopreempt", func() bool { return a.has(vip) })
		b.crash()
		b.ns.DelAddr("eth0", vip+"/32")
		nettest.Eventually(t, 3*time.Second, "it takes over when the master is gone", func() bool { return a.has(vip) })
	})
	play(t, "both-state-master", margin, func(t testing.TB) {
		a, b := pair(t, instance(110, "state MASTER"), instance(100, "state MASTER"))
		nettest.Never(t, 500*time.Millisecond, "two masters", func() bool { return a.has(vip) && b.has(vip) })
	})
	play(t, "equal-priority", margin, func(t testing.TB) {
		needDaemon(t)
		hosts, sw := nettest.LANWithSwitch(t, 2)
		lower := newNode(t, hosts[0], bin, instance(100)).start()
		nettest.Eventually(t, 8*time.Second, "the first is master", func() bool { return lower.has(vip) })
		higher := newNode(t, hosts[1], bin, instance(100)).start()
		higher.waitLog("(VI_1) Entering BACKUP STATE (init)")
		nettest.Never(t, 500*time.Millisecond, "an equal takes over from a master that is heard", func() bool { return higher.has(vip) })
		between := func(isolated string) {
			for _, port := range []string{"p0", "p1"} {
				sw.IP("link", "set", port, "type", "bridge_slave", "isolated", isolated)
			}
		}
		between("on")
		nettest.Eventually(t, 8*time.Second, "both are masters while they cannot hear each other", func() bool { return higher.has(vip) && lower.has(vip) })
		between("off")
		nettest.Eventually(t, 8*time.Second, "the higher address wins", func() bool { return higher.has(vip) && !lower.has(vip) })
		nettest.Never(t, 500*time.Millisecond, "the lower address comes back", func() bool { return lower.has(vip) || !higher.has(vip) })
	})
	play(t, "advert-int-2", margin, func(t testing.TB) {
		a, b := pair(t, instance(100, "version 2", "advert_int 2"), instance(90, "version 2", "advert_int 2"))
		c := b.ns.Capture("eth0")
		nettest.Eventually(t, 8*time.Second, "three adverts", func() bool { return len(adverts(c, "10.99.0.1")) >= 3 })
		list := adverts(c, "10.99.0.1")
		// Wide, because a busy machine may send one of them late; it still tells 2 s
		// from any other whole number of seconds.
		if d := list[2].At.Sub(list[0].At); (d - 4*time.Second).Abs() > 500*time.Millisecond {
			t.Errorf("two intervals took %v, want 4s", d)
		}
		if list[0].PDU[5] != 2 {
			t.Errorf("advert interval on the wire is %d, want 2", list[0].PDU[5])
		}
		_ = a
	})
	play(t, "long-auth-pass", margin, func(t testing.TB) {
		conf := func(p int, pass string) string {
			return instance(p, "version 2", "advert_int 1", "authentication {\n auth_type PASS\n auth_pass "+pass+"\n }")
		}
		a, b := pair(t, conf(100, "longerthan8"), conf(90, "longerthXX"))
		a.waitLog("Truncating auth_pass to 8 characters")
		nettest.Never(t, 4500*time.Millisecond, "the peer rejects the password", func() bool { return b.has(vip) })
	})
	play(t, "label-and-three-vips", margin, func(t testing.TB) {
		addrs := "virtual_ipaddress {\n 10.99.0.100 label eth0:9\n 10.99.0.101\n 10.99.0.102\n }"
		a, _ := pair(t, instance(100, addrs), instance(90, addrs))
		nettest.Eventually(t, time.Second, "all three addresses", func() bool {
			return a.has("10.99.0.101") && a.has("10.99.0.102")
		})
		for _, want := range []string{"10.99.0.100/32", "10.99.0.101/32", "10.99.0.102/32"} {
			found := false
			for _, got := range a.ns.Addrs("eth0") {
				found = found || got == want
			}
			if !found {
				t.Errorf("no %s among %v", want, a.ns.Addrs("eth0"))
			}
		}
		if out := a.ns.IP("addr", "show", "dev", "eth0", "label", "eth0:9"); out == "" {
			t.Error("the label is not set")
		}
	})
	play(t, "stop-and-continue", margin, func(t testing.TB) {
		a, b := pair(t, instance(100), instance(90))
		child := a.child()
		if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		nettest.Eventually(t, 3*time.Second, "the backup takes over", func() bool { return b.has(vip) })
		if err := syscall.Kill(child, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		converged(t, a, b)
	})
}
