package notify

import (
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
)

// Scripts runs notify scripts. Nothing waits for them and their exit status
// means nothing, except that those of a stop are waited for a little. The zero
// value is ready; its methods may be called from any goroutine.
type Scripts struct {
	mu   sync.Mutex
	last map[*script.Process]bool // running scripts of the stop
	idle chan struct{}            // closed when last became empty while Wait waits
}

// Run starts a notify script with extra arguments; a nil command is nothing.
func (s *Scripts) Run(c *script.Command, extra ...string) {
	if c == nil {
		return
	}
	script.Start(*c, func(end script.Status) { complain(*c, end) }, extra...)
}

// RunLast is Run for the scripts of a stop: Wait waits for them.
func (s *Scripts) RunLast(c *script.Command, extra ...string) {
	if c == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[*script.Process]bool{}
	}
	var p *script.Process
	p = script.Start(*c, func(end script.Status) {
		complain(*c, end)
		s.ended(&p)
	}, extra...)
	s.last[p] = true
}

// ended strikes a script out. p points to where RunLast puts it, which is only
// known to be done under the lock: a short script may have ended before.
func (s *Scripts) ended(p **script.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, *p)
	if len(s.last) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// Wait returns when every script of RunLast has ended. Those that still run
// after the given time are killed with their process group.
func (s *Scripts) Wait(within time.Duration) {
	s.mu.Lock()
	if len(s.last) == 0 {
		s.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	s.idle = idle
	s.mu.Unlock()

	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		s.mu.Lock()
		defer s.mu.Unlock()
		for p := range s.last {
			p.Signal(syscall.SIGKILL)
		}
		s.idle = nil
	}
}

func complain(c script.Command, end script.Status) {
	if end.Err != nil {
		log.Alert("%s", script.ExecMessage(c, end.Err))
	}
}

// VRRPArgs are what a generic notify script of an instance or group gets after
// its own arguments. state is MASTER, BACKUP, FAULT, STOP or DELETED; priority
// is the effective one, 0 for a group.
func VRRPArgs(group bool, name, state string, priority int) []string {
	return []string{vrrpKind(group), name, state, strconv.Itoa(priority)}
}

// VRRPLine is the FIFO line for the same. state may also be
// MASTER_RX_LOWER_PRI, MASTER_PRIORITY or BACKUP_PRIORITY.
func VRRPLine(group bool, name, state string, priority int) string {
	return vrrpKind(group) + ` "` + name + `" ` + state + " " + strconv.Itoa(priority)
}

func vrrpKind(group bool) string {
	if group {
		return "GROUP"
	}
	return "INSTANCE"
}

// VirtualServerLine and RealServerLine are the FIFO lines of the checker; the
// names are formatted as in its logs.
func VirtualServerLine(vs string, up bool) string { return "VS " + vs + " " + upDown(up) }

// RealServerLine is the FIFO line for a real server of a virtual server.
func RealServerLine(rs, vs string, up bool) string { return "RS " + rs + " " + vs + " " + upDown(up) }

func upDown(up bool) string {
	if up {
		return "UP"
	}
	return "DOWN"
}
