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
	var waste []byte
	for range 2 {
		waste = make([]byte, lateGarbage)
	}
	runtime.KeepAlive(waste)
	if h.Rest(); allowed() != readingGC {
		t.Error("the start collects before the process is at rest")
	}
	runtime.GC()
	h.Read()
	if got := allowed(); got != readingGC {
		t.Errorf("a reload allows %d %%, want %d", got, readingGC)
	}
	if h.Rest(); allowed() != readingGC {
		t.Error("a reload that left nothing is followed by a collection")
	}
	h.Read()
	for range 2 {
		waste = make([]byte, lateGarbage)
	}
	runtime.KeepAlive(waste)
	if h.Rest(); allowed() != h.Percent {
		t.Errorf("a reload that left much allows %d %% afterwards, want %d", allowed(), h.Percent)
	}
}
