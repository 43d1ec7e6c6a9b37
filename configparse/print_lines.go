package configparse

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Canonical text of address, route and rule lines. Names of tables, scopes and
// so on are written as numbers: they need no file.

// lineWords collects the words of a line.
type lineWords []string

func (w *lineWords) add(words ...string) { *w = append(*w, words...) }

func (w *lineWords) flag(word string, on bool) {
	if on {
		w.add(word)
	}
}

func (w *lineWords) text(word, value string) {
	if value != "" {
		w.add(word, quote(value))
	}
}

func (w *lineWords) number(word string, n int64, given bool) {
	if given {
		w.add(word, itoa(n))
	}
}

func (w *lineWords) addr(word string, a netip.Addr) {
	if a.IsValid() {
		w.add(word, a.String())
	}
}

func (w lineWords) String() string { return strings.Join(w, " ") }

func addressWordsOf(a *vrrp.Address) string {
	w := lineWords{addressText(*a)}
	if a.InterfaceByUser {
		w.text("dev", a.Interface)
	}
	w.number("scope", int64(a.Scope), a.Scope != 0)
	w.addr("brd", a.Broadcast)
	w.text("label", a.Label)
	w.addr("peer", a.Peer.Addr())
	w.flag("home", a.Home)
	w.flag("-nodad", a.DAD)
	w.flag("mngtmpaddr", a.ManageTemp)
	w.flag("noprefixroute", a.NoPrefixRoute)
	w.flag("autojoin", a.AutoJoin)
	switch {
	case a.PreferredSet && a.PreferredLft == vrrp.ForeverLft:
		w.add("preferred_lft", "forever")
	case a.PreferredSet:
		w.number("preferred_lft", int64(a.PreferredLft), true)
	}
	w.flag("no_track", a.NoTrack)
	w.flag("use_vmac", a.UseVMAC)
	w.text("track_group", a.TrackGroup)
	return w.String()
}

// realmsText is R/R or R.
func realmsText(n uint32) string {
	if n>>16 != 0 {
		return fmt.Sprintf("%d/%d", n>>16, n&0xffff)
	}
	return itoa(n)
}

func routeText(r *vrrp.Route) string {
	var w lineWords
	if r.Type != routeUnicast {
		w.add(itoa(r.Type))
	}
	w.add(r.Dst.String())
	w.addr("via", r.Via)
	w.text("dev", r.Interface)
	w.addr("src", r.Source)
	if r.From.IsValid() {
		w.add("from", r.From.String())
	}
	w.number("metric", int64(r.Metric), r.HasMetric)
	w.text("vrf", r.VRF)
	w.number("table", int64(r.Table), r.TableSet)
	w.number("protocol", int64(r.Protocol), r.Protocol != protoKeepalived)
	w.number("scope", int64(r.Scope), r.ScopeSet)
	w.number("tos", int64(r.TOS), r.TOS != 0)
	w.flag("onlink", r.OnLink)
	if r.Realms != 0 {
		w.add("realms", realmsText(r.Realms))
	}
	w.encap(r.Encap)
	w.number("expires", int64(r.Expires), r.HasExpiry)
	for _, m := range r.Metrics {
		w.metric(m)
	}
	if r.Congestion != "" {
		w.add("congctl")
		w.flag("lock", r.CongestLock)
		w.add(quote(r.Congestion))
	}
	w.number("pref", int64(r.Pref), r.PrefSet)
	switch r.TTLPropag {
	case 0:
		w.add("ttl-propagate", "disabled")
	case 1:
		w.add("ttl-propagate", "enabled")
	}
	switch r.Mode {
	case vrrp.RouteAdd:
		w.add("add")
	case vrrp.RouteAppend:
		w.add("append")
	}
	w.flag("no_track", r.NoTrack)
	w.text("track_group", r.TrackGroup)
	for _, h := range r.NextHops {
		w.add("nexthop")
		w.addr("via", h.Via)
		w.text("dev", h.Interface)
		w.number("weight", int64(h.Weight), h.Weight != 0)
		w.flag("onlink", h.OnLink)
		if h.Realms != 0 {
			w.add("realms", realmsText(h.Realms))
		}
		w.encap(h.Encap)
	}
	return w.String()
}

// metricNames are the words of the numeric metrics and of those with times,
// which are written in the kernel's own unit.
var metricNames = map[uint16]string{
	rtaxMTU: "mtu", rtaxAdvMSS: "advmss", rtaxReordering: "reordering", rtaxCwnd: "cwnd", rtaxSSThresh: "ssthresh",
	rtaxWindow: "window", rtaxInitCwnd: "initcwnd", rtaxInitRwnd: "initrwnd", rtaxHopLimit: "hoplimit",
	rtaxQuickAck: "quickack", rtaxFastOpen: "fastopen_no_cookie", rtaxRTT: "rtt", rtaxRTTVar: "rttvar", rtaxRTOMin: "rto_min",
}

func (w *lineWords) metric(m vrrp.RouteMetric) {
	if m.Kind == rtaxFeatures {
		w.add("features", "ecn")
		return
	}
	w.add(metricNames[m.Kind])
	w.flag("lock", m.Lock)
	w.add(itoa(m.Value))
}

func (w *lineWords) encap(e *vrrp.Encap) {
	if e == nil {
		return
	}
	w.add("encap")
	tos, ttl := "tos", "ttl"
	switch e.Type {
	case vrrp.EncapMPLS:
		labels := make([]string, len(e.Labels))
		for i, l := range e.Labels {
			labels[i] = itoa(l)
		}
		w.add("mpls", strings.Join(labels, "/"))
		return
	case vrrp.EncapILA:
		w.add("ila", fmt.Sprintf("%x:%x:%x:%x", e.ILA>>48, e.ILA>>32&0xffff, e.ILA>>16&0xffff, e.ILA&0xffff))
		return
	case vrrp.EncapIP6:
		w.add("ip6")
		tos, ttl = "tc", "hoplimit"
	default:
		w.add("ip")
	}
	if e.HasID {
		w.add("id", fmt.Sprint(e.ID))
	}
	w.addr("dst", e.Dst)
	w.addr("src", e.Src)
	w.number(tos, int64(e.TOS), e.TOS != 0)
	w.number(ttl, int64(e.TTL), e.TTL != 0)
	w.number("flags", int64(e.Flags), e.Flags != 0)
}

func ruleText(r *vrrp.Rule) string {
	var w lineWords
	w.flag("not", r.Not)
	if r.From.IsValid() {
		w.add("from", r.From.String())
	}
	if r.To.IsValid() {
		w.add("to", r.To.String())
	}
	w.number("tos", int64(r.TOS), r.TOS != 0)
	if r.HasMark {
		mark := itoa(r.Mark)
		if r.HasMask {
			mark += "/" + itoa(r.Mask)
		}
		w.add("fwmark", mark)
	}
	w.text("iif", r.IIF)
	w.text("oif", r.OIF)
	if r.TunnelID != 0 {
		w.add("tunnel-id", fmt.Sprint(r.TunnelID))
	}
	w.span("uidrange", r.UIDRange)
	w.number("ipproto", int64(r.IPProto), r.IPProto != 0)
	w.span("sport", r.SPort)
	w.span("dport", r.DPort)
	w.add("preference", itoa(r.Priority))
	w.number("protocol", int64(r.Protocol), r.Protocol != protoKeepalived)
	if r.Realms != 0 {
		w.add("realms", realmsText(r.Realms))
	}
	w.number("suppress_prefixlength", int64(r.SuppressLen), r.SuppressLen >= 0)
	w.number("suppress_ifgroup", int64(r.SuppressGrp), r.SuppressGrp >= 0)
	w.add(ruleActionWords(r)...)
	w.flag("no_track", r.NoTrack)
	w.text("track_group", r.TrackGroup)
	// Last, because the original swallows the word behind it.
	w.flag("inet6", r.IPv6 && !slices.ContainsFunc([]netip.Prefix{r.From, r.To}, netip.Prefix.IsValid))
	return w.String()
}

func (w *lineWords) span(word string, r *vrrp.Range) {
	if r != nil {
		w.add(word, fmt.Sprintf("%d-%d", r.Low, r.High))
	}
}

func ruleActionWords(r *vrrp.Rule) []string {
	switch r.Action {
	case vrrp.RuleTable:
		return []string{"table", itoa(r.Table)}
	case vrrp.RuleGoto:
		return []string{"goto", itoa(r.Goto)}
	case vrrp.RuleL3MDev:
		return []string{"l3mdev"}
	case vrrp.RuleNop:
		return []string{"nop"}
	case vrrp.RuleBlackhole:
		return []string{"blackhole"}
	case vrrp.RuleProhibit:
		return []string{"prohibit"}
	}
	return []string{"unreachable"}
}
