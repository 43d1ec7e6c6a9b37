package configparse

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// ruleLine is a rule line while it is read.
type ruleLine struct {
	vrrp.Rule
	lineReader

	hasPriority bool
	tableOnly   bool // realms or a suppressor was given
	trackSet    bool
	stop        bool // the rest of the line is ignored
}

// firstRulePriority is where the numbers of rules without preference start;
// they count down, separately for each family.
const firstRulePriority = 16384

// ruleLine reads a line of virtual_rules or static_rules. False: it is dropped.
func (p *parser) ruleLine(line words, static bool) (vrrp.Rule, bool) {
	r := &ruleLine{lineReader: lineReader{w: line, static: static}}
	r.Protocol, r.SuppressLen, r.SuppressGrp, r.Text = protoKeepalived, -1, -1, line.raw
	options := ruleWords
	if static {
		options = staticRuleWords
	}
	for ; line.has(r.i) && !r.dropped && !r.stop && !p.ended; r.i++ {
		name := p.word(line, r.i)
		if row, ok := options[name]; ok && row.set != nil {
			row.set(p, r, line)
			continue
		}
		r.actionWord(p, name)
	}
	if r.dropped || p.ended {
		return vrrp.Rule{}, false
	}
	return p.finishRule(r)
}

// ruleActions are route types that rules may have; others cannot be a rule's action.
var ruleActions = map[uint8]vrrp.RuleAction{6: vrrp.RuleBlackhole, 7: vrrp.RuleUnreachable, 8: vrrp.RuleProhibit}

// actionWord takes a word that is no option: the name or number of a route type.
func (r *ruleLine) actionWord(p *parser, name string) {
	t, ok := routeType(name)
	if !ok {
		r.drop(p, "Unknown rule option %s", name)
		return
	}
	action, ok := ruleActions[t]
	if !ok {
		r.drop(p, "Invalid rule action %s", name)
		return
	}
	r.act(p, action)
}

// act sets the action; there can be only one.
func (r *ruleLine) act(p *parser, a vrrp.RuleAction) {
	switch {
	case r.Action == 0:
		r.Action = a
	case a == vrrp.RuleL3MDev:
		r.drop(p, "Cannot specify l3mdev with other action")
	case a == vrrp.RuleTable:
		r.drop(p, "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule")
	default:
		r.drop(p, "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule")
	}
}

func (p *parser) finishRule(r *ruleLine) (vrrp.Rule, bool) {
	r.IPv6 = r.family == 6
	switch {
	case r.Action == 0:
		p.errorf("No action specified for rule - ignoring")
		return vrrp.Rule{}, false
	case r.Action == vrrp.RuleGoto && !r.hasPriority:
		p.errorf("Invalid rule - goto target %d specified without preference", r.Goto)
		return vrrp.Rule{}, false
	case r.Action == vrrp.RuleGoto && r.Priority >= r.Goto:
		p.errorf("Invalid rule - preference %d >= goto target %d", r.Priority, r.Goto)
		return vrrp.Rule{}, false
	case r.tableOnly && r.Action != vrrp.RuleTable:
		p.errorf("suppressor/realm specified for non table action - skipping")
		return vrrp.Rule{}, false
	}
	if !r.hasPriority {
		next := &p.rulePriority[0]
		if r.IPv6 {
			next = &p.rulePriority[1]
		}
		if *next == 0 {
			*next = firstRulePriority
		}
		r.Priority, r.AutoPrio = *next, true
		*next--
		p.errorf("Rule has no preference specified - setting to %d. This is probably not what you want.", r.Priority)
	}
	if !r.NoTrack && r.Protocol != protoKeepalived {
		p.errorf("Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol")
		r.Protocol = protoKeepalived
	}
	if r.TrackGroup != "" && r.IIF == "" {
		p.errorf("Static rule cannot have track_group if dev/iif not specified")
		r.TrackGroup = ""
	}
	return r.Rule, true
}

var ruleWords = joinBlocks(ruleSelectors, ruleVerbs, block[ruleLine]{
	otherWord: {help: "type of the action", acts: "configparse"},
	wholeLine: {help: "checks of the line", acts: "configparse"},
})

var staticRuleWords = joinBlocks(ruleWords, block[ruleLine]{
	"track_group": {takes: "NAME", help: "track_group that follows the rule", acts: "vrrp",
		set: func(p *parser, r *ruleLine, w words) {
			if !p.trackGroup(r.take(p), &r.TrackGroup, &r.trackSet) {
				r.stop = true
			}
		}},
})

var ruleSelectors = block[ruleLine]{
	"inet":    {takes: "none", help: "the rule is IPv4", acts: "vrrpd", set: ruleFamily(4)},
	"inet6":   {takes: "none", help: "the rule is IPv6", acts: "vrrpd", set: ruleFamily(6)},
	"not":     {takes: "none", help: "invert the selectors", acts: "vrrpd", set: flag(func(r *ruleLine) { r.Not = true })},
	"from":    {takes: "IPADDR[/LEN] | default | any | all", help: "source", acts: "vrrpd", set: ruleAddress("from", func(r *ruleLine) *netip.Prefix { return &r.From })},
	"to":      {takes: "IPADDR[/LEN] | default | any | all", help: "destination", acts: "vrrpd", set: ruleAddress("to", func(r *ruleLine) *netip.Prefix { return &r.To })},
	"tos":     {takes: "NAME | 0..255", help: "type of service", acts: "vrrpd", set: ruleTOS},
	"dsfield": {takes: "NAME | 0..255", help: "type of service", acts: "vrrpd", set: ruleTOS},
	"fwmark":  {takes: "MARK[/MASK]", help: "firewall mark", acts: "vrrpd", set: ruleMark},
	"dev":     {takes: "IFNAME", help: "input interface", acts: "vrrpd", set: ruleLink(func(r *ruleLine) *string { return &r.IIF })},
	"iif":     {takes: "IFNAME", help: "input interface", acts: "vrrpd", set: ruleLink(func(r *ruleLine) *string { return &r.IIF })},
	"oif":     {takes: "IFNAME", help: "output interface", acts: "vrrpd", set: ruleLink(func(r *ruleLine) *string { return &r.OIF })},
	"tunnel-id": {takes: "INT 0..2^64-1", help: "tunnel id", acts: "vrrpd",
		set: func(p *parser, r *ruleLine, w words) {
			n, ok := p.checkUnsigned(r.take(p), 0, math.MaxUint64, strict, math.MaxUint64, "unsigned 64 bit")
			if !ok {
				r.drop(p, "Invalid tunnel-id %s specified", "tunnel-id")
			}
			r.TunnelID = n
		}},
	"uidrange": {takes: "N-M", help: "user ids", acts: "vrrpd",
		set: func(p *parser, r *ruleLine, w words) {
			low, high, ok := numberRange(r.take(p), maxUint32)
			if !ok {
				r.drop(p, "Invalid uidrange %s specified", "uidrange")
				return
			}
			r.UIDRange = &vrrp.Range{Low: low, High: high}
		}},
	"ipproto": {takes: "NAME | 0..255", help: "IP protocol", acts: "vrrpd",
		set: func(p *parser, r *ruleLine, w words) {
			s := r.take(p)
			n, ok := ipProtocols[strings.ToLower(s)]
			if !ok {
				v, err := strconv.ParseUint(s, 10, 8)
				if err != nil {
					p.errorf("Invalid ipproto %s", s)
					return
				}
				n = uint8(v)
			}
			r.IPProto = n
		}},
	"sport": {takes: "N-M", help: "source ports", acts: "vrrpd", set: rulePorts("sport", func(r *ruleLine) **vrrp.Range { return &r.SPort })},
	"dport": {takes: "N-M", help: "destination ports", acts: "vrrpd", set: rulePorts("dport", func(r *ruleLine) **vrrp.Range { return &r.DPort })},
}

// ipProtocols are the names of /etc/protocols that make sense in a rule.
var ipProtocols = map[string]uint8{
	"ip": 0, "icmp": 1, "igmp": 2, "ipip": 4, "ipencap": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17, "dccp": 33, "ipv6": 41,
	"rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58, "eigrp": 88, "ospf": 89, "pim": 103,
	"vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136, "mpls-in-ip": 137,
}

var ruleVerbs = block[ruleLine]{
	"table":      {takes: "NAME | INT 1..", help: "look this table up", acts: "vrrpd", set: ruleTable},
	"lookup":     {takes: "NAME | INT 1..", help: "look this table up", acts: "vrrpd", set: ruleTable},
	"preference": {takes: "INT 0..4294967295 (decimal, 0octal, 0xhex)", help: "priority of the rule", acts: "vrrpd", set: rulePriority},
	"order":      {takes: "INT 0..4294967295 (decimal, 0octal, 0xhex)", help: "priority of the rule", acts: "vrrpd", set: rulePriority},
	"priority":   {takes: "INT 0..4294967295 (decimal, 0octal, 0xhex)", help: "priority of the rule", acts: "vrrpd", set: rulePriority},
	"realms": {takes: "[R/]R", help: "realms, IPv4 only", acts: "vrrpd",
		set: func(p *parser, r *ruleLine, w words) {
			s := r.take(p)
			n, ok := p.realms(s)
			switch {
			case !ok:
				r.drop(p, "invalid realms %s for rule", s)
			case !r.setFamily(4):
				r.drop(p, "realms is only valid for IPv4")
			}
			r.Realms, r.tableOnly = n, true
		}},
	"suppress_prefixlength": {takes: "INT 0..2147483647", help: "ignore results of at most this length", acts: "vrrpd", set: ruleSuppress},
	"sup_pl":                {takes: "INT 0..2147483647", help: "ignore results of at most this length", acts: "vrrpd", set: ruleSuppress},
	"suppress_ifgroup":      {takes: "NAME | INT", help: "ignore results through this group", acts: "vrrpd", set: ruleSuppressGroup},
	"sup_group":             {takes: "NAME | INT", help: "ignore results through this group", acts: "vrrpd", set: ruleSuppressGroup},
	"l3mdev":                {takes: "none", help: "use the table of the l3 device", acts: "vrrpd", set: ruleAct(vrrp.RuleL3MDev)},
	"nop":                   {takes: "none", help: "do nothing", acts: "vrrpd", set: ruleAct(vrrp.RuleNop)},
	"blackhole":             {takes: "none", help: "drop silently", acts: "vrrpd", set: ruleAct(vrrp.RuleBlackhole)},
	"unreachable":           {takes: "none", help: "answer unreachable", acts: "vrrpd", set: ruleAct(vrrp.RuleUnreachable)},
	"prohibit":              {takes: "none", help: "answer prohibited", acts: "vrrpd", set: ruleAct(vrrp.RuleProhibit)},
	"protocol": {takes: "INT 0..255", help: "who made the rule", acts: "vrrpd",
		set: func(p *parser, r *ruleLine, w words) {
			s := r.take(p)
			n, ok := p.parseUnsigned(s, 0, math.MaxUint8, strict)
			if !ok {
				p.errorf("Invalid protocol %s", s)
				return
			}
			r.Protocol = uint8(n)
		}},
	"no_track": {takes: "none", help: "do not react to its removal", acts: "vrrp", set: flag(func(r *ruleLine) { r.NoTrack = true })},
}

// The word behind type is an action like any other, so the table would refer
// to itself: type is added apart, and goto with it.
func init() {
	g := row[ruleLine]{takes: "INT 0..4294967295", help: "jump to a rule", acts: "vrrpd",
		set: func(p *parser, r *ruleLine, w words) {
			n, ok := p.parseUnsigned(r.take(p), 0, maxUint32, strict)
			if !ok {
				r.drop(p, "Invalid target %s specified", "goto")
				return
			}
			r.Goto = uint32(n)
			r.act(p, vrrp.RuleGoto)
		}}
	nop := ruleWords["nop"]
	t := row[ruleLine]{takes: "goto|nop|blackhole|unreachable|prohibit", help: "before an action", acts: "configparse",
		set: func(p *parser, r *ruleLine, w words) {
			switch s := r.take(p); {
			case p.ended:
			case s == "goto":
				g.set(p, r, w)
			case s == "nop":
				nop.set(p, r, w)
			default:
				r.actionWord(p, s)
			}
		}}
	for _, b := range []block[ruleLine]{ruleWords, staticRuleWords} {
		b["goto"], b["type"] = g, t
	}
}

func ruleAct(a vrrp.RuleAction) func(*parser, *ruleLine, words) {
	return func(p *parser, r *ruleLine, w words) { r.act(p, a) }
}

func ruleFamily(f byte) func(*parser, *ruleLine, words) {
	return func(p *parser, r *ruleLine, w words) {
		if r.setFamily(f) {
			return
		}
		if f == 4 {
			r.drop(p, "inet specified for IPv6 rule")
		} else {
			r.drop(p, "inet6 specified for IPv4 rule")
		}
	}
}

func ruleAddress(name string, of func(*ruleLine) *netip.Prefix) func(*parser, *ruleLine, words) {
	return func(p *parser, r *ruleLine, w words) {
		s := r.take(p)
		if s == "default" || s == "any" || s == "all" {
			// The original takes this for another family than that of an address before it.
			if r.From.IsValid() || r.To.IsValid() {
				r.drop(p, "rule specification has mixed IPv4 and IPv6")
			}
			return
		}
		pre, ok := p.prefix(s)
		if !ok {
			r.drop(p, "Invalid rule %s address %s", name, s)
			return
		}
		if !r.setFamily(family(pre.Addr())) {
			r.drop(p, "rule specification has mixed IPv4 and IPv6")
		}
		*of(r) = pre
	}
}

func ruleTOS(p *parser, r *ruleLine, w words) {
	s := r.take(p)
	n, ok := p.names().find("rt_dsfield", s, math.MaxUint8)
	if !ok {
		r.drop(p, "TOS value %s is invalid", s)
	}
	r.TOS = uint8(n)
}

func ruleMark(p *parser, r *ruleLine, w words) {
	s := r.take(p)
	mark, mask, hasMask := strings.Cut(s, "/")
	n, err := strconv.ParseUint(mark, 0, 32)
	var m uint64
	if hasMask && err == nil {
		m, err = strconv.ParseUint(mask, 0, 32)
	}
	if err != nil {
		r.drop(p, "Invalid rule fwmark %s specified", s)
		return
	}
	r.Mark, r.HasMark, r.Mask, r.HasMask = uint32(n), true, uint32(m), hasMask
}

func ruleLink(of func(*ruleLine) *string) func(*parser, *ruleLine, words) {
	return func(p *parser, r *ruleLine, w words) {
		name := r.take(p)
		if _, ok := p.link(name, "WARNING - interface %s for rule doesn't exist", name); !ok {
			r.dropped = true
			return
		}
		*of(r) = name
	}
}

func numberRange(s string, hi uint64) (low, high uint32, ok bool) {
	a, b, ok := strings.Cut(s, "-")
	x, err1 := strconv.ParseUint(a, 10, 32)
	y, err2 := strconv.ParseUint(b, 10, 32)
	return uint32(x), uint32(y), ok && err1 == nil && err2 == nil && x <= hi && y <= hi
}

func rulePorts(name string, of func(*ruleLine) **vrrp.Range) func(*parser, *ruleLine, words) {
	return func(p *parser, r *ruleLine, w words) {
		s := r.take(p)
		low, high, ok := numberRange(s, math.MaxUint16)
		if !ok {
			p.errorf("invalid %s range %s", name, s)
			return
		}
		*of(r) = &vrrp.Range{Low: low, High: high}
	}
}

func ruleTable(p *parser, r *ruleLine, w words) {
	s := r.take(p)
	n, ok := p.names().find("rt_tables", s, maxUint32)
	switch {
	case p.ended:
	case !ok:
		r.drop(p, "Routing table %s not found for rule", s)
	case n == 0:
		r.drop(p, "Table 0 is not valid")
	default:
		r.Table = n
		r.act(p, vrrp.RuleTable)
	}
}

func rulePriority(p *parser, r *ruleLine, w words) {
	name := r.w.optional(r.i)
	s := r.take(p)
	// Any base, as the kernel's tools write it; the message is that of decimals.
	n, err := strconv.ParseUint(s, 0, 32)
	ok := err == nil
	if !ok {
		n, ok = p.parseUnsigned(s, 0, maxUint32, strict)
	}
	if !ok {
		r.drop(p, "Invalid rule preference %s specified", name)
	}
	r.Priority, r.hasPriority = uint32(n), true
}

func ruleSuppress(p *parser, r *ruleLine, w words) {
	name := r.w.optional(r.i)
	n, ok := p.parseSigned(r.take(p), 0, maxInt32, strict)
	if !ok {
		r.drop(p, "Invalid suppress_prefixlength %s specified", name)
	}
	r.SuppressLen, r.tableOnly = int32(n), true
}

func ruleSuppressGroup(p *parser, r *ruleLine, w words) {
	s := r.take(p)
	n, ok := p.names().find("group", s, maxInt32)
	if !ok {
		r.drop(p, "suppress_group %s is invalid", s)
	}
	r.SuppressGrp, r.tableOnly = int32(n), true
}

// readStaticRules reads static_rules.
func readStaticRules(p *parser, c *Config, w words) {
	c.HasVRRP = true
	p.readValues(w, 1, func(line words) {
		if r, ok := p.ruleLine(line, true); ok {
			c.VRRP.StaticRules = append(c.VRRP.StaticRules, r)
		}
	})
}
