package track

// Result is how many successes or failures a check script is away from
// changing sides (rise, fall). It holds no time and does nothing.
//
//	0 … rise-1               down; a success adds one, any failure makes it 0
//	rise … rise+fall-1       up; a failure takes one, any success makes it the most
type Result struct {
	rise, fall int
	value      int
	known      bool // there has been a result
}

// NewResult returns the state of a script that never ran: one success or one
// failure decides.
func NewResult(rise, fall int) Result {
	r := Result{rise: max(rise, 1), fall: max(fall, 1)}
	r.value = r.rise - 1
	return r
}

// Known reports whether there has been a result.
func (r *Result) Known() bool { return r.known }

// Up reports whether the script counts as successful.
func (r *Result) Up() bool { return r.value >= r.rise }

// Success takes in a successful run and reports whether the script went up.
func (r *Result) Success() (up bool) {
	r.known = true
	if r.value < r.rise-1 {
		r.value++
		return false
	}
	up = r.value == r.rise-1
	r.value = r.rise + r.fall - 1
	return up
}

// Failure takes in a failed run and reports whether the script went down. The
// first result ever does, if it is a failure.
func (r *Result) Failure() (down bool) {
	first := !r.known
	r.known = true
	if r.value > r.rise {
		r.value--
		return false
	}
	down = first || r.value == r.rise
	r.value = 0
	return down
}

// Rescale carries the state over to other limits at a reload: the side stays,
// and what has been counted towards the other side, as far as it fits.
func (r *Result) Rescale(rise, fall int) {
	n := NewResult(rise, fall)
	n.known = r.known
	switch {
	case !r.known:
	case r.Up():
		failures := r.rise + r.fall - 1 - r.value
		n.value = max(n.rise, n.rise+n.fall-1-failures)
	default:
		n.value = min(r.value, n.rise-1)
	}
	*r = n
}
