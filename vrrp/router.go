package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// Router holds every instance and group of a process.
type Router struct {
	opt       Options
	cfg       *Config
	instances []*instance // in the order of the configuration
	byID      map[ID]*instance
	groups    []*group
	lastID    ID

	// What the process told us; it outlives a reload.
	links   map[string]*link
	objects map[objectKey]*object
	// Those of them that instances follow, in a fixed order.
	linkOrder   []*link
	objectOrder []*object

	sockets    map[SocketID]*socket
	want       []Socket
	lastSocket SocketID
	vips       map[netip.Addr][]*instance // who has an address

	timers  timers
	startup timer // end of the startup delay
	first   bool  // the first Reload runs
	delay   time.Duration
	lanes   map[laneKey]*lane
	paced   bool // some lane may exist
	expires bool // some instance has timer_expired_backup

	restored []InstanceSnapshot

	out, spare   []Effect
	sent, lent   []*SendAdvert // since the last Drain; handed out by it
	free         []*SendAdvert
	rx           received
	unknownVRIDs uint64
}

// socket is a Socket with the instances that share it.
type socket struct {
	id        SocketID
	key       SocketKey
	users     []*instance
	byVRID    map[uint8][]*instance
	shortSaid time.Time
	vridSaid  map[uint8]time.Time
}

// New makes a Router without instances.
func New(o Options) *Router {
	r := &Router{
		opt: o, byID: map[ID]*instance{}, links: map[string]*link{}, objects: map[objectKey]*object{},
		vips: map[netip.Addr][]*instance{}, lanes: map[laneKey]*lane{},
	}
	r.startup.kind = timerStartup
	return r
}

// Drain hands over the effects since the last call, in order. They are valid
// until the next call.
func (r *Router) Drain() []Effect {
	r.free = append(r.free, r.lent...)
	r.lent, r.sent = r.sent, r.lent[:0]
	out := r.out
	clear(r.spare)
	r.out, r.spare = r.spare[:0], out
	return out
}

// freeAdvert returns an advert to fill in.
func (r *Router) freeAdvert() *SendAdvert {
	var a *SendAdvert
	if n := len(r.free); n > 0 {
		a, r.free = r.free[n-1], r.free[:n-1]
	} else {
		a = &SendAdvert{}
	}
	r.sent = append(r.sent, a)
	return a
}

// grow makes room for n packets of size bytes.
func (a *SendAdvert) grow(n, size int) {
	if cap(a.buf) < n*size {
		a.buf = make([]byte, n*size)
	}
	a.buf = a.buf[:n*size]
	a.Packets = a.Packets[:0]
}

// Next returns when Tick is wanted; the zero time means never.
func (r *Router) Next() time.Time {
	if t := r.timers.first(); t != nil {
		return t.at
	}
	return time.Time{}
}

// Tick does everything that is due at now, in the order of the deadlines.
// Packets that came before now should have been handed to Receive first; after
// a stop of the process the Router waits a moment for them (see stalled).
func (r *Router) Tick(now time.Time) {
	r.expired(now)
	for {
		t := r.timers.first()
		if t == nil || t.at.After(now) {
			return
		}
		r.timers.stop(t)
		switch t.kind {
		case timerWake:
			t.in.tick(now)
		case timerRogue:
			t.in.rogueGone()
		case timerDebounce:
			r.setLink(now, t.link, t.link.target)
		case timerPace:
			r.drain(now, t.lane)
		case timerStartup:
			r.info("Delayed start completed")
		default:
			t.in.fire(now, t)
		}
	}
}

// expired is timer_expired_backup: instances that were master and whose
// adverts were missing for so long that another must have taken over step back
// without a word (vrrp.md 10.3).
//
// Packets that waited are looked at only afterwards, or the answer to one would
// hide how late the deadline is.
func (r *Router) expired(now time.Time) {
	first := r.timers.first()
	if !r.expires || first == nil {
		return
	}
	late, said := now.Sub(first.at), false
	if late < lateBound {
		return
	}
	for _, in := range r.instances {
		p := in.cfg.TimerExpiredBackup
		if p == 0 || in.state != Master {
			continue
		}
		every := in.cfg.AdvertInterval
		s := skew(in.cfg.Version, p, every)
		if late < 2*every+s || now.Sub(in.lastSent) <= 3*every+s {
			continue
		}
		if !said {
			r.info("VRRP thread timer expired %f seconds ago", late.Seconds())
			said = true
		}
		in.becomeBackup(now, false)
		in.group.followBackup(now, in)
	}
}

// Stop resigns everywhere and reports the end. With keep the addresses stay
// and nothing is sent (--dont-release-vrrp).
func (r *Router) Stop(now time.Time, keep bool) {
	for _, in := range r.instances {
		if in.state == Master && !keep {
			in.resign(now, 1, true)
			in.release()
		}
		in.enter(now, Stopped)
		r.disarm(in)
	}
	for _, in := range r.instances {
		in.notify(Stopped)
	}
	for _, g := range r.groups {
		g.notify(Stopped)
	}
}

// disarm stops every timer of an instance, for good.
func (r *Router) disarm(in *instance) {
	for _, t := range []*timer{&in.wake, &in.rogue, &in.second, &in.refresh, &in.lower, &in.extra} {
		r.timers.remove(t)
	}
}

// from is when timers that start now begin to count: at the end of the
// startup delay while that runs.
func (r *Router) from(now time.Time) time.Time {
	if r.startup.armed() && r.startup.at.After(now) {
		return r.startup.at
	}
	return now
}

// syncRole turns the IPVS sync daemon when it is bound to the instance.
func (r *Router) syncRole(in *instance, master bool) {
	if d := r.cfg.SyncDaemon; d != nil && d.Instance == in.cfg.Name {
		r.out = append(r.out, SyncRole{Master: master})
	}
}

// socket finds a socket by its id.
func (r *Router) socket(id SocketID) *socket { return r.sockets[id] }

// socketKey is what an instance needs; ok is false while it has no source to
// bind to.
func (in *instance) socketKey() (k SocketKey, ok bool) {
	c := in.cfg
	k = SocketKey{IPv6: c.IPv6, Protocol: protoVRRP, VRF: c.VRF, Unicast: c.Unicast, Interface: c.sendLink()}
	if c.Auth.Type == AuthAH && c.Version == 2 && !c.IPv6 {
		k.Protocol = protoAH
	}
	if !c.Unicast {
		k.Addr = c.Destination
		return k, true
	}
	k.Addr = in.source
	return k, in.source.IsValid()
}

// placeSockets assigns every instance its socket and reports the list when it
// changed. Sockets with the same key keep their number.
func (r *Router) placeSockets() {
	before := r.sockets
	known := func(k SocketKey) *socket {
		for _, w := range r.want {
			if w.Key == k {
				return before[w.ID]
			}
		}
		return nil
	}
	r.sockets = map[SocketID]*socket{}
	byKey := map[SocketKey]*socket{}
	var order []*socket
	for _, in := range r.instances {
		in.socket = 0
		key, ok := in.socketKey()
		if !ok {
			continue
		}
		s := byKey[key]
		if s == nil {
			s = &socket{key: key, byVRID: map[uint8][]*instance{}}
			if o := known(key); o != nil {
				s.id, s.shortSaid, s.vridSaid = o.id, o.shortSaid, o.vridSaid
			} else {
				r.lastSocket++
				s.id = r.lastSocket
			}
			byKey[key], r.sockets[s.id] = s, s
			order = append(order, s)
		}
		in.socket = s.id
		s.users = append(s.users, in)
		s.byVRID[in.cfg.VRID] = append(s.byVRID[in.cfg.VRID], in)
	}
	want := make([]Socket, 0, len(order))
	for _, s := range order {
		w := Socket{ID: s.id, Key: s.key, Instances: len(s.users)}
		for _, in := range s.users {
			w.RxBuffer += in.cfg.RxBuffer
		}
		want = append(want, w)
	}
	if !slices.Equal(want, r.want) {
		r.want = want
		r.out = append(r.out, Sockets{Want: slices.Clone(want)})
	}
}
