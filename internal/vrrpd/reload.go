package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
)

// reload takes the parent's newest configuration. What is the same in both
// goes on undisturbed. A configuration that cannot be used changes nothing.
func (d *daemon) reload(now time.Time) {
	if d.stopping {
		return
	}
	log.Info("Reloading")
	conf, status := d.load()
	if status >= 0 {
		log.Err("The new configuration cannot be used, the old one stays in force")
		d.child.Ready()
		return
	}
	d.adopt(time.Now(), conf, false)
	d.sched.set(d)
}
