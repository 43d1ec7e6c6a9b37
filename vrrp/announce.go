package vrrp

import (
	"slices"
	"time"
)

// lane is the announcements of one family on one physical interface, or on
// the interfaces of one garp_group, that have to keep a distance.
type lane struct {
	interval time.Duration
	last     time.Time // of the last announcement
	queue    []waiting
	due      timer
}

// waiting is an address in a lane's queue.
type waiting struct {
	in    *instance
	to    Target
	count int // announcements to come
}

// laneKey finds a lane.
type laneKey struct {
	group int    // index into Config.PaceGroups plus one; 0 = none
	link  string // physical interface, when group is 0
	ipv6  bool
}

// lane returns the lane of a target, nil when it needs none.
func (r *Router) lane(t Target) *lane {
	base := r.physical(t.Interface)
	ipv6 := t.Addr.Is6()
	key, pace := laneKey{link: base, ipv6: ipv6}, r.cfg.Pace
	for i := range r.cfg.PaceGroups {
		if g := &r.cfg.PaceGroups[i]; slices.Contains(g.Interfaces, base) {
			key, pace = laneKey{group: i + 1, ipv6: ipv6}, g.Pace
			break
		}
	}
	every := pace.GARP
	if ipv6 {
		every = pace.GNA
	}
	if every <= 0 {
		return nil
	}
	l := r.lanes[key]
	if l == nil {
		l = &lane{}
		l.due = timer{kind: timerPace, lane: l}
		r.lanes[key] = l
	}
	l.interval = every
	return l
}

// announceTakeover starts the announcements of a new mastership.
func (in *instance) announceTakeover(now time.Time) {
	g := &in.cfg.GARP
	in.announce(now, max(g.Repeat, 1))
	if g.Delay > 0 {
		in.r.timers.set(&in.second, now.Add(g.Delay))
	}
	in.startRefresh(now)
	if g.ExtraInterval > 0 {
		in.r.timers.set(&in.extra, now.Add(g.Delay+g.ExtraInterval))
	}
}

// startRefresh arms the refresh where one is configured.
func (in *instance) startRefresh(now time.Time) {
	if g := &in.cfg.GARP; g.Refresh > 0 {
		in.r.timers.set(&in.refresh, now.Add(g.Delay+g.Refresh))
	}
}

// stopAnnouncing ends everything that was to be announced. keepalived leaves
// timers of earlier masterships running, so that refreshes pile up.
func (in *instance) stopAnnouncing() {
	for _, t := range []*timer{&in.second, &in.refresh, &in.lower, &in.extra} {
		in.r.timers.stop(t)
	}
	for i := range in.targets {
		l := in.r.lane(in.targets[i])
		if l == nil {
			continue
		}
		l.queue = slices.DeleteFunc(l.queue, func(w waiting) bool { return w.in == in })
		if len(l.queue) == 0 {
			in.r.timers.stop(&l.due)
		}
	}
}

// announceLower is the announcement after a lower priority advert, for every
// member of a group.
func (in *instance) announceLower(now time.Time) {
	g := &in.cfg.GARP
	if !in.holding || g.LowerPrioRepeat == 0 {
		return
	}
	in.announce(now, g.LowerPrioRepeat)
	if g.LowerPrioDelay > 0 {
		in.r.timers.set(&in.lower, now.Add(g.LowerPrioDelay))
	}
}

// fire handles a due announcement timer. After a stop of the process it waits
// until it is clear that we are still master: a wrong announcement would take
// the addresses from who is.
func (in *instance) fire(now time.Time, t *timer) {
	if in.mayBeReplaced(now) {
		in.r.timers.set(t, now.Add(2*in.grace()))
		return
	}
	g, kind := &in.cfg.GARP, t.kind
	switch kind {
	case timerSecond:
		in.announce(now, max(g.Repeat, 1))
	case timerLower:
		in.announce(now, g.LowerPrioRepeat)
	case timerRefresh:
		in.r.timers.set(&in.refresh, next(in.refresh.at, now, g.Refresh))
		in.announce(now, g.RefreshRepeat)
	case timerExtra:
		in.r.timers.set(&in.extra, next(in.extra.at, now, g.ExtraInterval))
		in.announceExtra()
	}
}

// next is the first multiple of every after at that lies in the future.
func next(at, now time.Time, every time.Duration) time.Time {
	at = at.Add(every)
	if at.After(now) {
		return at
	}
	return at.Add(now.Sub(at).Truncate(every) + every)
}

// announce sends rounds times all addresses, or queues them where a distance
// is to be kept.
func (in *instance) announce(now time.Time, rounds int) {
	if !in.holding || rounds == 0 || len(in.targets) == 0 {
		return
	}
	plain := in.targets
	if in.r.paced {
		plain = in.announcePaced(now, rounds)
	} else if in.hasNoARP() {
		plain = slices.DeleteFunc(slices.Clone(plain), func(t Target) bool { return in.r.noARP(t.Interface) })
	}
	if len(plain) == 0 {
		return
	}
	if in.r.opt.Detail {
		for round := range rounds {
			for _, t := range plain {
				if round == 0 {
					in.logQueueing(t)
				}
				in.r.logAnnounce(t)
			}
		}
	}
	in.emit(Announce{Instance: in.id, Name: in.cfg.Name, Targets: plain, Rounds: rounds})
}

func (in *instance) hasNoARP() bool {
	return slices.ContainsFunc(in.targets, func(t Target) bool { return in.r.noARP(t.Interface) })
}

// announcePaced puts the targets that need a distance into their lanes and
// returns the others. Round by round, as keepalived does: an address that
// could go at once is not queued, so it is queued in the second round.
func (in *instance) announcePaced(now time.Time, rounds int) (plain []Target) {
	for round := range rounds {
		for _, t := range in.targets {
			if in.r.noARP(t.Interface) {
				continue
			}
			l := in.r.lane(t)
			if l == nil {
				if round == 0 {
					plain = append(plain, t)
				}
				continue
			}
			if round == 0 && in.r.opt.Detail {
				in.logQueueing(t)
			}
			in.request(now, l, t, rounds)
		}
	}
	return plain
}

// request announces t now if the lane is free, else queues it once with at
// most limit announcements to come.
func (in *instance) request(now time.Time, l *lane, t Target, limit int) {
	if len(l.queue) == 0 && (l.last.IsZero() || now.Sub(l.last) >= l.interval) {
		in.sendPaced(now, l, t)
		return
	}
	for i := range l.queue {
		if w := &l.queue[i]; w.in == in && w.to == t {
			w.count = min(w.count+1, limit)
			return
		}
	}
	l.queue = append(l.queue, waiting{in, t, 1})
	if !l.due.armed() {
		in.r.timers.set(&l.due, l.last.Add(l.interval))
	}
}

func (in *instance) sendPaced(now time.Time, l *lane, t Target) {
	l.last = now
	in.r.logAnnounce(t)
	in.emit(Announce{Instance: in.id, Name: in.cfg.Name, Targets: []Target{t}, Rounds: 1})
}

// drain sends the head of a lane's queue; with announcements left it goes to
// the tail.
func (r *Router) drain(now time.Time, l *lane) {
	if len(l.queue) == 0 {
		return
	}
	w := l.queue[0]
	if w.in.mayBeReplaced(now) {
		r.timers.set(&l.due, now.Add(2*w.in.grace()))
		return
	}
	l.queue = append(l.queue[:0], l.queue[1:]...)
	w.in.sendPaced(now, l, w.to)
	if w.count--; w.count > 0 {
		l.queue = append(l.queue, w)
	}
	if len(l.queue) > 0 {
		r.timers.set(&l.due, now.Add(l.interval))
	}
}

// announceExtra keeps switches informed about interfaces that carry addresses
// but send no adverts (garp_extra_if): one address on each of them.
func (in *instance) announceExtra() {
	if !in.holding {
		return
	}
	var seen []string
	var one []Target
	for _, t := range in.targets {
		if slices.Contains(seen, t.Interface) || t.Interface == in.sendLink() || in.r.noARP(t.Interface) {
			continue
		}
		l := in.r.links[t.Interface]
		if !in.cfg.GARP.ExtraAll && (l == nil || l.now.Base == "") {
			continue
		}
		seen = append(seen, t.Interface)
		one = append(one, t)
	}
	if len(one) == 0 {
		return
	}
	for _, t := range one {
		in.r.logAnnounce(t)
	}
	in.emit(Announce{Instance: in.id, Name: in.cfg.Name, Targets: one, Rounds: 1})
}

// announceSource tells the network where a unicast instance's own address is
// after a fault (vrrp.md 3.7).
func (in *instance) announceSource() {
	c := in.cfg
	if !c.Unicast || c.Interface == "" || !in.source.IsValid() || in.r.startup.armed() || in.r.noARP(c.Interface) {
		return
	}
	what := "gratuitous ARP"
	if c.IPv6 {
		what = "unsolicited Neighbour Advert"
	}
	in.r.detail("%s: sending %s for %v", c.Name, what, in.source)
	in.emit(Announce{Instance: in.id, Name: c.Name, Rounds: 1,
		Targets: []Target{{Interface: c.Interface, Addr: in.source}}})
}

func (in *instance) logQueueing(t Target) {
	what := "gratuitous ARPs"
	if t.Addr.Is6() {
		what = "Unsolicited Neighbour Adverts"
	}
	in.r.detail("(%s) Sending/queueing %s on %s for %v", in.cfg.Name, what, t.Interface, t.Addr)
}

func (r *Router) logAnnounce(t Target) {
	what := "gratuitous ARP"
	if t.Addr.Is6() {
		what = "unsolicited Neighbour Advert"
	}
	r.detail("Sending %s on %s for %v", what, t.Interface, t.Addr)
}

// resolve finds the interface of every address and the targets to announce.
func (in *instance) resolve() {
	c := in.cfg
	in.heldAddrs = make([]Held, 0, len(c.Addresses)+len(c.Excluded))
	for i := range c.Addresses {
		in.heldAddrs = append(in.heldAddrs, Held{Address: &c.Addresses[i], Interface: c.addrLink(&c.Addresses[i])})
	}
	for i := range c.Excluded {
		in.heldAddrs = append(in.heldAddrs, Held{Address: &c.Excluded[i], Interface: c.addrLink(&c.Excluded[i]), Excluded: true})
	}
	in.targets = make([]Target, 0, len(in.heldAddrs))
	for _, h := range in.heldAddrs {
		in.targets = append(in.targets, Target{Interface: h.Interface, Addr: h.Prefix.Addr()})
	}
}

// addrLink is the interface an address lives on: the device (a VMAC, if there
// is one) for addresses of the instance's family without another dev.
func (c *InstanceConfig) addrLink(a *Address) string {
	if a.Interface != "" && a.Interface != c.Interface {
		return a.Interface
	}
	if c.Device != "" && a.Prefix.Addr().Is6() == c.IPv6 && (c.VMAC == nil || !c.VMAC.AddrsOnly) {
		return c.Device
	}
	return c.Interface
}

// sendLink is the interface that carries the adverts.
func (in *instance) sendLink() string { return in.cfg.sendLink() }

func (c *InstanceConfig) sendLink() string {
	if c.Device == "" || c.VMAC != nil && (c.VMAC.XmitBase || c.VMAC.AddrsOnly) {
		return c.Interface
	}
	return c.Device
}

// AnnounceNow announces the addresses of an instance once, as an operator asked
// for. Only a master has any.
func (r *Router) AnnounceNow(now time.Time, name string) {
	for _, in := range r.instances {
		if in.cfg.Name == name {
			in.announce(now, 1)
		}
	}
}
