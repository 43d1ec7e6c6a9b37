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
	switch {
	case !a.Prefix.Addr().Is6():
	case !a.PreferredSet || a.PreferredLft == vrrp.ForeverLft:
		b.WriteString(" preferred_lft forever")
	case a.PreferredLft == 0:
		b.WriteString(" deprecated")
	default:
		fmt.Fprintf(&b, " preferred_lft %d", a.PreferredLft)
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
	add := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	addIf := func(ok bool, format string, args ...any) {
		if ok {
			add(format, args...)
		}
	}
	add("%s", [...]string{"prepend", "append", "add"}[r.Mode])
	if name, ok := routeTypes[r.Type]; ok {
		add(" %s", name)
	}
	add(" %s", prefix(r.Dst))
	addIf(r.Source.IsValid(), " src %s", r.Source)
	addIf(r.From.IsValid(), " from %s", prefix(r.From))
	addIf(r.TOS != 0, " tos %d", r.TOS)
	addIf(r.Via.IsValid(), " via %s %s", family(r.Via), r.Via)
	addIf(r.Interface != "", " dev %s", r.Interface)
	addIf(r.Table != 0 && r.Table != mainTable, " table %d", r.Table)
	addIf(!r.NoTrack || r.Protocol != ourProtocol, " proto %d", r.Protocol)
	addIf(r.ScopeSet && r.Scope != 0, " scope %d", r.Scope)
	addIf(r.HasMetric, " metric %d", r.Metric)
	addIf(r.Realms != 0, " realm %s", realmsText(r.Realms))
	addIf(r.OnLink, " onlink")
	addIf(r.HasExpiry, " expires %d", r.Expires)
	metricsText(add, &r)
	for i := range r.NextHops {
		nextHopText(add, &r.NextHops[i])
	}
	addIf(r.NoTrack, " no_track")
	addIf(r.TrackGroup != "", " track_group %s", r.TrackGroup)
	return b.String()
}

// Numbers that the kernel gives to the main table and to routes of keepalived.
const (
	mainTable   = 254
	ourProtocol = 18
)

func realmsText(n uint32) string {
	if n>>16 != 0 {
		return fmt.Sprintf("%d/%d", n>>16, n&0xffff)
	}
	return fmt.Sprint(n)
}

// dumpMetrics are the RTAX_* metrics in the order of the dumps.
var dumpMetrics = []struct {
	kind uint16
	name string
}{
	{4, "rtt"}, {5, "rttvar"}, {13, "rto_min"}, {12, "features"}, {2, "mtu"}, {3, "window"}, {6, "ssthresh"}, {7, "cwnd"},
	{8, "advmss"}, {9, "reordering"}, {10, "hoplimit"}, {11, "initcwnd"}, {14, "initrwnd"}, {15, "quickack"}, {17, "fastopen_no_cookie"},
}

func metricsText(add func(string, ...any), r *vrrp.Route) {
	for _, d := range dumpMetrics {
		for _, m := range r.Metrics {
			if m.Kind != d.kind {
				continue
			}
			lock := choose(m.Lock, " lock", "")
			switch d.name {
			case "rtt": // the kernel counts eighths and quarters of a millisecond
				add(" rtt%s %dms", lock, m.Value/8)
			case "rttvar":
				add(" rttvar%s %dms", lock, m.Value/4)
			case "rto_min":
				add(" rto_min%s %dms", lock, m.Value)
			case "features":
				add(" features ecn")
			default:
				add(" %s%s %d", d.name, lock, m.Value)
			}
		}
	}
	if r.Congestion != "" {
		add(" congctl%s %s", choose(r.CongestLock, " lock", ""), r.Congestion)
	}
	if r.PrefSet {
		add(" pref %s", map[uint8]string{0: "medium", 1: "high", 3: "low"}[r.Pref])
	}
	if r.TTLPropag >= 0 {
		add(" ttl-propagate %s", enabled(r.TTLPropag == 1))
	}
}

func nextHopText(add func(string, ...any), h *vrrp.NextHop) {
	add(" nexthop")
	if h.Via.IsValid() {
		add(" via %s %s", family(h.Via), h.Via)
	}
	if h.Interface != "" {
		add(" dev %s", h.Interface)
	}
	if h.Weight > 0 {
		add(" weight %d", h.Weight)
	}
	if h.OnLink {
		add(" onlink")
	}
	if h.Realms != 0 {
		add(" realm %s", realmsText(h.Realms))
	}
}

func family(a netip.Addr) string { return choose(a.Is4(), "inet", "inet6") }

var ruleActions = map[vrrp.RuleAction]string{
	vrrp.RuleNop: "nop", vrrp.RuleBlackhole: "blackhole", vrrp.RuleUnreachable: "unreachable",
	vrrp.RuleProhibit: "prohibit",
}

// Rule is one rule as the dumps show it.
func Rule(r vrrp.Rule) string {
	var b strings.Builder
	if r.Not {
		b.WriteString("not ")
	}
	from := "all"
	if r.From.IsValid() {
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
	if r.Action == vrrp.RuleL3MDev {
		b.WriteString(" l3mdev")
	}
	fmt.Fprintf(&b, " protocol %d", r.Protocol)
	if r.Realms != 0 {
		fmt.Fprintf(&b, " realms %s", realmsText(r.Realms))
	}
	switch r.Action {
	case vrrp.RuleTable, vrrp.RuleL3MDev:
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
