package vrrpd

import (
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestDynamicInterface begins without the interface, which then comes, is
// renamed, gets its name back, is deleted and made again: the router is in
// FAULT without it and master with it, and nothing is left at the end.
func TestDynamicInterface(t *testing.T) {
	needDaemon(t)
	host := nettest.New(t, "a")
	peer := nettest.New(t, "b")
	conf := "global_defs {\n dynamic_interfaces\n}\n" + strings.Replace(instance(100), "eth0", "dyn0", 1)
	n := newNode(t, host, bin, conf).start()
	n.waitLog("entering FAULT state")
	come := func() {
		nettest.Veth(host, "dyn0", peer, "p0")
		host.AddAddr("dyn0", "10.99.0.1/24")
	}
	master := func(when string) {
		t.Helper()
		nettest.Eventually(t, 10*time.Second, "master "+when, func() bool { return n.has(vip) })
	}
	none := func(when string) {
		t.Helper()
		nettest.Eventually(t, 10*time.Second, "no address "+when, func() bool { return !n.has(vip) })
	}
	come()
	master("when the interface has come")
	host.Down("dyn0")
	host.IP("link", "set", "dyn0", "name", "other0")
	host.Up("other0")
	none("while it has another name")
	nettest.Never(t, 700*time.Millisecond, "master on an interface of another name", func() bool { return n.has(vip) })
	host.Down("other0")
	host.IP("link", "set", "other0", "name", "dyn0")
	host.Up("dyn0")
	master("when it has its name back")
	host.IP("link", "del", "dyn0")
	n.waitLog("Interface dyn0 deleted")
	come()
	master("when it was made again")
	n.stop()
	none("after the stop")
}

// TestLinkbeat finds the loss of carrier by asking, not by notices.
func TestLinkbeat(t *testing.T) {
	needDaemon(t)
	for name, conf := range map[string]string{
		"polling":  "linkbeat_use_polling\n" + instance(100),
		"one-link": "linkbeat_interfaces {\n eth0 ETHTOOL\n}\n" + instance(100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts, sw := nettest.LANWithSwitch(t, 1)
			n := newNode(t, hosts[0], bin, conf).start()
			await := func(what string, want bool) {
				t.Helper()
				nettest.Eventually(t, 10*time.Second, what, func() bool { return n.has(vip) == want })
			}
			await("master", true)
			sw.Down("p0")
			await("no address without carrier", false)
			n.waitLog("Linkbeat reports eth0 down")
			sw.Up("p0")
			await("master with carrier", true)
			n.waitLog("Linkbeat reports eth0 up")
			if n.logs("Netlink reports eth0") {
				t.Error("notices count as well")
			}
		})
	}
}

// TestPromoteSecondaries sets the keyword's sysctl for the life of the process:
// the addresses of one subnet outlive the first of them.
func TestPromoteSecondaries(t *testing.T) {
	a, _ := alone(t, instance(100, "promote_secondaries", "virtual_ipaddress {\n  10.99.0.100/24\n }"))
	const path = "net/ipv4/conf/eth0/promote_secondaries"
	if got := a.ns.Sysctl(path); got != "1" {
		t.Errorf("promote_secondaries is %s", got)
	}
	a.ns.AddAddr("eth0", "10.99.0.77/24")
	a.ns.DelAddr("eth0", "10.99.0.1/24")
	nettest.Eventually(t, 3*time.Second, "another source", func() bool { return a.has("10.99.0.77") && a.has(vip) })
	a.ns.AddAddr("eth0", "10.99.0.1/24")
	a.stop()
	if got := a.ns.Sysctl(path); got != "0" {
		t.Errorf("promote_secondaries is %s after the stop", got)
	}
}

// TestNoTrack takes away an address that is not tracked: nothing happens.
func TestNoTrack(t *testing.T) {
	a, _ := alone(t, instance(100, "virtual_ipaddress {\n  10.99.0.100\n  10.99.0.101 no_track\n }"))
	nettest.Eventually(t, 2*time.Second, "both addresses", func() bool { return a.has("10.99.0.101") })
	a.ns.DelAddr("eth0", "10.99.0.101/32")
	nettest.Never(t, 700*time.Millisecond, "a change for an address that is not tracked", func() bool { return !a.has(vip) })
	if n := strings.Count(a.proc.Output(), "Entering MASTER STATE"); n != 1 {
		t.Errorf("it became master %d times", n)
	}
}

// TestVMACReload changes the virtual interface of a master: its link group, its
// MAC, and away with it. The router stays master throughout.
func TestVMACReload(t *testing.T) { nettest.Play(t, 200*time.Millisecond, vmacReload) }

func vmacReload(t testing.TB) {
	a, hosts := alone(t, instance(100, "use_vmac group 7"))
	capture := hosts[1].Capture("eth0")
	show := func() string { return a.ns.IP("-d", "link") }
	if !strings.Contains(show(), "group 7") {
		t.Errorf("not in its group:\n%s", show())
	}
	index := a.ns.Index("vrrp.51")
	a.reload(instance(100, "use_vmac group 9"))
	nettest.Eventually(t, 3*time.Second, "the other group", func() bool { return strings.Contains(show(), "group 9") })
	if a.ns.Index("vrrp.51") != index {
		t.Error("the interface was made anew")
	}
	if gap := longestGap(capture, "10.99.0.1"); gap > 300*time.Millisecond {
		t.Errorf("adverts were missing for %v", gap)
	}
	a.reload(instance(100, "use_vmac 02:00:5e:10:20:30"))
	nettest.Eventually(t, 5*time.Second, "the other MAC, and the address there alone", func() bool {
		out := a.ns.IP("-br", "addr")
		return strings.Contains(show(), "02:00:5e:10:20:30") && !strings.Contains(show(), virtualMAC) && strings.Count(out, vip) == 1
	})
	capture.Wait(5*time.Second, "an advert from the other MAC", func(f nettest.Frame) bool {
		return f.Kind == nettest.VRRP && f.SrcMAC.String() == "02:00:5e:10:20:30"
	})
	a.reload(instance(100))
	nettest.Eventually(t, 5*time.Second, "no virtual interface, the address on the real one", func() bool {
		return !strings.Contains(show(), "macvlan") && a.on("eth0", vip)
	})
}
