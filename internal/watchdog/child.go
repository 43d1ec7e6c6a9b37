package watchdog

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/spare"
)

// issues is where a crash should be reported.
const issues = "https://github.com/keepalived-go/keepalived/issues"

// child is one of the parent's processes.
type child struct {
	role    string
	title   string // in "VRRP child process(9) died"
	pidFile string
	ident   string
	logFile string
	state   *os.File      // what it leaves to its successor
	ask     *control.Conn // nil while it does not run

	starts  int
	wanted  bool // it is to run
	pid     int  // 0: not running
	started time.Time
	died    bool // it has died before, so the next is a successor
	limit   respawn
	due     time.Time        // when a dead one is started again; zero: not waiting
	busy    bool             // it has not said yet that it has read the configuration
	owed    []syscall.Signal // relayed to it meanwhile
}

// start starts the child. Its end is posted to the parent's loop.
func (p *Parent) start(c *child) {
	c.due = time.Time{}
	h := process.Handover{
		Role: c.role, Title: c.title, PIDFile: c.pidFile, Ident: c.ident, LogFile: c.logFile, Respawned: c.died,
		Launched: p.launched,
	}
	d := process.Descriptors{Config: p.archive, Parent: p.alive.r, Ready: p.ready.w, State: c.state}
	switch c.role {
	case process.RoleVRRP:
		d.BFDIn = p.bfdVRRP.r
	case process.RoleChecker:
		d.BFDIn = p.bfdChecker.r
	case process.RoleBFD:
		d.BFDToVRRP, d.BFDToChecker = p.bfdVRRP.w, p.bfdChecker.w
	}
	conn, theirs, err := control.Pair()
	if err != nil {
		log.Err("%v", err)
		c.due = time.Now().Add(time.Second)
		return
	}
	defer theirs.Close()
	d.Control = theirs
	pid, err := p.launch(h, d)
	if err != nil {
		delay, _ := c.limit.next(time.Now(), time.Now())
		c.due = time.Now().Add(max(delay, time.Second))
		log.Alert("cannot start the %s child process: %v - trying again", c.title, err)
		return
	}
	c.pid, c.started, c.busy = pid, time.Now(), true
	c.starts++
	c.connect(conn)
	log.Info("Starting %s child process, pid=%d", c.title, c.pid)
	go func() {
		status := process.Wait(pid)
		p.post(func() { p.exited(c, status) })
	}()
}

// launch makes the spare process the child, or starts one.
func (p *Parent) launch(h process.Handover, d process.Descriptors) (pid int, err error) {
	if h.Role == p.firstRole() {
		if pid, ok := h.ToSpare(d); ok {
			return pid, nil
		}
	}
	env, files, err := h.Env(d)
	if err != nil {
		return 0, err
	}
	files = append([]*os.File{os.Stdin, os.Stdout, os.Stderr}, files...)
	return process.Start(spare.Program(), p.args, append(os.Environ(), env), files)
}

// firstRole is the child that the spare process becomes: VRRP's, which has most
// to gain, or if there will be none the checker.
func (p *Parent) firstRole() string {
	for _, c := range p.children {
		if c.role == process.RoleVRRP && c.wanted {
			return process.RoleVRRP
		}
	}
	return process.RoleChecker
}

// connect replaces the connection over which the child answers questions.
func (c *child) connect(conn net.Conn) {
	if c.ask != nil {
		c.ask.Close()
		c.ask = nil
	}
	if conn != nil {
		c.ask = control.NewConn(conn)
	}
}

// readAhead has the checker read the configuration at the same time as the
// parent: the configurations that take long are those of many servers.
func (c *child) readAhead(seed uint64) {
	if c.ask != nil && c.pid != 0 && c.role == process.RoleChecker {
		c.ask.Tell(control.Request{Get: control.ReadAhead, Seed: seed})
	}
}

// signal sends a signal to the child if it runs.
func (c *child) signal(sig syscall.Signal) {
	if c.pid != 0 {
		_ = syscall.Kill(c.pid, sig)
	}
}

// relay sends a signal, once the child has read its configuration: before that
// it may not have caught it yet, and would end.
func (c *child) relay(sig syscall.Signal) {
	switch {
	case !c.busy:
		c.signal(sig)
	case !slices.Contains(c.owed, sig):
		c.owed = append(c.owed, sig)
	}
}

// hasRead is called when the child has read its configuration.
func (c *child) hasRead() {
	c.busy = false
	for _, sig := range c.owed {
		c.signal(sig)
	}
	c.owed = nil
}

// exited is called when a child has ended.
func (p *Parent) exited(c *child, status syscall.WaitStatus) {
	pid := c.pid
	c.pid, c.busy, c.died = 0, false, true
	c.connect(nil)
	if p.stopping {
		return
	}
	if explain(pid, status) {
		sdNotify(errnoOf(status.ExitStatus()))
		p.end(status.ExitStatus())
		return
	}
	if p.options.DontRespawn {
		log.Alert("%s child process(%d) died: Exiting", c.title, pid)
		p.stop()
		return
	}
	log.Alert("%s child process(%d) died: Respawning", c.title, pid)
	log.Info("  Please log an issue at %s", issues)
	log.Info("  and include a full copy of your keepalived configuration files, and")
	log.Info("  copies of the keepalived system log entries around the time this happened")
	delay, limited := c.limit.next(c.started, time.Now())
	if limited {
		log.Info("Restart of %s process delayed %d seconds to limit respawn rate",
			c.title, int(delay/time.Second))
	}
	c.due = time.Now().Add(delay)
}

// explain logs how a child ended and reports whether that is permanent: a new
// start would end the same way, so the daemon ends (process.md 1.2).
func explain(pid int, status syscall.WaitStatus) (permanent bool) {
	if status.Signaled() {
		switch sig := status.Signal(); sig {
		case syscall.SIGSEGV:
			log.Info("pid %d exited due to segmentation fault (SIGSEGV).", pid)
			log.Info("  Please report a bug at %s", issues)
			log.Info("  and include this log from when keepalived started and your configuration file.")
		case syscall.SIGKILL:
			log.Info("pid %d exited due to signal %d (%s) - has rlimit_rttime been exceeded?", pid, int(sig), signalName(sig))
		default:
			log.Info("pid %d exited due to signal %d (%s)", pid, int(sig), signalName(sig))
		}
		return false
	}
	reason := ""
	switch code := status.ExitStatus(); code {
	case process.ExitOK:
		return false
	case process.ExitFatal:
		reason = "FATAL"
	case process.ExitConfig:
		reason = "CONFIG"
	case process.ExitPermission:
		reason = "missing permission"
	default:
		log.Info("pid %d exited with status %d", pid, code)
		return false
	}
	log.Info("pid %d exited with permanent error %s. Terminating", pid, reason)
	return true
}

// errnoOf is what systemd is told of a permanent error.
func errnoOf(status int) string {
	if status == process.ExitPermission {
		return fmt.Sprintf("ERRNO=%d", int(syscall.EPERM))
	}
	return fmt.Sprintf("ERRNO=%d", int(syscall.EINVAL))
}

// signalName names a signal as the C library does.
func signalName(sig syscall.Signal) string {
	name := sig.String()
	return strings.ToUpper(name[:1]) + name[1:]
}
