package vrrpd

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

func (d *daemon) holdRoutes(e vrrp.HoldRoutes) {
	logHold(e.Name, "Routes", len(e.Drop), len(e.Add))
	drop, add := d.oldRoutes(e.Drop), d.newRoutes(e.Add)
	d.after(e.Instance, func() {
		d.netlinkErrors(d.kernel.DelRoutes(drop))
		d.netlinkErrors(d.kernel.ReplaceRoutes(add))
	})
}

func (d *daemon) holdRules(e vrrp.HoldRules) {
	logHold(e.Name, "Rules", len(e.Drop), len(e.Add))
	drop, add := kernelRules(e.Drop), kernelRules(e.Add)
	d.after(e.Instance, func() {
		d.netlinkErrors(d.kernel.DelRules(drop))
		d.netlinkErrors(d.kernel.AddRules(add))
	})
}

func logHold(instance, what string, drop, add int) {
	if drop > 0 {
		log.Detailf("(%s) removing Virtual %s", instance, what)
	}
	if add > 0 {
		log.Detailf("(%s) setting Virtual %s", instance, what)
	}
}

func (d *daemon) netlinkErrors(errs []error) {
	for _, err := range errs {
		d.netlinkError(err)
	}
}

// newRoutes converts routes to be set; one whose interface does not exist is
// left out and said.
func (d *daemon) newRoutes(routes []vrrp.Route) (out []kernel.Route) {
	for i := range routes {
		if k, missing := d.kernelRoute(&routes[i], d.links.index); missing == "" {
			out = append(out, k)
		} else {
			log.Info("Not setting route %s since interface %s doesn't exist", routes[i].Text, missing)
		}
	}
	return out
}

// oldRoutes converts routes to be taken away.
func (d *daemon) oldRoutes(routes []vrrp.Route) (out []kernel.Route) {
	for i := range routes {
		if k, missing := d.kernelRoute(&routes[i], d.links.heldOn); missing == "" {
			out = append(out, k)
		}
	}
	return out
}

func (d *daemon) kernelRoute(r *vrrp.Route, index func(string) int) (k kernel.Route, missing string) {
	k = kernel.Route{
		Dst: r.Dst, From: r.From, Type: r.Type, Table: r.Table, Protocol: r.Protocol, Scope: r.Scope,
		TOS: r.TOS, Metric: r.Metric, Gateway: r.Via, Source: r.Source, OnLink: r.OnLink,
		Realms: r.Realms, Expires: r.Expires, Preference: r.Pref,
		Congestion: kernel.Congestion{Algorithm: r.Congestion, Lock: r.CongestLock},
		Encap:      kernelEncap(r.Encap), Mode: kernel.RouteMode(r.Mode),
	}
	switch r.TTLPropag {
	case 0:
		k.TTLPropagate = -1
	case 1:
		k.TTLPropagate = 1
	}
	if r.Interface != "" {
		if k.Link = index(r.Interface); k.Link == 0 {
			return k, r.Interface
		}
	}
	if r.VRF != "" {
		l, ok := d.links.named(r.VRF)
		if !ok {
			return k, r.VRF
		}
		k.Table = l.VRFTable
	}
	if !r.ScopeSet && !r.IPv6 {
		k.Scope = defaultScope(r)
	}
	for _, m := range r.Metrics {
		k.Metrics = append(k.Metrics, kernel.Metric{Kind: m.Kind, Value: m.Value, Lock: m.Lock})
	}
	for _, h := range r.NextHops {
		n := kernel.NextHop{Gateway: h.Via, Weight: h.Weight, OnLink: h.OnLink, Realms: h.Realms, Encap: kernelEncap(h.Encap)}
		if h.Interface != "" {
			if n.Link = index(h.Interface); n.Link == 0 {
				return k, h.Interface
			}
		}
		k.NextHops = append(k.NextHops, n)
	}
	return k, ""
}

// defaultScope is global, also for a destination that needs no gateway (where
// iproute2 takes link). keepalived: for the types that the kernel refuses with
// that scope it takes it too, and the route is never there.
func defaultScope(r *vrrp.Route) uint8 {
	switch r.Type {
	case unix.RTN_LOCAL, unix.RTN_NAT:
		return unix.RT_SCOPE_HOST
	case unix.RTN_BROADCAST, unix.RTN_MULTICAST, unix.RTN_ANYCAST:
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func kernelEncap(e *vrrp.Encap) *kernel.Encap {
	if e == nil {
		return nil
	}
	return &kernel.Encap{
		Type: uint16(e.Type), ID: e.ID, Dst: e.Dst, Src: e.Src, TOS: e.TOS, TTL: e.TTL,
		Flags: e.Flags, Labels: e.Labels, Locator: e.ILA,
	}
}

func kernelRules(rules []vrrp.Rule) []kernel.Rule {
	out := make([]kernel.Rule, 0, len(rules))
	for i := range rules {
		out = append(out, kernelRule(&rules[i]))
	}
	return out
}

func kernelRule(r *vrrp.Rule) kernel.Rule {
	k := kernel.Rule{
		IPv6: r.IPv6, Priority: r.Priority, Not: r.Not, From: r.From, To: r.To, TOS: r.TOS,
		HasMark: r.HasMark, Mark: r.Mark, Mask: r.Mask, IIF: r.IIF, OIF: r.OIF, TunnelID: r.TunnelID,
		IPProto: r.IPProto, SPort: ports(r.SPort), DPort: ports(r.DPort), Protocol: r.Protocol,
		Action: uint8(r.Action), Table: r.Table, Goto: r.Goto, Realms: r.Realms,
	}
	if r.Action == vrrp.RuleL3MDev {
		k.Action, k.L3MDev = uint8(vrrp.RuleTable), true
	}
	if r.UIDRange != nil {
		k.HasUID, k.UIDLow, k.UIDHigh = true, r.UIDRange.Low, r.UIDRange.High
	}
	if r.SuppressLen >= 0 {
		k.HasSuppressPrefix, k.SuppressPrefix = true, uint32(r.SuppressLen)
	}
	if r.SuppressGrp >= 0 {
		k.HasSuppressGroup, k.SuppressGroup = true, uint32(r.SuppressGrp)
	}
	return k
}

func ports(r *vrrp.Range) kernel.PortRange {
	if r == nil {
		return kernel.PortRange{}
	}
	return kernel.PortRange{Low: uint16(r.Low), High: uint16(r.High)}
}

// routeEvent reports a virtual or static route that someone else deleted.
func (d *daemon) routeEvent(now time.Time, e kernel.RouteEvent) {
	if !e.Deleted || e.Own {
		return
	}
	for i := range d.cfg.StaticRoutes {
		r := &d.cfg.StaticRoutes[i]
		if k, missing := d.kernelRoute(r, d.links.index); missing == "" && !r.NoTrack && k.Same(e.Route) {
			log.Info("Restoring deleted static route %s", r.Text)
			d.after(-1, func() { d.netlinkErrors(d.kernel.AddRoutes([]kernel.Route{k})) })
			return
		}
	}
	for _, in := range d.router.Snapshot(now).Instances {
		if !in.Holding {
			continue
		}
		for i := range in.Config.Routes {
			r := &in.Config.Routes[i]
			if k, missing := d.kernelRoute(r, d.links.index); missing == "" && !r.NoTrack && k.Same(e.Route) {
				d.router.ObjectLost(now, vrrp.Lost{Instance: in.ID, Kind: vrrp.LostRoute, Index: i})
			}
		}
	}
}

// ruleEvent does the same for rules.
func (d *daemon) ruleEvent(now time.Time, e kernel.RuleEvent) {
	if !e.Deleted || e.Own {
		return
	}
	for i := range d.cfg.StaticRules {
		r := &d.cfg.StaticRules[i]
		if k := kernelRule(r); !r.NoTrack && k.Matches(e.Rule) {
			log.Info("Restoring deleted static rule %s", r.Text)
			d.after(-1, func() { d.netlinkErrors(d.kernel.AddRules([]kernel.Rule{k})) })
			return
		}
	}
	for _, in := range d.router.Snapshot(now).Instances {
		if !in.Holding {
			continue
		}
		for i := range in.Config.Rules {
			r := &in.Config.Rules[i]
			if !r.NoTrack && kernelRule(r).Matches(e.Rule) {
				d.router.ObjectLost(now, vrrp.Lost{Instance: in.ID, Kind: vrrp.LostRule, Index: i})
			}
		}
	}
}
