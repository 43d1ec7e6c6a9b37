package vrrpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// TestInVM runs the daemon on kinds of interfaces that many test machines'
// kernels lack: VRF, ipvlan, bond, VLAN.
func TestInVM(t *testing.T) {
	if bin == "" {
		t.Skip("skipped: no daemon was built (needs root, not -short)")
	}
	vmtest.RerunIn(t, vmtest.Machine{Programs: map[string]string{"keepalived": bin}, Tools: []string{"ip"}}, "^TestVMDaemon")
}

// vmWait is long: the machine may be emulated on a busy one.
const vmWait = 40 * time.Second

// slowInstance is instance with an interval that an emulated machine keeps.
func slowInstance(priority int, lines ...string) string {
	return instance(priority, append([]string{"advert_int 0.5"}, lines...)...)
}

// on tells whether a link of the node's host has an address.
func (n *node) on(link, addr string) bool {
	n.t.Helper()
	out, err := n.ns.TryRun("ip", "-br", "addr", "show", "dev", link)
	return err == nil && strings.Contains(out, addr)
}

func (n *node) awaitOn(link, addr, when string) {
	n.t.Helper()
	nettest.Eventually(n.t, vmWait, fmt.Sprintf("%s: %s has %s", when, link, addr), func() bool { return n.on(link, addr) })
}

// vmPair starts two daemons and waits until the first has the address on a link.
func vmPair(t testing.TB, hosts []*nettest.NS, link, confA, confB string) (a, b *node) {
	t.Helper()
	a, b = newNode(t, hosts[0], bin, confA).start(), newNode(t, hosts[1], bin, confB).start()
	a.awaitOn(link, vip, "start")
	nettest.Eventually(t, vmWait, "the other has it not", func() bool { return !b.has(vip) })
	return a, b
}

// TestVMDaemonVRF has a pair whose first router lies in a VRF: adverts, virtual
// interface and addresses work there, and the virtual interface follows its
// base out of the VRF and back.
func TestVMDaemonVRF(t *testing.T) {
	vmtest.Inside(t)
	hosts := nettest.LAN(t, 2)
	red := func(member bool) {
		if !member {
			hosts[0].IP("link", "set", "eth0", "nomaster")
		} else {
			hosts[0].IP("link", "set", "eth0", "master", "red")
		}
	}
	hosts[0].IP("link", "add", "red", "type", "vrf", "table", "10")
	hosts[0].Up("red")
	red(true)
	a, b := vmPair(t, hosts, "vrrp.51", slowInstance(110, "use_vmac"), slowInstance(100))
	inside := func() bool {
		return strings.Contains(hosts[0].IP("link", "show", "dev", "vrrp.51"), "master red")
	}
	if !inside() {
		t.Error("the virtual interface is not in the VRF of its base")
	}
	red(false)
	nettest.Eventually(t, vmWait, "the virtual interface leaves the VRF", func() bool { return !inside() })
	a.awaitOn("vrrp.51", vip, "out of the VRF")
	red(true)
	nettest.Eventually(t, vmWait, "the virtual interface comes back", inside)
	a.awaitOn("vrrp.51", vip, "back in the VRF")
	nettest.Eventually(t, vmWait, "one master", func() bool { return a.has(vip) && !b.has(vip) })
	a.stop()
	b.awaitOn("eth0", vip, "stop of the router in the VRF")
	if out := hosts[0].IP("link"); strings.Contains(out, "vrrp.51") {
		t.Errorf("left behind:\n%s", out)
	}
}

// TestVMDaemonVRFUnicast has an instance without interface whose sockets are
// bound to a VRF.
func TestVMDaemonVRFUnicast(t *testing.T) {
	vmtest.Inside(t)
	hosts := nettest.LAN(t, 2)
	hosts[0].IP("link", "add", "red", "type", "vrf", "table", "10")
	hosts[0].Up("red")
	hosts[0].IP("link", "set", "eth0", "master", "red")
	conf := func(priority, self, peer int, lines string) string {
		text := slowInstance(priority, lines, fmt.Sprintf("unicast_src_ip 10.99.0.%d", self),
			fmt.Sprintf("unicast_peer {\n  10.99.0.%d\n }", peer), "virtual_ipaddress {\n  10.99.0.100 dev eth0\n }")
		if lines != "" {
			text = strings.Replace(text, " interface eth0\n", "", 1)
		}
		return text
	}
	a, b := vmPair(t, hosts, "eth0", conf(110, 1, 2, "vrf red"), conf(100, 2, 1, ""))
	a.stop()
	b.awaitOn("eth0", vip, "stop of the router in the VRF")
	a.start()
	a.awaitOn("eth0", vip, "return")
	nettest.Eventually(t, vmWait, "one master", func() bool { return !b.has(vip) })
}

// TestVMDaemonIPVLAN has the address on an ipvlan with an address of its own,
// which is the source of the adverts.
func TestVMDaemonIPVLAN(t *testing.T) {
	vmtest.Inside(t)
	hosts := nettest.LAN(t, 2)
	capture := hosts[1].Capture("eth0")
	a, b := vmPair(t, hosts, "ipvlan.51", slowInstance(110, "use_ipvlan ipvlan.51 10.99.0.11/24"), slowInstance(100))
	f := capture.Wait(vmWait, "an advert", func(f nettest.Frame) bool { return f.Kind == nettest.VRRP && f.Priority == 110 })
	if f.Src.String() != "10.99.0.11" {
		t.Errorf("advert of the ipvlan is %v", f)
	}
	a.ns.IP("link", "del", "ipvlan.51")
	a.awaitOn("ipvlan.51", vip, "after somebody deleted it")
	nettest.Eventually(t, vmWait, "one master", func() bool { return !b.has(vip) })
	a.stop()
	b.awaitOn("eth0", vip, "stop")
	if out := hosts[0].IP("link"); strings.Contains(out, "ipvlan.51") {
		t.Errorf("left behind:\n%s", out)
	}
}

// TestVMDaemonBondVLAN has the router on a VLAN on a bond of two links: the loss
// of one changes nothing, the loss of both moves the address, and so does the
// VLAN's own end.
func TestVMDaemonBondVLAN(t *testing.T) {
	vmtest.Inside(t)
	hosts, sw := nettest.LANWithSwitch(t, 2)
	a := hosts[0]
	sw.IP("link", "add", "p9", "type", "veth", "peer", "name", "eth1", "netns", a.Name)
	sw.IP("link", "set", "p9", "master", "br0", "up")
	a.IP("addr", "flush", "dev", "eth0")
	a.IP("link", "add", "bond0", "type", "bond", "mode", "active-backup", "miimon", "50")
	for _, member := range []string{"eth0", "eth1"} {
		a.Down(member)
		a.IP("link", "set", member, "master", "bond0")
	}
	a.Up("bond0")
	vlan := func() {
		a.IP("link", "add", "bond0.5", "link", "bond0", "type", "vlan", "id", "5")
		a.Up("bond0.5")
		a.AddAddr("bond0.5", "10.99.0.1/24")
	}
	vlan()
	hosts[1].IP("link", "add", "eth0.5", "link", "eth0", "type", "vlan", "id", "5")
	hosts[1].IP("addr", "flush", "dev", "eth0")
	hosts[1].Up("eth0.5")
	hosts[1].AddAddr("eth0.5", "10.99.0.2/24")
	on := func(conf, link string) string {
		return strings.Replace(conf, "interface eth0\n", "interface "+link+"\n", 1)
	}
	first, second := vmPair(t, hosts, "bond0.5", on(slowInstance(110), "bond0.5"), on(slowInstance(100), "eth0.5"))

	sw.Down("p0")
	nettest.Eventually(t, vmWait, "the bond uses the other link", func() bool {
		return strings.Contains(a.Run("cat", "/proc/net/bonding/bond0"), "Currently Active Slave: eth1")
	})
	nettest.Never(t, 3*time.Second, "the address moves although the bond is up", func() bool { return second.has(vip) })
	sw.Down("p9")
	second.awaitOn("eth0.5", vip, "both links of the bond lost")
	first.waitLog("Netlink reports bond0.5 down")
	sw.Up("p9")
	first.awaitOn("bond0.5", vip, "one link is back")
	nettest.Eventually(t, vmWait, "one master", func() bool { return !second.has(vip) })
	a.IP("link", "del", "bond0.5")
	second.awaitOn("eth0.5", vip, "the VLAN was deleted")
	vlan()
	first.awaitOn("bond0.5", vip, "the VLAN was made again")
	nettest.Eventually(t, vmWait, "one master", func() bool { return !second.has(vip) })
}
