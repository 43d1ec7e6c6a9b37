package kernel

// Names of sets and chains, the original's (vrrp.md 4.9).
const (
	setVIPs      = "vips"
	setLinkLocal = "vips_link_local"
	setND        = "neighbor-discovery"
	setVMACMap   = "vmac_map"
	setVMACs     = "vmac_set"
	setMLD       = "mld-report"
	setParent    = "parent_link_local"

	chainInLinkLocal  = "in_link_local"
	chainOutLinkLocal = "out_link_local"
)

// ICMPv6 types, RFC 4861 section 4, RFC 2710 section 3, RFC 3810 section 5.2.
const (
	icmp6MLDReport    = 131
	icmp6RouterSol    = 133
	icmp6NeighbourSol = 135
	icmp6NeighbourAdv = 136
	icmp6MLD2Report   = 143
)

// build writes a whole table: sets with their elements, chains, rules.
func (f *Firewall) build(t *fwTable) {
	n := f.nft(t)
	n.replace()
	if t.ipv6 {
		f.build6(n, t)
	} else {
		f.build4(n, t)
	}
}

func (f *Firewall) build4(n nftTable, t *fwTable) {
	if t.forVMACs {
		n.set(vmacMap(), vmacMapElements(t.vmacs))
	}
	if t.forAddrs {
		n.set(nftSet{name: setVIPs, key: []nftType{typeIPv4}}, addrElements(t.addrs, false))
	}
	n.base(f.opts.Out, hookOutput, f.opts.Priority)
	if t.forVMACs && !f.opts.NoIGMP {
		n.rule(f.opts.Out, network(9, 1), equal(protocolIGMP), macvlan(), network(16, 4), dupToBase(), verdict(nfDrop))
	}
	if t.forAddrs {
		n.base(f.opts.In, hookInput, f.opts.Priority)
		n.rule(f.opts.Out, network(12, 4), lookup(setVIPs), f.counted(nfDrop))
		n.rule(f.opts.In, network(16, 4), lookup(setVIPs), f.counted(nfDrop))
	}
}

const protocolIGMP = 2

func vmacMap() nftSet {
	return nftSet{name: setVMACMap, key: []nftType{typeIFIndex}, value: &typeIFIndex}
}

func (f *Firewall) build6(n nftTable, t *fwTable) {
	if t.forVMACs {
		n.set(vmacMap(), vmacMapElements(t.vmacs))
		n.set(nftSet{name: setVMACs, key: []nftType{typeIFIndex}}, vmacElements(t.vmacs))
		n.set(nftSet{name: setMLD, key: []nftType{typeICMP6Type}, constant: true}, icmpTypes(icmp6MLDReport, icmp6MLD2Report))
		link := typeIFName
		if f.opts.IfIndex {
			link = typeIFIndex
		}
		n.set(nftSet{name: setParent, key: []nftType{typeIPv6, link}}, parentElements(t.vmacs, f.opts.IfIndex))
	}
	if t.forAddrs {
		n.set(nftSet{name: setVIPs, key: []nftType{typeIPv6}}, addrElements(t.addrs, false))
		n.set(nftSet{name: setND, key: []nftType{typeICMP6Type}, constant: true}, icmpTypes(icmp6NeighbourSol, icmp6NeighbourAdv))
		n.set(nftSet{name: setLinkLocal, key: []nftType{typeIPv6, typeIFIndex}}, addrElements(t.addrs, true))
	}
	n.base(f.opts.Out, hookOutput, f.opts.Priority)
	if t.forVMACs {
		f.vmacRules6(n)
	}
	if t.forAddrs {
		f.addrRules6(n)
	}
}

// vmacRules6 keeps a virtual interface from advertising the address it shares
// with its base, and sends its group reports by the base.
func (f *Firewall) vmacRules6(n nftTable) {
	link := uint32(metaOIFName)
	if f.opts.IfIndex {
		link = metaOIF
	}
	out := f.opts.Out
	n.rule(out, icmp6(), equal(icmp6NeighbourAdv), macvlan(), network(8, 16), meta(link, reg2), lookup(setParent), verdict(nfDrop))
	n.rule(out, icmp6(), lookup(setMLD), macvlan(), network(24, 16), dupToBase(), verdict(nfDrop))
	n.rule(out, icmp6(), equal(icmp6RouterSol), macvlan(), meta(metaOIF, reg1), lookup(setVMACs), verdict(nfDrop))
}

func (f *Firewall) addrRules6(n nftTable) {
	n.base(f.opts.In, hookInput, f.opts.Priority)
	n.chain(chainInLinkLocal)
	n.chain(chainOutLinkLocal)
	n.rule(chainInLinkLocal, network(24, 16), meta(metaIIF, reg2), lookup(setLinkLocal), f.counted(nfDrop))
	n.rule(chainOutLinkLocal, network(8, 16), meta(metaOIF, reg2), lookup(setLinkLocal), f.counted(nfDrop))
	for _, c := range []struct {
		chain string
		addr  uint32 // offset of source or destination in the header
		local string
	}{{f.opts.Out, 8, chainOutLinkLocal}, {f.opts.In, 24, chainInLinkLocal}} {
		n.rule(c.chain, icmp6(), lookup(setND), f.counted(nfAccept))
		n.rule(c.chain, network(c.addr, 16), inFE80(), goTo(c.local))
		n.rule(c.chain, network(c.addr, 16), lookup(setVIPs), f.counted(nfDrop))
	}
}

// counted is a verdict with the counter that nftables_counters asks for.
func (f *Firewall) counted(code uint32) []nftExpr {
	if f.opts.Counters {
		return append(counter(), verdict(code)...)
	}
	return verdict(code)
}

func icmpTypes(types ...byte) []element {
	var es []element
	for _, t := range types {
		es = append(es, element{key: []byte{t}})
	}
	return es
}
