package checkd

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
)

// How long a program that must end is waited for after SIGTERM, and how often
// SIGKILL is repeated for one in uninterruptible sleep.
const (
	termWait   = 2 * time.Second
	killRepeat = 10 * time.Second
)

// programs runs the programs of MISC_CHECKs. Run is called from goroutines of
// the scheduler; set from the loop.
type programs struct {
	commands atomic.Pointer[map[string]*script.Command]
}

var errUnchecked = errors.New("the program is not among those of the configuration")

// programKey says which program is meant, by content: a check's specification
// is a value that is copied.
func programKey(s *checker.Script) string {
	return s.User + "\x00" + s.Group + "\x00" + strings.Join(s.Args, "\x00")
}

// set replaces the programs that may be run.
func (p *programs) set(commands map[string]*script.Command) { p.commands.Store(&commands) }

// Run implements checker.Runner.
func (p *programs) Run(ctx context.Context, s *checker.Script, timeout time.Duration) checker.Ended {
	cmd := (*p.commands.Load())[programKey(s)]
	if cmd == nil {
		return checker.Ended{Err: errUnchecked}
	}
	done := make(chan script.Status, 1)
	proc := script.Start(*cmd, func(st script.Status) { done <- st })
	ended := func(st script.Status) checker.Ended {
		return checker.Ended{Status: st.Code, Signal: st.Signal, Err: st.Err}
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case st := <-done:
		return ended(st)
	case <-ctx.Done():
	case <-limit.C:
	}
	timedOut := ctx.Err() == nil
	pid := proc.PID()
	proc.Signal(unix.SIGTERM)
	for wait := termWait; ; wait = killRepeat {
		limit.Reset(wait)
		select {
		case st := <-done:
			e := ended(st)
			e.TimedOut = timedOut
			return e
		case <-limit.C:
		}
		if wait == killRepeat {
			log.Info("Child (PID %d) failed to terminate after kill", pid)
		}
		proc.Signal(unix.SIGKILL)
	}
}
