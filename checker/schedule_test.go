package checker

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bench is a scheduler whose owner is the test: posts are run by turn.
type bench struct {
	*Scheduler
	posts chan func(time.Time)
	ended chan struct{}
	got   map[CheckID][]Result
	next  func(now time.Time) Next
	after func() // called after every input; nil: nothing
}

func newBench(t testing.TB, opt SchedulerOptions) *bench {
	b := &bench{posts: make(chan func(time.Time), 64), ended: make(chan struct{}), got: map[CheckID][]Result{}}
	b.next = func(time.Time) Next { return Next{} }
	opt.Post = func(f func(time.Time)) bool { b.posts <- f; return true }
	opt.Watch = b.watch
	opt.Report = func(now time.Time, id CheckID, r Result) Next {
		b.got[id] = append(b.got[id], r)
		return b.next(now)
	}
	b.Scheduler = NewScheduler(opt)
	t.Cleanup(func() { close(b.ended); b.Close() })
	return b
}

// watch posts f, and waits until it was called, as long as fd can be read.
func (b *bench) watch(fd int, f func(time.Time)) error {
	fd, err := unix.Dup(fd)
	if err != nil {
		return err
	}
	go func() {
		defer unix.Close(fd)
		for called := make(chan struct{}, 1); ; {
			select {
			case <-b.ended:
				return
			default:
			}
			if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50); n < 1 {
				continue
			}
			select {
			case b.posts <- func(now time.Time) { f(now); called <- struct{}{} }:
			case <-b.ended:
				return
			}
			select {
			case <-called:
			case <-b.ended:
				return
			}
		}
	}()
	return nil
}

// until runs the loop until done says so.
func (b *bench) until(t testing.TB, what string, done func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for ; !done(); b.applied() {
		if next := b.Next(); !next.IsZero() && !time.Now().Before(next) {
			b.Tick(time.Now())
			continue
		}
		var timer <-chan time.Time
		if next := b.Next(); !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		select {
		case f := <-b.posts:
			f(time.Now())
		case <-timer:
		case <-limit:
			t.Fatalf("waited 30 s until %s", what)
		}
	}
}

func (b *bench) applied() {
	if b.after != nil {
		b.after()
	}
}

func TestSchedulerRepeats(t *testing.T) {
	b := newBench(t, SchedulerOptions{})
	const every = 20 * time.Millisecond
	b.next = func(now time.Time) Next { return Next{At: now.Add(every)} }
	first := time.Now()
	b.Apply(Start{ID: 7, Spec: TCPCheck{connection(tcpService(t, hold))}, At: first})
	b.until(t, "the check ran five times", func() bool { return len(b.got[7]) >= 5 })
	// A run that this machine began late is followed sooner (see inStep): so they
	// are counted from the first, and two of them are never nearer than half.
	least := every - every/slackShare
	for i, r := range b.got[7] {
		if at := r.Began.Sub(first); at < time.Duration(i)*least {
			t.Errorf("run %d began %v after the start, want %v", i, at, time.Duration(i)*every)
		}
		if i > 0 && r.Began.Sub(b.got[7][i-1].Began) < least/2 {
			t.Errorf("run %d began %v after the one before, want %v", i, r.Began.Sub(b.got[7][i-1].Began), every)
		}
	}
	b.Apply(Pause{ID: 7})
	b.until(t, "nothing runs", func() bool { return b.Running() == 0 })
	if !b.Next().IsZero() {
		t.Error("a paused check is due")
	}
	b.Apply(Start{ID: 7, Spec: TCPCheck{connection(tcpService(t, hold))}, At: time.Now()})
	n := len(b.got[7])
	b.until(t, "the pause is over", func() bool { return len(b.got[7]) > n })
}

func TestSchedulerForgets(t *testing.T) {
	b := newBench(t, SchedulerOptions{})
	silent := tcpService(t, func(c net.Conn) { hold(c) })
	b.Apply(Start{ID: 1, Spec: httpCheck(silent), At: time.Now()})
	b.until(t, "the check runs", func() bool { return b.Running() == 1 })
	b.Apply(Forget{ID: 1})
	b.until(t, "the run has come back", func() bool { return b.Running() == 0 })
	if b.Checks() != 0 || len(b.got[1]) != 0 {
		t.Errorf("%d checks known and results %v after Forget, want none", b.Checks(), b.got[1])
	}
}

// TestSchedulerReplaces: a Start in the middle of a run abandons it.
func TestSchedulerReplaces(t *testing.T) {
	b := newBench(t, SchedulerOptions{})
	b.Apply(Start{ID: 1, Spec: httpCheck(tcpService(t, hold)), At: time.Now()})
	b.until(t, "the check runs", func() bool { return b.Running() == 1 })
	b.Apply(Start{ID: 1, Spec: TCPCheck{connection(tcpService(t, hold))}, At: time.Now()})
	b.until(t, "both runs are back", func() bool { return b.Running() == 0 && len(b.got[1]) > 0 })
	if len(b.got[1]) != 1 || b.got[1][0].Reason != OK {
		t.Errorf("results %v, want one success of the second specification", b.got[1])
	}
}

func TestSchedulerLimit(t *testing.T) {
	b := newBench(t, SchedulerOptions{Limit: 2})
	b.opt.Watch = nil // the loop would also have to end its own conversations in time
	to := tcpService(t, hold)
	for id := CheckID(1); id <= 5; id++ {
		b.Apply(Start{ID: id, Spec: httpCheck(to), At: time.Now()})
	}
	b.until(t, "two run", func() bool { return b.Running() == 2 })
	if !b.Next().IsZero() {
		t.Error("something is due although the limit is reached")
	}
	b.until(t, "all five have run", func() bool { return len(b.got) == 5 })
}

// TestSchedulerCompany: the loop takes some conversations itself, the others go to
// a poller, and those that end make room.
func TestSchedulerCompany(t *testing.T) {
	b := newBench(t, SchedulerOptions{})
	release := make(chan struct{})
	to := tcpService(t, func(c net.Conn) {
		<-release
		answer("HTTP/1.0 200 OK\r\n\r\n")(c)
	})
	check := httpCheck(to)
	check.Connection.Timeout = time.Minute
	const n = company + 10
	for id := CheckID(1); id <= n; id++ {
		b.Apply(Start{ID: id, Spec: check, At: time.Now()})
	}
	b.until(t, "all run", func() bool { return b.Running() == n })
	if b.talking != company || len(b.pollers) != 1 || b.pollers[0].load != n-company {
		t.Errorf("the loop talks with %d, %d pollers with the others; want %d and one poller", b.talking, len(b.pollers), company)
	}
	close(release)
	b.until(t, "all have ended", func() bool { return b.Running() == 0 })
	for id := CheckID(1); id <= n; id++ {
		if len(b.got[id]) != 1 || b.got[id][0].Reason != OK {
			t.Errorf("check %d: %v, want one success", id, b.got[id])
		}
	}
	if b.talking != 0 || b.pollers[0].load != 0 {
		t.Errorf("%d and %d conversations are counted after the end", b.talking, b.pollers[0].load)
	}
}

// TestNoDescriptors: without descriptors nothing can be said about the server.
func TestNoDescriptors(t *testing.T) {
	to := tcpService(t, hold)
	b := newBench(t, SchedulerOptions{})
	b.Apply(Start{ID: 1, Spec: TCPCheck{connection(to)}, At: time.Now()})
	b.until(t, "the poller is there", func() bool { return len(b.got[1]) == 1 })
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	most, err := unix.Dup(0) // the next free descriptor
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(most)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(most), Max: old.Max}); err != nil {
		t.Skipf("skipped: cannot lower RLIMIT_NOFILE: %v", err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	// Connections of before may close only now: then their descriptors are taken
	// as well, and the check is made again.
	for id := CheckID(2); ; id++ {
		b.Apply(Start{ID: id, Spec: TCPCheck{connection(to)}, At: time.Now()})
		b.until(t, "the next result is there", func() bool { return len(b.got[id]) == 1 })
		r := b.got[id][0]
		for fd, err := unix.Dup(0); err == nil; fd, err = unix.Dup(0) {
			defer unix.Close(fd)
		}
		if r.Reason == OK && id < 50 {
			continue
		}
		if r.Reason != NoSocket || !r.Reason.Local() || r.Text != "Too many open files" {
			t.Errorf("%v (%s), want %v (Too many open files)", r.Reason, r.Text, NoSocket)
		}
		return
	}
}

// fakeRunner ends programs as it is told.
type fakeRunner struct{ ended Ended }

func (f fakeRunner) Run(ctx context.Context, _ *Script, _ time.Duration) Ended { return f.ended }

func TestMisc(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ended   Ended
		dynamic bool
		want    Reason
		code    int
	}{
		{"success", Ended{}, false, OK, 0},
		{"status", Ended{Status: 3}, false, Exited, 3},
		{"dynamic", Ended{Status: 42}, true, OK, 42},
		{"dynamic-failure", Ended{Status: 1}, true, Exited, 1},
		{"signal", Ended{Signal: 9}, true, Signalled, 9},
		{"timeout", Ended{TimedOut: true, Signal: 15}, false, ScriptTimeout, 0},
		{"gone", Ended{Err: unix.ENOENT}, false, Exited, 127},
		{"no-process", Ended{Err: unix.EAGAIN}, false, NoProgram, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := MiscCheck{Script: Script{Args: []string{"/bin/check"}}, Dynamic: tt.dynamic}
			r := once(t, spec, SchedulerOptions{Runner: fakeRunner{tt.ended}})[0]
			if r.Reason != tt.want || r.Code != tt.code {
				t.Errorf("%v, code %d; want %v, code %d", r.Reason, r.Code, tt.want, tt.code)
			}
		})
	}
}

func TestHeap(t *testing.T) {
	var h heap[*job]
	var jobs []*job
	seed := uint32(7)
	random := func() int64 { seed = seed*1664525 + 1013904223; return int64(seed >> 16) }
	for range 500 {
		j := &job{}
		jobs = append(jobs, j)
		h.put(j, random())
	}
	for i, j := range jobs {
		switch i % 3 {
		case 0:
			h.put(j, random())
		case 1:
			h.remove(j)
		}
	}
	last := int64(-1)
	for n := 0; h.len() > 0; n++ {
		j := h.top()
		if j.due.at < last {
			t.Fatalf("entry %d is due at %d, before %d", n, j.due.at, last)
		}
		last = j.due.at
		h.remove(j)
	}
}

// Checks that are due together run in the order of the file, as they were put.
func TestHeapKeepsOrder(t *testing.T) {
	var h heap[*job]
	for i := range 100 {
		h.put(&job{id: CheckID(i)}, int64(i%3))
	}
	for at := range 3 {
		for i := at; i < 100; i += 3 {
			j := h.top()
			if j.id != CheckID(i) {
				t.Fatalf("check %d comes where %d should", j.id, i)
			}
			h.remove(j)
		}
	}
}

// What a start was late or early does not shift the starts after it; after a
// long stall at least half the pause is kept.
func TestSchedulerStaysInStep(t *testing.T) {
	due := time.Unix(1000, 0)
	for _, tt := range []struct{ late, want time.Duration }{
		{0, time.Second},
		{30 * time.Millisecond, time.Second},
		{-5 * time.Millisecond, time.Second},
		{10 * time.Second, 10*time.Second + time.Second/2},
	} {
		now := due.Add(tt.late)
		if got := inStep(now, due, now.Add(time.Second)).Sub(due); got != tt.want {
			t.Errorf("%v late: the next start is %v after the end that was planned, want %v", tt.late, got, tt.want)
		}
	}
}
