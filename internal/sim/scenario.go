package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// scenario writes a checked story of a random cluster: some nodes and
// instances, then rounds of disturbance, calm, and failures in calm.
type scenario struct {
	rnd   *rand.Rand
	out   strings.Builder
	nodes []string
	lans  int
	insts []scenarioInstance
	// shared is the timing of all members of groups, kinds the election of
	// each group: members that differ would disagree who is to be master.
	shared string
	kinds  map[int]string
	made   int // instances so far, also those that went
	// hostile: the network loses, delays and reorders in the disturbed parts.
	hostile bool
	// scale stretches intervals and everything that is done: slow clusters
	// cost as much per election and take more hours.
	scale   time.Duration
	dead    []string
	stalled []string
}

type scenarioInstance struct {
	name   string
	number int // from 0; decides VRID and addresses
	dev    int
	group  int // -1 = none
	ipv6   bool
}

// Scenario returns the story of a seed.
func Scenario(seed uint64) string {
	g := &scenario{rnd: rand.New(rand.NewPCG(seed, 0x736365))}
	g.say("seed %d", seed)
	g.say("checked")
	g.cluster()
	for _, n := range g.nodes {
		if g.chance(0.5) {
			g.say("takes %s %s", n, g.duration(time.Millisecond, 300*time.Millisecond))
		}
		g.say("start %s", n)
		if g.chance(0.5) {
			g.say("run %s", g.duration(time.Millisecond, 3*time.Second))
		}
	}
	g.say("settled")
	for range 2 + g.rnd.IntN(5) {
		g.disturb()
		g.say("settled")
		for range g.rnd.IntN(4) {
			g.failInCalm()
		}
	}
	g.say("end")
	return g.out.String()
}

func (g *scenario) say(format string, args ...any) { fmt.Fprintf(&g.out, format+"\n", args...) }

func (g *scenario) chance(p float64) bool { return g.rnd.Float64() < p }

// duration draws one, short ones more often, in milliseconds.
func (g *scenario) duration(lo, hi time.Duration) time.Duration {
	x := g.rnd.Float64()
	return (lo + time.Duration(x*x*float64(hi*g.scale-lo))).Truncate(100 * time.Microsecond)
}

func pick[T any](g *scenario, list ...T) T { return list[g.rnd.IntN(len(list))] }

func (g *scenario) node() string { return pick(g, g.nodes...) }

// cluster writes nodes, instances and groups.
func (g *scenario) cluster() {
	for i := range pick(g, 2, 2, 2, 3, 3, 4, 5) {
		g.nodes = append(g.nodes, string(rune('a'+i)))
	}
	g.lans = pick(g, 1, 1, 2, 3)
	g.hostile = g.chance(0.6)
	g.scale = pick(g, time.Duration(1), 1, 1, 10, 30)
	for i, n := range g.nodes {
		var links []string
		for l := range g.lans {
			links = append(links, fmt.Sprintf("eth%d=10.99.%d.%d/24", l, l, i+1), fmt.Sprintf("eth%d=fe80::%d:%x/64", l, l, i+1))
		}
		g.say("node %s %s up0=10.90.0.%d/24", n, strings.Join(links, " "), i+1)
	}
	count := pick(g, 1, 1, 1, 1, 2, 2, 3, 4, 5+g.rnd.IntN(8))
	if g.chance(0.04) {
		count = 13 + g.rnd.IntN(38)
	}
	grouped := count > 1 && g.chance(0.4)
	g.shared, g.kinds = g.timing(), map[int]string{}
	for i := range count {
		group := -1
		if grouped && i < 2+count/2 {
			group = i / 2 % 3
		}
		g.instance(group)
	}
	for group := range 3 {
		g.group(group, g.members(group))
	}
}

// instance writes one more instance, in a group or for itself.
func (g *scenario) instance(group int) {
	in := scenarioInstance{dev: g.rnd.IntN(g.lans), number: g.made, group: group}
	g.made++
	in.name = fmt.Sprintf("I%d", g.made)
	timing, election := g.timing(), ""
	kind, ipv6 := g.kind()
	in.ipv6 = ipv6
	g.insts = append(g.insts, in)
	if group >= 0 {
		if g.kinds[group] == "" {
			g.kinds[group] = g.election()
		}
		timing, election = g.shared, g.kinds[group]
	} else {
		election = g.election()
	}
	g.say("vi * %s vrid=%d dev=eth%d %s %s", in.name, in.number+1, in.dev, timing, kind(in.number, in.dev))
	for i, w := range strings.Split(election, "|") {
		g.say("vi %s %s %s", g.nodes[i], in.name, w)
	}
}

// timing is version, interval and down_timer_adverts.
func (g *scenario) timing() string {
	down := pick(g, 3, 3, 3, 3, 2, 5)
	switch {
	case g.chance(0.5):
		return fmt.Sprintf("v=2 int=%ds down=%d", pick(g, time.Duration(1), 1, 2, 3, 5, 8)*g.scale, down)
	case g.scale > 1:
		return fmt.Sprintf("v=3 int=%s down=%d", pick(g, "10s", "20s", "40s", "40950ms"), down)
	}
	return fmt.Sprintf("v=3 int=%s down=%d", pick(g, "100ms", "250ms", "1s", "1s", "2s", "5s", "10s", "40s"), down)
}

// kind is family, casting and authentication; it returns the words for the
// i-th instance on a LAN.
func (g *scenario) kind() (words func(i, lan int) string, ipv6 bool) {
	auth := pick(g, "", "", "", "", "pass=secret", "ah=secret", "hmac=k")
	unicast, ipv6 := g.chance(0.2), g.chance(0.3)
	extra := pick(g, "", "", "", " no_accept", " lower_no_advert garp_lower_repeat=0", " higher_advert", " skip_addr")
	if auth == "ah=secret" {
		// A router that starts without hearing its predecessor is refused by
		// peers that remember a higher number: with lower_no_advert it takes
		// until its next advert, as AH is made, until they agree.
		extra = ""
	}
	return func(i, lan int) string {
		words := g.vips(i, lan, ipv6) + extra
		if g.chance(0.2) {
			words += fmt.Sprintf(" evip=10.%d.%d.200/32", 100+lan, i+1)
		}
		if g.chance(0.2) {
			words += fmt.Sprintf(" route=10.150.%d.0/24 rule=10.160.%d.0/24", i+1, i+1)
		}
		if unicast {
			words += " peer=" + g.peers(lan, ipv6)
		}
		switch {
		case auth == "hmac=k":
			words += " " + auth
		case auth != "" && !ipv6:
			words += fmt.Sprintf(" v=2 int=%ds %s", g.scale, auth)
		}
		return words
	}, ipv6
}

// vips are one to three addresses of the i-th instance on a LAN.
func (g *scenario) vips(i, lan int, ipv6 bool) string {
	var vips []string
	for v := range pick(g, 1, 1, 2, 3) {
		if ipv6 {
			vips = append(vips, fmt.Sprintf("fd99:%d::%x:%x/64", lan, i+1, v+1))
		} else {
			vips = append(vips, fmt.Sprintf("10.%d.%d.%d/24", 100+lan, i+1, v+1))
		}
	}
	return "vip=" + strings.Join(vips, ",")
}

// peers are all nodes' addresses; hearing of oneself does no harm.
func (g *scenario) peers(lan int, ipv6 bool) string {
	var list []string
	for i := range g.nodes {
		if ipv6 {
			list = append(list, fmt.Sprintf("fe80::%d:%x", lan, i+1))
		} else {
			list = append(list, fmt.Sprintf("10.99.%d.%d", lan, i+1))
		}
	}
	return strings.Join(list, ",")
}

// election is what says who wins, per node; members of a group share it.
func (g *scenario) election() string {
	var words []string
	owner := -1
	if g.chance(0.1) {
		owner = g.rnd.IntN(len(g.nodes))
	}
	nopreempt, delay := g.chance(0.2), g.chance(0.15)
	script := g.chance(0.4)
	iface := g.chance(0.3)
	for i := range g.nodes {
		w := fmt.Sprintf("prio=%d", 1+g.rnd.IntN(254))
		if g.chance(0.2) {
			w = "prio=100"
		}
		if i == owner {
			words = append(words, "prio=255")
			continue
		}
		if nopreempt {
			w += " nopreempt" + pick(g, "", "", " expired=90")
		} else if delay {
			w += " preempt_delay=" + pick(g, "1s", "5s", "20s")
		}
		if script {
			w += " " + g.script()
		}
		if iface {
			w += " iface=up0" + pick(g, "", ":-30", ":40")
		}
		words = append(words, w)
	}
	return strings.Join(words, "|")
}

// script is what an instance tracks, with its weight.
func (g *scenario) script() string {
	return "script=" + pick(g, "s0", "s1") + pick(g, "", "", ":20", ":-30", ":50:reverse", ":-40:reverse", ":0:reverse")
}

// members are the names of a group's instances.
func (g *scenario) members(group int) (names []string) {
	for _, in := range g.insts {
		if in.group == group {
			names = append(names, in.name)
		}
	}
	return names
}

// group writes a group of these members, or takes it away.
func (g *scenario) group(group int, members []string) {
	if len(members) > 1 {
		g.say("group * G%d %s", group, strings.Join(members, " "))
	} else if len(members) > 0 {
		g.say("group * G%d none", group)
	}
}

// disturb writes a stretch of trouble.
func (g *scenario) disturb() {
	if g.hostile {
		g.say("net loss=%.2f dup=%.2f delay=%s", g.rnd.Float64()*g.rnd.Float64()*0.6, g.rnd.Float64()*0.1,
			pick(g, "200us", "100us..5ms", "1ms..300ms", "1ms..2s"))
	}
	g.stalled = nil
	for range 1 + g.rnd.IntN(12) {
		n := g.node()
		switch g.rnd.IntN(16) {
		case 0, 1, 2:
			g.say("%s %s", pick(g, "crash", "kill", "stop"), n)
			g.dies(n)
		case 3:
			g.say("stall %s", n)
			g.stalled = append(g.stalled, n)
		case 4, 5:
			g.say("link %s %s %s", n, pick(g, "up0", fmt.Sprintf("eth%d", g.rnd.IntN(g.lans))), pick(g, "up", "down"))
		case 6, 7:
			g.say("script %s %s %s", n, pick(g, "s0", "s1"), pick(g, "ok", "fail"))
		case 8:
			g.say("oneway %s %s", n, g.node())
		case 9:
			left, right := g.halves()
			if right != "" {
				g.say("cut %s | %s", left, right)
			}
		case 10:
			g.say("heal")
		case 11:
			g.deleteVIP(n)
		case 12, 13:
			// What a killed process held and the next one's file does not name
			// stays, as with keepalived: so only a running one is changed.
			if !slices.Contains(g.dead, n) && !slices.Contains(g.stalled, n) {
				g.reload(n)
			}
		case 14:
			for _, s := range g.stalled {
				g.say("resume %s%s", s, pick(g, "", " ticks"))
			}
			g.stalled = nil
		case 15:
			g.rollOut()
		}
		g.say("run %s", g.duration(time.Millisecond, 30*time.Second))
		if len(g.dead) > 0 && g.chance(0.5) {
			g.start(g.dead[0])
		}
	}
	g.calmDown()
}

func (g *scenario) dies(n string) {
	if !slices.Contains(g.dead, n) {
		g.dead = append(g.dead, n)
	}
}

func (g *scenario) start(n string) {
	if slices.Contains(g.dead, n) {
		g.say("start %s", n)
		g.dead = slices.DeleteFunc(g.dead, func(d string) bool { return d == n })
	}
}

// calmDown ends the trouble: most of what is dead comes back, the network
// becomes whole, or two whole halves.
func (g *scenario) calmDown() {
	for _, n := range slices.Clone(g.dead) {
		if g.chance(0.8) {
			g.start(n)
		}
	}
	for _, n := range g.nodes {
		if g.chance(0.7) {
			g.say("link %s up0 up", n)
			for l := range g.lans {
				g.say("link %s eth%d up", n, l)
			}
			g.say("script %s s0 ok", n)
			g.say("script %s s1 ok", n)
		}
	}
	g.say("heal")
	if left, right := g.halves(); right != "" && g.chance(0.1) {
		g.say("cut %s | %s", left, right)
	}
}

// halves divides the nodes.
func (g *scenario) halves() (left, right string) {
	var l, r []string
	for _, n := range g.nodes {
		if g.chance(0.5) {
			l = append(l, n)
		} else {
			r = append(r, n)
		}
	}
	if len(l) == 0 {
		return "", ""
	}
	return strings.Join(l, " "), strings.Join(r, " ")
}

func (g *scenario) deleteVIP(n string) {
	in := pick(g, g.insts...)
	g.say("deladdr %s eth%d 10.%d.%d.1", n, in.dev, 100+in.dev, in.number+1)
}

func (g *scenario) reload(n string) {
	in := pick(g, g.insts...)
	prio := fmt.Sprintf("prio=%d", 1+g.rnd.IntN(254))
	switch kind := g.rnd.IntN(6); {
	case kind == 0 && in.group < 0:
		g.say("vi %s %s %s", n, in.name, prio)
	case kind == 1 && in.group < 0:
		g.say("vi %s %s evip=10.%d.%d.%d/32", n, in.name, 200+in.dev, in.number+1, 1+g.rnd.IntN(9))
	case kind == 2:
		// Members of a group follow the same, also those to come; an owner
		// follows nothing, so the priority changes as well.
		names, words := []string{in.name}, prio+" "+pick(g, g.script(), g.script(), "script=-")
		if in.group >= 0 {
			names = g.members(in.group)
			kinds := strings.Split(g.kinds[in.group], "|")
			kinds[slices.Index(g.nodes, n)] += " " + words
			g.kinds[in.group] = strings.Join(kinds, "|")
		}
		for _, name := range names {
			g.say("vi %s %s %s", n, name, words)
		}
	}
	g.say("reload %s", n)
}

// changeFamily gives an instance addresses of the other family. Until all have
// done so, the old and the new are two instances that do not hear each other.
func (g *scenario) changeFamily(in *scenarioInstance) {
	in.ipv6 = !in.ipv6
	words := "auth=none multicast v=3 " + g.vips(in.number, in.dev, in.ipv6)
	if g.chance(0.2) {
		words += " peer=" + g.peers(in.dev, in.ipv6)
	}
	g.say("vi * %s %s", in.name, words)
}

// rollOut changes which instances and groups there are, or an instance's family,
// and reloads one node after the other. Meanwhile they disagree, as they do when
// an operator does so. Only when all run: see disturb.
func (g *scenario) rollOut() {
	if len(g.dead)+len(g.stalled) > 0 {
		return
	}
	group := g.rnd.IntN(3)
	all := g.members(group)
	switch {
	case len(all) > 0 && g.chance(0.4): // members leave, or come back
		g.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		g.group(group, all[:1+g.rnd.IntN(len(all))])
	case len(all) > 0 && g.chance(0.5):
		g.instance(group)
		g.group(group, g.members(group))
	case len(g.insts) < 2 && g.chance(0.5) && g.insts[0].group < 0:
		g.changeFamily(&g.insts[0])
	case g.chance(0.5) || len(g.insts) < 2:
		g.instance(-1)
	default:
		if i := g.rnd.IntN(len(g.insts)); g.insts[i].group < 0 && g.chance(0.6) {
			g.changeFamily(&g.insts[i])
		} else if g.insts[i].group < 0 {
			g.say("vi * %s none", g.insts[i].name)
			g.insts = slices.Delete(g.insts, i, i+1)
		}
	}
	for _, n := range g.nodes {
		g.say("reload %s", n)
		g.say("run %s", g.duration(time.Millisecond, 10*time.Second))
	}
}

// failInCalm writes one failure in a quiet network, with its bound.
func (g *scenario) failInCalm() {
	n := g.node()
	switch g.rnd.IntN(7) {
	case 0:
		g.say("pause %s %s", n, g.duration(10*time.Millisecond, 60*time.Second))
		g.say("settled")
	case 1, 2:
		g.say("fail %s %s", n, pick(g, "stop", "kill", "crash"))
		g.dies(n)
		g.start(n)
		g.say("settled")
	case 3:
		g.say("fail %s successor", n)
		g.say("settled")
	case 4:
		g.say("reload %s", n)
		g.say("steady %s", g.duration(time.Second, 60*time.Second))
	case 5:
		g.say("steady %s", g.duration(time.Second, 300*time.Second))
	case 6:
		g.rollOut()
		g.say("settled")
	}
}
