package process

import (
	"runtime/debug"
	"runtime/metrics"
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
	// smallHeap is what may be in use for a reload to collect as at rest: that
	// costs a millisecond then, while of reloads that follow one another each
	// would add to the garbage until it is four times Go's least heap of 4 MB.
	smallHeap = 8 << 20
)

// Heap keeps the memory of a process that reads a configuration, which needs
// many times what the process needs afterwards.
type Heap struct {
	// Percent is the garbage that is allowed at rest (GOGC).
	Percent int
	timer   *time.Timer
}

// Read is called before a configuration is read.
func (h *Heap) Read() {
	percent := readingGC
	if h.timer != nil {
		h.timer.Stop()
		if liveHeap() < smallHeap {
			percent = h.Percent
		}
	}
	debug.SetGCPercent(percent)
}

// liveHeap is how many bytes were in use at the last collection.
func liveHeap() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return live[0].Value.Uint64()
}

// Rest is called when the configuration is in force: the memory goes back to
// the system soon.
func (h *Heap) Rest() {
	if h.timer == nil {
		h.timer = time.AfterFunc(restAfter, func() {
			code := programAreas()
			debug.SetGCPercent(h.Percent)
			debug.FreeOSMemory()
			unmap(code)
		})
	}
	h.timer.Reset(restAfter)
}
