package vrrpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// router is a VRRP router of any make on one host.
type router interface {
	// begin starts it, stop ends it in order, crash kills it.
	begin()
	stop()
	crash()
	// holds tells whether the host has the address; ok is false for a make
	// that leaves the address on an interface whatever its state.
	holds(addr string) (has, ok bool)
	output() string
}

func (n *node) holds(addr string) (has, ok bool) { return n.has(addr), true }

func (n *node) begin() { n.t.Helper(); n.start() }

func (n *node) output() string { return n.proc.Output() }

// wire is a kind of advert that both routers of a pair are told to use.
type wire struct {
	name     string
	version  int
	interval time.Duration
	ipv6     bool
	unicast  bool
	// more are lines of keepalived's instance.
	more []string
	vip  string
}

const (
	passLines = "authentication {\n auth_type PASS\n auth_pass secret\n }"
	ahLines   = "authentication {\n auth_type AH\n auth_pass secret\n }"
)

// wires are all kinds that 2.2.7 has: authentication is for version 2 over
// IPv4 only (RFC 5798 has none, and keepalived refuses AH over IPv6).
func wires() (list []wire) {
	for _, unicast := range []bool{false, true} {
		cast := "multicast"
		if unicast {
			cast = "unicast"
		}
		add := func(name string, version int, ipv6 bool, more ...string) {
			w := wire{name: name + "-" + cast, version: version, interval: time.Second, ipv6: ipv6, unicast: unicast, more: more, vip: vip}
			if version == 3 {
				w.interval = 200 * time.Millisecond
			}
			if ipv6 {
				w.vip = "fd99::100"
			}
			list = append(list, w)
		}
		add("v2-none", 2, false)
		add("v2-pass", 2, false, passLines)
		add("v2-ah", 2, false, ahLines)
		add("v2-ipv6", 2, true)
		add("v3-ipv4", 3, false)
		add("v3-ipv6", 3, true)
	}
	return append(list, wire{name: "v3-vmac", version: 3, interval: 200 * time.Millisecond, more: []string{"use_vmac"}, vip: vip})
}

// conf is keepalived's file for the host-th host.
func (w wire) conf(host, priority int) string {
	lines := []string{fmt.Sprintf("version %d", w.version), fmt.Sprintf("advert_int %g", w.interval.Seconds())}
	self, peer := fmt.Sprintf("10.99.0.%d", host+1), fmt.Sprintf("10.99.0.%d", 2-host)
	if w.ipv6 {
		lines = append(lines, "virtual_ipaddress {\n  fe80::100\n  fd99::100\n }")
		self, peer = fmt.Sprintf("fd99::%d", host+1), fmt.Sprintf("fd99::%d", 2-host)
	}
	if w.unicast {
		lines = append(lines, fmt.Sprintf("unicast_src_ip %s\n unicast_peer {\n  %s\n }", self, peer))
	}
	return instance(priority, append(lines, w.more...)...)
}

// TestInteropOriginal runs beside Debian's keepalived 2.2.7, over every kind of
// wire and in both roles.
func TestInteropOriginal(t *testing.T) {
	needReference(t)
	for _, w := range wires() {
		for _, oursFirst := range []bool{true, false} {
			t.Run(w.name+roleName(oursFirst), func(t *testing.T) {
				t.Parallel()
				p := newInterop(t, w)
				programs := [2]string{bin, reference}
				peer := 1
				if !oursFirst {
					programs, peer = [2]string{reference, bin}, 0
				}
				for i := range p.routers {
					p.routers[i] = newNode(t, p.hosts[i], programs[i], w.conf(i, 110-10*i))
				}
				p.play()
				p.uncomplaining(peer, "invalid", "Invalid", "mismatch", "expect", "too short", "too long", "wrong")
			})
		}
	}
}

func roleName(oursFirst bool) string {
	if oursFirst {
		return "-ours-higher"
	}
	return "-ours-lower"
}

// interop is a pair of routers of different make; the first is to be master.
type interop struct {
	t       testing.TB
	w       wire
	hosts   []*nettest.NS
	sw      *nettest.NS
	routers [2]router
	running [2]bool
	ports   [2]int
	capture *nettest.Capture
}

func newInterop(t testing.TB, w wire) *interop {
	hosts, sw := lanWithSwitch(t, 2)
	p := &interop{t: t, w: w, hosts: hosts, sw: sw, capture: sw.Capture("")}
	for i := range p.ports {
		p.ports[i] = sw.Index(fmt.Sprintf("p%d", i))
	}
	return p
}

// play leads the pair through everything that can happen to it: each time one
// of the two is master in the end, and the right one.
func (p *interop) play() {
	p.t.Helper()
	p.start(0)
	p.start(1)
	p.alone(0, "start")
	p.routers[0].crash()
	p.running[0] = false
	p.alone(1, "crash of the master")
	p.start(0)
	p.alone(0, "return after the crash")
	p.stop(0)
	p.alone(1, "stop of the master")
	p.start(0)
	p.alone(0, "return after the stop")
	p.isolate("on")
	nettest.Eventually(p.t, 15*time.Second, "cut: both advertise", func() bool {
		sent := p.sent(3 * p.w.interval)
		return sent[0] > 0 && sent[1] > 0
	})
	p.isolate("off")
	p.alone(0, "heal")
	p.stop(1)
	p.start(1)
	p.alone(0, "restart of the backup")
	p.onWire()
}

// onWire checks that what was sent is what the name of the case says.
func (p *interop) onWire() {
	p.t.Helper()
	auth := map[string]int{passLines: 1, ahLines: 2}[strings.Join(p.w.more, "")]
	for _, f := range p.capture.Frames(nettest.VRRP) {
		group := f.Dst.IsMulticast()
		switch {
		case f.Version != p.w.version || f.Src.Is6() != p.w.ipv6 || group == p.w.unicast,
			f.Version == 2 && int(f.PDU[4]) != auth, (auth == 2) != (f.Protocol == 51):
			p.t.Fatalf("an advert that does not belong here: %v, authentication %d", f, f.PDU[4])
		}
	}
}

func (p *interop) start(i int) { p.t.Helper(); p.routers[i].begin(); p.running[i] = true }

func (p *interop) stop(i int) { p.t.Helper(); p.routers[i].stop(); p.running[i] = false }

// isolate cuts the two ports of the switch from each other, or joins them.
func (p *interop) isolate(word string) {
	p.t.Helper()
	for _, port := range []string{"p0", "p1"} {
		p.sw.Run("bridge", "link", "set", "dev", port, "isolated", word)
	}
}

// sent counts the adverts of each host in the time that just passed; priority
// 0 is a farewell.
func (p *interop) sent(during time.Duration) (count [2]int) {
	from := time.Now().Add(-during)
	for _, f := range p.capture.Frames(nettest.VRRP) {
		for i, port := range p.ports {
			if f.Link == port && !f.Outgoing && f.Priority > 0 && f.At.After(from) {
				count[i]++
			}
		}
	}
	return count
}

// alone waits until one host alone has advertised for some intervals and, where
// its make tells, holds the address alone.
func (p *interop) alone(master int, when string) {
	p.t.Helper()
	nettest.Eventually(p.t, 25*time.Second, fmt.Sprintf("%s: host %c alone is master", when, 'a'+rune(master)), func() bool {
		sent := p.sent(p.w.interval*5/2 + 50*time.Millisecond)
		if sent[master] < 2 || sent[1-master] > 0 {
			return false
		}
		for i, r := range p.routers {
			if has, ok := r.holds(p.w.vip); ok && p.running[i] && has != (i == master) {
				return false
			}
		}
		return true
	})
}

// uncomplaining looks for lines of a router that reject what the other sent.
func (p *interop) uncomplaining(peer int, words ...string) {
	p.t.Helper()
	for _, l := range strings.Split(p.routers[peer].output(), "\n") {
		for _, bad := range words {
			if strings.Contains(l, bad) && (strings.Contains(l, "VI_1") || strings.Contains(l, "VRID")) {
				p.t.Errorf("the peer complains: %s", l)
				break
			}
		}
	}
}
