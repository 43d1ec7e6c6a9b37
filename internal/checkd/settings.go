package checkd

import "github.com/keepalived-go/keepalived/internal/process"

// spareFiles is what the process needs beside one socket for each check.
const spareFiles = 64

// setProcess applies checker_priority, checker_rt_priority and so on, at the
// start and at each reload.
func (d *daemon) setProcess() {
	g := &d.conf.Global
	d.own.SetAuto(g.MaxAutoPriority, g.MinAutoPriorityDelay)
	d.own.Set(process.Wanted(g.CheckerProcess))
	checks := 0
	for i := range d.conf.Checker.Services {
		for j := range d.conf.Checker.Services[i].Servers {
			checks += len(d.conf.Checker.Services[i].Servers[j].Checks)
		}
	}
	process.SetOpenFiles(checks + spareFiles)
}
