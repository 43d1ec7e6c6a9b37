package kernel

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	rtmsgLen     = 12
	rtnexthopLen = 8

	// defaultMetric6 is what the kernel gives an IPv6 route without metric.
	defaultMetric6 = 1024
)

// Route is one entry of a routing table. Numbers are the kernel's; zero means
// not given unless a field says otherwise.
type Route struct {
	Dst      netip.Prefix // 0.0.0.0/0 or ::/0 for the default route; gives the family
	From     netip.Prefix // IPv6 source prefix
	Type     uint8        // RTN_*; zero means RTN_UNICAST
	Table    uint32       // zero means the main table
	Protocol uint8        // RTPROT_*
	Scope    uint8        // RT_SCOPE_*
	TOS      uint8
	Metric   uint32 // of IPv6: zero means 1024
	Gateway  netip.Addr
	Link     int // outgoing interface index
	Source   netip.Addr
	OnLink   bool
	Realms   uint32 // from<<16 | to
	Expires  uint32 // seconds, IPv6; counts down when read
	// Preference is the router preference of IPv6 (ICMPV6_ROUTER_PREF_*): 0
	// medium, 1 high, 3 low.
	Preference uint8
	// TTLPropagate is for MPLS: 0 not given, 1 enabled, -1 disabled.
	TTLPropagate int8

	Metrics    []Metric // by rising Kind
	Congestion Congestion
	Encap      *Encap
	NextHops   []NextHop

	// Mode says where a new route goes; it is no property of the route.
	Mode RouteMode
}

// RouteMode is how a route is added beside others to the same destination.
type RouteMode uint8

// The modes. Prepend and Append leave an equal route alone; so does Add here,
// where the kernel would answer EEXIST.
const (
	Prepend RouteMode = iota
	Append
	Add
)

// Metric is one number of RTA_METRICS.
type Metric struct {
	Kind  uint16 // RTAX_*
	Value uint32
	Lock  bool // the kernel may not learn a better value
}

// Congestion is the congestion control algorithm for a route.
type Congestion struct {
	Algorithm string
	Lock      bool
}

// NextHop is one of the ways of a multipath route.
type NextHop struct {
	Gateway netip.Addr
	Link    int
	Weight  int // 1 to 256; zero means 1
	OnLink  bool
	Realms  uint32
	Encap   *Encap
}

// Encap is a light-weight tunnel of a route. It is comparable but for Labels.
type Encap struct {
	Type     uint16 // LWTUNNEL_ENCAP_MPLS, _IP, _ILA or _IP6
	ID       uint64
	Dst, Src netip.Addr
	TOS, TTL uint8 // traffic class and hop limit for IPv6; zero is not sent
	Flags    uint16
	Labels   []uint32 // MPLS, outermost first
	Locator  uint64   // ILA
}

// Is4 reports whether the route is an IPv4 one.
func (r Route) Is4() bool { return r.Dst.Addr().Is4() }

func (r Route) family() uint8 {
	if r.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// normal fills in what the kernel takes for what is not given, and puts lists
// in order, so that two descriptions of one route become equal.
func (r Route) normal() Route {
	r.Dst = r.Dst.Masked()
	if r.From.IsValid() {
		r.From = r.From.Masked()
	}
	if r.Type == 0 {
		r.Type = unix.RTN_UNICAST
	}
	if r.Table == 0 {
		r.Table = unix.RT_TABLE_MAIN
	}
	if !r.Is4() {
		r.Scope = 0
		if r.Metric == 0 {
			r.Metric = defaultMetric6
		}
	}
	r.Metrics = slices.Clone(r.Metrics)
	slices.SortFunc(r.Metrics, func(a, b Metric) int { return int(a.Kind) - int(b.Kind) })
	r.NextHops = slices.Clone(r.NextHops)
	for i := range r.NextHops {
		r.NextHops[i].Weight = max(r.NextHops[i].Weight, 1)
	}
	r.Mode = 0
	return r
}

// Same reports whether the two are one route for the kernel's delete: table,
// destination, source prefix, type of service and metric. Several with other
// gateways may stand beside each other.
func (r Route) Same(o Route) bool {
	a, b := r.normal(), o.normal()
	return a.Dst == b.Dst && a.From == b.From && a.Table == b.Table && a.TOS == b.TOS &&
		a.Metric == b.Metric
}

// Matches reports whether have, read from the kernel, is what r asks for. An
// expiry matches any expiry. A link that r leaves to the kernel matches any.
func (r Route) Matches(have Route) bool {
	a, b := r.normal(), have.normal()
	if !a.Same(b) || a.Type != b.Type || a.Protocol != b.Protocol || a.Scope != b.Scope ||
		a.Gateway != b.Gateway || a.Source != b.Source || a.OnLink != b.OnLink ||
		a.Realms != b.Realms || a.Preference != b.Preference || a.TTLPropagate != b.TTLPropagate ||
		(a.Expires == 0) != (b.Expires == 0) || a.Congestion != b.Congestion {
		return false
	}
	// The kernel gives device-less types of IPv6 the loopback.
	if a.Link != b.Link && a.Link != 0 {
		return false
	}
	return slices.Equal(a.Metrics, b.Metrics) && a.Encap.equal(b.Encap) &&
		slices.EqualFunc(a.NextHops, b.NextHops, NextHop.matches)
}

func (h NextHop) matches(have NextHop) bool {
	return h.Gateway == have.Gateway && (h.Link == have.Link || h.Link == 0) &&
		h.Weight == have.Weight && h.OnLink == have.OnLink && h.Realms == have.Realms &&
		h.Encap.equal(have.Encap)
}

func (e *Encap) equal(o *Encap) bool {
	if e == nil || o == nil {
		return e == o
	}
	return e.Type == o.Type && e.ID == o.ID && e.Dst == o.Dst && e.Src == o.Src && e.TOS == o.TOS &&
		e.TTL == o.TTL && e.Flags == o.Flags && e.Locator == o.Locator && slices.Equal(e.Labels, o.Labels)
}

// String names the route as iproute2 would, for messages.
func (r Route) String() string {
	s := r.Dst.String()
	if r.Gateway.IsValid() {
		s += " via " + r.Gateway.String()
	}
	if r.Link != 0 {
		s += fmt.Sprintf(" link %d", r.Link)
	}
	if r.Table != 0 && r.Table != unix.RT_TABLE_MAIN {
		s += fmt.Sprintf(" table %d", r.Table)
	}
	return s
}

// AddRoutes adds routes in order. One that exists is left as it is.
func (k *Kernel) AddRoutes(rs []Route) []error {
	var errs []error
	for first := 0; first < len(rs); {
		last := first + 1
		for last < len(rs) && rs[last].Mode == rs[first].Mode {
			last++
		}
		run := rs[first:last]
		got := k.conn.batch(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|run[0].Mode.flag(), len(run),
			func(b []byte, i int) []byte { return run[i].appendBody(b) })
		if got = forgive(got, unix.EEXIST); got != nil {
			if errs == nil {
				errs = make([]error, len(rs))
			}
			copy(errs[first:], got)
		}
		first = last
	}
	return describeRoutes("add", errs, rs)
}

func (m RouteMode) flag() uint16 {
	switch m {
	case Append:
		return unix.NLM_F_APPEND
	case Add:
		return unix.NLM_F_EXCL
	}
	return 0
}

// ReplaceRoutes adds routes or changes those that are the Same in place.
func (k *Kernel) ReplaceRoutes(rs []Route) []error {
	errs := k.conn.batch(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, len(rs),
		func(b []byte, i int) []byte { return rs[i].appendBody(b) })
	return describeRoutes("replace", errs, rs)
}

// DelRoutes deletes routes in order. That one is gone already is no error.
func (k *Kernel) DelRoutes(rs []Route) []error {
	errs := k.conn.batch(unix.RTM_DELROUTE, 0, len(rs), func(b []byte, i int) []byte {
		return rs[i].appendBody(b)
	})
	return describeRoutes("delete", forgive(errs, unix.ESRCH, unix.ENODEV, unix.ENOENT), rs)
}

func describeRoutes(verb string, errs []error, rs []Route) []error {
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%s route %v: %w", verb, rs[i], err)
		}
	}
	return errs
}

// Routes lists the routes of one protocol (all for zero) in all tables. Cached
// routes are not listed.
func (k *Kernel) Routes(protocol uint8) ([]Route, error) {
	var all []Route
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		// The kernel filters by protocol if it can (strict checking, 4.20).
		body := make([]byte, rtmsgLen)
		body[0], body[5] = family, protocol
		before := len(all)
		err := k.conn.dump(unix.RTM_GETROUTE, body, func() { all = all[:before] },
			func(typ uint16, body []byte) error {
				r, err := parseRoute(body)
				if err == nil && typ == unix.RTM_NEWROUTE && (protocol == 0 || r.Protocol == protocol) &&
					native.Uint32(body[8:])&unix.RTM_F_CLONED == 0 {
					all = append(all, r)
				}
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
	}
	return all, nil
}
