package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/report"
)

// openFiles is what the process needs beside two sockets for each instance.
const openFiles = 64

// scheduling is what the configuration says about the process itself, and how
// late its deadlines were. It belongs to the loop.
type scheduling struct {
	process.Settings
	late lateness
}

// set applies vrrp_priority, vrrp_rt_priority and so on, after the
// configuration was read and at each reload.
func (s *scheduling) set(d *daemon) {
	g := &d.conf.Global
	s.SetAuto(g.MaxAutoPriority, g.MinAutoPriorityDelay)
	s.Set(process.Wanted(g.VRRPProcess))
	process.SetOpenFiles(2*len(d.cfg.Instances) + openFiles)
}

// note takes in how late a deadline was.
func (s *scheduling) note(late time.Duration) {
	s.late.add(late)
	s.Late(late)
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
		b := report.LateBucket{Count: n}
		if i < len(lateBounds) {
			b.UpTo = lateBounds[i].String()
		}
		s.Histogram = append(s.Histogram, b)
		if i == len(lateBounds) || lateBounds[i] > 10*time.Millisecond {
			s.Late += n
		}
	}
	return s
}
