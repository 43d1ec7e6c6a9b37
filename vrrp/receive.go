package vrrp

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// received is a packet on its way through the checks. One lives in the Router
// and is used again.
type received struct {
	now      time.Time
	arrived  time.Time
	packet   []byte // IPv4: from the IP header
	pdu      []byte // from the VRRP header, without padding and trailer
	ext      []byte // the HMAC trailer, nil when there is none
	src, dst netip.Addr
	ttl      int // -1 = unknown
	ah       int // offset of the AH header; 0 = none
	ahSPI    uint32
	ahSeq    uint32
	total    int // IPv4 total length
	header   int // IPv4 header length
	length   int // bytes received, without the IPv6 header
	expected int
	skew     time.Duration
	adv      Advert
}

// maxQuiet is how long a line about packets that belong to no instance is not
// repeated, so that a flood cannot fill the log.
const maxQuiet = time.Minute

// trapGap is the least distance of an instance's SNMP notifications about bad
// packets.
const trapGap = time.Second

// Receive takes a packet from one of the Sockets. A process that was stopped
// should hand over everything that is queued before it calls Tick.
func (r *Router) Receive(now time.Time, p *Packet) {
	r.expired(now)
	if r.startup.armed() {
		return // keepalived: everything is thrown away while the start is delayed
	}
	s := r.socket(p.Socket)
	if s == nil {
		return
	}
	rx := &r.rx
	*rx = received{now: now, arrived: p.Arrived}
	if rx.arrived.IsZero() {
		rx.arrived = now
	}
	if !r.parse(rx, s, p) {
		return
	}
	in := s.find(rx.pdu[1], rx.src)
	if in == nil {
		r.unknown(rx, s)
		return
	}
	if in.state != Backup && in.state != Master {
		return
	}
	r.reject(in, rx, in.receive(rx))
}

// parse finds the VRRP header. A packet too short for one is not worth more
// than a line a minute.
func (r *Router) parse(rx *received, s *socket, p *Packet) bool {
	rx.packet, rx.pdu, rx.length = p.Bytes, p.Bytes, len(p.Bytes)
	rx.src, rx.dst, rx.ttl = p.Source, p.To, p.HopLimit
	kind := "IPv6 VRRP packet"
	ok := true
	if !s.key.IPv6 {
		kind = "IPv4 VRRP packet"
		var h ipv4
		if h, ok = parseIPv4(p.Bytes); ok {
			rx.src, rx.dst, rx.ttl, rx.total, rx.header = h.src, h.dst, int(h.ttl), h.total, h.header
			rx.pdu = p.Bytes[h.header:]
			if h.proto == protoAH {
				kind = "IPv4 VRRP packet with AH"
				ok = rx.skipAH()
			}
		}
	}
	if ok && len(rx.pdu) >= headerLen {
		return true
	}
	if s.shortSaid.IsZero() || rx.now.Sub(s.shortSaid) >= maxQuiet {
		s.shortSaid = rx.now
		r.info("%s too short - %d bytes", kind, len(p.Bytes))
	}
	return false
}

// skipAH steps over the AH header.
func (rx *received) skipAH() bool {
	if len(rx.pdu) < ahLen {
		return false
	}
	rx.ah = rx.header
	rx.ahSPI = binary.BigEndian.Uint32(rx.pdu[ahSPI:])
	rx.ahSeq = binary.BigEndian.Uint32(rx.pdu[ahSeq:])
	rx.pdu = rx.pdu[ahLen:]
	return true
}

// find picks the instance of a VRID. Unicast instances may share VRID and own
// address when their peers differ: then the one whose last master was this
// source, else the one that has it as a peer.
func (s *socket) find(vrid uint8, src netip.Addr) *instance {
	list := s.byVRID[vrid]
	if len(list) <= 1 {
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	for _, in := range list {
		if in.masterAddr == src {
			return in
		}
	}
	for _, in := range list {
		if peerIndex(in.cfg.Peers, src) >= 0 {
			return in
		}
	}
	return nil
}

// unknown counts a packet for a VRID that is not ours.
func (r *Router) unknown(rx *received, s *socket) {
	r.unknownVRIDs++
	if !r.cfg.LogUnknownVRIDs {
		return
	}
	vrid := rx.pdu[1]
	if said, ok := s.vridSaid[vrid]; ok && rx.now.Sub(said) < maxQuiet {
		return
	}
	if s.vridSaid == nil {
		s.vridSaid = map[uint8]time.Time{}
	}
	s.vridSaid[vrid] = rx.now
	r.info("Unknown VRID(%d) received on interface(%s). ignoring...", vrid, s.key.Interface)
}

// reject counts and says why a packet was not used.
func (r *Router) reject(in *instance, rx *received, d Drop) {
	if d == DropNone {
		return
	}
	in.stats.count(d)
	in.logDrop(d, rx)
	if d != DropOwner {
		in.odd(rx.now, OddRefused, d, rx.src, func() string { return in.refusal(d, rx) })
	}
	if d.trap() && (in.trapAt.IsZero() || rx.now.Sub(in.trapAt) >= trapGap) {
		in.trapAt = rx.now
		r.out = append(r.out, Rejected{Subject: in.subject(), Source: rx.src, Reason: d})
	}
}

// receive runs the checks and hands a good advert to the state machine.
func (in *instance) receive(rx *received) Drop {
	if d := in.check(rx); d != DropNone {
		return d
	}
	in.stats.Received++
	in.checkAddresses(rx)
	if d := in.checkPeer(rx); d != DropNone {
		return d
	}
	if rx.adv.Priority == 0 {
		in.stats.PrioZeroReceived++
	}
	if in.state == Master {
		in.masterHears(rx.now, rx)
	} else {
		in.backupHears(in.heardAt(rx), rx)
	}
	return DropNone
}

// heardAt is when the timers that an advert starts in Backup begin: when the
// kernel got it, so that a process which was late to hear of it is not late by
// as much again to take over. It goes back a quarter of an interval at most: a
// backup that cannot keep up must not take what it has not read yet for silence.
func (in *instance) heardAt(rx *received) time.Time {
	if least := rx.now.Add(-in.masterInterval / 4); rx.arrived.Before(least) {
		return least
	}
	if rx.arrived.After(rx.now) {
		return rx.now
	}
	return rx.arrived
}

// check is vrrp.md 2.2 up to 12, in its order: the first failure counts.
func (in *instance) check(rx *received) Drop {
	c := in.cfg
	if c.IPv6 && c.Unicast == rx.dst.IsMulticast() {
		return DropCast
	}
	if !c.IPv6 && (rx.ah != 0) != (c.Auth.Type == AuthAH) {
		if rx.ah != 0 {
			return DropAHUnwanted
		}
		return DropAHMissing
	}
	if d := in.checkLength(rx); d != DropNone {
		return d
	}
	if !c.Unicast && rx.ttl != defaultTTL {
		return DropTTL
	}
	if rx.pdu[0]>>4 != c.Version {
		return DropVersion
	}
	if err := rx.adv.Parse(rx.pdu, c.IPv6); err != nil {
		return DropLength // cannot happen: the length was checked
	}
	if d := in.checkHMAC(rx); d != DropNone {
		return d
	}
	if c.Version == 2 {
		if d := in.checkVersion2(rx); d != DropNone {
			return d
		}
	}
	if rx.adv.Type != typeAdvert {
		return DropType
	}
	if !c.IPv6 {
		if d := in.checkIPv4(rx); d != DropNone {
			return d
		}
	}
	if c.Version == 3 && rx.adv.Interval != c.AdvertInterval && in.once(onceInterval) {
		in.r.info("(%s) advertisement interval mismatch ours = %d centi-sec rcv'd=%d centi-sec",
			c.Name, c.AdvertInterval/centisecond, rx.adv.Interval/centisecond)
	}
	if c.OwnerIgnoreAdverts && in.priority == ownerPriority {
		return DropOwner
	}
	return DropNone
}

// checkLength compares what came with what the packet's own version and count
// ask for. Up to the Ethernet minimum there may be padding, which is cut off;
// 28 bytes more are the trailer of auth_hmac, if we use that.
func (in *instance) checkLength(rx *received) Drop {
	ipv6 := in.cfg.IPv6
	want := pduLen(rx.pdu[0]>>4, rx.pdu[3], ipv6)
	before := rx.length - len(rx.pdu)
	rx.expected = before + want
	over := rx.length - rx.expected
	switch {
	case over == 0:
	case over == trailerLen && in.hmac != nil:
		rx.ext = rx.pdu[want:]
	case over > 0 && rx.expected < 46 && over%4 == 2:
	default:
		return DropLength
	}
	rx.pdu = rx.pdu[:want]
	return DropNone
}

func (in *instance) checkHMAC(rx *received) Drop {
	if in.hmac == nil {
		return DropNone
	}
	if rx.ext == nil {
		if in.hmac.cfg.Mode == HMACEnforce {
			return DropHMACMissing
		}
		return DropNone
	}
	var peers []Peer
	if in.cfg.Unicast {
		peers = in.cfg.Peers
	}
	d, skew := in.hmac.verify(rx.arrived, rx.src, rx.pdu, rx.ext, peers)
	rx.skew = skew
	window := in.hmac.cfg.Window
	if d == DropNone && !in.hmac.cfg.Monotonic && skew.Abs() > window/2 && in.once(onceSkew) {
		in.r.log(LevelWarning, "(%s) authentication clock skew %d sec from %v approaching window %d sec",
			in.cfg.Name, skew/time.Second, rx.src, window/time.Second)
	}
	return d
}

// checkVersion2 is authentication and interval (RFC 2338 section 7.1).
func (in *instance) checkVersion2(rx *received) Drop {
	c, a := in.cfg, &rx.adv
	if a.AuthType > AuthAH {
		return DropAuthUnknown
	}
	if a.AuthType != c.Auth.Type {
		return DropAuthType
	}
	if !c.IPv6 {
		switch a.AuthType {
		case AuthPass:
			if subtle.ConstantTimeCompare(a.Auth[:], c.Auth.Password[:]) != 1 {
				return DropPassword
			}
		case AuthAH:
			// The value covers the packet without padding.
			end := rx.ah + ahLen + len(rx.pdu)
			d := in.ah.verify(rx.packet[:end], rx.ah, rx.src, c.Unicast)
			if d == DropAHSequence && in.state == Master && rx.ahSeq == in.ah.seq && rx.src.Less(in.source) {
				// Two masters that count in step would refuse each other for
				// ever; the one with the higher address counts ahead.
				in.ah.seq++
				in.hasten(rx.now)
			}
			if d != DropNone {
				return d
			}
		}
	}
	if a.Interval != c.AdvertInterval {
		return DropInterval
	}
	return DropNone
}

// checkIPv4 is what the kernel has done for IPv6: lengths, checksum, cast.
func (in *instance) checkIPv4(rx *received) Drop {
	c := in.cfg
	over := rx.length - rx.total
	if over != 0 && !(over > 0 && rx.length <= 46 && over%4 == 2) {
		return DropTotalLength
	}
	if !in.checksumOK(rx) {
		return DropChecksum
	}
	if c.Unicast == rx.dst.IsMulticast() {
		return DropCast4
	}
	return DropNone
}

// checksumOK verifies an IPv4 checksum (vrrp.md 1.5). A unicast instance that
// hears the old style turns to it until the next reload.
func (in *instance) checksumOK(rx *received) bool {
	c := in.cfg
	sum := sum16(rx.pdu)
	if c.Version == 2 {
		return fold(sum) == 0
	}
	if c.ChecksumAsV2 {
		return true // keepalived does not look at it at all
	}
	good := func(dst netip.Addr) bool {
		return fold(sum+pseudo4(rx.src, dst, len(rx.pdu))) == 0
	}
	if !c.Unicast {
		return good(rx.dst)
	}
	if c.OldChecksum != OldChecksumAlways && !in.oldChecksum && good(rx.dst) {
		return true
	}
	if c.OldChecksum == OldChecksumNever || !in.r.cfg.Group4.Is4() || !good(in.r.cfg.Group4) {
		return false
	}
	if c.OldChecksum == OldChecksumAuto && !in.oldChecksum {
		in.oldChecksum = true
		in.r.info("(%s) Setting unicast VRRPv3 checksum to old version", c.Name)
	}
	return true
}

// checkAddresses compares the addresses with ours. A difference is counted
// and said, and the advert accepted all the same (vrrp.md 2.2, 14 and 15).
func (in *instance) checkAddresses(rx *received) {
	c := in.cfg
	wrongCount := int(rx.adv.Count) != len(c.Addresses)
	if wrongCount {
		in.stats.AddressList++
		if in.once(onceCount) {
			in.r.info("(%s) expected %d VIPs but received %d", c.Name, len(c.Addresses), rx.adv.Count)
		}
	}
	if c.SkipCheckAdvAddr && in.state == Backup && rx.src == in.masterAddr {
		return
	}
	missing, ok := in.missingAddress(&rx.adv)
	if !ok {
		in.stats.AddressList++
		if in.once(onceAddress) {
			in.r.info("(%s) ip address associated with VRID %d not present in advert from %v: %v",
				c.Name, c.VRID, rx.src, missing)
		}
	}
	if ok && !wrongCount {
		in.notOdd(OddAddresses, rx.src)
		return
	}
	in.odd(rx.now, OddAddresses, DropNone, rx.src, func() string {
		text := fmt.Sprintf("announces %d addresses, %d are configured here", rx.adv.Count, len(c.Addresses))
		if !ok {
			text += fmt.Sprintf("; %v is missing", missing)
		}
		return text
	})
}

// missingAddress is the first of our addresses that an advert lacks; ok is true
// if there is none.
func (in *instance) missingAddress(a *Advert) (missing netip.Addr, ok bool) {
	for i := range in.cfg.Addresses {
		own := in.cfg.Addresses[i].Prefix.Addr()
		if i < int(a.Count) && a.Addr(i) == own || a.has(own) {
			continue
		}
		return own, false
	}
	return missing, true
}

// checkPeer is vrrp.md 2.2, 16 and 17.
func (in *instance) checkPeer(rx *received) Drop {
	if !in.checksPeers {
		return DropNone
	}
	i := peerIndex(in.cfg.Peers, rx.src)
	if i < 0 {
		return DropPeer
	}
	p := &in.cfg.Peers[i]
	if rx.ttl >= 0 && (rx.ttl < int(p.MinTTL) || rx.ttl > int(p.MaxTTL)) {
		return DropPeerTTL
	}
	return DropNone
}

// checksPeers tells whether sources must be peers.
func checksPeers(c *InstanceConfig) bool {
	if !c.Unicast {
		return false
	}
	for i := range c.Peers {
		if c.Peers[i].TTLGiven {
			return true
		}
	}
	return c.CheckUnicastSource
}
