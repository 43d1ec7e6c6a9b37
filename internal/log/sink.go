package log

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// queueLines bounds what waits for one destination. Two thousand instances
// that all change state at once log some 8000 lines.
const queueLines = 16384

// heldLines is how many lines Hold keeps back: a start with thousands of
// instances must not fill the queue.
const heldLines = 64

// entry is a line with what syslog needs beside it.
type entry struct {
	Line
	facility int
	pid      int
	ident    string
}

// writer is one kind of destination. Its methods may block; they are called
// from one goroutine only. write may keep lines back until flush. Both report
// how many lines are lost.
type writer interface {
	write(entry) (lost int)
	flush() (lost int)
	close()
}

// sink is a bounded queue and the goroutine that empties it into a writer.
type sink struct {
	to      writer
	dropped atomic.Uint64 // ever
	done    chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // guards what follows
	wake    sync.Cond
	lines   []entry
	writing bool // the goroutine holds lines that are not written yet
	closed  bool
	said    uint64 // part of dropped that was already reported
}

func startSink(w writer) *sink {
	s := &sink{to: w, done: make(chan struct{})}
	s.wake.L = &s.mu
	go s.run()
	return s
}

func (s *sink) put(e entry) {
	s.mu.Lock()
	if len(s.lines) >= queueLines || s.closed {
		s.dropped.Add(1)
	} else {
		s.lines = append(s.lines, e)
		if held.Load() == 0 || len(s.lines) > heldLines {
			s.wake.Broadcast()
		}
	}
	s.mu.Unlock()
}

// start wakes the goroutine if lines were held back.
func (s *sink) start() {
	s.mu.Lock()
	if len(s.lines) > 0 {
		s.wake.Broadcast()
	}
	s.mu.Unlock()
}

func (s *sink) run() {
	defer close(s.done)
	var spare []entry
	for {
		s.mu.Lock()
		s.writing = false
		s.wake.Broadcast()
		for len(s.lines) == 0 && !s.closed {
			s.wake.Wait()
		}
		batch := s.lines
		if len(batch) == 0 {
			s.mu.Unlock()
			s.to.close()
			return
		}
		s.lines, s.writing = spare[:0], true
		s.mu.Unlock()
		for _, e := range batch {
			s.emit(e)
		}
		s.dropped.Add(uint64(s.to.flush()))
		clear(batch)
		if spare = batch; cap(spare) > 1024 {
			spare = nil // a burst must not be paid for ever after
		}
	}
}

// emit writes one line and, when lines were lost before it, says how many.
func (s *sink) emit(e entry) {
	if lost := s.dropped.Load(); lost > s.said {
		s.dropped.Add(uint64(s.to.flush())) // so that what follows tells of the notice alone
		notice := e
		notice.Level = LevelWarning
		notice.Text = fmt.Sprintf("%d log messages lost: the log was not read fast enough", lost-s.said)
		if s.to.write(notice)+s.to.flush() == 0 {
			s.said = lost
		}
	}
	s.dropped.Add(uint64(s.to.write(e)))
}

// flush waits until nothing is queued or being written.
func (s *sink) flush(timeout time.Duration) {
	s.start()
	idle := make(chan struct{})
	go func() {
		s.mu.Lock()
		for len(s.lines) > 0 || s.writing {
			s.wake.Wait()
		}
		s.mu.Unlock()
		close(idle)
	}()
	wait(idle, timeout)
}

func (s *sink) close(timeout time.Duration) {
	s.mu.Lock()
	s.closed = true
	s.wake.Broadcast()
	s.mu.Unlock()
	wait(s.done, timeout)
}

func wait(done <-chan struct{}, timeout time.Duration) {
	t := time.NewTimer(max(timeout, 0))
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}
