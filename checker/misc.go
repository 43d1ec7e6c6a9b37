package checker

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// Runner runs the program of a MISC_CHECK. internal/checkd has one.
type Runner interface {
	// Run starts the program and waits for its end. After timeout, or when ctx
	// ends, it takes it and its process group down: SIGTERM, after 2 s SIGKILL.
	Run(ctx context.Context, s *Script, timeout time.Duration) Ended
}

// Ended is how a program ended.
type Ended struct {
	Status   int
	Signal   int // 0: it exited
	TimedOut bool
	Err      error // it could not be started
}

// miscProber is MISC_CHECK.
type miscProber struct {
	check  MiscCheck
	runner Runner
}

// Probe implements Prober.
func (m *miscProber) Probe(ctx context.Context) Result {
	if m.runner == nil {
		return Result{Reason: NoProgram, Text: "nothing runs programs here"}
	}
	e := m.runner.Run(ctx, &m.check.Script, m.check.Timeout)
	switch {
	case ctx.Err() != nil:
		return Result{Reason: Abandoned}
	case errors.Is(e.Err, fs.ErrNotExist), errors.Is(e.Err, fs.ErrPermission), errors.Is(e.Err, unix.ENOEXEC):
		// The program is gone: keepalived's child says so by its exit status.
		return Result{Reason: Exited, Code: 127, Text: e.Err.Error()}
	case e.Err != nil:
		return Result{Reason: NoProgram, Text: e.Err.Error()}
	case e.TimedOut:
		return Result{Reason: ScriptTimeout}
	case e.Signal != 0:
		return Result{Reason: Signalled, Code: e.Signal}
	case e.Status == 0, m.check.Dynamic && e.Status != 1:
		return Result{Reason: OK, Code: e.Status}
	}
	return Result{Reason: Exited, Code: e.Status}
}
