package vrrpd

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

const (
	// saveEvery is the least time between two snapshots of a process with many
	// instances: making one costs some microseconds for each.
	saveEvery = 100 * time.Millisecond
	// staleAfter is how old a snapshot may be for a successor to carry on.
	staleAfter = 10 * time.Second
)

// stateFile is where a successor finds what this process knew, when it was
// killed. A snapshot is taken by the loop and written by a goroutine.
type stateFile struct {
	file    *os.File
	due     time.Time
	last    time.Time
	writing atomic.Bool
}

// saved is the content of the file, after its length.
type saved struct {
	Taken    time.Time
	Snapshot vrrp.Snapshot
}

// saveState writes a snapshot when something changed, not more often than
// saveEvery.
func (d *daemon) saveState(now time.Time) {
	s := &d.state
	if s.file == nil || d.stopping {
		return
	}
	if d.stateChanged && s.due.IsZero() {
		s.due = now
		if wait := s.last.Add(saveEvery); wait.After(now) {
			s.due = wait
		}
	}
	if s.due.IsZero() || now.Before(s.due) || !s.writing.CompareAndSwap(false, true) {
		return
	}
	d.stateChanged, s.due, s.last = false, time.Time{}, now
	snap := saved{Taken: now, Snapshot: d.router.Snapshot(now)}
	go func() {
		defer s.writing.Store(false)
		if err := writeState(s.file, snap); err != nil {
			log.Debug("save state: %v", err)
		}
	}()
}

func (s *stateFile) next() time.Time { return s.due }

// writeState replaces the content. The length comes last, so that a process
// killed in between leaves nothing that looks whole.
func writeState(f *os.File, v saved) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var head [8]byte
	if _, err := f.WriteAt(head[:], 0); err != nil {
		return err
	}
	if _, err := f.WriteAt(b, int64(len(head))); err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(head[:], uint64(len(b)))
	_, err = f.WriteAt(head[:], 0)
	return err
}

func readState(f *os.File) (v saved, err error) {
	var head [8]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return v, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n == 0 || n > 64<<20 {
		return v, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, int64(len(head))); err != nil {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}

// clear leaves nothing to carry on: the process ends in order.
func (s *stateFile) clear() {
	if s.file != nil {
		var head [8]byte
		_, _ = s.file.WriteAt(head[:], 0)
	}
}

// restore carries on where a predecessor that was killed has stopped.
func (d *daemon) restore(now time.Time) {
	d.state.file = d.child.State
	if d.state.file == nil || !d.child.Respawned {
		return
	}
	v, err := readState(d.state.file)
	switch {
	case errors.Is(err, io.EOF):
		return
	case err != nil:
		log.Info("The state of the process before cannot be used: %v", err)
		return
	case now.Sub(v.Taken) > staleAfter || now.Before(v.Taken):
		return
	}
	log.Info("Carrying on where the process before has stopped")
	// The times were written by the wall clock; from here on the monotonic one
	// counts.
	for i := range v.Snapshot.Instances {
		in := &v.Snapshot.Instances[i]
		for _, t := range []*time.Time{&in.Deadline, &in.PreemptAt} {
			if !t.IsZero() {
				*t = now.Add(t.Sub(now.Round(0)))
			}
		}
	}
	d.router.Restore(now, v.Snapshot)
}
