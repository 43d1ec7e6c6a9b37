package configparse

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Findings about instances, scripts and mail.

func (a *adviser) instanceNode(in *vrrp.InstanceConfig) *node {
	return a.c.root.named("vrrp_instance", in.Name)
}

func (a *adviser) instances() {
	all := a.c.Config.VRRP.Instances
	for i := range all {
		in := &all[i]
		n := a.instanceNode(in)
		a.strictAccept(in, n)
		a.initialMaster(in, n)
		a.authentication(in, n)
		a.emptyPeers(in, n)
		a.selfPeer(in, n)
		a.weights(in, n)
		for k := range i {
			a.sameVRID(in, &all[k], n)
		}
	}
}

// strictAccept: strict mode turns accept off unless the router owns the
// addresses.
func (a *adviser) strictAccept(in *vrrp.InstanceConfig, n *node) {
	if !in.Strict || !in.NoAccept || in.Priority == 255 || len(in.Addresses)+len(in.Excluded) == 0 {
		return
	}
	at := n.last("strict_mode")
	if at == nil {
		if g := a.c.root.last("global_defs"); g != nil {
			at = g.last("vrrp_strict")
		}
	}
	if at == nil {
		at = n
	}
	a.at(at, 0, "KG201", Caution,
		"strict mode follows RFC 9568 section 6.1: a master that does not own the addresses drops what is sent to them",
		"(%s) strict mode without accept: the virtual addresses will not answer, not even to ping", in.Name)
}

// initialMaster: what the original only says where it changes something.
func (a *adviser) initialMaster(in *vrrp.InstanceConfig, n *node) {
	state, nopreempt := n.last("state"), n.last("nopreempt")
	if nopreempt == nil || state.word(1) != "MASTER" || a.has("KG202", n) {
		return
	}
	a.at(nopreempt, 0, "KG202", Caution,
		"a node that starts as MASTER takes over at every start; set state BACKUP on both nodes",
		"(%s) nopreempt has no effect together with state MASTER", in.Name)
}

// has reports whether the original said something of this kind about a block.
func (a *adviser) has(code string, n *node) bool {
	name := "(" + n.word(1) + ")"
	return slices.ContainsFunc(a.out, func(f Advice) bool {
		return f.Code == code && len(f.Text) >= len(name) && f.Text[:len(name)] == name
	})
}

func (a *adviser) authentication(in *vrrp.InstanceConfig, n *node) {
	auth := n.last("authentication")
	if auth == nil {
		return
	}
	if pass := auth.last("auth_pass"); len(pass.word(1)) > 8 && !a.has207(pass) {
		a.at(pass, 1, "KG207", Caution, "only the first 8 characters are compared, so passwords that differ later are equal",
			"(%s) auth_pass has %d characters, 8 are used", in.Name, len(pass.word(1)))
	}
	if in.Version == 3 && !a.has("KG208", n) {
		a.at(auth, 0, "KG208", Caution,
			"RFC 5798 removed it: packets of this instance carry no password, and a version 2 peer with one discards them",
			"(%s) VRRP version 3 has no authentication", in.Name)
	}
}

func (a *adviser) has207(pass *node) bool {
	return slices.ContainsFunc(a.out, func(f Advice) bool {
		return f.Code == "KG207" && f.Line == int(pass.at.line)
	})
}

// emptyPeers: a unicast_peer block without an address.
func (a *adviser) emptyPeers(in *vrrp.InstanceConfig, n *node) {
	peers := n.last("unicast_peer")
	if peers == nil || in.Unicast || a.has("KG209", n) {
		return
	}
	a.at(peers, 0, "KG209", Caution, "the instance falls back to multicast, which unicast was probably chosen to avoid",
		"(%s) unicast_peer names no usable peer", in.Name)
}

// selfPeer: the instance's own address among its peers.
func (a *adviser) selfPeer(in *vrrp.InstanceConfig, n *node) {
	for _, p := range in.Peers {
		if in.Source.IsValid() && p.Addr == in.Source {
			a.at(n.last("unicast_peer"), 0, "KG211", Caution,
				"adverts go to the node itself; as no other router answers there, nothing breaks, but a peer is probably missing",
				"(%s) unicast_peer lists the node's own address %s", in.Name, p.Addr)
		}
	}
}

// sameVRID finds what the original's own conflict check lets pass.
func (a *adviser) sameVRID(in, other *vrrp.InstanceConfig, n *node) {
	if in.VRID != other.VRID || in.IPv6 != other.IPv6 || in.Interface != other.Interface || in.Interface == "" ||
		in.VRID == 0 {
		return
	}
	if slices.ContainsFunc(a.out, func(f Advice) bool { return f.Code == "KG205" }) || in.Unicast && other.Unicast {
		return
	}
	a.at(n.last("virtual_router_id"), 1, "KG205", Caution,
		"routers with one VRID on a link share the virtual MAC address, and a multicast listener takes each for the other",
		"(%s) virtual_router_id %d is also used by %s on interface %s", in.Name, in.VRID, other.Name, in.Interface)
}

// tracked is a weighted track of an instance, by itself or through its group.
type tracked struct {
	kind, block string
	group       string
	vrrp.Track
}

// contribution is what the track adds to the priority (vrrp.md 5.1): good is
// the better of its two states, which with reverse is that it fails.
func (t *tracked) contribution(good bool) int {
	switch w, m := t.Weight, 1; {
	case t.Reverse && good == (w < 0), !t.Reverse && good == (w > 0):
		if t.Reverse {
			m = -1
		}
		return w * m
	}
	return 0
}

// states names the better and the worse state.
func (t *tracked) states() (good, bad string) {
	if t.Reverse {
		return "while it fails", "when it is well"
	}
	return "while it is well", "when it fails"
}

// candidate is one side of an election.
type candidate struct {
	in     *vrrp.InstanceConfig
	tracks []tracked
}

// candidateOf collects the weighted tracks of an instance. Track files are not
// among them: a low enough number in one is a fault, whatever the weight.
func candidateOf(in *vrrp.InstanceConfig, groups []vrrp.GroupConfig) candidate {
	c := candidate{in: in}
	add := func(group, kind, block string, list []vrrp.Track) {
		for _, t := range list {
			if t.Weight != 0 {
				c.tracks = append(c.tracks, tracked{kind, block, group, t})
			}
		}
	}
	add("", "interface", "track_interface", in.TrackInterfaces)
	add("", "script", "track_script", in.TrackScripts)
	add("", "process", "track_process", in.TrackProcesses)
	add("", "bfd", "track_bfd", in.TrackBFD)
	for i := range groups {
		g := &groups[i]
		if !slices.Contains(g.Members, in.Name) {
			continue
		}
		add(g.Name, "interface", "track_interface", g.TrackInterfaces)
		add(g.Name, "script", "track_script", g.TrackScripts)
		add(g.Name, "process", "track_process", g.TrackProcesses)
		add(g.Name, "bfd", "track_bfd", g.TrackBFD)
	}
	return c
}

// effective is the priority with every track in its better state, but with
// failed, if there is one, in its worse. keepalived keeps it in 1 to 254.
func (c candidate) effective(failed *tracked) int {
	if c.in.Priority == ownerPriority {
		return ownerPriority
	}
	sum := int(c.in.Priority)
	for i := range c.tracks {
		t := &c.tracks[i]
		sum += t.contribution(failed == nil || *t != *failed)
	}
	return min(max(sum, 1), 254)
}

// weights finds tracks that cannot lower the priority at all. Against a peer
// they are looked at in compareWeights.
func (a *adviser) weights(in *vrrp.InstanceConfig, n *node) {
	c := candidateOf(in, a.c.Config.VRRP.Groups)
	for i := range c.tracks {
		t := &c.tracks[i]
		good, bad := c.effective(nil), c.effective(t)
		if bad < good {
			continue
		}
		while, when := t.states()
		a.at(a.trackNode(n, t), 0, "KG203", Caution,
			"the priority always stays within 1 to 254, and an address owner's at 255",
			"(%s) weight %d of %s %s can never move the virtual addresses: priority %d %s, %d %s",
			in.Name, t.Weight, t.kind, t.Name, good, while, bad, when)
	}
}

// trackNode finds the line that tracks t.
func (a *adviser) trackNode(n *node, t *tracked) *node {
	if t.group != "" {
		n = a.c.root.named("vrrp_sync_group", t.group)
	}
	if n == nil {
		return nil
	}
	for _, block := range n.find(t.block) {
		for _, line := range block.below {
			if line.word(0) == t.Name {
				return line
			}
		}
	}
	return n
}

func (a *adviser) scripts() {
	for _, s := range a.c.Config.VRRP.Scripts {
		n := a.c.root.named("vrrp_script", s.Name)
		timeout := n.last("timeout")
		if timeout == nil || s.Timeout < s.Interval || s.Interval == 0 {
			continue
		}
		a.at(timeout, 1, "KG204", Caution,
			"a script that hangs is stopped only when the next run is due, so its failure is noticed one run later",
			"script %s: timeout %s is not below interval %s", s.Name, spell(s.Timeout), spell(s.Interval))
	}
}

// mail: smtp_alert that nobody can receive.
func (a *adviser) mail() {
	g := &a.c.Config.Global
	missing := ""
	switch {
	case g.SMTPServer == "" && len(g.Emails) == 0:
		missing = "smtp_server and notification_email"
	case g.SMTPServer == "":
		missing = "smtp_server"
	case len(g.Emails) == 0:
		missing = "notification_email"
	default:
		return
	}
	done := false
	a.c.root.each(func(n *node) {
		switch n.word(0) {
		case "smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker":
		default:
			return
		}
		if done || slices.Contains([]string{"false", "off", "no"}, n.word(1)) {
			return
		}
		done = true
		a.at(n, 0, "KG210", Caution, "no mail is sent without both", "smtp_alert without %s in global_defs", missing)
	})
}

// spell writes a duration in seconds as the configuration does, with its unit.
func spell(d time.Duration) string {
	return secondsWord(d.Round(time.Millisecond)) + " s"
}

// takeover is how long after the last advert a backup becomes master.
func takeover(in *vrrp.InstanceConfig, priority int, interval time.Duration) time.Duration {
	return time.Duration(in.DownTimerAdverts)*interval + skewTime(in, priority, interval)
}

// skewTime is RFC 9568 section 6.1, for version 2 RFC 3768 section 6.1.
func skewTime(in *vrrp.InstanceConfig, priority int, interval time.Duration) time.Duration {
	if in.Version == 2 {
		interval = time.Second
	}
	return interval * time.Duration(256-priority) / 256
}

func addressList(list []vrrp.Address) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Prefix.Addr().String()
	}
	slices.Sort(out)
	return out
}

func label(in *vrrp.InstanceConfig) string {
	family := "IPv4"
	if in.IPv6 {
		family = "IPv6"
	}
	return "VRID " + strconv.Itoa(int(in.VRID)) + ", " + family
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return "the interface's address"
	}
	return fmt.Sprint(a)
}
