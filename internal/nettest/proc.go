package nettest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopWait is how long a process may take to end after SIGTERM when its test
// ends, before it is killed.
const stopWait = 3 * time.Second

// run runs a program to its end and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := command(exec.Command(name, args...))
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Run runs a program in the namespace to its end and returns what it printed.
// A failure fails the test.
func (ns *NS) Run(name string, args ...string) string {
	ns.t.Helper()
	ns.refuseInitial()
	return run(ns.t, "ip", append([]string{"netns", "exec", ns.Name, name}, args...)...)
}

// TryRun is Run for a program that may fail.
func (ns *NS) TryRun(name string, args ...string) (string, error) {
	ns.t.Helper()
	ns.refuseInitial()
	out, err := command(exec.Command("ip", append([]string{"netns", "exec", ns.Name, name}, args...)...))
	return string(out), err
}

// Proc is a process that runs in a namespace.
type Proc struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when the process has ended
	err  error         // of Wait, after done
}

// ProcOption changes how Start starts a process.
type ProcOption func(*procOptions)

type procOptions struct {
	privateRun bool
	realTime   bool
	env        []string
	dir        string
}

// PrivateRun gives the process an empty /run of its own (a mount namespace), so
// that two daemons with the same default PID files do not meet.
func PrivateRun() ProcOption { return func(o *procOptions) { o.privateRun = true } }

// Env adds variables ("NAME=value") to the environment.
func Env(vars ...string) ProcOption {
	return func(o *procOptions) { o.env = append(o.env, vars...) }
}

// Dir sets the working directory.
func Dir(dir string) ProcOption { return func(o *procOptions) { o.dir = dir } }

// Start starts a program in the namespace. It is stopped (SIGTERM, then
// SIGKILL) when the test ends, or killed if the test's process dies. Its PID is
// the program's own.
func (ns *NS) Start(name string, args ...string) *Proc {
	ns.t.Helper()
	return ns.StartWith(nil, name, args...)
}

// StartWith is Start with options.
func (ns *NS) StartWith(options []ProcOption, name string, args ...string) *Proc {
	ns.t.Helper()
	ns.refuseInitial()
	var o procOptions
	for _, set := range options {
		set(&o)
	}
	argv := []string{"netns", "exec", ns.Name}
	if o.privateRun {
		argv = append(argv, "unshare", "--mount", "sh", "-c",
			`mount -t tmpfs -o mode=755 tmpfs /run && exec "$0" "$@"`)
	}
	out, writer, err := openOutput()
	if err != nil {
		ns.t.Fatalf("output of %s: %v", name, err)
	}
	p := &Proc{t: ns.t, out: out, done: make(chan struct{})}
	p.cmd = exec.Command("ip", append(append(argv, name), args...)...)
	p.cmd.Env = append(os.Environ(), o.env...)
	p.cmd.Dir = o.dir
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// Pdeathsig is bound to the thread that starts the child, so this
		// thread lives as long as the child, and ends with it: it is never
		// unlocked, for it may be a real-time one.
		runtime.LockOSThread()
		if o.realTime {
			_ = realTime(daemonPriority)
		}
		err := p.cmd.Start()
		writer.Close()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			out.finish()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		ns.t.Fatalf("start %s: %v", name, err)
	}
	ns.t.Cleanup(func() {
		p.Stop()
		if ns.t.Failed() {
			ns.t.Logf("output of %s in %s:\n%s", name, ns.Name, p.Output())
		}
	})
	return p
}

// PID is the process id.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Children are the processes that any of its threads has started and nobody has
// waited for.
func (p *Proc) Children() (pids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.PID()))
	for _, path := range tasks {
		b, _ := os.ReadFile(path)
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			pids = append(pids, pid)
		}
	}
	return pids
}

// Output is what the process has written to standard output and error so far.
func (p *Proc) Output() string { return p.out.String() }

// Running reports whether the process has not ended.
func (p *Proc) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone.
func (p *Proc) Signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("signal %v to %d: %v", sig, p.PID(), err)
	}
}

// KillAll sends SIGKILL to the process and everything in its process group at
// once, as a power failure would.
func (p *Proc) KillAll() {
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// Stop ends the process: SIGTERM, then SIGKILL for it and its group.
func (p *Proc) Stop() {
	if p.Running() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}
	select {
	case <-p.done:
	case <-time.After(stopWait):
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// Exited waits for the end of the process and returns its exit status, -1 for a
// signal. The test fails if it does not end in time.
func (p *Proc) Exited(within time.Duration) int {
	p.t.Helper()
	if !Within(within, func() bool { return !p.Running() }) {
		p.t.Fatalf("process %d still runs after %v; output:\n%s", p.PID(), within, p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// WaitOutput waits until the output contains text.
func (p *Proc) WaitOutput(within time.Duration, text string) {
	p.t.Helper()
	if !Within(within, func() bool { return strings.Contains(p.Output(), text) }) {
		p.t.Fatalf("no %q in the output after %v:\n%s", text, within, p.Output())
	}
}

// LogTime waits until a line with text was written after a moment, and returns
// when it came.
func (p *Proc) LogTime(within time.Duration, text string, after time.Time) (at time.Time) {
	p.t.Helper()
	Eventually(p.t, within, fmt.Sprintf("the line %q", text), func() bool {
		at = p.out.lineAfter(text, after)
		return !at.IsZero()
	})
	return at
}
