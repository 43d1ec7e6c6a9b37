package vrrp

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"
)

// AH fields, offsets in the AH header (RFC 2402 section 2).
const (
	ahSPI = 4
	ahSeq = 8
	ahICV = 12
	// ahSeqMax is where the original stops counting; becoming master with
	// that many sent starts again from 0.
	ahSeqMax = 0xfffffffd
)

// ahState is the AH side of an instance.
type ahState struct {
	mac hash.Hash // HMAC-MD5 keyed with the padded password
	// seq is shared by sending and receiving (vrrp.md 1.6).
	seq    uint32
	cycled bool
	sum    [md5.Size]byte
	header [ipHeaderLen + ahLen]byte
}

func newAHState(password [8]byte) *ahState {
	return &ahState{mac: hmac.New(md5.New, password[:])}
}

// next moves to the number of the next own advert.
func (s *ahState) next() uint32 {
	if s.seq >= ahSeqMax {
		s.cycled = true
	} else {
		s.seq++
	}
	return s.seq
}

// icv computes the integrity check value over an IPv4 packet with an AH
// header at offset hdr: mutable fields and the value itself count as 0. The
// TTL counts as 0 only for unicast, as keepalived has it.
func (s *ahState) icv(packet []byte, hdr int, unicast bool) []byte {
	h := append(s.header[:0], packet[:ipHeaderLen]...)
	h[1], h[6], h[7], h[10], h[11] = 0, 0, 0, 0, 0
	if unicast {
		h[8] = 0
	}
	h = append(h, packet[hdr:hdr+ahICV]...)
	h = append(h, make([]byte, ahLen-ahICV)...)
	s.mac.Reset()
	s.mac.Write(h[:ipHeaderLen])
	if hdr > ipHeaderLen { // options are immutable for our purpose
		s.mac.Write(packet[ipHeaderLen:hdr])
	}
	s.mac.Write(h[ipHeaderLen:])
	s.mac.Write(packet[hdr+ahLen:])
	return s.mac.Sum(s.sum[:0])[:ahLen-ahICV]
}

// verify checks a received packet whose AH header is at hdr.
func (s *ahState) verify(packet []byte, hdr int, src netip.Addr, unicast bool) Drop {
	a := packet[hdr : hdr+ahLen]
	if a[0] != protoVRRP {
		return DropAHNext
	}
	if subtle.ConstantTimeCompare(s.icv(packet, hdr, unicast), a[ahICV:]) != 1 {
		return DropAHValue
	}
	from := src.As4()
	if [4]byte(a[ahSPI:]) != from {
		return DropAHSPI
	}
	seq := binary.BigEndian.Uint32(a[ahSeq:])
	if seq <= s.seq {
		return DropAHSequence
	}
	s.seq = seq
	return DropNone
}

// Fields of the HMAC trailer (vrrp.md 1.7).
const (
	extType    = 1
	extKey     = 1
	extRsvd    = 2
	extSeconds = 4
	extFrac    = 8
	extCounter = 10
	extHMAC    = 12
	macLen     = 16
	// hmacSources is how many multicast senders are remembered for replay.
	hmacSources = 4
)

// hmacKey is one key with its running hash.
type hmacKey struct {
	id  uint8
	mac hash.Hash
}

// mark is the highest sequence accepted from one sender.
type mark struct {
	source netip.Addr
	seq    uint64
	used   uint64 // for replacing the least recently used
	set    bool
}

// hmacState is the auth_hmac side of an instance.
type hmacState struct {
	cfg    *HMACConfig
	keys   []hmacKey
	sent   uint64
	marks  []mark
	clock  uint64
	sum    [sha256.Size]byte
	pseudo [20]byte
	head   [headerLen]byte
	pad    [macLen]byte
	// trailer is that of the advert being sent.
	trailer [trailerLen]byte
}

func newHMACState(c *HMACConfig) *hmacState {
	s := &hmacState{cfg: c}
	for _, k := range c.Keys {
		s.keys = append(s.keys, hmacKey{k.ID, hmac.New(sha256.New, k.Key)})
	}
	return s
}

// signs tells whether own adverts get a trailer.
func (s *hmacState) signs() bool { return s != nil && s.cfg.Mode != HMACReceiveOnly }

func (s *hmacState) key(id uint8) hash.Hash {
	for i := range s.keys {
		if s.keys[i].id == id {
			return s.keys[i].mac
		}
	}
	return nil
}

// digest computes the 16 bytes over pseudo header, PDU with checksum 0,
// trailer without the value, and 16 zero bytes.
func (s *hmacState) digest(mac hash.Hash, src netip.Addr, pdu, ext []byte) []byte {
	p := &s.pseudo
	*p = [20]byte{4, pdu[0] >> 4, pdu[1], 0}
	if src.Is4() {
		a := src.As4()
		copy(p[4:], a[:])
	} else {
		p[0] = 6
		a := src.As16()
		copy(p[4:], a[:])
	}
	copy(s.head[:], pdu[:headerLen])
	s.head[6], s.head[7] = 0, 0
	mac.Reset()
	mac.Write(p[:])
	mac.Write(s.head[:])
	mac.Write(pdu[headerLen:])
	mac.Write(ext[:extHMAC])
	mac.Write(s.pad[:])
	return mac.Sum(s.sum[:0])[:macLen]
}

// appendTrailer appends the signature of pdu at the wall time now.
func (s *hmacState) appendTrailer(b []byte, now time.Time, src netip.Addr, pdu []byte) []byte {
	clock := uint64(uint32(now.Unix()))<<32 | uint64(now.Nanosecond())*65536/1e9<<16
	next := s.sent + 1
	ahead := time.Duration(int32(uint32(s.sent>>32)-uint32(clock>>32))) * time.Second
	if int64(clock-next) > 0 || !s.cfg.Monotonic && ahead > s.cfg.Window {
		next = clock
	}
	s.sent = next
	at := len(b)
	b = append(b, extType, s.cfg.Active, 0, 0)
	b = binary.BigEndian.AppendUint64(b, next)
	return append(b, s.digest(s.key(s.cfg.Active), src, pdu, b[at:])...)
}

// verify checks the trailer of a received PDU. skew is the sender's clock
// against ours where it is used.
func (s *hmacState) verify(now time.Time, src netip.Addr, pdu, ext []byte, peers []Peer) (d Drop, skew time.Duration) {
	if len(peers) > 0 && peerIndex(peers, src) < 0 {
		return DropHMACPeer, 0
	}
	if ext[0] != extType || ext[extRsvd] != 0 || ext[extRsvd+1] != 0 {
		return DropHMACMalformed, 0
	}
	seq := binary.BigEndian.Uint64(ext[extSeconds:])
	if !s.cfg.Monotonic {
		skew = time.Duration(int32(uint32(seq>>32)-uint32(now.Unix()))) * time.Second
		if skew.Abs() > s.cfg.Window {
			return DropHMACStale, skew
		}
	}
	mac := s.key(ext[extKey])
	if mac == nil {
		return DropHMACKey, skew
	}
	if subtle.ConstantTimeCompare(s.digest(mac, src, pdu, ext), ext[extHMAC:]) != 1 {
		return DropHMACInvalid, skew
	}
	m := s.mark(src, len(peers))
	if m.set && !s.cfg.Monotonic {
		age := time.Duration(int32(uint32(now.Unix())-uint32(m.seq>>32))) * time.Second
		if age.Abs() > s.cfg.Window {
			m.set = false
		}
	}
	if m.set && int64(seq-m.seq) <= 0 {
		return DropHMACReplay, skew
	}
	m.seq, m.set = seq, true
	return DropNone, skew
}

// mark finds or makes the memory of a sender: one per unicast peer, or the
// least recently used of four.
func (s *hmacState) mark(src netip.Addr, peers int) *mark {
	s.clock++
	oldest := -1
	for i := range s.marks {
		if s.marks[i].source == src {
			s.marks[i].used = s.clock
			return &s.marks[i]
		}
		if oldest < 0 || s.marks[i].used < s.marks[oldest].used {
			oldest = i
		}
	}
	if len(s.marks) < max(peers, hmacSources) {
		s.marks = append(s.marks, mark{})
		oldest = len(s.marks) - 1
	}
	s.marks[oldest] = mark{source: src, used: s.clock}
	return &s.marks[oldest]
}

// peerIndex finds a configured peer by address, or -1.
func peerIndex(peers []Peer, a netip.Addr) int {
	for i := range peers {
		if peers[i].Addr == a {
			return i
		}
	}
	return -1
}
