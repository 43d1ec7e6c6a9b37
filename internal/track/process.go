package track

import (
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
)

// rescanAfter is how long after lost events the processes are counted anew.
const rescanAfter = time.Second

// Processes counts running processes and reports quorums gained and lost. Its
// methods belong to the loop; one goroutine reads the kernel's events and
// keeps the count.
//
//	kernel events ──> goroutine: table ── new counts ──> post ──> quorum, delays ──> report
type Processes struct {
	post   Post
	report func(now time.Time, e ProcessEvent)

	list []*quorum
	next time.Time

	buffer      uint32 // receive buffer of the events; 0: the kernel's default
	bufferForce bool

	mu         sync.Mutex // guards table, generation and events
	table      *table
	generation int
	events     *connector
}

// quorum is the state of one tracked process, without time of its own.
type quorum struct {
	Process
	count   int
	up      bool // as reported
	wakeAt  time.Time
	pending bool // wakeAt holds when the other side is to be reported
}

// holds reports whether the count is within the quorum.
func (q *quorum) holds() bool {
	return q.count >= q.Quorum && (q.QuorumMax < 0 || q.count <= q.QuorumMax)
}

// NewProcesses returns a watcher without processes.
func NewProcesses(post Post, report func(now time.Time, e ProcessEvent)) *Processes {
	return &Processes{post: post, report: report, table: newTable("/proc", nil)}
}

// SetBuffer is process_monitor_rcv_bufs: the size in bytes of the receive
// buffer for process events (0: the kernel's default), and whether it may go
// beyond the system's limit. It counts when the first process is tracked.
func (p *Processes) SetBuffer(size uint32, force bool) { p.buffer, p.bufferForce = size, force }

// Set replaces the tracked processes, at the start and at each reload, and
// returns the state of each, in the same order. One whose definition did not
// change keeps its state and its delays.
func (p *Processes) Set(now time.Time, processes []Process) []ProcessEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(processes) > 0 && p.events == nil {
		p.subscribe()
	}
	p.generation++
	p.table = newTable(p.table.proc, processes)
	p.table.scan()
	old := p.list
	p.list = nil
	var states []ProcessEvent
	for i, spec := range processes {
		q := &quorum{Process: spec, count: p.table.count[i]}
		q.up = q.holds()
		if j := slices.IndexFunc(old, func(o *quorum) bool { return o.same(spec) }); j >= 0 {
			q = old[j]
			q.Process = spec
			q.counted(now, change{spec: i, count: p.table.count[i], byEnd: p.table.count[i] < q.count})
		}
		p.list = append(p.list, q)
		states = append(states, ProcessEvent{spec.Name, q.up})
	}
	p.schedule()
	return states
}

// same reports whether a definition counts the same processes.
func (q *quorum) same(spec Process) bool {
	return q.Name == spec.Name && q.Path == spec.Path && slices.Equal(q.Params, spec.Params) &&
		q.FullCommand == spec.FullCommand && q.ParamMatch == spec.ParamMatch
}

// subscribe starts the goroutine that reads events. Where there are none, as in
// a network namespace, the count at the start is all there is.
func (p *Processes) subscribe() {
	c, err := openConnector()
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		log.Info("Failed to set process event listen - errno %d - %s", int(errno), errnoText(errno))
		return
	}
	if p.buffer > 0 {
		c.setBuffer(int(p.buffer), p.bufferForce)
	}
	p.events = c
	go p.read(c)
}

func errnoText(errno syscall.Errno) string {
	s := errno.Error()
	return string(s[0]-'a'+'A') + s[1:]
}

// read is the goroutine that takes in the kernel's events.
func (p *Processes) read(c *connector) {
	for {
		events, err := c.next()
		switch {
		case errors.Is(err, errOverrun):
			c.enlarge()
			time.AfterFunc(rescanAfter, p.rescan)
			continue
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			log.Info("Reading process events: %v", err)
			return
		}
		for _, e := range events {
			if e.what == procNone {
				log.Detailf("proc_events has confirmed it is configured")
			} else {
				p.happened(e)
			}
		}
	}
}

func (p *Processes) happened(e procEvent) {
	p.mu.Lock()
	var changes []change
	switch e.what {
	case procFork:
		changes = p.table.forked(e.parent, e.pid)
	case procExec, procComm:
		changes = p.table.renamed(e.pid)
	case procExit:
		changes = p.table.ended(e.pid)
	}
	generation := p.generation
	p.mu.Unlock()
	p.pass(generation, changes)
}

// rescan counts anew after events were lost.
func (p *Processes) rescan() {
	p.mu.Lock()
	changes, generation := p.table.scan(), p.generation
	p.mu.Unlock()
	p.pass(generation, changes)
}

func (p *Processes) pass(generation int, changes []change) {
	if len(changes) == 0 {
		return
	}
	p.post(func(now time.Time) {
		p.mu.Lock()
		stale := generation != p.generation // the counts are in the newer scan
		p.mu.Unlock()
		if stale {
			return
		}
		for _, c := range changes {
			if q := p.list[c.spec]; q.counted(now, c) {
				p.turn(now, q)
			}
		}
		p.schedule()
	})
}

// counted takes in a new count. It reports whether the other side is reached
// without delay; with one, wakeAt is set.
func (q *quorum) counted(now time.Time, c change) (turned bool) {
	q.count = c.count
	if q.holds() == q.up {
		q.pending = false
		return false
	}
	var delay time.Duration
	switch {
	case c.byFork:
		delay = q.ForkDelay
	case c.byEnd:
		delay = q.TerminateDelay
	}
	if delay <= 0 {
		q.pending = false
		return true
	}
	if !q.pending {
		q.pending, q.wakeAt = true, now.Add(delay)
	}
	return false
}

// turn reports the other side.
func (p *Processes) turn(now time.Time, q *quorum) {
	q.up, q.pending = !q.up, false
	if q.up {
		log.Info("Quorum gained for tracked process %s", q.Name)
	} else {
		log.Info("Quorum lost for tracked process %s", q.Name)
	}
	p.report(now, ProcessEvent{q.Name, q.up})
}

// Up returns whether a tracked process has its quorum, as reported last.
func (p *Processes) Up(name string) bool {
	for _, q := range p.list {
		if q.Name == name {
			return q.up
		}
	}
	return false
}

// Count returns how many processes a tracked process has.
func (p *Processes) Count(name string) int {
	for _, q := range p.list {
		if q.Name == name {
			return q.count
		}
	}
	return 0
}

// Next is when Tick has something to do; the zero time means never.
func (p *Processes) Next() time.Time { return p.next }

// Tick reports what was delayed until now.
func (p *Processes) Tick(now time.Time) {
	if p.next.IsZero() || now.Before(p.next) {
		return
	}
	for _, q := range p.list {
		if q.pending && !q.wakeAt.After(now) {
			p.turn(now, q)
		}
	}
	p.schedule()
}

func (p *Processes) schedule() {
	p.next = time.Time{}
	for _, q := range p.list {
		if q.pending && (p.next.IsZero() || q.wakeAt.Before(p.next)) {
			p.next = q.wakeAt
		}
	}
}

// Close ends the watching.
func (p *Processes) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events != nil {
		p.events.file.Close()
	}
}
