package process

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
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
	// lateGarbage is how much the reloads that follow one another may leave until
	// then, beyond as much as is in use: then it is collected, after a reload.
	lateGarbage = 2 << 20
)

// Heap keeps the memory of a process that reads a configuration, which needs
// many times what the process needs afterwards.
type Heap struct {
	// Percent is the garbage that is allowed at rest (GOGC).
	Percent int

	mu    sync.Mutex // guards what follows: a reading may be another goroutine's
	reads int
	timer *time.Timer
}

// Read is called before a configuration is read. Nothing is collected until it
// is in force, unless there is very much.
func (h *Heap) Read() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if h.timer != nil {
		h.timer.Stop()
	}
	debug.SetGCPercent(readingGC)
}

// wasteful reports whether much has come into use since the last collection.
func wasteful() bool {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 || s[1].Value.Kind() != metrics.KindUint64 {
		return false
	}
	return s[0].Value.Uint64() > lateGarbage+2*s[1].Value.Uint64()
}

// Rest is called when the configuration is in force: the memory goes back to
// the system soon.
func (h *Heap) Rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil {
		h.timer = time.AfterFunc(restAfter, func() {
			code := programAreas()
			debug.SetGCPercent(h.Percent)
			if maps, err := os.ReadFile("/proc/self/maps"); err == nil {
				keepSmall(heapAreas(string(maps)))
			}
			debug.FreeOSMemory()
			unmap(code)
		})
	}
	if h.reads > 1 && wasteful() {
		go runtime.GC() // a lower limit would wait for more to be allocated
	}
	h.timer.Reset(restAfter)
}
