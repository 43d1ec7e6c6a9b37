package vrrpd

import (
	"runtime/debug"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
)

// settleAfter is when the memory that reading a configuration took is given
// back: after the first adverts, so that it delays none of them.
const settleAfter = 500 * time.Millisecond

// The garbage that is allowed (GOGC): at rest, and while a configuration is read
// and put in force, which makes most of it at once. Collecting it meanwhile would
// hold up the first adverts.
const (
	restingGC = 100
	readingGC = 400
)

// settle gives back to the system what reading a configuration has used and
// nothing needs any more.
func (d *daemon) settle() {
	if d.settling == nil {
		d.settling = time.AfterFunc(settleAfter, func() {
			debug.SetGCPercent(restingGC)
			debug.FreeOSMemory()
		})
	}
	d.settling.Reset(settleAfter)
}

// dumpConf logs the configuration as it was understood, a message a line (-d).
func (d *daemon) dumpConf(now time.Time) {
	if !d.child.Options.DumpConf {
		return
	}
	v := d.report(now, false)
	log.Lines(v.Data())
}
