package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Family is an address family as the kernel numbers it.
type Family uint8

// The families of services and servers.
const (
	IPv4 Family = 2
	IPv6 Family = 10
)

// FamilyOf returns the family of a.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() || a.Is4In6() {
		return IPv4
	}
	return IPv6
}

// Protocol is the transport protocol of a service, by its IP number; zero for
// a service by firewall mark.
type Protocol uint8

// The protocols that IPVS balances.
const (
	NoProtocol Protocol = 0
	TCP        Protocol = 6
	UDP        Protocol = 17
	SCTP       Protocol = 132
)

// String gives the name that log lines use.
func (p Protocol) String() string {
	switch p {
	case NoProtocol:
		return "none"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return "?"
}

// Key identifies a service: an address, protocol and port, or a firewall mark
// and family.
type Key struct {
	Family   Family
	Protocol Protocol
	Addr     netip.Addr // invalid for a mark
	Port     uint16
	Mark     uint32 // not zero: a service by mark, Protocol, Addr and Port are zero
}

// AddrKey identifies a service by its address.
func AddrKey(p Protocol, a netip.AddrPort) Key {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	return Key{Family: FamilyOf(a.Addr()), Protocol: p, Addr: a.Addr(), Port: a.Port()}
}

// MarkKey identifies a service by its firewall mark; mark is not zero.
func MarkKey(f Family, mark uint32) Key {
	return Key{Family: f, Mark: mark}
}

// String gives the form that kernel error lines use: "10.0.0.1:tcp:80",
// "Fwm 7", "Fwm 7 inet6".
func (k Key) String() string {
	switch {
	case k.Mark != 0 && k.Family == IPv6:
		return fmt.Sprintf("Fwm %d inet6", k.Mark)
	case k.Mark != 0:
		return fmt.Sprintf("Fwm %d", k.Mark)
	}
	return fmt.Sprintf("%s:%s:%d", k.Addr, k.Protocol, k.Port)
}

// Compare orders keys: services by address before those by mark, then by
// family, protocol, address, port.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Mark, o.Mark), cmp.Compare(k.Family, o.Family),
		cmp.Compare(k.Protocol, o.Protocol), k.Addr.Compare(o.Addr), cmp.Compare(k.Port, o.Port))
}

// Flags change how a service or its scheduler works.
type Flags uint32

// The flags that configuration can set. The kernel's "persistent" flag is not
// among them: it follows from Persistence.Timeout.
const (
	OnePacket  Flags = 0x04 // ops: schedule each datagram for itself
	SchedFlag1 Flags = 0x08 // flag-1, sh-fallback, mh-fallback
	SchedFlag2 Flags = 0x10 // flag-2, sh-port, mh-port
	SchedFlag3 Flags = 0x20 // flag-3

	flagPersistent Flags = 0x01
	settableFlags        = OnePacket | SchedFlag1 | SchedFlag2 | SchedFlag3
)

// Persistence keeps a client with its server.
type Persistence struct {
	// Timeout in seconds, 1 to 2678400; zero: not persistent, and the other
	// fields mean nothing.
	Timeout uint32
	// Granularity says how much of the client's address counts. IPv4: the
	// mask, 255.255.255.0 is 0xffffff00. IPv6: the prefix length, 1 to 128.
	// Zero: the whole address.
	Granularity uint32
	// Engine is the name of a persistence engine ("sip"), or empty.
	Engine string
}

// Options are what a service has besides its identity and its servers.
type Options struct {
	Scheduler   string // name of the kernel module without "ip_vs_"
	Flags       Flags
	Persistence Persistence
}

// Service is one virtual service with its servers.
type Service struct {
	Key
	Options
	// Servers are the entries wanted in, or read from, the kernel's table, no
	// two with the same address and port.
	Servers []Server
}

// Forward is how packets get from the director to the server.
type Forward uint8

// The forwarding methods, with the kernel's numbers. Local and Bypass are the
// kernel's own: it may report Local for a NAT or DR server that is this host.
const (
	NAT    Forward = 0
	Local  Forward = 1
	TUN    Forward = 2
	DR     Forward = 3
	Bypass Forward = 4
)

// String gives the configuration's word.
func (f Forward) String() string {
	switch f {
	case NAT:
		return "NAT"
	case Local:
		return "LOCAL"
	case TUN:
		return "TUN"
	case DR:
		return "DR"
	case Bypass:
		return "BYPASS"
	}
	return fmt.Sprintf("forward(%d)", uint8(f))
}

// TunnelType is the encapsulation of a TUN server.
type TunnelType uint8

// The tunnel types, with the kernel's numbers.
const (
	IPIP TunnelType = 0
	GUE  TunnelType = 1
	GRE  TunnelType = 2
)

// String gives the configuration's word.
func (t TunnelType) String() string {
	switch t {
	case IPIP:
		return "ipip"
	case GUE:
		return "gue"
	case GRE:
		return "gre"
	}
	return fmt.Sprintf("tunnel(%d)", uint8(t))
}

// TunnelFlags say which checksums an encapsulated packet carries.
type TunnelFlags uint16

// The checksum options of gue and gre tunnels.
const (
	NoChecksum     TunnelFlags = 0
	Checksum       TunnelFlags = 1
	RemoteChecksum TunnelFlags = 2
)

// Tunnel has the details of a TUN server; zero for other methods.
type Tunnel struct {
	Type  TunnelType
	Port  uint16 // GUE only
	Flags TunnelFlags
}

// MaxWeight is the largest weight of a server.
const MaxWeight = 1<<31 - 1

// Server is one real server of a service. Its identity within the service is
// its address and port.
type Server struct {
	Addr    netip.AddrPort
	Forward Forward
	Tunnel  Tunnel
	// Weight is 0 to MaxWeight; zero: present, but gets no new connections.
	Weight uint32
	// Above Upper connections the server gets no new ones until it has fewer
	// than Lower; zero: no limit.
	Upper, Lower uint32
}

// Timeouts are the kernel's idle limits of connections, in whole seconds on
// the wire.
type Timeouts struct {
	TCP, TCPFin, UDP time.Duration
}

// SyncState is what a synchronisation daemon does.
type SyncState uint8

// The two daemons; a host may run both.
const (
	SyncMaster SyncState = 1
	SyncBackup SyncState = 2
)

// String gives the name that ipvsadm uses.
func (s SyncState) String() string {
	if s == SyncMaster {
		return "master"
	}
	return "backup"
}

// SyncDaemon is the configuration of the connection synchronisation daemon.
// Zero values of MaxLen, Group, Port and TTL are not sent: the kernel's own
// defaults hold.
type SyncDaemon struct {
	Interface string
	ID        uint8
	MaxLen    uint16
	Group     netip.Addr
	Port      uint16
	TTL       uint8
}

// RunningDaemon is a synchronisation daemon that the kernel runs.
type RunningDaemon struct {
	State SyncState
	SyncDaemon
}

// Schedulers are the names of the schedulers that configuration may name; the
// kernel may lack the module of some.
var Schedulers = strings.Fields("rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos")
