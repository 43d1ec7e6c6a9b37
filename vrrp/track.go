package vrrp

import (
	"slices"
	"time"
)

// objectKind tells tracked objects apart.
type objectKind uint8

const (
	objectScript objectKind = iota
	objectFile
	objectProcess
	objectBFD
)

func (k objectKind) String() string {
	return [...]string{"script", "file", "process", "bfd"}[k]
}

type objectKey struct {
	kind objectKind
	name string
}

// object is the state of a tracked script, file, process or BFD session. It
// outlives a reload.
type object struct {
	key     objectKey
	up      bool
	unknown bool // a script without a result
	value   int  // a file's number
	before  int  // the last one that meant no fault
	users   []*instance
}

// follow is an object an instance follows.
type follow struct {
	*object
	Track
}

// linkFollow is an interface an instance follows.
type linkFollow struct {
	*link
	Track
}

// fault tells whether the object keeps the instance in fault.
func (f follow) fault() bool {
	switch {
	case f.unknown:
		return false
	case f.key.kind == objectFile && f.Weight != 0:
		return fileStatus(f.Track, f.value) == fileFault
	case f.key.kind == objectFile:
		return (f.value != 0) != f.Reverse
	}
	return f.Weight == 0 && f.up == f.Reverse
}

// add is what the object adds to the priority.
func (f follow) add() int {
	switch {
	case f.unknown || f.Weight == 0:
		return 0
	case f.key.kind == objectFile:
		// keepalived leaves the priority as it is while a number means fault.
		for _, n := range []int{f.value, f.before} {
			if s := fileStatus(f.Track, n); s != fileFault {
				return s
			}
		}
		return 0
	}
	return contribution(f.Track, f.up)
}

// object returns a tracked object, making it when it was never heard of: a
// script without a result, a file with number 0, everything else down.
func (r *Router) object(kind objectKind, name string) *object {
	k := objectKey{kind, name}
	o := r.objects[k]
	if o == nil {
		o = &object{key: k, unknown: kind == objectScript}
		r.objects[k] = o
	}
	return o
}

// TrackChanged takes the state of a script, file or process. Before the first
// Reload it only remembers it.
func (r *Router) TrackChanged(now time.Time, e TrackEvent) {
	o := r.object(objectKind(e.Kind), e.Name)
	was := *o
	o.up, o.value, o.unknown = e.Up, e.Value, e.Unknown
	if was.up == o.up && was.value == o.value && was.unknown == o.unknown {
		return
	}
	if o.key.kind == objectFile && !o.meansFault(was.value) {
		o.before = was.value
	}
	for _, in := range o.users {
		if o.key.kind == objectFile {
			in.fileChanged(now, o, was.value)
		}
		in.evaluate(now)
	}
}

// meansFault tells whether a file's number keeps an instance in fault.
func (o *object) meansFault(n int) bool {
	return slices.ContainsFunc(o.users, func(in *instance) bool {
		return slices.ContainsFunc(in.follows, func(f follow) bool {
			return f.object == o && f.Weight != 0 && fileStatus(f.Track, n) == fileFault
		})
	})
}

// BFDChanged takes the state of a BFD session.
func (r *Router) BFDChanged(now time.Time, name string, up bool) {
	o := r.object(objectBFD, name)
	if o.up == up {
		return
	}
	o.up = up
	word := "DOWN"
	if up {
		word = "UP"
	}
	for _, in := range o.users {
		r.info("VRRP_Instance(%s) Tracked BFD instance %s is %s", in.cfg.Name, name, word)
		in.evaluate(now)
	}
}

// fileChanged says when a file's number moves the instance into or out of
// fault. Leaving, keepalived sets the priority silently.
func (in *instance) fileChanged(now time.Time, o *object, before int) {
	for _, f := range in.follows {
		if f.object != o {
			continue
		}
		old := f
		prev := *o
		prev.value = before
		old.object = &prev
		switch {
		case f.fault() && !old.fault():
			in.r.detail("(%s): tracked file %s now FAULT state", in.cfg.Name, o.key.name)
		case !f.fault() && old.fault():
			in.r.detail("(%s): tracked file %s leaving FAULT state", in.cfg.Name, o.key.name)
			if p := in.computePriority(); p != in.priority {
				if o.value != 0 {
					in.r.detail("(%s) Setting effective priority to %d", in.cfg.Name, p)
				}
				in.setPriority(now, p, false)
			}
		}
	}
}

// computePriority is vrrp.md 5.1. An owner lowered because of another owner
// stays lowered.
func (in *instance) computePriority() uint8 {
	if in.reduced {
		return ownerPriority - 1
	}
	return effectivePriority(in.cfg.Priority, in.contributions())
}

// contributions is the sum of what everything followed adds.
func (in *instance) contributions() (sum int) {
	for _, f := range in.follows {
		sum += f.add()
	}
	for _, l := range in.links {
		if l.Weight != 0 {
			sum += contribution(l.Track, l.up)
		}
	}
	return sum
}

// setPriority changes the effective priority, and says so. In Backup the
// takeover moves by the difference of the skew times, whatever part of the wait
// is over.
func (in *instance) setPriority(now time.Time, p uint8, say bool) {
	if p == in.priority {
		return
	}
	if say {
		in.r.info("(%s) Changing effective priority from %d to %d", in.cfg.Name, in.priority, p)
	}
	before := in.skewTime()
	in.priority = p
	if in.state == Backup && in.wake.armed() {
		held := in.held
		in.wakeAt(in.wake.at.Add(in.skewTime() - before))
		in.held = held
	}
	if say && (in.cfg.Notify.PriorityChanges || in.group != nil && in.group.cfg.Notify.PriorityChanges) {
		in.emit(PriorityChanged{Subject: in.subject(), State: in.state, Priority: p})
	}
}

// countFaults counts the reasons to be in fault and the scripts that have no
// result yet.
func (in *instance) countFaults() (faults, pending int) {
	if in.cfg.ConfigFault != "" {
		faults++
	}
	for _, f := range in.follows {
		if f.fault() {
			faults++
		}
		if f.unknown && f.Weight == 0 {
			pending++
		}
	}
	for _, l := range in.links {
		if l.Weight == 0 && l.up == l.Reverse {
			faults++
		}
	}
	if !in.source.IsValid() || in.sourceGone || in.sourceLost() {
		faults++
	}
	if in.socketFault {
		faults++
	}
	return faults, pending
}

// evaluate looks at everything the instance follows and moves it into or out
// of fault and its priority to where it belongs.
func (in *instance) evaluate(now time.Time) {
	if in.state == Init {
		return // start does it
	}
	in.faults, in.waiting = in.countFaults()
	if in.state != Fault {
		in.waiting = 0 // a new script of a running instance: wait for its word
	}
	switch {
	case in.faults > 0 && in.state != Fault:
		in.becomeFault(now, true)
		in.group.followFault(now, in)
	case in.faults > 0 && in.silent:
		// The first result of a script is a failure: told, but not logged.
		in.silent = false
		in.notify(Fault)
		in.group.toldFault(now, in)
	}
	in.setPriority(now, in.computePriority(), true)
	if in.state == Fault && in.faults == 0 && in.waiting == 0 {
		in.recover(now)
	}
}

// recover leaves fault when the last reason is gone, also the group's last.
func (in *instance) recover(now time.Time) {
	if !in.group.healthy(in) {
		return
	}
	for _, m := range in.group.membersOr(in) {
		m.masterInterval = m.cfg.AdvertInterval
	}
	in.becomeBackup(now, false)
	in.group.recovered(now, in)
	for _, m := range in.group.membersOr(in) {
		m.announceSource()
	}
}

// toldFault makes a group that waited for scripts say FAULT once, or pulls
// down one that in was to join.
func (g *group) toldFault(now time.Time, in *instance) {
	if g == nil || g.state == Fault {
		return
	}
	if slices.ContainsFunc(g.members, func(m *instance) bool { return m.state != Fault }) {
		g.followFault(now, in)
		return
	}
	g.state = Fault
	g.notify(Fault)
}

// SetBasePriority changes the configured priority of an instance until the next
// reload, as an operator can by SNMP (1 to 254). An owner's stays. It reports
// whether there is such an instance.
func (r *Router) SetBasePriority(now time.Time, id ID, p uint8) bool {
	for _, in := range r.instances {
		if in.id != id || in.cfg.Priority == ownerPriority || p == 0 || p == ownerPriority {
			continue
		}
		r.info("(%s) base priority changed from %d to %d via SNMP.", in.cfg.Name, in.cfg.Priority, p)
		c := *in.cfg // others may be reading the old one
		c.Priority = p
		in.cfg = &c
		in.evaluate(now)
		return true
	}
	return false
}
