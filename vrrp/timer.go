package vrrp

import "time"

// timerKind is what happens when a timer is due.
type timerKind uint8

const (
	timerWake     timerKind = iota // Master: next advert; Backup: takeover
	timerSecond                    // second block of announcements
	timerRefresh                   // garp_master_refresh
	timerLower                     // second block after a lower priority advert
	timerExtra                     // garp_extra_if
	timerRogue                     // the other address owner fell silent
	timerDebounce                  // a delayed change of a link
	timerPace                      // next announcement of a paced lane
	timerStartup                   // end of the startup delay
)

// timer is one deadline. It lives in its owner.
type timer struct {
	at   time.Time
	seq  uint64 // order of arming breaks ties
	on   bool
	pos  int // index in the heap plus one; 0 = not in it
	kind timerKind
	in   *instance
	link *link
	lane *lane
}

// armed tells whether the timer will fire.
func (t *timer) armed() bool { return t.on }

// timers is a heap of deadlines, so that a tick costs by what is due and not
// by how many instances there are.
type timers struct {
	heap []slot
	seq  uint64
	base time.Time // keys count from here
}

// slot is a timer's place in the heap. It is never later than the timer: a
// deadline that moves away, as a backup's does with every advert, is noted in
// the timer only, and its slot sinks once it has come first.
type slot struct {
	key int64 // nanoseconds after base
	seq uint64
	t   *timer
}

func (s *slot) before(o *slot) bool { return s.key < o.key || s.key == o.key && s.seq < o.seq }

func (h *timers) place(i int, s slot) {
	h.heap[i] = s
	s.t.pos = i + 1
}

func (h *timers) up(i int) {
	s := h.heap[i]
	for i > 0 {
		p := (i - 1) / 2
		if !s.before(&h.heap[p]) {
			break
		}
		h.place(i, h.heap[p])
		i = p
	}
	h.place(i, s)
}

func (h *timers) down(i int) {
	s := h.heap[i]
	for {
		c := 2*i + 1
		if c >= len(h.heap) {
			break
		}
		if c+1 < len(h.heap) && h.heap[c+1].before(&h.heap[c]) {
			c++
		}
		if !h.heap[c].before(&s) {
			break
		}
		h.place(i, h.heap[c])
		i = c
	}
	h.place(i, s)
}

// set arms t, or moves it.
func (h *timers) set(t *timer, at time.Time) {
	if h.base.IsZero() {
		h.base = at
	}
	h.seq++
	t.at, t.seq, t.on = at, h.seq, true
	s := slot{int64(at.Sub(h.base)), t.seq, t}
	switch {
	case t.pos == 0:
		h.heap = append(h.heap, s)
		h.up(len(h.heap) - 1)
	case s.before(&h.heap[t.pos-1]):
		h.heap[t.pos-1] = s
		h.up(t.pos - 1)
	}
}

// stop disarms t. Its slot goes when it comes first, or is used again.
func (h *timers) stop(t *timer) { t.on = false }

// remove disarms t and forgets it.
func (h *timers) remove(t *timer) {
	t.on = false
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(h.heap)-1
	t.pos = 0
	moved := h.heap[last]
	h.heap[last] = slot{}
	h.heap = h.heap[:last]
	if i < last {
		h.place(i, moved)
		h.up(i)
		h.down(moved.t.pos - 1)
	}
}

// first returns the earliest timer, nil when there is none.
func (h *timers) first() *timer {
	for len(h.heap) > 0 {
		s := &h.heap[0]
		switch {
		case !s.t.on:
			h.remove(s.t)
		case s.seq != s.t.seq:
			s.key, s.seq = int64(s.t.at.Sub(h.base)), s.t.seq
			h.down(0)
		default:
			return s.t
		}
	}
	return nil
}
