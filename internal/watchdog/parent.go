package watchdog

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/spare"
)

// pipe is one of the parent's pipes to or between its children.
type pipe struct{ r, w *os.File }

// Parent is the watchdog. Its fields belong to the goroutine of Run.
type Parent struct {
	options process.Options
	args    []string
	pid     int

	reader   configparse.Reader
	reading  reading  // the configuration in force
	archive  *os.File // what the children read
	names    names
	pids     []*process.PIDFile
	control  *control.Server
	began    time.Time
	launched int64 // for the children that start with the daemon (process.Handover)
	saved    int   // copies left in config_save_dir

	children []*child // in the order of starting: checker, VRRP, BFD
	alive    pipe     // the children see its end when this process dies
	ready    pipe     // the children say here that they have read the configuration

	bfdVRRP, bfdChecker pipe

	signals chan os.Signal
	caught  chan struct{} // closed when signals come to signals

	events   chan func()
	stopping bool
	ended    bool
	status   int

	waiting  string // "Startup complete" or "Reload complete", when all children are ready
	queued   bool   // a reload was asked for while children were busy
	schedule schedule
	heap     process.Heap
}

// run is the parent from the moment its configuration is read. It returns the
// daemon's exit status.
func (p *Parent) run() int {
	defer p.release()
	p.began = time.Now()
	if err := p.prepare(); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	<-p.caught
	p.startupScript()
	for _, c := range p.children {
		if c.wanted {
			p.start(c)
		}
	}
	p.launched = 0
	catchOthers()
	go p.listenReady()
	spare.Drop() // if the configuration has no use for it
	p.waiting = "Startup complete"
	p.listenControl()
	p.heap.Rest()
	p.saveConfig()
	p.reading.archive = nil // the children's file has it
	p.planReload()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !p.ended {
		select {
		case f := <-p.events:
			f()
		case sig := <-p.signals:
			p.handle(sig.(syscall.Signal))
		case <-timer.C:
		}
		p.tick(time.Now())
		timer.Reset(time.Until(p.next()))
	}
	return p.status
}

// prepare makes what the children inherit.
func (p *Parent) prepare() error {
	p.events = make(chan func(), 64)
	for _, dst := range []*pipe{&p.alive, &p.ready, &p.bfdVRRP, &p.bfdChecker} {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("make a pipe for the children: %w", err)
		}
		*dst = pipe{r, w}
	}
	var err error
	if p.archive, err = p.archiveFile(); err != nil {
		return err
	}
	p.children = p.table()
	for _, c := range p.children {
		if c.state, err = process.MemoryFile("keepalived/"+c.role, nil); err != nil {
			return err
		}
	}
	return nil
}

// archiveFile makes the file that the children read, in memory or where
// tmp_config_directory says.
func (p *Parent) archiveFile() (*os.File, error) {
	if dir := p.reading.config.Global.TmpConfigDir; dir != "" {
		return process.TemporaryFile(dir, p.reading.archive)
	}
	return process.MemoryFile("keepalived/configuration", p.reading.archive)
}

// catch takes the signals that mean something (process.md 3.1). Each costs two
// wake-ups of a thread, so it goes on beside what comes before the children.
func (p *Parent) catch() {
	signal.Notify(p.signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2,
		process.SIGJSON, process.SIGSTATSCLEAR)
	if p.options.IgnoreSIGINT {
		signal.Ignore(syscall.SIGINT)
	}
	close(p.caught)
}

// catchOthers takes and drops every other signal that does not report a fault of
// the program itself: one that was ignored would stay ignored in the children
// and in scripts.
func catchOthers() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGQUIT, syscall.SIGALRM, syscall.SIGPIPE, syscall.SIGABRT,
		syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGPOLL, syscall.SIGSTKFLT, syscall.SIGPWR)
}

func (p *Parent) handle(sig syscall.Signal) {
	switch sig {
	case syscall.SIGTERM, syscall.SIGINT:
		p.stop()
	case syscall.SIGHUP:
		p.reload()
	case syscall.SIGUSR1:
		p.dump()
		p.relay(sig)
	case syscall.SIGUSR2, process.SIGJSON, process.SIGSTATSCLEAR:
		p.relay(sig)
	}
}

// relay sends a signal on to the children that write the files it asks for:
// all dump their data, only the VRRP child has statistics and JSON.
func (p *Parent) relay(sig syscall.Signal) {
	for _, c := range p.children {
		if sig == syscall.SIGUSR1 || c.role == process.RoleVRRP {
			c.relay(sig)
		}
	}
}

func (p *Parent) post(f func()) { p.events <- f }

// listenReady counts the children's reports.
func (p *Parent) listenReady() {
	b := make([]byte, 1)
	for {
		if _, err := p.ready.r.Read(b); err != nil {
			return
		}
		letter := b[0]
		p.post(func() {
			for _, c := range p.children {
				if c.role[0] == letter {
					c.hasRead()
				}
			}
			p.settle()
		})
	}
}

// settle says that a start or a reload is complete once every child has read
// the configuration, and then takes up a reload that had to wait.
func (p *Parent) settle() {
	if p.stopping || p.waiting == "" {
		return
	}
	for _, c := range p.children {
		if c.busy {
			return
		}
	}
	log.Info("%s", p.waiting)
	p.waiting = ""
	p.heap.Rest()
	sdNotify(fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid()))
	if p.queued {
		p.queued = false
		log.Detailf("Processing queued reload")
		p.reload()
	}
}

// next is when the loop has something to do without an event.
func (p *Parent) next() time.Time {
	next := time.Now().Add(time.Hour)
	for _, c := range p.children {
		if !c.due.IsZero() {
			next = earlier(next, c.due)
		}
	}
	if p.reading.config.Global.ReloadTimeFile != "" {
		next = earlier(next, time.Now().Add(time.Second))
	}
	if at := p.schedule.at; !at.IsZero() {
		next = earlier(next, at)
	}
	return next
}

// tick starts the children whose time has come.
func (p *Parent) tick(now time.Time) {
	if p.stopping {
		return
	}
	for _, c := range p.children {
		if !c.due.IsZero() && !now.Before(c.due) {
			p.start(c)
		}
	}
	p.settle()
	if at := p.schedule.at; !at.IsZero() && !now.Before(at) {
		p.reloadOnTime()
	}
	p.planReload()
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
