package vrrp

import (
	"net/netip"
	"time"
)

// ID names an instance inside its Router. It stays the same over a reload as
// long as the instance keeps its identity (vrrp.md 6.2), also when renamed.
type ID int32

// SocketID names a Socket; it stays the same as long as its key does.
type SocketID int32

// Effect is something the Router wants done. The set is closed: the types of
// this file. Effects must be done in order. They and everything they point to
// are valid until the next Drain.
type Effect interface{ effect() }

// SendAdvert sends one logical advertisement: one packet, or one per peer.
// It always comes as a pointer into storage that the Router uses again.
type SendAdvert struct {
	Instance ID
	Name     string // of the instance, for messages
	Socket   SocketID
	IPv6     bool
	// Source is the packets' source address; for IPv6 it goes into
	// IPV6_PKTINFO. For IPv4 it stands in the bytes already.
	Source netip.Addr
	// HopLimit is the IPv6 hop limit to set by ancillary data; 0 = the
	// socket's (255 for multicast).
	HopLimit int
	// Packets holds the destinations and bytes. IPv4: from the IP header
	// (IP_HDRINCL), its checksum left 0 for the kernel. IPv6: the VRRP PDU,
	// checksum left to IPV6_CHECKSUM.
	Packets []Outgoing
	// Priority is the advert's, 0 = resigning: ENETUNREACH is then silent
	// while the interface is down.
	Priority uint8

	buf []byte // holds the bytes of all packets
}

// Outgoing is one packet of an advertisement.
type Outgoing struct {
	To    netip.Addr
	Bytes []byte
}

// Sockets lists all pairs of sockets the Router wants open, in the order of
// the instances: open what is new, close what is not listed, keep the rest.
type Sockets struct{ Want []Socket }

// Socket is one read and send pair, shared by all instances with the same key
// (vrrp.md 7.1).
type Socket struct {
	ID  SocketID
	Key SocketKey
	// RxBuffer is the sum of the instances' kernel_rx_buf_size; 0 = policy.
	RxBuffer uint32
	// Instances counts who shares it, for the buffer policies.
	Instances int
}

// SocketKey is what makes sockets distinct.
type SocketKey struct {
	IPv6      bool
	Protocol  uint8  // 112, or 51 for AH
	Interface string // where adverts are sent and heard; empty: unicast without interface
	VRF       string
	Unicast   bool
	Addr      netip.Addr // the multicast group, or the unicast source
}

// HoldAddrs changes the addresses of an instance: first Drop, then Add, each
// in order. Both are idempotent.
type HoldAddrs struct {
	Instance ID
	Name     string
	Drop     []Held
	Add      []Held
	// Force: the addresses may not be there (start: left over by a crash), so
	// "no such address" is not an error.
	Force bool
}

// Held is an address with the interface it lives on.
type Held struct {
	*Address
	Interface string // resolved: dev, or the instance's device
	Excluded  bool   // of virtual_ipaddress_excluded
}

// HoldRoutes removes and adds virtual routes of an instance. An added route
// whose destination exists with other attributes is replaced in place.
type HoldRoutes struct {
	Instance ID
	Name     string
	Drop     []Route
	Add      []Route
}

// HoldRules removes and adds virtual rules of an instance.
type HoldRules struct {
	Instance ID
	Name     string
	Drop     []Rule
	Add      []Rule
}

// Filter changes which addresses the firewall keeps from being used as
// endpoints (no_accept, strict_mode): first Drop, then Add.
type Filter struct {
	Instance ID
	Name     string
	Drop     []Held
	Add      []Held
}

// Announce sends gratuitous ARPs and unsolicited neighbour advertisements:
// Rounds times all targets in order. Pacing is done already.
type Announce struct {
	Instance ID
	Name     string
	Targets  []Target
	Rounds   int
}

// Target is one address to announce on one interface.
type Target struct {
	Interface string
	Addr      netip.Addr
}

// Subject is an instance or a sync group in an event for the outside.
type Subject struct {
	Instance ID     // -1 for a group
	Group    bool   // Name is a sync group's
	Name     string // of the instance or group
	Notify   *NotifyConfig
}

// Entered reports a new state for scripts, FIFO, D-Bus, SNMP and mail, in the
// order they must go out (vrrp.md 8): addresses are set or gone already.
type Entered struct {
	Subject
	State    State
	Priority uint8 // effective; 0 for a group
	Reason   MasterReason
	// FIFOOnly: nothing changed, only the FIFO line of
	// fifo_write_vrrp_states_on_reload is wanted.
	FIFOOnly bool
}

// MasterReason is why an instance is master (RFC 6527
// vrrpv3StatisticsNewMasterReason).
type MasterReason uint8

// The reasons, with their numbers in the MIB.
const (
	NotMaster        MasterReason = 0
	ReasonPriority   MasterReason = 1
	ReasonPreempted  MasterReason = 2
	ReasonNoResponse MasterReason = 3
)

// PriorityChanged reports a new effective priority for the FIFO
// (notify_priority_changes); it comes only where that is configured.
type PriorityChanged struct {
	Subject
	State    State
	Priority uint8
}

// RxLowerPrio reports that a master heard a lower priority advert:
// notify_master_rx_lower_pri and its FIFO line.
type RxLowerPrio struct {
	Subject
	Priority uint8 // own effective priority
}

// Rejected reports a received packet that SNMP has a trap for.
type Rejected struct {
	Subject
	Source netip.Addr
	Reason Drop
}

// SyncRole starts, stops or turns round the IPVS sync daemon of Config.SyncDaemon.
type SyncRole struct {
	Master bool // run as master, else as backup
}

// Level is how serious a log line is.
type Level uint8

// The levels used, numbered as syslog's.
const (
	LevelErr     Level = 3
	LevelWarning Level = 4
	LevelNotice  Level = 5
	LevelInfo    Level = 6
)

// Log is a line for the operator.
type Log struct {
	Level  Level
	Detail bool // only with -D
	Text   string
}

func (*SendAdvert) effect()     {}
func (Sockets) effect()         {}
func (HoldAddrs) effect()       {}
func (HoldRoutes) effect()      {}
func (HoldRules) effect()       {}
func (Filter) effect()          {}
func (Announce) effect()        {}
func (Entered) effect()         {}
func (PriorityChanged) effect() {}
func (RxLowerPrio) effect()     {}
func (Rejected) effect()        {}
func (SyncRole) effect()        {}
func (Log) effect()             {}

// Packet is a received packet.
type Packet struct {
	Socket SocketID
	// Bytes: for IPv4 from the IP header, for IPv6 the payload. The Router
	// keeps no reference to it.
	Bytes []byte
	// IPv6 only; for IPv4 they are taken from the header.
	Source   netip.Addr
	To       netip.Addr // from IPV6_PKTINFO
	HopLimit int        // from IPV6_HOPLIMIT; -1 = unknown
	// Arrived is when the kernel got it (SO_TIMESTAMPNS), on the clock of now:
	// timers count from it, and the time window of auth_hmac; zero = now.
	Arrived time.Time
}

// Link is a network interface as it is now.
type Link struct {
	Name   string
	Index  int
	Exists bool   // false: it was deleted (or renamed away)
	Up     bool   // IFF_UP and IFF_RUNNING
	Flags  uint32 // as in the kernel, for messages
	Base   string // of a macvlan or ipvlan: the interface below
	MAC    [6]byte
	MTU    int
	NoARP  bool // IFF_NOARP: nothing is announced on it
	// Polled: the state comes from linkbeat polling, not from the kernel.
	Polled bool
}

// AddrEvent is an address that came or went.
type AddrEvent struct {
	Interface string
	Addr      netip.Addr
	Bits      int
	Added     bool
	// Own: this process did it itself (the notice carries our netlink port).
	Own bool
}

// TrackKind is what a TrackEvent is about.
type TrackKind uint8

// The kinds of tracked objects that report by TrackChanged.
const (
	TrackedScript TrackKind = iota
	TrackedFile
	TrackedProcess
)

// TrackEvent is the state of a tracked script, file or process.
type TrackEvent struct {
	Kind TrackKind
	Name string
	// Up is a script's or process's state after rise, fall, quorum and delays.
	Up bool
	// Value is a file's number.
	Value int
	// Unknown: a script that has no result yet (start, or changed at a reload).
	Unknown bool
}

// LostKind is what ObjectLost is about.
type LostKind uint8

// The kinds of objects.
const (
	LostRoute LostKind = iota
	LostRule
)

// Lost is a route or rule of an instance that was deleted by someone else.
type Lost struct {
	Instance ID
	Kind     LostKind
	Index    int // into InstanceConfig.Routes or Rules
}

// Options are set once for a Router.
type Options struct {
	// Detail makes the Router write the lines that only -D shows.
	Detail bool
	// Uptime is how long the machine had been up at the first Reload, for
	// vrrp_delay_after_boot.
	Uptime time.Duration
	// Launched is when the daemon was started; zero: not known. What the first
	// Reload starts counts from then, as far as it may (see launching).
	Launched time.Time
}
