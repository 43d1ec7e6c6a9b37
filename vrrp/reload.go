package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// IdentityOf returns what makes an instance the same over a reload: not its
// name (vrrp.md 6.2).
func IdentityOf(c *InstanceConfig) Identity {
	id := Identity{VRID: c.VRID, IPv6: c.IPv6, Interface: c.Interface, Unicast: c.Unicast}
	if c.Unicast {
		id.Source = c.Source
		return id
	}
	id.VMAC = c.VMAC != nil && !c.VMAC.AddrsOnly
	id.VMACAddrs = c.VMAC != nil && c.VMAC.AllAddrs
	id.Group = c.Destination
	return id
}

// Reload takes a configuration into use. The first one starts everything: it
// is a reload from nothing. The Router keeps c; it must not change any more.
func (r *Router) Reload(now time.Time, c *Config) {
	first := r.cfg == nil
	r.first = first
	defer func() { r.first = false }()
	// What is master says so before anything takes time (vrrp.md 6.1).
	for _, in := range r.instances {
		if in.state == Master {
			in.sendAdvert(now, in.priority)
		}
	}
	old := r.instances
	fresh := r.match(c, old)
	begun := len(r.out)
	for _, in := range old {
		if !in.seen {
			r.remove(now, in)
		}
	}
	r.cfg = c
	r.expires = slices.ContainsFunc(c.Instances, func(i InstanceConfig) bool { return i.TimerExpiredBackup != 0 })
	r.paced = c.Pace != Pace{} || len(c.PaceGroups) > 0
	r.setStartup(now, first)
	r.regroup(c)
	for _, in := range r.instances {
		in.prepare()
	}
	r.follow(c)
	r.saySources()
	for i, in := range r.instances {
		if in.state == Init {
			in.setSource()
		} else {
			in.reconfigure(now, &c.Instances[i])
		}
	}
	r.holdMoved(r.out[begun:])
	r.placeSockets()
	for _, l := range r.linkOrder {
		for _, in := range l.users {
			if in.link == l {
				r.limitDebounce(in)
			}
		}
	}
	r.settle(now, fresh)
	if c.StatesOnReload && !first {
		r.repeatStates(fresh)
	}
}

// match finds for every configured instance the running one with the same
// identity, first by name, then in order, or makes a new one. The list of the
// new ones is returned.
func (r *Router) match(c *Config, old []*instance) (fresh []*instance) {
	for _, in := range old {
		in.seen = false
	}
	pick := func(want *InstanceConfig, byName bool) *instance {
		id := IdentityOf(want)
		for _, in := range old {
			if !in.seen && (!byName || in.cfg.Name == want.Name) && IdentityOf(in.cfg) == id {
				in.seen = true
				return in
			}
		}
		return nil
	}
	list := make([]*instance, len(c.Instances))
	// Two passes only matter where unicast instances share VRID and source;
	// an index keeps thousands of instances from being searched by each.
	index := map[Identity][]*instance{}
	for _, in := range old {
		id := IdentityOf(in.cfg)
		index[id] = append(index[id], in)
	}
	for _, byName := range []bool{true, false} {
		for i := range c.Instances {
			if list[i] != nil {
				continue
			}
			old = index[IdentityOf(&c.Instances[i])]
			list[i] = pick(&c.Instances[i], byName)
		}
	}
	for i := range list {
		ic := &c.Instances[i]
		if list[i] == nil {
			list[i] = r.newInstance(ic)
			fresh = append(fresh, list[i])
		}
		list[i].index = i
	}
	r.instances = list
	return fresh
}

// newInstance makes an instance that has not started.
func (r *Router) newInstance(c *InstanceConfig) *instance {
	r.lastID++
	in := &instance{r: r, id: r.lastID, cfg: c, priority: c.Priority, masterInterval: c.AdvertInterval}
	in.wake = timer{kind: timerWake, in: in}
	in.rogue = timer{kind: timerRogue, in: in}
	in.second = timer{kind: timerSecond, in: in}
	in.refresh = timer{kind: timerRefresh, in: in}
	in.lower = timer{kind: timerLower, in: in}
	in.extra = timer{kind: timerExtra, in: in}
	in.setAuth(nil)
	r.byID[in.id] = in
	return in
}

// setAuth makes the keyed hashes. The AH sequence, and the HMAC sequence and
// replay marks, are kept where the method stays.
func (in *instance) setAuth(was *InstanceConfig) {
	c := in.cfg
	ah, hm := in.ah, in.hmac
	in.ah, in.hmac = nil, nil
	if c.Auth.Type == AuthAH && c.Version == 2 && !c.IPv6 {
		in.ah = newAHState(c.Auth.Password)
		if ah != nil {
			in.ah.seq, in.ah.cycled = ah.seq, ah.cycled
		}
	}
	if c.HMAC != nil {
		in.hmac = newHMACState(c.HMAC)
		if hm != nil {
			in.hmac.sent, in.hmac.marks, in.hmac.clock = hm.sent, hm.marks, hm.clock
		}
	}
	in.checksPeers = checksPeers(c)
	if was == nil || was.OldChecksum != c.OldChecksum {
		in.oldChecksum = false
	}
}

// remove ends an instance that the new configuration does not have.
func (r *Router) remove(now time.Time, in *instance) {
	was := in.state
	if was == Master {
		in.resign(now, 1, true)
		in.release()
		in.stats.ReleasedMaster++
	}
	r.disarm(in)
	delete(r.byID, in.id)
	in.enter(now, Deleted)
	switch {
	case in.cfg.Notify.DeletedSet:
		in.notify(Deleted)
	case was != Fault:
		in.notify(Fault)
	}
}

// setStartup arms the startup delay; a reload during it moves its end.
func (r *Router) setStartup(now time.Time, first bool) {
	d := r.cfg.Startup.Start
	if boot := r.cfg.Startup.AfterBoot; first {
		d = max(d, boot-r.opt.Uptime)
	} else if boot > 0 {
		d = max(d, r.delay)
	}
	was := r.delay
	r.delay = max(d, 0)
	switch {
	case first && r.delay > 0 && len(r.restored) == 0:
		r.info("Delaying startup for %g seconds", r.delay.Seconds())
		r.timers.set(&r.startup, now.Add(r.delay))
	case !first && r.startup.armed() && r.delay != was:
		end := r.startup.at.Add(r.delay - was)
		r.moveStart(max(end.Sub(r.startup.at), now.Sub(r.startup.at)))
		if end.After(now) {
			r.info("Delaying startup for a further %g seconds", end.Sub(now).Seconds())
			r.timers.set(&r.startup, end)
			return
		}
		r.info("Reduced delayed start passed")
		r.timers.stop(&r.startup)
	}
}

// moveStart moves the deadlines that count from the end of the startup delay.
func (r *Router) moveStart(by time.Duration) {
	for _, in := range r.instances {
		if in.wake.armed() {
			in.wakeAt(in.wake.at.Add(by))
		}
	}
}

// regroup builds the sync groups; one of the same name keeps its state.
func (r *Router) regroup(c *Config) {
	before := map[string]State{}
	for _, g := range r.groups {
		before[g.cfg.Name] = g.state
	}
	byName := map[string]*instance{}
	for i, in := range r.instances {
		in.group = nil
		byName[c.Instances[i].Name] = in
	}
	r.groups = nil
	for i := range c.Groups {
		g := &group{r: r, cfg: &c.Groups[i], state: before[c.Groups[i].Name]}
		for _, name := range g.cfg.Members {
			if in := byName[name]; in != nil && in.group == nil {
				in.group = g
				g.members = append(g.members, in)
			}
		}
		r.groups = append(r.groups, g)
	}
}

// prepare clears what follow fills in.
func (in *instance) prepare() { in.follows, in.links, in.link = nil, nil, nil }

// follow connects instances with the interfaces and objects they follow.
func (r *Router) follow(c *Config) {
	for _, l := range r.linkOrder {
		l.users = nil
		l.downDelay, l.upDelay = 0, 0
	}
	for _, o := range r.objectOrder {
		o.users = nil
	}
	r.linkOrder, r.objectOrder = nil, nil
	for i := range c.Debounce {
		d := &c.Debounce[i]
		l := r.link(d.Interface)
		l.downDelay, l.upDelay = d.Down, d.Up
	}
	clear(r.vips)
	for i, in := range r.instances {
		ic := &c.Instances[i]
		r.followLinks(in, ic)
		r.followObjects(in, ic)
		for _, list := range [][]Address{ic.Addresses, ic.Excluded} {
			for j := range list {
				a := list[j].Prefix.Addr()
				r.vips[a] = append(r.vips[a], in)
			}
		}
	}
	for _, l := range r.linkOrder {
		for f, ipv6 := range []bool{false, true} {
			if s := l.source[f]; s.IsValid() && len(r.vips[s]) > 0 {
				l.source[f] = netip.Addr{} // a VIP that a crash left behind
			}
			l.source[f] = r.choose(l, ipv6)
		}
	}
}

// useLink makes an instance a user of a link.
func (r *Router) useLink(in *instance, name string) *link {
	l := r.link(name)
	if len(l.users) == 0 {
		r.linkOrder = append(r.linkOrder, l)
	}
	if !slices.Contains(l.users, in) {
		l.users = append(l.users, in)
	}
	return l
}

// followLinks is vrrp.md 4.2's list of watched interfaces.
func (r *Router) followLinks(in *instance, c *InstanceConfig) {
	watch := func(name string, t Track) {
		if name == "" {
			return
		}
		l := r.useLink(in, name)
		if i := slices.IndexFunc(in.links, func(f linkFollow) bool { return f.link == l }); i >= 0 {
			return // the first one counts
		}
		t.Name = name
		in.links = append(in.links, linkFollow{l, t})
	}
	primary := func(name string) bool {
		return c.DontTrackPrimary && (name == c.Interface || name == c.Device)
	}
	if c.Interface != "" {
		in.link = r.useLink(in, c.Interface)
		if !c.DontTrackPrimary {
			watch(c.Interface, Track{})
			if base := in.link.now.Base; base != "" {
				watch(base, Track{})
			}
			if c.Device != c.Interface {
				watch(c.Device, Track{})
			}
		}
	}
	var group []Track
	if in.group != nil {
		group = in.group.cfg.TrackInterfaces
	}
	for _, t := range mergeTracks(c.TrackInterfaces, group) {
		watch(t.Name, t)
	}
	for _, list := range [][]Address{c.Addresses, c.Excluded} {
		for i := range list {
			if name := c.addrLink(&list[i]); !list[i].NoTrack && !primary(name) {
				watch(name, Track{})
			}
		}
	}
	for i := range c.Routes {
		if rt := &c.Routes[i]; !rt.NoTrack && !primary(rt.Interface) {
			watch(rt.Interface, Track{})
		}
	}
	for i := range c.Rules {
		if ru := &c.Rules[i]; !ru.NoTrack && !primary(ru.IIF) {
			watch(ru.IIF, Track{})
		}
	}
	for i := range r.cfg.TrackGroups {
		if g := &r.cfg.TrackGroups[i]; slices.Contains(g.Members, c.Name) {
			r.followStatic(g.Name, watch)
		}
	}
}

// followStatic watches the interfaces of static entries with a track_group.
func (r *Router) followStatic(group string, watch func(string, Track)) {
	for i := range r.cfg.StaticAddresses {
		if a := &r.cfg.StaticAddresses[i]; a.TrackGroup == group {
			watch(a.Interface, Track{})
		}
	}
	for i := range r.cfg.StaticRoutes {
		if rt := &r.cfg.StaticRoutes[i]; rt.TrackGroup == group {
			watch(rt.Interface, Track{})
		}
	}
	for i := range r.cfg.StaticRules {
		if ru := &r.cfg.StaticRules[i]; ru.TrackGroup == group {
			watch(ru.IIF, Track{})
		}
	}
}

// followObjects connects scripts, files, processes and BFD sessions.
func (r *Router) followObjects(in *instance, c *InstanceConfig) {
	g := &GroupConfig{}
	if in.group != nil {
		g = in.group.cfg
	}
	add := func(kind objectKind, own, group []Track) {
		for _, t := range mergeTracks(own, group) {
			o := r.object(kind, t.Name)
			if len(o.users) == 0 {
				r.objectOrder = append(r.objectOrder, o)
			}
			if !slices.Contains(o.users, in) {
				o.users = append(o.users, in)
			}
			in.follows = append(in.follows, follow{o, t})
		}
	}
	add(objectScript, c.TrackScripts, g.TrackScripts)
	add(objectFile, c.TrackFiles, g.TrackFiles)
	add(objectProcess, c.TrackProcesses, g.TrackProcesses)
	add(objectBFD, c.TrackBFD, g.TrackBFD)
}

// mergeTracks adds a group's trackers to a member's: the group's weight wins
// unless the member's is 0.
func mergeTracks(own, group []Track) []Track {
	if len(group) == 0 {
		return own
	}
	all := slices.Clone(own)
	for _, t := range group {
		i := slices.IndexFunc(all, func(o Track) bool { return o.Name == t.Name })
		switch {
		case i < 0:
			all = append(all, t)
		case all[i].Weight != 0:
			all[i] = t
		}
	}
	return all
}
