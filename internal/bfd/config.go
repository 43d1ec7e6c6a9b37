package bfd

import (
	"net/netip"
	"time"
)

// Limits and defaults of a bfd_instance block.
const (
	MaxName           = 31 // characters of an instance's name
	DefaultMinRX      = 10 * time.Millisecond
	DefaultMinTX      = 10 * time.Millisecond
	DefaultIdleTX     = time.Second
	DefaultMultiplier = 5
	DefaultTTL        = 255 // IPv4
	DefaultHopLimit   = 64  // IPv6; RFC 5881 section 5 wants 255, keepalived does not
	MinIdleTX         = time.Second
	MaxInterval       = 4294967 * time.Millisecond // what fits 32 bits of microseconds
	SensibleInterval  = 10 * time.Second           // above this the parser warns
	SensibleMult      = 10                         // above this the parser warns
	UncheckedHops     = -1                         // MaxHops: the received TTL is not looked at
)

// Config is one bfd_instance block, defaults filled in.
type Config struct {
	Name     string
	Neighbor netip.Addr // neighbor_ip; required
	Source   netip.Addr // source_ip; invalid means the kernel chooses

	MinRX  time.Duration // min_rx: required receive interval
	MinTX  time.Duration // min_tx: desired transmit interval while Up
	IdleTX time.Duration // idle_tx: transmit interval while not Up, at least a second

	Multiplier uint8 // detection multiplier, 1 to 255
	TTL        uint8 // ttl or hoplimit of sent packets, and the base of the check of received ones
	MaxHops    int   // max_hops, -1 (unchecked) to TTL: a packet with TTL + MaxHops below ours is dropped

	Passive  bool // nothing is sent before the neighbour has been heard
	Multihop bool // port 4784 instead of 3784

	// Who is told of state changes. With neither vrrp nor checker in the block
	// both are.
	ToVRRP    bool
	ToChecker bool

	// Default of the tracking side: -253 to 253, 0 means Down is a fault.
	Weight  int
	Reverse bool
}

// DefaultConfig returns what a bfd_instance block of that name holds before
// its first line. TTL stays zero until the neighbour's family is known; see
// Complete.
func DefaultConfig(name string) Config {
	return Config{
		Name:       name,
		MinRX:      DefaultMinRX,
		MinTX:      DefaultMinTX,
		IdleTX:     DefaultIdleTX,
		Multiplier: DefaultMultiplier,
	}
}

// Complete fills in what depends on the whole block: the TTL of the
// neighbour's family, the ceiling of max_hops, and who gets events. It reports
// whether max_hops had to be lowered to the TTL, of which the parser warns.
func (c *Config) Complete() (lowered bool) {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
		if c.Neighbor.Is6() {
			c.TTL = DefaultHopLimit
		}
	}
	if c.MaxHops > int(c.TTL) {
		c.MaxHops, lowered = int(c.TTL), true
	}
	if !c.ToVRRP && !c.ToChecker {
		c.ToVRRP, c.ToChecker = true, true
	}
	return lowered
}
