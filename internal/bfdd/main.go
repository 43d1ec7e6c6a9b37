package bfdd

import (
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/report"
)

// daemon is the BFD process. Everything in it belongs to the loop.
type daemon struct {
	child  process.Child
	loop   *process.Loop
	router *bfd.Router
	conf   *configparse.Config
	load   func() (*configparse.Config, int) // tests have no parent

	own       process.Settings
	reloads   int
	listeners []*listener
	senders   map[string]*sender
	vrrp      *eventPipe
	checker   *eventPipe
	repeatAt  time.Time // when the states are told again

	exitStatus int
}

// Main is the BFD process from its start to its end. It returns the exit
// status.
func Main(c process.Child) int {
	d := newDaemon(c)
	source := host.Source{Child: c, Pass: configparse.BFD, Reader: configparse.Reader{NoServices: true}}
	d.load = func() (*configparse.Config, int) {
		conf, _, status := source.Load(nil)
		return conf, status
	}
	return d.run()
}

func newDaemon(c process.Child) *daemon {
	return &daemon{
		child: c, router: bfd.NewRouter(rand.Uint64()), senders: map[string]*sender{},
		vrrp: newEventPipe(c.BFDToVRRP), checker: newEventPipe(c.BFDToChecker),
	}
}

func (d *daemon) run() int {
	signals := d.child.CatchSignals()
	conf, status := d.load()
	if status >= 0 {
		return status
	}
	var err error
	if d.loop, err = process.NewLoop(d); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	d.router.Detail = log.DetailLevel()
	if !d.adopt(time.Now(), conf) {
		return process.ExitFatal
	}
	if err := control.Serve(d.child.Control, d.answer); err != nil {
		log.Err("%v", err)
	}
	if d.child.Options.DumpConf {
		conf := d.data()
		conf.Brief = true
		log.Lines(conf.Data())
	}
	d.child.Attend(d.loop, signals, d.signal, func(time.Time) { d.loop.Stop() })
	d.loop.Run()
	for _, l := range d.listeners {
		l.close()
	}
	process.LogStopped()
	return d.exitStatus
}

// signal does what a signal asks for.
func (d *daemon) signal(now time.Time, s os.Signal) {
	switch s {
	case unix.SIGHUP:
		d.reload(now)
	case unix.SIGTERM, unix.SIGINT:
		d.loop.Stop()
	case unix.SIGUSR1:
		d.dump()
	case unix.SIGXCPU:
		log.Info("BFD process has used too much CPU time, bfd_rlimit_rttime may need to be increased")
	}
}

// adopt makes a configuration the one in force, at the start and at each
// reload. It reports false if the process cannot do its work.
func (d *daemon) adopt(now time.Time, conf *configparse.Config) bool {
	d.conf = conf
	if name := conf.Global.BFDProcessName; name != "" {
		if err := process.SetName(name); err != nil {
			log.Info("%v", err)
		}
	}
	d.own.SetAuto(conf.Global.MaxAutoPriority, conf.Global.MinAutoPriorityDelay)
	d.own.Set(process.Wanted(conf.Global.BFDProcess))
	if !d.listen(conf.BFD) {
		return false
	}
	d.setSenders(now, conf.BFD)
	d.child.Ready()
	d.router.Reload(now, conf.BFD)
	for name, s := range d.senders {
		if s.fd < 0 {
			d.router.Disable(now, name)
		}
	}
	d.repeatAt = now.Add(repeatStates)
	return true
}

// reload takes the parent's newest configuration; one that cannot be used
// changes nothing.
func (d *daemon) reload(now time.Time) {
	log.Info("Reloading")
	begin := time.Now()
	conf, status := d.load()
	if status >= 0 {
		log.Err("The new configuration cannot be used, the old one stays in force")
		d.child.Ready()
		return
	}
	d.reloads++
	d.save(report.SavedFile(&conf.Global, "bfd", d.reloads, "pre"))
	d.adopt(now, conf)
	d.save(report.SavedFile(&conf.Global, "bfd", d.reloads, "post"))
	log.Info("Reload finished in %d usec", time.Since(begin).Microseconds())
}

// Next implements process.Core.
func (d *daemon) Next() time.Time {
	next := d.repeatAt
	for _, t := range []time.Time{d.router.Next(), d.vrrp.retryAt, d.checker.retryAt, d.nextRetry()} {
		next = process.Earliest(next, t)
	}
	return next
}

// Tick implements process.Core.
func (d *daemon) Tick(now time.Time) {
	if due := d.Next(); !due.IsZero() {
		d.own.Late(now.Sub(due))
	}
	if d.router.Expiring(now) { // a neighbour is heard before it is given up
		for _, l := range d.listeners {
			l.drain(d)
		}
		d.loop.RunQueued()
		now = time.Now()
	}
	d.router.Tick(now)
	d.retrySenders(now)
	if !d.repeatAt.IsZero() && !d.repeatAt.After(now) {
		d.repeatStates()
		d.repeatAt = now.Add(repeatStates)
	}
	d.vrrp.flush(now)
	d.checker.flush(now)
}

// dump writes keepalived_bfd.data. The text is made by the loop, the file is
// written by a goroutine.
func (d *daemon) dump() {
	log.Info("Printing BFD data for process(%d) on signal", os.Getpid())
	d.save(report.DataFile(&d.conf.Global, "_bfd"))
}

// save writes the data to a file, if it has a name.
func (d *daemon) save(name string) {
	if name == "" {
		return
	}
	text := d.data().Data()
	go func() {
		if err := report.WriteFile(name, text); err != nil {
			log.Info("%v", err)
		}
	}()
}

// data is what the dump shows.
func (d *daemon) data() report.BFDProcess {
	out := report.BFDProcess{
		Config: d.conf, In: -1, MultihopIn: -1, Sessions: d.router.Snapshot(), Sockets: map[string]int{},
	}
	for _, l := range d.listeners {
		if l.multihop {
			out.MultihopIn = l.fd
		} else {
			out.In = l.fd
		}
	}
	for name, s := range d.senders {
		out.Sockets[name] = s.fd
	}
	return out
}

// answer answers the operator's question, from a goroutine of its own.
func (d *daemon) answer(r control.Request) (any, error) {
	reply := make(chan []bfd.Snapshot, 1)
	if !d.loop.Post(func(time.Time) { reply <- d.router.Snapshot() }) {
		return nil, os.ErrClosed
	}
	select {
	case snap := <-reply:
		return report.BFDStatus(snap), nil
	case <-d.loop.Done():
		return nil, os.ErrClosed
	}
}
