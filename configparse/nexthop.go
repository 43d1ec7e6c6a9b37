package configparse

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// readNexthops reads the nexthop parts, the last of a route. After an error
// the route is kept with those complete so far.
func readNexthops(p *parser, r *routeLine, w words) {
	if r.or.IsValid() {
		p.errorf("Cannot specify nexthops with \"or\" route")
		r.drop(p, "Route has trailing nonsense - nexthop")
		return
	}
	for r.w.optional(r.i) == "nexthop" {
		r.i++
		var h vrrp.NextHop
		if !p.nexthop(r, &h) {
			return
		}
		if h.Via.IsValid() || h.Interface != "" {
			r.NextHops = append(r.NextHops, h)
		}
	}
	if r.w.has(r.i) {
		p.errorf("Route has trailing nonsense after nexthops - %s", p.word(r.w, r.i))
	}
}

// nexthop reads the words of one nexthop; r.i is its first word, afterwards
// the first that does not belong to it.
func (p *parser) nexthop(r *routeLine, h *vrrp.NextHop) bool {
	for ; r.w.has(r.i) && !p.ended; r.i++ {
		ok := true
		switch p.word(r.w, r.i) {
		case "via":
			ok = p.nexthopVia(r, h)
		case "dev":
			name := r.take(p)
			_, ok = p.link(name, "WARNING - interface %s for VROUTE nexthop doesn't exist", name)
			h.Interface = name
		case "weight":
			s := r.take(p)
			var n uint64
			if n, ok = p.parseUnsigned(s, 0, 256, strict); !ok || n == 0 {
				p.errorf("Invalid weight %s specified for route", s)
				return false
			}
			h.Weight = int(n)
		case "onlink":
			h.OnLink = true
		case "encap":
			h.Encap = p.encap(&r.lineReader)
		case "realms":
			s := r.take(p)
			if h.Realms, ok = p.realms(s); !ok {
				p.errorf("Invalid realms %s for route", s)
			} else if !r.setFamily(4) {
				p.errorf("realms are only supported for IPv4")
				ok = false
			}
		case "as":
			if r.take(p) == "to" {
				r.take(p)
			}
			p.errorf("'as [to]' (nat) not supported")
			return false
		default:
			return true
		}
		if !ok {
			return false
		}
	}
	return !p.ended
}

func (p *parser) nexthopVia(r *routeLine, h *vrrp.NextHop) bool {
	s := r.take(p)
	want := byte(0)
	switch s {
	case "inet":
		want, s = 4, r.take(p)
	case "inet6":
		want, s = 6, r.take(p)
	}
	if want != 0 && r.family != 0 && want != r.family {
		p.errorf("IPv4/6 mismatch for nexthop")
		return false
	}
	a, ok := p.plainAddr(s, "invalid nexthop address %s")
	if !ok {
		return false
	}
	if !r.setFamily(family(a)) || want != 0 && want != family(a) {
		p.errorf("Address family mismatch for next hop")
		return false
	}
	h.Via = a
	return true
}

// encap reads an encapsulation. What is wrong is reported and the route kept;
// the words from the bad one on are read as words of the route.
func (p *parser) encap(r *lineReader) *vrrp.Encap {
	if !r.more() {
		p.errorf("Missing encap type")
		return nil
	}
	switch kind := r.take(p); kind {
	case "ip":
		return p.encapIP(r, &vrrp.Encap{Type: vrrp.EncapIP}, kind, 4)
	case "ip6":
		return p.encapIP(r, &vrrp.Encap{Type: vrrp.EncapIP6}, kind, 6)
	case "mpls":
		return p.encapMPLS(r)
	case "ila":
		if !r.more() {
			p.errorf("missing locator for ILA encapsulation")
			return nil
		}
		s := r.take(p)
		n, ok := parseLocator(s)
		if !ok {
			p.errorf("invalid locator %s for ila encapsulation", s)
			return nil
		}
		return &vrrp.Encap{Type: vrrp.EncapILA, ILA: n}
	default:
		p.errorf("Unknown encap type - %s", kind)
		return nil
	}
}

// encapIP reads the options until a word that is none.
func (p *parser) encapIP(r *lineReader, e *vrrp.Encap, kind string, fam byte) *vrrp.Encap {
	for r.more() {
		option := r.peek()
		known := strings.Contains(" id dst src tos tc ttl hoplimit flags ", " "+option+" ")
		if !known || (option == "tos" || option == "ttl") && fam == 6 || (option == "tc" || option == "hoplimit") && fam == 4 {
			break
		}
		if !r.w.has(r.i + 2) {
			break
		}
		if !p.encapOption(r, e, kind, option, fam) {
			return nil
		}
		r.i += 2
	}
	if !e.HasID && !e.Dst.IsValid() {
		p.errorf("address or id missing for %s encapsulation", kind)
		return nil
	}
	return e
}

func (p *parser) encapOption(r *lineReader, e *vrrp.Encap, kind, option string, fam byte) bool {
	s := p.word(r.w, r.i+2)
	small := func(hi uint64, bad string, args ...any) (uint64, bool) {
		n, ok := p.parseUnsigned(s, 0, hi, strict)
		if !ok {
			p.errorf(bad, args...)
		}
		return n, ok
	}
	ok := false
	switch option {
	case "id":
		n, fine := p.checkUnsigned(s, 0, math.MaxUint64, strict, math.MaxUint64, "unsigned 64 bit")
		if ok = fine; ok {
			e.ID, e.HasID = n, true
		} else {
			p.errorf("encap id %s value is invalid", s)
		}
	case "dst", "src":
		var a netip.Addr
		if a, ok = p.plainAddr(s, "Invalid encap "+kind+" "+option+" %s"); ok && family(a) != fam {
			p.errorf("IPv%d address %s not valid for %s encapsulation", family(a), s, kind)
			ok = false
		}
		if option == "dst" {
			e.Dst = a
		} else {
			e.Src = a
		}
	case "tos", "tc":
		n, fine := p.names().find("rt_dsfield", s, math.MaxUint8)
		if ok = fine; !ok && fam == 4 {
			p.errorf("dsfield %s not valid for ip encapsulation", s)
		} else if !ok {
			p.errorf("tc value %s is invalid for ip6 encapsulation", option)
		}
		e.TOS = uint8(n)
	case "ttl":
		var n uint64
		n, ok = small(math.MaxUint8, "ttl %s is not valid for ip encapsulation", s)
		e.TTL = uint8(n)
	case "hoplimit":
		var n uint64
		n, ok = small(math.MaxUint8, "Invalid hoplimit %s specified for ip6 encapsulation", s)
		e.TTL = uint8(n)
	case "flags":
		var n uint64
		n, ok = small(math.MaxUint16, "flags %s is not valid for %s encapsulation", s, kind)
		e.Flags = uint16(n)
	}
	return ok
}

// maxLabel is the largest MPLS label, RFC 3032 section 2.1.
const maxLabel = 1<<20 - 1

func (p *parser) encapMPLS(r *lineReader) *vrrp.Encap {
	if !r.more() {
		p.errorf("missing address for MPLS encapsulation")
		return nil
	}
	s := r.take(p)
	e := &vrrp.Encap{Type: vrrp.EncapMPLS}
	for part := range strings.SplitSeq(s, "/") {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || n > maxLabel {
			p.errorf("invalid mpls address %s for encapsulation", s)
			return nil
		}
		e.Labels = append(e.Labels, uint32(n))
	}
	return e
}

// parseLocator reads four groups of hexadecimal digits.
func parseLocator(s string) (uint64, bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 4 {
		return 0, false
	}
	var n uint64
	for _, part := range parts {
		v, err := strconv.ParseUint(part, 16, 16)
		if err != nil {
			return 0, false
		}
		n = n<<16 | v
	}
	return n, true
}
