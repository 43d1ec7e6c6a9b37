package watchdog

import (
	"testing"
	"time"
)

func TestRespawnDelays(t *testing.T) {
	t0 := time.Unix(1000, 0)
	quick := func(r *respawn) (time.Duration, bool) { return r.next(t0, t0.Add(59*time.Second)) }
	var r respawn
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		got, limited := quick(&r)
		if got != want*time.Second || !limited {
			t.Errorf("restart %d: delay = %v (limited %t), want %v", i+1, got, limited, want*time.Second)
		}
	}
	if got, limited := r.next(t0, t0.Add(60*time.Second)); got != 0 || limited {
		t.Errorf("after a minute: delay = %v (limited %t), want none", got, limited)
	}
	quick(&r)
	if got, _ := quick(&r); got != time.Second {
		t.Errorf("delays begin anew after a minute: second = %v, want 1s", got)
	}
}
