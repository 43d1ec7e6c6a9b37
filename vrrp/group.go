package vrrp

import "time"

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

// mayBecomeMaster tells whether a member whose timer expired can take over:
// all others must want to, unless the group is master already.
func (g *group) mayBecomeMaster(in *instance) bool {
	if g == nil || g.state == Master {
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

// computeState is the state that the members' states amount to.
func (g *group) computeState() State {
	s := Master
	for _, m := range g.members {
		switch m.state {
		case Fault:
			return Fault
		case Backup:
			s = Backup
		}
	}
	return s
}
