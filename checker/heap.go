package checker

// heap is a binary heap of things that are due, the earliest first, and of
// those that are due at the same time the one that was put there first. Times
// are nanoseconds on whatever clock the owner uses.
type heap[T interface{ slot() *slot }] struct {
	list []T
	puts uint64
}

// slot is what a member of a heap carries: when it is due, and where it is.
type slot struct {
	at    int64
	put   uint64 // when it was put there, by count
	index int    // 1-based; 0: not in a heap
}

func (s *slot) before(o *slot) bool { return s.at < o.at || s.at == o.at && s.put < o.put }

func (h *heap[T]) len() int { return len(h.list) }

func (h *heap[T]) top() T { return h.list[0] }

// put adds x due at, or moves it there.
func (h *heap[T]) put(x T, at int64) {
	s := x.slot()
	h.puts++
	was := *s
	s.at, s.put = at, h.puts
	if s.index == 0 {
		h.list = append(h.list, x)
		s.index = len(h.list)
		h.up(s.index)
		return
	}
	if s.before(&was) {
		h.up(s.index)
	} else {
		h.down(s.index)
	}
}

// remove takes x out; nothing happens if it is not in.
func (h *heap[T]) remove(x T) {
	i := x.slot().index
	if i == 0 {
		return
	}
	x.slot().index = 0
	n := len(h.list)
	last := h.list[n-1]
	var none T
	h.list[n-1] = none
	h.list = h.list[:n-1]
	if i == n {
		return
	}
	h.set(i, last)
	h.up(i)
	h.down(last.slot().index)
}

func (h *heap[T]) set(i int, x T) {
	h.list[i-1] = x
	x.slot().index = i
}

func (h *heap[T]) up(i int) {
	x := h.list[i-1]
	s := x.slot()
	for i > 1 && s.before(h.list[i/2-1].slot()) {
		h.set(i, h.list[i/2-1])
		i /= 2
	}
	h.set(i, x)
}

func (h *heap[T]) down(i int) {
	x := h.list[i-1]
	s := x.slot()
	for {
		c := 2 * i
		if c > len(h.list) {
			break
		}
		if c < len(h.list) && h.list[c].slot().before(h.list[c-1].slot()) {
			c++
		}
		if s.before(h.list[c-1].slot()) {
			break
		}
		h.set(i, h.list[c-1])
		i = c
	}
	h.set(i, x)
}
