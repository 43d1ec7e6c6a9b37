package configparse

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// lineReader walks over the words of a route or rule line.
type lineReader struct {
	w       words
	i       int
	dropped bool
	family  byte // 4 or 6; 0 until something fixes it
	static  bool
}

// take gives the next word. A missing one ends the run.
func (r *lineReader) take(p *parser) string {
	r.i++
	return p.word(r.w, r.i)
}

// more tells whether there is a next word.
func (r *lineReader) more() bool { return r.w.has(r.i + 1) }

// peek is the next word, or the empty word.
func (r *lineReader) peek() string { return r.w.optional(r.i + 1) }

// drop reports why the line cannot be used.
func (r *lineReader) drop(p *parser, format string, args ...any) {
	p.errorf(format, args...)
	r.dropped = true
}

// number reads the next word as a number, or drops the line with bad, whose
// only argument is the word.
func (r *lineReader) number(p *parser, lo, hi uint64, bad string) (uint64, bool) {
	s := r.take(p)
	n, ok := p.parseUnsigned(s, lo, hi, strict)
	if !ok {
		r.drop(p, bad, s)
	}
	return n, ok
}

// setFamily fixes the family, or tells whether it is the one already fixed.
func (r *lineReader) setFamily(f byte) bool {
	if r.family == 0 {
		r.family = f
	}
	return r.family == f
}

// prefix reads ADDR[/LEN] with the messages of addresses.
func (p *parser) prefix(s string) (netip.Prefix, bool) {
	a := addressLine{text: s}
	ok := p.addressAndLength(&a)
	return a.Prefix, ok
}

// parsePrefix is prefix without messages.
func parsePrefix(s string) (netip.Prefix, bool) {
	if pre, err := netip.ParsePrefix(s); err == nil {
		return pre, true
	}
	a, ok := parseAddr(s)
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// plainAddr reads an address, with the message of addresses and bad when it is none.
func (p *parser) plainAddr(s, bad string) (netip.Addr, bool) {
	pre, ok := p.prefix(s)
	if !ok {
		p.errorf(bad, s)
	}
	return pre.Addr(), ok
}

// routeLine is a route line while it is read.
type routeLine struct {
	vrrp.Route
	lineReader

	hasDst   bool
	anyDst   bool // default, any, all
	or       netip.Addr
	trackSet bool
	protoSet bool
}

// routeTypes are the words of TYPE with the kernel's RTN_ numbers.
var routeTypes = map[string]uint8{
	"unicast": 1, "local": 2, "broadcast": 3, "brd": 3, "anycast": 4, "multicast": 5, "blackhole": 6,
	"unreachable": 7, "prohibit": 8, "throw": 9, "nat": 10, "xresolve": 11,
}

const (
	protoKeepalived = 18
	tableMain       = 254
	routeUnicast    = 1
)

// routeLine reads a line of virtual_routes or static_routes. False: it is dropped.
func (p *parser) routeLine(line words, static bool) (vrrp.Route, bool) {
	r := &routeLine{lineReader: lineReader{w: line, static: static}}
	r.Type, r.Protocol, r.TTLPropag, r.Text = routeUnicast, protoKeepalived, -1, line.raw
	options := routeWords
	if static {
		options = staticRouteWords
	}
	for ; line.has(r.i) && !r.dropped && !p.ended; r.i++ {
		name := p.word(line, r.i)
		if row, ok := options[name]; ok && row.set != nil {
			row.set(p, r, line)
			if name == "nexthop" {
				break
			}
			continue
		}
		r.destination(p, name)
	}
	if r.dropped || p.ended {
		return vrrp.Route{}, false
	}
	return p.finishRoute(r)
}

// destination takes any word that is no option.
func (r *routeLine) destination(p *parser, s string) {
	if t, ok := routeType(s); ok {
		r.Type = t
		s = r.take(p)
		if p.ended {
			return
		}
	}
	if s == "default6" {
		p.logf("\"default6\" for routes is deprecated. Please use \"default\" with inet6")
		r.setFamily(6)
		s = "default"
	}
	if s == "default" || s == "any" || s == "all" {
		// Written after a word that fixes the family it conflicts in the original.
		if r.family != 0 && r.hasFamilyWord() {
			r.drop(p, "Cannot mix IPv4 and IPv6 addresses for route (%s)", s)
			return
		}
		r.hasDst, r.anyDst = true, true
		return
	}
	pre, ok := p.prefix(s)
	if !ok {
		r.drop(p, "unknown route keyword %s", s)
		return
	}
	if !r.setFamily(family(pre.Addr())) {
		r.drop(p, "Cannot mix IPv4 and IPv6 addresses for route (%s)", s)
		return
	}
	r.Dst, r.hasDst, r.anyDst = pre, true, false
}

// hasFamilyWord tells whether an address has fixed the family, not inet or inet6.
func (r *routeLine) hasFamilyWord() bool {
	return r.Via.IsValid() || r.Source.IsValid() || r.From.IsValid() || r.hasDst && !r.anyDst ||
		r.HasExpiry || r.PrefSet || r.Realms != 0
}

func routeType(s string) (uint8, bool) {
	if t, ok := routeTypes[s]; ok {
		return t, true
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil
}

// finishRoute does what depends on the whole line.
func (p *parser) finishRoute(r *routeLine) (vrrp.Route, bool) {
	if !r.hasDst {
		p.errorf("Route must have a destination")
		return vrrp.Route{}, false
	}
	r.IPv6 = r.family == 6
	if r.anyDst {
		r.Dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.IPv6 {
			r.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	if r.or.IsValid() {
		r.NextHops = []vrrp.NextHop{{Via: r.Via, Interface: r.Interface}, {Via: r.or, Interface: r.Interface}}
		r.Via, r.Interface = netip.Addr{}, ""
	}
	if !r.NoTrack && r.Protocol != protoKeepalived {
		p.errorf("Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol")
		r.Protocol = protoKeepalived
	}
	if r.TrackGroup != "" && r.Interface == "" {
		p.errorf("Static route cannot have track group if no oif specified")
		r.TrackGroup = ""
	}
	return r.Route, true
}

var routeWords = joinBlocks(routeOptions, routeMetrics, block[routeLine]{
	"(destination)": {takes: "[to] [TYPE] IPADDR[/LEN] | default | any | all | default6", help: "destination", acts: "vrrpd"},
	"TYPE":          {takes: "unicast|local|nat|broadcast|brd|anycast|multicast|prohibit|unreachable|blackhole|xresolve|throw", help: "type of the route", acts: "vrrpd"},
})

var staticRouteWords = joinBlocks(routeWords, block[routeLine]{
	"track_group": {takes: "NAME", help: "track_group that follows the route", acts: "vrrp",
		set: func(p *parser, r *routeLine, w words) {
			name := r.take(p)
			if !p.trackGroup(name, &r.TrackGroup, &r.trackSet) {
				r.drop(p, "Route has trailing nonsense - %s", name)
			}
		}},
})

var routeOptions = block[routeLine]{
	"to":    {takes: "none", help: "before the destination", acts: "configparse", set: flag(func(*routeLine) {})},
	"inet":  {takes: "none", help: "the route is IPv4", acts: "vrrpd", set: routeFamily(4)},
	"inet6": {takes: "none", help: "the route is IPv6", acts: "vrrpd", set: routeFamily(6)},
	"src": {takes: "IPADDR", help: "preferred source", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			a, ok := p.plainAddr(r.take(p), "invalid route src address %s")
			if r.dropped = !ok; ok && !r.setFamily(family(a)) {
				r.drop(p, "Cannot mix IPv4 and IPv6 addresses for route")
			}
			r.Source = a
		}},
	"via": {takes: "[inet|inet6] IPADDR", help: "gateway", acts: "vrrpd", set: routeVia},
	"gw": {takes: "[inet|inet6] IPADDR", help: "old name of via", acts: "vrrpd",
		set: deprecated(GeneralError, `"gw" for routes is deprecated. Please use "via"`, routeVia)},
	"or": {takes: "IPADDR", help: "old form of a second nexthop", acts: "vrrpd",
		set: deprecated(GeneralError, `"or" for routes is deprecated. Please use "nexthop"`, func(p *parser, r *routeLine, w words) {
			s := r.take(p)
			if r.or.IsValid() {
				p.errorf("\"or\" route already specified - ignoring subsequent")
				return
			}
			a, ok := p.plainAddr(s, "Invalid \"or\" address %s")
			r.or, r.dropped = a, !ok
		})},
	"from": {takes: "IPv6[/LEN]", help: "source prefix", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			s := r.take(p)
			pre, ok := p.prefix(s)
			switch {
			case !ok:
				r.drop(p, "invalid route from address %s", s)
			case pre.Addr().Is4():
				r.drop(p, "route from address only supported with IPv6 (%s)", s)
			case !r.setFamily(6):
				r.drop(p, "Cannot mix IPv4 and IPv6 addresses for route")
			}
			r.From = pre
		}},
	"tos":     {takes: "NAME | 0..255", help: "type of service", acts: "vrrpd", set: routeTOS},
	"dsfield": {takes: "NAME | 0..255", help: "type of service", acts: "vrrpd", set: routeTOS},
	"table": {takes: "NAME | INT", help: "routing table", acts: "vrrpd",
		set: routeName("rt_tables", maxUint32, "Routing table %s not found for route", func(r *routeLine, n uint32) { r.Table, r.TableSet = n, true })},
	"protocol": {takes: "NAME | 0..255", help: "who made the route", acts: "vrrpd",
		set: routeName("rt_protos", math.MaxUint8, "Protocol %s not found or invalid for route", func(r *routeLine, n uint32) { r.Protocol, r.protoSet = uint8(n), true })},
	"scope": {takes: "NAME | 0..255", help: "scope of the destination", acts: "vrrpd",
		set: routeName("rt_scopes", math.MaxUint8, "Scope %s not found or invalid for route", func(r *routeLine, n uint32) { r.Scope, r.ScopeSet = uint8(n), true })},
	"metric":     {takes: "INT 0..4294967295", help: "metric", acts: "vrrpd", set: routeMetricNumber},
	"priority":   {takes: "INT 0..4294967295", help: "metric", acts: "vrrpd", set: routeMetricNumber},
	"preference": {takes: "INT 0..4294967295", help: "metric", acts: "vrrpd", set: routeMetricNumber},
	"dev":        {takes: "IFNAME", help: "output interface", acts: "vrrpd", set: routeDev},
	"oif":        {takes: "IFNAME", help: "output interface", acts: "vrrpd", set: routeDev},
	"onlink":     {takes: "none", help: "the gateway is on the link", acts: "vrrpd", set: flag(func(r *routeLine) { r.OnLink = true })},
	"encap": {takes: "ip|ip6 [id N] [dst A] [src A] [tos|tc V] [ttl|hoplimit V] [flags V] | mpls L[/L...] | ila LOCATOR", help: "encapsulation", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) { r.Encap = p.encap(&r.lineReader) }},
	"expires": {takes: "INT 0..4294967295", help: "lifetime, IPv6 only", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			if !r.setFamily(6) {
				r.drop(p, "expires is only valid for IPv6")
				return
			}
			n, _ := r.number(p, 0, maxUint32, "Invalid expires time %s specified for route")
			r.Expires, r.HasExpiry = uint32(n), true
		}},
	"realms": {takes: "[R/]R", help: "realms, IPv4 only", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			s := r.take(p)
			n, ok := p.realms(s)
			switch {
			case !ok:
				r.drop(p, "Invalid realms %s for route", s)
			case !r.setFamily(4):
				r.drop(p, "realms are only valid for IPv4")
			}
			r.Realms = n
		}},
	"pref": {takes: "low|medium|high|0..255", help: "router preference, IPv6 only", acts: "vrrpd", set: routePref},
	"ttl-propagate": {takes: "enabled|disabled", help: "MPLS ttl propagation", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			switch s := r.take(p); s {
			case "enabled":
				r.TTLPropag = 1
			case "disabled":
				r.TTLPropag = 0
			default:
				p.errorf("ttl-propagate value %s not recognised", s)
			}
		}},
	"add":      {takes: "none", help: "fail if the route exists", acts: "vrrpd", set: flag(func(r *routeLine) { r.Mode = vrrp.RouteAdd })},
	"prepend":  {takes: "none", help: "before equal routes", acts: "vrrpd", set: flag(func(r *routeLine) { r.Mode = vrrp.RoutePrepend })},
	"append":   {takes: "none", help: "after equal routes", acts: "vrrpd", set: flag(func(r *routeLine) { r.Mode = vrrp.RouteAppend })},
	"no_track": {takes: "none", help: "do not react to its removal", acts: "vrrp", set: flag(func(r *routeLine) { r.NoTrack = true })},
	"as": {takes: "[to] WORD", help: "ignored, as in the original", acts: "configparse",
		set: func(p *parser, r *routeLine, w words) {
			p.errorf("\"as to\" for MPLS only - ignoring")
			if r.take(p) == "to" {
				r.take(p)
			}
		}},
	"nexthop": {takes: "see grammar.md section 10", help: "one of several gateways", acts: "vrrpd", set: readNexthops},
	"vrf": {takes: "IFNAME", help: "table of that VRF", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			name := r.take(p)
			l, ok := p.env.link(name)
			switch {
			case !ok:
				r.drop(p, "VRF %s not found for route", name)
			case p.env.Link != nil && !l.VRF:
				r.drop(p, "Route specified VRF %s is not a VRF", name)
			}
			r.VRF = name
			if l.VRF {
				r.Table, r.TableSet = l.Table, true
			}
		}},
}

func routeFamily(f byte) func(*parser, *routeLine, words) {
	return func(p *parser, r *routeLine, w words) {
		if r.setFamily(f) {
			return
		}
		if f == 4 {
			r.drop(p, "inet specified for IPv6 route")
		} else {
			r.drop(p, "inet6 specified for IPv4 route")
		}
	}
}

func routeVia(p *parser, r *routeLine, w words) {
	s := r.take(p)
	want := byte(0)
	if s == "inet" || s == "inet6" {
		want = 4
		if s == "inet6" {
			want = 6
		}
		s = r.take(p)
	}
	a, ok := p.plainAddr(s, "invalid route via address %s")
	switch {
	case !ok:
		r.dropped = true
	case want != 0 && want != family(a) || !r.setFamily(family(a)):
		r.drop(p, "Cannot mix IPv4 and IPv6 addresses for route")
	}
	r.Via = a
}

func routeTOS(p *parser, r *routeLine, w words) {
	routeName("rt_dsfield", math.MaxUint8, "TOS value %s is invalid", func(r *routeLine, n uint32) { r.TOS = uint8(n) })(p, r, w)
}

func routeName(file string, hi uint64, bad string, set func(*routeLine, uint32)) func(*parser, *routeLine, words) {
	return func(p *parser, r *routeLine, w words) {
		s := r.take(p)
		n, ok := p.names().find(file, s, hi)
		if !ok {
			r.drop(p, bad, s)
			return
		}
		set(r, n)
	}
}

func routeMetricNumber(p *parser, r *routeLine, w words) {
	n, ok := r.number(p, 0, maxUint32, "Invalid metric %s specified for route")
	r.Metric, r.HasMetric = uint32(n), ok
}

func routeDev(p *parser, r *routeLine, w words) {
	name := r.take(p)
	if _, ok := p.link(name, "WARNING - interface %s for VROUTE nexthop doesn't exist", name); !ok {
		r.dropped = true
		return
	}
	r.Interface = name
}

func routePref(p *parser, r *routeLine, w words) {
	s := r.take(p)
	if !r.setFamily(6) {
		r.drop(p, "pref is only valid for IPv6")
		return
	}
	// RFC 4191 section 2.1: two bits, signed.
	n, ok := map[string]uint64{"low": 3, "medium": 0, "high": 1}[s]
	if !ok {
		if n, ok = p.parseUnsigned(s, 0, math.MaxUint8, strict); !ok {
			r.drop(p, "Invalid pref value %s specified for route", s)
			return
		}
	}
	r.Pref, r.PrefSet = uint8(n), true
}

// realms reads R or R/R, names or numbers.
func (p *parser) realms(s string) (uint32, bool) {
	from, to, both := strings.Cut(s, "/")
	if !both {
		from, to = "", from
	}
	n, ok := p.names().find("rt_realms", to, math.MaxUint16)
	if ok && both {
		var f uint32
		f, ok = p.names().find("rt_realms", from, math.MaxUint16)
		n |= f << 16
	}
	return n, ok
}

// The kernel's numbers of route metrics (RTAX_).
const (
	rtaxMTU         = 2
	rtaxWindow      = 3
	rtaxRTT         = 4
	rtaxRTTVar      = 5
	rtaxSSThresh    = 6
	rtaxCwnd        = 7
	rtaxAdvMSS      = 8
	rtaxReordering  = 9
	rtaxHopLimit    = 10
	rtaxInitCwnd    = 11
	rtaxFeatures    = 12
	rtaxRTOMin      = 13
	rtaxInitRwnd    = 14
	rtaxQuickAck    = 15
	rtaxFastOpen    = 17
	rtaxFeatureECN  = 1
	maxRouteSeconds = 120
)

var routeMetrics = block[routeLine]{
	"mtu":                metricNumber(rtaxMTU, maxUint32, true, "Invalid MTU %s specified for route"),
	"advmss":             metricNumber(rtaxAdvMSS, maxUint32, true, "Invalid advmss %s specified for route"),
	"reordering":         metricNumber(rtaxReordering, maxUint32, true, "Invalid reordering value %s specified for route"),
	"cwnd":               metricNumber(rtaxCwnd, maxUint32, true, "Invalid cwnd value %s specified for route"),
	"ssthresh":           metricNumber(rtaxSSThresh, maxUint32, true, "Invalid ssthresh value %s specified for route"),
	"window":             metricNumber(rtaxWindow, maxUint32, false, "Invalid window value %s specified for route"),
	"initcwnd":           metricNumber(rtaxInitCwnd, maxUint32, false, "Invalid initcwnd value %s specified for route"),
	"initrwnd":           metricNumber(rtaxInitRwnd, maxUint32, false, "Invalid initrwnd value %s specified for route"),
	"hoplimit":           metricNumber(rtaxHopLimit, math.MaxUint8, false, "Invalid hoplimit %s specified for route"),
	"quickack":           metricNumber(rtaxQuickAck, 1, false, "Invalid quickack value %s specified for route"),
	"fastopen_no_cookie": metricNumber(rtaxFastOpen, 1, false, "Invalid fastopen_no_cookie value %s specified for route"),
	"rtt":                metricTime(rtaxRTT, "rtt", vrrp.RTTUnit, "Invalid rtt %s for route"),
	"rttvar":             metricTime(rtaxRTTVar, "rtt", vrrp.RTTVarUnit, "Invalid rttvar %s for route"),
	"rto_min":            metricTime(rtaxRTOMin, "rto", time.Millisecond, "Invalid rto_min value %s specified for route"),
	"congctl": {takes: "[lock] NAME", help: "congestion control", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			s := r.take(p)
			if s == "lock" {
				r.CongestLock = true
				s = r.take(p)
			}
			r.Congestion = s
		}},
	"features": {takes: "ecn", help: "features of the route", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			if s := r.take(p); s != "ecn" {
				p.errorf("feature %s not supported", s)
				return
			}
			r.Metrics = append(r.Metrics, vrrp.RouteMetric{Kind: rtaxFeatures, Value: rtaxFeatureECN})
		}},
}

func metricNumber(kind uint16, hi uint64, lock bool, bad string) row[routeLine] {
	takes := "INT 0.." + strconv.FormatUint(hi, 10)
	if lock {
		takes = "[lock] " + takes
	}
	return row[routeLine]{takes: takes, help: "route metric", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			locked := lock && r.peek() == "lock"
			if locked {
				r.i++
			}
			if n, ok := r.number(p, 0, hi, bad); ok {
				r.Metrics = append(r.Metrics, vrrp.RouteMetric{Kind: kind, Value: uint32(n), Lock: locked})
			}
		}}
}

// metricTime reads a time, kept in the kernel's unit.
func metricTime(kind uint16, name string, unit time.Duration, bad string) row[routeLine] {
	return row[routeLine]{takes: "[lock] NUMBER[s|sec|secs|ms|msec|msecs]", help: "route metric", acts: "vrrpd",
		set: func(p *parser, r *routeLine, w words) {
			locked := r.peek() == "lock"
			if locked {
				r.i++
			}
			s := r.take(p)
			d, ok := p.routeTime(s, name, unit)
			if !ok {
				r.drop(p, bad, s)
				return
			}
			r.Metrics = append(r.Metrics, vrrp.RouteMetric{Kind: kind, Value: uint32(d / unit), Lock: locked})
		}}
}

// routeTime reads NUMBER[unit]; the result is clamped to 200 ms .. 120 s.
func (p *parser) routeTime(s, name string, unit time.Duration) (time.Duration, bool) {
	number := strings.ToLower(s)
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"msecs", time.Millisecond}, {"msec", time.Millisecond}, {"ms", time.Millisecond}, {"secs", time.Second}, {"sec", time.Second}, {"s", time.Second}} {
		if body, ok := strings.CutSuffix(number, u.suffix); ok && body != "" {
			number, unit = body, u.unit
			break
		}
	}
	if i := strings.IndexByte(number, 'e'); i > 0 && i+1 < len(number) && (isDigit(number[0]) || number[0] == '.') {
		p.errorf("%s value exponential form %s no longer supported", name, s)
		return 0, false
	}
	if len(number) < len(s) && strings.IndexFunc(number, func(c rune) bool { return (c < '0' || c > '9') && c != '.' }) >= 0 {
		number = s
	}
	// Microseconds: enough for the clamp and for the kernel's units.
	n, ok := p.parseDecimal(number, decimalSpec{hi: math.MaxInt64, places: 6, class: strict})
	if !ok {
		return 0, false
	}
	d := time.Duration(maxRouteSeconds+1) * time.Second
	if n < math.MaxInt64/uint64(time.Second) {
		d = time.Duration(n) * unit / 1_000_000
	}
	switch {
	case d > maxRouteSeconds*time.Second:
		p.errorf("%s value %s exceeds maximum 120s, resetting", name, s)
		d = maxRouteSeconds * time.Second
	case d < 200*time.Millisecond:
		p.errorf("%s value %s below minimum 200ms, resetting", name, s)
		d = 200 * time.Millisecond
	}
	return d, true
}

// readStaticRoutes reads static_routes.
func readStaticRoutes(p *parser, c *Config, w words) {
	c.HasVRRP = true
	p.readValues(w, 1, func(line words) {
		if r, ok := p.routeLine(line, true); ok {
			c.VRRP.StaticRoutes = append(c.VRRP.StaticRoutes, r)
		}
	})
}
