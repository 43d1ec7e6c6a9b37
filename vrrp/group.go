package vrrp

import (
	"slices"
	"time"
)

// group is a sync group: its members change state together (vrrp.md 5.9). A
// nil group is an instance on its own.
type group struct {
	r       *Router
	cfg     *GroupConfig
	members []*instance
	state   State
}

// membersOr returns the members, or the instance alone.
func (g *group) membersOr(in *instance) []*instance {
	if g == nil {
		return []*instance{in}
	}
	return g.members
}

// hasMaster tells whether any member is master. While others are not, a reload
// has put members together that were apart: those that are not master join
// when their timer expires, or bring the others down when they hear a better
// router (see yieldTo).
func (g *group) hasMaster() bool {
	return g != nil && slices.ContainsFunc(g.members, func(m *instance) bool { return m.state == Master })
}

// mayBecomeMaster tells whether a member whose timer expired can take over:
// all others must want to, unless the group is master already.
func (g *group) mayBecomeMaster(in *instance) bool {
	if g == nil || g.state == Master || g.hasMaster() {
		return true
	}
	for _, m := range g.members {
		if m != in && m.wanted != Master {
			return false
		}
	}
	return true
}

// followMaster brings the other members after in, which has taken over.
func (g *group) followMaster(now time.Time, in *instance) {
	if g == nil || g.state == Master {
		return
	}
	if slices.ContainsFunc(g.members, func(m *instance) bool { return m != in && m.state == Master }) {
		if g.computeState() == Master { // the last one has joined
			g.enter(Master)
		}
		return
	}
	g.r.info("VRRP_Group(%s) Syncing instances to MASTER state", g.cfg.Name)
	g.state = Master
	for _, m := range g.members {
		if m != in && m.state == Backup {
			m.reason = in.reason
			m.becomeMaster(now)
		}
	}
	g.notify(Master)
}

// followBackup brings the other members after in, which heard a higher advert
// or recovered. No priority 0 is sent: somebody is master.
func (g *group) followBackup(now time.Time, in *instance) {
	if g == nil || g.state == Backup {
		return
	}
	g.r.info("VRRP_Group(%s) Syncing instances to BACKUP state", g.cfg.Name)
	g.state = Backup
	for _, m := range g.members {
		if m != in && m.state != Backup {
			m.becomeBackup(now, false)
		}
	}
	g.notify(Backup)
}

// yieldTo is called when a member in Backup heard a router that it yields to:
// members that are still master yield with it, and say so, since that router
// need not know of them.
func (g *group) yieldTo(now time.Time) {
	if !g.hasMaster() {
		return
	}
	g.r.info("VRRP_Group(%s) Syncing instances to BACKUP state", g.cfg.Name)
	for _, m := range g.members {
		if m.state == Master {
			m.becomeBackup(now, true)
		}
	}
	g.enter(Backup)
}

// recovered brings the other members out of fault after in, or lets in join
// those that are master.
func (g *group) recovered(now time.Time, in *instance) {
	if !g.hasMaster() {
		g.followBackup(now, in)
		return
	}
	for _, m := range g.members {
		if m.state == Fault {
			m.becomeBackup(now, false)
		}
	}
}

// followFault pulls the other members down with in.
func (g *group) followFault(now time.Time, in *instance) {
	if g == nil || g.state == Fault {
		return
	}
	g.r.info("VRRP_Group(%s) Syncing instances to FAULT state", g.cfg.Name)
	g.state = Fault
	for _, m := range g.members {
		if m != in && m.state != Fault {
			m.becomeFault(now, false)
		}
	}
	g.notify(Fault)
}

// healthy tells whether every member is free of faults and of scripts without
// a result.
func (g *group) healthy(in *instance) bool {
	for _, m := range g.membersOr(in) {
		if m.faults > 0 || m.waiting > 0 {
			return false
		}
	}
	return true
}

// notify reports a new state of the group.
func (g *group) notify(s State) {
	g.r.out = append(g.r.out, Entered{Subject: g.subject(), State: s})
}

func (g *group) subject() Subject {
	return Subject{Instance: -1, Group: true, Name: g.cfg.Name, Notify: &g.cfg.Notify}
}

// computeState is the state that the members' states amount to. One that waits
// for its scripts has no say yet.
func (g *group) computeState() State {
	s := Master
	for _, m := range g.members {
		switch {
		case m.state == Fault && !m.silent:
			return Fault
		case m.state == Backup:
			s = Backup
		}
	}
	return s
}
