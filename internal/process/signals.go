package process

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Signals of the original that have no name in package syscall: SIGRTMIN+2 and
// SIGRTMAX-1 of glibc, which keeps two real-time signals for itself.
const (
	SIGJSON       = syscall.Signal(36)
	SIGSTATSCLEAR = syscall.Signal(63)
)

// CatchSignals takes every signal that does not mean a fault of the program.
// Those that mean nothing to a child are caught too and not ignored, because an
// ignored signal would stay ignored in scripts.
func (c Child) CatchSignals() <-chan os.Signal {
	dieOfFaults()
	to := make(chan os.Signal, 16)
	signal.Notify(to, unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGXCPU,
		SIGJSON, SIGSTATSCLEAR, unix.SIGQUIT, unix.SIGALRM, unix.SIGPIPE, unix.SIGABRT, unix.SIGVTALRM, unix.SIGPROF)
	if c.Options.IgnoreSIGINT {
		signal.Ignore(unix.SIGINT)
	}
	return to
}

// Attend has the loop call handle for every signal, and orphaned when the
// parent has died. It returns at once.
func (c Child) Attend(l *Loop, signals <-chan os.Signal, handle func(now time.Time, s os.Signal), orphaned func(now time.Time)) {
	go func() {
		for s := range signals {
			if !l.Post(func(now time.Time) { handle(now, s) }) {
				return
			}
		}
	}()
	if c.Parent == nil {
		return
	}
	go func() {
		b := make([]byte, 1)
		for {
			if n, err := c.Parent.Read(b); n == 0 || err != nil {
				l.Post(orphaned)
				return
			}
		}
	}()
}
