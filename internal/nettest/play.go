package nettest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// plays is how often a play is played at the most.
const plays = 4

// Play runs a play with bounds in time, of which the tightest is given. A play
// that fails while the machine itself stood still for half of that bound says
// nothing about what is tested: it is void, which is said, and played again, a
// few times at the most. Every other play is judged as it stands.
//
// Standing still is what a thread with precedence over all others sees (see
// stallMeter), never the load of the machine: against that, processes under
// test run with RealTime.
func Play(t testing.TB, bound time.Duration, play func(t testing.TB)) {
	t.Helper()
	meter := theMeter()
	for n := 1; ; n++ {
		a := &attempt{TB: t}
		begin := time.Now()
		a.run(play)
		if a.skipped {
			t.SkipNow()
		}
		if !a.Failed() {
			return
		}
		stalled := meter.longestStall(begin)
		void := a.void
		if void == "" && stalled >= bound/2 {
			void = fmt.Sprintf("the machine stood still for %v", stalled)
		}
		if void == "" || n == plays {
			t.Fatalf("failed at play %d; the machine stood still for %v at the most; void: %q", n, stalled, void)
			return
		}
		t.Logf("void: %s; played again", void)
	}
}

// Stalled returns for how long at the most the machine itself stood still since
// a moment, for a test that repeats its parts. It is measured from the first
// call on.
func Stalled(since time.Time) time.Duration { return theMeter().longestStall(since) }

// Void fails the play as one that says nothing, for the observer itself could
// not do what it had to: it is played again as after a stall of the machine.
func Void(t testing.TB, format string, args ...any) {
	t.Helper()
	a, ok := t.(*attempt)
	if !ok {
		t.Fatalf("void outside a play: "+format, args...)
	}
	a.mu.Lock()
	a.void = fmt.Sprintf(format, args...)
	a.mu.Unlock()
	a.FailNow()
}

// attempt is the test as one play sees it: what fails there is held back until
// it is known whether it counts, and what is to be cleaned up is when it ends.
type attempt struct {
	testing.TB

	mu       sync.Mutex // guards all below: a play may fail on any goroutine
	failed   bool
	skipped  bool
	void     string
	cleanups []func()
}

func (a *attempt) run(play func(t testing.TB)) {
	a.on(func() { play(a) })
	for {
		a.mu.Lock()
		n := len(a.cleanups)
		if n == 0 {
			a.mu.Unlock()
			return
		}
		f := a.cleanups[n-1]
		a.cleanups = a.cleanups[:n-1]
		a.mu.Unlock()
		a.on(f)
	}
}

// on runs f on a goroutine that FailNow may end.
func (a *attempt) on(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (a *attempt) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

func (a *attempt) Failed() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.failed }

func (a *attempt) Fail() { a.mu.Lock(); defer a.mu.Unlock(); a.failed = true }

func (a *attempt) FailNow() { a.Fail(); runtime.Goexit() }

func (a *attempt) Error(args ...any) { a.TB.Helper(); a.TB.Log(args...); a.Fail() }

func (a *attempt) Errorf(format string, args ...any) {
	a.TB.Helper()
	a.TB.Logf(format, args...)
	a.Fail()
}

func (a *attempt) Fatal(args ...any) { a.TB.Helper(); a.TB.Log(args...); a.FailNow() }

func (a *attempt) Fatalf(format string, args ...any) {
	a.TB.Helper()
	a.TB.Logf(format, args...)
	a.FailNow()
}

func (a *attempt) Skip(args ...any) { a.TB.Helper(); a.TB.Log(args...); a.SkipNow() }

func (a *attempt) Skipf(format string, args ...any) {
	a.TB.Helper()
	a.TB.Logf(format, args...)
	a.SkipNow()
}

func (a *attempt) SkipNow() {
	a.mu.Lock()
	a.skipped = true
	a.mu.Unlock()
	runtime.Goexit()
}

func (a *attempt) Skipped() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.skipped }
