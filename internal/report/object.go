package report

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Address is one address as the dumps show it, on the interface called device.
func Address(a vrrp.Address, device string, set bool) string {
	var b strings.Builder
	b.WriteString(prefix(a.Prefix))
	if a.Broadcast.IsValid() {
		fmt.Fprintf(&b, " brd %s", a.Broadcast)
	}
	if device != "" {
		fmt.Fprintf(&b, " dev %s", device)
	}
	if a.UseVMAC {
		b.WriteString(" use_vmac")
	}
	fmt.Fprintf(&b, " scope %s", scope(a.Scope))
	if a.Label != "" {
		fmt.Fprintf(&b, " label %s", a.Label)
	}
	if a.Peer.IsValid() {
		fmt.Fprintf(&b, " peer %s", a.Peer)
	}
	for _, f := range []struct {
		on   bool
		word string
	}{
		{a.Home, "home"}, {a.DAD, "-nodad"}, {a.ManageTemp, "mngtmpaddr"}, {a.NoPrefixRoute, "noprefixroute"},
		{a.AutoJoin, "autojoin"}, {a.NoTrack, "no_track"},
	} {
		if f.on {
			b.WriteString(" " + f.word)
		}
	}
	if a.TrackGroup != "" {
		fmt.Fprintf(&b, " track_group %s", a.TrackGroup)
	}
	if a.Prefix.Addr().Is6() && a.PreferredSet {
		switch a.PreferredLft {
		case 0:
			b.WriteString(" deprecated")
		case vrrp.ForeverLft:
			b.WriteString(" preferred_lft forever")
		default:
			fmt.Fprintf(&b, " preferred_lft %d", a.PreferredLft)
		}
	}
	if set {
		b.WriteString(" set")
	}
	return b.String()
}

// prefix leaves out the length of a whole address.
func prefix(p netip.Prefix) string {
	if p.Bits() == p.Addr().BitLen() {
		return p.Addr().String()
	}
	return p.String()
}

func scope(n uint8) string {
	switch n {
	case 0:
		return "global"
	case 200:
		return "site"
	case 253:
		return "link"
	case 254:
		return "host"
	case 255:
		return "nowhere"
	}
	return fmt.Sprint(n)
}

var routeTypes = map[uint8]string{
	2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable",
	8: "prohibit", 9: "throw", 10: "nat", 11: "xresolve",
}

// Route is one route as the dumps show it.
func Route(r vrrp.Route) string {
	var b strings.Builder
	b.WriteString([...]string{"prepend", "append", "add"}[r.Mode])
	if name, ok := routeTypes[r.Type]; ok {
		b.WriteString(" " + name)
	}
	dst := "default"
	if r.Dst.Bits() > 0 {
		dst = prefix(r.Dst)
	}
	b.WriteString(" " + dst)
	if r.Source.IsValid() {
		fmt.Fprintf(&b, " src %s", r.Source)
	}
	if r.From.IsValid() {
		fmt.Fprintf(&b, " from %s", prefix(r.From))
	}
	if r.Via.IsValid() {
		fmt.Fprintf(&b, " via %s %s", family(r.Via), r.Via)
	}
	if r.Interface != "" {
		fmt.Fprintf(&b, " dev %s", r.Interface)
	}
	if r.Table != 0 && r.Table != 254 {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	if r.TOS != 0 {
		fmt.Fprintf(&b, " tos %#x", r.TOS)
	}
	fmt.Fprintf(&b, " proto %d", r.Protocol)
	if r.ScopeSet && r.Scope != 0 {
		fmt.Fprintf(&b, " scope %s", scope(r.Scope))
	}
	if r.HasMetric {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	if r.OnLink {
		b.WriteString(" onlink")
	}
	for _, h := range r.NextHops {
		b.WriteString(" nexthop")
		if h.Via.IsValid() {
			fmt.Fprintf(&b, " via %s %s", family(h.Via), h.Via)
		}
		if h.Interface != "" {
			fmt.Fprintf(&b, " dev %s", h.Interface)
		}
		if h.Weight > 0 {
			fmt.Fprintf(&b, " weight %d", h.Weight)
		}
	}
	if r.NoTrack {
		b.WriteString(" no_track")
	}
	if r.TrackGroup != "" {
		fmt.Fprintf(&b, " track_group %s", r.TrackGroup)
	}
	return b.String()
}

func family(a netip.Addr) string { return choose(a.Is4(), "inet", "inet6") }

var ruleActions = map[vrrp.RuleAction]string{
	vrrp.RuleNop: "nop", vrrp.RuleBlackhole: "blackhole", vrrp.RuleUnreachable: "unreachable",
	vrrp.RuleProhibit: "prohibit", vrrp.RuleL3MDev: "l3mdev",
}

// Rule is one rule as the dumps show it.
func Rule(r vrrp.Rule) string {
	var b strings.Builder
	if r.Not {
		b.WriteString("not ")
	}
	from := "all"
	if r.From.IsValid() && r.From.Bits() > 0 {
		from = prefix(r.From)
	}
	fmt.Fprintf(&b, "from %s", from)
	if r.To.IsValid() && r.To.Bits() > 0 {
		fmt.Fprintf(&b, " to %s", prefix(r.To))
	}
	fmt.Fprintf(&b, " priority %d", r.Priority)
	fmt.Fprintf(&b, " tos %#x", r.TOS)
	if r.HasMark {
		fmt.Fprintf(&b, " fwmark %#x", r.Mark)
		if r.HasMask {
			fmt.Fprintf(&b, "/%#x", r.Mask)
		}
	}
	if r.IIF != "" {
		fmt.Fprintf(&b, " iif %s", r.IIF)
	}
	if r.OIF != "" {
		fmt.Fprintf(&b, " oif %s", r.OIF)
	}
	for _, x := range []struct {
		word string
		r    *vrrp.Range
	}{{"uidrange", r.UIDRange}, {"sport", r.SPort}, {"dport", r.DPort}} {
		if x.r != nil {
			fmt.Fprintf(&b, " %s %d-%d", x.word, x.r.Low, x.r.High)
		}
	}
	if r.IPProto != 0 {
		fmt.Fprintf(&b, " ipproto %d", r.IPProto)
	}
	fmt.Fprintf(&b, " protocol %d", r.Protocol)
	switch r.Action {
	case vrrp.RuleTable:
		fmt.Fprintf(&b, " lookup %d", r.Table)
	case vrrp.RuleGoto:
		fmt.Fprintf(&b, " goto %d", r.Goto)
	default:
		b.WriteString(" " + ruleActions[r.Action])
	}
	if r.NoTrack {
		b.WriteString(" no_track")
	}
	if r.TrackGroup != "" {
		fmt.Fprintf(&b, " track_group %s", r.TrackGroup)
	}
	return b.String()
}
