package checker

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how often a stream may use its time again before an answer that
// never ends is given up: keepalived would read it for ever.
const patience = 16

// readsPerTurn bounds how much one connection may read before the others have
// their turn.
const readsPerTurn = 16

// edge is EPOLLET, which package unix has as a negative number.
const edge = unix.EPOLLET & 0xffffffff

// poller runs the conversations of many checks over non-blocking sockets: one
// goroutine, one epoll descriptor, no goroutine and no runtime timer per check.
// With a goroutine and a net.Conn a check costs half as much again.
type poller struct {
	epfd, wakefd int
	// file and conn let the goroutine wait for epfd in the runtime's own poller.
	// A thread that blocks in epoll_wait itself keeps its P for a while, and the
	// runtime's monitor polls for it every 20 µs: 0.1 ms of CPU per check at
	// 1,000 a second.
	file    *os.File
	conn    syscall.RawConn
	armed   time.Time        // the read deadline of file
	deliver func([]*attempt) // called with what ended, from the poller's goroutine

	mu       sync.Mutex
	queue    []*attempt // submitted, not yet seen
	sleeping bool       // the goroutine is, or is about to be, in epoll_wait
	closed   bool

	// Owned by the goroutine.
	base      time.Time
	now       time.Time
	bySlot    []*attempt // by epoll data
	free      []int32
	deadlines heap[*attempt]
	again     []*attempt // have more to read
	done      []*attempt
	buf       []byte
	events    []unix.EpollEvent
}

// attempt is one run of a check. The scheduler fills the first group and hands
// it over; until it comes back through deliver it belongs to the poller.
type attempt struct {
	job     *job
	gen     uint32 // of the job, when it was started
	end     *endpoint
	timeout time.Duration
	talk    dialog
	res     Result

	poller  int         // which one, -1: none
	dropped atomic.Bool // the result is not wanted any more

	fd        int
	place     int32 // in bySlot
	connected bool
	send      []byte // not yet written
	limit     int64
	due       slot
}

func (a *attempt) slot() *slot { return &a.due }

func newPoller(deliver func([]*attempt)) (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll descriptor: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("create event descriptor: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | edge, Fd: -1}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &ev); err != nil {
		unix.Close(epfd)
		unix.Close(wakefd)
		return nil, fmt.Errorf("watch event descriptor: %w", err)
	}
	p := &poller{epfd: epfd, wakefd: wakefd, deliver: deliver, base: time.Now(),
		buf: make([]byte, 16<<10), events: make([]unix.EpollEvent, 256)}
	_ = unix.SetNonblock(epfd, true)
	p.file = os.NewFile(uintptr(epfd), "checks")
	if p.conn, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		unix.Close(wakefd)
		return nil, fmt.Errorf("watch epoll descriptor: %w", err)
	}
	go p.run()
	return p, nil
}

// submit hands attempts over. It never blocks.
func (p *poller) submit(list ...*attempt) {
	p.mu.Lock()
	p.queue = append(p.queue, list...)
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
		_, _ = unix.Write(p.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
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
			p.closeAll()
			return
		}
		p.now = time.Now()
		for i, a := range fresh {
			p.start(a)
			fresh[i] = nil
		}
		p.wait()
		p.expire()
	}
}

func (p *poller) closeAll() {
	for _, a := range p.bySlot {
		if a != nil {
			unix.Close(a.fd)
		}
	}
}

// wait handles what is ready, and sleeps until something is.
func (p *poller) wait() {
	n := 0
	if len(p.again) > 0 {
		n = p.poll()
	} else {
		n = p.sleep()
	}
	p.now = time.Now()
	again := p.again
	p.again = nil
	for _, a := range again {
		p.read(a, 0)
	}
	for _, ev := range p.events[:n] {
		if ev.Fd < 0 {
			continue // woken: edge-triggered, so there is nothing to read
		}
		// Nil: it ended earlier in this batch. A slot is not taken again before
		// the batch is through.
		if a := p.bySlot[ev.Fd]; a != nil {
			p.ready(a, ev.Events)
		}
	}
	if len(p.done) >= 256 {
		p.flush()
	}
}

// poll fetches what is ready now.
func (p *poller) poll() int {
	n, err := unix.EpollWait(p.epfd, p.events, 0)
	if err != nil {
		return 0 // EINTR; nothing else can happen to a valid descriptor
	}
	return n
}

// sleep waits until something is ready, something is submitted, or the next
// deadline. Results are kept back while more is ready, so that they travel to
// the loop together; they go before it sleeps.
func (p *poller) sleep() (n int) {
	err := p.conn.Read(func(uintptr) bool {
		if n = p.poll(); n > 0 {
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
	return n
}

// arm sets the deadline of the sleep. It moves only to become earlier: one that
// has become superfluous costs one more turn.
func (p *poller) arm() {
	if p.deadlines.len() == 0 {
		return
	}
	at := p.base.Add(time.Duration(p.deadlines.top().due.at))
	if p.armed.IsZero() || at.Before(p.armed) {
		p.armed = at
		_ = p.file.SetReadDeadline(at)
	}
}

func (p *poller) flush() {
	if len(p.done) > 0 {
		p.deliver(p.done)
		p.done = nil
	}
}

func (p *poller) clock() int64 { return int64(p.now.Sub(p.base)) }

// start opens the connection of an attempt.
func (p *poller) start(a *attempt) {
	a.res = Result{Began: p.now}
	a.connected, a.send = false, nil
	a.fd = -1
	if a.dropped.Load() {
		a.res.Reason = Abandoned
		p.done = append(p.done, a)
		return
	}
	fd, busy, reason, errno := a.end.open()
	if reason != OK {
		a.res.describe(reason, errno)
		p.done = append(p.done, a)
		return
	}
	a.fd = fd
	p.occupy(a)
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | edge,
		Fd: a.place}
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		a.res.describe(NoSocket, errnoOf(err))
		p.finish(a)
		return
	}
	a.limit = p.clock() + patience*int64(a.timeout)
	p.deadlines.put(a, p.clock()+int64(a.timeout))
	if !busy {
		p.opened(a)
	}
}

// occupy gives the attempt a slot that its epoll events will name.
func (p *poller) occupy(a *attempt) {
	if n := len(p.free); n > 0 {
		a.place = p.free[n-1]
		p.free = p.free[:n-1]
		p.bySlot[a.place] = a
		return
	}
	a.place = int32(len(p.bySlot))
	p.bySlot = append(p.bySlot, a)
}

// finish closes the connection and keeps the attempt for delivery.
func (p *poller) finish(a *attempt) {
	p.deadlines.remove(a)
	p.bySlot[a.place] = nil
	p.free = append(p.free, a.place)
	unix.Close(a.fd) // leaves the epoll set with its only descriptor
	a.fd = -1
	a.res.Took = p.now.Sub(a.res.Began)
	p.done = append(p.done, a)
}

func (p *poller) ready(a *attempt, events uint32) {
	if a.dropped.Load() {
		a.res.Reason = Abandoned
		p.finish(a)
		return
	}
	if !a.connected {
		if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			if errno := socketError(a.fd); errno != 0 {
				a.res.describe(connectReason(errno, false), errno)
				p.finish(a)
				return
			}
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		p.opened(a)
		if a.fd < 0 {
			return
		}
		// The greeting may have come with the connection: fall through.
	}
	if len(a.send) > 0 && events&unix.EPOLLOUT != 0 && !p.write(a) {
		return
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0 {
		p.read(a, events)
	}
}

func socketError(fd int) unix.Errno {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return errnoOf(err)
	}
	return unix.Errno(v)
}

// opened begins the conversation.
func (p *poller) opened(a *attempt) {
	a.connected = true
	send, over := a.talk.opened(&a.res)
	if over {
		p.finish(a)
		return
	}
	p.deadlines.put(a, p.clock()+int64(a.timeout))
	a.send = send
	if len(send) > 0 {
		p.write(a)
	}
}

// write sends what is to be sent; false: the attempt is over.
func (p *poller) write(a *attempt) bool {
	for len(a.send) > 0 {
		n, err := unix.Write(a.fd, a.send)
		switch err {
		case nil:
			a.send = a.send[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return true
		default:
			a.res.describe(WriteFailed, errnoOf(err))
			p.finish(a)
			return false
		}
	}
	return true
}

// read takes what there is and lets the dialog answer. events of 0: it had its
// turn before and there is more.
func (p *poller) read(a *attempt, events uint32) {
	if a.fd < 0 || p.bySlot[a.place] != a {
		return
	}
	ended := events == 0 || events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for range readsPerTurn {
		n, err := unix.Read(a.fd, p.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			a.res.describe(ReadFailed, errnoOf(err))
			p.finish(a)
			return
		}
		send, over := a.talk.got(p.buf[:n], &a.res)
		if over {
			p.finish(a)
			return
		}
		if n == 0 && a.end.kind == stream {
			a.res.Reason = ReadFailed // the dialog wants more, but there is none
			p.finish(a)
			return
		}
		if a.end.kind == stream {
			p.deadlines.put(a, min(p.clock()+int64(a.timeout), a.limit))
		}
		if len(send) > 0 {
			a.send = send
			if !p.write(a) {
				return
			}
		}
		if n < len(p.buf) && !ended && a.end.kind == stream {
			return // drained; the next byte raises a new event
		}
	}
	p.again = append(p.again, a)
}

// expire ends what has had its time.
func (p *poller) expire() {
	for p.deadlines.len() > 0 && p.deadlines.top().due.at <= p.clock() {
		a := p.deadlines.top()
		switch {
		case a.dropped.Load():
			a.res.Reason = Abandoned
		case !a.connected:
			a.res.Reason = ConnectTimeout
		case len(a.send) > 0:
			a.res.Reason = WriteTimeout
		default:
			a.talk.silence(&a.res)
		}
		p.finish(a)
	}
}

// zoneID is the number of an interface by name, or the number itself.
func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}
