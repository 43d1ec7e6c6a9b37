package checkd

import (
	"fmt"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/log"
)

// Apply implements process.Core: it carries out the pool's effects in order. The
// lines about them can wait until the kernel's table is as it should be.
func (d *daemon) Apply(now time.Time) {
	release := log.Hold()
	for {
		effects := d.pool.Drain()
		if len(effects) == 0 {
			break
		}
		for _, e := range effects {
			d.effect(now, e)
		}
	}
	release()
	if !d.stopping {
		d.state.save(now, d.pool.Revision(), d.pool.AppendState)
	}
}

func (d *daemon) effect(now time.Time, e checker.Effect) {
	switch e := e.(type) {
	case checker.Log:
		if e.Detail {
			log.Detailf("%s", e.Text)
		} else {
			log.Info("%s", e.Text)
		}
	case checker.Changed:
		d.changed(now, e.Service)
	case checker.Start, checker.Pause, checker.Forget:
		d.sched.Apply(e)
	case checker.ServerNotice:
		d.snmp.server(d, e)
		d.tell.server(d, e)
	case checker.QuorumNotice:
		d.snmp.quorum(d, e)
		d.tell.quorum(d, e)
	case checker.Mail:
		d.tell.send(d, e)
	default:
		panic(fmt.Sprintf("checkd: unknown effect %T", e))
	}
}

// changed makes the kernel's table what the pool wants, for one virtual server
// or for all.
func (d *daemon) changed(now time.Time, id checker.ServiceID) {
	if id != (checker.ServiceID{}) {
		d.table.setPart(now, d.pool.WantFor(id))
		return
	}
	if d.stopping && d.conf.Global.LVSFlushOnStop && !d.conf.Global.LVSFlushOnStopVS {
		d.table.flush(now)
		return
	}
	// New services are there before packets are marked for them.
	d.table.set(now, d.pool.Want())
	d.marks.set(d)
}
