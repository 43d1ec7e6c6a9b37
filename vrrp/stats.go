package vrrp

import (
	"net/netip"
	"time"
)

// Stats are an instance's counters (vrrp.md 11, and those that only SNMP
// shows).
type Stats struct {
	Received       uint64
	Sent           uint64 // logical adverts, priority 0 included
	BecameMaster   uint64
	ReleasedMaster uint64

	PacketLength   uint64
	PacketTTL      uint64
	InvalidType    uint64
	AdvertInterval uint64
	AddressList    uint64

	AuthInvalidType  uint64
	AuthTypeMismatch uint64
	AuthFailure      uint64

	HMACMissing    uint64
	HMACMalformed  uint64
	HMACUnknownKey uint64
	HMACInvalid    uint64
	HMACStale      uint64
	HMACReplay     uint64

	PrioZeroReceived uint64
	PrioZeroSent     uint64 // transitions, one per FAULT

	// Not in the statistics file.
	ChecksumErrors uint64
	VersionErrors  uint64
	VRIDErrors     uint64
}

// Snapshot is all there is to see of a Router, and what a successor process
// needs to carry on (Restore). It shares no memory that changes.
type Snapshot struct {
	Taken     time.Time
	Instances []InstanceSnapshot
	Groups    []GroupSnapshot
	// VRIDErrors and ChecksumErrors of packets no instance was found for.
	UnknownVRIDs uint64
}

// Identity is what tells instances apart over a reload: not the name
// (vrrp.md 6.2).
type Identity struct {
	VRID      uint8
	IPv6      bool
	Interface string
	Unicast   bool
	Source    netip.Addr // unicast only
	VMAC      bool       // multicast only, as the rest
	VMACAddrs bool
	Group     netip.Addr
}

// InstanceSnapshot is one instance.
type InstanceSnapshot struct {
	ID       ID
	Name     string
	Identity Identity
	// Config is the configuration in use; not carried over.
	Config *InstanceConfig `json:"-"`

	State          State
	Wanted         State
	Priority       uint8     // effective
	Since          time.Time // of the last change of State
	Source         netip.Addr
	MasterAddr     netip.Addr
	MasterPriority uint8
	MasterInterval time.Duration // as learnt (version 3)
	DownInterval   time.Duration
	Skew           time.Duration
	Deadline       time.Time // next advert or takeover; zero = none
	PreemptAt      time.Time // end of a running preempt delay
	LastSent       time.Time // of an advert
	Holding        bool      // addresses are set
	Faults         int       // number of reasons to be in FAULT
	LinkFaults     []string  // those of its interface, in the words of the dump
	Waiting        int       // scripts without a result
	Socket         SocketID  // 0 = none
	Total          int       // priority with all contributions, not clamped
	MasterReason   MasterReason
	OldChecksum    bool // switched to the old unicast checksum

	AHSequence   uint32
	HMACSequence uint64
	IPID         uint16
	Stats        Stats

	Group string // sync group, empty = none
	// Tracked is the state of what the instance follows, for dumps.
	Tracked []TrackedSnapshot
	// Oddities are other routers' adverts that are not as they should be; not
	// carried over.
	Oddities []Oddity `json:"-"`

	age time.Duration // since the predecessor was known to run
}

// TrackedSnapshot is one followed object of an instance.
type TrackedSnapshot struct {
	What    string // "interface", "script", "file", "process", "bfd"
	Track   Track
	Up      bool
	Value   int
	Unknown bool
}

// GroupSnapshot is one sync group.
type GroupSnapshot struct {
	Name   string
	State  State
	Config *GroupConfig `json:"-"`
}

// count adds a rejected packet to its counter.
func (s *Stats) count(d Drop) {
	switch d {
	case DropLength, DropTotalLength:
		s.PacketLength++
	case DropTTL, DropPeerTTL:
		s.PacketTTL++
	case DropType:
		s.InvalidType++
	case DropInterval:
		s.AdvertInterval++
	case DropCast4:
		s.AddressList++
	case DropAuthUnknown:
		s.AuthInvalidType++
	case DropAuthType, DropAHMissing, DropAHUnwanted:
		s.AuthTypeMismatch++
	case DropPassword, DropAHValue, DropAHSPI, DropAHSequence:
		s.AuthFailure++
	case DropHMACMissing:
		s.HMACMissing++
	case DropHMACMalformed:
		s.HMACMalformed++
	case DropHMACKey:
		s.HMACUnknownKey++
	case DropHMACInvalid:
		s.HMACInvalid++
	case DropHMACStale:
		s.HMACStale++
	case DropHMACReplay:
		s.HMACReplay++
	case DropChecksum:
		s.ChecksumErrors++
	case DropVersion:
		s.VersionErrors++
	}
}
