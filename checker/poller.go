package checker

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller runs conversations on a goroutine of its own, for checks that are too
// many for the owner's loop. With a goroutine and a net.Conn for each a check
// costs half as much again.
type poller struct {
	wakefd int
	// file and conn let the goroutine wait for epfd in the runtime's own poller.
	// A thread that blocks in epoll_wait itself keeps its P for a while, and the
	// runtime's monitor polls for it every 20 µs: 0.1 ms of CPU per check at
	// 1,000 a second.
	file    *os.File
	conn    syscall.RawConn
	armed   time.Time        // the read deadline of file
	deliver func([]*attempt) // called with what ended, from the poller's goroutine

	load  int        // the scheduler's: attempts that have not come back
	batch []*attempt // the scheduler's: to be submitted

	mu       sync.Mutex
	queue    []*attempt // submitted, not yet seen
	sleeping bool       // the goroutine is, or is about to be, in epoll_wait
	closed   bool

	talks *conversations // the goroutine's
}

func newPoller(deliver func([]*attempt)) (*poller, error) {
	c, err := newConversations()
	if err != nil {
		return nil, err
	}
	p := &poller{talks: c, deliver: deliver}
	if p.wakefd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(c.epfd)
		return nil, fmt.Errorf("create event descriptor: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | edge, Fd: -1}
	if err := unix.EpollCtl(c.epfd, unix.EPOLL_CTL_ADD, p.wakefd, &ev); err != nil {
		unix.Close(c.epfd)
		unix.Close(p.wakefd)
		return nil, fmt.Errorf("watch event descriptor: %w", err)
	}
	_ = unix.SetNonblock(c.epfd, true)
	p.file = os.NewFile(uintptr(c.epfd), "checks")
	if p.conn, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		unix.Close(p.wakefd)
		return nil, fmt.Errorf("watch epoll descriptor: %w", err)
	}
	go p.run()
	return p, nil
}

// submit hands the batch over. It never blocks.
func (p *poller) submit() {
	if len(p.batch) == 0 {
		return
	}
	p.mu.Lock()
	p.queue = append(p.queue, p.batch...)
	clear(p.batch)
	p.batch = p.batch[:0]
	p.unlockAndWake()
}

// close ends the goroutine; what was under way is abandoned and not delivered.
func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.unlockAndWake()
}

func (p *poller) unlockAndWake() {
	wake := p.sleeping
	p.sleeping = false
	p.mu.Unlock()
	if wake {
		_, _ = writeSome(p.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (p *poller) run() {
	defer p.file.Close()
	defer unix.Close(p.wakefd)
	var fresh []*attempt
	for {
		p.mu.Lock()
		fresh, p.queue = p.queue, fresh[:0]
		closed := p.closed
		p.mu.Unlock()
		if closed {
			p.talks.closeAll()
			return
		}
		p.talks.now = time.Now()
		for i, a := range fresh {
			p.talks.start(a)
			fresh[i] = nil
		}
		p.talks.handle(p.sleep())
		p.talks.expire()
		if len(p.talks.done) >= 256 {
			p.flush()
		}
	}
}

// sleep waits until something is ready, something is submitted, or the next
// deadline. Results are kept back while more is ready, so that they travel to
// the loop together; they go before it sleeps.
func (p *poller) sleep() (events []unix.EpollEvent) {
	err := p.conn.Read(func(uintptr) bool {
		if events = readyNow(p.talks.epfd, p.talks.events); len(events) > 0 {
			return true
		}
		p.flush()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.queue) > 0 || p.closed {
			return true
		}
		p.sleeping = true
		p.arm()
		return false
	})
	p.mu.Lock()
	p.sleeping = false
	p.mu.Unlock()
	if err != nil { // the deadline
		p.armed = time.Time{}
		_ = p.file.SetReadDeadline(p.armed)
	}
	return events
}

// arm sets the deadline of the sleep. It moves only to become earlier: one that
// has become superfluous costs one more turn.
func (p *poller) arm() {
	at := p.talks.next()
	if !at.IsZero() && (p.armed.IsZero() || at.Before(p.armed)) {
		p.armed = at
		_ = p.file.SetReadDeadline(at)
	}
}

func (p *poller) flush() {
	if len(p.talks.done) > 0 {
		p.deliver(p.talks.done)
		p.talks.done = nil
	}
}
