package checkd

import (
	"errors"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// guarded runs a guard over k; posted functions come to the returned channel.
func guarded(t *testing.T, dial func(string) (onlooker, error)) (*guard, <-chan func(time.Time)) {
	posts := make(chan func(time.Time), 1)
	g := newGuard(dial, func(f func(time.Time)) bool { posts <- f; return true })
	done := make(chan bool)
	go func() { g.run(); close(done) }()
	t.Cleanup(func() { close(g.ask); <-done })
	return g, posts
}

func TestGuardDumpsWhenDue(t *testing.T) {
	k := newFakeKernel()
	openTable(k).set(start, []ipvs.Service{serviceOf(1, backend(1, 1))})
	g, posts := guarded(t, func(string) (onlooker, error) { return k, nil })
	var seen []ipvs.Service
	var count uint64
	g.seen = func(_ time.Time, changes uint64, dump []ipvs.Service, _ time.Duration) { seen, count = dump, changes }
	g.rest(start, 0)
	if got := g.next().Sub(start); got != guardShortest {
		t.Errorf("first look after %v, want %v", got, guardShortest)
	}
	g.tick(start, 7)
	if g.busy {
		t.Error("it looks before its time")
	}
	g.tick(g.at, 7)
	if !g.busy || !g.next().IsZero() {
		t.Error("it does not look at its time")
	}
	(<-posts)(start)
	if len(seen) != 1 || count != 7 || g.busy {
		t.Errorf("saw %d services at change %d, busy %v", len(seen), count, g.busy)
	}
}

// A table that nobody has touched is compared, not read and planned again; what
// others change is seen within the looks that go once round.
func TestGuardComparesWhatItHasRead(t *testing.T) {
	k := newFakeKernel()
	openTable(k).set(start, []ipvs.Service{serviceOf(1, backend(1, 1)), serviceOf(2, backend(2, 1))})
	g, posts := guarded(t, func(string) (onlooker, error) { return k, nil })
	seen := 0
	g.seen = func(time.Time, uint64, []ipvs.Service, time.Duration) { seen++ }
	changes := uint64(7)
	look := func() (reads int) {
		before := seen
		g.at = start
		g.tick(start, changes)
		(<-posts)(start)
		return seen - before
	}
	if look() != 1 {
		t.Error("it does not read at first")
	}
	for range 5 {
		if look() != 0 || g.busy || g.at != start.Add(guardGlance) {
			t.Errorf("it reads again what nobody has changed; next look %v later", g.at.Sub(start))
		}
	}
	if round := guardGlance * guardParts; round > guardLongest+time.Second {
		t.Errorf("all servers are looked at in %v", round)
	}
	for n := byte(1); n <= 2; n++ {
		k.services[vip(n)].Servers[0].Weight = 5
		reads := 0
		for range guardParts {
			reads += look()
		}
		if reads == 0 {
			t.Errorf("a change of service %d is not seen", n)
		}
	}
	changes++
	if look() != 1 {
		t.Error("it does not read what this process has changed")
	}
	k.broken = true
	changes++
	if look() != 0 || g.at != start.Add(guardLongest) {
		t.Error("a failed look was taken for a look")
	}
	if k.broken = false; look() != 1 {
		t.Error("it does not read anew after a failure")
	}
}

// A table that takes long to read is read less often, but often enough for a
// change to be undone within five seconds.
func TestGuardRestsByCost(t *testing.T) {
	g := newGuard(nil, nil)
	for _, tt := range []struct{ took, rest time.Duration }{
		{0, guardShortest}, {5 * time.Millisecond, guardShortest}, {30 * time.Millisecond, 3 * time.Second}, {time.Second, guardLongest},
	} {
		if g.rest(start, tt.took); g.at.Sub(start) != tt.rest {
			t.Errorf("rests %v after a dump of %v, want %v", g.at.Sub(start), tt.took, tt.rest)
		}
	}
}

func TestGuardSurvivesWithoutKernel(t *testing.T) {
	fail := true
	g, posts := guarded(t, func(string) (onlooker, error) {
		if fail {
			return nil, errors.New("no")
		}
		return newFakeKernel(), nil
	})
	looked := false
	g.seen = func(time.Time, uint64, []ipvs.Service, time.Duration) { looked = true }
	g.at = start
	g.tick(start, 0)
	(<-posts)(start)
	if looked || g.busy {
		t.Error("a failed look was taken for a look")
	}
	fail = false
	g.tick(g.at, 0)
	(<-posts)(start)
	if !looked {
		t.Error("it does not look again")
	}
}
