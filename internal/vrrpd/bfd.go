package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// readBFD takes in what the BFD process says about its sessions.
func (d *daemon) readBFD() {
	if d.child.BFDIn == nil {
		return
	}
	err := process.ReadBFDEvents(d.child.BFDIn, func(e process.BFDEvent) {
		d.loop.Post(func(now time.Time) { d.bfdEvent(now, e) })
	})
	if err != nil {
		log.Info("%v", err)
	}
}

func (d *daemon) bfdEvent(now time.Time, e process.BFDEvent) {
	if !e.Repeat {
		log.Detailf("Received BFD event: instance %s is in state %s (delivered in %d usec)",
			e.Session, e.State(), e.Delay().Microseconds())
	}
	d.bfd[e.Session] = e.Up
	d.router.BFDChanged(now, e.Session, e.Up)
}
