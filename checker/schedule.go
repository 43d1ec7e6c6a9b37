package checker

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// SchedulerOptions connect a Scheduler to the loop that owns it.
type SchedulerOptions struct {
	// Post hands a function to the owner's loop; false if the loop has ended.
	Post func(func(now time.Time)) bool
	// Watch has f called in the owner's loop whenever fd can be read. Nil: the
	// loop takes no part in conversations.
	Watch func(fd int, f func(now time.Time)) error
	// Report is called in the owner's loop with every result, and says when the
	// check is to run again: usually Pool.Report.
	Report func(now time.Time, id CheckID, res Result) Next
	// Runner runs the programs of MISC_CHECK.
	Runner Runner
	// TLS is the client side of SSL_GET; nil: no client certificate.
	TLS *ClientTLS
	// Limit bounds the attempts under way at once. 0: 4096.
	Limit int
}

const (
	defaultLimit = 4096

	// A check may start earlier than its time by a slackShare of its delay, at
	// most maxSlack, so that many share one wake-up: at 1,000 checks a second
	// waking costs more than checking.
	slackShare = 200
	maxSlack   = 50 * time.Millisecond

	// company is how many connections the owner's loop takes itself: to wake
	// another thread for a few of them, and the loop for what it found, costs more
	// than the checks.
	company = 32

	// crowd is how many connections one poller takes before the next is used:
	// a few checks need no third thread.
	crowd = 128
)

// Scheduler runs checks when they are due: one heap of due times, a bounded
// number of attempts under way, no goroutine for a check that waits. Its
// methods belong to the owner's loop.
//
//	Start --> heap --Tick--> conversations of the loop; of a poller when these
//	            ^            are many; or a goroutine (TLS, scripts)
//	            |                      |
//	            +--Report-- loop <-----+ Post
type Scheduler struct {
	opt     SchedulerOptions
	base    time.Time
	jobs    map[CheckID]*job
	due     heap[*job]
	running int
	spare   []*attempt     // to be used again
	local   *conversations // the loop's own; nil: none
	talking int            // its attempts
	pollers []*poller
	closed  bool
	late    Lateness
}

// Lateness says how punctual the scheduler is.
type Lateness struct {
	Starts uint64        // attempts started
	Held   uint64        // of these, started late because Limit was reached
	Max    time.Duration // latest start after its time
}

// job is a check as the scheduler knows it.
type job struct {
	id     CheckID
	steps  []step // one, or one per url
	next   Next
	slack  time.Duration // of next
	paused bool
	due    slot

	gen     uint32 // grows when a run under way is abandoned
	running *attempt
	cancel  context.CancelFunc // of a run in a goroutine
}

func (j *job) slot() *slot { return &j.due }

// step is one thing to try: a conversation for the poller, or a prober that
// needs a goroutine.
type step struct {
	end     *endpoint
	timeout time.Duration
	talk    dialog
	prober  Prober
}

// NewScheduler returns a scheduler without checks.
func NewScheduler(opt SchedulerOptions) *Scheduler {
	if opt.Limit == 0 {
		opt.Limit = defaultLimit
	}
	return &Scheduler{opt: opt, base: time.Now(), jobs: map[CheckID]*job{}}
}

// SetTLS replaces the client side of SSL_GET for checks that are started from
// now on.
func (s *Scheduler) SetTLS(c *ClientTLS) { s.opt.TLS = c }

// Apply carries out a Start, Pause or Forget effect; others are none of its
// business and it reports false.
func (s *Scheduler) Apply(e Effect) bool {
	switch e := e.(type) {
	case Start:
		s.start(e)
	case Pause:
		if j := s.jobs[e.ID]; j != nil {
			j.paused = true
			s.due.remove(j)
		}
	case Forget:
		if j := s.jobs[e.ID]; j != nil {
			s.abandon(j)
			s.due.remove(j)
			delete(s.jobs, e.ID)
		}
	default:
		return false
	}
	return true
}

// Due is when a check starts next; zero while it runs, is paused, or unknown.
func (s *Scheduler) Due(id CheckID) time.Time {
	if j := s.jobs[id]; j != nil && j.due.index != 0 {
		return j.next.At
	}
	return time.Time{}
}

func (s *Scheduler) start(e Start) {
	j := s.jobs[e.ID]
	if j == nil {
		j = &job{id: e.ID}
		s.jobs[e.ID] = j
	}
	s.abandon(j)
	j.steps = steps(e.Spec, s.opt)
	j.paused = false
	j.next = Next{At: e.At, Step: e.Step}
	if len(j.steps) > 0 {
		s.due.put(j, s.stamp(e.At))
	}
}

// abandon gives up the run that is under way.
func (s *Scheduler) abandon(j *job) {
	if j.running == nil {
		return
	}
	j.gen++
	j.running.dropped.Store(true)
	j.running = nil
	if j.cancel != nil {
		j.cancel()
		j.cancel = nil
	}
}

func (s *Scheduler) stamp(t time.Time) int64 { return int64(t.Sub(s.base)) }

// Next is when Tick is wanted; the zero time: never, or not before an attempt
// under way has ended.
func (s *Scheduler) Next() (next time.Time) {
	if s.closed {
		return next
	}
	if s.due.len() > 0 && s.running < s.opt.Limit {
		next = s.base.Add(time.Duration(s.due.top().due.at))
	}
	if s.local != nil {
		if at := s.local.next(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			return at
		}
	}
	return next
}

// Tick starts what is due at now.
func (s *Scheduler) Tick(now time.Time) {
	if s.closed {
		return
	}
	if s.local != nil {
		s.local.now = now
	}
	at := s.stamp(now)
	for s.due.len() > 0 && s.running < s.opt.Limit {
		j := s.due.top()
		if j.due.at > at+int64(j.slack) {
			break
		}
		s.due.remove(j)
		s.late.note(now.Sub(j.next.At), s.running+1 == s.opt.Limit)
		s.launch(now, j)
	}
	for _, p := range s.pollers {
		p.submit()
	}
	s.turn(now)
}

// turn goes on with the loop's own conversations.
func (s *Scheduler) turn(time.Time) {
	if s.local == nil || s.closed {
		return
	}
	s.local.turn()
	s.ended(s.local.now, s.local.done)
	s.local.done = s.local.done[:0]
}

func (l *Lateness) note(late time.Duration, held bool) {
	l.Starts++
	l.Max = max(l.Max, late)
	if held {
		l.Held++
	}
}

// launch begins an attempt; one for a poller waits to be submitted with others.
func (s *Scheduler) launch(now time.Time, j *job) {
	a := &attempt{}
	if n := len(s.spare); n > 0 {
		a = s.spare[n-1]
		s.spare = s.spare[:n-1]
	}
	st := j.steps[min(j.next.Step, len(j.steps)-1)]
	a.job, a.gen = j, j.gen
	a.end, a.timeout, a.talk = st.end, st.timeout, st.talk
	a.poller, a.own = nil, false
	j.running = a
	s.running++
	if st.prober != nil {
		s.run(j, a, st.prober)
		return
	}
	if s.converse(now) {
		a.own = true
		s.talking++
		s.local.start(a)
		return
	}
	p, err := s.choose()
	if err != nil {
		a.res = Result{Began: now, Reason: NoSocket, Text: err.Error()}
		go s.deliver([]*attempt{a})
		return
	}
	a.poller = p
	p.load++
	p.batch = append(p.batch, a)
}

// converse reports whether the loop has room for a conversation of its own.
func (s *Scheduler) converse(now time.Time) bool {
	if s.local == nil && s.opt.Watch != nil {
		c, err := newConversations()
		if err == nil {
			if err = s.opt.Watch(c.epfd, s.turn); err != nil {
				unix.Close(c.epfd)
			}
		}
		if err != nil { // a poller says what is wrong, or does it
			return false
		}
		c.now = now
		s.local = c
	}
	return s.local != nil && s.talking < company
}

// choose finds the first poller that is not crowded, or the emptiest.
func (s *Scheduler) choose() (*poller, error) {
	var best *poller
	for _, p := range s.pollers {
		if p.load < crowd {
			return p, nil
		}
		if best == nil || p.load < best.load {
			best = p
		}
	}
	if best != nil && len(s.pollers) >= runtime.GOMAXPROCS(0) {
		return best, nil
	}
	p, err := newPoller(s.deliver)
	if err != nil {
		if best != nil {
			return best, nil
		}
		return nil, fmt.Errorf("start poller: %w", err)
	}
	s.pollers = append(s.pollers, p)
	return p, nil
}

// run performs an attempt in a goroutine of its own.
func (s *Scheduler) run(j *job, a *attempt, p Prober) {
	ctx, cancel := context.WithCancel(context.Background())
	j.cancel = cancel
	go func() {
		defer cancel()
		began := time.Now()
		a.res = p.Probe(ctx)
		a.res.Began, a.res.Took = began, time.Since(began)
		s.deliver([]*attempt{a})
	}()
}

// deliver brings what ended into the owner's loop. It is called outside of it.
func (s *Scheduler) deliver(list []*attempt) {
	s.opt.Post(func(now time.Time) { s.ended(now, list) })
}

func (s *Scheduler) ended(now time.Time, list []*attempt) {
	for _, a := range list {
		s.running--
		if a.poller != nil {
			a.poller.load--
		}
		if a.own {
			s.talking--
		}
		j := a.job
		if j.gen != a.gen || a.dropped.Load() {
			continue // abandoned
		}
		j.running, j.cancel = nil, nil
		planned := j.next.At
		j.next = s.opt.Report(now, j.id, a.res)
		if !j.next.At.IsZero() {
			j.next.At = inStep(now, planned.Add(a.res.Took), j.next.At)
		}
		a.job, a.talk, a.end, a.res = nil, nil, nil, Result{}
		s.spare = append(s.spare, a)
		if !j.next.At.IsZero() && !j.paused {
			j.slack = min(j.next.At.Sub(now)/slackShare, maxSlack)
			s.due.put(j, s.stamp(j.next.At))
		}
	}
}

// inStep takes from the time to the next start what this process was late: the
// attempt should have ended at due and is heard of now. So the rate is kept, and
// checks that a stall has thrown together do not stay together, which would
// make them late again in every round.
func inStep(now, due, next time.Time) time.Time {
	return next.Add(-min(now.Sub(due), next.Sub(now)/2))
}

// Lateness returns the figures since the start.
func (s *Scheduler) Lateness() Lateness { return s.late }

// Running is how many attempts are under way, and Checks how many are known.
func (s *Scheduler) Running() int { return s.running }

// Checks is how many checks are known.
func (s *Scheduler) Checks() int { return len(s.jobs) }

// Close abandons everything.
func (s *Scheduler) Close() {
	if s.closed {
		return
	}
	s.closed = true
	for _, j := range s.jobs {
		s.abandon(j)
	}
	for _, p := range s.pollers {
		p.close()
	}
	if s.local != nil {
		s.local.closeAll()
		unix.Close(s.local.epfd)
	}
}
