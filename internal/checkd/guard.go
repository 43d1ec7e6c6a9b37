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

	// A table that nobody has changed is not read again but compared with what
	// was read, every guardGlance, and of the servers one part of guardParts.
	guardGlance = 2 * time.Second
	guardParts  = 2
	// guardWhole is how often it is read all the same: a comparison does not see
	// quite everything (ipvs.Kernel.Same).
	guardWhole = time.Minute
)

// onlooker is what the guard needs of the kernel.
type onlooker interface {
	Dump() ([]ipvs.Service, error)
	Same(dump []ipvs.Service, part, parts int) bool
	Close()
}

// guard reads the kernel's table from time to time, on a goroutine and a
// connection of its own, because IPVS tells nobody about changes.
type guard struct {
	dial func(netns string) (onlooker, error)
	post func(func(now time.Time)) bool
	seen func(now time.Time, changes uint64, dump []ipvs.Service, took time.Duration)

	netns string // the loop's: where to look

	ask  chan glance // room for one: at most one look is wanted
	busy bool        // the loop's: a look is under way
	at   time.Time   // the loop's: when the next is due
}

// glance is one request of the loop: where to look, and how many changes the
// table had seen then.
type glance struct {
	netns   string
	changes uint64
}

func newGuard(dial func(netns string) (onlooker, error), post func(func(now time.Time)) bool) *guard {
	return &guard{dial: dial, post: post, ask: make(chan glance, 1)}
}

// next is when the guard wants tick; zero: it is busy or off.
func (g *guard) next() time.Time {
	if g.busy {
		return time.Time{}
	}
	return g.at
}

// tick asks for a look if one is due.
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

// view is what the goroutine of the guard knows: its connection, and what it
// read last.
type view struct {
	dial func(netns string) (onlooker, error)
	k    onlooker // nil: not connected
	at   glance   // where and when it read last
	read time.Time
	dump []ipvs.Service
	part int // the next to compare
}

// look reads the table, unless it is as it was read last.
func (v *view) look(want glance) (same bool, err error) {
	if v.k != nil && v.at.netns != want.netns {
		v.close()
	}
	if v.k == nil {
		if v.k, err = v.dial(want.netns); err != nil {
			v.k = nil
			return false, err
		}
		v.read = time.Time{}
	}
	if v.at == want && time.Since(v.read) < guardWhole {
		v.part = (v.part + 1) % guardParts
		if v.k.Same(v.dump, v.part, guardParts) {
			return true, nil
		}
	}
	v.at, v.read = want, time.Now()
	if v.dump, err = v.k.Dump(); err != nil {
		v.close()
	}
	return false, err
}

func (v *view) close() {
	if v.k != nil {
		v.k.Close()
		v.k = nil
	}
}

// run looks when asked, until ask is closed.
func (g *guard) run() {
	v := view{dial: g.dial}
	defer v.close()
	for want := range g.ask {
		runtime.LockOSThread() // whose time is measured
		begin := threadTime()
		same, err := v.look(want)
		took := threadTime() - begin
		runtime.UnlockOSThread()
		dump := v.dump
		if !g.post(func(now time.Time) {
			switch {
			case err != nil: // the table's own connection says what is wrong
				g.busy, g.at = false, now.Add(guardLongest)
			case same:
				g.busy, g.at = false, now.Add(guardGlance)
			default:
				g.rest(now, took)
				g.seen(now, want.changes, dump, took)
			}
		}) {
			return
		}
	}
}
