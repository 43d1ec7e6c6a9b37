package kernel

import (
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// TestInVM runs what needs a kernel with VRF, ipvlan, bonding, VLAN and MPLS, and
// the main tests again on that other kernel.
func TestInVM(t *testing.T) {
	vmtest.Rerun(t, "^TestVM|^TestAddresses$|^TestRoutes$|^TestFirewall$", "ip", "nft")
}

// TestVMVRF puts a base into a VRF: its virtual interface follows, and routes
// and rules of the VRF can be set and read.
func TestVMVRF(t *testing.T) {
	vmtest.Inside(t)
	ns, k, link := open(t)
	ns.IP("link", "add", "red", "type", "vrf", "table", "10")
	ns.Up("red")
	ns.IP("link", "set", "v0", "master", "red")
	ns.AddAddr("v0", "10.99.0.1/24")
	red, err := k.LinkByName("red")
	if err != nil || red.Kind != "vrf" || red.VRFTable != 10 {
		t.Fatalf("VRF reads as %+v, %v", red, err)
	}
	base, err := k.LinkByIndex(link)
	if err != nil || base.Master != red.Index {
		t.Fatalf("member reads as %+v, %v", base, err)
	}
	var v Link
	err = inNamespace(ns, func() (err error) {
		v, err = k.MakeVMAC(VMAC{Name: "vrrp.51", Base: base, MAC: VirtualMAC(51, false)}, nil, k.Sysctls())
		return err
	})
	if err != nil || v.Master != red.Index || !v.Up() {
		t.Fatalf("virtual interface %+v, %v", v, err)
	}
	r := Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Table: 10, Protocol: ProtocolKeepalived}
	noErrors(t, k.AddRoutes([]Route{r}))
	if show := ns.IP("route", "show", "vrf", "red"); !strings.Contains(show, "10.1.0.0/16 via 10.99.0.2 dev v0") {
		t.Errorf("VRF's routes:\n%s", show)
	}
	if err := k.SetLinkMaster(v.Index, 0); err != nil {
		t.Error(err)
	}
	if v, err = k.LinkByIndex(v.Index); err != nil || v.Master != 0 {
		t.Errorf("taken out of the VRF: %+v, %v", v, err)
	}
}

// TestVMIPVLAN makes an ipvlan of each kind.
func TestVMIPVLAN(t *testing.T) {
	vmtest.Inside(t)
	for flag, word := range []string{"bridge", "private", "vepa"} {
		t.Run(word, func(t *testing.T) {
			ns, k, link := open(t)
			base, err := k.LinkByIndex(link)
			if err != nil {
				t.Fatal(err)
			}
			var v Link
			err = inNamespace(ns, func() (err error) {
				v, err = k.MakeVMAC(VMAC{Name: "ipvlan.51", Base: base, IPVLANFlag: uint16(flag)}, nil, k.Sysctls())
				return err
			})
			if err != nil || v.Kind != "ipvlan" || !v.Up() || v.Parent != link {
				t.Fatalf("%+v, %v", v, err)
			}
			if show := ns.IP("-d", "link", "show", "ipvlan.51"); !strings.Contains(show, "ipvlan  mode l2 "+word) {
				t.Errorf("iproute2 shows\n%s", show)
			}
			if got := ns.Sysctl("net/ipv6/conf/ipvlan.51/disable_ipv6"); got != "1" {
				t.Errorf("disable_ipv6 is %s", got)
			}
		})
	}
}

// TestVMBondAndVLAN watches a bond and a VLAN on it lose and regain carrier, and
// puts a virtual interface on the VLAN.
func TestVMBondAndVLAN(t *testing.T) {
	vmtest.Inside(t)
	ns, k, _ := open(t)
	s := watch(t, ns, k, WatchOptions{})
	ns.IP("link", "add", "bond0", "type", "bond", "mode", "active-backup", "miimon", "50")
	ns.Down("v0")
	ns.IP("link", "set", "v0", "master", "bond0")
	ns.Up("bond0")
	ns.IP("link", "add", "bond0.5", "link", "bond0", "type", "vlan", "id", "5")
	ns.Up("bond0.5")
	state := func(name string, up bool) func(Event) bool {
		return func(e Event) bool {
			x, ok := e.(LinkEvent)
			return ok && x.Link.Name == name && x.Link.Up() == up
		}
	}
	at := s.index(t, 0, "VLAN up", state("bond0.5", true))
	ns.Down("v1")
	at = s.index(t, at, "VLAN down", state("bond0.5", false))
	ns.Up("v1")
	s.index(t, at, "bond up", state("bond0", true))
	s.index(t, at, "VLAN up", state("bond0.5", true))

	base, err := k.LinkByName("bond0.5")
	if err != nil || base.Kind != "vlan" {
		t.Fatalf("%+v, %v", base, err)
	}
	var v Link
	err = inNamespace(ns, func() (err error) {
		v, err = k.MakeVMAC(VMAC{Name: "vrrp.51", Base: base, MAC: VirtualMAC(51, false)}, nil, k.Sysctls())
		return err
	})
	if err != nil || !v.Up() || v.Parent != base.Index {
		t.Errorf("virtual interface on the VLAN: %+v, %v", v, err)
	}
	var p *LinkPoller
	ns.Do(func() { p, err = OpenLinkPoller() })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// A bond answers to MII requests by its own monitoring.
	nettest.Eventually(t, soon, "bond up by MII", func() bool {
		up, _, err := p.Up("bond0", BeatMII)
		return err == nil && up
	})
	ns.Down("v1")
	nettest.Eventually(t, soon, "bond down by MII", func() bool {
		up, _, err := p.Up("bond0", BeatMII)
		return err == nil && !up
	})
}

// TestVMMPLS sets a route that pushes labels.
func TestVMMPLS(t *testing.T) {
	vmtest.Inside(t)
	ns, k, link := open(t)
	ns.AddAddr("v0", "10.99.0.1/24")
	ns.Run("modprobe", "mpls_iptunnel")
	r := Route{
		Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Link: link, Protocol: ProtocolKeepalived,
		Encap: &Encap{Type: 1, Labels: []uint32{100, 200}},
	}
	noErrors(t, k.AddRoutes([]Route{r}))
	if show := ns.IP("route"); !strings.Contains(show, "encap mpls  100/200 via 10.99.0.2 dev v0") {
		t.Errorf("iproute2 shows\n%s", show)
	}
	if have := routes(t, k); len(have) != 1 || !r.Matches(have[0]) {
		t.Errorf("have %+v", have)
	}
	noErrors(t, k.DelRoutes([]Route{r}))
}
