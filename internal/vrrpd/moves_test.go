package vrrpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// owner is an instance that is master from the start.
func owner(name string, vrid int, addrs string, lines ...string) string {
	return fmt.Sprintf("vrrp_instance %s {\n interface eth0\n virtual_router_id %d\n priority 255\n state MASTER\n"+
		" version 3\n advert_int 0.2\n virtual_ipaddress {\n  %s\n }\n %s\n}\n",
		name, vrid, strings.ReplaceAll(addrs, ", ", "\n  "), strings.Join(lines, "\n "))
}

// TestAddressesMove has reloads give addresses, routes and rules to other
// instances of the same host, and change attributes that the kernel can only
// change by deletion. The original loses what moves up in the file, and takes
// its own deletion of an IPv6 address for a stranger's.
func TestAddressesMove(t *testing.T) {
	needDaemon(t)
	a := newNode(t, lan(t, 1)[0], bin,
		owner("A", 51, "10.99.0.101")+owner("B", 52, "10.99.0.102, 10.99.0.110/24", "no_accept",
			"virtual_routes {\n  198.51.100.0/24 via 10.99.0.2 dev eth0\n }", "virtual_rules {\n  from 198.51.100.0/24 table 77 priority 900\n }")+
			owner("C", 53, "fe80::53, fd99::53/64")+owner("D", 54, "fe80::54, fd99::54/64, fd99::55/64")).start()
	state := func() string { return a.ns.IP("route", "show") + a.ns.IP("rule", "show") + a.ns.IP("addr", "show") }
	shows := func(texts ...string) {
		t.Helper()
		nettest.Eventually(t, 5*time.Second, "everything is held: "+strings.Join(texts, ", "), func() bool {
			s := state()
			for _, text := range texts {
				if !strings.Contains(s, text) {
					return false
				}
			}
			return true
		})
	}
	shows("10.99.0.101/32", "10.99.0.102/32", "10.99.0.110/24", "198.51.100.0/24 via", "lookup 77", "fd99::53/64", "fd99::54/64", "fd99::55/64")
	a.reload(owner("A", 51, "10.99.0.101, 10.99.0.110/24", "no_accept",
		"virtual_routes {\n  198.51.100.0/24 via 10.99.0.2 dev eth0\n }", "virtual_rules {\n  from 198.51.100.0/24 table 77 priority 900\n }") +
		owner("B", 52, "10.99.0.102", "no_accept") +
		owner("C", 53, "fe80::53, fd99::54/64, fd99::55/128") + owner("D", 54, "fe80::54, fd99::53/64 preferred_lft 5000"))
	moved := func() { // what is written at once does not tell: the deletions come between
		t.Helper()
		nettest.Never(t, 700*time.Millisecond, "something of it is lost", func() bool {
			s := state()
			for _, text := range []string{"10.99.0.110/24", "198.51.100.0/24 via", "lookup 77", "fd99::54/64", "fd99::55/128", "fd99::53/64"} {
				if !strings.Contains(s, text) {
					return true
				}
			}
			return false
		})
	}
	shows("10.99.0.110/24", "198.51.100.0/24 via", "lookup 77", "fd99::54/64", "fd99::55/128", "fd99::53/64")
	moved()
	if out := a.proc.Output(); strings.Contains(out, "Entering BACKUP STATE") || strings.Contains(out, "removed from eth0") {
		t.Errorf("our own deletions were taken for a stranger's:\n%s", out)
	}
	// A stranger's still are not.
	a.ns.IP("addr", "del", "fd99::54/64", "dev", "eth0")
	a.waitLog("Netlink reflector reports IP fd99::54 removed from eth0")
	shows("fd99::54/64", "fd99::55/128")
}

// TestPrimaryAddressGoes has one instance give back the address whose deletion
// takes those of the other along: the kernel deletes secondary addresses with
// their primary one.
func TestPrimaryAddressGoes(t *testing.T) {
	needDaemon(t)
	a := newNode(t, lan(t, 1)[0], bin, owner("A", 51, "10.55.0.1/24")+owner("B", 52, "10.55.0.2/24")).start()
	nettest.Eventually(t, 5*time.Second, "both addresses", func() bool { return a.has("10.55.0.1") && a.has("10.55.0.2") })
	a.reload(owner("B", 52, "10.55.0.2/24"))
	a.waitLog("Netlink reflector reports IP 10.55.0.2 removed from eth0")
	nettest.Eventually(t, 5*time.Second, "the address is back", func() bool { return a.has("10.55.0.2") && !a.has("10.55.0.1") })
}

// TestVMACChanges gives a virtual interface another name, another base and
// another MAC by reloads, with a wall around its addresses in between.
func TestVMACChanges(t *testing.T) {
	needDaemon(t)
	hosts := lan(t, 2)
	for _, h := range hosts {
		h.IP("link", "add", "eth1", "type", "veth", "peer", "name", "eth2")
		h.IP("link", "set", "eth1", "up")
		h.IP("link", "set", "eth2", "up")
		h.IP("addr", "add", "10.97.0.1/24", "dev", "eth1")
	}
	four := func(lines ...string) string { return owner("A", 51, "10.99.0.100/24", lines...) }
	six := func(lines ...string) string { return owner("B", 52, "fe80::52, fd99::52/64", lines...) }
	a := newNode(t, hosts[0], bin, four("use_vmac one")+six("use_vmac six")).start()
	nettest.Eventually(t, 5*time.Second, "the addresses are there", func() bool { return a.on("one", vip) && a.on("six", "fd99::52") })
	index, index6 := a.ns.Index("one"), a.ns.Index("six")
	a.reload(four("use_vmac two") + six("use_vmac sept"))
	nettest.Eventually(t, 5*time.Second, "they are there under other names", func() bool {
		return a.on("two", vip) && a.on("sept", "fd99::52")
	})
	if a.ns.Index("two") != index || a.ns.Index("sept") != index6 {
		t.Error("interfaces were made anew for a name")
	}
	if a.logs("Entering BACKUP STATE") || a.logs("Entering FAULT STATE") {
		t.Errorf("the mastership was lost over a name:\n%s", a.proc.Output())
	}
	a.reload(four("use_vmac two", "no_accept") + six("use_vmac sept", "no_accept"))
	a.waitLog("(B) setting firewall drop rule")
	// Another base for one, another VRID and so another MAC for the other.
	onEth1 := strings.Replace(four("use_vmac two"), "interface eth0", "interface eth1", 1)
	a.reload(onEth1 + strings.Replace(six("use_vmac sept"), "virtual_router_id 52", "virtual_router_id 62", 1))
	nettest.Eventually(t, 5*time.Second, "the other base and the other MAC", func() bool {
		out, _ := a.ns.TryRun("ip", "-o", "link")
		return strings.Contains(out, "two@eth1") && strings.Contains(out, "00:00:5e:00:02:3e") && !strings.Contains(out, "00:00:5e:00:02:34") &&
			a.on("two", vip) && a.on("sept", "fd99::52")
	})
	if _, err := a.ns.TryRun("nft", "--version"); err == nil {
		nettest.Eventually(t, 3*time.Second, "no address is walled in any more", func() bool {
			out := a.ns.Run("nft", "list", "ruleset")
			return !strings.Contains(out, vip) && !strings.Contains(out, "fd99::52")
		})
	}
	if a.logs("file exists") {
		t.Errorf("the firewall met its own remains:\n%s", a.proc.Output())
	}
	a.stop()
}

// TestForeignMacvlan leaves an interface alone that has the wanted name and is
// somebody else's: the parser drops the name, as the original's.
func TestForeignMacvlan(t *testing.T) {
	needDaemon(t)
	host := lan(t, 1)[0]
	host.IP("link", "add", "link", "eth0", "name", "mine", "type", "macvlan", "mode", "bridge")
	before := host.IP("-o", "link", "show", "mine")
	a := newNode(t, host, bin, owner("A", 51, vip+"/24", "use_vmac mine")).start()
	nettest.Eventually(t, 5*time.Second, "the address on an interface of our own", func() bool { return a.on("vrrp.51", vip) })
	a.waitLog("interface mine already exists and is not a private macvlan; ignoring vmac if_name")
	a.stop()
	if after := host.IP("-o", "link", "show", "mine"); after != before {
		t.Errorf("the interface was %s, is %s", before, after)
	}
}

// TestRefusedByTheKernel has the kernel refuse an address: one line reads as the
// original's, the next tells which it was and why.
func TestRefusedByTheKernel(t *testing.T) {
	needDaemon(t)
	a := newNode(t, lan(t, 1)[0], bin, owner("A", 51, "10.99.0.101/24 scope link")).start()
	a.waitLog("add address 10.99.0.101/24 on link")
	if !strings.Contains(a.proc.Output(), "Netlink: error: Invalid argument(22), type=RTM_NEWADDR(20), seq=") {
		t.Errorf("not in the words of the original:\n%s", a.proc.Output())
	}
}

// TestRenamedInterface has somebody rename the interface of a master: what it
// held does not stay on an interface that is not its own any more.
func TestRenamedInterface(t *testing.T) {
	needDaemon(t)
	host := lan(t, 1)[0]
	host.IP("link", "add", "dyn0", "type", "veth", "peer", "name", "dyn1")
	host.IP("link", "set", "dyn1", "up")
	host.IP("link", "set", "dyn0", "up")
	host.IP("addr", "add", "10.90.0.1/24", "dev", "dyn0")
	conf := strings.Replace(owner("A", 51, "10.90.0.100/24", "virtual_routes {\n  192.0.2.0/28 via 10.90.0.2 dev dyn0\n }"), "interface eth0", "interface dyn0", 1)
	a := newNode(t, host, bin, "global_defs {\n dynamic_interfaces\n}\n"+conf).start()
	route := func() bool { return strings.Contains(host.IP("route", "show"), "192.0.2.0/28") }
	nettest.Eventually(t, 5*time.Second, "it is master", func() bool { return a.on("dyn0", "10.90.0.100") && route() })
	host.IP("link", "set", "dyn0", "name", "other")
	nettest.Eventually(t, 5*time.Second, "nothing stays on the renamed interface", func() bool {
		return !a.has("10.90.0.100") && !route() && a.has("10.90.0.1")
	})
	host.IP("link", "set", "other", "name", "dyn0")
	nettest.Eventually(t, 5*time.Second, "it is master again", func() bool { return a.on("dyn0", "10.90.0.100") && route() })
}

// TestVMACLinkLocal sets a virtual interface down, which takes its link-local
// address away, and up: without it no IPv6 advert can leave.
func TestVMACLinkLocal(t *testing.T) {
	needDaemon(t)
	hosts := lan(t, 2)
	a := newNode(t, hosts[0], bin, owner("A", 51, "fe80::51, fd99::51/64", "use_vmac")).start()
	local := func() bool {
		return strings.Contains(a.ns.IP("-6", "addr", "show", "dev", "vrrp.51"), "/64 scope link")
	}
	nettest.Eventually(t, 5*time.Second, "it is master", func() bool { return a.on("vrrp.51", "fd99::51") && local() })
	advertises := func(after string) {
		t.Helper()
		nettest.Eventually(t, 5*time.Second, "it is master with its link-local address after "+after, func() bool {
			return a.on("vrrp.51", "fd99::51") && local()
		})
		c := hosts[1].Capture("eth0")
		c.Wait(5*time.Second, "an advert after "+after, func(f nettest.Frame) bool { return f.Kind == nettest.VRRP && f.Src.Is6() })
	}
	a.ns.IP("link", "set", "vrrp.51", "down")
	a.waitLog("Netlink reports vrrp.51 down")
	a.ns.IP("link", "set", "vrrp.51", "up")
	advertises("down and up")
}
