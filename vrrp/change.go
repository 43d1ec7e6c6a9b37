package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// reconfigure takes a kept instance to its new configuration (vrrp.md 6.3).
// What is held changes by the difference; nothing else moves.
func (in *instance) reconfigure(now time.Time, c *InstanceConfig) {
	r, was := in.r, in.cfg
	oldHeld := in.heldAddrs
	oldDown := in.downTime()
	in.dropLanes()
	in.cfg = c
	in.resolve()
	in.setSource()
	in.tmpl.valid = false
	in.forgetLogged()
	in.setAuth(was)
	in.ipID = 0
	if in.state != Backup || !in.masterAddr.IsValid() || c.Version != 3 || was.Version != 3 {
		in.masterInterval = c.AdvertInterval
	}
	if c.PreemptDelay != was.PreemptDelay {
		in.preemptAt = time.Time{}
	}
	if c.Priority != ownerPriority {
		in.reduced = false
	}
	gone, added := diffHeld(oldHeld, in.heldAddrs)
	switch {
	case in.holding:
		in.changeHeld(was, gone, added, oldHeld)
	case len(gone)+len(added) > 0:
		// Not ours to hold: make sure nothing of either list is left.
		in.emit(HoldAddrs{Instance: in.id, Name: c.Name, Drop: append(gone, in.heldAddrs...), Force: true})
	}
	before := in.priority
	in.priority = in.computePriority()
	if in.priority != before && (c.Notify.PriorityChanges || in.group != nil && in.group.cfg.Notify.PriorityChanges) {
		in.emit(PriorityChanged{Subject: in.subject(), State: in.state, Priority: in.priority})
	}
	switch in.state {
	case Master:
		in.sendAdvert(now, in.priority)
		in.wakeAt(now.Add(c.AdvertInterval))
		in.reannounce(now, len(added) > 0)
	case Backup:
		if in.wake.armed() && !r.startup.armed() {
			in.wakeAt(in.wake.at.Add(in.downTime() - oldDown))
		} else {
			in.restartDown(now)
		}
	}
}

// changeHeld makes a master hold what the new configuration says: what is gone
// goes (rules, routes, addresses), what is new comes.
func (in *instance) changeHeld(was *InstanceConfig, gone, added, oldHeld []Held) {
	c := in.cfg
	if drop := missing(was.Rules, c.Rules, sameRule); len(drop) > 0 {
		in.emit(HoldRules{Instance: in.id, Name: c.Name, Drop: drop})
	}
	if drop := missing(was.Routes, c.Routes, sameRoute); len(drop) > 0 {
		in.emit(HoldRoutes{Instance: in.id, Name: c.Name, Drop: drop})
	}
	for _, h := range gone {
		in.r.info("(%s) ip address %v dev %s, no longer exist", c.Name, h.Prefix, h.Interface)
	}
	if len(gone) > 0 {
		in.emit(HoldAddrs{Instance: in.id, Name: c.Name, Drop: gone})
	}
	switch {
	case in.filtered && !c.NoAccept:
		in.emit(Filter{Instance: in.id, Name: c.Name, Drop: oldHeld})
		in.filtered = false
	case in.filtered && len(gone)+len(added) > 0:
		in.emit(Filter{Instance: in.id, Name: c.Name, Drop: gone, Add: added})
	}
	in.holdAddrs(added)
	if len(c.Routes) > 0 { // also those that stay: their attributes may differ
		in.emit(HoldRoutes{Instance: in.id, Name: c.Name, Add: c.Routes})
	}
	if add := missing(c.Rules, was.Rules, sameRule); len(add) > 0 {
		in.emit(HoldRules{Instance: in.id, Name: c.Name, Add: add})
	} else if len(c.Rules) > 0 {
		in.r.detail("(%s) setting Virtual Rules", c.Name) // as the original, though nothing is added
	}
}

// holdMoved sets again what one instance let go at a reload and another holds.
// What moves to an instance further up in the file was still there when it was
// added, and went afterwards.
func (r *Router) holdMoved(effects []Effect) {
	type place struct {
		addr netip.Addr
		link string
	}
	addrs, filtered := map[place]ID{}, map[netip.Addr]ID{}
	var routes []letGo[Route]
	var rules []letGo[Rule]
	for _, e := range effects {
		switch e := e.(type) {
		case HoldAddrs:
			for _, h := range e.Drop {
				addrs[place{h.Prefix.Addr(), h.Interface}] = e.Instance
			}
		case Filter:
			for _, h := range e.Drop {
				filtered[h.Prefix.Addr()] = e.Instance
			}
		case HoldRoutes:
			for i := range e.Drop {
				routes = append(routes, letGo[Route]{e.Instance, &e.Drop[i]})
			}
		case HoldRules:
			for i := range e.Drop {
				rules = append(rules, letGo[Rule]{e.Instance, &e.Drop[i]})
			}
		}
	}
	if len(addrs)+len(filtered)+len(routes)+len(rules) == 0 {
		return
	}
	for _, in := range r.instances {
		if !in.holding {
			continue
		}
		var again, guard []Held
		for _, h := range in.heldAddrs {
			if by, ok := addrs[place{h.Prefix.Addr(), h.Interface}]; ok && by != in.id {
				again = append(again, h)
			}
			if by, ok := filtered[h.Prefix.Addr()]; ok && by != in.id && in.filtered {
				guard = append(guard, h)
			}
		}
		if len(guard) > 0 {
			in.emit(Filter{Instance: in.id, Name: in.cfg.Name, Add: guard})
		}
		if len(again) > 0 {
			in.emit(HoldAddrs{Instance: in.id, Name: in.cfg.Name, Add: again})
		}
		if again := lost(routes, in, in.cfg.Routes, sameRoute); len(again) > 0 {
			in.emit(HoldRoutes{Instance: in.id, Name: in.cfg.Name, Add: again})
		}
		if again := lost(rules, in, in.cfg.Rules, sameRule); len(again) > 0 {
			in.emit(HoldRules{Instance: in.id, Name: in.cfg.Name, Add: again})
		}
	}
}

// letGo is a route or rule that an instance has taken away.
type letGo[T any] struct {
	by   ID
	what *T
}

// lost returns what of held another instance than in has let go.
func lost[T any](dropped []letGo[T], in *instance, held []T, same func(a, b *T) bool) (again []T) {
	for i := range held {
		if slices.ContainsFunc(dropped, func(d letGo[T]) bool { return d.by != in.id && same(&held[i], d.what) }) {
			again = append(again, held[i])
		}
	}
	return again
}

// reannounce tells the network after a reload: everything when addresses were
// added, and the refresh starts anew.
func (in *instance) reannounce(now time.Time, added bool) {
	g := &in.cfg.GARP
	for _, t := range []*timer{&in.refresh, &in.extra} {
		in.r.timers.stop(t)
	}
	if added || g.Refresh > 0 {
		in.announce(now, max(g.Repeat, 1))
	}
	if added && g.Delay > 0 {
		in.r.timers.set(&in.second, now.Add(g.Delay))
	}
	in.startRefresh(now)
	if g.ExtraInterval > 0 {
		in.r.timers.set(&in.extra, now.Add(g.Delay+g.ExtraInterval))
	}
}

// diffHeld compares what was held with what is to be held.
func diffHeld(old, want []Held) (gone, added []Held) {
	has := func(list []Held, h Held) bool {
		return slices.ContainsFunc(list, func(o Held) bool { return sameHeld(o, h) })
	}
	if len(old) == len(want) && slices.EqualFunc(old, want, sameHeld) {
		return nil, nil // the usual case, without comparing each with each
	}
	for _, h := range old {
		if !has(want, h) {
			gone = append(gone, h)
		}
	}
	for _, h := range want {
		if !has(old, h) {
			added = append(added, h)
		}
	}
	return gone, added
}

// sameHeld tells whether an address can stay as it is. keepalived compares
// address, length, scope, label and interface; every other attribute that the
// kernel would show counts for us too.
func sameHeld(a, b Held) bool {
	x, y := *a.Address, *b.Address
	// These do not change the address in the kernel.
	x.NoTrack, y.NoTrack = false, false
	x.InterfaceByUser, y.InterfaceByUser = false, false
	x.Interface, y.Interface = a.Interface, b.Interface
	return x == y
}

// missing returns what old has and want has not.
func missing[T any](old, want []T, same func(a, b *T) bool) (gone []T) {
	for i := range old {
		if !slices.ContainsFunc(want, func(w T) bool { return same(&old[i], &w) }) {
			gone = append(gone, old[i])
		}
	}
	return gone
}

// sameRoute tells whether b replaces a in the kernel: destination, table,
// metric and the like are the key.
func sameRoute(a, b *Route) bool {
	return a.IPv6 == b.IPv6 && a.Dst == b.Dst && a.From == b.From && a.TOS == b.TOS &&
		a.Table == b.Table && a.Metric == b.Metric && a.Type == b.Type && a.VRF == b.VRF
}

// sameRule tells whether two rules are equal in everything the kernel has.
func sameRule(a, b *Rule) bool {
	x, y := *a, *b
	x.NoTrack, y.NoTrack = false, false
	x.Text, y.Text = "", ""
	x.AutoPrio, y.AutoPrio = false, false
	same := func(p, q *Range) bool { return p == q || p != nil && q != nil && *p == *q }
	if !same(x.UIDRange, y.UIDRange) || !same(x.SPort, y.SPort) || !same(x.DPort, y.DPort) {
		return false
	}
	x.UIDRange, y.UIDRange, x.SPort, y.SPort, x.DPort, y.DPort = nil, nil, nil, nil, nil, nil
	return x == y
}

// dropLanes forgets queued announcements before addresses change.
func (in *instance) dropLanes() {
	for i := range in.targets {
		if l := in.r.lane(in.targets[i]); l != nil {
			l.queue = slices.DeleteFunc(l.queue, func(w waiting) bool { return w.in == in })
			if len(l.queue) == 0 {
				in.r.timers.stop(&l.due)
			}
		}
	}
}

// settle gives new instances their first state and moves kept ones in or out
// of fault; groups come to one state.
func (r *Router) settle(now time.Time, fresh []*instance) {
	isFresh := map[*instance]bool{}
	for _, in := range fresh {
		isFresh[in] = true
		in.resolve()
		in.priority = in.computePriority()
		in.faults, in.waiting = in.countFaults()
	}
	if len(r.restored) > 0 {
		r.resume(now)
	}
	for _, in := range r.instances {
		if !isFresh[in] {
			in.faults, in.waiting = in.countFaults()
			if in.state != Fault {
				in.waiting = 0
			}
		}
	}
	for _, g := range r.groups {
		g.settle(now)
	}
	for _, in := range r.instances {
		switch {
		case in.state == Init:
			in.start(now)
		case isFresh[in]: // resumed
		case in.faults > 0:
			in.sayFaults()
			if in.state != Fault {
				in.becomeFault(now, true)
				in.group.followFault(now, in)
			}
		case in.state == Fault && in.waiting == 0:
			in.recover(now)
		}
	}
	for _, g := range r.groups {
		g.agree(now)
	}
}

// settle decides where a group with new members begins. Its own notification
// comes before theirs (vrrp.md 8.2).
func (g *group) settle(now time.Time) {
	fresh := slices.ContainsFunc(g.members, func(m *instance) bool { return m.state == Init })
	if !fresh {
		return
	}
	for _, m := range g.members {
		if m.faults > 0 {
			g.enter(Fault)
			return
		}
	}
	if g.hasMaster() {
		return // the new ones join
	}
	for _, m := range g.members {
		if m.waiting > 0 {
			g.state = Init
			return
		}
	}
	if !slices.ContainsFunc(g.members, func(m *instance) bool { return !m.startsAsMaster() }) {
		g.state = Backup // MASTER is told when it is so
		return
	}
	g.enter(Backup)
}

// enter moves the group and tells, when it changes.
func (g *group) enter(s State) {
	if g.state != s {
		g.state = s
		g.notify(s)
	}
}

// agree brings members of a changed group to one state. Masters stay so while
// the others join (see hasMaster).
func (g *group) agree(now time.Time) {
	want := g.computeState()
	for _, m := range g.members {
		if want == Fault && m.state != Fault {
			m.becomeFault(now, false)
		}
	}
	if len(g.members) == 0 || want == Backup && g.state == Master && g.hasMaster() ||
		slices.ContainsFunc(g.members, func(m *instance) bool { return m.silent }) {
		return
	}
	g.enter(want)
}

// startsAsMaster tells whether the instance takes over without waiting: the
// address owner with state MASTER.
func (in *instance) startsAsMaster() bool {
	return in.cfg.WantMaster && in.cfg.Priority == ownerPriority
}

// start gives a new instance its first state (vrrp.md 3.3).
func (in *instance) start(now time.Time) {
	in.dropLeftovers()
	r, g := in.r, in.group
	switch {
	case in.faults > 0:
		in.sayFaults()
		r.info("(%s) entering FAULT state", in.cfg.Name)
		in.enter(now, Fault)
		in.notify(Fault)
	case g != nil && g.state == Fault:
		r.info("VRRP_Group(%s): Syncing %s to FAULT state", g.cfg.Name, in.cfg.Name)
		in.enter(now, Fault)
		in.notify(Fault)
	case !g.healthy(in):
		in.enter(now, Fault)
		in.silent = true
	case in.startsAsMaster() && (g == nil || g.allStartAsMaster()):
		in.enter(now, Backup)
		in.wanted = Master
		in.wakeAt(r.from(now))
	default:
		r.info("(%s) Entering BACKUP STATE (init)", in.cfg.Name)
		in.enter(now, Backup)
		in.notify(Backup)
		in.restartDown(now)
		in.wakeAt(in.wake.at.Add(-in.launching(now)))
		if in.cfg.WantMaster && g != nil {
			in.wakeAt(r.from(now).Add(in.cfg.AdvertInterval + skew(in.cfg.Version, ownerPriority, in.cfg.AdvertInterval)))
		}
		r.syncRole(in, false)
	}
}

// dropLeftovers removes what a predecessor that was killed may have left.
func (in *instance) dropLeftovers() {
	c := in.cfg
	if len(c.Rules) > 0 {
		in.emit(HoldRules{Instance: in.id, Name: c.Name, Drop: c.Rules})
	}
	if len(c.Routes) > 0 {
		in.emit(HoldRoutes{Instance: in.id, Name: c.Name, Drop: c.Routes})
	}
	in.dropAddrs(true)
}

func (g *group) allStartAsMaster() bool {
	return !slices.ContainsFunc(g.members, func(m *instance) bool { return !m.startsAsMaster() })
}

// sayFaults says every reason an instance starts, or stays after a reload, in
// fault (vrrp.md 3.7).
func (in *instance) sayFaults() {
	r, name := in.r, in.cfg.Name
	for _, l := range in.links {
		if l.Weight == 0 && l.up == l.Reverse {
			r.info("(%s): entering FAULT state (interface %s down)", name, l.link.now.Name)
		}
	}
	switch {
	case !in.source.IsValid() || in.sourceGone:
		fam := "IPv4"
		if in.cfg.IPv6 {
			fam = "IPv6"
		}
		r.info("(%s) entering FAULT state (no %s address for interface)", name, fam)
	case in.sourceLost() || in.socketFault:
		r.info("(%s): entering FAULT state (src address not configured)", name)
	}
	for _, f := range in.follows {
		if !f.fault() {
			continue
		}
		switch f.key.kind {
		case objectScript:
			r.info("(%s): entering FAULT state due to script %s", name, f.key.name)
		case objectFile:
			r.info("(%s): entering FAULT state (tracked file %s has status %d)", name, f.key.name, f.value)
		case objectProcess:
			r.info("(%s) entering FAULT state (tracked process %s quorum not achieved)", name, f.key.name)
		case objectBFD:
			r.info("(%s) entering FAULT state (tracked BFD instance %s is down)", name, f.key.name)
		}
	}
}

// repeatStates writes the FIFO line of everything that was not told anyway
// (fifo_write_vrrp_states_on_reload).
func (r *Router) repeatStates(fresh []*instance) {
	told := map[Subject]bool{}
	for _, e := range r.out {
		if n, ok := e.(Entered); ok {
			told[n.Subject] = true
		}
	}
	for _, in := range r.instances {
		if !told[in.subject()] {
			r.out = append(r.out, Entered{Subject: in.subject(), State: in.state, Priority: in.priority, Reason: in.reason, FIFOOnly: true})
		}
	}
	for _, g := range r.groups {
		if !told[g.subject()] {
			r.out = append(r.out, Entered{Subject: g.subject(), State: g.state, FIFOOnly: true})
		}
	}
}
