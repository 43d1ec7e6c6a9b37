package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// backupHears is the effect of a good advert in Backup (vrrp.md 2.4, RFC 9568
// section 6.4.2).
func (in *instance) backupHears(now time.Time, rx *received) {
	a, c := &rx.adv, in.cfg
	if in.reduced && (rx.src != in.masterAddr || a.Priority != ownerPriority) {
		in.reduced = false
		in.r.info("(%s) Restoring our priority to 255 since received advert with lower priority", c.Name)
		in.setPriority(now, ownerPriority, true)
	}
	if a.Priority == 0 {
		in.r.detail("(%s) Backup received priority 0 advertisement", c.Name)
		in.wakeAt(now.Add(in.skewTime()))
		return
	}
	if !c.NoPreempt && a.Priority < in.priority && !in.preemptDelayed(now) {
		in.newMaster(rx.src, false)
		in.heardLower = true
		if in.mayRepeat(now, 0) {
			in.r.info("(%s) received lower priority (%d) advert from %v - discarding", c.Name, a.Priority, rx.src)
		}
		return
	}
	in.newMaster(rx.src, true)
	in.learnInterval(a)
	in.masterPrio, in.heardLower = a.Priority, false
	in.wanted = Backup
	in.restartDown(now)
	if a.Priority >= in.priority || c.NoPreempt {
		in.group.yieldTo(now)
	}
	if c.PreemptDelay == 0 {
		return
	}
	switch {
	case a.Priority < in.priority && in.preemptAt.IsZero():
		in.preemptAt = now.Add(c.PreemptDelay)
		in.r.detail("(%s) start preempt delay (%f)", c.Name, c.PreemptDelay.Seconds())
	case a.Priority >= in.priority && !in.preemptAt.IsZero():
		in.preemptAt = time.Time{}
		in.r.detail("(%s) stop preempt delay", c.Name)
	}
}

// preemptDelayed tells whether a lower master is still put up with.
func (in *instance) preemptDelayed(now time.Time) bool {
	return in.cfg.PreemptDelay > 0 && (in.preemptAt.IsZero() || now.Before(in.preemptAt))
}

// newMaster remembers who is master.
func (in *instance) newMaster(src netip.Addr, accepted bool) {
	if src == in.masterAddr {
		return
	}
	if in.masterAddr.IsValid() {
		in.r.detail("(%s) master changed from %v to %v", in.cfg.Name, in.masterAddr, src)
	} else {
		in.r.detail("(%s) master set to %v", in.cfg.Name, src)
	}
	in.masterAddr = src
	if accepted {
		in.forgetLogged()
	}
}

// learnInterval takes over the master's interval in version 3. An interval of
// 0, which keepalived obeys by taking over at once, counts as the shortest.
func (in *instance) learnInterval(a *Advert) {
	every := max(a.Interval, centisecond)
	if in.cfg.Version != 3 || every == in.masterInterval {
		return
	}
	in.r.detail("(%s) advertisement interval updated from %dms to %dms by master",
		in.cfg.Name, ms(in.masterInterval), ms(every))
	in.masterInterval = every
	in.r.limitDebounce(in)
}

// masterHears is the effect of a good advert in Master (vrrp.md 2.5, RFC 9568
// section 6.4.3). A packet that failed a check never comes here, so that it
// cannot move our timer.
func (in *instance) masterHears(now time.Time, rx *received) {
	a, c := &rx.adv, in.cfg
	if a.Priority == 0 {
		in.r.detail("(%s) Master received priority 0 message", c.Name)
		if in.mayAnswer(now) {
			in.sendAdvert(now, in.priority)
			in.wakeAt(now.Add(c.AdvertInterval))
		}
		return
	}
	if a.Priority == ownerPriority && in.priority == ownerPriority {
		in.otherOwner(now, rx)
	}
	cmp := beats(a.Priority, rx.src, in.priority, in.source)
	switch {
	case cmp == 0:
		if in.mayRepeat(now, 1) {
			in.r.log(LevelWarning, "(%s) WARNING - equal priority advert received from remote host with our IP address.", c.Name)
		}
	case cmp < 0:
		in.hearsLower(now, rx)
	default:
		if c.HigherPrioSendAdvert {
			in.sendAdvert(now, in.priority)
		}
		if a.Priority > in.priority {
			in.r.info("(%s) Master received advert from %v with higher priority %d, ours %d",
				c.Name, rx.src, a.Priority, in.priority)
		} else {
			in.r.info("(%s) Master received advert from %v with same priority %d but higher IP address than ours",
				c.Name, rx.src, a.Priority)
		}
		in.hearsHigher(now, rx)
	}
}

// hearsHigher yields, and the sync group with us.
func (in *instance) hearsHigher(now time.Time, rx *received) {
	if in.cfg.Version == 3 {
		in.learnInterval(&rx.adv)
	}
	in.becomeBackup(now, false)
	in.newMaster(rx.src, true)
	in.masterPrio = rx.adv.Priority
	in.group.followBackup(now, in)
}

// hearsLower asserts our mastership against a lower one.
func (in *instance) hearsLower(now time.Time, rx *received) {
	if in.ah != nil {
		in.ah.seq = max(in.ah.seq, rx.ahSeq+1)
	}
	in.odd(now, OddRival, DropNone, rx.src, func() string {
		return fmt.Sprintf("is master too, with the lower priority %d: it does not hear us", rx.adv.Priority)
	})
	if !in.mayAnswer(now) {
		return
	}
	c, tail := in.cfg, ", forcing new election"
	if c.LowerPrioNoAdvert {
		tail = ""
	}
	in.r.info("(%s) Received advert from %v with lower priority %d, ours %d%s",
		c.Name, rx.src, rx.adv.Priority, in.priority, tail)
	if in.ah != nil {
		in.r.info("(%s) IPSEC-AH : Syncing seq_num - Increment seq", c.Name)
	}
	if !c.LowerPrioNoAdvert {
		in.sendAdvert(now, in.priority)
		in.wakeAt(now.Add(c.AdvertInterval))
	}
	for _, m := range in.group.membersOr(in) {
		m.announceLower(now)
	}
	in.emit(RxLowerPrio{Subject: in.subject(), Priority: in.priority})
}

// mayAnswer bounds how often other routers can make a master speak. What goes
// without an answer brings the next advert forward instead: with AH only one
// with a number above the other's last is heard.
func (in *instance) mayAnswer(now time.Time) bool {
	if now.Before(in.answerGap()) {
		in.hasten(now)
		return false
	}
	in.answeredAt = now
	return true
}

// answerGap is until when lower adverts stay without an answer.
func (in *instance) answerGap() time.Time {
	if in.answeredAt.IsZero() {
		return time.Time{}
	}
	return in.answeredAt.Add(in.cfg.AdvertInterval / answerShare)
}

// hasten brings the next advert forward, as far as answers may follow another.
func (in *instance) hasten(now time.Time) {
	at := in.answerGap()
	if at.Before(now) {
		at = now
	}
	if in.wake.armed() && at.Before(in.wake.at) && !in.cfg.LowerPrioNoAdvert {
		in.wakeAt(at)
	}
}

// mayRepeat bounds a line that every advert of a stream would cause: a peer
// that keeps to the protocol never sends so fast that one is left out.
func (in *instance) mayRepeat(now time.Time, line int) bool {
	if now.Before(in.quietUntil[line]) {
		return false
	}
	in.quietUntil[line] = now.Add(in.cfg.AdvertInterval / answerShare)
	return true
}

// otherOwner handles two address owners (vrrp.md 2.6). The one with the lower
// address yields by the ordinary comparison; the other waits whether the rogue
// stops, and lowers itself if not.
func (in *instance) otherOwner(now time.Time, rx *received) {
	if beats(ownerPriority, rx.src, ownerPriority, in.source) == 0 {
		return
	}
	if in.rogue.armed() {
		in.r.info("(%s) %v is still advertising as address owner, please resolve - reducing our priority", in.cfg.Name, rx.src)
		in.r.timers.stop(&in.rogue)
		in.reduced = true
		in.setPriority(now, ownerPriority-1, true)
		return
	}
	if in.rogueSaid {
		return
	}
	in.rogueSaid = true
	in.r.log(LevelErr, "(%s) CONFIGURATION ERROR: local instance and %v are both configured as address owner, please resolve", in.cfg.Name, rx.src)
	in.rogueAdverts = 2
	in.rogueEvery = max(in.cfg.AdvertInterval, rx.adv.Interval)
}

// countRogue counts own adverts until the other owner must have heard us.
func (in *instance) countRogue(now time.Time) {
	if in.rogueAdverts == 0 {
		return
	}
	if in.rogueAdverts--; in.rogueAdverts == 0 {
		in.r.timers.set(&in.rogue, now.Add(in.rogueEvery*6/5))
	}
}

// rogueGone is the other owner's silence.
func (in *instance) rogueGone() {
	in.rogueSaid = false
	in.r.info("(%s): rogue address owner appears to have stopped advertising", in.cfg.Name)
}
