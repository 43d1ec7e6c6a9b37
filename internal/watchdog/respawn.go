package watchdog

import "time"

// settled is how long a child must have run for its next restart to be
// immediate and its delays to begin anew (process.md 1.2).
const settled = 60 * time.Second

// maxDelay is the longest wait between two starts of one child.
const maxDelay = 60 * time.Second

// respawn limits how fast one child is started again: 0, 1, 2, 4 … 60 seconds.
type respawn struct {
	restarts int
}

// next tells how long to wait before a child that started at started and died
// at died is started again, and whether the wait is to be logged: a child that
// had settled is restarted without a word about delays.
func (r *respawn) next(started, died time.Time) (delay time.Duration, limited bool) {
	if died.Sub(started) >= settled {
		r.restarts = 0
		return 0, false
	}
	n := r.restarts
	r.restarts++
	switch {
	case n == 0:
		return 0, true
	case n > 6:
		return maxDelay, true
	}
	return min(maxDelay, time.Second<<(n-1)), true
}
