package process

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// readingGC lets garbage grow to some times what is in use: reading a
	// configuration makes most of it at once, and collecting it meanwhile would
	// cost more than the reading.
	readingGC = 400
	// restAfter is when what reading has used is given back: collecting it takes
	// milliseconds that the first seconds have a better use for, and of several
	// reloads only the last needs it.
	restAfter = 8 * time.Second
	// hurryAfter is when it is given back by a process that has nothing urgent in
	// its first seconds, if it is more than bigHeap. The memory of a small reading
	// serves the next one, which often follows soon.
	hurryAfter = time.Second
	bigHeap    = 16 << 20
)

// Heap keeps the memory of a process that reads a configuration, which needs
// many times what the process needs afterwards.
type Heap struct {
	// Percent is the garbage that is allowed at rest (GOGC).
	Percent int
	// Hurry says that the first seconds of this process are not precious.
	Hurry   bool
	timer   *time.Timer
	hurried atomic.Bool // the timer was set to hurryAfter
}

// Read is called before a configuration is read.
func (h *Heap) Read() {
	if h.timer != nil {
		h.timer.Stop()
	}
	debug.SetGCPercent(readingGC)
}

// Rest is called when the configuration is in force: the memory goes back to
// the system soon.
func (h *Heap) Rest() {
	if h.timer == nil {
		h.timer = time.AfterFunc(restAfter, h.rest)
	}
	h.hurried.Store(h.Hurry && isBig())
	if h.hurried.Load() {
		h.timer.Reset(hurryAfter)
	} else {
		h.timer.Reset(restAfter)
	}
}

// rest gives memory back; if that was in a hurry, then again what the first
// seconds have used.
func (h *Heap) rest() {
	code := programAreas()
	debug.SetGCPercent(h.Percent)
	debug.FreeOSMemory()
	unmap(code)
	if h.hurried.Swap(false) {
		h.timer.Reset(restAfter)
	}
}

// isBig tells whether reading has used much memory.
func isBig() bool {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys-m.HeapReleased > bigHeap
}
