package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// All lines an operator may see from this package (vrrp.md 2.3 and 9).
// Changing one is a change of behaviour.

// log appends a line that is always shown.
func (r *Router) log(level Level, format string, args ...any) {
	r.out = append(r.out, Log{Level: level, Text: fmt.Sprintf(format, args...)})
}

// info appends a line that is always shown.
func (r *Router) info(format string, args ...any) { r.log(LevelInfo, format, args...) }

// detail appends a line that only -D shows.
func (r *Router) detail(format string, args ...any) {
	if r.opt.Detail {
		r.out = append(r.out, Log{Level: LevelInfo, Detail: true, Text: fmt.Sprintf(format, args...)})
	}
}

// once tells whether a line of this kind is wanted from the instance; the
// memory is cleared by forgetLogged.
func (in *instance) once(d Drop) bool {
	bit := uint64(1) << d
	if in.logged&bit != 0 {
		return false
	}
	in.logged |= bit
	return true
}

// Kinds of lines that are said once but are no reason to drop.
const (
	onceCount Drop = dropCount + iota
	onceAddress
	onceInterval
	onceSkew
	onceOwner
)

// forgetLogged lets every once-only line be said again.
func (in *instance) forgetLogged() { in.logged = 0 }

// logDrop says why a packet was rejected, once per kind.
func (in *instance) logDrop(d Drop, rx *received) {
	if d == DropNone || d == DropNotRunning || !in.once(d) {
		return
	}
	if text := in.dropText(d, rx); text != "" {
		if d == DropCast {
			in.r.detail("%s", text)
		} else {
			in.r.info("%s", text)
		}
	}
}

// refusal is a rejection in words for the operator's status.
func (in *instance) refusal(d Drop, rx *received) string {
	text := in.dropText(d, rx)
	if text == "" {
		return "not acceptable"
	}
	text = text[len("("+in.cfg.Name+") "):]
	if d == DropChecksum && in.cfg.Version == 3 && fold(sum16(rx.pdu)) == 0 {
		text += ": it computes them as version 2 does (v3_checksum_as_v2)"
	}
	return text
}

// dropText is a rejection in words.
func (in *instance) dropText(d Drop, rx *received) string {
	name, from := in.cfg.Name, rx.src
	say := func(format string, args ...any) string {
		return "(" + name + ") " + fmt.Sprintf(format, args...)
	}
	switch d {
	case DropCast:
		if in.cfg.Unicast {
			return say("discarding multicast packet on unicast instance")
		}
		return say("discarding unicast packet on multicast instance")
	case DropAHUnwanted:
		return say("Received AH header but auth type not AH from %v", from)
	case DropAHMissing:
		return say("No AH header but auth type is AH from %v", from)
	case DropLength:
		how := "long"
		if rx.length < rx.expected {
			how = "short"
		}
		return say("vrrp packet from %v too %s, length %d and expect %d", from, how, rx.length, rx.expected)
	case DropTTL:
		return say("invalid TTL/HL from %v. Received %d and expect 255", from, rx.ttl)
	case DropVersion:
		return say("wrong VRRP version from %v. Received %d and expect %d", from, rx.pdu[0]>>4, in.cfg.Version)
	case DropAuthUnknown:
		return say("Invalid auth type from %v: %d", from, rx.adv.AuthType)
	case DropAuthType:
		return say("received a %d auth from %v, expecting %d!", rx.adv.AuthType, from, in.cfg.Auth.Type)
	case DropPassword:
		return say("received an invalid passwd from %v!", from)
	case DropInterval:
		return say("advertisement interval mismatch with %v mine=%d sec rcv'd=%d sec",
			from, in.cfg.AdvertInterval/time.Second, rx.adv.Interval/time.Second)
	case DropType:
		return say("Invalid packet type from %v. %d and expect 1", from, rx.adv.Type)
	case DropTotalLength:
		return say("ip_tot_len mismatch against received length from %v. %d and received %d", from, rx.total, rx.length)
	case DropChecksum:
		return say("Invalid VRRPv%d checksum from %v", in.cfg.Version, from)
	case DropCast4:
		if in.cfg.Unicast {
			return say("Expected unicast packet but received multicast packet from %v", from)
		}
		return say("Expected multicast packet but received unicast packet from %v", from)
	case DropOwner:
		return say("Dropping packet(s) from %v since we are address owner", from)
	case DropPeer, DropHMACPeer:
		return say("unicast source address %v not a unicast peer", from)
	case DropPeerTTL:
		p := &in.cfg.Peers[peerIndex(in.cfg.Peers, from)]
		return say("TTL/HL %d from %v not in range [%d, %d]", rx.ttl, from, p.MinTTL, p.MaxTTL)
	}
	return in.authText(d, rx)
}

// authText is the part of dropText about AH and auth_hmac.
func (in *instance) authText(d Drop, rx *received) string {
	name, from := in.cfg.Name, rx.src
	switch d {
	case DropAHValue:
		return fmt.Sprintf("(%s) IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !", name)
	case DropAHSPI:
		return fmt.Sprintf("IPSEC AH : invalid IPSEC SPI value. %d and expect %d", rx.ahSPI, addr4(from))
	case DropAHSequence:
		return fmt.Sprintf("(%s) IPSEC-AH : sequence number %d already processed. Packet dropped. Local(%d)", name, rx.ahSeq, in.ah.seq)
	case DropHMACMissing:
		return fmt.Sprintf("(%s) missing authentication trailer from %v", name, from)
	case DropHMACMalformed:
		return fmt.Sprintf("(%s) malformed authentication trailer from %v", name, from)
	case DropHMACKey:
		return fmt.Sprintf("(%s) unknown authentication key id %d from %v", name, rx.ext[extKey], from)
	case DropHMACInvalid:
		return fmt.Sprintf("(%s) invalid authentication HMAC from %v", name, from)
	case DropHMACStale:
		return fmt.Sprintf("(%s) stale authentication trailer from %v, clock skew %d sec exceeds window %d sec",
			name, from, rx.skew/time.Second, in.hmac.cfg.Window/time.Second)
	case DropHMACReplay:
		return fmt.Sprintf("(%s) replayed authentication trailer from %v", name, from)
	}
	return ""
}

// addr4 is an IPv4 address as a number, for the SPI message.
func addr4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// ms shows an interval as keepalived does in messages.
func ms(d time.Duration) int64 { return int64(d / time.Millisecond) }
