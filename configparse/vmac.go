package configparse

import (
	"net/netip"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

var instanceVMAC = block[instance]{
	"use_vmac": {takes: "[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]", help: "run on a macvlan over the interface", acts: "vrrpd", set: readVMAC},
	"use_vmac_addr": {takes: "none", help: "macvlans also for addresses elsewhere", acts: "vrrpd",
		set: flag(func(in *instance) { in.vmacAll = true })},
	"vmac_xmit_base": {takes: "none", help: "send and receive on the base interface", acts: "vrrpd",
		set: flag(func(in *instance) { in.xmitBase = true })},
	"use_ipvlan": {takes: "[[name] IFNAME] [IPADDR[/LEN]] [bridge|private|vepa] [group GROUP]", help: "run on an ipvlan over the interface", acts: "vrrpd", set: readIPVLAN},
	"promote_secondaries": {takes: "none", help: "set promote_secondaries on the interface", acts: "vrrpd",
		set: flag(func(in *instance) { in.PromoteAddrs = true })},
}

func readVMAC(p *parser, in *instance, w words) {
	if in.VMAC == nil {
		in.VMAC = &vrrp.VMACConfig{}
	}
	in.VMAC.IPVLAN = false
	for i := 1; w.has(i) && !p.ended; i++ {
		s := p.word(w, i)
		switch {
		case s == "netlink_notify_msg":
			in.VMAC.NotifyMsg = true
		case s == "group":
			i++
			p.linkGroup(in, p.word(w, i), "VMAC")
		case s == "name":
			i++
			p.vmacName(in, p.word(w, i))
		case strings.Contains(s, ":"):
			p.vmacAddress(in, s)
		default:
			p.vmacName(in, s)
		}
	}
}

func (p *parser) linkGroup(in *instance, name, what string) {
	n, ok := p.names().find("group", name, maxUint32)
	if !ok {
		p.errorf("%s group %s not found", what, name)
		return
	}
	in.VMAC.Group, in.VMAC.GroupSet = n, true
}

// vmacAddress reads five or six octets; without the sixth it is the VRID.
func (p *parser) vmacAddress(in *instance, s string) {
	if in.VMAC.MAC != [6]byte{} {
		p.errorf("VMAC interface address already specified")
		return
	}
	parts := strings.Split(s, ":")
	if len(parts) == 6 && parts[5] == "" {
		parts = parts[:5]
	}
	var mac [6]byte
	ok := len(parts) == 5 || len(parts) == 6
	for i, part := range parts {
		if !ok || len(part) == 0 || len(part) > 2 || hexDigit(part[0]) < 0 || hexDigit(part[len(part)-1]) < 0 {
			ok = false
			break
		}
		for k := range len(part) {
			mac[i] = mac[i]<<4 | byte(hexDigit(part[k]))
		}
	}
	switch {
	case !ok:
		p.errorf("VMAC invalid MAC address %s", s)
	case mac[0]&1 != 0:
		p.errorf("VMAC MAC address is multicast %s - ignoring", s)
	case mac[0] == 0 && mac[1] == 0 && mac[2] == 0x5e && mac[3] == 0 && (mac[4] == 1 || mac[4] == 2):
		p.errorf("VMAC MAC address not allowed to be RFC5798 address (%s) - ignoring", s)
	default:
		in.VMAC.MAC, in.shortMAC = mac, len(parts) == 5
	}
}

// nameInUse gives the instance that has already taken a name of an interface.
func (p *parser) nameInUse(in *instance, name string) *instance {
	for _, other := range p.instances {
		if other != in && other.VMAC != nil && other.VMAC.Name == name {
			return other
		}
	}
	return nil
}

func (p *parser) vmacName(in *instance, name string) {
	if in.VMAC.Name != "" {
		p.errorf("VMAC interface name already specified")
		return
	}
	if name == "" || len(name) > maxInterface || strings.ContainsAny(name, "/: \t") || name == "." || name == ".." {
		p.errorf("VMAC interface name '%s' too long or invalid characters - ignoring", name)
		return
	}
	if other := p.nameInUse(in, name); other != nil {
		p.inst(in, "VRRP instance %s is already using %s - ignoring name", other.Name, name)
		return
	}
	if p.env.Link != nil {
		if l, ok := p.env.Link(name); ok && !l.Private {
			p.inst(in, "interface %s already exists and is not a private macvlan; ignoring vmac if_name", name)
			return
		}
	}
	in.VMAC.Name = name
}

func readIPVLAN(p *parser, in *instance, w words) {
	if in.VMAC != nil && in.VMAC.IPVLAN {
		p.inst(in, "use_ipvlan already specified")
		return
	}
	if in.VMAC == nil {
		in.VMAC = &vrrp.VMACConfig{}
	}
	in.VMAC.IPVLAN = true
	modes := map[string]vrrp.IPVLANMode{"bridge": vrrp.IPVLANBridge, "private": vrrp.IPVLANPrivate, "vepa": vrrp.IPVLANVEPA}
	modeSet := false
	for i := 1; w.has(i) && !p.ended; i++ {
		s := p.word(w, i)
		mode, isMode := modes[s]
		switch {
		case isMode && modeSet:
			p.inst(in, "ipvlan type already specified - ignoring '%s'", s)
		case isMode:
			in.VMAC.IPVLANMode, modeSet = mode, true
		case s == "group":
			i++
			p.linkGroup(in, p.word(w, i), "ipvlan")
		case s == "name":
			i++
			p.ipvlanName(in, p.word(w, i))
		default:
			if a, ok := parsePrefix(s); ok {
				p.ipvlanAddress(in, s, a)
			} else {
				p.ipvlanName(in, s)
			}
		}
	}
}

func (p *parser) ipvlanAddress(in *instance, s string, a netip.Prefix) {
	if in.VMAC.Address.IsValid() {
		p.inst(in, "ipvlan address already specified - ignoring '%s'", s)
		return
	}
	if !in.setFamily(a.Addr()) {
		p.inst(in, "ipvlan address[%s] MUST match vrrp instance family !!! Skipping...", s)
		return
	}
	in.VMAC.Address, in.Source = a, a.Addr()
}

func (p *parser) ipvlanName(in *instance, name string) {
	switch {
	case in.VMAC.Name != "":
		p.inst(in, "IPVLAN interface already specified - ignoring '%s'", name)
		return
	case len(name) > maxInterface:
		p.inst(in, "IPVLAN interface name '%s' too long - ignoring", name)
		return
	}
	if other := p.nameInUse(in, name); other != nil {
		p.inst(in, "VRRP instance %s is already using %s - ignoring name", other.Name, name)
		return
	}
	if p.env.Link != nil {
		if l, ok := p.env.Link(name); ok && l.Kind != "ipvlan" {
			p.inst(in, "interface %s already exists and is not an l2 ipvlan; ignoring ipvlan if_name", name)
			return
		}
	}
	in.VMAC.Name = name
}
