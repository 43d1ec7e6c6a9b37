package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

func TestSkew(t *testing.T) {
	for _, c := range []struct {
		name     string
		version  uint8
		priority uint8
		interval time.Duration
		want     time.Duration
	}{
		{"v2 100", 2, 100, time.Second, 609375 * time.Microsecond},
		{"v2 90", 2, 90, time.Second, 648437 * time.Microsecond},
		{"v2 255", 2, 255, time.Second, 3906 * time.Microsecond},
		{"v2 does not depend on the interval", 2, 100, 10 * time.Second, 609375 * time.Microsecond},
		{"v3 100 at 1 s", 3, 100, time.Second, 609375 * time.Microsecond},
		{"v3 100 at 100 ms", 3, 100, 100 * time.Millisecond, 60937 * time.Microsecond},
		{"v3 254 at 10 ms", 3, 254, 10 * time.Millisecond, 78 * time.Microsecond},
		{"v3 1 at 40.95 s", 3, 1, 40950 * time.Millisecond, 40790039 * time.Microsecond},
	} {
		if got := skew(c.version, c.priority, c.interval); got != c.want {
			t.Errorf("%s: skew = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBeats(t *testing.T) {
	low, high := netip.MustParseAddr("10.99.0.2"), netip.MustParseAddr("10.99.0.10")
	for _, c := range []struct {
		name        string
		prio        uint8
		from        netip.Addr
		ownPriority uint8
		own         netip.Addr
		want        int
	}{
		{"higher priority", 101, low, 100, high, 1},
		{"lower priority", 99, high, 100, low, -1},
		{"equal, higher address as a number", 100, high, 100, low, 1},
		{"equal, lower address", 100, low, 100, high, -1},
		{"equal, same address", 100, low, 100, low, 0},
	} {
		if got := beats(c.prio, c.from, c.ownPriority, c.own); got != c.want {
			t.Errorf("%s: beats = %d, want %d", c.name, got, c.want)
		}
	}
}

func TestContribution(t *testing.T) {
	for _, c := range []struct {
		t        Track
		up, down int
	}{
		{Track{Weight: 20}, 20, 0},
		{Track{Weight: -20}, 0, -20},
		{Track{Weight: 20, Reverse: true}, -20, 0},
		{Track{Weight: -20, Reverse: true}, 0, 20},
	} {
		if up, down := contribution(c.t, true), contribution(c.t, false); up != c.up || down != c.down {
			t.Errorf("%+v: up %d, down %d; want %d, %d", c.t, up, down, c.up, c.down)
		}
	}
}

func TestEffectivePriority(t *testing.T) {
	for _, c := range []struct {
		base uint8
		sum  int
		want uint8
	}{
		{100, 0, 100}, {100, -30, 70}, {100, -200, 1}, {100, 200, 254}, {255, -200, 255}, {1, -1, 1}, {254, 1, 254},
	} {
		if got := effectivePriority(c.base, c.sum); got != c.want {
			t.Errorf("effectivePriority(%d, %d) = %d, want %d", c.base, c.sum, got, c.want)
		}
	}
}

func TestFileStatus(t *testing.T) {
	for _, c := range []struct {
		t           Track
		value, want int
	}{
		{Track{Weight: 1}, 10, 10},
		{Track{Weight: 2}, -127, fileFault},
		{Track{Weight: 1}, -255, fileFault},
		{Track{Weight: 1}, 254, 253},
		{Track{Weight: 1, Reverse: true}, 254, fileFault},
		{Track{Weight: 254}, 1 << 31, 253},
		{Track{Weight: -254}, 1 << 31, fileFault},
	} {
		if got := fileStatus(c.t, c.value); got != c.want {
			t.Errorf("fileStatus(%+v, %d) = %d, want %d", c.t, c.value, got, c.want)
		}
	}
}

// TestTimers compares the heap with a sorted list over many random steps.
func TestTimers(t *testing.T) {
	var h timers
	base := time.Unix(1000, 0)
	list := make([]timer, 50)
	next := uint32(7)
	random := func(n uint32) uint32 {
		next = next*1664525 + 1013904223
		return next >> 16 % n
	}
	for step := range 20000 {
		x := &list[random(50)]
		switch random(6) {
		case 0:
			h.stop(x)
		case 1:
			h.remove(x)
		default:
			h.set(x, base.Add(time.Duration(random(100))))
		}
		var first *timer
		armed := 0
		for i := range list {
			y := &list[i]
			if !y.armed() {
				continue
			}
			armed++
			if first == nil || y.at.Before(first.at) || y.at.Equal(first.at) && y.seq < first.seq {
				first = y
			}
		}
		if h.first() != first {
			t.Fatalf("step %d: first = %v of %d, want %v", step, h.first(), len(h.heap), first)
		}
		held := 0
		for i, s := range h.heap {
			if s.t.pos != i+1 {
				t.Fatalf("step %d: slot %d holds a timer that is at %d", step, i, s.t.pos-1)
			}
			if s.t.armed() {
				held++
			}
		}
		if held != armed {
			t.Fatalf("step %d: %d of %d armed timers in the heap", step, held, armed)
		}
	}
	for i := range list {
		h.remove(&list[i])
	}
	if len(h.heap) != 0 {
		t.Errorf("%d slots left of removed timers", len(h.heap))
	}
}
