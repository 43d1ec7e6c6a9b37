package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Node is a machine with a keepalived on it.
type Node struct {
	Name   string
	Config *vrrp.Config
	Router *vrrp.Router
	Kernel Kernel
	Links  []*Link
	Detail bool // the router writes the lines of -D

	Running bool
	Stalled bool // the process is stopped: nothing is read, no deadline kept
	// Takes is how long its daemon takes from its start to its first Reload.
	Takes time.Duration

	w       *World
	sockets []vrrp.Socket
	armed   time.Duration         // when the pending deadline event comes; -1 = none
	inbox   []waiting             // came while stalled
	state   map[string]vrrp.State // by instance, as last told
	// backlog are events that wait for a stopped process, in their order.
	backlog []func(r *vrrp.Router, now time.Time)
	owed    int  // of them, while they are being told
	touched bool // a state or an address changed in this call
	// mixed are groups that a reload put together of members in different
	// states, and since when they are: they come together in their time.
	mixed map[string]time.Duration
}

// Link is an interface of a node.
type Link struct {
	Name  string
	Addrs []netip.Prefix
	Up    bool
	index int
}

// waiting is a packet in the socket of a stopped process.
type waiting struct {
	*packet
	at time.Duration
}

// AddNode adds a machine with its interfaces.
func (w *World) AddNode(name string, links ...*Link) *Node {
	n := &Node{Name: name, w: w, armed: -1, state: map[string]vrrp.State{}, Config: &vrrp.Config{
		Group4: netip.MustParseAddr("224.0.0.18"), Group6: netip.MustParseAddr("ff02::12"),
	}}
	for i, l := range links {
		l.index, l.Up = i+2, true
		n.Links = append(n.Links, l)
	}
	w.Nodes = append(w.Nodes, n)
	return n
}

// Link returns an interface by name, nil when there is none.
func (n *Node) Link(name string) *Link {
	for _, l := range n.Links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// LinkUp tells whether the node has the interface and it is up.
func (n *Node) LinkUp(name string) bool {
	l := n.Link(name)
	return l != nil && l.Up
}

func (n *Node) clock() time.Time { return Epoch.Add(n.w.now) }

// Start starts the process, with what a predecessor left in the kernel.
func (n *Node) Start() { n.start(nil) }

// Successor starts a process in place of one that was killed, with the
// snapshot the parent kept.
func (n *Node) Successor(s vrrp.Snapshot) { n.start(&s) }

func (n *Node) start(s *vrrp.Snapshot) {
	n.Running, n.Stalled, n.armed = true, false, -1
	n.sockets = nil
	n.mixed = nil
	n.Kernel.filters = nil // a process makes its firewall table anew
	now := n.clock()
	opt := vrrp.Options{Detail: n.Detail}
	if s == nil {
		opt.Launched = now.Add(-n.Takes)
	}
	n.Router = vrrp.New(opt)
	for _, l := range n.Links {
		n.Router.LinkChanged(now, n.linkState(l))
		for _, a := range l.Addrs {
			n.Router.AddrChanged(now, vrrp.AddrEvent{Interface: l.Name, Addr: a.Addr(), Bits: a.Bits(), Added: true})
		}
		for _, h := range n.Kernel.on(l.Name) {
			n.Router.AddrChanged(now, vrrp.AddrEvent{Interface: l.Name, Addr: h.Addr(), Bits: h.Bits(), Added: true})
		}
	}
	if s != nil {
		n.Router.Restore(now, *s)
	} else {
		clear(n.state)
	}
	n.Router.Reload(now, n.Config)
	for _, in := range n.Router.Snapshot(now).Instances {
		n.state[in.Name] = in.State // a successor's mastership is not told
	}
	n.after()
}

func (n *Node) linkState(l *Link) vrrp.Link {
	flags := uint32(0x1003)
	if l.Up {
		flags = 0x11043
	}
	return vrrp.Link{Name: l.Name, Index: l.index, Exists: true, Up: l.Up, Flags: flags, MTU: 1500}
}

// Do runs a call into the node's Router, if it runs, and what comes of it.
func (n *Node) Do(call func(r *vrrp.Router, now time.Time)) {
	if !n.Running || n.Stalled {
		return
	}
	call(n.Router, n.clock())
	n.after()
}

// Stop ends the process in order.
func (n *Node) Stop() {
	n.Resume(true) // a stopped process gets the signal when it goes on
	n.Do(func(r *vrrp.Router, now time.Time) { r.Stop(now, false) })
	n.Running = false
	n.forget()
}

// Kill ends the process without a word; its addresses stay.
func (n *Node) Kill() {
	n.Running, n.Stalled = false, false
	n.forget()
	clear(n.state)
}

// Crash ends the whole machine: nothing stays.
func (n *Node) Crash() {
	n.Kill()
	n.Kernel = Kernel{}
}

func (n *Node) forget() {
	for _, p := range n.inbox {
		n.w.done(p.packet)
	}
	n.inbox, n.backlog = nil, nil
}

// Stall stops the process (SIGSTOP), if there is one.
func (n *Node) Stall() { n.Stalled = n.Running }

// Resume lets it go on. What waits, packets and deadlines, is seen in the
// order given: a process cannot know which comes first.
func (n *Node) Resume(packetsFirst bool) {
	if !n.Running || !n.Stalled {
		return
	}
	n.Stalled = false
	for g := range n.mixed {
		n.mixed[g] = n.w.now
	}
	now := n.clock()
	if !packetsFirst {
		n.Router.Tick(now)
		n.after()
	}
	for _, p := range n.inbox {
		n.receive(p.packet, p.at)
		n.w.done(p.packet)
	}
	n.inbox = n.inbox[:0]
	waited := n.backlog
	n.backlog = nil
	for i, call := range waited {
		n.owed = len(waited) - 1 - i
		n.Do(call)
	}
	n.Router.Tick(now)
	n.after()
}

// SetLink changes an interface.
func (n *Node) SetLink(name string, up bool) {
	l := n.Link(name)
	if l.Up == up {
		return
	}
	l.Up = up
	n.whenRunning(func(r *vrrp.Router, now time.Time) { r.LinkChanged(now, n.linkState(l)) })
}

// whenRunning is Do, put off while the process is stopped: netlink keeps its
// messages.
func (n *Node) whenRunning(call func(r *vrrp.Router, now time.Time)) {
	if n.Stalled {
		n.backlog = append(n.backlog, call)
		return
	}
	n.Do(call)
}

// LoseAddr deletes an address behind the process's back.
func (n *Node) LoseAddr(iface string, a netip.Addr) {
	if !n.Kernel.drop(iface, a) {
		l := n.Link(iface)
		i := slices.IndexFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
		if i < 0 {
			return
		}
		l.Addrs = slices.Delete(l.Addrs, i, i+1)
	}
	n.whenRunning(func(r *vrrp.Router, now time.Time) {
		r.AddrChanged(now, vrrp.AddrEvent{Interface: iface, Addr: a, Bits: a.BitLen()})
	})
}

// GainAddr adds an address to an interface.
func (n *Node) GainAddr(iface string, p netip.Prefix) {
	l := n.Link(iface)
	l.Addrs = append(l.Addrs, p)
	n.whenRunning(func(r *vrrp.Router, now time.Time) {
		r.AddrChanged(now, vrrp.AddrEvent{Interface: iface, Addr: p.Addr(), Bits: p.Bits(), Added: true})
	})
}

// masters counts the members of a group that are master.
func (n *Node) masters(g *vrrp.GroupConfig) (count int) {
	for _, m := range g.Members {
		if n.state[m] == vrrp.Master {
			count++
		}
	}
	return count
}

// findMixed looks, after a reload, which groups have to come together.
func (n *Node) findMixed() {
	was := n.mixed
	n.mixed = map[string]time.Duration{}
	for i := range n.Config.Groups {
		g := &n.Config.Groups[i]
		if m := n.masters(g); m == 0 || m == len(g.Members) {
			continue
		}
		since, had := was[g.Name]
		if !had {
			since = n.w.now
		}
		n.mixed[g.Name] = since
	}
}

// due is a deadline event; one that was overtaken does nothing.
func (n *Node) due(at time.Duration) {
	if !n.Running || n.armed != at {
		return
	}
	n.armed = -1
	if n.Stalled {
		return
	}
	n.Router.Tick(n.clock())
	n.after()
}

// deliver is a packet's arrival.
func (n *Node) deliver(p *packet) {
	switch {
	case !n.Running:
		n.w.done(p)
	case n.Stalled: // the socket buffer is taken to be large enough
		n.inbox = append(n.inbox, waiting{p, n.w.now})
	default:
		n.receive(p, n.w.now)
		n.w.done(p)
	}
}

// receive hands a packet to the sockets that hear it.
func (n *Node) receive(p *packet, at time.Duration) {
	for i := range n.sockets {
		if !hears(&n.sockets[i].Key, p) {
			continue
		}
		in := vrrp.Packet{Socket: n.sockets[i].ID, Bytes: p.bytes, HopLimit: -1, Arrived: Epoch.Add(at)}
		if p.ipv6 {
			in.Source, in.To, in.HopLimit = p.src, p.to, p.hopLimit
		}
		n.Router.Receive(n.clock(), &in)
	}
	n.after()
}

// listens tells whether any socket of the node hears a packet.
func (n *Node) listens(p *packet) bool {
	for i := range n.sockets {
		if hears(&n.sockets[i].Key, p) {
			return true
		}
	}
	return false
}

func hears(k *vrrp.SocketKey, p *packet) bool {
	return k.IPv6 == p.ipv6 && k.Protocol == p.protocol && k.Addr == p.to &&
		(k.Interface == p.lan || k.Interface == "")
}

// after does the effects of a call and arms the next deadline.
func (n *Node) after() {
	for _, e := range n.Router.Drain() {
		if n.w.Observe != nil {
			n.w.Observe(n, e)
		}
		n.apply(e)
	}
	if n.touched {
		n.touched = false
		if n.w.Changed != nil {
			n.w.Changed(n)
		}
	}
	next := n.Router.Next()
	if next.IsZero() {
		n.armed = -1
		return
	}
	at := max(next.Sub(Epoch), n.w.now)
	if at != n.armed {
		n.armed = at
		n.w.push(event{at: at, node: n})
	}
}

func (n *Node) apply(e vrrp.Effect) {
	switch e := e.(type) {
	case *vrrp.SendAdvert:
		n.send(e)
	case vrrp.Sockets:
		n.sockets = e.Want
	case vrrp.HoldAddrs:
		n.Kernel.hold(e)
		n.touched = true
	case vrrp.HoldRoutes:
		n.Kernel.routes(e)
	case vrrp.HoldRules:
		n.Kernel.rules(e)
	case vrrp.Filter:
		n.Kernel.filter(e)
	case vrrp.Entered:
		if !e.Group && !e.FIFOOnly {
			n.state[e.Name] = e.State
			n.touched = true
		}
	case vrrp.Announce, vrrp.PriorityChanged, vrrp.RxLowerPrio, vrrp.Rejected, vrrp.SyncRole, vrrp.Log:
	default:
		panic(fmt.Sprintf("unknown effect %T", e))
	}
}

// send puts the packets of an advert on the LAN.
func (n *Node) send(e *vrrp.SendAdvert) {
	lan := ""
	proto := uint8(0)
	for i := range n.sockets {
		if n.sockets[i].ID == e.Socket {
			lan, proto = n.sockets[i].Key.Interface, n.sockets[i].Key.Protocol
		}
	}
	for _, out := range e.Packets {
		p := n.w.newPacket()
		p.from, p.lan, p.ipv6, p.protocol, p.src, p.to = n, lan, e.IPv6, proto, e.Source, out.To
		p.hopLimit = 255
		p.bytes = append(p.bytes, out.Bytes...)
		n.w.Net.send(p)
	}
}
