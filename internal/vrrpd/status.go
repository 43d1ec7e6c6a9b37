package vrrpd

import (
	"fmt"
	"runtime"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
)

// answerOperator serves the questions that come through the parent.
func (d *daemon) answerOperator() {
	if err := control.Serve(d.child.Control, control.FromLoop(d.loop.TryPost, d.status)); err != nil {
		log.Info("no status will be available: %v", err)
	}
}

// status is what an operator may know. It shares nothing that the loop changes.
func (d *daemon) status(now time.Time) report.Status {
	s := report.StatusOf(d.report(now, true), now)
	s.Lateness = d.sched.late.status()
	s.Goroutines = runtime.NumGoroutine()
	s.Warnings = append(s.Warnings, d.cmds.disabled...)
	for _, l := range []struct {
		what string
		n    uint64
	}{{"SNMP notifications", d.snmp.agent.Lost()}, {"D-Bus signals", d.tell.bus.Lost()}, {"mails", d.tell.mail.Lost()}} {
		if l.n > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%d %s were lost since the start", l.n, l.what))
		}
	}
	return s
}
