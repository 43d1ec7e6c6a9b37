package kernel

import (
	"net"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

func TestVMACName(t *testing.T) {
	for _, c := range []struct {
		prefix string
		vrid   uint8
		ipv6   bool
		taken  string
		want   string
	}{
		{"vrrp", 51, false, "", "vrrp.51"},
		{"vrrp", 51, true, "", "vrrp.51"},
		{"vrrp", 51, true, "vrrp.51", "vrrp6.51"},
		{"vrrp", 51, true, "vrrp.51 vrrp6.51", "vrrp1.51"},
		{"vrrp", 51, false, "vrrp.51", "vrrp1.51"},
		{"vrrp", 51, false, "vrrp.51 vrrp1.51", "vrrp2.51"},
		{"averylongprefix", 255, false, "", "averylongpr.255"},
		{"averylongprefix", 255, true, "averylongpr.255", "averylongp6.255"},
	} {
		got := VMACName(c.prefix, c.vrid, c.ipv6, func(n string) bool { return strings.Contains(" "+c.taken+" ", " "+n+" ") })
		if got != c.want {
			t.Errorf("VMACName(%q, %d, %v) beside %q = %q, want %q", c.prefix, c.vrid, c.ipv6, c.taken, got, c.want)
		}
	}
}

func TestLinkLocalFrom(t *testing.T) {
	mac, _ := net.ParseMAC("ce:34:91:07:fe:d2")
	if got := LinkLocalFrom(mac); got != addr("fe80::cc34:91ff:fe07:fed2") {
		t.Errorf("got %v", got)
	}
}

// inNamespace runs fn on a thread in ns, because sysctls are of the thread's
// namespace.
func inNamespace(ns *nettest.NS, fn func() error) (err error) {
	ns.Do(func() { err = fn() })
	return err
}

// TestVMAC makes the interfaces of an IPv4 and an IPv6 instance as the original
// has them (seen from 2.2.7 in a namespace), and takes everything back.
func TestVMAC(t *testing.T) {
	ns, k, _ := open(t)
	ns.AddAddr("v0", "10.99.0.1/24")
	ns.Sysctl("net/ipv4/conf/all/rp_filter", "2")
	before := conf(ns, "all", "default", "v0", "lo")
	base, err := k.LinkByName("v0")
	if err != nil {
		t.Fatal(err)
	}
	s := k.Sysctls()
	ll := LinkLocalFrom(base.MAC)
	var v4, v6 Link
	err = inNamespace(ns, func() (err error) {
		if _, err = s.LoosenReversePath(); err != nil {
			return err
		}
		v4, err = k.MakeVMAC(VMAC{Name: "vrrp.51", Base: base, MAC: VirtualMAC(51, false)}, nil, s)
		if err != nil {
			return err
		}
		v6, err = k.MakeVMAC(VMAC{Name: "vrrp6.51", Base: base, MAC: VirtualMAC(51, true), IPv6: true, LinkLocal: ll, Group: 7}, nil, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	show := strings.Join(strings.Fields(ns.IP("-d", "link", "show")+ns.IP("addr", "show")), " ")
	for _, want := range []string{
		"vrrp.51@v0: <BROADCAST,MULTICAST,UP,LOWER_UP>", "link/ether 00:00:5e:00:01:33",
		"macvlan mode private bcqueuelen 1000 usedbcqueuelen 1000 addrgenmode none",
		"vrrp6.51@v0: <BROADCAST,MULTICAST,UP,LOWER_UP>", "link/ether 00:00:5e:00:02:33", "group 7",
		"inet6 " + ll.String() + "/64 scope link nodad deprecated",
	} {
		if !strings.Contains(show, want) {
			t.Errorf("no %q in\n%s", want, show)
		}
	}
	if !v4.Up() || !v6.Up() || v6.Group != 7 || v4.Parent != base.Index {
		t.Errorf("links %+v %+v", v4, v6)
	}
	want := `all: arp_ignore=0 arp_filter=0 accept_local=0 rp_filter=0 promote_secondaries=0 disable_ipv6=0
default: arp_ignore=0 arp_filter=0 accept_local=0 rp_filter=2 promote_secondaries=0 disable_ipv6=0
v0: arp_ignore=1 arp_filter=1 accept_local=0 rp_filter=2 promote_secondaries=0 disable_ipv6=0
lo: arp_ignore=0 arp_filter=0 accept_local=0 rp_filter=0 promote_secondaries=0 disable_ipv6=0
vrrp.51: arp_ignore=1 arp_filter=0 accept_local=1 rp_filter=0 promote_secondaries=1 disable_ipv6=1
vrrp6.51: arp_ignore=1 arp_filter=0 accept_local=0 rp_filter=2 promote_secondaries=0 disable_ipv6=0
`
	if got := conf(ns, "all", "default", "v0", "lo", "vrrp.51", "vrrp6.51"); got != want {
		t.Errorf("settings\n%s\nwant\n%s", got, want)
	}

	links, err := k.Links()
	if err != nil {
		t.Fatal(err)
	}
	found, ok := FindVMAC(links, base.Index, VirtualMAC(51, false))
	if !ok || found.Index != v4.Index {
		t.Errorf("the interface is not found again: %+v", found)
	}
	if _, ok := FindVMAC(links, base.Index, VirtualMAC(52, false)); ok {
		t.Error("an interface with another MAC was found")
	}
	// Taking over what is there renews the settings.
	ns.Down("vrrp.51")
	ns.Sysctl("net/ipv4/conf/vrrp.51/arp_ignore", "0")
	err = inNamespace(ns, func() error {
		again, err := k.MakeVMAC(VMAC{Name: "vrrp.51", Base: base, MAC: VirtualMAC(51, false)}, &found, s)
		if err == nil && (again.Index != v4.Index || !again.Up()) {
			t.Errorf("taken over as %+v", again)
		}
		return err
	})
	if got := ns.Sysctl("net/ipv4/conf/vrrp.51/arp_ignore"); err != nil || got != "1" {
		t.Errorf("arp_ignore %s after taking over (%v)", got, err)
	}

	// The base is renamed meanwhile and still gets its settings back.
	ns.Down("v0")
	ns.IP("link", "set", "v0", "name", "new")
	err = inNamespace(ns, func() error {
		if err := k.DelLink(v4.Index); err != nil {
			return err
		}
		if err := k.DelLink(v6.Index); err != nil {
			return err
		}
		_, err := s.RestoreAll()
		return err
	})
	if err != nil {
		t.Error(err)
	}
	ns.IP("link", "set", "new", "name", "v0")
	if after := conf(ns, "all", "default", "v0", "lo"); after != before {
		t.Errorf("settings afterwards\n%s\nbefore\n%s", after, before)
	}
	if links := ns.IP("link"); strings.Contains(links, "vrrp") {
		t.Errorf("left behind:\n%s", links)
	}
}

// conf shows the settings that virtual interfaces touch.
func conf(ns *nettest.NS, links ...string) string {
	return ns.Run("sh", "-c", `cd /proc/sys/net; for i in `+strings.Join(links, " ")+`; do
		echo -n "$i:"; for k in arp_ignore arp_filter accept_local rp_filter promote_secondaries; do echo -n " $k=$(cat ipv4/conf/$i/$k)"; done
		echo " disable_ipv6=$(cat ipv6/conf/$i/disable_ipv6)"; done`)
}

// TestSysctlsKeepOthersChanges puts back only what is still as it was set.
func TestSysctlsKeepOthersChanges(t *testing.T) {
	ns, k, link := open(t)
	l, err := k.LinkByIndex(link)
	if err != nil {
		t.Fatal(err)
	}
	s := k.Sysctls()
	err = inNamespace(ns, func() error {
		if err := s.SetLink("ipv4", l, "promote_secondaries", "1"); err != nil {
			return err
		}
		if err := s.SetLink("ipv4", l, "arp_announce", "1"); err != nil {
			return err
		}
		return s.Set(LocalIGMPReports, "0")
	})
	if err != nil {
		t.Fatal(err)
	}
	ns.Sysctl("net/ipv4/conf/v0/arp_announce", "2")
	var changes []SysctlChange
	err = inNamespace(ns, func() error { changes, err = s.RestoreAll(); return err })
	if err != nil || len(changes) != 2 || changes[0].Dotted() != "net.ipv4.igmp_link_local_mcast_reports" {
		t.Errorf("put back %+v, %v", changes, err)
	}
	for name, want := range map[string]string{
		"net/ipv4/conf/v0/promote_secondaries": "0", "net/ipv4/conf/v0/arp_announce": "2", LocalIGMPReports: "1",
	} {
		if got := ns.Sysctl(name); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if !strings.Contains(ns.Run("cat", "/proc/sys/net/ipv6/conf/v0/forwarding"), "0") {
		t.Fatal("this test needs a host that does not forward IPv6")
	}
	err = inNamespace(ns, func() error {
		if Forwards("v0") {
			t.Error("v0 forwards")
		}
		return writeSysctl(LinkSysctl("ipv6", "v0", "forwarding"), "1")
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = inNamespace(ns, func() error {
		if !Forwards("v0") {
			t.Error("v0 does not forward")
		}
		return nil
	})
}
