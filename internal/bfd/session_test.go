package bfd

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Unix(1000, 0)

// pair is two routers with one session each, and the network between them.
type pair struct {
	now     time.Time
	routers [2]*Router
	flight  []flight
	lines   [2][]string // logs
	told    [2][]string // changes

	// The network, from each side.
	cut    [2]bool
	loss   float64
	delay  func() time.Duration
	random *rand.Rand

	sent [2]int
}

type flight struct {
	at    time.Time
	to    int
	bytes []byte
}

var addrs = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}

// config is side's half of a session named bfd1.
func config(side int, minMS, mult int) Config {
	c := DefaultConfig("bfd1")
	c.Neighbor, c.Source = addrs[1-side], addrs[side]
	c.MinRX, c.MinTX = time.Duration(minMS)*time.Millisecond, time.Duration(minMS)*time.Millisecond
	c.Multiplier = uint8(mult)
	c.Complete()
	return c
}

func newPair(seed uint64) *pair {
	p := &pair{now: start, random: rand.New(rand.NewPCG(seed, 1)), delay: func() time.Duration { return 100 * time.Microsecond }}
	for i := range p.routers {
		p.routers[i] = NewRouter(seed*2 + uint64(i))
		p.routers[i].Detail = 1
	}
	return p
}

// drain does what the routers want.
func (p *pair) drain() {
	for i, r := range p.routers {
		for _, e := range r.Drain() {
			switch e := e.(type) {
			case *Send:
				p.sent[i]++
				if !p.cut[i] && p.random.Float64() >= p.loss {
					p.flight = append(p.flight, flight{p.now.Add(p.delay()), 1 - i, e.Bytes[:]})
				}
			case Changed:
				p.told[i] = append(p.told[i], fmt.Sprintf("%v up=%v", p.now.Sub(start).Round(time.Millisecond), e.Up))
			case Log:
				p.lines[i] = append(p.lines[i], e.Text)
			}
		}
	}
}

// run lets the time go on.
func (p *pair) run(d time.Duration) {
	end := p.now.Add(d)
	p.drain()
	for {
		next := end
		for _, r := range p.routers {
			if t := r.Next(); !t.IsZero() && t.Before(next) {
				next = t
			}
		}
		for _, f := range p.flight {
			if f.at.Before(next) {
				next = f.at
			}
		}
		if !next.Before(end) {
			p.now = end
			return
		}
		p.now = next
		var arrived []flight
		p.flight = slices.DeleteFunc(p.flight, func(f flight) bool {
			if !f.at.After(p.now) {
				arrived = append(arrived, f)
				return true
			}
			return false
		})
		for _, f := range arrived {
			p.routers[f.to].Receive(p.now, Received{From: addrs[1-f.to], To: addrs[f.to], TTL: 255, Bytes: f.bytes})
		}
		for _, r := range p.routers {
			r.Tick(p.now)
		}
		p.drain()
	}
}

func (p *pair) states() string {
	return p.routers[0].Snapshot()[0].Local.String() + " " + p.routers[1].Snapshot()[0].Local.String()
}

func (p *pair) configure(a, b Config) {
	p.routers[0].Reload(p.now, []Config{a})
	p.routers[1].Reload(p.now, []Config{b})
}

func TestTransition(t *testing.T) {
	// Rows: ours; columns: received AdminDown, Down, Init, Up.
	for ours, row := range map[State][4]State{
		Down: {Down, Init, Up, Down},
		Init: {Down, Init, Up, Up},
		Up:   {Down, Down, Up, Up},
	} {
		for remote, want := range row {
			if got := transition(ours, State(remote)); got != want {
				t.Errorf("%v, received %v: %v, want %v", ours, State(remote), got, want)
			}
		}
	}
}

// TestComesUp checks the lines of a session that comes up against
// samples/08-bfd/console-D.log.
func TestComesUp(t *testing.T) {
	p := newPair(1)
	p.routers[0].Reload(p.now, []Config{config(0, 50, 4)})
	p.run(2500 * time.Millisecond)
	p.routers[1].Reload(p.now, []Config{config(1, 50, 4)})
	p.run(50 * time.Millisecond)
	if got := p.states(); got != "Up Up" {
		t.Fatalf("states %s 50 ms after the second started, want Up Up", got)
	}
	want := `(bfd1) ---------------< Session parameters >--------------
                min_tx  min_rx  tx_intv  mult  detect_time
       local   1000000   50000  1000000     4      4000000
       remote  1000000   50000  1000000     4      4000000
       Detection time is 4000000 us (was 0 us)
(bfd1) ---------------< Session parameters >--------------
                min_tx  min_rx  tx_intv  mult  detect_time
       local   1000000   50000    50000     4       200000
       remote    50000   50000    50000     4       200000
       Detection time is 200000 us (was 4000000 us)
(bfd1) Entering Up state
(bfd1) Starting poll sequence`
	both := strings.Join(p.lines[0], "\n") + "|" + strings.Join(p.lines[1], "\n")
	if !strings.Contains(both, want) {
		t.Errorf("neither side logged the reference's lines:\n%s\nwant\n%s", both, want)
	}
	for i := range p.told {
		if len(p.told[i]) != 2 || !strings.HasSuffix(p.told[i][0], "up=false") || !strings.HasSuffix(p.told[i][1], "up=true") {
			t.Errorf("side %d told %v, want down at the start and up once", i, p.told[i])
		}
		if s := p.routers[i].Snapshot()[0]; s.Poll || s.Interval != 50*time.Millisecond || s.Detect != 200*time.Millisecond {
			t.Errorf("side %d: poll %v, interval %v, detection time %v; want false, 50ms, 200ms", i, s.Poll, s.Interval, s.Detect)
		}
	}
}

// TestDetection cuts one direction and compares the time of the loss with the
// formula of RFC 5880 section 6.8.4, to the microsecond.
func TestDetection(t *testing.T) {
	for _, tt := range []struct{ ms, mult int }{{50, 3}, {10, 5}, {300, 1}} {
		t.Run(fmt.Sprintf("%dms-x%d", tt.ms, tt.mult), func(t *testing.T) {
			p := newPair(7)
			p.configure(config(0, tt.ms, tt.mult), config(1, tt.ms, tt.mult))
			p.run(10 * time.Second)
			p.cut[1] = true
			last := p.routers[0].Snapshot()[0].LastSeen
			for p.routers[0].Snapshot()[0].Local == Up {
				p.run(time.Microsecond * 100)
				if seen := p.routers[0].Snapshot()[0].LastSeen; seen.After(last) {
					last = seen // it was under way
				}
				if p.now.Sub(last) > time.Minute {
					t.Fatal("never detected")
				}
			}
			want := time.Duration(tt.ms*tt.mult) * time.Millisecond
			if got := p.routers[0].Snapshot()[0].StateChanged.Sub(last); got != want {
				t.Errorf("down %v after the last packet, want %v", got, want)
			}
			s := p.routers[0].Snapshot()[0]
			if s.LocalDiag != ControlDetectionTimeExpired || s.RemoteDisc != 0 {
				t.Errorf("diagnostic %v, remote discriminator %d; want expired and 0", s.LocalDiag, s.RemoteDisc)
			}
			// The other side hears Down within two packets and says why.
			p.run(50 * time.Millisecond)
			if o := p.routers[1].Snapshot()[0]; o.Local != Down || o.LocalDiag != NeighborSignaledDown || o.RemoteDiag != ControlDetectionTimeExpired {
				t.Errorf("other side %v, diagnostics %v, %v", o.Local, o.LocalDiag, o.RemoteDiag)
			}
			p.cut[1] = false
			p.run(10 * time.Second)
			if got := p.states(); got != "Up Up" {
				t.Errorf("states %s 10 s after the repair, want Up Up", got)
			}
		})
	}
}

// TestInterval checks that packets go out every interval less 10 to 25 %.
func TestInterval(t *testing.T) {
	p := newPair(3)
	p.configure(config(0, 10, 5), config(1, 10, 5))
	p.run(10 * time.Second)
	before := p.sent[0]
	p.run(100 * time.Second)
	// 10 ms less 17.5 % on average is 8.25 ms.
	if got := p.sent[0] - before; got < 11900 || got > 12350 {
		t.Errorf("%d packets in 100 s, want about 12121", got)
	}
}

func TestReloadPolls(t *testing.T) {
	p := newPair(4)
	a, b := config(0, 50, 4), config(1, 50, 4)
	p.configure(a, b)
	p.run(10 * time.Second)
	p.told = [2][]string{}

	a.MinTX, a.MinRX = 200*time.Millisecond, 20*time.Millisecond
	p.routers[0].Reload(p.now, []Config{a})
	s := p.routers[0].Snapshot()[0]
	if !s.Poll || s.Interval != 50*time.Millisecond || s.Detect != 200*time.Millisecond {
		t.Errorf("before consent: poll %v, interval %v, detection time %v; want true, 50ms, 200ms", s.Poll, s.Interval, s.Detect)
	}
	p.run(time.Second)
	s, o := p.routers[0].Snapshot()[0], p.routers[1].Snapshot()[0]
	if s.Poll || s.Interval != 200*time.Millisecond || s.Detect != 200*time.Millisecond || o.Detect != 800*time.Millisecond {
		t.Errorf("after consent: poll %v, interval %v, detection times %v and %v; want false, 200ms, 200ms, 800ms",
			s.Poll, s.Interval, s.Detect, o.Detect)
	}
	p.run(10 * time.Second)
	// The reload tells the state again; nothing else happened.
	if diff := cmp.Diff([2][]string{{"10s up=true"}, nil}, p.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestPassive(t *testing.T) {
	p := newPair(5)
	a, b := config(0, 50, 4), config(1, 50, 4)
	a.Passive, b.Passive = true, true
	p.configure(a, b)
	p.run(10 * time.Second)
	if p.sent != [2]int{} {
		t.Fatalf("two passive sides sent %v packets", p.sent)
	}
	b.Passive = false
	p.routers[1].Reload(p.now, []Config{b})
	p.run(5 * time.Second)
	if got := p.states(); got != "Up Up" {
		t.Fatalf("states %s with one active side, want Up Up", got)
	}
	p.cut = [2]bool{true, true}
	p.run(5 * time.Second)
	before := p.sent[0]
	p.run(5 * time.Second)
	if p.sent[0] != before {
		t.Errorf("the passive side sent %d packets although down", p.sent[0]-before)
	}
}

// TestNeighbor gives a session single packets.
func TestNeighbor(t *testing.T) {
	up := func(t *testing.T) (*Router, *Packet) {
		r := NewRouter(9)
		r.Detail = 1
		r.Reload(start, []Config{config(0, 50, 4)})
		my := r.Snapshot()[0].LocalDisc
		p := &Packet{State: Init, Multiplier: 3, My: 77, Your: my, MinTX: 50000, MinRX: 50000}
		give(r, start, p)
		if got := r.Snapshot()[0].Local; got != Up {
			t.Fatalf("state %v, want Up", got)
		}
		p.State = Up
		give(r, start, p)
		r.Tick(start)
		r.Drain()
		return r, p
	}
	t.Run("admin-down-tells-nobody", func(t *testing.T) {
		r, p := up(t)
		p.State, p.Diag = AdminDown, AdministrativelyDown
		give(r, start, p)
		if got := told(r.Drain()); got != "" || r.Snapshot()[0].Local != Down {
			t.Errorf("state %v, told %q; want Down and nobody", r.Snapshot()[0].Local, got)
		}
	})
	t.Run("down-tells", func(t *testing.T) {
		r, p := up(t)
		p.State = Down
		give(r, start, p)
		if got := told(r.Drain()); got != "down" {
			t.Errorf("told %q, want down", got)
		}
	})
	t.Run("demand-silences", func(t *testing.T) {
		r, p := up(t)
		p.Final = true // ends our poll sequence
		give(r, start, p)
		p.Final, p.Demand = false, true
		give(r, start, p)
		if at := r.Snapshot()[0].SendAt; !at.IsZero() {
			t.Errorf("next packet %v although the neighbour is in demand mode", at)
		}
		p.Poll = true
		give(r, start, p)
		if got := packets(r.Drain()); len(got) != 1 || !got[0].Final || got[0].Poll {
			t.Errorf("answer to a poll: %+v, want one with the Final bit", got)
		}
	})
	t.Run("required-min-rx-zero-silences", func(t *testing.T) {
		r, p := up(t)
		p.MinRX = 0
		give(r, start, p)
		if at := r.Snapshot()[0].SendAt; !at.IsZero() {
			t.Errorf("next packet %v although the neighbour wants none", at)
		}
	})
	t.Run("discards", func(t *testing.T) {
		r, p := up(t)
		auth, stranger, lost := *p, *p, *p
		auth.Auth = true
		lost.Your = 12345
		stranger.Your, stranger.State = 0, Down
		give(r, start, &auth)
		give(r, start, &lost)
		r.Receive(start, Received{From: netip.MustParseAddr("192.0.2.99"), To: addrs[0], TTL: 255, Bytes: stranger.Append(nil)})
		r.Receive(start, Received{From: addrs[1], To: addrs[0], TTL: 254, Bytes: p.Append(nil)})
		r.Receive(start, Received{From: addrs[1], To: addrs[0], TTL: 255, Multihop: true, Bytes: p.Append(nil)})
		var got []string
		for _, e := range r.Drain() {
			if l, ok := e.(Log); ok {
				got = append(got, l.Text)
			}
		}
		want := []string{
			"Discarding packet from 192.0.2.2 (auth bit is set, but no authentication  is in use)",
			"Discarding packet from 192.0.2.2 (session is not found - your discriminator field is 0x00003039)",
			"Discarding packet from 192.0.2.99 (session is not found - your discriminator field is 0x00000000)",
			"Packet ttl(254) < 255 - discarding",
			fmt.Sprintf("Discarding packet from 192.0.2.2 (session is not found - your discriminator field is 0x%08x)", p.Your),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
	t.Run("socket-fails", func(t *testing.T) {
		r, p := up(t)
		r.Disable(start, "bfd1")
		if got := told(r.Drain()); got != "down" || !r.Next().IsZero() {
			t.Errorf("told %q, next %v; want down and nothing due", got, r.Next())
		}
		give(r, start, p)
		if r.Snapshot()[0].Local != AdminDown {
			t.Error("a packet brought a disabled session up")
		}
		r.Enable(start, "bfd1")
		if s := r.Snapshot()[0]; s.Local != Down || !s.SendAt.Equal(start) {
			t.Errorf("state %v, next packet %v; want Down, at once", s.Local, s.SendAt)
		}
	})
}

func give(r *Router, now time.Time, p *Packet) {
	r.Receive(now, Received{From: addrs[1], To: addrs[0], TTL: 255, Bytes: p.Append(nil)})
}

func told(effects []Effect) string {
	var out []string
	for _, e := range effects {
		if c, ok := e.(Changed); ok {
			out = append(out, map[bool]string{true: "up", false: "down"}[c.Up])
		}
	}
	return strings.Join(out, " ")
}

func packets(effects []Effect) []Packet {
	var out []Packet
	for _, e := range effects {
		if s, ok := e.(*Send); ok {
			var p Packet
			if err := p.Parse(s.Bytes[:]); err != nil {
				panic(err)
			}
			out = append(out, p)
		}
	}
	return out
}

// TestSimulation runs pairs over networks that lose and delay, cuts and heals
// them, and checks from outside: down within the detection time of a cut, up
// within a bound after it heals, never down without a cause.
func TestSimulation(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		p := newPair(seed)
		r := p.random
		ms := [2]int{5 + r.IntN(200), 5 + r.IntN(200)}
		mult := [2]int{3 + r.IntN(8), 3 + r.IntN(8)}
		jitter := time.Duration(r.IntN(3)) * time.Millisecond
		p.delay = func() time.Duration {
			return 50*time.Microsecond + time.Duration(r.Int64N(int64(jitter)+1))
		}
		p.configure(config(0, ms[0], mult[0]), config(1, ms[1], mult[1]))
		p.run(8 * time.Second)
		if got := p.states(); got != "Up Up" {
			t.Errorf("seed %d: %s after 8 s without loss", seed, got)
			continue
		}
		quiet := len(p.told[0]) + len(p.told[1])
		p.run(30 * time.Second)
		if n := len(p.told[0]) + len(p.told[1]); n != quiet {
			t.Errorf("seed %d: flapped without loss: %v", seed, p.told)
		}
		for range 5 {
			way := r.IntN(3)
			p.cut = [2]bool{way != 1, way != 0}
			slowest := max(p.routers[0].Snapshot()[0].Detect, p.routers[1].Snapshot()[0].Detect)
			p.run(2*slowest + 2*time.Second + 20*time.Millisecond)
			if got := p.states(); strings.Contains(got, "Up") {
				t.Errorf("seed %d: %s although cut for longer than the detection time", seed, got)
			}
			p.cut = [2]bool{}
			p.run(8 * time.Second)
			if got := p.states(); got != "Up Up" {
				t.Errorf("seed %d: %s 8 s after the repair", seed, got)
			}
		}
		// Loss may end a session, but it must come back by itself, and both
		// sides must agree in the end.
		p.loss = 0.3
		p.run(60 * time.Second)
		p.loss = 0
		p.run(10 * time.Second)
		if got := p.states(); got != "Up Up" {
			t.Errorf("seed %d: %s 10 s after the loss", seed, got)
		}
		for i := range p.told { // every change is one
			for j := 1; j < len(p.told[i]); j++ {
				if strings.HasSuffix(p.told[i][j], "true") == strings.HasSuffix(p.told[i][j-1], "true") {
					t.Errorf("seed %d: side %d told the same twice: %v", seed, i, p.told[i])
				}
			}
		}
	}
}

// FuzzReceive gives a session that is up anything.
func FuzzReceive(f *testing.F) {
	f.Add(valid.Append(nil), uint8(255), false)
	f.Add((&Packet{State: Up, Poll: true, Multiplier: 5, My: 1, Your: 2}).Append(nil), uint8(1), true)
	f.Fuzz(func(t *testing.T, b []byte, ttl uint8, known bool) {
		r := NewRouter(1)
		r.Detail = 2
		r.Reload(start, []Config{config(0, 50, 4)})
		if known && len(b) >= 12 { // let it find the session
			copy(b[8:], (&Packet{My: r.Snapshot()[0].LocalDisc}).Append(nil)[4:8])
		}
		now := start
		for range 4 {
			r.Receive(now, Received{From: addrs[1], To: addrs[0], TTL: int(ttl), Bytes: b})
			r.Drain()
			next := r.Next()
			if next.IsZero() {
				continue
			}
			if next.Before(now) {
				t.Fatalf("a deadline %v in the past", now.Sub(next))
			}
			now = next
			r.Tick(now)
			if again := r.Next(); !again.IsZero() && !again.After(now) {
				t.Fatalf("Tick at %v left something due", now)
			}
			r.Drain()
		}
	})
}
