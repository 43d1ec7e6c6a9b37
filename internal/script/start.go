package script

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/keepalived-go/keepalived/internal/process"
	"golang.org/x/sys/unix"
)

// queued is how many programs may wait to be forked; a machine that is that
// far behind gains nothing from more.
const queued = 4096

// ErrQueueFull is the Status.Err of a program that was dropped because too
// many others waited to be started.
var ErrQueueFull = errors.New("too many scripts are waiting to be started")

// Process is a program that was handed to Start.
type Process struct {
	mu      sync.Mutex
	pid     int            // 0 until forked, and again once it has been reaped
	pending syscall.Signal // asked for before it was forked
}

type request struct {
	cmd   Command
	extra []string
	proc  *Process
	done  func(Status)
}

var (
	requests    chan request
	spawnerOnce sync.Once
)

// Start runs the command with extra appended to its arguments. It returns at
// once; done is called from another goroutine when the program has ended, or
// could not be started, and must not block for long.
//
// The program leads a process group of its own in /, with /dev/null as
// standard input and outputs, no other descriptor, ordinary scheduling, and
// this process's environment less IFS, LD_PRELOAD and LD_LIBRARY_PATH. It gets
// SIGTERM if this process dies.
func Start(c Command, done func(Status), extra ...string) *Process {
	spawnerOnce.Do(func() {
		requests = make(chan request, queued)
		go onOwnThread(spawner)
	})
	p := &Process{}
	select {
	case requests <- request{c, extra, p, done}:
	default:
		go done(Status{Err: ErrQueueFull})
	}
	return p
}

// Signal sends the signal to the program's process group. Before the program
// has been forked it is kept for then; after its end nothing is sent.
func (p *Process) Signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid > 0 {
		_ = unix.Kill(-p.pid, sig)
	} else {
		p.pending = sig
	}
}

// PID returns the program's process id, 0 before its start and after its end.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// spawner forks everything from one thread that lives as long as the process:
// so the parent-death signal, which watches the forking thread, cannot misfire,
// and the thread's ordinary scheduling is what each program inherits.
func spawner() {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		for r := range requests {
			go r.done(Status{Err: err})
		}
	}
	for r := range requests {
		r.fork(null.Fd())
	}
}

// onOwnThread runs f on a thread of its own that is not the process's first:
// ps, chrt and taskset show that one's scheduling as that of the process.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		f()
		return
	}
	locked := make(chan struct{})
	go func() { // this thread is taken, so another one runs it
		runtime.LockOSThread()
		close(locked)
		f()
	}()
	<-locked
	runtime.UnlockOSThread()
}

// The processors this process was started with, before it changed anything: its
// programs get them back.
var originalCPUs = func() (set unix.CPUSet) {
	_ = unix.SchedGetaffinity(0, &set)
	return set
}()

// ordinaryScheduling takes real-time policy, nice value and CPU set from this
// thread. It is done before each fork, for the process sets them on all its
// threads at any reload.
func ordinaryScheduling() {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 0)
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil && set != originalCPUs {
		_ = unix.SchedSetaffinity(0, &originalCPUs)
	}
}

func (r request) fork(null uintptr) {
	ordinaryScheduling()
	path, argv := r.cmd.argv(r.extra)
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir:   "/",
		Env:   environment(),
		Files: []uintptr{null, null, null},
		Sys: &syscall.SysProcAttr{
			Setpgid:    true,
			Pdeathsig:  syscall.SIGTERM,
			Credential: r.cmd.Cred.change(),
			PidFD:      &pidfd,
		},
	}
	var pid int
	var err error
	process.WithOriginalLimits(func() { pid, err = syscall.ForkExec(path, argv, attr) })
	if err != nil {
		go r.done(Status{Err: err})
		return
	}
	r.proc.mu.Lock()
	r.proc.pid = pid
	if r.proc.pending != 0 {
		_ = unix.Kill(-pid, r.proc.pending)
	}
	r.proc.mu.Unlock()
	go func() { r.done(r.proc.reap(pid, pidfd)) }()
}

// change returns the credentials to take on, nil when they are ours already:
// then no privilege is needed.
func (c Credentials) change() *syscall.Credential {
	own := Own()
	if c.UID == own.UID && c.GID == own.GID && c.Groups == nil {
		return nil
	}
	groups := c.Groups
	if groups == nil {
		groups = []uint32{c.GID}
	}
	return &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: groups}
}

// environment is ours without the variables that change what a program does
// behind its author's back.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "IFS=") || strings.HasPrefix(v, "LD_PRELOAD=") ||
			strings.HasPrefix(v, "LD_LIBRARY_PATH=")
	})
}

// reap waits for the end of the program. With a pidfd the runtime's poller
// waits, which costs no thread; a wait4 per program would.
func (p *Process) reap(pid, pidfd int) Status {
	var ws unix.WaitStatus
	reaped := false
	wait := func(options int) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		got, err := unix.Wait4(pid, &ws, options, nil)
		if reaped = got == pid || errors.Is(err, unix.ECHILD); reaped {
			p.pid = 0 // under the lock: Signal must never reach a recycled id
		}
		return reaped
	}
	if pidfd >= 0 && unix.SetNonblock(pidfd, true) == nil {
		f := os.NewFile(uintptr(pidfd), "pidfd")
		if conn, err := f.SyscallConn(); err == nil {
			_ = conn.Read(func(uintptr) bool { return wait(unix.WNOHANG) })
		}
		f.Close()
	}
	for !reaped {
		// Wait without reaping and without the lock, so that Signal goes on working.
		_ = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		wait(unix.WNOHANG)
	}
	if ws.Signaled() {
		return Status{Signal: int(ws.Signal())}
	}
	return Status{Code: ws.ExitStatus()}
}
