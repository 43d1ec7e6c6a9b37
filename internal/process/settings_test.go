package process

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/log"
)

// TestLateTimersRaiseThePriority: max_auto_priority and min_auto_priority_delay,
// one step for each deadline that is too late, up to the ceiling.
func TestLateTimersRaiseThePriority(t *testing.T) {
	if err := errors.Join(SetRealtime(1), SetRealtime(0)); err != nil {
		t.Skipf("skipped: real-time scheduling needs CAP_SYS_NICE: %v", err)
	}
	var logged []string
	defer log.Capture(func(l log.Line) { logged = append(logged, l.Text) })()
	defer SetRealtime(0)
	var s Settings
	s.SetAuto(2, 5*time.Millisecond)
	for _, late := range []time.Duration{4 * time.Millisecond, 5 * time.Millisecond, 1500 * time.Millisecond, time.Minute} {
		s.Late(late)
	}
	want := []string{
		"A thread timer expired 0.005000 seconds ago", "Set realtime priority 1",
		"A thread timer expired 1.500000 seconds ago", "Set realtime priority 2",
		"A thread timer expired 60.000000 seconds ago", // the ceiling
	}
	if diff := cmp.Diff(want, logged); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if got := Realtime(); got != 2 {
		t.Errorf("priority %d, want 2", got)
	}
	s.Set(Wanted{}) // a reload
	if got := Realtime(); got != 0 {
		t.Errorf("priority %d after a reload, want an ordinary process", got)
	}
	logged = nil
	s.SetAuto(-1, time.Millisecond)
	s.Late(time.Second)
	if len(logged) != 1 || Realtime() != 0 {
		t.Errorf("with max_auto_priority -1: %q, priority %d", logged, Realtime())
	}
}
