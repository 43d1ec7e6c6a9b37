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
	runtime.GC()
	h.Read()
	if got := allowed(); got != h.Percent {
		t.Errorf("a reload of little allows %d %%, want %d", got, h.Percent)
	}
	much := make([]byte, 2*smallHeap)
	runtime.GC()
	h.Read()
	if got := allowed(); got != readingGC {
		t.Errorf("a reload of much allows %d %%, want %d", got, readingGC)
	}
	runtime.KeepAlive(much)
}
