package configparse

import "github.com/keepalived-go/keepalived/vrrp"

// vmacKey tells the virtual interfaces of one VRID apart.
type vmacKey struct {
	base string
	ipv6 bool
}

// carriedVIP is an address that is on a virtual interface of its own and not
// on that of its instance.
type carriedVIP struct {
	key  vmacKey
	text string
}

// ownVMAC is the virtual interface that use_vmac makes.
func (p *parser) ownVMAC(in *instance) (vmacKey, bool) {
	v := in.VMAC
	if v == nil || v.AddrsOnly || v.IPVLAN {
		return vmacKey{}, false
	}
	return vmacKey{p.baseLink(in.Interface), in.IPv6}, true
}

// carriedVIPs are the addresses with use_vmac, and with use_vmac_addr all that
// are on another interface or of another family than the instance.
func (p *parser) carriedVIPs(in *instance) []carriedVIP {
	own, hasOwn := p.ownVMAC(in)
	var out []carriedVIP
	for _, list := range [][]vrrp.Address{in.Addresses, in.Excluded} {
		for _, a := range list {
			name := a.Interface
			if name == "" {
				name = in.Interface
			}
			key := vmacKey{p.baseLink(name), a.Prefix.Addr().Is6()}
			elsewhere := name != in.Interface || key.ipv6 != in.IPv6
			if (a.UseVMAC || in.vmacAll && elsewhere) && (!hasOwn || key != own) {
				out = append(out, carriedVIP{key, addressText(a)})
			}
		}
	}
	return out
}

// checkVMACs finds instances of one VRID that would share a virtual interface
// although they are master at different times (grammar.md 14.2). The first of
// a pair stays in FAULT.
func (p *parser) checkVMACs() {
	byVRID := map[uint8][]*instance{}
	carried := map[*instance][]carriedVIP{}
	for _, in := range p.instances {
		if carried[in] = p.carriedVIPs(in); len(carried[in]) > 0 || in.VMAC != nil {
			byVRID[in.VRID] = append(byVRID[in.VRID], in)
		}
	}
	for _, in := range p.instances {
		for _, other := range byVRID[in.VRID] {
			if other != in && (in.group == nil || in.group != other.group) {
				p.shareVMAC(in, other, carried[in], carried[other])
			}
		}
	}
}

func (p *parser) shareVMAC(in, other *instance, mine, theirs []carriedVIP) {
	own, hasOwn := p.ownVMAC(other)
	for _, v := range mine {
		if hasOwn && v.key == own {
			p.disableVMAC(in, "VIP/eVIP %s uses same VMAC as VRRP instance %s, disabling %s", v.text, other.Name, in.Name)
			return
		}
		for _, w := range theirs {
			if v.key == w.key && other.ConfigFault != sharedVMAC {
				p.disableVMAC(in, "VIP/eVIP %s uses same VMAC as VRRP instance %s VIP/eVIP %s, disabling %s", v.text, other.Name, w.text, in.Name)
				return
			}
		}
	}
}

const sharedVMAC = "VMAC of another instance"

func (p *parser) disableVMAC(in *instance, format string, args ...any) {
	if in.ConfigFault == sharedVMAC {
		return
	}
	p.check(in, format, args...)
	in.ConfigFault = sharedVMAC
}
