package bfd

import (
	"net/netip"
	"time"
)

// Session is one session in asynchronous mode (RFC 5880 section 6). It belongs
// to a Router, which gives it packets and the time.
type Session struct {
	cfg    Config
	router *Router

	local, remote         State
	localDiag, remoteDiag Diag
	localDisc, remoteDisc uint32

	// What the neighbour said last. remoteMinRX begins at a microsecond, RFC
	// 5880 section 6.8.1.
	remoteMinTX, remoteMinRX time.Duration
	remoteMult               uint8
	remoteDemand             bool
	lastSeen                 time.Time
	from                     netip.Addr // of the last packet; the destination of ours is cfg.Neighbor

	// poll: a poll sequence is under way. While it is, the parameters of before
	// still hold where the new ones would be slower to us or stricter to the
	// neighbour (section 6.8.3).
	poll         bool
	oldMinTX     time.Duration // 0: none
	oldMinRX     time.Duration
	sendFailed   bool          // the last packet could not be sent
	interval     time.Duration // between our packets, without jitter
	detect       time.Duration // the detection time
	sendAt       time.Time     // zero: nothing is due to be sent
	lastSent     time.Time
	expireAt     time.Time // zero: the neighbour is not being watched
	forgetAt     time.Time // when Down: the neighbour's discriminator is dropped
	sent, heard  uint64
	upCount      uint64
	stateChanged time.Time
}

func newSession(now time.Time, r *Router, c Config) *Session {
	s := &Session{
		cfg: c, router: r, local: Down, remote: Down,
		localDisc: r.discriminator(), remoteMinRX: time.Microsecond, stateChanged: now,
	}
	s.retime(now)
	if !c.Passive {
		s.sendAt = now
	}
	return s
}

func (s *Session) out(e Effect) { s.router.effects = append(s.router.effects, e) }

// wantTX is the Desired Min TX Interval of our packets: section 6.8.3 keeps it
// at a second or more while the session is not up.
func (s *Session) wantTX() time.Duration {
	if s.local == Up {
		return s.cfg.MinTX
	}
	return s.cfg.IdleTX
}

// remoteInterval is how often the neighbour sends, as agreed.
func (s *Session) remoteInterval() time.Duration {
	required := max(s.cfg.MinRX, s.oldMinRX)
	return max(required, s.remoteMinTX)
}

// retime computes both intervals.
func (s *Session) retime(now time.Time) {
	s.retimeFor(now, s.local == Up && s.remote >= Init)
}

// retimeFor computes both intervals; fast means that the session is up, or goes
// up with the packet at hand.
func (s *Session) retimeFor(now time.Time, fast bool) {
	want := s.cfg.IdleTX
	if fast {
		want = s.cfg.MinTX
		if s.oldMinTX > 0 {
			want = min(want, s.oldMinTX) // slower only after the poll sequence
		}
	}
	before := s.interval
	s.interval = max(want, s.remoteMinRX)
	if s.remoteMult > 0 {
		s.detect = time.Duration(s.remoteMult) * s.remoteInterval()
	}
	// A shorter interval takes effect at once.
	if s.interval < before && !s.sendAt.IsZero() {
		if soon := s.lastSent.Add(s.router.rand.jittered(s.interval)); soon.Before(s.sendAt) {
			s.sendAt = later(soon, now)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// silent reports whether periodic packets must not be sent: section 6.8.7.
func (s *Session) silent() bool {
	switch {
	case s.local == AdminDown, s.remoteMinRX == 0:
		return true
	case s.cfg.Passive && s.local == Down && s.remoteDisc == 0:
		return true
	}
	// The neighbour is in demand mode. We never are.
	return s.remoteDemand && s.local == Up && s.remote == Up && !s.poll
}

// next is the earliest deadline.
func (s *Session) next() time.Time {
	var at time.Time
	for _, t := range []time.Time{s.sendAt, s.expireAt, s.forgetAt} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// tick does what is due.
func (s *Session) tick(now time.Time) {
	if due(s.expireAt, now) {
		s.expired(now)
	}
	if due(s.forgetAt, now) {
		s.forgetAt = time.Time{}
		s.remoteDisc, s.remote, s.remoteDemand = 0, Down, false
		if s.silent() {
			s.sendAt = time.Time{}
		}
	}
	if due(s.sendAt, now) {
		s.send(now, false)
		s.schedule(now, s.sendAt)
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// schedule sets when the next periodic packet is due, counted from a deadline
// and not from now, unless we are late by more than an interval.
func (s *Session) schedule(now, from time.Time) {
	if s.silent() {
		s.sendAt = time.Time{}
		return
	}
	at := from.Add(s.router.rand.jittered(s.interval))
	if !at.After(now) {
		at = now.Add(s.router.rand.jittered(s.interval))
	}
	s.sendAt = at
}

// expired takes in that the neighbour was not heard for the detection time.
func (s *Session) expired(now time.Time) {
	s.logExpired(now.Sub(s.expireAt))
	s.remoteDisc, s.remote, s.remoteDemand = 0, Down, false
	s.becomeDown(now, ControlDetectionTimeExpired, true)
	s.forgetAt = time.Time{} // it is forgotten already
}

// receive takes in a packet that belongs to this session.
func (s *Session) receive(now time.Time, p *Packet) {
	s.heard++
	s.lastSeen = now
	wasSilent := s.silent() || s.sendAt.IsZero()
	before := *s
	s.remoteDisc, s.remote, s.remoteDiag = p.My, p.State, p.Diag
	s.remoteDemand = p.Demand
	s.remoteMinTX = microseconds(p.MinTX)
	s.remoteMinRX = microseconds(p.MinRX)
	s.remoteMult = p.Multiplier
	if p.Final && s.poll {
		s.endPoll()
	}
	next := transition(s.local, p.State)
	s.retimeFor(now, next == Up && p.State >= Init)
	s.logParameters(before.detect, s.changedFrom(&before))

	// A new state is sent at once, section 6.8.7.
	switch {
	case next == s.local:
	case next == Down:
		s.becomeDown(now, NeighborSignaledDown, p.State != AdminDown)
	case next == Init:
		s.local, s.stateChanged = Init, now
		s.logState()
		s.sendAt = now
	case next == Up:
		s.becomeUp(now)
	}
	switch s.local {
	case Init, Up:
		s.expireAt, s.forgetAt = now.Add(s.detect), time.Time{}
	case Down:
		s.expireAt, s.forgetAt = time.Time{}, now.Add(s.detect)
	}
	if p.Poll {
		s.send(now, true)
	}
	switch {
	case s.silent():
		s.sendAt = time.Time{}
	case wasSilent:
		s.sendAt = now
	}
}

func microseconds(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }

// changedFrom reports whether a parameter of the table differs.
func (s *Session) changedFrom(b *Session) bool {
	return s.remoteMinTX != b.remoteMinTX || s.remoteMinRX != b.remoteMinRX || s.remoteMult != b.remoteMult ||
		s.interval != b.interval || s.detect != b.detect
}

// transition is the state machine of RFC 5880 section 6.2: the state that
// follows when a packet with the neighbour's state is received.
func transition(local, remote State) State {
	switch local {
	case Down:
		switch remote {
		case Down:
			return Init
		case Init:
			return Up
		}
	case Init:
		switch remote {
		case AdminDown:
			return Down
		case Init, Up:
			return Up
		}
	case Up:
		switch remote {
		case AdminDown, Down:
			return Down
		}
	}
	return local
}

func (s *Session) becomeUp(now time.Time) {
	s.local, s.localDiag, s.stateChanged = Up, NoDiagnostic, now
	s.upCount++
	s.retime(now)
	s.logState()
	if s.cfg.IdleTX != s.cfg.MinTX {
		s.startPoll()
	}
	s.tell(true)
	s.sendAt = now
}

// becomeDown leaves Init or Up. tell is false when the neighbour is down on
// purpose: then nobody is told.
func (s *Session) becomeDown(now time.Time, why Diag, tell bool) {
	wasUp := s.local == Up
	s.local, s.localDiag, s.stateChanged = Down, why, now
	s.poll, s.oldMinTX, s.oldMinRX = false, 0, 0
	s.expireAt = time.Time{}
	s.forgetAt = now.Add(s.detect)
	s.retime(now)
	s.logState()
	if wasUp && tell {
		s.tell(false)
	}
	if s.silent() {
		s.sendAt = time.Time{}
	} else {
		s.sendAt = now
	}
}

func (s *Session) tell(up bool) {
	s.out(Changed{s.cfg.Name, up, s.cfg.ToVRRP, s.cfg.ToChecker})
}

func (s *Session) startPoll() {
	s.poll = true
	s.say(LevelInfo, 1, "(%s) Starting poll sequence", s.cfg.Name)
}

// endPoll takes in the neighbour's Final: the new parameters hold.
func (s *Session) endPoll() {
	s.poll, s.oldMinTX, s.oldMinRX = false, 0, 0
}

// send sends a packet. An answer to a poll has the Final bit and no Poll bit;
// our own poll sequence goes on with the next packet.
func (s *Session) send(now time.Time, final bool) {
	p := Packet{
		Diag: s.localDiag, State: s.local, Poll: s.poll && !final, Final: final,
		Multiplier: s.cfg.Multiplier, My: s.localDisc, Your: s.remoteDisc,
		MinTX: toMicroseconds(s.wantTX()), MinRX: toMicroseconds(s.cfg.MinRX),
	}
	e := &Send{Session: s.cfg.Name}
	p.Append(e.Bytes[:0])
	s.sent++
	s.lastSent = now
	s.out(e)
}

func toMicroseconds(d time.Duration) uint32 { return uint32(d / time.Microsecond) }

// reconfigure takes over a new configuration; state, discriminators and timers
// stay.
func (s *Session) reconfigure(now time.Time, c Config) {
	old := s.cfg
	s.cfg = c
	if s.local == Up && (c.MinTX != old.MinTX || c.MinRX != old.MinRX) {
		// Slower sending and a shorter detection time wait for the neighbour's
		// consent, section 6.8.3.
		if c.MinTX > old.MinTX {
			s.oldMinTX = old.MinTX
		}
		if c.MinRX < old.MinRX {
			s.oldMinRX = old.MinRX
		}
		s.startPoll()
	}
	before := s.detect
	s.retime(now)
	if s.local == Up && s.detect != before && !s.lastSeen.IsZero() {
		s.expireAt = s.lastSeen.Add(s.detect)
	}
	switch {
	case s.silent():
		s.sendAt = time.Time{}
	case s.sendAt.IsZero():
		s.sendAt = now
	}
}

// disable takes in that packets cannot be sent at all.
func (s *Session) disable(now time.Time) {
	wasUp := s.local == Up
	s.local, s.localDiag, s.stateChanged = AdminDown, AdministrativelyDown, now
	s.poll, s.sendAt, s.expireAt, s.forgetAt = false, time.Time{}, time.Time{}, time.Time{}
	if wasUp {
		s.tell(false)
	}
}

// enable takes in that packets can be sent again.
func (s *Session) enable(now time.Time) {
	if s.local != AdminDown {
		return
	}
	s.local, s.localDiag, s.stateChanged = Down, NoDiagnostic, now
	s.remoteDisc, s.remote = 0, Down
	s.retime(now)
	if !s.cfg.Passive {
		s.sendAt = now
	}
}
