package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// checks watch a world from outside. They know what was done to the nodes,
// not how the Routers decide: health and rank are computed here again.
type checks struct {
	s   *story
	err error // the first fault found

	calm    time.Duration            // since when nothing disturbs; -1 = something does
	dual    map[string]time.Duration // since when an instance has two masters that hear each other
	changes []string                 // of state, since the last reset
	adverts map[advertKey]int        // sent, since the last reset
}

type advertKey struct {
	node *Node
	name string
}

// dualBound is how long two masters that hear each other may last in a calm
// network once they had time to hear: deliveries and the grace after a stop.
const dualBound = 60 * time.Millisecond

// dualBound allows besides for a second answer to a lower advert, which comes
// a tenth of an interval after the first.
func (c *checks) dualBound(name string) time.Duration { return dualBound + c.slowest(name)/10 }

// check turns the checkers on.
func (s *story) check() {
	c := &checks{s: s, calm: -1, dual: map[string]time.Duration{}, adverts: map[advertKey]int{}}
	s.checks = c
	tell := s.w.Observe
	s.w.Observe = func(n *Node, e vrrp.Effect) {
		if tell != nil {
			tell(n, e)
		}
		c.observe(n, e)
	}
	s.w.Changed = c.changed
}

func (c *checks) fault(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%.6f: %s", c.s.w.now.Seconds(), fmt.Sprintf(format, args...))
	}
}

// after looks again at what a command may have changed without a word from a
// Router (a cut, a kill), and returns the fault found during it.
func (c *checks) after() error {
	for _, name := range c.names() {
		c.countMasters(name)
	}
	return c.err
}

func (c *checks) observe(n *Node, e vrrp.Effect) {
	switch e := e.(type) {
	case *vrrp.SendAdvert:
		if e.Priority > 0 {
			c.adverts[advertKey{n, e.Name}]++
		}
	case vrrp.Entered:
		if !e.FIFOOnly {
			c.changes = append(c.changes, fmt.Sprintf("%.3f %s %s %v", c.s.w.now.Seconds(), n.Name, e.Name, e.State))
		}
	}
}

// changed looks at a node after a call that changed something: what a node
// holds must follow from its states, at every moment.
func (c *checks) changed(n *Node) {
	if !n.Running {
		return
	}
	for _, in := range n.Router.Snapshot(n.clock()).Instances {
		if in.State == vrrp.Stopped {
			c.countMasters(in.Name)
			continue
		}
		master := in.State == vrrp.Master
		if master != in.Holding {
			c.fault("%s %s: %v but holding=%v", n.Name, in.Name, in.State, in.Holding)
		}
		if !n.Kernel.holds(in.Config, !master) && !c.lostByHand(n) {
			c.fault("%s %s: %v and the kernel holds %v", n.Name, in.Name, in.State, &n.Kernel)
		}
		if in.State != n.state[in.Name] && in.State != vrrp.Init && !(in.State == vrrp.Backup || in.State == vrrp.Fault) {
			c.fault("%s %s: is %v, told %v", n.Name, in.Name, in.State, n.state[in.Name])
		}
		c.countMasters(in.Name)
	}
	c.groups(n)
}

// lostByHand: the kernel's contents are compared once the Router knows.
func (c *checks) lostByHand(n *Node) bool { return n.Stalled || n.owed > 0 || len(n.backlog) > 0 }

// groups checks that members agree. Those that a reload put together have the
// time that each would need on its own.
func (c *checks) groups(n *Node) {
	for i := range n.Config.Groups {
		g := &n.Config.Groups[i]
		masters := n.masters(g)
		if masters == 0 || masters == len(g.Members) {
			delete(n.mixed, g.Name)
			continue
		}
		since, mixed := n.mixed[g.Name]
		var bound time.Duration
		for _, m := range g.Members {
			bound = max(bound, 2*c.longestDown(m)+n.instance(m).PreemptDelay)
		}
		if !mixed || c.s.w.now-since > bound {
			c.fault("%s group %s: %d of %d members are master", n.Name, g.Name, masters, len(g.Members))
		}
	}
}

// masters are the nodes that are master of an instance and can speak.
func (c *checks) masters(name string) (list []*Node) {
	for _, n := range c.s.w.Nodes {
		if n.Running && !n.Stalled && n.state[name] == vrrp.Master {
			list = append(list, n)
		}
	}
	return list
}

// countMasters keeps track of instances with two masters that hear each other.
func (c *checks) countMasters(name string) {
	list := c.masters(name)
	two := false
	for i, a := range list {
		for _, b := range list[i+1:] {
			lan := a.instance(name).Interface
			two = two || c.s.w.Net.Passes(a, b, lan) && c.s.w.Net.Passes(b, a, lan)
		}
	}
	since, had := c.dual[name]
	switch {
	case two && !had:
		c.dual[name] = c.s.w.now
	case had:
		c.judgeDual(name, since)
		if !two {
			delete(c.dual, name)
		}
	}
}

// judgeDual looks at how long two masters lasted in calm, after the time in
// which every master must have spoken twice.
func (c *checks) judgeDual(name string, since time.Duration) {
	if c.calm < 0 {
		return
	}
	begin := max(since, c.calm+3*c.slowest(name)+time.Second)
	if d := c.s.w.now - begin; d > c.dualBound(name) {
		c.fault("%s: two masters for %v", name, d)
	}
}

// instance finds a node's configuration of an instance.
func (n *Node) instance(name string) *vrrp.InstanceConfig {
	for i := range n.Config.Instances {
		if n.Config.Instances[i].Name == name {
			return &n.Config.Instances[i]
		}
	}
	return nil
}

// names are all instances of the cluster.
func (c *checks) names() (list []string) {
	for _, n := range c.s.w.Nodes {
		for i := range n.Config.Instances {
			if name := n.Config.Instances[i].Name; !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// slowest is the longest interval any node advertises an instance with.
func (c *checks) slowest(name string) (d time.Duration) {
	for _, n := range c.s.w.Nodes {
		if in := n.instance(name); in != nil {
			d = max(d, in.AdvertInterval)
		}
	}
	return d
}

// longestDown is the longest Master_Down_Interval anybody may wait.
func (c *checks) longestDown(name string) (d time.Duration) {
	every := c.slowest(name)
	for _, n := range c.s.w.Nodes {
		if in := n.instance(name); in != nil {
			d = max(d, time.Duration(in.DownTimerAdverts)*every+max(every, time.Second))
		}
	}
	return d
}

// settleTime is when everything must be settled after the last disturbance:
// a group may need every member's timer twice, and a preempt delay has to run
// out.
func (c *checks) settleTime() (d time.Duration) {
	for _, name := range c.names() {
		var delay time.Duration
		for _, n := range c.s.w.Nodes {
			if in := n.instance(name); in != nil {
				delay = max(delay, in.PreemptDelay)
			}
		}
		d = max(d, 3*c.longestDown(name)+delay)
	}
	return d + 2*time.Second
}

// healthy tells from what was done to a node whether it can be master.
func (c *checks) healthy(n *Node, name string) bool {
	if !n.Running || n.Stalled {
		return false
	}
	for _, m := range c.companions(n, name) {
		in := n.instance(m)
		l := n.Link(in.Interface)
		if !l.Up || len(l.Addrs) == 0 && !in.Source.IsValid() {
			return false
		}
		for _, t := range in.TrackInterfaces {
			if t.Weight == 0 && !n.LinkUp(t.Name) {
				return false
			}
		}
		for _, t := range in.TrackScripts {
			if t.Weight == 0 && c.failed(n, t.Name) != t.Reverse {
				return false
			}
		}
	}
	return true
}

func (c *checks) failed(n *Node, script string) bool {
	return c.s.results[resultKey{n, script}] == "fail"
}

// companions are the members of an instance's group, or itself.
func (c *checks) companions(n *Node, name string) []string {
	for i := range n.Config.Groups {
		if slices.Contains(n.Config.Groups[i].Members, name) {
			return n.Config.Groups[i].Members
		}
	}
	return []string{name}
}

// priority is the effective priority by the manual's words.
func (c *checks) priority(n *Node, name string) int {
	in := n.instance(name)
	if in.Priority == 255 {
		return 255
	}
	p := int(in.Priority)
	count := func(t vrrp.Track, up bool) {
		w := t.Weight
		if t.Reverse {
			w = -w
		}
		if t.Weight > 0 && up || t.Weight < 0 && !up {
			p += w
		}
	}
	for _, t := range in.TrackInterfaces {
		count(t, n.LinkUp(t.Name))
	}
	for _, t := range in.TrackScripts {
		count(t, !c.failed(n, t.Name))
	}
	return min(max(p, 1), 254)
}

// components are the groups of running nodes that hear each other on a LAN.
func (c *checks) components(lan string) (all [][]*Node) {
	net := &c.s.w.Net
	placed := map[*Node]bool{}
	for _, first := range c.s.w.Nodes {
		if placed[first] || !first.Running || first.Stalled {
			continue
		}
		part := []*Node{first}
		placed[first] = true
		for i := 0; i < len(part); i++ {
			for _, n := range c.s.w.Nodes {
				if !placed[n] && n.Running && !n.Stalled && net.Passes(part[i], n, lan) && net.Passes(n, part[i], lan) {
					placed[n] = true
					part = append(part, n)
				}
			}
		}
		all = append(all, part)
	}
	return all
}

// look checks every instance in every part of the network: exactly one master
// where somebody is healthy, the right one, holding the addresses alone.
func (c *checks) look(rank bool) {
	for _, name := range c.names() {
		lan := ""
		for _, n := range c.s.w.Nodes {
			if in := n.instance(name); in != nil {
				lan = in.Interface
			}
		}
		for _, part := range c.components(lan) {
			c.lookAt(name, part, rank)
		}
	}
}

func (c *checks) lookAt(name string, part []*Node, rank bool) {
	var masters, healthy []*Node
	best, mayDiffer := 0, false
	for _, n := range part {
		in := n.instance(name)
		if in == nil {
			continue
		}
		if n.state[name] == vrrp.Master {
			masters = append(masters, n)
		}
		if c.healthy(n, name) {
			healthy = append(healthy, n)
			best = max(best, c.priority(n, name))
		}
		mayDiffer = mayDiffer || in.NoPreempt
	}
	switch {
	case len(healthy) == 0 && len(masters) == 0:
		return
	case len(healthy) == 0:
		c.fault("%s: master %s is not healthy", name, nodeNames(masters))
		return
	case len(masters) != 1:
		c.fault("%s: %d masters [%s] among [%s], healthy [%s]", name, len(masters), nodeNames(masters), nodeNames(part), nodeNames(healthy))
		return
	case !slices.Contains(healthy, masters[0]):
		c.fault("%s: master %s is not healthy", name, masters[0].Name)
		return
	}
	if p := c.priority(masters[0], name); rank && !mayDiffer && p != best {
		c.fault("%s: master %s has priority %d, another has %d", name, masters[0].Name, p, best)
	}
	for _, n := range part {
		if in := n.instance(name); in != nil && !n.Kernel.holds(in, n != masters[0]) {
			c.fault("%s: master is %s, %s holds %v", name, masters[0].Name, n.Name, &n.Kernel)
		}
	}
}

func nodeNames(list []*Node) string {
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	return strings.Join(names, " ")
}

var errUnchecked = errors.New("only in a checked story")

// settled waits for the settle time in calm and looks.
func (s *story) settled([]string) error {
	c := s.checks
	if c == nil {
		return errUnchecked
	}
	s.w.Net.Loss, s.w.Net.Duplicate, s.w.Net.Reorder = 0, 0, false
	s.w.Net.DelayMin, s.w.Net.DelayMax = 100*time.Microsecond, 2*time.Millisecond
	for _, n := range s.w.Nodes {
		n.Resume(true)
	}
	c.calm = s.w.now
	s.w.Run(c.settleTime())
	c.look(true)
	return c.steady(2 * c.slowestOfAll())
}

func (c *checks) slowestOfAll() (d time.Duration) {
	for _, name := range c.names() {
		d = max(d, c.slowest(name))
	}
	return d
}

// steady lets time pass in which no state may change and every master must
// advertise as it should.
func (s *story) steady(a []string) error {
	if s.checks == nil {
		return errUnchecked
	}
	d, err := time.ParseDuration(a[0])
	if err != nil {
		return err
	}
	return s.checks.steady(d)
}

func (c *checks) steady(d time.Duration) error {
	c.changes = nil
	clear(c.adverts)
	c.s.w.Run(d)
	if len(c.changes) > 0 {
		c.fault("changed without a cause: %s", strings.Join(c.changes, ", "))
	}
	for _, name := range c.names() {
		for _, n := range c.masters(name) {
			in := n.instance(name)
			if in == nil {
				continue
			}
			got, want := c.adverts[advertKey{n, name}], int(d/in.AdvertInterval)
			if got < want-1 || got > want+1 {
				c.fault("%s on %s: %d adverts in %v, want %d", name, n.Name, got, d, want)
			}
		}
	}
	return c.err
}

// fail ends a node's process in calm. Those who follow must be in time: an
// orderly stop within the skew time, a death within the Master_Down_Interval,
// and a successor with the snapshot before anybody notices.
func (s *story) fail(n *Node, a []string) error {
	c := s.checks
	if c == nil {
		return errUnchecked
	}
	if !n.Running || n.Stalled {
		return nil
	}
	s.w.Run(10 * time.Millisecond) // what was sent arrives before what follows
	switch a[0] {
	case "stop":
		n.Stop()
		if !n.Kernel.Empty() {
			c.fault("%s stopped and left %v", n.Name, &n.Kernel)
		}
		c.mustFollow(func(name string) time.Duration { return max(c.slowest(name), time.Second) })
	case "kill", "crash":
		if n.Kill(); a[0] == "crash" {
			n.Crash()
		}
		c.mustFollow(c.longestDown)
	case "successor":
		snap := n.Router.Snapshot(n.clock())
		n.Kill()
		c.changes = nil
		s.w.Run(time.Duration(s.w.Rand.Int64N(int64(c.fastestOfAll()))))
		others := c.changes
		n.Successor(snap)
		s.reportAll(n)
		if len(others) > 0 {
			c.fault("noticed the death of %s: %s", n.Name, strings.Join(others, ", "))
		}
		for _, in := range snap.Instances {
			if in.State == vrrp.Master && n.state[in.Name] != vrrp.Master {
				c.fault("%s %s: the successor is %v", n.Name, in.Name, n.state[in.Name])
			}
		}
	default:
		return fmt.Errorf("unknown way to fail: %s", a[0])
	}
	return c.err
}

// fastestOfAll is the shortest interval in the cluster.
func (c *checks) fastestOfAll() time.Duration {
	d := time.Hour
	for _, n := range c.s.w.Nodes {
		for i := range n.Config.Instances {
			d = min(d, n.Config.Instances[i].AdvertInterval)
		}
	}
	return d
}

// mustFollow lets the bound of each instance pass; a group may wait for its
// slowest member, twice.
func (c *checks) mustFollow(bound func(string) time.Duration) {
	var longest time.Duration
	for _, name := range c.names() {
		longest = max(longest, bound(name))
		for _, n := range c.s.w.Nodes {
			if in := n.instance(name); in != nil && len(c.companions(n, name)) > 1 {
				longest = max(longest, 2*c.longestDown(name))
			}
		}
	}
	c.s.w.Run(longest + 50*time.Millisecond)
	c.look(false)
}

// pause stops a process in calm for a while and lets it continue, deadlines
// first: two masters must not outlast the first exchange.
func (s *story) pause(n *Node, a []string) error {
	c := s.checks
	if c == nil {
		return errUnchecked
	}
	d, err := time.ParseDuration(a[0])
	if err != nil || !n.Running || n.Stalled {
		return err
	}
	n.Stall()
	s.w.Run(d)
	n.Resume(s.w.Rand.IntN(2) == 0)
	for _, name := range c.names() {
		c.countMasters(name)
	}
	s.w.Run(dualBound + c.slowestOfAll()/10 + 20*time.Millisecond)
	for _, name := range c.names() {
		if since, two := c.dual[name]; two && s.w.now-since > c.dualBound(name) {
			c.fault("%s: two masters %v after %s went on", name, s.w.now-since, n.Name)
		}
	}
	return c.err
}

// end stops everything: nothing may be left in any kernel.
func (s *story) end([]string) error {
	c := s.checks
	if c == nil {
		return errUnchecked
	}
	for _, n := range s.w.Nodes {
		n.Resume(true)
		if !n.Running {
			n.Start() // what a killed process left is removed by the next one
		}
		n.Stop()
		if !n.Kernel.Empty() {
			c.fault("%s stopped and left %v", n.Name, &n.Kernel)
		}
	}
	return c.err
}
