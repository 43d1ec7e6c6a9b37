package configparse

import (
	"math"
	"net/netip"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

var instanceAddresses = block[instance]{
	"virtual_ipaddress": {takes: "value-block of address-line", help: "addresses that are owned and advertised", acts: "vrrp", opens: true, sub: addressWords,
		set: func(p *parser, in *instance, w words) {
			p.readValues(w, 1, func(line words) {
				a, ok := p.addressLine(line, false)
				if !ok {
					return
				}
				if !in.setFamily(a.Prefix.Addr()) {
					p.errorf("(%s): address family must match VRRP instance [%s] - ignoring", in.Name, p.word(line, 0))
					return
				}
				if !p.duplicateAddress(in, a, "VIP") {
					in.Addresses = append(in.Addresses, a)
				}
			})
		}},
	"virtual_ipaddress_excluded": {takes: "value-block of address-line", help: "addresses that are owned but not advertised", acts: "vrrp", opens: true, sub: addressWords,
		set: func(p *parser, in *instance, w words) {
			p.readValues(w, 1, func(line words) {
				if a, ok := p.addressLine(line, false); ok && !p.duplicateAddress(in, a, "Excluded VIP") {
					in.Excluded = append(in.Excluded, a)
				}
			})
		}},
	"no_virtual_ipaddress": {takes: "none", help: "the instance may be without addresses", acts: "vrrp",
		set: flag(func(in *instance) { in.NoAddresses = true })},
	"virtual_routes": {takes: "value-block of route-line", help: "routes of the master", acts: "vrrpd", opens: true, sub: routeWords,
		set: func(p *parser, in *instance, w words) {
			p.readValues(w, 1, func(line words) {
				if r, ok := p.routeLine(line, false); ok {
					in.Routes = append(in.Routes, r)
				}
			})
		}},
	"virtual_rules": {takes: "value-block of rule-line", help: "policy rules of the master", acts: "vrrpd", opens: true, sub: ruleWords,
		set: func(p *parser, in *instance, w words) {
			p.readValues(w, 1, func(line words) {
				if r, ok := p.ruleLine(line, false); ok {
					in.Rules = append(in.Rules, r)
				}
			})
		}},
}

// addressKey is what makes an address of an instance the same as another one.
type addressKey struct {
	in   *instance
	addr netip.Addr
	dev  string
}

// duplicateAddress reports an address that the instance has already, on the
// same device.
func (p *parser) duplicateAddress(in *instance, a vrrp.Address, what string) bool {
	if p.addresses == nil {
		p.addresses = map[addressKey]string{}
	}
	k := addressKey{in, a.Prefix.Addr(), a.Interface}
	if old, ok := p.addresses[k]; ok {
		p.errorf("(%s): %s duplicates %s %s - ignoring", in.Name, what, old, addressText(a))
		return true
	}
	p.addresses[k] = "a VIP"
	if what != "VIP" {
		p.addresses[k] = "an excluded VIP"
	}
	return false
}

// addressText is an address as the original writes it: its length only when it
// is not the whole address.
func addressText(a vrrp.Address) string {
	if a.Prefix.Bits() == a.Prefix.Addr().BitLen() {
		return a.Prefix.Addr().String()
	}
	return a.Prefix.String()
}

// addressLine is an address line while it is read.
type addressLine struct {
	vrrp.Address

	text     string // first word
	hasLen   bool
	brd      byte // '+', '-', 'a' for an address, 0 for none
	noAnswer bool // the rest of the line is ignored
	trackSet bool
	static   bool
	dropped  bool
}

// addressWords are the options of an address line. A setter gets the value of
// its option in w.list[1], or an empty word when the option takes none.
var addressWords = joinBlocks(addressOptions, block[addressLine]{
	"use_vmac": {takes: "none", help: "put the address on a macvlan", acts: "vrrpd", set: flag(func(a *addressLine) { a.UseVMAC = true })},
	firstWord:  {takes: "IPADDR[/LEN]", help: "the address", acts: "vrrp"},
	otherWord:  {help: "anything else", acts: "configparse"},
})

var staticAddressWords = joinBlocks(addressOptions, block[addressLine]{
	"track_group": {takes: "NAME", help: "track_group that follows the address", acts: "vrrp",
		set: func(p *parser, a *addressLine, w words) {
			if !p.trackGroup(p.word(w, 1), &a.TrackGroup, &a.trackSet) {
				a.noAnswer = true
			}
		}},
	firstWord: {takes: "IPADDR[/LEN]", help: "the address", acts: "vrrpd"},
	otherWord: {help: "anything else", acts: "configparse"},
})

// Rows that are no keywords.
const (
	firstWord = "(first word)"
	otherWord = "(other word)"
	wholeLine = "(whole line)"
)

var addressOptions = block[addressLine]{
	"dev":           {takes: "IFNAME", help: "interface of the address", acts: "vrrpd", set: addressDev},
	"scope":         {takes: "NAME | 0..255", help: "address scope", acts: "vrrpd", set: addressScope},
	"brd":           {takes: "IPv4 | + | -", help: "broadcast address", acts: "vrrpd", set: addressBroadcast},
	"broadcast":     {takes: "IPv4 | + | -", help: "broadcast address", acts: "vrrpd", set: addressBroadcast},
	"label":         {takes: "STRING (15 chars)", help: "interface alias", acts: "vrrpd", set: addressLabel},
	"peer":          {takes: "IPADDR", help: "point to point peer", acts: "vrrpd", set: addressPeer},
	"home":          {takes: "none", help: "home address", acts: "vrrpd", set: flag(func(a *addressLine) { a.Home = true })},
	"-nodad":        {takes: "none", help: "do duplicate address detection", acts: "vrrpd", set: flag(func(a *addressLine) { a.DAD = true })},
	"mngtmpaddr":    {takes: "none", help: "manage temporary addresses", acts: "vrrpd", set: flag(func(a *addressLine) { a.ManageTemp = true })},
	"noprefixroute": {takes: "none", help: "no route for the prefix", acts: "vrrpd", set: flag(func(a *addressLine) { a.NoPrefixRoute = true })},
	"autojoin":      {takes: "none", help: "join the multicast group", acts: "vrrpd", set: flag(func(a *addressLine) { a.AutoJoin = true })},
	"no_track":      {takes: "none", help: "do not react to its removal", acts: "vrrp", set: flag(func(a *addressLine) { a.NoTrack = true })},
	"preferred_lft": {takes: "INT 0..4294967295 | forever", help: "preferred lifetime, seconds", acts: "vrrpd",
		set: func(p *parser, a *addressLine, w words) {
			if p.word(w, 1) == "forever" {
				a.PreferredSet, a.PreferredLft = true, vrrp.ForeverLft
				return
			}
			n, ok := p.unsigned(w, 1, 0, maxUint32, lenient)
			if !ok {
				p.errorf("preferred_lft %s is invalid", p.word(w, 1))
				return
			}
			a.PreferredSet, a.PreferredLft = true, uint32(n)
		}},
}

// addressLine reads an address and its options. False: the line is dropped.
func (p *parser) addressLine(line words, static bool) (vrrp.Address, bool) {
	a := &addressLine{text: p.word(line, 0), static: static}
	if !p.addressAndLength(a) {
		return vrrp.Address{}, false
	}
	options := addressWords
	if static {
		options = staticAddressWords
	}
	for i := 1; line.has(i) && !a.dropped && !a.noAnswer; i++ {
		name := p.word(line, i)
		r, ok := options[name]
		switch {
		case !ok || r.set == nil:
			p.errorf("Unknown configuration entry '%s' for ip address - ignoring", name)
		case r.takes == "none":
			r.set(p, a, words{})
		case !line.has(i + 1):
			p.errorf("No %s parameter specified for %s", name, a.text)
			return vrrp.Address{}, false
		default:
			value := words{list: line.list[i : i+2], at: line.at, raw: line.raw}
			if name == "peer" && a.Peer.IsValid() {
				// The value of a second peer is read as an option.
				p.errorf("Peer %s - another peer has already been specified", p.word(line, i+1))
				continue
			}
			r.set(p, a, value)
			i++
		}
	}
	if a.dropped {
		return vrrp.Address{}, false
	}
	p.finishAddress(a)
	return a.Address, true
}

// addressAndLength reads the first word; a bad length counts as the full one.
func (p *parser) addressAndLength(a *addressLine) bool {
	host, length, hasLen := strings.Cut(a.text, "/")
	full := uint64(32)
	if strings.Contains(host, ":") {
		full = 128
	}
	bits := full
	if hasLen {
		n, ok := p.parseUnsigned(length, 0, full, lenient)
		if ok {
			bits, a.hasLen = n, true
		} else {
			p.errorf("Invalid address prefix len %s for address %s - using %d", length, a.text, full)
		}
	}
	addr, ok := parseAddr(host)
	if !ok {
		p.errorf("VRRP parsed invalid IP %s. skipping IP...", a.text)
		return false
	}
	a.Prefix = netip.PrefixFrom(addr, int(bits))
	return true
}

func addressDev(p *parser, a *addressLine, w words) {
	name := p.word(w, 1)
	if a.InterfaceByUser {
		p.errorf("Cannot specify ipaddress device more than once for %s", a.text)
		a.dropped = true
		return
	}
	if _, ok := p.link(name, "WARNING - interface %s for ip address %s doesn't exist", name, a.text); !ok {
		a.dropped = true
		return
	}
	a.Interface, a.InterfaceByUser = name, true
}

func addressScope(p *parser, a *addressLine, w words) {
	name := p.word(w, 1)
	if a.Prefix.Addr().Is6() {
		p.errorf("Cannot specify scope for IPv6 addresses (%s) - ignoring scope", a.text)
		return
	}
	n, ok := p.names().find("rt_scopes", name, math.MaxUint8)
	if !ok {
		p.errorf("Invalid scope '%s' specified for %s - ignoring", name, a.text)
		return
	}
	a.Scope = uint8(n)
}

func addressBroadcast(p *parser, a *addressLine, w words) {
	value := p.word(w, 1)
	if a.Prefix.Addr().Is6() {
		p.errorf("VRRP is trying to assign a broadcast %s to the IPv6 address %s !!?? WTF... skipping VIP...", w.list[0].text, a.text)
		a.dropped = true
		return
	}
	if value == "+" || value == "-" {
		a.brd = value[0]
		return
	}
	addr, ok := parseAddr(value)
	if !ok || !addr.Is4() {
		p.errorf("VRRP is trying to assign invalid broadcast %s. skipping VIP...", value)
		a.dropped = true
		return
	}
	a.brd, a.Broadcast = 'a', addr
}

func addressLabel(p *parser, a *addressLine, w words) {
	label := p.word(w, 1)
	switch {
	case a.Prefix.Addr().Is6():
		p.errorf("Cannot specify label for IPv6 addresses (%s) - ignoring label", a.text)
	case len(label) > maxInterface:
		p.errorf("Address label %s is longer than maximum length %d - removing address", label, maxInterface)
		a.dropped = true
	default:
		a.Label = label
	}
}

func addressPeer(p *parser, a *addressLine, w words) {
	s := p.word(w, 1)
	addr, ok := parseAddr(s)
	switch {
	case !ok:
		p.errorf("Invalid peer address %s", s)
	case addr.Is6() != a.Prefix.Addr().Is6():
		p.errorf("Peer address %s does not match address family", s)
	default:
		if a.hasLen {
			p.errorf("Cannot specify address prefix when specifying peer address - ignoring")
		}
		a.Peer = netip.PrefixFrom(addr, addr.BitLen())
	}
}

// finishAddress does what depends on several options.
func (p *parser) finishAddress(a *addressLine) {
	if a.Peer.IsValid() {
		a.Prefix = netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())
	}
	switch {
	case a.brd == 0:
	case a.Peer.IsValid():
		p.errorf("Cannot specify broadcast and peer addresses - ignoring broadcast address")
		a.Broadcast = netip.Addr{}
	case a.brd != 'a' && a.Prefix.Bits() > 30:
		p.errorf("Address prefix length %d too long for broadcast", a.Prefix.Bits())
		a.Broadcast = netip.Addr{}
	case a.brd != 'a':
		a.Broadcast = broadcast(a.Prefix, a.brd == '+')
	}
	// An IPv6 address of full length is deprecated from the start, so that it
	// is not chosen as a source.
	if !a.PreferredSet && a.Prefix.Addr().Is6() && a.Prefix.IsSingleIP() {
		a.PreferredSet, a.PreferredLft = true, 0
	}
}

// broadcast sets or clears the host bits of an IPv4 address.
func broadcast(pre netip.Prefix, set bool) netip.Addr {
	b := pre.Masked().Addr().As4()
	if set {
		for i := pre.Bits(); i < 32; i++ {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return netip.AddrFrom4(b)
}

// readStaticAddresses reads static_ipaddress.
func readStaticAddresses(p *parser, c *Config, w words) {
	c.HasVRRP = true
	p.readValues(w, 1, func(line words) {
		a, ok := p.addressLine(line, true)
		if !ok {
			return
		}
		if a.Interface == "" {
			name := c.Global.DefaultInterface
			if name == "" {
				name = "eth0"
			}
			if _, ok := p.env.link(name); !ok && !c.Global.DynamicInterfaces {
				p.classf(Fatal, "Static address %s requires either an interface or default interface must exist", addressText(a))
				p.missingInterface = p.missingInterface || c.Global.DefaultInterface != ""
				return
			}
			a.Interface = name
		}
		c.VRRP.StaticAddresses = append(c.VRRP.StaticAddresses, a)
	})
}
