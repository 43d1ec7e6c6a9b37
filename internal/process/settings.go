package process

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
)

// Wanted is what the configuration says about how one process runs: vrrp_priority,
// checker_rt_priority, bfd_no_swap and so on. It has the fields of
// configparse.ProcessOptions, so that one converts into the other.
type Wanted struct {
	Priority    int // nice value
	PrioritySet bool
	NoSwap      bool
	RTPriority  int    // 1..99, 0 = off
	RTLimit     uint32 // RLIMIT_RTTIME, microseconds; 0 = default
	RTLimitSet  bool
	CPUs        []int // empty = all
}

// Settings is what was done about it. The zero value is a process as it was
// started.
type Settings struct {
	nice, cpus, locked, limited, realtime bool

	autoMax  int           // max_auto_priority; 0 or less: never
	autoFrom time.Duration // min_auto_priority_delay
}

// Set makes the process as the configuration wants it, at the start and at each
// reload. What cannot be done is logged.
func (s *Settings) Set(o Wanted) {
	say := func(err error) {
		if err != nil {
			log.Info("%v", err)
		}
	}
	if o.PrioritySet || s.nice {
		say(SetNice(o.Priority))
		s.nice = o.PrioritySet
	}
	if len(o.CPUs) > 0 || s.cpus {
		say(SetAffinity(o.CPUs))
		s.cpus = len(o.CPUs) > 0
	}
	if o.NoSwap != s.locked {
		if s.locked = o.NoSwap; o.NoSwap {
			say(LockMemory())
		} else {
			say(UnlockMemory())
		}
	}
	if limit := o.RTPriority > 0 && o.RTLimitSet; limit {
		say(SetRealtimeLimit(uint64(o.RTLimit)))
		s.limited = true
	} else if s.limited {
		say(SetRealtimeLimit(unlimited))
		s.limited = false
	}
	// A policy that the service manager gave stays if nothing else is wanted.
	if (o.RTPriority > 0 || s.realtime) && o.RTPriority != Realtime() {
		say(SetRealtime(o.RTPriority))
	}
	s.realtime = o.RTPriority > 0
}

// SetAuto takes max_auto_priority (0 or less: never) and
// min_auto_priority_delay (0: a second).
func (s *Settings) SetAuto(most int, from time.Duration) {
	if from <= 0 {
		from = time.Second
	}
	s.autoMax, s.autoFrom = most, from
}

// Late takes in how late a deadline was. Above min_auto_priority_delay it is
// said, and the real-time priority is raised by one if max_auto_priority allows.
func (s *Settings) Late(late time.Duration) {
	if s.autoFrom <= 0 || late < s.autoFrom {
		return
	}
	log.Info("A thread timer expired %d.%06d seconds ago", late/time.Second, late%time.Second/time.Microsecond)
	now := Realtime()
	if s.autoMax <= 0 || now >= s.autoMax {
		return
	}
	if err := SetRealtime(now + 1); err != nil {
		log.Info("%v", err)
		s.autoMax = 0
		return
	}
	s.realtime = true // until the next reload
	log.Info("Set realtime priority %d", now+1)
}

// SetOpenFiles makes room for want open files and says so if there was not.
func SetOpenFiles(want int) {
	soft, hard, changed, err := ReserveFiles(uint64(want))
	if err != nil {
		log.Info("%v", err)
	}
	if changed {
		log.Detailf("Set open file limit to %d:%d.", soft, hard)
	}
}
