package kernel

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// firewall makes a namespace with two virtual interfaces and a Firewall in it.
func firewall(t *testing.T, opts FirewallOptions) (*nettest.NS, *Firewall) {
	t.Helper()
	nettest.Need(t, "nft")
	ns, _, _ := open(t)
	ns.IP("link", "add", "vrrp.51", "link", "v0", "type", "macvlan", "mode", "private")
	ns.IP("link", "add", "vrrp6.51", "link", "v0", "type", "macvlan", "mode", "private")
	var f *Firewall
	var err error
	ns.Do(func() { f, err = OpenFirewall(opts) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return ns, f
}

func ruleset(ns *nettest.NS) string { return strings.TrimSpace(ns.Run("nft", "list", "ruleset")) }

func guarded(link int, addrs ...string) []Guarded {
	var gs []Guarded
	for _, a := range addrs {
		gs = append(gs, Guarded{netip.MustParseAddr(a), link})
	}
	return gs
}

// both are the virtual interfaces of an IPv4 and an IPv6 instance.
func both(ns *nettest.NS) []GuardedVMAC {
	base := ns.Index("v0")
	return []GuardedVMAC{
		{Link: ns.Index("vrrp.51"), Base: base, Name: "vrrp.51"},
		{Link: ns.Index("vrrp6.51"), Base: base, Name: "vrrp6.51", IPv6: true, BaseLinkLocal: addr("fe80::1")},
	}
}

// TestFirewall compares with what nft printed for 2.2.7 with the same two
// instances (and, for the rules that came with 2.4, with vrrp.md 4.9).
func TestFirewall(t *testing.T) {
	ns, f := firewall(t, FirewallOptions{Priority: -1})
	if err := f.GuardVMACs(nil, both(ns)); err != nil {
		t.Fatal(err)
	}
	vips := append(guarded(0, "10.99.0.100", "fd99::100"), guarded(ns.Index("vrrp6.51"), "fe80::100")...)
	if err := f.Guard(nil, vips); err != nil {
		t.Fatal(err)
	}
	want := `table ip keepalived {
	map vmac_map {
		type iface_index : iface_index
		elements = { "vrrp.51" : "v0" }
	}

	set vips {
		type ipv4_addr
		elements = { 10.99.0.100 }
	}

	chain out {
		type filter hook output priority filter - 1; policy accept;
		ip protocol igmp meta oifkind "macvlan" dup to ip daddr device oif map @vmac_map drop
		ip saddr @vips drop
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		ip daddr @vips drop
	}
}
table ip6 keepalived {
	map vmac_map {
		type iface_index : iface_index
		elements = { "vrrp6.51" : "v0" }
	}

	set vmac_set {
		type iface_index
		elements = { "vrrp6.51" }
	}

	set mld-report {
		type icmpv6_type
		flags constant
		elements = { mld-listener-report,
			     mld2-listener-report }
	}

	set parent_link_local {
		type ipv6_addr . ifname
		elements = { fe80::1 . "vrrp6.51" }
	}

	set vips {
		type ipv6_addr
		elements = { fd99::100 }
	}

	set neighbor-discovery {
		type icmpv6_type
		flags constant
		elements = { nd-neighbor-solicit,
			     nd-neighbor-advert }
	}

	set vips_link_local {
		type ipv6_addr . iface_index
		elements = { fe80::100 . "vrrp6.51" }
	}

	chain out {
		type filter hook output priority filter - 1; policy accept;
		icmpv6 type nd-neighbor-advert meta oifkind "macvlan" ip6 saddr . oifname @parent_link_local drop
		icmpv6 type @mld-report meta oifkind "macvlan" dup to ip6 daddr device oif map @vmac_map drop
		icmpv6 type nd-router-solicit meta oifkind "macvlan" oif @vmac_set drop
		icmpv6 type @neighbor-discovery accept
		ip6 saddr fe80::/10 goto out_link_local
		ip6 saddr @vips drop
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		icmpv6 type @neighbor-discovery accept
		ip6 daddr fe80::/10 goto in_link_local
		ip6 daddr @vips drop
	}

	chain in_link_local {
		ip6 daddr . iif @vips_link_local drop
	}

	chain out_link_local {
		ip6 saddr . oif @vips_link_local drop
	}
}`
	if got := ruleset(ns); got != want {
		t.Errorf("rules\n%s\nwant\n%s", got, want)
	}

	// Twice is no error, nor is releasing what is not guarded.
	if err := f.Guard(guarded(0, "10.99.0.7"), vips); err != nil {
		t.Error(err)
	}
	if got := ruleset(ns); got != want {
		t.Errorf("rules after guarding again\n%s", got)
	}
	if err := f.Guard(vips, guarded(0, "10.99.0.101")); err != nil {
		t.Error(err)
	}
	got := ruleset(ns)
	if strings.Contains(got, "0.100") || strings.Contains(got, "::100") || !strings.Contains(got, "elements = { 10.99.0.101 }") {
		t.Errorf("addresses were not exchanged:\n%s", got)
	}
	if err := f.GuardVMACs(both(ns), nil); err != nil {
		t.Error(err)
	}
	if got := ruleset(ns); strings.Contains(got, `"vrrp`) {
		t.Errorf("virtual interfaces are left:\n%s", got)
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
	if got := ruleset(ns); got != "" {
		t.Errorf("left behind:\n%s", got)
	}
}

// TestFirewallOptions shows other names, counters and interface indexes, and
// that a table of a dead daemon is replaced.
func TestFirewallOptions(t *testing.T) {
	ns, f := firewall(t, FirewallOptions{
		Table: "ka", Priority: 5, Counters: true, IfIndex: true, In: "VRRP_IN", Out: "VRRP_OUT", NoIGMP: true,
	})
	ns.Run("nft", "add table ip ka; add chain ip ka old")
	if err := f.GuardVMACs(nil, both(ns)); err != nil {
		t.Fatal(err)
	}
	if err := f.Guard(nil, guarded(0, "10.99.0.100")); err != nil {
		t.Fatal(err)
	}
	got := ruleset(ns)
	for _, want := range []string{
		"table ip ka {", "chain VRRP_IN {", "type filter hook output priority filter + 5",
		"ip saddr @vips counter packets 0 bytes 0 drop", "type ipv6_addr . iface_index",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "igmp") || strings.Contains(got, "old") {
		t.Errorf("too much:\n%s", got)
	}
}

// TestFirewallFlushed takes the table away behind the daemon's back: the next
// change brings all of it again.
func TestFirewallFlushed(t *testing.T) {
	ns, f := firewall(t, FirewallOptions{Priority: -1})
	if err := f.Guard(nil, guarded(0, "10.99.0.100")); err != nil {
		t.Fatal(err)
	}
	ns.Run("nft", "flush ruleset")
	if err := f.Guard(nil, guarded(0, "10.99.0.101")); err != nil {
		t.Fatal(err)
	}
	if got := ruleset(ns); !strings.Contains(got, "10.99.0.100, 10.99.0.101") {
		t.Errorf("rules\n%s", got)
	}
	ns.Run("nft", "flush ruleset")
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
}

// TestFirewallDrops pings a guarded and a free address.
func TestFirewallDrops(t *testing.T) {
	lan := nettest.LAN(t, 2)
	nettest.Need(t, "nft", "ping")
	for _, a := range []string{"10.99.0.100/24", "fd99::100/64"} {
		lan[0].AddAddr("eth0", a)
	}
	var f *Firewall
	var err error
	lan[0].Do(func() { f, err = OpenFirewall(FirewallOptions{Priority: -1}) })
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vips := guarded(0, "10.99.0.100", "fd99::100")
	if err := f.Guard(nil, vips); err != nil {
		t.Fatal(err)
	}
	answers := func(ip string) bool {
		_, err := lan[1].TryRun("ping", "-c1", "-W0.3", ip)
		return err == nil
	}
	for ip, want := range map[string]bool{"10.99.0.100": false, "fd99::100": false, "10.99.0.1": true, "fd99::1": true} {
		if got := answers(ip); got != want {
			t.Errorf("%s answers: %v, want %v", ip, got, want)
		}
	}
	if err := f.Guard(vips, nil); err != nil {
		t.Fatal(err)
	}
	for _, ip := range []string{"10.99.0.100", "fd99::100"} {
		if !answers(ip) {
			t.Errorf("%s does not answer when free", ip)
		}
	}
}

// TestFirewallLinkGone releases a link-local address whose link is gone.
func TestFirewallLinkGone(t *testing.T) {
	ns, f := firewall(t, FirewallOptions{})
	if err := f.Guard(nil, append(guarded(ns.Index("vrrp6.51"), "fe80::100"), guarded(7, "169.254.1.1")...)); err != nil {
		t.Fatal(err)
	}
	if err := f.Guard(guarded(0, "fe80::100", "169.254.1.1"), nil); err != nil {
		t.Fatal(err)
	}
	if got := ruleset(ns); strings.Contains(got, "elements = { fe80") || strings.Contains(got, "169.254") {
		t.Errorf("left:\n%s", got)
	}
}

func TestManyGuarded(t *testing.T) {
	ns, f := firewall(t, FirewallOptions{})
	var gs []Guarded
	for _, a := range manyAddresses(0, 2000) {
		gs = append(gs, Guarded{a.IP(), 0})
	}
	if err := f.Guard(nil, gs); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(ruleset(ns), "10.50."); got != len(gs) {
		t.Errorf("%d addresses guarded, want %d", got, len(gs))
	}
	if err := f.Guard(gs, nil); err != nil {
		t.Error(err)
	}
	if got := strings.Count(ruleset(ns), "10.50."); got != 0 {
		t.Errorf("%d addresses left", got)
	}
}
