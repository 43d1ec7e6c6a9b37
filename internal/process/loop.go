package process

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// queueInputs bounds what waits for the loop. A full queue blocks the reader
// that posts, never the loop.
const queueInputs = 1024

// Core is the state that a loop owns. Its methods are called from the loop's
// goroutine only.
type Core interface {
	// Next is when Tick is wanted; the zero time means never.
	Next() time.Time
	// Tick does what is due at now.
	Tick(now time.Time)
	// Apply carries out the effects of the input before it.
	Apply(now time.Time)
}

// Loop is the one goroutine that owns the state of a process. Everything that
// blocks lives in another goroutine and posts.
//
//	readers ──Post──> queue ─┐
//	                         ├─> Run: input, Apply, arm timer to Next
//	timerfd ─────────────────┘
//
// Go's own timers are up to a millisecond late because the runtime waits in
// whole milliseconds; a timerfd read through os.File is not.
type Loop struct {
	core  Core
	queue chan func(now time.Time)
	ticks chan struct{}
	done  chan struct{}

	timer   *os.File
	timerFD int
	armed   time.Time

	base     time.Time // an instant …
	baseMono int64     // … and the same one on CLOCK_MONOTONIC, in nanoseconds

	stopped bool
	full    atomic.Uint64
}

// NewLoop makes a loop for core. Post may be called before Run.
func NewLoop(core Core) (*Loop, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	l := &Loop{
		core:    core,
		queue:   make(chan func(now time.Time), queueInputs),
		ticks:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		timer:   os.NewFile(uintptr(fd), "timerfd"),
		timerFD: fd,
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, fmt.Errorf("read the monotonic clock: %w", err)
	}
	l.base, l.baseMono = time.Now(), ts.Nano()
	return l, nil
}

// Post has f called by the loop. It blocks while the queue is full and must
// not be called by the loop's own goroutine. It reports false when the loop
// has ended and f will not be called.
func (l *Loop) Post(f func(now time.Time)) bool {
	select {
	case l.queue <- f:
		return true
	case <-l.done:
		return false
	default:
	}
	l.full.Add(1)
	select {
	case l.queue <- f:
		return true
	case <-l.done:
		return false
	}
}

// TryPost is Post that drops f instead of waiting. It reports whether f was
// queued.
func (l *Loop) TryPost(f func(now time.Time)) bool {
	select {
	case l.queue <- f:
		return true
	default:
		l.full.Add(1)
		return false
	}
}

// Full is how often a reader found the queue full.
func (l *Loop) Full() uint64 { return l.full.Load() }

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Stop makes Run return after the input that calls it. Only the loop's own
// goroutine may call it.
func (l *Loop) Stop() { l.stopped = true }

// RunQueued runs the inputs that are queued now, without waiting and without
// applying their effects. The core uses it from Tick after a stall, to hear
// what came in meanwhile before it acts on deadlines that passed.
func (l *Loop) RunQueued() {
	for n := len(l.queue); n > 0; n-- {
		select {
		case f := <-l.queue:
			f(time.Now())
		default:
			return
		}
	}
}

// Run runs the loop until Stop.
func (l *Loop) Run() {
	defer l.timer.Close()
	defer close(l.done)
	go l.readTimer()
	l.core.Apply(time.Now())
	for !l.stopped {
		l.arm()
		select {
		case f := <-l.queue:
			f(time.Now())
		case <-l.ticks:
			l.armed = time.Time{}
		}
		now := time.Now()
		if next := l.core.Next(); !next.IsZero() && !now.Before(next) {
			l.core.Tick(now)
		}
		l.core.Apply(now)
	}
}

// arm sets the timer to the core's next deadline, as an absolute time so that
// nothing is lost between reading the clock and setting it. A deadline that
// moved away, as a backup's does with every advert, leaves the timer alone: one
// wake-up too many at the old one is cheaper than a system call for each.
func (l *Loop) arm() {
	next := l.core.Next()
	if next.IsZero() || !l.armed.IsZero() && !next.Before(l.armed) {
		return
	}
	l.armed = next
	at := l.baseMono + int64(next.Sub(l.base))
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(at, 1))} // zero would disarm
	if err := unix.TimerfdSettime(l.timerFD, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic(fmt.Sprintf("set timerfd to %v: %v", next, err)) // no valid argument fails
	}
}

func (l *Loop) readTimer() {
	buf := make([]byte, 8)
	for {
		if _, err := l.timer.Read(buf); err != nil {
			return
		}
		select {
		case l.ticks <- struct{}{}:
		case <-l.done:
			return
		}
	}
}
