package vrrp

import (
	"net/netip"
	"time"
)

// ownerPriority is the address owner's (RFC 9568 section 5.2.4).
const ownerPriority = 255

// skew is the Skew_Time. Version 2: ((256 - Priority) / 256) seconds whatever
// the interval (RFC 3768 section 6.1); version 3: the same share of the
// master's interval (RFC 9568 section 6.1), in keepalived's integer steps of
// microseconds.
func skew(version, priority uint8, masterInterval time.Duration) time.Duration {
	p := 256 - int64(priority)
	if version == 2 {
		return time.Duration(p*1_000_000/256) * time.Microsecond
	}
	return time.Duration(p*int64(masterInterval/centisecond)*625/16) * time.Microsecond
}

// beats compares an advert with our own: positive when the other wins,
// negative when we do, 0 when it claims to be us. Equal priorities are decided
// by the source address as an unsigned number (RFC 9568 section 6.4.3).
func beats(priority uint8, from netip.Addr, ownPriority uint8, own netip.Addr) int {
	switch {
	case priority > ownPriority:
		return 1
	case priority < ownPriority:
		return -1
	}
	return from.Compare(own)
}

// contribution is what a tracked object adds to the priority. Weight 0 is a
// matter of faults, not of priority.
func contribution(t Track, up bool) int {
	w := t.Weight
	if t.Reverse {
		w = -w
	}
	if up == (t.Weight > 0) {
		return w
	}
	return 0
}

// Limits of a tracked file's status (vrrp.md 5.4).
const (
	fileFault  = -254
	fileMaxAdd = 253
)

// fileStatus is a tracked file's number times its weight, within the limits:
// at fileFault the instance is in fault.
func fileStatus(t Track, value int) int {
	w := t.Weight
	if t.Reverse {
		w = -w
	}
	// The number has 32 bits, the weight 9: no overflow.
	s := int64(value) * int64(w)
	return int(min(max(s, fileFault), fileMaxAdd))
}

// clampPriority keeps an effective priority off 0 and off the owner's.
func clampPriority(p int) uint8 { return uint8(min(max(p, 1), 254)) }

// effectivePriority is base plus the contributions; an owner's never changes.
func effectivePriority(base uint8, sum int) uint8 {
	if base == ownerPriority {
		return base
	}
	return clampPriority(int(base) + sum)
}
