package checkd

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/ipvs"
)

// The guard looks at the kernel's table this often. The longest rest, the
// reading of a large table and the putting right stay well below the five
// seconds within which other people's changes are undone.
const (
	guardShortest = 2 * time.Second
	guardLongest  = 3500 * time.Millisecond
	// guardShare bounds the part of a processor that reading may take: a table
	// that takes 30 ms of processor time is read every 3 s.
	guardShare = 100
	// guardAgain is the pause after a dump that our own changes made old.
	guardAgain = time.Second
)

// guard reads the kernel's table from time to time, on a goroutine and a
// connection of its own, because IPVS tells nobody about changes.
type guard struct {
	dial func(netns string) (balancer, error)
	post func(func(now time.Time)) bool
	seen func(now time.Time, changes uint64, dump []ipvs.Service, took time.Duration)

	netns string // the loop's: where to look

	ask  chan glance // room for one: at most one dump is wanted
	busy bool        // the loop's: a dump is under way
	at   time.Time   // the loop's: when the next is due
}

// glance is one request of the loop: where to look, and how many changes the
// table had seen then.
type glance struct {
	netns   string
	changes uint64
}

func newGuard(dial func(netns string) (balancer, error), post func(func(now time.Time)) bool) *guard {
	return &guard{dial: dial, post: post, ask: make(chan glance, 1)}
}

// next is when the guard wants tick; zero: it is busy or off.
func (g *guard) next() time.Time {
	if g.busy {
		return time.Time{}
	}
	return g.at
}

// tick asks for a dump if one is due.
func (g *guard) tick(now time.Time, changes uint64) {
	if g.busy || g.at.IsZero() || now.Before(g.at) {
		return
	}
	g.busy = true
	g.ask <- glance{g.netns, changes}
}

// rest plans the next dump after one that took so much processor time. The time
// on the wall would make a busy machine look less often than it can.
func (g *guard) rest(now time.Time, took time.Duration) {
	g.busy = false
	g.at = now.Add(min(max(took*guardShare, guardShortest), guardLongest))
}

// threadTime is the processor time that this thread has used.
func threadTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

// run dumps when asked, until ask is closed.
func (g *guard) run() {
	var k balancer
	var where string
	defer func() {
		if k != nil {
			k.Close()
		}
	}()
	for want := range g.ask {
		runtime.LockOSThread() // whose time is measured
		begin := threadTime()
		var dump []ipvs.Service
		var err error
		if k != nil && where != want.netns {
			k.Close()
			k = nil
		}
		if k == nil {
			where = want.netns
			k, err = g.dial(where)
		}
		if err == nil {
			if dump, err = k.Dump(); err != nil {
				k.Close()
			}
		}
		took := threadTime() - begin
		runtime.UnlockOSThread()
		if err != nil { // the table's own connection says what is wrong
			k = nil
			g.post(func(now time.Time) { g.rest(now, guardLongest) })
			continue
		}
		if !g.post(func(now time.Time) {
			g.rest(now, took)
			g.seen(now, want.changes, dump, took)
		}) {
			return
		}
	}
}
