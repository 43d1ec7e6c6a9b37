package vrrpd

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/vrrp"
)

// stallLimit is how late a deadline may be before the process hears its
// sockets first and only then acts on deadlines: peers may have said meanwhile
// that they are master now. perSocket is what looking costs for each.
const (
	stallLimit = time.Millisecond
	perSocket  = 2 * time.Microsecond
)

// gather is the least distance of two ticks for each instance: with many, what
// is due shortly after the other goes out with it, in one call for each socket.
// A thousand instances with adverts every 10 ms then take 4,000 wake-ups a
// second and not 100,000, and none is late by more than a quarter millisecond.
const gather = 250 * time.Nanosecond

// daemon is the VRRP process. Everything in it belongs to the loop, except
// where a field says otherwise.
type daemon struct {
	child   process.Child
	signals <-chan os.Signal
	loop    *process.Loop
	kernel  Kernel
	watch   *kernel.Watcher
	worker  *worker // runs beside the loop; see job

	source  host.Source
	reloads int
	conf    *configparse.Config
	cfg     *vrrp.Config // conf.VRRP with what the kernel adds
	cmds    commands
	router  *vrrp.Router
	ticked  time.Time // when deadlines were last looked at

	links       *linkTable
	sockets     map[vrrp.SocketID]*socketSlot
	socketOrder []vrrp.SocketID
	in          batch
	out         outbox
	jobs        []job // of this pass, for the worker

	statics statics
	track   trackers
	tell    teller
	snmp    snmp
	ann     announcer
	syncd   syncDaemon
	wall    firewall
	vmacs   vmacs
	beat    linkBeat
	bfd     map[string]bool // sessions as last told
	sched   scheduling

	state        stateFile
	stateChanged bool
	restored     bool // goes on for a process that was killed

	settling   *time.Timer
	stopping   bool
	exitStatus int
}

// Main is the VRRP process from its start to its end. It returns the exit
// status.
func Main(c process.Child) int {
	return newDaemon(c).run()
}

func newDaemon(c process.Child) *daemon {
	d := &daemon{child: c, links: newLinkTable(), sockets: map[vrrp.SocketID]*socketSlot{}, bfd: map[string]bool{}}
	d.source = host.Source{Child: c, Pass: configparse.VRRP, Adapt: d.adaptEnv, Reader: configparse.Reader{NoServices: true}}
	return d
}

func (d *daemon) run() int {
	if status := d.start(); status >= 0 {
		return status
	}
	d.child.Attend(d.loop, d.signals, d.signal, d.stop)
	go d.readBFD()
	d.loop.Run()
	return d.finish()
}

// signal does what a signal asks for.
func (d *daemon) signal(now time.Time, s os.Signal) {
	switch s {
	case unix.SIGHUP:
		d.reload(now)
	case unix.SIGTERM, unix.SIGINT:
		d.stop(now)
	case unix.SIGUSR1:
		d.dumpData(now)
	case process.SIGJSON:
		d.dumpJSON(now)
	case unix.SIGUSR2:
		d.dumpStats(now, false)
	case process.SIGSTATSCLEAR:
		d.dumpStats(now, true)
	case unix.SIGXCPU:
		log.Info("VRRP process has used too much CPU time, vrrp_rlimit_rttime may need to be increased")
	}
}

// Next implements process.Core.
func (d *daemon) Next() time.Time {
	next := d.router.Next()
	if !next.IsZero() {
		next = later(next, d.ticked.Add(time.Duration(len(d.cfg.Instances))*gather))
	}
	if !d.stopping {
		next = process.Earliest(next, d.track.next())
		next = process.Earliest(next, d.state.next())
	}
	return next
}

// Tick implements process.Core.
func (d *daemon) Tick(now time.Time) {
	if due := d.router.Next(); !due.IsZero() {
		if late := now.Sub(due); late >= 0 {
			d.sched.note(late)
			if late > stallLimit+time.Duration(len(d.socketOrder))*perSocket {
				d.drainSockets(now)
				now = time.Now()
			}
		}
	}
	d.ticked = now
	d.router.Tick(now)
	if !d.stopping {
		d.track.tick(now)
	}
}

// stop resigns everywhere and undoes what was set (vrrp.md 3.8).
func (d *daemon) stop(now time.Time) {
	if d.stopping {
		return
	}
	d.stopping = true
	d.child.Respawned = false
	keep := d.child.Options.DontReleaseVRRP
	d.track.stop()
	d.router.Stop(now, keep)
	d.Apply(now)
	d.stopSync(now) // after the daemon has become that of a backup
	d.statics.remove(d)
	d.Apply(now)
	d.setSockets(now, nil)
	d.state.clear()
	if !keep {
		d.vmacs.close(d)
	}
	d.after(-1, d.wall.close)
	d.worker.put(d.jobs)
	d.jobs = nil
	// What is queued for the worker ends with the STOP notifications.
	d.worker.put([]job{{instance: -1, do: func() {
		d.post(func(time.Time) { d.loop.Stop() })
	}}})
}

// stopWait is how long running notify scripts are waited for at a stop.
const stopWait = time.Second

// finish undoes what the process has set up outside, after the loop has ended.
func (d *daemon) finish() int {
	if d.watch != nil {
		d.watch.Close()
	}
	d.worker.close()
	d.track.close()
	d.beat.close()
	d.vmacs.restore()
	d.tell.close(stopWait)
	d.snmp.agent.Close(stopWait)
	process.LogStopped()
	return d.exitStatus
}
