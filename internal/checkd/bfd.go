package checkd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// readBFD is the goroutine that takes the states of the BFD sessions to
// the servers.
func (d *daemon) readBFD() {
	if d.child.BFDIn == nil {
		return
	}
	known := map[string]bool{} // this goroutine's
	err := process.ReadBFDEvents(d.child.BFDIn, func(e process.BFDEvent) {
		if up, ok := known[e.Session]; ok && e.Repeat && up == e.Up {
			return
		}
		known[e.Session] = e.Up
		log.Detailf("Received BFD event: instance %s is in state %s (delivered in %d usec)",
			e.Session, e.State(), e.Delay().Microseconds())
		d.loop.Post(func(now time.Time) { d.pool.BFD(now, e.Session, e.Up) })
	})
	if err != nil {
		log.Err("%v", err)
	}
}
