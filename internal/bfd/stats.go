package bfd

import "time"

// Snapshot is everything a user may see of a session.
type Snapshot struct {
	Config Config

	Local, Remote         State
	LocalDiag, RemoteDiag Diag
	LocalDisc, RemoteDisc uint32

	RemoteMinTX, RemoteMinRX time.Duration
	RemoteMult               uint8
	RemoteDemand             bool
	Poll                     bool
	SendFailed               bool

	Interval       time.Duration // between our packets
	RemoteInterval time.Duration // between the neighbour's
	Detect         time.Duration // we give the neighbour up after this
	RemoteDetect   time.Duration // the neighbour gives us up after this

	// Deadlines; zero means none.
	SendAt, ExpireAt, ForgetAt time.Time

	LastSeen     time.Time // zero: never
	StateChanged time.Time
	Sent, Heard  uint64
	UpCount      uint64 // how often the session came up
}

// Snapshot returns every session's, in the order of the configuration.
func (r *Router) Snapshot() []Snapshot {
	out := make([]Snapshot, 0, len(r.sessions))
	for _, s := range r.sessions {
		out = append(out, Snapshot{
			Config: s.cfg, Local: s.local, Remote: s.remote,
			LocalDiag: s.localDiag, RemoteDiag: s.remoteDiag,
			LocalDisc: s.localDisc, RemoteDisc: s.remoteDisc,
			RemoteMinTX: s.remoteMinTX, RemoteMinRX: s.remoteMinRX, RemoteMult: s.remoteMult,
			RemoteDemand: s.remoteDemand, Poll: s.poll, SendFailed: s.sendFailed,
			Interval: s.interval, RemoteInterval: s.remoteInterval(), Detect: s.detect,
			RemoteDetect: time.Duration(s.cfg.Multiplier) * s.interval,
			SendAt:       s.sendAt, ExpireAt: s.expireAt, ForgetAt: s.forgetAt,
			LastSeen: s.lastSeen, StateChanged: s.stateChanged,
			Sent: s.sent, Heard: s.heard, UpCount: s.upCount,
		})
	}
	return out
}
