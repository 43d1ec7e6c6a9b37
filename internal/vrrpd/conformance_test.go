package vrrpd

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/vrrp"
)

// probe is one case of UNH-IOL group 4 on an instance of its own: a spoiled
// advert of a higher router must count for nothing.
type probe struct {
	name    string
	version uint8
	ipv6    bool
	hops    int // of IPv6; 0 = 255
	badSum  bool
	spoil   func(packet []byte) []byte
	change  func(*vrrp.InstanceConfig)
	control bool // the advert is good: it must be obeyed
}

// resum makes a version 2 checksum right again.
func resum(p []byte) []byte {
	p[26], p[27] = 0, 0
	var s uint32
	for i := 20; i+1 < len(p); i += 2 {
		s += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(p[26:], ^uint16(s))
	return p
}

// pseudo makes a version 3 checksum right again.
func pseudo(p []byte) []byte {
	h := append([]byte{}, p[12:20]...)
	h = append(h, 0, 112, 0, byte(len(p)-20))
	resum(p)
	s := uint32(^binary.BigEndian.Uint16(p[26:]))
	for i := 0; i < len(h); i += 2 {
		s += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(p[26:], ^uint16(s))
	return p
}

var probes = []probe{
	{name: "good-v2", version: 2, control: true},
	{name: "4.1-ttl-v2", version: 2, spoil: func(p []byte) []byte { p[8] = 254; return p }},
	{name: "4.2-version-v2", version: 2, change: func(c *vrrp.InstanceConfig) { c.Version = 3 }},
	{name: "4.3-short-v2", version: 2, spoil: func(p []byte) []byte { return resum(p[:len(p)-4]) }},
	{name: "4.3-long-v2", version: 2, spoil: func(p []byte) []byte { return resum(append(p, 0, 0, 0, 0)) }},
	{name: "4.4-checksum-v2", version: 2, spoil: func(p []byte) []byte { p[27] ^= 1; return p }},
	{name: "4.6-auth-unknown-v2", version: 2, spoil: func(p []byte) []byte { p[24] = 3; return resum(p) }},
	{name: "4.6-auth-pass-v2", version: 2, change: func(c *vrrp.InstanceConfig) { c.Auth = vrrp.AuthConfig{Type: vrrp.AuthPass} }},
	{name: "4.5-vrid-v2", version: 2, change: func(c *vrrp.InstanceConfig) { c.VRID = 200 }},
	{name: "4.7-interval-v2", version: 2, change: func(c *vrrp.InstanceConfig) { c.AdvertInterval = 2 * time.Second }},
	{name: "4.8-type-v2", version: 2, spoil: func(p []byte) []byte { p[20] = 0x22; return resum(p) }},
	{name: "good-v3", version: 3, control: true},
	{name: "4.1-ttl-v3", version: 3, spoil: func(p []byte) []byte { p[8] = 1; return p }},
	{name: "4.2-version-v3", version: 3, change: func(c *vrrp.InstanceConfig) { c.Version = 2 }},
	{name: "4.3-short-v3", version: 3, spoil: func(p []byte) []byte { return pseudo(p[:len(p)-4]) }},
	{name: "4.3-long-v3", version: 3, spoil: func(p []byte) []byte { return pseudo(append(p, 0, 0, 0, 0)) }},
	{name: "4.4-checksum-v3", version: 3, spoil: func(p []byte) []byte { p[27] ^= 1; return p }},
	{name: "4.4-v2-checksum-v3", version: 3, change: func(c *vrrp.InstanceConfig) { c.ChecksumAsV2 = true }},
	{name: "4.5-vrid-v3", version: 3, change: func(c *vrrp.InstanceConfig) { c.VRID = 200 }},
	{name: "4.6-reserved-v3", version: 3, spoil: func(p []byte) []byte { p[24] |= 0xf0; return pseudo(p) }, control: true},
	{name: "4.7-interval-v3", version: 3, change: func(c *vrrp.InstanceConfig) { c.AdvertInterval = 2 * time.Second }, control: true},
	{name: "4.8-type-v3", version: 3, spoil: func(p []byte) []byte { p[20] = 0x33; return pseudo(p) }},
	{name: "good-v6", version: 3, ipv6: true, control: true},
	{name: "4.1-hops-v6", version: 3, ipv6: true, hops: 254},
	{name: "4.2-version-v6", version: 3, ipv6: true, spoil: func(p []byte) []byte { p[0] = 0x21; return p }},
	{name: "4.3-short-v6", version: 3, ipv6: true, spoil: func(p []byte) []byte { return p[:len(p)-4] }},
	{name: "4.3-long-v6", version: 3, ipv6: true, spoil: func(p []byte) []byte { return append(p, 0, 0, 0, 0) }},
	{name: "4.4-checksum-v6", version: 3, ipv6: true, badSum: true},
	{name: "4.5-vrid-v6", version: 3, ipv6: true, change: func(c *vrrp.InstanceConfig) { c.VRID = 200 }},
	{name: "4.6-reserved-v6", version: 3, ipv6: true, spoil: func(p []byte) []byte { p[4] |= 0xf0; return p }, control: true},
	{name: "4.7-interval-v6", version: 3, ipv6: true, change: func(c *vrrp.InstanceConfig) { c.AdvertInterval = 2 * time.Second }, control: true},
	{name: "4.8-type-v6", version: 3, ipv6: true, spoil: func(p []byte) []byte { p[0] = 0x33; return p }},
}

// probeNamed returns the place of a probe; its instance is master when the
// spoiled adverts have counted for nothing.
func probeNamed(name string) int {
	return slices.IndexFunc(probes, func(p probe) bool { return p.name == name })
}

var (
	testerAddr = netip.MustParseAddr("10.99.0.2")
	vrrpGroup  = netip.MustParseAddr("224.0.0.18")
	vrrpGroup6 = netip.MustParseAddr("ff02::12")
)

// probeVIP is the address of the i-th instance that is looked for.
func probeVIP(i int) netip.Addr {
	if probes[i].ipv6 {
		return netip.MustParseAddr(fmt.Sprintf("fd99::1:%x", i+1))
	}
	return netip.AddrFrom4([4]byte{10, 99, 1, byte(i + 1)})
}

// probeAddresses are all of them: over IPv6 a link-local one comes first.
func probeAddresses(i int) (list []vrrp.Address) {
	if vip := probeVIP(i); vip.Is6() {
		list = append(list, vrrp.Address{Prefix: netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("fe80::1:%x", i+1)), 128)})
	}
	vip := probeVIP(i)
	return append(list, vrrp.Address{Prefix: netip.PrefixFrom(vip, vip.BitLen())})
}

// advert is what a router configured like the i-th instance would send: an
// IPv4 packet, or what follows the IPv6 header.
func (p probe) advert(i int, priority uint8) []byte {
	c := vrrp.InstanceConfig{Version: p.version, IPv6: p.ipv6, VRID: uint8(i + 1), AdvertInterval: time.Second,
		Addresses: probeAddresses(i)}
	if p.change != nil {
		p.change(&c)
	}
	b := vrrp.AppendPacket(nil, &c, testerAddr, vrrpGroup, priority)
	if p.spoil != nil {
		b = p.spoil(b)
	}
	if !p.ipv6 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	}
	return b
}

// tester sends adverts from a host.
type tester struct {
	t            testing.TB
	raw, summed6 int // IPv4 with header; IPv6 with checksums by the kernel
	plain6       int // IPv6, checksum as it is
	link         int
}

func newTester(t testing.TB, ns *nettest.NS) *tester {
	t.Helper()
	x := &tester{t: t, link: ns.Index("eth0")}
	ns.Do(func() {
		for _, s := range []struct {
			fd            *int
			family, proto int
		}{{&x.raw, syscall.AF_INET, syscall.IPPROTO_RAW}, {&x.summed6, syscall.AF_INET6, 112}, {&x.plain6, syscall.AF_INET6, 112}} {
			fd, err := syscall.Socket(s.family, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, s.proto)
			if err == nil {
				t.Cleanup(func() { syscall.Close(fd) })
				err = syscall.BindToDevice(fd, "eth0")
			}
			if *s.fd = fd; err != nil {
				t.Errorf("raw socket: %v", err)
			}
		}
	})
	const checksum = 7 // IPV6_CHECKSUM
	if err := syscall.SetsockoptInt(x.summed6, syscall.IPPROTO_IPV6, checksum, 6); err != nil {
		t.Fatal(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return x
}

// send sends the i-th probe.
func (x *tester) send(p probe, i int, priority uint8) {
	x.t.Helper()
	b := p.advert(i, priority)
	var err error
	if !p.ipv6 {
		err = syscall.Sendto(x.raw, b, 0, &syscall.SockaddrInet4{Addr: vrrpGroup.As4()})
	} else {
		fd, hops := x.summed6, p.hops
		if p.badSum {
			fd, b[6], b[7] = x.plain6, 0x12, 0x34
		}
		if hops == 0 {
			hops = 255
		}
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_HOPS, hops)
		if err == nil {
			err = syscall.Sendto(fd, b, 0, &syscall.SockaddrInet6{Addr: vrrpGroup6.As16(), ZoneId: uint32(x.link)})
		}
	}
	if err != nil {
		x.t.Errorf("send: %v", err)
	}
}

// flood sends a round of all probes every 450 ms. Three adverts and the skew
// time make a router master: a tester that was away for three says nothing.
func (x *tester) flood(d time.Duration) {
	x.t.Helper()
	begin := time.Now()
	last := begin
	rounds := time.NewTicker(450 * time.Millisecond)
	defer rounds.Stop()
	for ; time.Since(begin) < d; <-rounds.C {
		if away := time.Since(last); away > 3*time.Second {
			nettest.Void(x.t, "the tester sent nothing for %v", away)
		}
		last = time.Now()
		for i, p := range probes {
			x.send(p, i, 200)
		}
	}
}

// probeConfig has an instance per probe.
func probeConfig() string {
	var b strings.Builder
	for i, p := range probes {
		fmt.Fprintf(&b, "vrrp_instance P%d {\n interface eth0\n version %d\n virtual_router_id %d\n priority 100\n advert_int 1\n virtual_ipaddress {\n",
			i+1, p.version, i+1)
		for _, a := range probeAddresses(i) {
			fmt.Fprintf(&b, "  %v\n", a.Prefix.Addr())
		}
		b.WriteString(" }\n}\n")
	}
	return b.String()
}

// TestConformance plays the cases of UNH-IOL group 4 and the adverts of 2.4
// and 2.7 with raw packets against the running daemon, and the same against
// Debian's keepalived as a control.
func TestConformance(t *testing.T) {
	needDaemon(t)
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		nettest.Play(t, answerTime, func(t testing.TB) { conform(t, bin, false) })
	})
	t.Run("control", func(t *testing.T) {
		needReference(t)
		t.Parallel()
		nettest.Play(t, answerTime, func(t testing.TB) { conform(t, reference, true) })
	})
}

// answerTime is how soon a master answers a lower priority.
const answerTime = 100 * time.Millisecond

func conform(t testing.TB, program string, control bool) {
	hosts := lan(t, 2)
	tester := newTester(t, hosts[1])
	n := newNode(t, hosts[0], program, probeConfig()).start()
	capture := hosts[1].Capture("eth0")
	n.waitLog(fmt.Sprintf("(P%d) Entering BACKUP STATE (init)", len(probes)))

	// Backup: the good adverts keep their instances down, the spoiled ones
	// must not move a deadline.
	began := time.Now()
	tester.flood(4500 * time.Millisecond)
	held := n.ns.Addrs("eth0")
	for i, p := range probes {
		if got := slices.Contains(held, netip.PrefixFrom(probeVIP(i), probeVIP(i).BitLen()).String()); got == p.control {
			t.Errorf("%s as backup: holds the address: %v, want %v (%v after the start)", p.name, got, !p.control, time.Since(began))
		}
	}
	// Master: nobody yields, and no timer is moved by a bad packet.
	tester.flood(3 * time.Second)
	held = n.ns.Addrs("eth0")
	for i, p := range probes {
		if p.control {
			continue
		}
		if !slices.Contains(held, netip.PrefixFrom(probeVIP(i), probeVIP(i).BitLen()).String()) {
			t.Errorf("%s as master: gave the address up", p.name)
		}
		if gap := vridGap(capture, i+1, began.Add(4500*time.Millisecond)); gap > 1300*time.Millisecond {
			if control {
				t.Logf("%s: the control was silent for %v while bad packets came", p.name, gap)
			} else {
				t.Errorf("%s as master: silent for %v", p.name, gap)
			}
		}
	}
	conformGood(t, n, capture, tester)
}

// conformGood plays good adverts against a master (2.7) and a backup (2.4).
func conformGood(t testing.TB, n *node, capture *nettest.Capture, tester *tester) {
	for _, version := range []string{"2", "3", "6"} {
		// Masters by now. Two of them, for answers to lower priorities are a
		// tenth of the interval apart.
		i, other := probeNamed("4.4-checksum-v"+version), probeNamed("4.5-vrid-v"+version)
		held := probeVIP(i).String()
		p := probe{version: probes[i].version, ipv6: probes[i].ipv6}
		// next is the time from the tester's advert to the daemon's next one.
		next := func(i int, prio uint8) time.Duration {
			begin := time.Now()
			tester.send(p, i, prio)
			of := func(outgoing bool, after time.Time) (at time.Time) {
				f := capture.Wait(2*time.Second, fmt.Sprintf("v%s: what follows priority %d", version, prio), func(f nettest.Frame) bool {
					return f.Kind == nettest.VRRP && f.VRID == i+1 && f.Outgoing == outgoing && f.At.After(after)
				})
				return f.At
			}
			sent := of(true, begin)
			return of(false, sent).Sub(sent)
		}
		if d := next(other, 0); d >= answerTime {
			t.Errorf("v%s: priority 0 is answered after %v", version, d)
		}
		if d := next(i, 50); d >= answerTime {
			t.Errorf("v%s: priority 50 is answered after %v", version, d)
		}
		tester.send(p, i, 100) // equal, from the higher address
		nettest.Eventually(t, time.Second, fmt.Sprintf("v%s: yields to an equal priority of a higher address", version), func() bool { return !n.has(held) })
		if d := next(i, 0); d < 600*time.Millisecond || d > 1100*time.Millisecond {
			t.Errorf("v%s: takeover %v after priority 0, want the skew time of 609 ms", version, d)
		}
		tester.send(p, i, 101)
		nettest.Eventually(t, time.Second, fmt.Sprintf("v%s: yields to a higher priority", version), func() bool { return !n.has(held) })
	}
}

// ofVRID are the daemon's adverts for a VRID.
func ofVRID(c *nettest.Capture, vrid int) (list []nettest.Frame) {
	for _, f := range c.Frames(nettest.VRRP) {
		if f.VRID == vrid && !f.Outgoing {
			list = append(list, f)
		}
	}
	return list
}

// vridGap is the longest time between two adverts of the daemon for a VRID.
func vridGap(c *nettest.Capture, vrid int, from time.Time) (longest time.Duration) {
	last := time.Time{}
	for _, f := range ofVRID(c, vrid) {
		if f.At.Before(from) {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, f.At.Sub(last))
		}
		last = f.At
	}
	if last.IsZero() {
		return time.Hour
	}
	return longest
}
