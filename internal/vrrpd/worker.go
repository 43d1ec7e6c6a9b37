package vrrpd

import (
	"sync"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/vrrp"
)

// job is one thing that needs an answer of the kernel, or that must come after
// such things. Of the fields only one kind is set.
type job struct {
	instance vrrp.ID
	del, add []kernel.Address
	do       func()
}

// worker does jobs in order on a goroutine of its own, so that the loop never
// waits for the kernel. Its queue is not bounded: it grows by what the core
// decides, never by what a peer sends.
type worker struct {
	setAddrs func(del, add []kernel.Address)

	mu     sync.Mutex // guards what follows
	wake   sync.Cond
	queue  []job
	busy   bool
	closed bool
	done   chan struct{}
}

func newWorker(setAddrs func(del, add []kernel.Address)) *worker {
	w := &worker{setAddrs: setAddrs, done: make(chan struct{})}
	w.wake.L = &w.mu
	go w.run()
	return w
}

// put queues jobs.
func (w *worker) put(jobs []job) {
	if len(jobs) == 0 {
		return
	}
	w.mu.Lock()
	w.queue = append(w.queue, jobs...)
	w.wake.Broadcast()
	w.mu.Unlock()
}

// close ends the worker after the jobs that are queued.
func (w *worker) close() {
	w.mu.Lock()
	w.closed = true
	w.wake.Broadcast()
	w.mu.Unlock()
	<-w.done
}

func (w *worker) run() {
	defer close(w.done)
	for {
		w.mu.Lock()
		w.busy = false
		w.wake.Broadcast()
		for len(w.queue) == 0 && !w.closed {
			w.wake.Wait()
		}
		jobs := w.queue
		w.queue, w.busy = nil, true
		w.mu.Unlock()
		if len(jobs) == 0 {
			return
		}
		for len(jobs) > 0 {
			jobs = w.wave(jobs)
		}
	}
}

// wave does the addresses of as many jobs as may go ahead together, in few
// large requests, then the rest of these jobs in order, and returns what is
// left. Addresses may pass other instances' jobs, never one of their own: an
// announcement does not come after the removal that followed it.
func (w *worker) wave(jobs []job) []job {
	others := map[vrrp.ID]bool{}
	end := len(jobs)
	var del, add []kernel.Address
	for i, j := range jobs {
		if j.do != nil {
			others[j.instance] = true
			continue
		}
		if others[j.instance] || (len(add) > 0 && len(j.del) > 0) {
			end = i
			break
		}
		del, add = append(del, j.del...), append(add, j.add...)
	}
	if len(del)+len(add) > 0 {
		w.setAddrs(del, add)
	}
	for _, j := range jobs[:end] {
		if j.do != nil {
			j.do()
		}
	}
	return jobs[end:]
}
