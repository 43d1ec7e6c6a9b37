package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// instance is one virtual router on one interface. It has no input or output
// of its own: what it wants done it appends to its Router's effects.
type instance struct {
	r     *Router
	id    ID
	cfg   *InstanceConfig
	group *group

	// Who we are in the election. priority is the effective one.
	state    State
	wanted   State
	priority uint8
	source   netip.Addr // of adverts; invalid = none, then we are in fault
	// sourceGone: the interface has no address any more; source is the last.
	sourceGone  bool
	socketFault bool      // the socket could not be opened
	since       time.Time // of the last change of state
	reason      MasterReason

	// What is known of the master.
	masterAddr     netip.Addr
	masterPrio     uint8
	masterInterval time.Duration // learnt in version 3, else our own
	heardLower     bool          // lower adverts were discarded: a takeover is a preemption

	// When Tick is wanted: Master: the next advert, Backup: the takeover.
	wake     timer
	held     bool      // the deadline was put off once, see stalled
	lastSent time.Time // of an advert
	// preemptAt is the end of a running preempt delay; zero = not started.
	preemptAt time.Time
	// answeredAt is when a lower advert was last answered, see answerGap.
	answeredAt time.Time
	logged     uint64 // bit per once-only line
	trapAt     time.Time
	quietUntil [2]time.Time // of the lines that a stream of adverts repeats

	// Two address owners (vrrp.md 2.6).
	rogue        timer
	rogueSaid    bool
	rogueAdverts int           // own adverts to go before the timer
	rogueEvery   time.Duration // the slower of the two intervals
	reduced      bool          // 255 lowered to 254

	// What the master holds, resolved from the configuration.
	heldAddrs []Held   // addresses, then excluded ones
	targets   []Target // to announce, in the same order
	holding   bool
	filtered  bool
	second    timer
	refresh   timer
	lower     timer
	extra     timer

	// Wire.
	socket      SocketID // 0 = none
	tmpl        template
	ipID        uint16
	ah          *ahState
	hmac        *hmacState
	oldChecksum bool
	checksPeers bool

	// What it follows.
	follows []follow
	links   []linkFollow
	link    *link // configured interface, nil when there is none
	faults  int   // reasons to be in fault, as of the last evaluate
	waiting int   // unweighted scripts without a result
	silent  bool  // in fault without having said so: waiting for scripts

	stats    Stats
	oddities []Oddity
	index    int  // in Router.instances
	seen     bool // during a reload: the new configuration has it
}

// Bounds on what one stream of packets may cause.
const (
	// answerShare: after a forced answer to a lower advert nothing is answered
	// for this share of the interval. The peer has what it needs; a flood of
	// forged adverts gets no amplifier.
	answerShare = 10
	// lateBound is how late a deadline may be handled before we suspect that
	// the process stood still and that packets are waiting unread.
	lateBound = 2 * time.Millisecond
	// stoodStill is how late a Backup must be for its sockets not to be believed
	// at once: adverts may still be on their way into them. Less than that is a
	// busy machine, and waiting would only add to it.
	stoodStill = 50 * time.Millisecond
)

func (in *instance) subject() Subject {
	return Subject{Instance: in.id, Name: in.cfg.Name, Notify: &in.cfg.Notify}
}

// skewTime is our Skew_Time: an owner counts as one even while reduced.
func (in *instance) skewTime() time.Duration {
	p := in.priority
	if in.cfg.Priority == ownerPriority {
		p = ownerPriority
	}
	return skew(in.cfg.Version, p, in.masterInterval)
}

// downTime is our Master_Down_Interval.
func (in *instance) downTime() time.Duration {
	return time.Duration(in.cfg.DownTimerAdverts)*in.masterInterval + in.skewTime()
}

// wakeAt arms the instance's own deadline.
func (in *instance) wakeAt(at time.Time) {
	in.held = false
	in.r.timers.set(&in.wake, at)
}

// restartDown waits a full Master_Down_Interval, from the end of the startup
// delay while that runs.
func (in *instance) restartDown(now time.Time) {
	in.wakeAt(in.r.from(now).Add(in.downTime()))
}

// launching is how long the start of the daemon has taken by now. The first
// Master_Down_Interval counts from the Startup event (RFC 9568, 6.4.1), which to
// those who wait for the router is the daemon's start and not the moment when it
// has read its configuration. No more than one advertisement interval is given
// away, and only of three or more: two must be missed before anybody takes over.
func (in *instance) launching(now time.Time) time.Duration {
	r := in.r
	if !r.first || r.opt.Launched.IsZero() || r.startup.armed() || in.cfg.DownTimerAdverts < 3 {
		return 0
	}
	return min(max(now.Sub(r.opt.Launched), 0), in.masterInterval)
}

// stalled tells whether a deadline is handled so late that adverts may wait
// unread, and puts it off once by a little so that they are received first:
// a process that was stopped must look before it speaks.
func (in *instance) stalled(now time.Time) bool {
	suspect := in.mayBeReplaced(now)
	if in.state != Master {
		suspect = now.Sub(in.wake.at) >= stoodStill
	}
	if in.held || !suspect {
		return false
	}
	in.r.timers.set(&in.wake, now.Add(in.grace()))
	in.held = true
	return true
}

// grace is how long a process that was stopped looks before it speaks.
func (in *instance) grace() time.Duration {
	return min(max(in.cfg.AdvertInterval/8, time.Millisecond), 10*time.Millisecond)
}

// mayBeReplaced tells whether a master's adverts have been missing for so long
// that a backup may have taken over.
func (in *instance) mayBeReplaced(now time.Time) bool {
	return in.state == Master && now.Sub(in.lastSent) >= time.Duration(in.cfg.DownTimerAdverts)*in.cfg.AdvertInterval
}

// tick handles the instance's deadline.
func (in *instance) tick(now time.Time) {
	if in.stalled(now) {
		return
	}
	switch in.state {
	case Backup:
		in.masterDown(now)
	case Master:
		due := in.wake.at
		in.sendAdvert(now, in.priority)
		in.countRogue(now)
		// From the deadline, not from now: no drift. What was missed is not
		// made up.
		every := in.cfg.AdvertInterval
		next := due.Add(every)
		if !next.After(now) {
			next = next.Add(now.Sub(next).Truncate(every) + every)
		}
		in.wakeAt(next)
	}
}

// masterDown is the end of the Master_Down_Interval in Backup.
func (in *instance) masterDown(now time.Time) {
	in.r.detail("(%s) Receive advertisement timeout", in.cfg.Name)
	in.wanted = Master
	if !in.group.mayBecomeMaster(in) {
		in.restartDown(now)
		return
	}
	in.reason = ReasonNoResponse
	switch {
	case in.cfg.Priority == ownerPriority && !in.masterAddr.IsValid():
		in.reason = ReasonPriority
	case in.heardLower:
		in.reason = ReasonPreempted
	}
	in.becomeMaster(now)
	in.group.followMaster(now, in)
}

// becomeMaster takes over (vrrp.md 3.4). On the wire the advert comes first.
func (in *instance) becomeMaster(now time.Time) {
	in.forgetLogged()
	if in.ah != nil && in.ah.cycled {
		in.ah.seq, in.ah.cycled = 0, false
	}
	if in.reduced {
		in.reduced, in.priority = false, ownerPriority
		in.r.info("(%s) Restoring our priority to 255 since other address owner has disappeared", in.cfg.Name)
	}
	in.enter(now, Master)
	in.sendAdvert(now, in.priority)
	in.r.info("(%s) Entering MASTER STATE", in.cfg.Name)
	in.stats.BecameMaster++
	if own := in.cfg.AdvertInterval; in.masterInterval != own {
		in.r.detail("(%s) changing advert interval from %dms to locally configured %dms",
			in.cfg.Name, ms(in.masterInterval), ms(own))
		in.masterInterval = own
	}
	in.wakeAt(now.Add(in.cfg.AdvertInterval))
	in.hold()
	in.announceTakeover(now)
	in.notify(Master)
	in.r.syncRole(in, true)
}

// enter changes the state; only the transitions call it.
func (in *instance) enter(now time.Time, s State) {
	in.state, in.wanted, in.since = s, s, now
	in.silent = false
	if s != Master {
		in.reason = NotMaster
	}
	if s == Fault {
		in.r.timers.stop(&in.wake)
	}
}

// hold sets firewall elements, addresses, routes, rules, in this order.
func (in *instance) hold() {
	in.holdAddrs(in.heldAddrs)
	if len(in.cfg.Routes) > 0 {
		in.emit(HoldRoutes{Instance: in.id, Name: in.cfg.Name, Add: in.cfg.Routes})
	}
	if len(in.cfg.Rules) > 0 {
		in.emit(HoldRules{Instance: in.id, Name: in.cfg.Name, Add: in.cfg.Rules})
	}
	in.holding = true
}

// holdAddrs sets addresses, behind the firewall where it is wanted.
func (in *instance) holdAddrs(add []Held) {
	if in.cfg.NoAccept && len(in.heldAddrs) > 0 && !in.filtered {
		in.r.detail("(%s) setting firewall drop rule", in.cfg.Name)
		in.emit(Filter{Instance: in.id, Name: in.cfg.Name, Add: in.heldAddrs})
		in.filtered = true
	}
	if len(in.cfg.Addresses) > 0 {
		in.r.detail("(%s) setting VIPs.", in.cfg.Name)
	}
	if len(in.cfg.Excluded) > 0 {
		in.r.detail("(%s) setting E-VIPs.", in.cfg.Name)
	}
	if len(add) > 0 {
		in.emit(HoldAddrs{Instance: in.id, Name: in.cfg.Name, Add: add})
	}
}

// release undoes hold, in the order of vrrp.md 3.6. Everything that was still
// to be announced is forgotten.
func (in *instance) release() {
	in.stopAnnouncing()
	if len(in.cfg.Rules) > 0 {
		in.emit(HoldRules{Instance: in.id, Name: in.cfg.Name, Drop: in.cfg.Rules})
	}
	if len(in.cfg.Routes) > 0 {
		in.emit(HoldRoutes{Instance: in.id, Name: in.cfg.Name, Drop: in.cfg.Routes})
	}
	in.dropAddrs(false)
	if in.filtered {
		in.r.detail("(%s) removing firewall drop rule", in.cfg.Name)
		in.emit(Filter{Instance: in.id, Name: in.cfg.Name, Drop: in.heldAddrs})
		in.filtered = false
	}
	in.holding = false
	in.r.syncRole(in, false)
}

// dropAddrs removes the addresses; with force also such as a crash left.
func (in *instance) dropAddrs(force bool) {
	if len(in.cfg.Addresses) > 0 {
		in.r.detail("(%s) removing VIPs.", in.cfg.Name)
	}
	if len(in.cfg.Excluded) > 0 {
		in.r.detail("(%s) removing E-VIPs.", in.cfg.Name)
	}
	if len(in.heldAddrs) > 0 {
		in.emit(HoldAddrs{Instance: in.id, Name: in.cfg.Name, Drop: in.heldAddrs, Force: force})
	}
}

// leaveMaster ends a mastership: release, count, clear the once-only lines.
func (in *instance) leaveMaster() {
	in.release()
	in.stats.ReleasedMaster++
	in.forgetLogged()
	in.r.timers.stop(&in.rogue)
	in.rogueSaid, in.rogueAdverts = false, 0
}

// becomeBackup follows another master, recovers from a fault, or starts over
// after the loss of an address (resign: say so with priority 0).
func (in *instance) becomeBackup(now time.Time, resign bool) {
	in.r.info("(%s) Entering BACKUP STATE", in.cfg.Name)
	was := in.state
	in.enter(now, Backup)
	in.preemptAt, in.heardLower = time.Time{}, false
	if was == Master {
		if resign {
			in.resign(now, 1, true)
		}
		in.leaveMaster()
	}
	in.notify(Backup)
	in.restartDown(now)
}

// becomeFault gives up because the instance itself failed (own) or its group
// did.
func (in *instance) becomeFault(now time.Time, own bool) {
	in.r.info("(%s) Entering FAULT STATE", in.cfg.Name)
	was := in.state
	in.enter(now, Fault)
	if was == Master {
		// keepalived sends it twice when the instance itself failed.
		if own {
			in.resign(now, 2, true)
		} else {
			in.resign(now, 1, false)
		}
		in.leaveMaster()
	}
	in.notify(Fault)
}

// resign sends priority 0. The copies are one logical advert.
func (in *instance) resign(now time.Time, copies int, say bool) {
	for i := range copies {
		in.sendAdvert(now, 0)
		if i > 0 {
			in.stats.Sent--
		}
	}
	in.stats.PrioZeroSent++
	if say {
		in.r.detail("(%s) sent 0 priority", in.cfg.Name)
	}
}

// addrsLost starts over when an address, route or rule was deleted by someone
// else: whoever is ready takes over after its skew time, maybe we again.
func (in *instance) addrsLost(now time.Time) {
	for _, m := range in.group.membersOr(in) {
		if m.state != Master {
			continue
		}
		m.becomeBackup(now, true)
		m.wakeAt(now.Add(m.skewTime()))
	}
	if in.group != nil {
		in.group.state = Backup
	}
}

// notify reports a new state to the outside.
func (in *instance) notify(s State) {
	in.emit(Entered{Subject: in.subject(), State: s, Priority: in.priority, Reason: in.reason})
}

func (in *instance) emit(e Effect) { in.r.out = append(in.r.out, e) }

// sendAdvert sends one logical advert: one packet, or a copy per peer.
func (in *instance) sendAdvert(now time.Time, priority uint8) {
	in.lastSent = now
	in.stats.Sent++
	c := in.cfg
	if !in.source.IsValid() || c.Unicast && len(c.Peers) == 0 {
		return
	}
	t := &in.tmpl
	if !t.valid {
		t.build(c, in.source)
	}
	if in.ipID++; in.ipID == 0 {
		in.ipID = 1
	}
	seq := uint32(0)
	if in.ah != nil {
		seq = in.ah.next()
	}
	a := in.r.freeAdvert()
	a.Instance, a.Name, a.Socket, a.IPv6 = in.id, c.Name, in.socket, c.IPv6
	a.Source, a.Priority, a.HopLimit = in.source, priority, 0
	if c.Unicast && c.IPv6 {
		a.HopLimit = c.UnicastTTL
	}
	n := 1
	if c.Unicast {
		n = len(c.Peers)
	}
	size := len(t.packet) + trailerLen
	a.grow(n, size)
	for i := range n {
		to := c.Destination
		if c.Unicast {
			to = c.Peers[i].Addr
		}
		p := append(a.buf[i*size:i*size], t.packet...)
		in.patch(p, to, priority, seq)
		if in.hmac.signs() {
			if i == 0 { // one signature for all copies
				in.hmac.appendTrailer(in.hmac.trailer[:0], now, in.source, p[t.pdu:])
			}
			p = append(p, in.hmac.trailer[:]...)
			if !c.IPv6 {
				binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
			}
		}
		a.Packets = append(a.Packets, Outgoing{To: to, Bytes: p})
	}
	in.r.out = append(in.r.out, a)
}

// patch fills in what differs from advert to advert and from peer to peer.
func (in *instance) patch(p []byte, to netip.Addr, priority uint8, seq uint32) {
	c, t := in.cfg, &in.tmpl
	p[t.pdu+2] = priority
	if c.IPv6 {
		return // the kernel does the checksum
	}
	sum := t.sum + uint32(priority)<<8
	if c.Version == 3 && !c.ChecksumAsV2 {
		over := to
		if c.Unicast && (in.oldChecksum || c.OldChecksum == OldChecksumAlways) {
			over = in.r.cfg.Group4
		}
		sum += pseudo4(in.source, over, t.pduLen)
	}
	binary.BigEndian.PutUint16(p[t.pdu+6:], fold(sum))
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], in.ipID)
	dst := to.As4()
	copy(p[16:], dst[:])
	if in.ah != nil {
		binary.BigEndian.PutUint32(p[ipHeaderLen+ahSeq:], seq)
		copy(p[ipHeaderLen+ahICV:], in.ah.icv(p, ipHeaderLen, c.Unicast))
	}
}
