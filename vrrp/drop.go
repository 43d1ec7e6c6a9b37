package vrrp

// Drop is why a received packet was not used. The list is closed; each reason
// owns its counter (Stats.count) and its text (log.go).
type Drop uint8

// The reasons, in the order of the checks (vrrp.md 2.2).
const (
	DropNone  Drop = iota // accepted
	DropShort             // not even a header
	DropUnknownVRID
	DropNotRunning // the instance is in FAULT or INIT, or the start is delayed
	DropCast       // IPv6: multicast packet for a unicast instance or the reverse
	DropAHMissing  // no AH header but configured
	DropAHUnwanted // AH header but not configured
	DropLength
	DropTTL
	DropVersion
	DropHMACMissing
	DropHMACPeer // HMAC: source is not a peer
	DropHMACMalformed
	DropHMACStale
	DropHMACKey
	DropHMACInvalid
	DropHMACReplay
	DropAuthUnknown // an auth type that does not exist
	DropAuthType    // not the configured one
	DropPassword
	DropAHValue // ICV does not match
	DropAHSPI
	DropAHSequence
	DropAHNext // next header is not VRRP
	DropInterval
	DropType
	DropTotalLength
	DropChecksum
	DropCast4 // IPv4: multicast packet for a unicast instance or the reverse
	DropOwner
	DropPeer    // unicast source is not a peer
	DropPeerTTL // outside the peer's range
	dropCount
)

// trap tells whether SNMP has a notification for the reason: RFC 2787's
// vrrpTrapAuthFailure or RFC 6527's vrrpv3ProtoError.
func (d Drop) trap() bool {
	switch d {
	case DropAHMissing, DropAHUnwanted, DropAuthUnknown, DropAuthType, DropPassword,
		DropAHValue, DropAHSPI, DropAHSequence,
		DropTTL, DropVersion, DropChecksum:
		return true
	}
	return false
}

// AuthFailure tells whether the reason is one of authentication, for
// vrrpTrapAuthFailure; else it is a protocol error.
func (d Drop) AuthFailure() bool {
	switch d {
	case DropTTL, DropVersion, DropChecksum:
		return false
	}
	return d.trap()
}
