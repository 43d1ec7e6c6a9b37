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

// timer is one deadline. It lives in its owner and is in the heap while armed.
type timer struct {
	at   time.Time
	pos  int    // index in the heap plus one; 0 = not armed
	seq  uint64 // order of arming breaks ties
	kind timerKind
	in   *instance
	link *link
	lane *lane
}

// armed tells whether the timer will fire.
func (t *timer) armed() bool { return t.pos != 0 }

// timers is a heap of deadlines, so that a tick costs by what is due and not
// by how many instances there are.
type timers struct {
	heap []*timer
	seq  uint64
}

func (h *timers) less(i, j int) bool {
	a, b := h.heap[i], h.heap[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}

func (h *timers) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].pos, h.heap[j].pos = i+1, j+1
}

func (h *timers) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if !h.less(i, p) {
			return
		}
		h.swap(i, p)
		i = p
	}
}

func (h *timers) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h.heap) {
			return
		}
		if c+1 < len(h.heap) && h.less(c+1, c) {
			c++
		}
		if !h.less(c, i) {
			return
		}
		h.swap(i, c)
		i = c
	}
}

// set arms t, or moves it.
func (h *timers) set(t *timer, at time.Time) {
	h.seq++
	t.at, t.seq = at, h.seq
	if t.pos == 0 {
		h.heap = append(h.heap, t)
		t.pos = len(h.heap)
		h.up(t.pos - 1)
		return
	}
	i := t.pos - 1
	h.up(i)
	h.down(t.pos - 1)
}

// stop disarms t.
func (h *timers) stop(t *timer) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(h.heap)-1
	if i != last {
		h.swap(i, last)
	}
	h.heap[last] = nil
	h.heap = h.heap[:last]
	t.pos = 0
	if i < last {
		h.up(i)
		h.down(i)
	}
}

// first returns the earliest timer, nil when there is none.
func (h *timers) first() *timer {
	if len(h.heap) == 0 {
		return nil
	}
	return h.heap[0]
}
