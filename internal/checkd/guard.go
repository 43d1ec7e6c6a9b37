package checkd

import (
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// The guard looks at the kernel's table this often. The longest time plus the
// reading of a large table stays below five seconds.
const (
	guardShortest = 2 * time.Second
	guardLongest  = 4 * time.Second
	// guardShare bounds the part of a processor that reading may take: a table
	// that takes 20 ms to read is read every 2 s.
	guardShare = 100
)

// guard reads the kernel's table from time to time, on a goroutine and a
// connection of its own, because IPVS tells nobody about changes.
type guard struct {
	dial func() (balancer, error)
	post func(func(now time.Time)) bool
	seen func(now time.Time, changes uint64, dump []ipvs.Service, took time.Duration)

	ask  chan uint64 // room for one: at most one dump is wanted
	busy bool        // the loop's: a dump is under way
	at   time.Time   // the loop's: when the next is due
}

func newGuard(dial func() (balancer, error), post func(func(now time.Time)) bool) *guard {
	return &guard{dial: dial, post: post, ask: make(chan uint64, 1)}
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
	g.ask <- changes
}

// rest plans the next dump after one that took so long.
func (g *guard) rest(now time.Time, took time.Duration) {
	g.busy = false
	g.at = now.Add(min(max(took*guardShare, guardShortest), guardLongest))
}

// run dumps when asked, until ask is closed.
func (g *guard) run() {
	var k balancer
	defer func() {
		if k != nil {
			k.Close()
		}
	}()
	for changes := range g.ask {
		begin := time.Now()
		var dump []ipvs.Service
		var err error
		if k == nil {
			k, err = g.dial()
		}
		if err == nil {
			dump, err = k.Dump()
		}
		took := time.Since(begin)
		if err != nil { // the table's own connection says what is wrong
			if k != nil {
				k.Close()
			}
			k = nil
			g.post(func(now time.Time) { g.rest(now, guardLongest) })
			continue
		}
		if !g.post(func(now time.Time) {
			g.rest(now, took)
			g.seen(now, changes, dump, took)
		}) {
			return
		}
	}
}
