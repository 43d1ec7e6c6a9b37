package bfdd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

const (
	// repeatStates is how often the states are told again, for readers that
	// were started anew.
	repeatStates = 2 * time.Second
	// retryPipe is how long after a full pipe it is tried again.
	retryPipe = 100 * time.Millisecond
)

// Apply implements process.Core: it does what the sessions want.
func (d *daemon) Apply(now time.Time) {
	for _, e := range d.router.Drain() {
		switch e := e.(type) {
		case *bfd.Send:
			d.send(now, e)
		case bfd.Changed:
			event := process.BFDEvent{Session: e.Session, Up: e.Up}
			if e.ToVRRP {
				d.vrrp.write(now, event)
			}
			if e.ToChecker {
				d.checker.write(now, event)
			}
		case bfd.Log:
			switch e.Level {
			case bfd.LevelErr:
				log.Err("%s", e.Text)
			case bfd.LevelWarning:
				log.Warning("%s", e.Text)
			default:
				log.Info("%s", e.Text)
			}
		default:
			panic(fmt.Sprintf("unknown effect %T", e))
		}
	}
}

// repeatStates tells the states again, unless something newer waits.
func (d *daemon) repeatStates() {
	for _, s := range d.router.Snapshot() {
		event := process.BFDEvent{Session: s.Config.Name, Up: s.Local == bfd.Up, Repeat: true}
		if s.Config.ToVRRP {
			d.vrrp.repeat(event)
		}
		if s.Config.ToChecker {
			d.checker.repeat(event)
		}
	}
}

// eventPipe writes events to another child. If that does not read, only the
// newest state of each session is kept. A nil pipe takes nothing.
type eventPipe struct {
	fd      int
	pending []process.BFDEvent
	retryAt time.Time
}

func newEventPipe(f *os.File) *eventPipe {
	p := &eventPipe{fd: -1}
	if f != nil {
		p.fd = int(f.Fd())
		_ = unix.SetNonblock(p.fd, true)
	}
	return p
}

func (p *eventPipe) write(now time.Time, e process.BFDEvent) {
	if p.fd < 0 {
		return
	}
	p.pending = slices.DeleteFunc(p.pending, func(old process.BFDEvent) bool { return old.Session == e.Session })
	p.pending = append(p.pending, e)
	p.retryAt = now
	p.flush(now)
}

// flush writes what waits, as far as there is room.
func (p *eventPipe) flush(now time.Time) {
	if p.retryAt.IsZero() || p.retryAt.After(now) {
		return
	}
	p.retryAt = time.Time{}
	for len(p.pending) > 0 {
		_, err := unix.Write(p.fd, p.pending[0].Stamp().Append(nil))
		switch {
		case errors.Is(err, unix.EAGAIN):
			p.retryAt = now.Add(retryPipe)
			return
		case err != nil:
			log.Err("Sending BFD events: %v", err)
		}
		p.pending = p.pending[1:]
	}
}

// repeat writes an event that may be lost.
func (p *eventPipe) repeat(e process.BFDEvent) {
	if p.fd >= 0 && len(p.pending) == 0 {
		_, _ = unix.Write(p.fd, e.Stamp().Append(nil))
	}
}
