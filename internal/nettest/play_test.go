package nettest

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// holdUp keeps every processor from everything, the daemons under test too, as
// the host of a virtual machine does that lends its processors to others.
func holdUp(t testing.TB, d time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, runtime.NumCPU())
	for i := range errs {
		all.Go(func() {
			onThrowawayThread(func() {
				if errs[i] = realTime(meterPriority + 5); errs[i] == nil {
					for begin := time.Now(); time.Since(begin) < d; {
						continue
					}
				}
			})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Skipf("skipped: no real-time priority: %v", err)
	}
}

func TestPlayIsVoidWhileTheMachineStoodStill(t *testing.T) {
	Need(t)
	var ends []int
	plays := 0
	Play(t, 100*time.Millisecond, func(t testing.TB) {
		plays++
		t.Cleanup(func() { ends = append(ends, plays) })
		if plays == 1 {
			holdUp(t, 200*time.Millisecond)
			t.Fatal("too late")
		}
	})
	if plays != 2 || !slices.Equal(ends, []int{1, 2}) {
		t.Errorf("%d plays, cleaned up in %v, want the first again and each cleaned up", plays, ends)
	}
}

func TestPlayIsJudgedWithoutAStall(t *testing.T) {
	Need(t)
	fake := &recorder{TB: t}
	plays := 0
	Play(fake, time.Hour, func(t testing.TB) {
		plays++
		t.Error("too late")
	})
	if !fake.failed || plays != 1 {
		t.Errorf("failed %v after %d plays, want true after 1", fake.failed, plays)
	}
}
