package checkd

import (
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/track"
	"github.com/keepalived-go/keepalived/ipvs"
)

// stopWait is how long scripts and mails of a stop are waited for.
const stopWait = time.Second

// restingGC is the garbage that the process allows itself: checks allocate next
// to nothing, so a tight heap costs no time.
const restingGC = 50

// daemon is the checker process. Everything in it belongs to the loop, except
// where a field says otherwise.
type daemon struct {
	child process.Child
	loop  *process.Loop

	conf  *configparse.Config
	cmds  commands
	pool  *checker.Pool
	sched *checker.Scheduler
	files *track.Files

	table  *table
	guard  *guard
	kernel *ipvs.Kernel // the table's, for what is not services; nil: no IPVS
	lvs    lvsState     // timeouts and sync daemons

	addrs    addresses
	marks    marks
	ping     pingRange
	programs programs
	tell     teller
	snmp     snmp
	meter    *meter // for other goroutines
	own      process.Settings
	heap     process.Heap
	source   host.Source
	ahead    atomic.Pointer[host.Ahead] // of a reload that the parent has not decided yet
	reloads  int
	state    stateFile // for a successor

	stopping bool
}

// Main is the checker process from its start to its end. It returns the exit
// status.
func Main(c process.Child) int {
	d := &daemon{child: c, pool: checker.NewPool(), meter: newMeter(), heap: process.Heap{Percent: restingGC}}
	d.source = host.Source{Child: c, Pass: configparse.Checker, Adapt: adaptEnv}
	signals := c.CatchSignals()
	if status := d.start(); status >= 0 {
		return status
	}
	c.Attend(d.loop, signals, d.signal, d.orphaned)
	go d.readBFD()
	go d.answerOperator()
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
		d.dumpData()
	case unix.SIGXCPU:
		log.Info("Healthcheck process has used too much CPU time, checker_rlimit_rttime may need to be increased")
	}
}

// Next implements process.Core.
func (d *daemon) Next() time.Time {
	if d.stopping {
		return time.Time{}
	}
	next := process.Earliest(d.sched.Next(), process.Earliest(d.table.retry, d.state.next(d.pool.Revision())))
	if d.table.k != nil {
		next = process.Earliest(next, d.guard.next())
	}
	return next
}

// Tick implements process.Core.
func (d *daemon) Tick(now time.Time) {
	if d.stopping {
		return
	}
	// Only a check can be late: what is due since its last time, such as writing
	// down the state, is due at once when there is something to write.
	if due := d.sched.Next(); !due.IsZero() {
		d.own.Late(now.Sub(due))
	}
	d.sched.Tick(now)
	if at := d.table.retry; !at.IsZero() && !now.Before(at) {
		d.retryTable(now)
	}
	if d.table.k != nil {
		d.guard.tick(now, d.table.changes)
	}
}

// stop takes the virtual servers down and ends the loop (checkers.md 3.8).
func (d *daemon) stop(now time.Time) {
	if d.stopping {
		return
	}
	d.stopping = true
	d.state.clear()
	d.sched.Close()
	if !d.child.Options.DontReleaseIPVS {
		d.pool.Stop()
		d.Apply(now)
		d.lvs.stop(d)
		d.marks.close()
	}
	d.loop.Stop()
}

// orphaned ends the process and leaves the kernel's table: the daemon that is
// started next takes it over, and no connection is lost meanwhile.
func (d *daemon) orphaned(time.Time) {
	if d.stopping {
		return
	}
	log.Info("The parent process has died, stopping; the IPVS table stays for the next start")
	d.stopping = true
	d.sched.Close()
	d.loop.Stop()
}

// finish undoes what the process has set up outside, after the loop has ended.
func (d *daemon) finish() int {
	close(d.guard.ask)
	d.addrs.close()
	d.ping.restore()
	d.tell.close(stopWait)
	d.snmp.agent.Close(stopWait)
	d.meter.close()
	d.table.close()
	process.LogStopped()
	return process.ExitOK
}
