package checker

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how often a stream may use its time again before an answer that
// never ends is given up: keepalived would read it for ever.
const patience = 16

// readsPerTurn bounds how much one connection may read before the others have
// their turn.
const readsPerTurn = 16

// conversing is what a connection is watched for: by the edge, so that nothing
// has to be changed while it lasts.
const conversing = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | edge

// edge is EPOLLET, which package unix has as a negative number.
const edge = unix.EPOLLET & 0xffffffff

// conversations runs many checks over non-blocking sockets, without a goroutine
// or a runtime timer for any: one epoll descriptor, one heap of deadlines. It
// belongs to one goroutine, which calls turn when epfd can be read, and at next.
type conversations struct {
	epfd      int
	base      time.Time
	now       time.Time
	bySlot    []*attempt // by epoll data
	free      []int32
	deadlines heap[*attempt]
	done      []*attempt // ended, for the owner to take
	buf       []byte
	events    []unix.EpollEvent
}

// attempt is one run of a check. The scheduler fills the first group and hands
// it over; until it comes back it belongs to the conversations.
type attempt struct {
	job     *job
	gen     uint32 // of the job, when it was started
	end     *endpoint
	timeout time.Duration
	talk    dialog
	res     Result

	poller  *poller     // nil: none
	own     bool        // one of the loop's conversations
	dropped atomic.Bool // the result is not wanted any more

	fd        int
	place     int32 // in bySlot
	connected bool
	send      []byte // not yet written
	limit     int64
	due       slot
}

func (a *attempt) slot() *slot { return &a.due }

func newConversations() (*conversations, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll descriptor: %w", err)
	}
	return &conversations{epfd: epfd, base: time.Now(), buf: make([]byte, 16<<10),
		events: make([]unix.EpollEvent, 256)}, nil
}

// closeAll abandons what is under way. epfd is the owner's to close.
func (c *conversations) closeAll() {
	for _, a := range c.bySlot {
		if a != nil {
			closeSocket(a.fd)
		}
	}
}

// next is when turn is wanted although nothing happens: the first deadline. The
// zero time: never.
func (c *conversations) next() time.Time {
	if c.deadlines.len() == 0 {
		return time.Time{}
	}
	return c.base.Add(time.Duration(c.deadlines.top().due.at))
}

// turn handles what is ready and what is overdue.
func (c *conversations) turn() {
	c.handle(readyNow(c.epfd, c.events))
	c.expire()
}

func (c *conversations) handle(events []unix.EpollEvent) {
	c.now = time.Now()
	for _, ev := range events {
		if ev.Fd < 0 {
			continue // the owner's own
		}
		// Nil: it ended earlier in this batch. A slot is not taken again before
		// the batch is through.
		if a := c.bySlot[ev.Fd]; a != nil {
			c.ready(a, ev.Events)
		}
	}
}

func (c *conversations) clock() int64 { return int64(c.now.Sub(c.base)) }

// start opens the connection of an attempt.
func (c *conversations) start(a *attempt) {
	a.res = Result{Began: c.now}
	a.connected, a.send = false, nil
	a.fd = -1
	if a.dropped.Load() {
		a.res.Reason = Abandoned
		c.done = append(c.done, a)
		return
	}
	fd, busy, reason, errno := a.end.open()
	if reason != OK {
		a.res.describe(reason, errno)
		c.done = append(c.done, a)
		return
	}
	a.fd = fd
	c.occupy(a)
	if err := c.watch(a, unix.EPOLL_CTL_ADD); err != nil {
		a.res.describe(NoSocket, errnoOf(err))
		c.finish(a)
		return
	}
	a.limit = c.clock() + patience*int64(a.timeout)
	c.deadlines.put(a, c.clock()+int64(a.timeout))
	if !busy {
		c.opened(a)
	}
}

// watch has epoll tell of the connection what there is now, and what changes.
func (c *conversations) watch(a *attempt, how int) error {
	return unix.EpollCtl(c.epfd, how, a.fd, &unix.EpollEvent{Events: conversing, Fd: a.place})
}

// occupy gives the attempt a slot that its epoll events will name.
func (c *conversations) occupy(a *attempt) {
	if n := len(c.free); n > 0 {
		a.place = c.free[n-1]
		c.free = c.free[:n-1]
		c.bySlot[a.place] = a
		return
	}
	a.place = int32(len(c.bySlot))
	c.bySlot = append(c.bySlot, a)
}

// finish closes the connection and keeps the attempt for delivery.
func (c *conversations) finish(a *attempt) {
	c.deadlines.remove(a)
	c.bySlot[a.place] = nil
	c.free = append(c.free, a.place)
	closeSocket(a.fd) // leaves the epoll set with its only descriptor
	a.fd = -1
	a.res.Took = c.now.Sub(a.res.Began)
	c.done = append(c.done, a)
}

func (c *conversations) ready(a *attempt, events uint32) {
	if a.dropped.Load() {
		a.res.Reason = Abandoned
		c.finish(a)
		return
	}
	if !a.connected {
		if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			if errno := socketError(a.fd); errno != 0 {
				a.res.describe(connectReason(errno, false), errno)
				c.finish(a)
				return
			}
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		c.opened(a)
		if a.fd < 0 {
			return
		}
		// The greeting may have come with the connection: fall through.
	}
	if len(a.send) > 0 && events&unix.EPOLLOUT != 0 && !c.write(a) {
		return
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0 {
		c.read(a, events)
	}
}

// opened begins the conversation.
func (c *conversations) opened(a *attempt) {
	a.connected = true
	send, over := a.talk.opened(&a.res)
	if over {
		c.finish(a)
		return
	}
	c.deadlines.put(a, c.clock()+int64(a.timeout))
	a.send = send
	if len(send) > 0 {
		c.write(a)
	}
}

// write sends what is to be sent; false: the attempt is over.
func (c *conversations) write(a *attempt) bool {
	for len(a.send) > 0 {
		n, err := writeSome(a.fd, a.send)
		switch err {
		case nil:
			a.send = a.send[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return true
		default:
			a.res.describe(WriteFailed, errnoOf(err))
			c.finish(a)
			return false
		}
	}
	return true
}

// read takes what there is and lets the dialog answer.
func (c *conversations) read(a *attempt, events uint32) {
	ended := events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for range readsPerTurn {
		n, err := readSome(a.fd, c.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			a.res.describe(ReadFailed, errnoOf(err))
			c.finish(a)
			return
		}
		send, over := a.talk.got(c.buf[:n], &a.res)
		if over {
			c.finish(a)
			return
		}
		if n == 0 && a.end.kind == stream {
			a.res.Reason = ReadFailed // the dialog wants more, but there is none
			c.finish(a)
			return
		}
		if a.end.kind == stream {
			c.deadlines.put(a, min(c.clock()+int64(a.timeout), a.limit))
		}
		if len(send) > 0 {
			a.send = send
			if !c.write(a) {
				return
			}
		}
		if n < len(c.buf) && !ended && a.end.kind == stream {
			return // drained; the next byte raises a new event
		}
	}
	if err := c.watch(a, unix.EPOLL_CTL_MOD); err != nil { // there is more: a new event tells so
		a.res.describe(ReadFailed, errnoOf(err))
		c.finish(a)
	}
}

// expire ends what has had its time.
func (c *conversations) expire() {
	for c.deadlines.len() > 0 && c.deadlines.top().due.at <= c.clock() {
		a := c.deadlines.top()
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
		c.finish(a)
	}
}
