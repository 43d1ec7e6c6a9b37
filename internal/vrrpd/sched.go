package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/report"
)

// openFiles is what the process needs beside two sockets for each instance.
const openFiles = 64

// scheduling is what the configuration says about the process itself, and how
// late its deadlines were. It belongs to the loop.
type scheduling struct {
	locked  bool
	auto    int // priority reached by max_auto_priority
	autoMax int

	late lateness
}

// set applies vrrp_priority, vrrp_rt_priority and so on, after the
// configuration was read and at each reload.
func (s *scheduling) set(d *daemon) {
	o := &d.conf.Global.VRRPProcess
	say := func(err error) {
		if err != nil {
			log.Info("%v", err)
		}
	}
	if o.PrioritySet {
		say(process.SetNice(o.Priority))
	}
	if len(o.CPUs) > 0 {
		say(process.SetAffinity(o.CPUs))
	}
	if o.NoSwap != s.locked {
		if s.locked = o.NoSwap; o.NoSwap {
			say(process.LockMemory())
		} else {
			say(process.UnlockMemory())
		}
	}
	s.autoMax = d.conf.Global.MaxAutoPriority
	if o.RTPriority > 0 && o.RTLimitSet {
		say(process.SetRealtimeLimit(uint64(o.RTLimit)))
	}
	if s.auto = 0; o.RTPriority != process.Realtime() {
		say(process.SetRealtime(o.RTPriority))
	}
	soft, hard, changed, err := process.ReserveFiles(uint64(2*len(d.cfg.Instances) + openFiles))
	say(err)
	if changed {
		log.Detailf("Set open file limit to %d:%d.", soft, hard)
	}
}

// note takes in how late a deadline was. Above min_auto_priority_delay it is
// said, and the real-time priority is raised if max_auto_priority allows.
func (s *scheduling) note(d *daemon, late time.Duration) {
	s.late.add(late)
	limit := d.conf.Global.MinAutoPriorityDelay
	if limit <= 0 {
		limit = time.Second
	}
	if late < limit {
		return
	}
	log.Info("A thread timer expired %d.%06d seconds ago", late/time.Second, late%time.Second/time.Microsecond)
	now := process.Realtime()
	if s.autoMax <= 0 || now >= s.autoMax {
		return
	}
	if err := process.SetRealtime(now + 1); err != nil {
		log.Info("%v", err)
		s.autoMax = 0
		return
	}
	log.Info("Set realtime priority %d", now+1)
}

// lateness is a histogram of how late deadlines were handled.
type lateness struct {
	Count   uint64
	Max     time.Duration
	Buckets [len(lateBounds) + 1]uint64
}

// lateBounds are the upper ends of the histogram's buckets.
var lateBounds = [...]time.Duration{
	100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
	2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, time.Second,
}

func (l *lateness) add(late time.Duration) {
	l.Count++
	l.Max = max(l.Max, late)
	for i, b := range lateBounds {
		if late <= b {
			l.Buckets[i]++
			return
		}
	}
	l.Buckets[len(lateBounds)]++
}

// status is the histogram in short.
func (l *lateness) status() *report.Lateness {
	s := &report.Lateness{Count: l.Count, Worst: l.Max.String()}
	for i, n := range l.Buckets {
		if i == len(lateBounds) || lateBounds[i] > 10*time.Millisecond {
			s.Late += n
		}
	}
	return s
}
