package vrrp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// Sizes and numbers of the wire (RFC 3768 section 5, RFC 9568 section 5).
const (
	protoVRRP = 112
	protoAH   = 51

	ipHeaderLen = 20
	ahLen       = 24 // RFC 2402 with a 12-byte ICV
	headerLen   = 8
	authLen     = 8 // authentication data of version 2 over IPv4
	trailerLen  = 28

	typeAdvert = 1
	tosControl = 0xc0 // precedence internetwork control
	defaultTTL = 255

	centisecond = 10 * time.Millisecond
)

// Errors of Advert.Parse.
var (
	ErrShort   = errors.New("shorter than its own header says")
	ErrVersion = errors.New("neither version 2 nor 3")
)

// Advert is the PDU of an advertisement.
type Advert struct {
	Version  uint8
	Type     uint8
	VRID     uint8
	Priority uint8
	Count    uint8
	AuthType AuthType      // version 2
	Interval time.Duration // version 2: whole seconds, 3: hundredths
	Checksum uint16
	Auth     [8]byte // version 2 over IPv4

	// addrs are the raw addresses, sharing memory with what was parsed.
	addrs []byte
	ipv6  bool
}

// pduLen is how long a PDU with this version and count is.
func pduLen(version, count uint8, ipv6 bool) int {
	switch {
	case ipv6:
		return headerLen + 16*int(count)
	case version == 2:
		return headerLen + 4*int(count) + authLen
	}
	return headerLen + 4*int(count)
}

// Parse reads one PDU; bytes after its end (the HMAC trailer) are left alone.
// The addresses share memory with b.
func (a *Advert) Parse(b []byte, ipv6 bool) error {
	if len(b) < headerLen {
		return ErrShort
	}
	*a = Advert{
		Version: b[0] >> 4, Type: b[0] & 0xf, VRID: b[1], Priority: b[2], Count: b[3],
		Checksum: binary.BigEndian.Uint16(b[6:]), ipv6: ipv6,
	}
	switch a.Version {
	case 2:
		a.AuthType = AuthType(b[4])
		a.Interval = time.Duration(b[5]) * time.Second
	case 3:
		// The 4 reserved bits are ignored on receipt (RFC 9568 section 5.2.5).
		a.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * centisecond
	default:
		return ErrVersion
	}
	n := pduLen(a.Version, a.Count, ipv6)
	if len(b) < n {
		return ErrShort
	}
	if a.Version == 2 && !ipv6 {
		copy(a.Auth[:], b[n-authLen:n])
		n -= authLen
	}
	a.addrs = b[headerLen:n]
	return nil
}

// Addr returns the i-th address, 0 <= i < Count.
func (a *Advert) Addr(i int) netip.Addr {
	if a.ipv6 {
		return netip.AddrFrom16([16]byte(a.addrs[16*i:]))
	}
	return netip.AddrFrom4([4]byte(a.addrs[4*i:]))
}

// has tells whether addr is among the addresses; order is of no account.
func (a *Advert) has(addr netip.Addr) bool {
	for i := range int(a.Count) {
		if a.Addr(i) == addr {
			return true
		}
	}
	return false
}

// AppendPDU appends the PDU of an advertisement with checksum 0.
func AppendPDU(b []byte, c *InstanceConfig, priority uint8) []byte {
	b = append(b, c.Version<<4|typeAdvert, c.VRID, priority, uint8(len(c.Addresses)))
	if c.Version == 2 {
		b = append(b, byte(c.Auth.Type), byte(c.AdvertInterval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(c.AdvertInterval/centisecond)&0xfff)
	}
	b = append(b, 0, 0)
	for i := range c.Addresses {
		b = append(b, c.Addresses[i].Prefix.Addr().AsSlice()...)
	}
	if c.Version == 2 && !c.IPv6 {
		var auth [authLen]byte
		if c.Auth.Type == AuthPass {
			auth = c.Auth.Password
		}
		b = append(b, auth[:]...)
	}
	return b
}

// sum16 adds the 16-bit words of b, an odd byte counting as the high one.
func sum16(b []byte) uint32 {
	var s uint32
	for len(b) >= 2 {
		s += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold makes a sum of words the Internet checksum (RFC 1071).
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// pseudo4 is the sum over the IPv4 pseudo header {source, destination, 0,
// protocol, length} that version 3 includes (RFC 9568 section 5.2.8).
func pseudo4(src, dst netip.Addr, length int) uint32 {
	s, d := src.As4(), dst.As4()
	return sum16(s[:]) + sum16(d[:]) + protoVRRP + uint32(length)
}

// template is an instance's advert encoded once; sending copies and patches it.
type template struct {
	packet []byte // IPv4: IP header, AH, PDU; IPv6: PDU. Priority 0, checksum 0
	pdu    int    // where the PDU starts
	pduLen int
	sum    uint32 // over the PDU as it stands here
	valid  bool
}

// build encodes the parts that do not change from advert to advert.
func (t *template) build(c *InstanceConfig, source netip.Addr) {
	b := t.packet[:0]
	if !c.IPv6 {
		b = appendIPv4Header(b, c, source)
	}
	t.pdu = len(b)
	b = AppendPDU(b, c, 0)
	t.pduLen = len(b) - t.pdu
	t.packet = b
	t.sum = sum16(b[t.pdu:])
	t.valid = true
}

// appendIPv4Header appends the header, and the AH header when configured, with
// length, identification and destination 0; the kernel fills the checksum.
func appendIPv4Header(b []byte, c *InstanceConfig, source netip.Addr) []byte {
	ttl, proto := byte(defaultTTL), byte(protoVRRP)
	if c.Unicast && c.UnicastTTL != 0 {
		ttl = byte(c.UnicastTTL)
	}
	if c.Auth.Type == AuthAH {
		proto = protoAH
	}
	src := source.As4()
	b = append(b, 0x45, tosControl, 0, 0, 0, 0, 0, 0, ttl, proto, 0, 0)
	b = append(b, src[:]...)
	b = append(b, 0, 0, 0, 0)
	if proto == protoAH {
		b = append(b, protoVRRP, ahLen/4-2, 0, 0)
		b = append(b, src[:]...) // the SPI is the source address
		b = append(b, make([]byte, ahLen-8)...)
	}
	return b
}

// ipv4 is the header of a received packet.
type ipv4 struct {
	src, dst netip.Addr
	ttl      uint8
	proto    uint8
	total    int
	header   int // length in bytes
}

// parseIPv4 reads an IPv4 header.
func parseIPv4(b []byte) (h ipv4, ok bool) {
	if len(b) < ipHeaderLen || b[0]>>4 != 4 {
		return h, false
	}
	h = ipv4{
		src: netip.AddrFrom4([4]byte(b[12:])), dst: netip.AddrFrom4([4]byte(b[16:])),
		ttl: b[8], proto: b[9],
		total: int(binary.BigEndian.Uint16(b[2:])), header: int(b[0]&0xf) * 4,
	}
	return h, h.header >= ipHeaderLen && len(b) >= h.header
}

// AppendPacket appends an advertisement as a router with this configuration
// would send it, without AH or auth_hmac: for tests and tools that play a
// peer. For IPv6 it is the PDU with checksum 0.
func AppendPacket(b []byte, c *InstanceConfig, src, dst netip.Addr, priority uint8) []byte {
	var t template
	t.build(c, src)
	at := len(b)
	b = append(b, t.packet...)
	p := b[at:]
	p[t.pdu+2] = priority
	if c.IPv6 {
		return b
	}
	sum := t.sum + uint32(priority)<<8
	if c.Version == 3 && !c.ChecksumAsV2 {
		sum += pseudo4(src, dst, t.pduLen)
	}
	binary.BigEndian.PutUint16(p[t.pdu+6:], fold(sum))
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	to := dst.As4()
	copy(p[16:], to[:])
	return b
}
