package kernel

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Attributes that x/sys does not name (linux/lwtunnel.h, linux/ila.h).
const (
	encapID    = 1
	encapDst   = 2
	encapSrc   = 3
	encapTTL   = 4 // hop limit for IPv6
	encapTOS   = 5 // traffic class for IPv6
	encapFlags = 6

	ilaLocator = 1

	rtaxFastOpenNoCookie = 17
)

// appendBody writes the body of RTM_NEWROUTE or RTM_DELROUTE.
func (r Route) appendBody(b []byte) []byte {
	r = r.normal()
	b = append(b, r.family(), uint8(r.Dst.Bits()), uint8(max(r.From.Bits(), 0)), r.TOS,
		uint8(r.Table), r.Protocol, r.Scope, r.Type)
	if r.Table > 255 {
		b[len(b)-4] = unix.RT_TABLE_UNSPEC
	}
	var flags uint32
	if r.OnLink {
		flags = unix.RTNH_F_ONLINK
	}
	b = native.AppendUint32(b, flags)

	if r.Dst.Bits() > 0 {
		b = appendIP(b, unix.RTA_DST, r.Dst.Addr())
	}
	if r.From.IsValid() {
		b = appendIP(b, unix.RTA_SRC, r.From.Addr())
	}
	b = appendU32(b, unix.RTA_TABLE, r.Table)
	if r.Metric != 0 {
		b = appendU32(b, unix.RTA_PRIORITY, r.Metric)
	}
	if r.Source.IsValid() {
		b = appendIP(b, unix.RTA_PREFSRC, r.Source)
	}
	b = r.appendGateway(b, r.Gateway)
	if r.Link != 0 {
		b = appendU32(b, unix.RTA_OIF, uint32(r.Link))
	}
	if r.Realms != 0 {
		b = appendU32(b, unix.RTA_FLOW, r.Realms)
	}
	if r.Expires != 0 {
		b = appendU32(b, unix.RTA_EXPIRES, r.Expires)
	}
	if r.Preference != 0 {
		b = appendU8(b, unix.RTA_PREF, r.Preference)
	}
	if r.TTLPropagate != 0 {
		b = appendU8(b, unix.RTA_TTL_PROPAGATE, uint8(max(r.TTLPropagate, 0)))
	}
	b = r.appendMetrics(b)
	b = r.Encap.append(b)
	if len(r.NextHops) > 0 {
		b = appendNest(b, unix.RTA_MULTIPATH, r.appendNextHops)
	}
	return b
}

// appendGateway writes RTA_GATEWAY, or RTA_VIA for a gateway of the other
// family.
func (r Route) appendGateway(b []byte, gw netip.Addr) []byte {
	switch {
	case !gw.IsValid():
		return b
	case gw.Is4() == r.Is4():
		return appendIP(b, unix.RTA_GATEWAY, gw)
	}
	family := uint16(unix.AF_INET6)
	if gw.Is4() {
		family = unix.AF_INET
	}
	return appendAttr(b, unix.RTA_VIA, append(native.AppendUint16(nil, family), gw.AsSlice()...))
}

// appendMetrics writes RTA_METRICS with all locks in one RTAX_LOCK.
func (r Route) appendMetrics(b []byte) []byte {
	if len(r.Metrics) == 0 && r.Congestion.Algorithm == "" {
		return b
	}
	return appendNest(b, unix.RTA_METRICS, func(b []byte) []byte {
		var lock uint32
		for _, m := range r.Metrics {
			if m.Lock {
				lock |= 1 << m.Kind
			}
		}
		if r.Congestion.Lock {
			lock |= 1 << unix.RTAX_CC_ALGO
		}
		if lock != 0 {
			b = appendU32(b, unix.RTAX_LOCK, lock)
		}
		for _, m := range r.Metrics {
			b = appendU32(b, m.Kind, m.Value)
		}
		if r.Congestion.Algorithm != "" {
			b = appendString(b, unix.RTAX_CC_ALGO, r.Congestion.Algorithm)
		}
		return b
	})
}

func (r Route) appendNextHops(b []byte) []byte {
	for _, h := range r.NextHops {
		start := len(b)
		var flags uint8
		if h.OnLink {
			flags = unix.RTNH_F_ONLINK
		}
		b = append(b, 0, 0, flags, uint8(max(h.Weight, 1)-1))
		b = native.AppendUint32(b, uint32(h.Link))
		b = r.appendGateway(b, h.Gateway)
		if h.Realms != 0 {
			b = appendU32(b, unix.RTA_FLOW, h.Realms)
		}
		b = h.Encap.append(b)
		native.PutUint16(b[start:], uint16(len(b)-start))
	}
	return b
}

// append writes RTA_ENCAP_TYPE and RTA_ENCAP; nothing for no encapsulation.
func (e *Encap) append(b []byte) []byte {
	if e == nil {
		return b
	}
	b = appendNest(b, unix.RTA_ENCAP, func(b []byte) []byte {
		switch e.Type {
		case unix.LWTUNNEL_ENCAP_MPLS:
			return appendAttr(b, unix.MPLS_IPTUNNEL_DST, e.labelStack())
		case unix.LWTUNNEL_ENCAP_ILA:
			return appendBE64(b, ilaLocator, e.Locator)
		}
		return e.appendTunnel(b)
	})
	return appendU16(b, unix.RTA_ENCAP_TYPE, e.Type)
}

func (e *Encap) appendTunnel(b []byte) []byte {
	if e.ID != 0 {
		b = appendBE64(b, encapID, e.ID)
	}
	if e.Dst.IsValid() {
		b = appendIP(b, encapDst, e.Dst)
	}
	if e.Src.IsValid() {
		b = appendIP(b, encapSrc, e.Src)
	}
	if e.TOS != 0 {
		b = appendU8(b, encapTOS, e.TOS)
	}
	if e.TTL != 0 {
		b = appendU8(b, encapTTL, e.TTL)
	}
	if e.Flags != 0 {
		b = appendBE16(b, encapFlags, e.Flags)
	}
	return b
}

// labelStack is the MPLS label stack of RFC 3032 section 2.1, the last entry
// marked as the bottom.
func (e *Encap) labelStack() []byte {
	var b []byte
	for i, label := range e.Labels {
		entry := label << 12
		if i == len(e.Labels)-1 {
			entry |= 1 << 8
		}
		b = binary.BigEndian.AppendUint32(b, entry)
	}
	return b
}

// parseRoute reads the body of RTM_NEWROUTE or RTM_DELROUTE.
func parseRoute(b []byte) (Route, error) {
	if len(b) < rtmsgLen {
		return Route{}, errMalformed
	}
	r := Route{
		TOS: b[3], Table: uint32(b[4]), Protocol: b[5], Scope: b[6], Type: b[7],
		OnLink: native.Uint32(b[8:])&unix.RTNH_F_ONLINK != 0,
	}
	any := netip.IPv6Unspecified()
	if b[0] == unix.AF_INET {
		any = netip.IPv4Unspecified()
	} else if b[0] != unix.AF_INET6 {
		return Route{}, errMalformed // MPLS, multicast routing
	}
	dst, from := any, any
	var encapType uint16
	var encap []byte
	for typ, v := range attributes(b[rtmsgLen:]) {
		switch typ {
		case unix.RTA_DST:
			dst = ipAddr(v)
		case unix.RTA_SRC:
			from = ipAddr(v)
		case unix.RTA_TABLE:
			r.Table = u32(v)
		case unix.RTA_PRIORITY:
			r.Metric = u32(v)
		case unix.RTA_PREFSRC:
			r.Source = ipAddr(v)
		case unix.RTA_GATEWAY:
			r.Gateway = ipAddr(v)
		case unix.RTA_VIA:
			r.Gateway = viaAddr(v)
		case unix.RTA_OIF:
			r.Link = int(u32(v))
		case unix.RTA_FLOW:
			r.Realms = u32(v)
		case unix.RTA_PREF:
			r.Preference = u8(v)
		case unix.RTA_TTL_PROPAGATE:
			r.TTLPropagate = int8(u8(v))
			if r.TTLPropagate == 0 {
				r.TTLPropagate = -1
			}
		case unix.RTA_CACHEINFO:
			if len(v) >= 12 && int32(u32(v[8:])) > 0 { // rta_expires, in USER_HZ
				r.Expires = max(u32(v[8:])/100, 1)
			}
		case unix.RTA_METRICS:
			r.parseMetrics(v)
		case unix.RTA_ENCAP_TYPE:
			encapType = u16(v)
		case unix.RTA_ENCAP:
			encap = v
		case unix.RTA_MULTIPATH:
			r.NextHops = parseNextHops(v)
		}
	}
	r.Encap = parseEncap(encapType, encap)
	r.Dst = netip.PrefixFrom(dst, int(b[1]))
	if b[2] != 0 {
		r.From = netip.PrefixFrom(from, int(b[2]))
	}
	if !r.Dst.IsValid() || b[2] != 0 && !r.From.IsValid() || dst.Is4() != any.Is4() {
		return Route{}, errMalformed
	}
	return r, nil
}

func viaAddr(v []byte) netip.Addr {
	if len(v) < 2 {
		return netip.Addr{}
	}
	return ipAddr(v[2:])
}

func (r *Route) parseMetrics(b []byte) {
	var lock uint32
	for kind, v := range attributes(b) {
		switch kind {
		case unix.RTAX_LOCK:
			lock = u32(v)
		case unix.RTAX_CC_ALGO:
			r.Congestion.Algorithm = cstring(v)
		default:
			r.Metrics = append(r.Metrics, Metric{Kind: kind, Value: u32(v)})
		}
	}
	for i := range r.Metrics {
		r.Metrics[i].Lock = lock&(1<<r.Metrics[i].Kind) != 0
	}
	r.Congestion.Lock = lock&(1<<unix.RTAX_CC_ALGO) != 0
}

func parseNextHops(b []byte) []NextHop {
	var all []NextHop
	for len(b) >= rtnexthopLen {
		n := int(native.Uint16(b))
		if n < rtnexthopLen || n > len(b) {
			break
		}
		h := NextHop{OnLink: b[2]&unix.RTNH_F_ONLINK != 0, Weight: int(b[3]) + 1, Link: int(native.Uint32(b[4:]))}
		var encapType uint16
		var encap []byte
		for typ, v := range attributes(b[rtnexthopLen:n]) {
			switch typ {
			case unix.RTA_GATEWAY:
				h.Gateway = ipAddr(v)
			case unix.RTA_VIA:
				h.Gateway = viaAddr(v)
			case unix.RTA_FLOW:
				h.Realms = u32(v)
			case unix.RTA_ENCAP_TYPE:
				encapType = u16(v)
			case unix.RTA_ENCAP:
				encap = v
			}
		}
		h.Encap = parseEncap(encapType, encap)
		all = append(all, h)
		b = b[min(align4(n), len(b)):]
	}
	return slices.Clip(all)
}

func parseEncap(typ uint16, b []byte) *Encap {
	if typ == 0 {
		return nil
	}
	e := &Encap{Type: typ}
	for kind, v := range attributes(b) {
		switch {
		case typ == unix.LWTUNNEL_ENCAP_MPLS:
			if kind == unix.MPLS_IPTUNNEL_DST {
				for ; len(v) >= 4; v = v[4:] {
					e.Labels = append(e.Labels, binary.BigEndian.Uint32(v)>>12)
				}
			}
		case typ == unix.LWTUNNEL_ENCAP_ILA:
			if kind == ilaLocator {
				e.Locator = be64(v)
			}
		case kind == encapID:
			e.ID = be64(v)
		case kind == encapDst:
			e.Dst = specified(ipAddr(v))
		case kind == encapSrc:
			e.Src = specified(ipAddr(v))
		case kind == encapTTL:
			e.TTL = u8(v)
		case kind == encapTOS:
			e.TOS = u8(v)
		case kind == encapFlags && len(v) >= 2:
			e.Flags = binary.BigEndian.Uint16(v)
		}
	}
	return e
}

// specified gives the zero Addr for 0.0.0.0 and ::, which the kernel shows for
// tunnel ends that were not given.
func specified(a netip.Addr) netip.Addr {
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}
