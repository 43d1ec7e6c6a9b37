package process

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestHeap(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	allowed := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	h := Heap{Percent: 70}
	h.Read()
	if got := allowed(); got != readingGC {
		t.Errorf("the first reading allows %d %%, want %d", got, readingGC)
	}
	h.Rest()
	h.Rest()
	runtime.GC()
	h.Read()
	if got := allowed(); got != readingGC {
		t.Errorf("a reload allows %d %%, want %d", got, readingGC)
	}
	h.Rest()
}

// Reloads that follow one another leave no more than they may.
func TestHeapOfManyReloads(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	h := Heap{Percent: 70}
	h.Read()
	h.Rest()
	runtime.GC()
	debug.SetGCPercent(-1) // nobody else collects
	count := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumGC
	}
	first := count()
	h.Read()
	debug.SetGCPercent(-1)
	if h.Rest(); count() != first {
		t.Error("a reload that left nothing is followed by a collection")
	}
	h.Read()
	debug.SetGCPercent(-1)
	for range 3 {
		waste = make([]byte, lateGarbage)
	}
	h.Rest()
	for count() == first {
		runtime.Gosched()
	}
}

var waste []byte // escapes
