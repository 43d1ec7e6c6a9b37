package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
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
	d.reloads++
	d.saveData(now, report.SavedFile(&conf.Global, "vrrp", d.reloads, "pre"))
	d.adopt(time.Now(), conf, false)
	d.sched.set(d)
	d.saveData(now, report.SavedFile(&conf.Global, "vrrp", d.reloads, "post"))
}

// saveData leaves the data in a file of config_save_dir, if there is one.
func (d *daemon) saveData(now time.Time, path string) {
	if path == "" {
		return
	}
	v := d.report(now, true)
	text := v.Data()
	go func() { writeDump(path, text) }()
}
