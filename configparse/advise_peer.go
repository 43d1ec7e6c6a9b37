package configparse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/vrrp"
)

// What must be equal on two nodes, and what follows from both together.

// compare looks at this configuration beside the peer's. Findings are placed
// in this node's file, but for what only the peer's has.
func (a *adviser) compare(peer *Checked) {
	a.peer = peer
	ours, theirs := a.c.Config.VRRP.Instances, peer.Config.VRRP.Instances
	met := map[*vrrp.InstanceConfig]bool{}
	for i := range ours {
		in := &ours[i]
		twin := a.twin(in, theirs)
		if twin == nil {
			a.strayVIP(in, theirs)
			a.at(a.instanceNode(in), 1, "KG401", Caution, "nobody takes over when this node fails",
				"(%s) the peer has no instance with %s", in.Name, label(in))
			continue
		}
		met[twin] = true
		a.comparePair(in, twin)
	}
	for i := range theirs {
		if in := &theirs[i]; !met[in] {
			a.at(peer.root.named("vrrp_instance", in.Name), 1, "KG401", Caution, "nobody takes over when the peer fails",
				"this node has no instance with %s, the peer's is %s", label(in), in.Name)
		}
	}
	a.compareGroups(peer)
	a.compareServices(peer)
	a.compareSync(peer)
	a.compareGlobals(peer)
}

// twin finds the peer's side of an instance: the same VRID and family, and if
// several have them, the same name or a common address.
func (a *adviser) twin(in *vrrp.InstanceConfig, theirs []vrrp.InstanceConfig) *vrrp.InstanceConfig {
	var best *vrrp.InstanceConfig
	score := -1
	for i := range theirs {
		p := &theirs[i]
		if p.VRID != in.VRID || p.IPv6 != in.IPv6 {
			continue
		}
		s := 0
		if p.Name == in.Name {
			s++
		}
		if overlap(addressList(in.Addresses), addressList(p.Addresses)) {
			s += 2
		}
		if s > score {
			best, score = p, s
		}
	}
	return best
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// strayVIP: the peer has the addresses, but under another VRID.
func (a *adviser) strayVIP(in *vrrp.InstanceConfig, theirs []vrrp.InstanceConfig) {
	for i := range theirs {
		p := &theirs[i]
		if p.VRID != in.VRID && p.IPv6 == in.IPv6 && overlap(addressList(in.Addresses), addressList(p.Addresses)) {
			a.at(a.instanceNode(in).last("virtual_router_id"), 1, "KG409", Failure,
				"the nodes do not hear each other, so both become master and both hold the addresses",
				"(%s) virtual_router_id is %d here and %d at the peer for the same address", in.Name, in.VRID, p.VRID)
		}
	}
}

// comparePair looks at the two sides of one virtual router.
func (a *adviser) comparePair(in, p *vrrp.InstanceConfig) {
	n := a.instanceNode(in)
	differ := func(keyword, code string, s Severity, why, here, there string) {
		if here == there {
			return
		}
		at := n.last(keyword)
		if at == nil {
			at = n
		}
		a.at(at, 1, code, s, why, "(%s) %s is %s here and %s at the peer", in.Name, keyword, here, there)
	}
	differ("version", "KG403", Failure, "packets of another version are dropped, so both become master",
		fmt.Sprint(in.Version), fmt.Sprint(p.Version))
	severity, why := Failure, "version 2 drops packets with another interval, so both become master"
	if in.Version == 3 {
		severity, why = Caution, "the backup learns the master's interval, so the takeover time depends on who is master"
	}
	differ("advert_int", "KG402", severity, why, spell(in.AdvertInterval), spell(p.AdvertInterval))
	if in.Version == 2 {
		differ("auth_type", "KG404", Failure, "packets with another authentication are dropped, so both become master",
			authName(in.Auth.Type), authName(p.Auth.Type))
		if in.Auth.Type != vrrp.AuthNone && in.Auth.Type == p.Auth.Type && in.Auth.Password != p.Auth.Password {
			a.at(n.last("authentication").last("auth_pass"), 1, "KG404", Failure,
				"packets with another password are dropped, so both become master",
				"(%s) auth_pass differs from the peer's", in.Name)
		}
	}
	a.compareHMAC(in, p, n)
	a.compareAddresses(in, p, n)
	a.compareWire(in, p, n, differ)
	a.comparePriority(in, p, n)
	one, other := candidateOf(in, a.c.Config.VRRP.Groups), candidateOf(p, a.peer.Config.VRRP.Groups)
	a.compareWeights(one, other, n)
	a.takeovers(one, other, n)
}

func authName(t vrrp.AuthType) string {
	return map[vrrp.AuthType]string{vrrp.AuthPass: "PASS", vrrp.AuthAH: "AH"}[t] + map[bool]string{true: "none"}[t == vrrp.AuthNone]
}

func (a *adviser) compareHMAC(in, p *vrrp.InstanceConfig, n *node) {
	why := "packets that cannot be verified are dropped unless the mode is permissive, so both may become master"
	switch {
	case (in.HMAC == nil) != (p.HMAC == nil):
		a.at(cmpNode(n.last("auth_hmac"), n), 0, "KG404", Failure, why, "(%s) auth_hmac is used on one node only", in.Name)
	case in.HMAC == nil:
	case !knows(p.HMAC, in.HMAC):
		a.at(n.last("auth_hmac"), 0, "KG404", Failure, why, "(%s) the peer has no equal auth_hmac key %d", in.Name, in.HMAC.Active)
	case !knows(in.HMAC, p.HMAC):
		a.at(n.last("auth_hmac"), 0, "KG404", Failure, why, "(%s) no auth_hmac key equals the peer's active key %d", in.Name, p.HMAC.Active)
	}
}

// knows reports whether h can verify what sender signs.
func knows(h, sender *vrrp.HMACConfig) bool {
	for _, k := range sender.Keys {
		if k.ID == sender.Active {
			return slices.ContainsFunc(h.Keys, func(o vrrp.HMACKey) bool {
				return o.ID == k.ID && string(o.Key) == string(k.Key)
			})
		}
	}
	return false
}

func cmpNode(n, other *node) *node {
	if n != nil {
		return n
	}
	return other
}

func (a *adviser) compareAddresses(in, p *vrrp.InstanceConfig, n *node) {
	why := "a node that takes over must bring the same addresses; keepalived also drops adverts whose list differs from its own"
	if here, there := only(addressList(in.Addresses), addressList(p.Addresses)); here+there != "" {
		a.at(cmpNode(n.last("virtual_ipaddress"), n), 0, "KG405", Failure, why,
			"(%s) virtual_ipaddress differs from the peer's%s%s", in.Name, sided("; only here: ", here), sided("; only there: ", there))
	}
	if here, there := only(addressList(in.Excluded), addressList(p.Excluded)); here+there != "" {
		a.at(cmpNode(n.last("virtual_ipaddress_excluded"), n), 0, "KG412", Caution, "a node that takes over should bring the same addresses",
			"(%s) virtual_ipaddress_excluded differs from the peer's%s%s", in.Name, sided("; only here: ", here), sided("; only there: ", there))
	}
	if here, there := only(routeList(in.Routes), routeList(p.Routes)); here+there != "" {
		a.at(cmpNode(n.last("virtual_routes"), n), 0, "KG412", Caution, "a node that takes over should bring the same routes",
			"(%s) virtual_routes differ from the peer's%s%s", in.Name, sided("; only here: ", here), sided("; only there: ", there))
	}
	if here, there := only(ruleList(in.Rules), ruleList(p.Rules)); here+there != "" {
		a.at(cmpNode(n.last("virtual_rules"), n), 0, "KG412", Caution, "a node that takes over should bring the same rules",
			"(%s) virtual_rules differ from the peer's%s%s", in.Name, sided("; only here: ", here), sided("; only there: ", there))
	}
}

func routeList(routes []vrrp.Route) []string {
	var list []string
	for i := range routes {
		list = append(list, routeText(&routes[i]))
	}
	return list
}

func ruleList(rules []vrrp.Rule) []string {
	var list []string
	for i := range rules {
		list = append(list, ruleText(&rules[i]))
	}
	return list
}

// only lists what is in one sorted list and not in the other.
func only(here, there []string) (h, t string) {
	missing := func(from, in []string) string {
		var out []string
		for _, s := range from {
			if !slices.Contains(in, s) {
				out = append(out, s)
			}
		}
		return strings.Join(out, ", ")
	}
	return missing(here, there), missing(there, here)
}

func sided(prefix, list string) string {
	if list == "" {
		return ""
	}
	return prefix + list
}

// compareWire looks at how adverts travel.
func (a *adviser) compareWire(in, p *vrrp.InstanceConfig, n *node,
	differ func(keyword, code string, s Severity, why, here, there string)) {
	if in.Unicast != p.Unicast {
		a.at(cmpNode(n.last("unicast_peer"), n), 0, "KG406", Failure, "the nodes do not hear each other, so both become master",
			"(%s) one node uses unicast and the other multicast", in.Name)
		return
	}
	if !in.Unicast {
		if in.Destination.IsValid() && p.Destination.IsValid() {
			differ("mcast_dst_ip", "KG411", Failure, "the nodes do not hear each other, so both become master",
				addrText(in.Destination), addrText(p.Destination))
		}
	} else {
		a.comparePeers(in, p, n)
	}
	if in.Version == 3 && !in.IPv6 {
		differ("v3_checksum_as_v2", "KG410", Failure, "packets with the other checksum are dropped, so both become master",
			fmt.Sprint(in.ChecksumAsV2), fmt.Sprint(p.ChecksumAsV2))
	}
	differ("accept", "KG420", Caution, "the virtual addresses answer on one node and not on the other",
		fmt.Sprint(!in.NoAccept), fmt.Sprint(!p.NoAccept))
	differ("strict_mode", "KG420", Caution, "the nodes behave differently, for example in what the virtual addresses answer",
		fmt.Sprint(in.Strict), fmt.Sprint(p.Strict))
}

// comparePeers: each node's source must be a peer of the other.
func (a *adviser) comparePeers(in, p *vrrp.InstanceConfig, n *node) {
	lists := func(o, to *vrrp.InstanceConfig) bool {
		return !to.Source.IsValid() || slices.ContainsFunc(o.Peers, func(q vrrp.Peer) bool { return q.Addr == to.Source })
	}
	at := cmpNode(n.last("unicast_peer"), n)
	if !lists(in, p) {
		a.at(at, 0, "KG406", Failure, "our adverts do not reach the peer, so it becomes master as well",
			"(%s) unicast_peer does not list the peer's unicast_src_ip %s", in.Name, p.Source)
	}
	if !lists(p, in) {
		a.at(at, 0, "KG406", Failure, "the peer's adverts do not reach us, so we become master as well",
			"(%s) the peer's unicast_peer does not list our unicast_src_ip %s", in.Name, in.Source)
	}
}

func (a *adviser) comparePriority(in, p *vrrp.InstanceConfig, n *node) {
	if in.Priority == p.Priority {
		a.at(cmpNode(n.last("priority"), n), 1, "KG407", Caution, "which node is master then depends on their addresses",
			"(%s) both nodes have priority %d", in.Name, in.Priority)
	}
	if n.last("state").word(1) == "MASTER" && p.WantMaster && in.Priority != 255 {
		a.at(n.last("state"), 1, "KG408", Caution, "the one with the lower priority is master for a moment at its start and gives up when it hears the other",
			"(%s) state is MASTER on both nodes", in.Name)
	}
	if in.Priority == 255 && p.Priority == 255 {
		a.at(cmpNode(n.last("priority"), n), 1, "KG407", Failure, "only one node can own the addresses",
			"(%s) both nodes have priority 255", in.Name)
	}
	if in.NoPreempt != p.NoPreempt {
		a.at(cmpNode(n.last("nopreempt"), n), 0, "KG414", Caution, "whether the addresses move back depends on which node failed",
			"(%s) nopreempt is set on one node only", in.Name)
	}
}

// compareWeights: does a failure on the node with the higher priority bring
// it below the other?
func (a *adviser) compareWeights(in, p candidate, n *node) {
	well, theirs := in.effective(nil), p.effective(nil)
	if well <= theirs {
		return
	}
	for i := range in.tracks {
		t := &in.tracks[i]
		failed := in.effective(t)
		if failed >= well {
			continue
		}
		at := a.trackNode(n, t)
		while, when := t.states()
		sum := fmt.Sprintf("priority %d %s, %d %s, the peer has %d", well, while, failed, when, theirs)
		name := in.in.Name
		switch {
		case failed > theirs:
			a.at(at, 0, "KG203", Caution, fmt.Sprintf("the weight must be more than %d", well-theirs),
				"(%s) weight %d of %s %s alone can never move the virtual addresses: %s", name, t.Weight, t.kind, t.Name, sum)
		case failed == theirs:
			a.at(at, 0, "KG203", Caution, "with equal priorities the current master stays, or the higher address wins",
				"(%s) weight %d of %s %s leaves both nodes equal: %s", name, t.Weight, t.kind, t.Name, sum)
		case p.in.NoPreempt:
			a.at(at, 0, "KG203", Caution, "with nopreempt a backup does not take over from a master of lower priority",
				"(%s) weight %d of %s %s can never move the virtual addresses: the peer has nopreempt", name, t.Weight, t.kind, t.Name)
		}
	}
}

// takeovers computes how long addresses are away.
func (a *adviser) takeovers(in, p candidate, n *node) {
	first, second, who := in, p, "this node"
	if p.effective(nil) > in.effective(nil) {
		first, second, who = p, in, "the peer"
	}
	interval := second.in.AdvertInterval
	if second.in.Version == 3 {
		interval = first.in.AdvertInterval // learned from the master
	}
	prio := second.effective(nil)
	dead := takeover(second.in, prio, interval)
	text := fmt.Sprintf("(%s) %s is master (priority %d); if it dies the other takes over after %s to %s, if it stops after %s",
		in.in.Name, who, first.effective(nil), spell(max(dead-interval, 0)), spell(dead), spell(skewTime(second.in, prio, interval)))
	switch {
	case first.in.NoPreempt:
		text += "; it does not take back"
	default:
		back := first.in.PreemptDelay + takeover(first.in, first.effective(nil), first.in.AdvertInterval)
		text += fmt.Sprintf("; it takes back %s after its return", spell(back))
	}
	a.at(n, 1, "KG490", Remark, "", "%s", text)
}

func (a *adviser) compareGroups(peer *Checked) {
	theirs := map[string][]string{}
	for _, g := range peer.Config.VRRP.Groups {
		theirs[g.Name] = slices.Sorted(slices.Values(g.Members))
	}
	for _, g := range a.c.Config.VRRP.Groups {
		there, ok := theirs[g.Name]
		if ok && slices.Equal(there, slices.Sorted(slices.Values(g.Members))) {
			continue
		}
		text := fmt.Sprintf("sync group %s has other members at the peer", g.Name)
		if !ok {
			text = fmt.Sprintf("sync group %s does not exist at the peer", g.Name)
		}
		a.at(a.c.root.named("vrrp_sync_group", g.Name), 1, "KG413", Caution,
			"instances that fail together on one node do not on the other", "%s", text)
	}
}

// compareServices: both nodes must balance the same.
func (a *adviser) compareServices(peer *Checked) {
	nodes := serviceNodes(a.c)
	theirs := map[string]*checker.ServiceConfig{}
	for i := range peer.Config.Checker.Services {
		s := &peer.Config.Checker.Services[i]
		theirs[serviceKey(s)] = s
	}
	for i := range a.c.Config.Checker.Services {
		s := &a.c.Config.Checker.Services[i]
		p := theirs[serviceKey(s)]
		if p == nil {
			a.at(nodes[s.Line], 1, "KG415", Failure, "the service is gone after a takeover", "virtual server %s does not exist at the peer", s)
			continue
		}
		delete(theirs, serviceKey(s))
		a.compareService(s, p, nodes[s.Line])
	}
	far := serviceNodes(peer)
	for i := range peer.Config.Checker.Services {
		if s := &peer.Config.Checker.Services[i]; theirs[serviceKey(s)] == s {
			a.at(far[s.Line], 1, "KG415", Failure, "the service is gone when this node takes over", "the peer's virtual server %s does not exist here", s)
		}
	}
}

func (a *adviser) compareService(s, p *checker.ServiceConfig, n *node) {
	if here, there := only(serverList(s), serverList(p)); here+there != "" {
		a.at(n, 0, "KG416", Caution, "connections go to other servers after a takeover",
			"virtual server %s has other real servers at the peer%s%s", s, sided("; only here: ", here), sided("; only there: ", there))
	}
	if s.Quorum != p.Quorum || s.Hysteresis != p.Hysteresis || sorryText(s) != sorryText(p) {
		a.at(n, 0, "KG417", Caution, "the service is up on one node where it is down on the other",
			"virtual server %s has another quorum, hysteresis or sorry server at the peer (%d, %d, %s here; %d, %d, %s there)",
			s, s.Quorum, s.Hysteresis, sorryText(s), p.Quorum, p.Hysteresis, sorryText(p))
	}
	if s.Options != p.Options || s.Forward != p.Forward {
		a.at(n, 0, "KG417", Caution, "clients are sent elsewhere after a takeover",
			"virtual server %s has another scheduler, persistence or forwarding method at the peer (%s, %s here; %s, %s there)",
			s, s.Options.Scheduler, s.Forward.Method, p.Options.Scheduler, p.Forward.Method)
	}
}

func sorryText(s *checker.ServiceConfig) string {
	if s.Sorry == nil {
		return "none"
	}
	return s.Sorry.Addr.String()
}

func serverList(s *checker.ServiceConfig) []string {
	var list []string
	for i := range s.Servers {
		list = append(list, fmt.Sprintf("%s weight %d", s.Servers[i].Addr, s.Servers[i].Weight))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// compareSync looks at the synchronisation of connections.
func (a *adviser) compareSync(peer *Checked) {
	ours, theirs := a.c.Config.VRRP.SyncDaemon, peer.Config.VRRP.SyncDaemon
	var at *node
	if g := a.c.root.last("global_defs"); g != nil {
		at = g.last("lvs_sync_daemon")
	}
	switch {
	case ours == nil && theirs == nil:
	case ours == nil:
		if g := peer.root.last("global_defs"); g != nil {
			at = g.last("lvs_sync_daemon")
		}
		a.at(at, 0, "KG418", Caution, "connections are lost at a takeover", "lvs_sync_daemon is set on one node only")
	case theirs == nil:
		a.at(at, 0, "KG418", Caution, "connections are lost at a takeover", "lvs_sync_daemon is set on one node only")
	case ours.ID != theirs.ID || ours.Group != theirs.Group || ours.Port != theirs.Port:
		a.at(at, 0, "KG418", Failure, "the daemons do not hear each other, so connections are lost at a takeover",
			"lvs_sync_daemon differs from the peer's in id, group or port")
	}
	if ours == nil && len(a.c.Config.Checker.Services) > 0 && len(a.c.Config.VRRP.Instances) > 0 && persistent(a.c.Config.Checker.Services) {
		a.at(serviceNodes(a.c)[a.c.Config.Checker.Services[0].Line], 0, "KG419", Remark, "", "persistent services without lvs_sync_daemon: clients lose their server at a takeover")
	}
}

func persistent(services []checker.ServiceConfig) bool {
	return slices.ContainsFunc(services, func(s checker.ServiceConfig) bool { return s.Options.Persistence.Timeout > 0 })
}

func (a *adviser) compareGlobals(peer *Checked) {
	ours, theirs := &a.c.Config.Global, &peer.Config.Global
	if ours.RouterID != "" && ours.RouterID == theirs.RouterID {
		var at *node
		if g := a.c.root.last("global_defs"); g != nil {
			at = g.last("router_id")
		}
		a.at(at, 1, "KG421", Caution, "mails and traps do not tell which node they are from", "both nodes have router_id %s", ours.RouterID)
	}
}
