package configparse

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/ipvs"
)

// groupLines are the forms of a line of virtual_server_group, for Keywords.
var groupLines = block[checker.Group]{
	"(address)": {takes: "IPADDR[-END|/LEN] [PORT]", help: "address, range or prefix", acts: actsLVS},
	"fwmark":    {takes: "INT 0..4294967295 [inet|inet6]", help: "firewall mark", acts: actsLVS},
}

// readGroup reads a virtual_server_group block (grammar.md 13.2). Groups of
// one name are all kept: the first is found.
func readGroup(p *parser, _ *Config, w words) {
	g := checker.Group{Name: p.word(w, 1)}
	var plainMark bool
	p.readValues(w, 2, func(line words) {
		if e, ok := p.groupEntry(g.Name, line); ok {
			g.Entries = append(g.Entries, e)
			plainMark = plainMark || e.Family() == 0
		}
	})
	v4, v6 := g.Families()
	switch {
	case p.ended:
	case len(g.Entries) == 0:
		p.errorf("virtual server group %s has no entries - removing", g.Name)
	case v4 && v6 && plainMark:
		p.errorf("virtual server group %s cannot have IPv4, IPv6 and fwmark without family - removing", g.Name)
	default:
		p.lvs.groups = append(p.lvs.groups, g)
	}
}

// groupEntry reads one line of a group.
func (p *parser) groupEntry(group string, line words) (checker.GroupEntry, bool) {
	var e checker.GroupEntry
	text := p.word(line, 0)
	if text == "fwmark" {
		return p.groupMark(group, line)
	}
	to, ok := p.endpoint(line, 0)
	if !ok {
		port := ""
		if line.has(1) {
			port = "/port/" + p.word(line, 1)
		}
		p.errorf("Invalid virtual server group IP address %s %s - skipping", text, port)
		return e, false
	}
	addr := to.Addr()
	e.First, e.Last, e.Port = addr, addr, to.Port()
	problem := ""
	if _, length, ok := strings.Cut(text, "/"); ok {
		e.Last, problem = prefixEnd(addr, length, text)
	} else if _, end, ok := strings.Cut(text, "-"); ok {
		e.Last, problem = rangeEnd(addr, end, text)
	}
	if problem != "" {
		p.errorf("%s", problem)
		return e, false
	}
	return e, true
}

func (p *parser) groupMark(group string, line words) (e checker.GroupEntry, ok bool) {
	n, ok := p.unsigned(line, 1, 0, math.MaxUint32, lenient)
	if !ok {
		p.errorf("(%s): fwmark '%s' must be in [0, 4294967295] - ignoring", group, p.opt(line, 1))
		return e, false
	}
	e.Mark = uint32(n)
	if !line.has(2) {
		return e, true
	}
	switch family := p.word(line, 2); family {
	case "inet":
		e.MarkFamily = ipvs.IPv4
	case "inet6":
		e.MarkFamily = ipvs.IPv6
	default:
		p.errorf("(%s): fwmark '%d' family %s unknown - ignoring", group, e.Mark, family)
		return e, false
	}
	return e, true
}

// prefixEnd is the last address of a prefix whose host bits must be zero.
func prefixEnd(first netip.Addr, length, text string) (last netip.Addr, problem string) {
	negative, n, overflow, rest := digits(length)
	if negative || overflow || rest != "" || n < 1 || n > uint64(first.BitLen()) {
		return last, fmt.Sprintf("Invalid netmask - %s - skipping", text)
	}
	if first != netip.PrefixFrom(first, int(n)).Masked().Addr() {
		return last, fmt.Sprintf("Address mask bits not empty - %s - skipping", text)
	}
	b := first.AsSlice()
	for bit := int(n); bit < first.BitLen(); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ = netip.AddrFromSlice(b)
	return last, ""
}

// rangeEnd is the last address of a range: a whole address, or its last part
// alone, decimal for IPv4 and hexadecimal for IPv6.
func rangeEnd(first netip.Addr, end, text string) (last netip.Addr, problem string) {
	whole := "."
	if first.Is6() {
		whole = ":"
	}
	if strings.Contains(end, whole) {
		last, ok := parseAddr(end)
		switch {
		case !ok:
			return last, fmt.Sprintf("Invalid range end %s - skipping", text)
		case last.Is4() != first.Is4():
			return last, fmt.Sprintf("Range address families do not match %s - skipping", text)
		case last.Less(first):
			return last, fmt.Sprintf("Address range end is less than address range start - %s - skipping", text)
		}
		return last, ""
	}
	b := first.AsSlice()
	var n, start, most uint64
	var rest string
	if first.Is4() {
		n, rest = prefixNumber(end, 10)
		start, most = uint64(b[3]), math.MaxUint8
	} else {
		n, rest = prefixNumber(end, 16)
		start, most = uint64(b[14])<<8|uint64(b[15]), math.MaxUint16
	}
	switch {
	case rest != "":
		return last, fmt.Sprintf("Virtual server group range '%s' has extra characters at end '%s'", text, rest)
	case n > most:
		return last, fmt.Sprintf("Virtual server group range '%s' end '%s' too large", text, end)
	case n <= start:
		return last, fmt.Sprintf("Address range end is not greater than address range start - %s - skipping", text)
	}
	b[len(b)-1] = byte(n)
	if first.Is6() {
		b[len(b)-2] = byte(n >> 8)
	}
	last, _ = netip.AddrFromSlice(b)
	return last, ""
}

// entryName is how messages name a line of a group: "10.0.0.1-10.0.0.9,80".
func entryName(e checker.GroupEntry) string {
	if e.First == e.Last {
		return fmt.Sprintf("%s,%d", e.First, e.Port)
	}
	return fmt.Sprintf("%s-%s,%d", e.First, e.Last, e.Port)
}
