package vrrpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/vrrp"
)

const (
	// saveEvery is the least time between two snapshots, and savePerInstance
	// what each instance adds to it: making one costs some microseconds and a
	// kilobyte for each.
	saveEvery       = 50 * time.Millisecond
	savePerInstance = 200 * time.Microsecond
	// refreshEvery renews the numbers that go up with every advert (the AH and
	// HMAC sequence) when nothing else happens.
	refreshEvery = time.Second
	// staleAfter is how long a process may have been away for its successor to
	// carry on at all; the core looks closer.
	staleAfter = 10 * time.Second
	// headBytes is the room before the snapshot.
	headBytes = 4096
)

// stateFile is where a successor finds what this process knew, when it was
// killed. The first page is mapped: the loop says there that it is alive, which
// costs one store. A snapshot is taken by the loop and written by a goroutine.
//
//	0      8      16                4096
//	| size | alive |                | JSON of the snapshot …
type stateFile struct {
	file    *os.File
	head    []byte // mapped
	due     time.Time
	last    time.Time
	writing atomic.Bool
	refresh bool // some instance has numbers to renew
}

// saved is what follows the head.
type saved struct {
	Wall     time.Time // of the snapshot
	Snapshot vrrp.Snapshot
}

var errNoState = errors.New("nothing was left")

func (s *stateFile) open(f *os.File) error {
	if f == nil {
		return nil
	}
	if st, err := f.Stat(); err != nil {
		return fmt.Errorf("state of the process before: %w", err)
	} else if st.Size() < headBytes {
		if err := f.Truncate(headBytes); err != nil {
			return fmt.Errorf("state of the process before: %w", err)
		}
	}
	head, err := unix.Mmap(int(f.Fd()), 0, headBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map state file: %w", err)
	}
	s.file, s.head = f, head
	return nil
}

func (s *stateFile) size() *uint64  { return (*uint64)(unsafe.Pointer(&s.head[0])) }
func (s *stateFile) alive() *uint64 { return (*uint64)(unsafe.Pointer(&s.head[8])) }

// saveState says that the process lives, and takes a snapshot when something
// changed, not more often than saveEvery.
func (d *daemon) saveState(now time.Time) {
	s := &d.state
	if s.file == nil || d.stopping {
		return
	}
	atomic.StoreUint64(s.alive(), uint64(process.Monotonic(now)))
	every := saveEvery + time.Duration(len(d.cfg.Instances))*savePerInstance
	if s.due.IsZero() {
		switch {
		case d.stateChanged:
			s.due = later(now, s.last.Add(every))
		case s.refresh:
			s.due = later(now, s.last.Add(refreshEvery))
		}
	}
	if d.stateChanged {
		s.due = process.Earliest(s.due, later(now, s.last.Add(every)))
	}
	if s.due.IsZero() || now.Before(s.due) || !s.writing.CompareAndSwap(false, true) {
		return
	}
	if d.stateChanged {
		d.settle()
	}
	d.stateChanged, s.due, s.last = false, time.Time{}, now
	snap := saved{Wall: now, Snapshot: d.router.Snapshot(now)}
	go func() {
		defer s.writing.Store(false)
		if err := s.write(snap); err != nil {
			log.Debug("save state: %v", err)
		}
	}()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// next is when saveState wants to be called. A snapshot that is being written
// calls for no wake-up: the next pass of the loop looks again.
func (s *stateFile) next() time.Time {
	if s.writing.Load() {
		return time.Time{}
	}
	return s.due
}

// write replaces the snapshot. The size comes last, so that a process killed in
// between leaves nothing that looks whole.
func (s *stateFile) write(v saved) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	atomic.StoreUint64(s.size(), 0)
	if _, err := s.file.WriteAt(b, headBytes); err != nil {
		return err
	}
	atomic.StoreUint64(s.size(), uint64(len(b)))
	return nil
}

func (s *stateFile) read() (v saved, away time.Duration, err error) {
	n := atomic.LoadUint64(s.size())
	if n == 0 || n > 256<<20 {
		return v, 0, errNoState
	}
	away = process.Monotonic(time.Now()) - time.Duration(atomic.LoadUint64(s.alive()))
	b := make([]byte, n)
	if _, err := s.file.ReadAt(b, headBytes); err != nil {
		return v, 0, err
	}
	return v, away, json.Unmarshal(b, &v)
}

// clear leaves nothing to carry on: the process ends in order.
func (s *stateFile) clear() {
	if s.file != nil {
		atomic.StoreUint64(s.size(), 0)
	}
}

// restore carries on where a predecessor that was killed has stopped.
func (d *daemon) restore(now time.Time) {
	s := &d.state
	if err := s.open(d.child.State); err != nil {
		log.Info("%v", err)
	}
	if s.file == nil {
		return
	}
	for i := range d.cfg.Instances {
		in := &d.cfg.Instances[i]
		s.refresh = s.refresh || in.Auth.Type == vrrp.AuthAH || in.HMAC != nil
	}
	if !d.child.Respawned {
		return
	}
	v, away, err := s.read()
	switch {
	case errors.Is(err, errNoState) || away < 0 || away > staleAfter:
		return
	case err != nil:
		log.Info("The state of the process before cannot be used: %v", err)
		return
	}
	// Wall clock times become times of this process's clock.
	for i := range v.Snapshot.Instances {
		in := &v.Snapshot.Instances[i]
		for _, t := range []*time.Time{&in.Deadline, &in.PreemptAt, &in.LastSent} {
			if !t.IsZero() {
				*t = now.Add(t.Sub(now.Round(0)))
			}
		}
	}
	v.Snapshot.Taken = now.Add(-away)
	d.router.Restore(now, v.Snapshot)
	d.restored = true
}
