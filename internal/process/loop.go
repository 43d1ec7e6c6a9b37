package process

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

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

// Earliest is the earlier of two deadlines, of which zero means none.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Loop is the one goroutine that owns the state of a process. Everything that
// blocks lives in another goroutine and posts.
//
//	readers ──Post──> queue ──┐
//	watched descriptors ──────┼─> Run: input, Apply, arm timer to Next
//	timerfd ──────────────────┘
//
// Go's own timers are up to a millisecond late because the runtime waits in
// whole milliseconds; a timerfd waited for through the runtime is not. The loop
// itself waits, on an epoll descriptor: a goroutine that waited in its place
// and told it would wake a second thread with each advert.
type Loop struct {
	core  Core
	queue chan func(now time.Time)
	done  chan struct{}

	epoll   int
	ready   []unix.EpollEvent // what the last look at epoll found
	events  [16]unix.EpollEvent
	watched map[int32]func(now time.Time)

	file   *os.File // the epoll descriptor, for the runtime
	raw    syscall.RawConn
	look   func(fd uintptr) bool // l.lookAround, made once so that waiting allocates nothing
	asleep atomic.Bool           // a Post must wake the loop

	timerFD int
	armed   time.Time

	stopped bool
	full    atomic.Uint64
}

// NewLoop makes a loop for core. Post may be called before Run.
func NewLoop(core Core) (*Loop, error) {
	l := &Loop{
		core:    core,
		queue:   make(chan func(now time.Time), queueInputs),
		done:    make(chan struct{}),
		watched: map[int32]func(now time.Time){},
	}
	l.look = l.lookAround
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// open makes the timer and the descriptor that waits for it and for others.
func (l *Loop) open() (err error) {
	if l.timerFD, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("create timerfd: %w", err)
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll descriptor: %w", err)
	}
	// By its edge the timer is told once for each time it rings and needs no reading.
	if err = l.add(l.timerFD, unix.EPOLLIN|unix.EPOLLET); err != nil {
		return err
	}
	if err = unix.SetNonblock(l.epoll, true); err != nil { // or package os would not wait for it
		return fmt.Errorf("set epoll descriptor: %w", err)
	}
	l.file = os.NewFile(uintptr(l.epoll), "epoll")
	l.raw, err = l.file.SyscallConn()
	if err == nil {
		err = l.file.SetReadDeadline(time.Time{}) // wake needs deadlines
	}
	if err != nil {
		return fmt.Errorf("wait for epoll descriptor: %w", err)
	}
	return nil
}

func (l *Loop) add(fd int, events uint32) error {
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("wait for descriptor %d: %w", fd, err)
	}
	return nil
}

// Watch has f called as an input whenever fd, which must not block, can be
// read. f need not read everything: it is called again. Only the loop's own
// goroutine, or who makes the loop before it runs, may call it.
func (l *Loop) Watch(fd int, f func(now time.Time)) error {
	if err := l.add(fd, unix.EPOLLIN); err != nil {
		return err
	}
	l.watched[int32(fd)] = f
	return nil
}

// Unwatch ends a Watch; it comes before fd is closed.
func (l *Loop) Unwatch(fd int) {
	if _, ok := l.watched[int32(fd)]; ok {
		delete(l.watched, int32(fd))
		_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

// Post has f called by the loop. It blocks while the queue is full and must
// not be called by the loop's own goroutine. It reports false when the loop
// has ended and f will not be called.
func (l *Loop) Post(f func(now time.Time)) bool {
	select {
	case l.queue <- f:
		l.wake()
		return true
	case <-l.done:
		return false
	default:
	}
	l.full.Add(1)
	select {
	case l.queue <- f:
		l.wake()
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
		l.wake()
		return true
	default:
		l.full.Add(1)
		return false
	}
}

// past ends a wait at once when it is the deadline of the descriptor.
var past = time.Unix(1, 0)

// wake ends the loop's sleep without a system call.
func (l *Loop) wake() {
	if l.asleep.CompareAndSwap(true, false) {
		_ = l.file.SetReadDeadline(past) // fails when the loop has ended
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
	defer unix.Close(l.timerFD)
	defer l.file.Close()
	defer close(l.done)
	l.core.Apply(time.Now())
	for !l.stopped {
		l.arm()
		l.sleep()
		for _, e := range l.ready {
			if int(e.Fd) == l.timerFD {
				l.armed = time.Time{}
				l.input(nil)
			} else if f, ok := l.watched[e.Fd]; ok {
				l.input(f)
			}
		}
		for n := len(l.queue); n > 0; n-- {
			l.input(<-l.queue)
		}
	}
}

// input is one step: what came in, what is due, and what follows from both.
func (l *Loop) input(f func(now time.Time)) {
	if l.stopped {
		return
	}
	if f != nil {
		f(time.Now())
	}
	now := time.Now()
	if next := l.core.Next(); !next.IsZero() && !now.Before(next) {
		l.core.Tick(now)
	}
	l.core.Apply(now)
}

// sleep waits for something to do.
func (l *Loop) sleep() {
	l.ready = nil
	for l.raw.Read(l.look) != nil { // wake was called, now or a while ago
		_ = l.file.SetReadDeadline(time.Time{})
	}
}

// lookAround finds out without waiting whether there is something to do; if
// not, who posts must wake the loop. That is said before looking, so that
// nothing slips in between.
func (l *Loop) lookAround(uintptr) bool {
	l.asleep.Store(true)
	// Not a call that may block: the runtime need not prepare for one.
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])),
		uintptr(len(l.events)), 0, 0, 0)
	if errno == 0 {
		l.ready = l.events[:n]
	}
	if len(l.ready) == 0 && len(l.queue) == 0 {
		return false
	}
	l.asleep.Store(false)
	return true
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
	at := max(Monotonic(next), 1) // zero would disarm
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(at))}
	if err := unix.TimerfdSettime(l.timerFD, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic(fmt.Sprintf("set timerfd to %v: %v", next, err)) // no valid argument fails
	}
}
