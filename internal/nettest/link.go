package nettest

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// IP runs iproute2's ip in the namespace and returns its output. A failure
// fails the test.
func (ns *NS) IP(args ...string) string {
	ns.t.Helper()
	return run(ns.t, "ip", append([]string{"-n", ns.Name}, args...)...)
}

// Veth joins two namespaces by a pair of interfaces and sets both up. The
// namespaces may be the same.
func Veth(a *NS, nameA string, b *NS, nameB string) {
	a.t.Helper()
	a.IP("link", "add", nameA, "type", "veth", "peer", "name", nameB, "netns", b.Name)
	a.Up(nameA)
	b.Up(nameB)
}

// Bridge makes a bridge without spanning tree and multicast snooping, so that
// it forwards from the first moment, and sets it up.
func (ns *NS) Bridge(name string) {
	ns.t.Helper()
	ns.IP("link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0",
		"mcast_snooping", "0")
	ns.Up(name)
}

// LAN makes n namespaces, each with an eth0 on one common bridge. Host i has
// 10.99.0.(i+1)/24, fd99::(i+1)/64 without address detection, and the MAC
// 02:00:00:00:00:(0a+i).
func LAN(t testing.TB, n int) []*NS {
	t.Helper()
	hosts, _ := LANWithSwitch(t, n)
	return hosts
}

// LANWithSwitch is LAN, and returns the namespace of the bridge br0 too. Port
// p0, p1, … leads to host 0, 1, …: setting one down takes the host's carrier.
func LANWithSwitch(t testing.TB, n int) ([]*NS, *NS) {
	t.Helper()
	sw := New(t, "switch")
	sw.Bridge("br0")
	hosts := make([]*NS, n)
	for i := range hosts {
		h := New(t, string(rune('a'+i%26)))
		port := fmt.Sprintf("p%d", i)
		sw.IP("link", "add", port, "type", "veth", "peer", "name", "eth0",
			"address", fmt.Sprintf("02:00:00:00:00:%02x", 0x0a+i), "netns", h.Name)
		sw.IP("link", "set", port, "master", "br0", "up")
		h.Up("eth0")
		h.AddAddr("eth0", fmt.Sprintf("10.99.0.%d/24", i+1))
		h.AddAddr("eth0", fmt.Sprintf("fd99::%x/64", i+1))
		hosts[i] = h
	}
	return hosts, sw
}

// Up sets a link up.
func (ns *NS) Up(link string) { ns.t.Helper(); ns.IP("link", "set", link, "up") }

// Down sets a link down.
func (ns *NS) Down(link string) { ns.t.Helper(); ns.IP("link", "set", link, "down") }

// AddAddr adds an address with prefix length; IPv6 without duplicate detection.
func (ns *NS) AddAddr(link, cidr string) {
	ns.t.Helper()
	args := []string{"addr", "add", cidr, "dev", link}
	if strings.Contains(cidr, ":") {
		args = append(args, "nodad")
	}
	ns.IP(args...)
}

// DelAddr removes an address.
func (ns *NS) DelAddr(link, cidr string) { ns.t.Helper(); ns.IP("addr", "del", cidr, "dev", link) }

// Addrs lists the addresses of a link, or of all links for "", as iproute2
// prints them ("10.99.0.1/24"), without those of the loopback. No program is
// started for it: conditions ask a hundred times a second.
func (ns *NS) Addrs(link string) []string {
	ns.t.Helper()
	var all []string
	var err error
	ns.Do(func() {
		var links []net.Interface
		links, err = net.Interfaces()
		for _, l := range links {
			if l.Name == "lo" || link != "" && l.Name != link {
				continue
			}
			addrs, lerr := l.Addrs() // none of a link that is gone meanwhile
			if lerr != nil {
				continue
			}
			for _, a := range addrs {
				all = append(all, a.String())
			}
		}
	})
	if err != nil {
		ns.t.Fatalf("links of %s: %v", ns.Name, err)
	}
	return all
}

// HasAddr reports whether any link has the address (written without prefix
// length).
func (ns *NS) HasAddr(addr string) bool {
	ns.t.Helper()
	for _, a := range ns.Addrs("") {
		if ip, _, _ := strings.Cut(a, "/"); ip == addr {
			return true
		}
	}
	return false
}

// Index returns the index of a link.
func (ns *NS) Index(link string) int { ns.t.Helper(); return ns.link(link).Index }

// MAC returns the hardware address of a link.
func (ns *NS) MAC(link string) net.HardwareAddr { ns.t.Helper(); return ns.link(link).HardwareAddr }

func (ns *NS) link(name string) *net.Interface {
	ns.t.Helper()
	var ifi *net.Interface
	var err error
	ns.Do(func() { ifi, err = net.InterfaceByName(name) })
	if err != nil {
		ns.t.Fatalf("link %s in %s: %v", name, ns.Name, err)
	}
	return ifi
}

// Sysctl reads (one argument) or writes (two) a file below /proc/sys, in the
// namespace.
func (ns *NS) Sysctl(path string, value ...string) string {
	ns.t.Helper()
	if len(value) > 0 {
		return ns.Run("sh", "-c", fmt.Sprintf("echo %s > /proc/sys/%s", value[0], path))
	}
	return strings.TrimSpace(ns.Run("cat", "/proc/sys/"+path))
}
