package vrrpd

import (
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const virtualMAC = "00:00:5e:00:01:33"

// TestVirtualMACOnTheWire looks at a router on a virtual interface from the
// other host: adverts, announcements and answers carry the virtual MAC, group
// reports the base's, and nothing answers on a guarded address. The original
// stands the same test.
func TestVirtualMACOnTheWire(t *testing.T) {
	needReference(t)
	nettest.Need(t, "nft", "ping")
	for name, program := range map[string]string{"ours": bin, "original": reference} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lan := nettest.LAN(t, 2)
			capture := lan[1].Capture("eth0")
			n := newNode(t, lan[0], program, instance(100, "use_vmac", "no_accept")).start()
			garp := capture.Wait(8*time.Second, "gratuitous ARP", func(f nettest.Frame) bool {
				return f.Kind == nettest.ARP && f.Src.String() == vip
			})
			advert := capture.Wait(time.Second, "advert", func(f nettest.Frame) bool { return f.Kind == nettest.VRRP })
			report := capture.Wait(time.Second, "IGMP report", func(f nettest.Frame) bool { return f.Protocol == 2 })
			if garp.SrcMAC.String() != virtualMAC || garp.Op != 1 || garp.Dst != garp.Src {
				t.Errorf("gratuitous ARP is %v", garp)
			}
			if advert.SrcMAC.String() != virtualMAC || advert.Src.String() != "10.99.0.1" || advert.TTL != 255 {
				t.Errorf("advert is %v", advert)
			}
			for _, f := range capture.Frames() {
				if f.Protocol == 2 && f.SrcMAC.String() != lan[0].MAC("eth0").String() {
					t.Errorf("group report leaves as %v", f)
				}
			}
			_ = report
			if out, err := lan[1].TryRun("ping", "-c1", "-W0.3", vip); err == nil {
				t.Errorf("a guarded address answers:\n%s", out)
			}
			if got := lan[1].IP("neigh", "show", vip); !strings.Contains(got, virtualMAC) {
				t.Errorf("the address is at %q", got)
			}
			n.stop()
			if got := lan[0].IP("link") + lan[0].Run("nft", "list", "ruleset"); strings.Contains(got, "vrrp.51") {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}

// TestVirtualInterfaceEvents takes away the virtual interface, its base, and the
// base's name: each time the router is master again when the cause is gone,
// and at the end nothing is left.
func TestVirtualInterfaceEvents(t *testing.T) {
	needDaemon(t)
	lan, sw := nettest.LANWithSwitch(t, 1)
	host := lan[0]
	host.Sysctl("net/ipv4/conf/all/rp_filter", "2")
	settings := func() string {
		return host.Run("sh", "-c", "cd /proc/sys/net/ipv4/conf; grep . all/rp_filter default/rp_filter eth0/arp_*")
	}
	before := settings()
	n := newNode(t, host, bin, instance(100, "use_vmac", "no_accept")).start()
	// The address is on the virtual interface, not on the base.
	master := func() bool {
		links := host.IP("-br", "addr")
		for _, l := range strings.Split(links, "\n") {
			if strings.HasPrefix(l, "vrrp.51@eth0") && strings.Contains(l, vip) {
				return true
			}
		}
		return false
	}
	await := func(what string) {
		t.Helper()
		nettest.Eventually(t, 8*time.Second, what, master)
	}
	await("master at the start")
	host.IP("link", "del", "vrrp.51")
	await("master after the virtual interface was deleted")
	sw.Down("p0")
	nettest.Eventually(t, 8*time.Second, "no address without carrier", func() bool { return !host.HasAddr(vip) })
	sw.Up("p0")
	await("master after the carrier came back")

	host.Down("eth0")
	host.IP("link", "set", "eth0", "name", "eth7")
	nettest.Eventually(t, 8*time.Second, "no virtual interface on a renamed base", func() bool {
		return !strings.Contains(host.IP("link"), "vrrp.51")
	})
	host.IP("link", "set", "eth7", "name", "eth0")
	host.Up("eth0")
	await("master after the base got its name back")

	host.IP("link", "del", "eth0")
	nettest.Eventually(t, 8*time.Second, "base deleted", func() bool { return n.logs("Interface eth0 deleted") })
	sw.IP("link", "add", "p0", "type", "veth", "peer", "name", "eth0", "netns", host.Name)
	sw.IP("link", "set", "p0", "master", "br0", "up")
	host.Up("eth0")
	host.AddAddr("eth0", "10.99.0.1/24")
	await("master after the base was made again")
	if got := strings.Count(host.Run("nft", "list", "map", "ip", "keepalived", "vmac_map"), `"vrrp.51" :`); got != 1 {
		t.Errorf("%d elements for the virtual interface", got)
	}

	n.stop()
	if got := host.IP("link") + host.Run("nft", "list", "ruleset"); strings.Contains(got, "vrrp.51") || strings.Contains(got, "table") {
		t.Errorf("left behind:\n%s", got)
	}
	if after := settings(); after != before {
		t.Errorf("settings afterwards\n%s\nbefore\n%s", after, before)
	}
}
