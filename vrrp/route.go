package vrrp

import (
	"net/netip"
	"time"
)

// Route is one line of virtual_routes or static_routes: every attribute of
// grammar.md section 10 as a plain value. Numbers are the kernel's.
type Route struct {
	IPv6      bool
	Type      uint8        // RTN_*: 1 unicast (default), 2 local, 6 blackhole, …
	Dst       netip.Prefix // default: 0.0.0.0/0 or ::/0
	From      netip.Prefix // IPv6 source prefix; zero = none
	Via       netip.Addr   // gateway; may be of the other family
	Interface string       // dev
	Source    netip.Addr   // src: preferred source
	Metric    uint32
	Table     uint32
	TableSet  bool
	VRF       string
	Protocol  uint8 // 18 = keepalived
	Scope     uint8
	ScopeSet  bool
	TOS       uint8
	OnLink    bool
	Realms    uint32 // FROM<<16 | TO
	Expires   uint32 // seconds
	HasMetric bool
	HasExpiry bool

	Metrics     []RouteMetric // mtu, advmss, window, rtt, …
	Congestion  string        // congctl
	CongestLock bool
	Pref        uint8 // ICMPv6 router preference
	PrefSet     bool
	TTLPropag   int8 // -1 not given, 0 disabled, 1 enabled
	Encap       *Encap
	NextHops    []NextHop

	Mode    RouteMode
	NoTrack bool
	// TrackGroup names the track_group of a static route.
	TrackGroup string
	Text       string // as written, for dumps and messages
}

// RouteMode is how a route is put beside equal ones.
type RouteMode uint8

// The modes; prepend is the kernel's default.
const (
	RoutePrepend RouteMode = iota
	RouteAppend
	RouteAdd
)

// RouteMetric is one RTAX_* metric.
type RouteMetric struct {
	Kind  uint16 // RTAX_*
	Value uint32
	Lock  bool
}

// NextHop is one nexthop part of a route.
type NextHop struct {
	Via       netip.Addr
	Interface string
	Weight    int // 1..256; 0 = not given, which counts as 1
	OnLink    bool
	Realms    uint32
	Encap     *Encap
}

// EncapType is the kind of a light-weight tunnel.
type EncapType uint16

// The kinds, numbered as the kernel's LWTUNNEL_ENCAP_*.
const (
	EncapMPLS EncapType = 1
	EncapIP   EncapType = 2
	EncapILA  EncapType = 3
	EncapIP6  EncapType = 4
)

// Encap is the encap part of a route.
type Encap struct {
	Type   EncapType
	ID     uint64 // tunnel id
	HasID  bool
	Dst    netip.Addr
	Src    netip.Addr
	TOS    uint8
	TTL    uint8
	Flags  uint16
	Labels []uint32 // MPLS
	ILA    uint64   // locator
}

// Metric times are in the kernel's units already; rttUnit documents them.
const (
	// RTTUnit is the unit of the rtt metric.
	RTTUnit = time.Millisecond / 8
	// RTTVarUnit is the unit of the rttvar metric.
	RTTVarUnit = time.Millisecond / 4
)
