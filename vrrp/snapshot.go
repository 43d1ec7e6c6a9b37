package vrrp

import (
	"slices"
	"time"
)

// Snapshot returns all there is to see.
func (r *Router) Snapshot(now time.Time) Snapshot {
	s := Snapshot{Taken: now, UnknownVRIDs: r.unknownVRIDs}
	for _, in := range r.instances {
		s.Instances = append(s.Instances, in.snapshot())
	}
	for _, g := range r.groups {
		s.Groups = append(s.Groups, GroupSnapshot{Name: g.cfg.Name, State: g.state, Config: g.cfg})
	}
	return s
}

// InstanceSnapshot returns one instance; ok is false when there is none of
// that id.
func (r *Router) InstanceSnapshot(id ID) (s InstanceSnapshot, ok bool) {
	in := r.byID[id]
	if in == nil {
		return s, false
	}
	return in.snapshot(), true
}

// Config returns an instance's configuration in use, nil when there is none.
func (r *Router) Config(id ID) *InstanceConfig {
	if in := r.byID[id]; in != nil {
		return in.cfg
	}
	return nil
}

// ClearStats sets every counter to 0 (SIGRTMAX-1).
func (r *Router) ClearStats() {
	for _, in := range r.instances {
		in.stats = Stats{}
	}
}

func (in *instance) snapshot() InstanceSnapshot {
	s := InstanceSnapshot{
		ID: in.id, Name: in.cfg.Name, Identity: IdentityOf(in.cfg), Config: in.cfg,
		State: in.state, Wanted: in.wanted, Priority: in.priority, Since: in.since, Source: in.source,
		MasterAddr: in.masterAddr, MasterPriority: in.masterPrio, MasterInterval: in.masterInterval,
		DownInterval: in.downTime(), Skew: in.skewTime(), PreemptAt: in.preemptAt,
		Holding: in.holding, Faults: in.faults, MasterReason: in.reason, OldChecksum: in.oldChecksum,
		IPID: in.ipID, Stats: in.stats, LastSent: in.lastSent, LinkFaults: in.linkFaults(),
		Waiting: in.waiting, Socket: in.socket, Total: int(in.cfg.Priority) + in.contributions(),
	}
	s.Oddities = slices.Clone(in.oddities)
	if in.wake.armed() {
		s.Deadline = in.wake.at
	}
	if in.ah != nil {
		s.AHSequence = in.ah.seq
	}
	if in.hmac != nil {
		s.HMACSequence = in.hmac.sent
	}
	if in.group != nil {
		s.Group = in.group.cfg.Name
	}
	for _, l := range in.links {
		s.Tracked = append(s.Tracked, TrackedSnapshot{What: "interface", Track: l.Track, Up: l.up})
	}
	for _, f := range in.follows {
		s.Tracked = append(s.Tracked, TrackedSnapshot{What: f.key.kind.String(), Track: f.Track,
			Up: f.up, Value: f.value, Unknown: f.unknown})
	}
	return s
}

// linkFaults names the reasons to be in fault that lie with the interface.
func (in *instance) linkFaults() []string {
	var list []string
	if in.link != nil && !in.link.up && !in.cfg.DontTrackPrimary {
		list = append(list, "i/f down")
	}
	if !in.source.IsValid() || in.sourceGone || in.sourceLost() {
		list = append(list, "no source IP address")
	}
	if in.cfg.ConfigFault != "" {
		list = append(list, "config error")
	}
	return list
}

// Restore gives a Router that has not started what its predecessor, killed or
// replaced, was last known to be; the first Reload carries on from it.
// Snapshot.Taken must be when the predecessor was last known to run, on the
// clock of the times given to this Router.
func (r *Router) Restore(now time.Time, s Snapshot) {
	r.restored = nil
	for i := range s.Instances {
		if e := &s.Instances[i]; e.State == Master || e.State == Backup {
			e.age = now.Sub(s.Taken)
			r.restored = append(r.restored, *e)
		}
	}
}

// ahLeap is how far the AH sequence jumps at a restart, so that the successor
// is ahead of what the predecessor may have sent after its last snapshot.
const ahLeap = 1 << 16

// resume puts instances where their predecessors were: a master goes on as
// one unless it was away so long that another has taken over, or something is
// wrong now. The scripts' first results are not waited for, as at a reload.
// Members of a group resume all or none.
func (r *Router) resume(now time.Time) {
	type key struct {
		id   Identity
		name string
	}
	found := map[key]*InstanceSnapshot{}
	for i := range r.restored {
		e := &r.restored[i]
		found[key{e.Identity, e.Name}] = e
	}
	back := map[*instance]bool{}
	for _, in := range r.instances {
		e := found[key{IdentityOf(in.cfg), in.cfg.Name}]
		if e == nil {
			continue
		}
		in.inherit(e)
		away := time.Duration(in.cfg.DownTimerAdverts) * in.cfg.AdvertInterval
		back[in] = in.faults == 0 && e.State == Master && e.age < away
	}
	for _, in := range r.instances {
		all := true
		for _, m := range in.group.membersOr(in) {
			all = all && back[m]
		}
		if !all {
			continue
		}
		in.carryOn(now)
		if in.group != nil {
			in.group.state = Master
		}
	}
	r.restored = nil
}

// inherit takes over the counters of a predecessor.
func (in *instance) inherit(e *InstanceSnapshot) {
	in.stats, in.reason = e.Stats, e.MasterReason
	if in.ah != nil {
		in.ah.seq = e.AHSequence
		if e.State == Master {
			in.ah.seq += ahLeap
		}
	}
	if in.hmac != nil {
		in.hmac.sent = e.HMACSequence
	}
	in.oldChecksum = e.OldChecksum && in.cfg.OldChecksum == OldChecksumAuto
}

// carryOn goes on as the master the predecessor was: nothing is told, the
// addresses are there.
func (in *instance) carryOn(now time.Time) {
	reason := in.reason
	in.waiting = 0
	in.enter(now, Master)
	in.reason = reason
	in.sendAdvert(now, in.priority)
	in.r.info("(%s) Carrying on in MASTER STATE", in.cfg.Name)
	in.wakeAt(now.Add(in.cfg.AdvertInterval))
	in.hold()
	in.startRefresh(now)
	in.r.syncRole(in, true)
}
