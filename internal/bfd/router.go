package bfd

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Received is a control packet as it came in.
type Received struct {
	From, To netip.Addr
	TTL      int  // TTL or hop limit; negative: not known
	Multihop bool // came to port 4784
	Bytes    []byte
}

// Router holds every session of the process.
//
//	Receive, Tick, Reload ──> sessions ──> effects ──> Drain
type Router struct {
	// Detail is how often -D was given: lines that need more are not written.
	Detail int

	sessions []*Session
	effects  []Effect
	rand     random
}

// NewRouter returns a router without sessions. The seed decides discriminators
// and jitter.
func NewRouter(seed uint64) *Router { return &Router{rand: random(seed)} }

// Drain returns the effects since the last call. They are valid until the
// router is called again.
func (r *Router) Drain() []Effect {
	out := r.effects
	r.effects = nil
	return out
}

// Reload makes the sessions those of a new configuration: at the start all are
// new. Sessions with the same name keep discriminators, state and timers. Every
// session's state is told anew.
func (r *Router) Reload(now time.Time, configs []Config) {
	old := r.sessions
	r.sessions = nil
	for _, c := range configs {
		if i := slices.IndexFunc(old, func(s *Session) bool { return s.cfg.Name == c.Name }); i >= 0 {
			old[i].reconfigure(now, c)
			r.sessions = append(r.sessions, old[i])
			continue
		}
		r.sessions = append(r.sessions, newSession(now, r, c))
	}
	for _, s := range r.sessions {
		s.tell(s.local == Up)
	}
}

// Next is the earliest deadline of all sessions; the zero time means none.
func (r *Router) Next() time.Time {
	var at time.Time
	for _, s := range r.sessions {
		if t := s.next(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// Expiring reports whether Tick at now would give a neighbour up. Who owns the
// sockets hears what waits in them first: the process may have been stalled.
func (r *Router) Expiring(now time.Time) bool {
	return slices.ContainsFunc(r.sessions, func(s *Session) bool { return due(s.expireAt, now) })
}

// Tick does what is due at now.
func (r *Router) Tick(now time.Time) {
	for _, s := range r.sessions {
		s.tick(now)
	}
}

// Receive handles a packet, which may be anything.
func (r *Router) Receive(now time.Time, in Received) {
	var p Packet
	if err := p.Parse(in.Bytes); err != nil {
		r.say("%s", err)
		r.say("Discarding bogus packet from %s", in.From)
		return
	}
	s := r.find(&p, in)
	if s == nil {
		r.say("Discarding packet from %s (session is not found - your discriminator field is 0x%08x)", in.From, p.Your)
		return
	}
	if least := int(s.cfg.TTL) - s.cfg.MaxHops; s.cfg.MaxHops >= 0 && in.TTL >= 0 && in.TTL < least {
		what := "ttl"
		if s.cfg.Neighbor.Is6() {
			what = "hop_limit"
		}
		r.say("Packet %s(%d) < %d - discarding", what, in.TTL, least)
		return
	}
	switch {
	case p.Auth:
		r.say("Discarding packet from %s (auth bit is set, but no authentication  is in use)", in.From)
		return
	case s.local == AdminDown:
		r.say("Discarding packet from %s (session is in AdminDown state)", in.From)
		return
	}
	s.from = in.From
	s.receive(now, &p)
}

func (r *Router) say(format string, args ...any) {
	if r.Detail > 0 {
		r.effects = append(r.effects, Log{LevelErr, fmt.Sprintf(format, args...)})
	}
}

// find returns the session of a packet: by the discriminator that is ours, or
// while the neighbour does not know it by the addresses.
func (r *Router) find(p *Packet, in Received) *Session {
	for _, s := range r.sessions {
		if p.Your != 0 {
			if s.localDisc == p.Your && s.cfg.Multihop == in.Multihop {
				return s
			}
			continue
		}
		if s.cfg.Neighbor.WithZone("") == in.From.WithZone("") && s.cfg.Multihop == in.Multihop &&
			(!s.cfg.Source.IsValid() || s.cfg.Source.WithZone("") == in.To.WithZone("")) {
			return s
		}
	}
	return nil
}

// discriminator draws one that no session has.
func (r *Router) discriminator() uint32 {
	for {
		d := uint32(r.rand.next())
		if d != 0 && !slices.ContainsFunc(r.sessions, func(s *Session) bool { return s.localDisc == d }) {
			return d
		}
	}
}

// SendFailed takes in whether the packet of a session could be sent. It
// reports whether that is news, to be logged.
func (r *Router) SendFailed(name string, failed bool) (news bool) {
	if s := r.session(name); s != nil {
		news, s.sendFailed = failed && !s.sendFailed, failed
	}
	return news
}

// Disable puts a session into AdminDown because its socket cannot be opened,
// Enable takes it out again.
func (r *Router) Disable(now time.Time, name string) {
	if s := r.session(name); s != nil {
		s.disable(now)
	}
}

// Enable takes a session out of AdminDown.
func (r *Router) Enable(now time.Time, name string) {
	if s := r.session(name); s != nil {
		s.enable(now)
	}
}

func (r *Router) session(name string) *Session {
	for _, s := range r.sessions {
		if s.cfg.Name == name {
			return s
		}
	}
	return nil
}
