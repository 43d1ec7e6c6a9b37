package kernel

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

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

// metaOIFKind is NFT_META_OIFKIND: the driver's name of the outgoing interface.
const metaOIFKind expr.MetaKey = 27

// Registers hold 16 bytes each; a key of address and name or index runs on into
// the next one.
const (
	reg1 = unix.NFT_REG_1
	reg2 = unix.NFT_REG_2
)

// fwBuilder writes one table. The first error sticks.
type fwBuilder struct {
	conn  *nftables.Conn
	opts  FirewallOptions
	table *nftables.Table
	sets  map[string]*nftables.Set
	err   error

	in, out *nftables.Chain
}

func (b *fwBuilder) ipv4(t *fwTable) {
	if t.forVMACs {
		b.set(&nftables.Set{
			Name: setVMACMap, IsMap: true, KeyType: nftables.TypeIFIndex, DataType: nftables.TypeIFIndex,
			KeyByteOrder: binaryutil.NativeEndian,
		}, vmacMapElements(t.vmacs))
	}
	if t.forAddrs {
		b.set(&nftables.Set{Name: setVIPs, KeyType: nftables.TypeIPAddr, KeyByteOrder: binaryutil.BigEndian},
			addrElements(t.addrs, false))
	}
	b.out = b.base(b.opts.Out, nftables.ChainHookOutput)
	if t.forVMACs && !b.opts.NoIGMP {
		b.rule(b.out, network(9, 1), equal(unix.IPPROTO_IGMP), macvlan(),
			network(16, 4), b.dupToBase(), verdict(expr.VerdictDrop))
	}
	if t.forAddrs {
		b.in = b.base(b.opts.In, nftables.ChainHookInput)
		b.rule(b.out, network(12, 4), b.lookup(setVIPs), b.counted(expr.VerdictDrop))
		b.rule(b.in, network(16, 4), b.lookup(setVIPs), b.counted(expr.VerdictDrop))
	}
}

func (b *fwBuilder) ipv6(t *fwTable) {
	if t.forVMACs {
		b.vmacSets6(t)
	}
	if t.forAddrs {
		b.addrSets6(t)
	}
	b.out = b.base(b.opts.Out, nftables.ChainHookOutput)
	if t.forVMACs {
		b.vmacRules6()
	}
	if t.forAddrs {
		b.in = b.base(b.opts.In, nftables.ChainHookInput)
		b.addrRules6()
	}
}

func (b *fwBuilder) vmacSets6(t *fwTable) {
	b.set(&nftables.Set{
		Name: setVMACMap, IsMap: true, KeyType: nftables.TypeIFIndex, DataType: nftables.TypeIFIndex,
		KeyByteOrder: binaryutil.NativeEndian,
	}, vmacMapElements(t.vmacs))
	b.set(&nftables.Set{Name: setVMACs, KeyType: nftables.TypeIFIndex, KeyByteOrder: binaryutil.NativeEndian},
		vmacElements(t.vmacs))
	b.set(&nftables.Set{Name: setMLD, KeyType: nftables.TypeICMP6Type, Constant: true}, icmpTypes(icmp6MLDReport, icmp6MLD2Report))
	link := nftables.TypeIFName
	if b.opts.IfIndex {
		link = nftables.TypeIFIndex
	}
	b.set(&nftables.Set{
		Name: setParent, Concatenation: true, KeyType: nftables.MustConcatSetType(nftables.TypeIP6Addr, link),
	}, parentElements(t.vmacs, b.opts.IfIndex))
}

func (b *fwBuilder) addrSets6(t *fwTable) {
	b.set(&nftables.Set{Name: setVIPs, KeyType: nftables.TypeIP6Addr, KeyByteOrder: binaryutil.BigEndian},
		addrElements(t.addrs, false))
	b.set(&nftables.Set{Name: setND, KeyType: nftables.TypeICMP6Type, Constant: true}, icmpTypes(icmp6NeighbourSol, icmp6NeighbourAdv))
	b.set(&nftables.Set{
		Name: setLinkLocal, Concatenation: true,
		KeyType: nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeIFIndex),
	}, addrElements(t.addrs, true))
}

// vmacRules6 keeps a virtual interface from advertising the address it shares
// with its base, and sends its group reports by the base.
func (b *fwBuilder) vmacRules6() {
	link := expr.MetaKeyOIFNAME
	if b.opts.IfIndex {
		link = expr.MetaKeyOIF
	}
	b.rule(b.out, icmp6(), equal(icmp6NeighbourAdv), macvlan(),
		network(8, 16), meta(link, reg2), b.lookup(setParent), verdict(expr.VerdictDrop))
	b.rule(b.out, icmp6(), b.lookup(setMLD), macvlan(),
		network(24, 16), b.dupToBase(), verdict(expr.VerdictDrop))
	b.rule(b.out, icmp6(), equal(icmp6RouterSol), macvlan(),
		meta(expr.MetaKeyOIF, reg1), b.lookup(setVMACs), verdict(expr.VerdictDrop))
}

func (b *fwBuilder) addrRules6() {
	inLocal := b.conn.AddChain(&nftables.Chain{Name: chainInLinkLocal, Table: b.table})
	outLocal := b.conn.AddChain(&nftables.Chain{Name: chainOutLinkLocal, Table: b.table})
	b.rule(inLocal, network(24, 16), meta(expr.MetaKeyIIF, reg2), b.lookup(setLinkLocal), b.counted(expr.VerdictDrop))
	b.rule(outLocal, network(8, 16), meta(expr.MetaKeyOIF, reg2), b.lookup(setLinkLocal), b.counted(expr.VerdictDrop))
	for _, c := range []struct {
		chain *nftables.Chain
		addr  uint32 // offset of source or destination in the header
		local string
	}{{b.out, 8, chainOutLinkLocal}, {b.in, 24, chainInLinkLocal}} {
		b.rule(c.chain, icmp6(), b.lookup(setND), b.counted(expr.VerdictAccept))
		b.rule(c.chain, network(c.addr, 16), inFE80(), []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: c.local}})
		b.rule(c.chain, network(c.addr, 16), b.lookup(setVIPs), b.counted(expr.VerdictDrop))
	}
}

// set adds a set with its elements.
func (b *fwBuilder) set(s *nftables.Set, elements []nftables.SetElement) {
	s.Table = b.table
	b.sets[s.Name] = s
	first := elements[:min(len(elements), elementsPerMessage)]
	b.keep(b.conn.AddSet(s, first))
	for chunk := range slices.Chunk(elements[len(first):], elementsPerMessage) {
		b.keep(b.conn.SetAddElements(s, chunk))
	}
}

func (b *fwBuilder) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *fwBuilder) base(name string, hook *nftables.ChainHook) *nftables.Chain {
	accept := nftables.ChainPolicyAccept
	priority := nftables.ChainPriority(b.opts.Priority)
	return b.conn.AddChain(&nftables.Chain{
		Name: name, Table: b.table, Type: nftables.ChainTypeFilter, Hooknum: hook,
		Priority: &priority, Policy: &accept,
	})
}

func (b *fwBuilder) rule(chain *nftables.Chain, parts ...[]expr.Any) {
	b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: chain, Exprs: slices.Concat(parts...)})
}

// lookup matches when the key from register 1 on is in a set.
func (b *fwBuilder) lookup(set string) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: reg1, SetName: set, SetID: b.sets[set].ID}}
}

// dupToBase sends a copy of the packet, with the destination address in
// register 1, out of the base of the interface it was about to leave by.
func (b *fwBuilder) dupToBase() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyOIF, Register: reg2},
		&expr.Lookup{
			SourceRegister: reg2, DestRegister: reg2, IsDestRegSet: true,
			SetName: setVMACMap, SetID: b.sets[setVMACMap].ID,
		},
		&expr.Dup{RegAddr: reg1, RegDev: reg2, IsRegDevSet: true},
	}
}

// counted is a verdict with the counter that nftables_counters asks for.
func (b *fwBuilder) counted(kind expr.VerdictKind) []expr.Any {
	if b.opts.Counters {
		return append([]expr.Any{&expr.Counter{}}, verdict(kind)...)
	}
	return verdict(kind)
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

// network loads bytes of the IP header into register 1.
func network(offset, length uint32) []expr.Any {
	return []expr.Any{&expr.Payload{
		DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length,
	}}
}

// icmp6 matches ICMPv6 and loads its type.
func icmp6() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{unix.IPPROTO_ICMPV6}},
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
	}
}

func equal(v byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{v}}}
}

func meta(key expr.MetaKey, register uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: register}}
}

// macvlan matches packets that leave by a macvlan.
func macvlan() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: metaOIFKind, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: ifName("macvlan")},
	}
}

// inFE80 matches an address in register 1 that is in fe80::/10.
func inFE80() []expr.Any {
	mask, value := make([]byte, 16), make([]byte, 16)
	mask[0], mask[1] = 0xff, 0xc0
	value[0], value[1] = 0xfe, 0x80
	return []expr.Any{
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 16, Mask: mask, Xor: make([]byte, 16)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: value},
	}
}

func icmpTypes(types ...byte) []nftables.SetElement {
	var es []nftables.SetElement
	for _, t := range types {
		es = append(es, nftables.SetElement{Key: []byte{t}})
	}
	return es
}
