package checkd

import (
	"math/rand/v2"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/internal/track"
	"github.com/keepalived-go/keepalived/ipvs"
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
		d.heap.Rest()
		d.child.Ready()
		return
	}
	d.reloads++
	d.saveData(report.SavedFile(&conf.Global, "check", d.reloads, "pre"))
	d.adopt(now, conf, false)
	d.saveData(report.SavedFile(&conf.Global, "check", d.reloads, "post"))
}

// adopt makes a configuration the one in force: at the start, and at each
// reload. The order is that of the original's visible effects (checkers.md
// 1.1).
func (d *daemon) adopt(now time.Time, conf *configparse.Config, first bool) {
	before := d.ipvsNamespaceOf(first)
	d.conf = conf
	g := &conf.Global
	for _, n := range conf.Unused {
		log.Detailf("(%s: Line %d) %s", n.File, n.Line, n.Text)
	}
	if g.CheckerProcessName != "" {
		if err := process.SetName(g.CheckerProcessName); err != nil {
			log.Info("%v", err)
		}
	}
	d.cmds.check(conf)
	d.programs.set(d.cmds.misc)
	d.openTable(now, first, before)
	d.lvs.set(d)
	d.setProcess()
	d.tell.set(d)
	d.snmp.set(d)
	d.addrs.set(d, now)
	if first && g.LVSFlush {
		d.table.flush(now)
	}
	d.setTLS()
	d.ping.set(&conf.Checker)
	d.trackFiles(now, first)
	known := first && d.takeOver(now)
	if !known {
		d.pool.Load(now, &conf.Checker, d.poolOptions())
	}
	if first {
		d.table.adopt(now, d.pool.Want())
	}
	if first && !known {
		d.pool.Left(now, d.table.list())
	}
	d.Apply(now)
	d.guard.rest(now, 0)
	d.child.Ready()
	if first && d.child.Options.DumpConf {
		log.Lines(d.data())
	}
	d.heap.Rest()
}

func (d *daemon) ipvsNamespaceOf(first bool) string {
	if first {
		return ""
	}
	return d.ipvsNamespace()
}

// openTable connects to the kernel, at a reload only if it is not connected or
// should be elsewhere.
func (d *daemon) openTable(now time.Time, first bool, before string) {
	if d.table.k == nil && !d.needsTable() {
		return // the module need not be loaded
	}
	if first {
		log.Debug("Initializing ipvs")
	} else {
		log.Debug("Reinitializing ipvs")
	}
	ns := d.ipvsNamespace()
	if !first && before != ns && d.table.k != nil {
		d.table.set(now, nil) // what is ours in the old place goes
		d.table.close()
		d.kernel = nil
	}
	d.guard.netns = ns
	if d.table.k == nil {
		d.table.open(now)
	}
}

// needsTable tells whether the configuration has something for IPVS: timeouts,
// sync daemons and lvs_flush also where no virtual server is left of it, because
// none has a real server.
func (d *daemon) needsTable() bool {
	g := &d.conf.Global
	_, sync := d.ownSync()
	return len(d.conf.Checker.Services) > 0 || g.LVSTimeouts != configparse.LVSTimeouts{} || sync || g.LVSFlush
}

// retryTable tries again what the kernel refused or did not have.
func (d *daemon) retryTable(now time.Time) {
	d.table.retry = time.Time{}
	want := d.pool.Want()
	if d.table.k == nil {
		d.kernel = nil
		if !d.table.open(now) {
			return
		}
		d.table.adopt(now, want)
		d.lvs.set(d)
	}
	d.table.set(now, want)
	d.guard.rest(now, 0)
}

// seen takes what the guard has read.
func (d *daemon) seen(now time.Time, changes uint64, dump []ipvs.Service, _ time.Duration) {
	if d.stopping {
		return
	}
	if !d.table.compare(now, changes, dump) {
		d.guard.at = now.Add(guardAgain)
	}
}

// trackFiles watches the files of FILE_CHECKs and tells the pool their values.
func (d *daemon) trackFiles(now time.Time, first bool) {
	var list []track.File
	for _, f := range d.conf.CheckerFiles {
		list = append(list, track.File{Name: f.Name, Path: f.Path, Create: f.Init, Init: int64(f.InitValue), Overwrite: f.Overwrite})
	}
	values, missing := d.files.Set(list, first)
	for _, m := range missing {
		log.Info("Directory of tracked file %s does not exist: it is not tracked", m)
	}
	for _, v := range values {
		d.pool.File(now, v.Name, int64(v.Value))
	}
}

func (d *daemon) poolOptions() checker.Options {
	g := &d.conf.Global
	o := checker.Options{
		RouterID: g.RouterID, InitNotifies: g.RSInitNotifies, NoCheckerEmails: g.NoCheckEmails,
		Random: rand.Float64,
	}
	if g.RandomSeedSet {
		o.Random = rand.New(rand.NewPCG(uint64(g.RandomSeed), 0)).Float64
	}
	switch {
	case g.LVSFlushOnStopVS:
		o.FlushOnStop = checker.FlushServices
	case g.LVSFlushOnStop:
		o.FlushOnStop = checker.FlushAll
	}
	if g.NFTablesIPVS != "" {
		o.FirstMark = g.NFTablesIPVSMark
	}
	return o
}
