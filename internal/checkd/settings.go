package checkd

import (
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// spareFiles is what the process needs beside one socket for each check.
const spareFiles = 64

// settings is what the configuration says about the process itself.
type settings struct {
	nice   bool
	locked bool
	cpus   bool
}

// set applies checker_priority, checker_rt_priority and so on, at the start and
// at each reload.
func (s *settings) set(d *daemon) {
	o := &d.conf.Global.CheckerProcess
	say := func(err error) {
		if err != nil {
			log.Info("%v", err)
		}
	}
	if o.PrioritySet || s.nice {
		say(process.SetNice(o.Priority))
		s.nice = o.PrioritySet
	}
	if len(o.CPUs) > 0 || s.cpus {
		say(process.SetAffinity(o.CPUs))
		s.cpus = len(o.CPUs) > 0
	}
	if o.NoSwap != s.locked {
		if s.locked = o.NoSwap; o.NoSwap {
			say(process.LockMemory())
		} else {
			say(process.UnlockMemory())
		}
	}
	if o.RTPriority > 0 && o.RTLimitSet {
		say(process.SetRealtimeLimit(uint64(o.RTLimit)))
	}
	if o.RTPriority != process.Realtime() {
		say(process.SetRealtime(o.RTPriority))
	}
	checks := 0
	for i := range d.conf.Checker.Services {
		for j := range d.conf.Checker.Services[i].Servers {
			checks += len(d.conf.Checker.Services[i].Servers[j].Checks)
		}
	}
	soft, hard, changed, err := process.ReserveFiles(uint64(checks + spareFiles))
	say(err)
	if changed {
		log.Detailf("Set open file limit to %d:%d.", soft, hard)
	}
}
