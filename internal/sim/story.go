package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// A story is what happens to some nodes, a command a line, and what came of
// it, a line each. The commands:
//
//	node NAME IF=ADDR/LEN...         a machine; an interface may be given again
//	vi NODE|* NAME KEY=VALUE...      an instance, or more settings for one
//	group NODE|* NAME MEMBER...      a sync group; KEY=VALUE words set trackers
//	set NODE KEY=VALUE...            globals of a node
//	takes NODE DURATION              its next processes need so long to be ready, which is at start
//	start NODE...                    start the process
//	stop kill crash stall NODE       end it in order, by SIGKILL, with the machine; SIGSTOP
//	resume NODE [ticks]              SIGCONT; with ticks the deadlines come before the packets
//	succeed NODE                     a new process with the killed one's snapshot
//	reload NODE                      take the changed configuration into use
//	run DURATION                     let time pass
//	cut NODE... [| NODE...]          no packets between the two sides, or to and from anybody
//	oneway FROM TO                   no packets from one to the other
//	heal                             undo cut and oneway
//	net KEY=VALUE                    delay= loss= dup= of the network
//	link NODE IF up|down             an interface changes
//	deladdr addaddr NODE IF ADDR     an address is deleted or added by hand
//	lose NODE VI route|rule N        a held route or rule is deleted by hand
//	script file process bfd NODE NAME RESULT   a tracked object reports: ok, fail, or a number
//	inject NODE VI KEY=VALUE...      a packet as a peer of the instance might send it
//	show WHAT...                     also say: adverts, bytes, detail, sockets; or hide: -announce …
//	state                            say every instance's state and what the kernels hold
//	stats NODE VI                    say the counters that are not 0
//
// A story with the line "checked" is watched by the checkers (checks.go), and
// may also say:
//
//	seed N                           of the network's chance
//	settled                          wait until all must be settled, and look
//	steady DURATION                  let time pass in which nothing may change
//	fail NODE stop|crash|kill|successor   end a process in calm: who follows must be in time
//	pause NODE DURATION              stop and continue a process in calm
//	end                              stop everything: nothing may be left
//
// Words: ok and fail are a script's, process's or session's result.
type story struct {
	w    *World
	out  []string
	show map[string]bool
	kept map[*Node]vrrp.Snapshot
	raw  map[*Node]*vrrp.Config // as being written; copied at start and reload

	results map[resultKey]string // of scripts and the like, as last reported
	checks  *checks              // nil: a story that only tells
}

// resultKey is a tracked object of a node.
type resultKey struct {
	node *Node
	name string
}

// Run plays a story and returns what came of it.
func Run(script string) (string, error) {
	s := newStory(1)
	s.show = map[string]bool{"hold": true, "announce": true, "entered": true, "log": true, "filter": true, "event": true}
	s.w.Observe = s.observe
	if strings.Contains(script, "\nchecked\n") {
		s.check()
	}
	if err := s.play(script); err != nil {
		return "", err
	}
	if len(s.out) == 0 {
		return "", nil
	}
	return strings.Join(s.out, "\n") + "\n", nil
}

func newStory(seed uint64) *story {
	return &story{
		w: NewWorld(seed), kept: map[*Node]vrrp.Snapshot{}, raw: map[*Node]*vrrp.Config{},
		show: map[string]bool{}, results: map[resultKey]string{},
	}
}

// play does all lines of a script.
func (s *story) play(script string) error {
	for i, line := range strings.Split(script, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		if s.checks != nil && !calmCommands[words[0]] {
			s.checks.calm = -1
		}
		err := s.command(words)
		if err == nil && s.checks != nil {
			err = s.checks.after()
		}
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", i+1, line, err)
		}
	}
	return nil
}

// calmCommands do not end the calm that settled began.
var calmCommands = map[string]bool{"settled": true, "steady": true, "fail": true, "pause": true, "state": true, "stats": true, "end": true}

var errWords = errors.New("wrong number of words")

// command does one line.
func (s *story) command(f []string) error {
	name, args := f[0], f[1:]
	if c, ok := commands[name]; ok {
		if len(args) < c.min {
			return errWords
		}
		return c.do(s, args)
	}
	if c, ok := nodeCommands[name]; ok {
		if len(args) < 1+c.min {
			return errWords
		}
		n := s.w.Node(args[0])
		if n == nil {
			return fmt.Errorf("no node %s", args[0])
		}
		return c.do(s, n, args[1:])
	}
	return fmt.Errorf("unknown command %s", name)
}

// commands that are not about one node.
var commands = map[string]struct {
	min int
	do  func(*story, []string) error
}{
	"node":  {2, (*story).node},
	"vi":    {2, (*story).instance},
	"group": {3, (*story).group},
	"start": {1, (*story).start},
	"run":   {1, (*story).run},
	"cut":   {1, (*story).cut},
	"oneway": {2, func(s *story, a []string) error {
		s.w.Net.Cut(s.w.Node(a[0]), s.w.Node(a[1]))
		return nil
	}},
	"heal": {0, func(s *story, _ []string) error { s.w.Net.Heal(); return nil }},
	"net":  {1, (*story).net},
	"show": {1, func(s *story, a []string) error {
		for _, what := range a {
			s.show[strings.TrimPrefix(what, "-")] = what[0] != '-'
			for _, n := range s.w.Nodes {
				n.Detail = s.show["detail"]
			}
		}
		return nil
	}},
	"state":   {0, (*story).state},
	"checked": {0, func(*story, []string) error { return nil }},
	"seed": {1, func(s *story, a []string) error {
		n, err := strconv.ParseUint(a[0], 10, 64)
		s.w.Rand = newRand(n)
		return err
	}},
	"settled": {0, (*story).settled},
	"steady":  {1, (*story).steady},
	"end":     {0, (*story).end},
}

// nodeCommands are about one node.
var nodeCommands = map[string]struct {
	min int
	do  func(*story, *Node, []string) error
}{
	"set": {1, (*story).set},
	"takes": {1, func(_ *story, n *Node, a []string) (err error) {
		n.Takes, err = time.ParseDuration(a[0])
		return err
	}},
	"stop":  {0, func(_ *story, n *Node, _ []string) error { n.Stop(); return nil }},
	"crash": {0, func(_ *story, n *Node, _ []string) error { n.Crash(); return nil }},
	"kill": {0, func(s *story, n *Node, _ []string) error {
		s.kept[n] = n.Router.Snapshot(n.clock())
		n.Kill()
		return nil
	}},
	"succeed": {0, func(s *story, n *Node, _ []string) error {
		n.Successor(s.kept[n])
		s.reportAll(n)
		return nil
	}},
	"stall": {0, func(_ *story, n *Node, _ []string) error { n.Stall(); return nil }},
	"resume": {0, func(_ *story, n *Node, a []string) error {
		n.Resume(len(a) == 0)
		return nil
	}},
	"reload": {0, (*story).reload},
	"link": {2, func(_ *story, n *Node, a []string) error {
		n.SetLink(a[0], a[1] == "up")
		return nil
	}},
	"deladdr": {2, func(_ *story, n *Node, a []string) error {
		ip, err := netip.ParseAddr(a[1])
		n.LoseAddr(a[0], ip)
		return err
	}},
	"addaddr": {2, func(_ *story, n *Node, a []string) error {
		p, err := netip.ParsePrefix(a[1])
		n.GainAddr(a[0], p)
		return err
	}},
	"lose":    {3, (*story).lose},
	"script":  {2, track(vrrp.TrackedScript)},
	"file":    {2, track(vrrp.TrackedFile)},
	"process": {2, track(vrrp.TrackedProcess)},
	"bfd": {2, func(_ *story, n *Node, a []string) error {
		n.Do(func(r *vrrp.Router, now time.Time) { r.BFDChanged(now, a[0], a[1] == "ok") })
		return nil
	}},
	"inject": {1, (*story).inject},
	"stats":  {1, (*story).stats},
	"fail":   {1, (*story).fail},
	"pause":  {1, (*story).pause},
}

func track(kind vrrp.TrackKind) func(*story, *Node, []string) error {
	return func(s *story, n *Node, a []string) error {
		s.results[resultKey{n, a[0]}] = a[1]
		e := vrrp.TrackEvent{Kind: kind, Name: a[0], Up: a[1] == "ok", Unknown: a[1] == "unknown"}
		e.Value, _ = strconv.Atoi(a[1])
		n.whenRunning(func(r *vrrp.Router, now time.Time) { r.TrackChanged(now, e) })
		return nil
	}
}

func (s *story) node(a []string) error {
	var links []*Link
	for _, word := range a[1:] {
		name, addr, _ := strings.Cut(word, "=")
		i := slices.IndexFunc(links, func(l *Link) bool { return l.Name == name })
		if i < 0 {
			i = len(links)
			links = append(links, &Link{Name: name})
		}
		if addr == "" {
			continue
		}
		p, err := netip.ParsePrefix(addr)
		if err != nil {
			return err
		}
		links[i].Addrs = append(links[i].Addrs, p)
	}
	n := s.w.AddNode(a[0], links...)
	n.Detail = s.show["detail"]
	c := *n.Config
	s.raw[n] = &c
	return nil
}

// nodes are those a word means.
func (s *story) nodes(word string) []*Node {
	if word == "*" {
		return s.w.Nodes
	}
	if n := s.w.Node(word); n != nil {
		return []*Node{n}
	}
	return nil
}

func (s *story) start(a []string) error {
	for _, name := range a {
		n := s.w.Node(name)
		if n == nil {
			return fmt.Errorf("no node %s", name)
		}
		if n.Running {
			return fmt.Errorf("%s runs already", name)
		}
		n.Config = cloneConfig(s.raw[n])
		n.Start()
		s.reportAll(n)
	}
	return nil
}

// reportAll tells a new process what its scripts and the like find: in a
// watched story they are run.
func (s *story) reportAll(n *Node) {
	if s.checks == nil {
		return
	}
	n.whenRunning(func(r *vrrp.Router, now time.Time) {
		seen := map[string]bool{}
		for i := range n.Config.Instances {
			for _, t := range n.Config.Instances[i].TrackScripts {
				if !seen[t.Name] {
					seen[t.Name] = true
					ok := s.results[resultKey{n, t.Name}] != "fail"
					r.TrackChanged(now, vrrp.TrackEvent{Kind: vrrp.TrackedScript, Name: t.Name, Up: ok})
				}
			}
		}
	})
}

func (s *story) reload(n *Node, _ []string) error {
	cfg := cloneConfig(s.raw[n])
	n.whenRunning(func(r *vrrp.Router, now time.Time) {
		n.Config = cfg
		r.Reload(now, cfg)
		clear(n.state)
		for _, in := range r.Snapshot(now).Instances {
			n.state[in.Name] = in.State
		}
		n.findMixed()
	})
	s.reportAll(n) // scripts that are new run at once
	return nil
}

// cloneConfig gives the Router a configuration that later commands cannot
// change under it.
func cloneConfig(c *vrrp.Config) *vrrp.Config {
	d := *c
	d.Instances = slices.Clone(c.Instances)
	for i := range d.Instances {
		in := &d.Instances[i]
		in.Addresses, in.Excluded = slices.Clone(in.Addresses), slices.Clone(in.Excluded)
	}
	d.Groups = slices.Clone(c.Groups)
	return &d
}

func (s *story) run(a []string) error {
	d, err := time.ParseDuration(a[0])
	if err == nil {
		s.w.Run(d)
	}
	return err
}

func (s *story) cut(a []string) error {
	var left, right []*Node
	side := &left
	for _, word := range a {
		if word == "|" {
			side = &right
			continue
		}
		*side = append(*side, s.nodes(word)...)
	}
	if right == nil {
		right = s.w.Nodes
	}
	for _, x := range left {
		for _, y := range right {
			if x != y {
				s.w.Net.Cut(x, y)
				s.w.Net.Cut(y, x)
			}
		}
	}
	return nil
}

func (s *story) net(a []string) (err error) {
	for _, word := range a {
		k, v, _ := strings.Cut(word, "=")
		switch k {
		case "delay": // or MIN..MAX, which reorders
			lo, hi, spread := strings.Cut(v, "..")
			s.w.Net.DelayMin, err = time.ParseDuration(lo)
			s.w.Net.Reorder = spread
			if s.w.Net.DelayMax = s.w.Net.DelayMin; spread && err == nil {
				s.w.Net.DelayMax, err = time.ParseDuration(hi)
			}
		case "loss":
			s.w.Net.Loss, err = strconv.ParseFloat(v, 64)
		case "dup":
			s.w.Net.Duplicate, err = strconv.ParseFloat(v, 64)
		default:
			err = fmt.Errorf("unknown setting %s", k)
		}
	}
	return err
}

func (s *story) lose(n *Node, a []string) error {
	e := vrrp.Lost{Instance: n.id(a[0]), Kind: vrrp.LostRoute}
	if a[1] == "rule" {
		e.Kind = vrrp.LostRule
	}
	e.Index, _ = strconv.Atoi(a[2])
	n.Do(func(r *vrrp.Router, now time.Time) { r.ObjectLost(now, e) })
	return nil
}

// id finds a running instance by name, -1 when there is none.
func (n *Node) id(name string) vrrp.ID {
	for _, in := range n.Router.Snapshot(n.clock()).Instances {
		if in.Name == name {
			return in.ID
		}
	}
	return -1
}

// say appends a line of what happened.
func (s *story) say(n *Node, format string, args ...any) {
	s.out = append(s.out, fmt.Sprintf("%8.3f  %s  %s", s.w.now.Seconds(), n.Name, fmt.Sprintf(format, args...)))
}

func (s *story) state([]string) error {
	for _, n := range s.w.Nodes {
		if !n.Running {
			s.say(n, "not running, holds %v", &n.Kernel)
			continue
		}
		var words []string
		for _, in := range n.Router.Snapshot(n.clock()).Instances {
			words = append(words, fmt.Sprintf("%s %v %d", in.Name, in.State, in.Priority))
		}
		s.say(n, "%s, holds %v", strings.Join(words, ", "), &n.Kernel)
	}
	return nil
}

func (s *story) stats(n *Node, a []string) error {
	for _, in := range n.Router.Snapshot(n.clock()).Instances {
		if in.Name == a[0] {
			s.say(n, "%s %s", in.Name, statsText(in.Stats))
		}
	}
	return nil
}
