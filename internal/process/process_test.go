package process

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ticker is a core that wants to be called every interval, count times.
type ticker struct {
	loop     *Loop
	next     time.Time
	interval time.Duration
	left     int
	late     []time.Duration
	applied  int
}

func (c *ticker) Next() time.Time { return c.next }
func (c *ticker) Apply(time.Time) { c.applied++ }
func (c *ticker) Tick(now time.Time) {
	c.late = append(c.late, now.Sub(c.next))
	c.next = c.next.Add(c.interval)
	if c.left--; c.left == 0 {
		c.next = time.Time{}
		c.loop.Stop()
	}
}

func TestLoopTicksOnTime(t *testing.T) {
	c := &ticker{interval: 2 * time.Millisecond, left: 100}
	l, err := NewLoop(c)
	if err != nil {
		t.Fatal(err)
	}
	c.loop = l
	start := time.Now()
	l.Post(func(now time.Time) { c.next = now.Add(c.interval) })
	l.Run()
	if got := time.Since(start); got < 200*time.Millisecond {
		t.Errorf("100 ticks of 2ms took %v", got)
	}
	for i, late := range c.late {
		if late < 0 {
			t.Errorf("tick %d came %v early", i, -late)
		}
	}
	if c.applied < 100 {
		t.Errorf("effects applied %d times, want at least 100", c.applied)
	}
	if l.Post(func(time.Time) {}) && len(l.queue) == queueInputs {
		t.Error("Post blocks after the loop has ended")
	}
}

func TestLoopKeepsOrderAndBlocksReader(t *testing.T) {
	c := &ticker{}
	l, err := NewLoop(c)
	if err != nil {
		t.Fatal(err)
	}
	const n = 3 * queueInputs
	var got []int
	go func() {
		for i := range n {
			l.Post(func(time.Time) { got = append(got, i) })
		}
		l.Post(func(time.Time) { l.Stop() })
	}()
	for l.Full() == 0 { // the reader is ahead of the loop
		runtime.Gosched()
	}
	l.Run()
	if len(got) != n {
		t.Fatalf("%d inputs run, want %d", len(got), n)
	}
	for i, v := range got {
		if i != v {
			t.Fatalf("input %d ran as number %d", v, i)
		}
	}
}

// TestLoopLeavesTimerAlone moves the deadline away a thousand times, as adverts
// move a backup's: the timer is set once, and rings once too often.
func TestLoopLeavesTimerAlone(t *testing.T) {
	c := &ticker{interval: time.Millisecond, left: 1}
	l, err := NewLoop(c)
	if err != nil {
		t.Fatal(err)
	}
	c.loop = l
	first := time.Now().Add(20 * time.Millisecond)
	go func() {
		for i := range 1000 {
			l.Post(func(time.Time) { c.next = first.Add(time.Duration(i) * 50 * time.Microsecond) })
		}
	}()
	l.Run()
	if len(c.late) != 1 || c.late[0] < 0 {
		t.Errorf("ticks came %v after their deadline, want one that is not early", c.late)
	}
}

// TestLoopMissesNothing has posts, deadlines and a watched descriptor each
// answered before the next comes, so that the loop goes to sleep between them:
// a wake-up that is lost stops the test.
func TestLoopMissesNothing(t *testing.T) {
	const rounds = 5000
	c := &ticker{interval: 20 * time.Microsecond, left: -1}
	l, err := NewLoop(c)
	if err != nil {
		t.Fatal(err)
	}
	c.loop = l
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	heard := make(chan struct{})
	if err := l.Watch(int(r.Fd()), func(time.Time) {
		if n, err := unix.Read(int(r.Fd()), make([]byte, 1)); n != 1 {
			t.Errorf("told to read, but there is nothing: %v", err)
		}
		heard <- struct{}{}
	}); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() {
			answer := make(chan struct{})
			for range rounds {
				l.Post(func(time.Time) { go func() { answer <- struct{}{} }() })
				<-answer
			}
		})
	}
	done.Go(func() {
		for range rounds {
			if _, err := w.Write([]byte{1}); err != nil {
				t.Error(err)
			}
			<-heard
		}
	})
	go func() {
		done.Wait()
		l.Post(func(now time.Time) { c.left, c.next = rounds, now })
	}()
	l.Run()
	if len(c.late) != rounds {
		t.Errorf("%d ticks, want %d", len(c.late), rounds)
	}
}

// TestLoopUnwatch: what is not watched any more is not called, though it can
// be read.
func TestLoopUnwatch(t *testing.T) {
	c := &ticker{}
	l, err := NewLoop(c)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*os.File
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if _, err := w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		ends[i] = r
	}
	calls := 0
	for i, r := range ends {
		other := int(ends[1-i].Fd())
		if err := l.Watch(int(r.Fd()), func(time.Time) {
			calls++
			l.Unwatch(other)
			l.TryPost(func(time.Time) { l.Stop() })
		}); err != nil {
			t.Fatal(err)
		}
	}
	l.Run()
	if calls != 1 {
		t.Errorf("%d calls, want only that which ended the other", calls)
	}
}

func TestRealtimeHoldsForEveryThread(t *testing.T) {
	if err := SetRealtime(10); err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skip("skipped: real-time scheduling needs CAP_SYS_NICE")
		}
		t.Fatal(err)
	}
	defer SetRealtime(0)
	eachThread(func(tid int) error {
		if policy, prio := getScheduler(tid); policy != unix.SCHED_RR || prio != 10 {
			t.Errorf("thread %d has policy %d priority %d", tid, policy, prio)
		}
		return nil
	})
	if got := Realtime(); got != 10 {
		t.Errorf("Realtime() = %d, want 10", got)
	}
}

func TestName(t *testing.T) {
	old := Name()
	defer SetName(old)
	if err := SetName("keepalived_vrrp_long"); err != nil {
		t.Fatal(err)
	}
	if got := Name(); got != "keepalived_vrrp" {
		t.Errorf("name is %q", got)
	}
}
