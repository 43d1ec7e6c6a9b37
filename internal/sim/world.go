package sim

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Epoch is the wall clock at which every world begins.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// World is a set of nodes with a clock and a network.
type World struct {
	Nodes []*Node
	Net   Network
	Rand  *rand.Rand
	// Observe, when set, sees every effect before it is done.
	Observe func(*Node, vrrp.Effect)
	// Changed, when set, is called after a call that changed a state or an
	// address, with its effects done.
	Changed func(*Node)

	now    time.Duration // since Epoch
	events events
	seq    uint64
	spare  []*packet
}

// NewWorld makes an empty world; all chance comes from the seed.
func NewWorld(seed uint64) *World {
	w := &World{Rand: newRand(seed)}
	w.Net = Network{w: w, last: map[[2]*Node]time.Duration{}, DelayMin: 200 * time.Microsecond, DelayMax: 200 * time.Microsecond}
	return w
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6b6c6976)) }

// Now is the time on the world's clock.
func (w *World) Now() time.Duration { return w.now }

// event is something that happens at a time: a delivery, a deadline of a
// node's Router, or a function.
type event struct {
	at   time.Duration
	seq  uint64
	node *Node
	pkt  *packet
	do   func()
}

// events is a binary heap by time, then order of scheduling.
type events []event

func (e events) less(i, j int) bool {
	if e[i].at != e[j].at {
		return e[i].at < e[j].at
	}
	return e[i].seq < e[j].seq
}

func (w *World) push(e event) {
	w.seq++
	e.seq = w.seq
	h := append(w.events, e)
	for i := len(h) - 1; i > 0; {
		p := (i - 1) / 2
		if !h.less(i, p) {
			break
		}
		h[i], h[p] = h[p], h[i]
		i = p
	}
	w.events = h
}

func (w *World) pop() event {
	h := w.events
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h[last] = event{}
	h = h[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h.less(c+1, c) {
			c++
		}
		if !h.less(c, i) {
			break
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
	w.events = h
	return top
}

// At schedules a function.
func (w *World) At(at time.Duration, do func()) { w.push(event{at: at, do: do}) }

// RunUntil lets everything happen up to and including a time.
func (w *World) RunUntil(end time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= end {
		e := w.pop()
		w.now = e.at
		switch {
		case e.pkt != nil:
			e.node.deliver(e.pkt)
		case e.do != nil:
			e.do()
		default:
			e.node.due(e.at)
		}
	}
	w.now = end
}

// Run lets time pass.
func (w *World) Run(d time.Duration) { w.RunUntil(w.now + d) }

// Node returns a node by name, nil when there is none.
func (w *World) Node(name string) *Node {
	for _, n := range w.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// packet is an advert on its way. It is counted by its deliveries and used
// again after the last.
type packet struct {
	refs     int
	from     *Node
	lan      string
	ipv6     bool
	protocol uint8
	src, to  netip.Addr
	hopLimit int
	bytes    []byte
}

func (w *World) newPacket() *packet {
	if n := len(w.spare); n > 0 {
		p := w.spare[n-1]
		w.spare = w.spare[:n-1]
		p.bytes = p.bytes[:0]
		return p
	}
	return &packet{}
}

func (w *World) done(p *packet) {
	if p.refs--; p.refs == 0 {
		w.spare = append(w.spare, p)
	}
}

// Network is what lies between the nodes. Interfaces of the same name are on
// one LAN.
type Network struct {
	w *World
	// Every packet takes a time between these; a spread reorders.
	DelayMin, DelayMax time.Duration
	Loss, Duplicate    float64 // chances per delivery
	Reorder            bool    // else what is sent first arrives first
	last               map[[2]*Node]time.Duration
	cut                map[[2]*Node]bool
}

// Cut stops packets from one node to another, one way.
func (n *Network) Cut(from, to *Node) {
	if n.cut == nil {
		n.cut = map[[2]*Node]bool{}
	}
	n.cut[[2]*Node{from, to}] = true
}

// Heal lets packets pass between all nodes again.
func (n *Network) Heal() { clear(n.cut) }

// Passes tells whether packets get from one node to another on a LAN.
func (n *Network) Passes(from, to *Node, lan string) bool {
	return !n.cut[[2]*Node{from, to}] && from.LinkUp(lan) && to.LinkUp(lan)
}

// send hands a packet to everyone who may hear it.
func (n *Network) send(p *packet) {
	p.refs++
	for _, to := range n.w.Nodes {
		if to == p.from || !to.Running || !n.Passes(p.from, to, p.lan) || !to.listens(p) {
			continue
		}
		copies := 1
		if n.Duplicate > 0 && n.w.Rand.Float64() < n.Duplicate {
			copies = 2
		}
		for range copies {
			if n.Loss > 0 && n.w.Rand.Float64() < n.Loss {
				continue
			}
			delay := n.DelayMin
			if spread := n.DelayMax - n.DelayMin; spread > 0 {
				delay += time.Duration(n.w.Rand.Int64N(int64(spread)))
			}
			p.refs++
			at := n.w.now + delay
			if pair := [2]*Node{p.from, to}; !n.Reorder {
				at = max(at, n.last[pair])
				n.last[pair] = at
			}
			n.w.push(event{at: at, node: to, pkt: p})
		}
	}
	n.w.done(p)
}
