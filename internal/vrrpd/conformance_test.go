package vrrpd

import (
	"encoding/binary"
	"fmt"
	"net/netip"
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
	{name: "4.7-interval-v2", version: 2, change: func(c *vrrp.InstanceConfig) { c.AdvertInterval = 2 * time.Second }},
	{name: "4.8-type-v2", version: 2, spoil: func(p []byte) []byte { p[20] = 0x22; return resum(p) }},
	{name: "good-v3", version: 3, control: true},
	{name: "4.1-ttl-v3", version: 3, spoil: func(p []byte) []byte { p[8] = 1; return p }},
	{name: "4.2-version-v3", version: 3, change: func(c *vrrp.InstanceConfig) { c.Version = 2 }},
	{name: "4.3-short-v3", version: 3, spoil: func(p []byte) []byte { return pseudo(p[:len(p)-4]) }},
	{name: "4.4-checksum-v3", version: 3, spoil: func(p []byte) []byte { p[27] ^= 1; return p }},
	{name: "4.4-v2-checksum-v3", version: 3, change: func(c *vrrp.InstanceConfig) { c.ChecksumAsV2 = true }},
	{name: "4.8-type-v3", version: 3, spoil: func(p []byte) []byte { p[20] = 0x33; return pseudo(p) }},
}

var (
	testerAddr = netip.MustParseAddr("10.99.0.2")
	vrrpGroup  = netip.MustParseAddr("224.0.0.18")
)

func probeVIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 99, 1, byte(i + 1)}) }

// advert is what a router configured like the i-th instance would send.
func (p probe) advert(i int, priority uint8) []byte {
	c := vrrp.InstanceConfig{Version: p.version, VRID: uint8(i + 1), AdvertInterval: time.Second,
		Addresses: []vrrp.Address{{Prefix: netip.PrefixFrom(probeVIP(i), 32)}}}
	if p.change != nil {
		p.change(&c)
	}
	b := vrrp.AppendPacket(nil, &c, testerAddr, vrrpGroup, priority)
	if p.spoil != nil {
		b = p.spoil(b)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// rawSender opens a socket on a host that sends whole IPv4 packets.
func rawSender(t *testing.T, ns *nettest.NS) func([]byte) {
	t.Helper()
	fd := -1
	ns.Do(func() {
		var err error
		if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_RAW); err != nil {
			t.Errorf("raw socket: %v", err)
			return
		}
		if err := syscall.BindToDevice(fd, "eth0"); err != nil {
			t.Errorf("bind to eth0: %v", err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return func(b []byte) {
		to := &syscall.SockaddrInet4{Addr: vrrpGroup.As4()}
		if err := syscall.Sendto(fd, b, 0, to); err != nil {
			t.Errorf("send: %v", err)
		}
	}
}

// probeConfig has an instance per probe.
func probeConfig() string {
	var b strings.Builder
	for i, p := range probes {
		fmt.Fprintf(&b, "vrrp_instance P%d {\n interface eth0\n version %d\n virtual_router_id %d\n priority 100\n advert_int 1\n virtual_ipaddress {\n  %v\n }\n}\n",
			i+1, p.version, i+1, probeVIP(i))
	}
	return b.String()
}

// TestConformance plays the cases of UNH-IOL group 4 and the adverts of 2.4
// and 2.7 with raw packets against the running daemon, and the same against
// Debian's keepalived as a control.
func TestConformance(t *testing.T) {
	needDaemon(t)
	t.Run("ours", func(t *testing.T) { t.Parallel(); conform(t, bin, false) })
	t.Run("control", func(t *testing.T) { needReference(t); t.Parallel(); conform(t, reference, true) })
}

func conform(t *testing.T, program string, control bool) {
	hosts := lan(t, 2)
	send := rawSender(t, hosts[1])
	n := newNode(t, hosts[0], program, probeConfig()).start()
	capture := hosts[1].Capture("eth0")
	n.waitLog(fmt.Sprintf("(P%d) Entering BACKUP STATE (init)", len(probes)))

	// Backup: the good adverts keep their instances down, the spoiled ones
	// must not move a deadline.
	began := time.Now()
	flood := func(d time.Duration) {
		next := time.Now()
		for end := next.Add(d); time.Now().Before(end); {
			for i, p := range probes {
				send(p.advert(i, 200))
			}
			next = next.Add(450 * time.Millisecond)
			nettest.Eventually(t, time.Second, "the next round is due", func() bool { return !time.Now().Before(next) })
		}
	}
	flood(4500 * time.Millisecond)
	for i, p := range probes {
		if got := n.has(probeVIP(i).String()); got == p.control {
			t.Errorf("%s as backup: holds the address: %v, want %v (%v after the start)", p.name, got, !p.control, time.Since(began))
		}
	}
	// Master: nobody yields, and no timer is moved by a bad packet.
	flood(3 * time.Second)
	for i, p := range probes {
		if p.control {
			continue
		}
		if !n.has(probeVIP(i).String()) {
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
	conformGood(t, n, capture, send)
}

// conformGood plays good adverts against a master (2.7) and a backup (2.4).
func conformGood(t *testing.T, n *node, capture *nettest.Capture, send func([]byte)) {
	for _, version := range []uint8{2, 3} {
		i := 1 // a v2 instance that is master by now
		if version == 3 {
			i = 11
		}
		p, held := probe{version: version}, probeVIP(i).String()
		answered := func(after time.Time) bool {
			for _, f := range adverts(capture, "10.99.0.1") {
				if f.VRID == i+1 && f.At.After(after) && f.At.Sub(after) < 100*time.Millisecond {
					return true
				}
			}
			return false
		}
		for _, prio := range []uint8{0, 50} {
			at := time.Now()
			send(p.advert(i, prio))
			nettest.Eventually(t, time.Second, fmt.Sprintf("v%d: priority %d is answered at once", version, prio), func() bool { return answered(at) })
		}
		send(p.advert(i, 100)) // equal, from the higher address 10.99.0.2
		nettest.Eventually(t, time.Second, fmt.Sprintf("v%d: yields to an equal priority of a higher address", version), func() bool { return !n.has(held) })
		at := time.Now()
		send(p.advert(i, 0))
		nettest.Eventually(t, 2*time.Second, fmt.Sprintf("v%d: takes over after priority 0", version), func() bool { return n.has(held) })
		if d := time.Since(at); d < 600*time.Millisecond || d > 1100*time.Millisecond {
			t.Errorf("v%d: takeover %v after priority 0, want the skew time of 609 ms", version, d)
		}
		send(p.advert(i, 101))
		nettest.Eventually(t, time.Second, fmt.Sprintf("v%d: yields to a higher priority", version), func() bool { return !n.has(held) })
	}
}

// vridGap is the longest time between two adverts of the daemon for a VRID.
func vridGap(c *nettest.Capture, vrid int, from time.Time) (longest time.Duration) {
	last := time.Time{}
	for _, f := range adverts(c, "10.99.0.1") {
		if f.VRID != vrid || f.At.Before(from) {
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
