package kernel

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// MarkOptions name and shape the tables of a Marker.
type MarkOptions struct {
	Table    string // empty means "keepalived_ipvs"
	Priority int32  // of the base chain
	Counters bool   // a counter in every element and rule
}

// MarkRange gives the packets to a range of addresses a firewall mark.
type MarkRange struct {
	First, Last netip.Addr // of one family
	Port        uint16     // 0: any
	Protocol    uint8      // TCP, UDP or SCTP
	Mark        uint32
}

// Marker keeps the tables of nftables_ipvs: per family one map per protocol
// from address and port to mark, and a chain that looks them up. A table is
// made when first needed; later changes touch elements only. It belongs to one
// goroutine.
type Marker struct {
	opts   MarkOptions
	conn   *nftables.Conn
	tables [2]markTable // IPv4, IPv6
}

type markTable struct {
	family nftables.TableFamily
	ipv6   bool

	ranges []MarkRange
	maps   []uint8 // protocols whose map and rule exist; empty: no table
}

// OpenMarker connects to nftables. No table is made yet.
func OpenMarker(opts MarkOptions) (*Marker, error) {
	opts.Table = cmp.Or(opts.Table, "keepalived_ipvs")
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	m := &Marker{opts: opts, conn: conn}
	m.tables[0].family = nftables.TableFamilyIPv4
	m.tables[1] = markTable{family: nftables.TableFamilyIPv6, ipv6: true}
	return m, nil
}

// Set makes the marked ranges those of the list.
func (m *Marker) Set(ranges []MarkRange) error {
	for i := range m.tables {
		t := &m.tables[i]
		want := slices.DeleteFunc(slices.Clone(ranges), func(r MarkRange) bool { return r.First.Is4() == t.ipv6 })
		gone, come := difference(t.ranges, want)
		if len(gone)+len(come) == 0 {
			continue
		}
		if err := m.move(t, gone, come); err != nil {
			// Somebody may have changed the table: make it anew.
			if err := m.remake(t, want); err != nil {
				return fmt.Errorf("mark packets by nftables: %w", err)
			}
		}
		t.ranges = want
	}
	return nil
}

func (m *Marker) remake(t *markTable, want []MarkRange) error {
	m.drop(t)
	if err := m.conn.Flush(); err != nil {
		return err
	}
	return m.move(t, nil, want)
}

// drop queues the removal of a table.
func (m *Marker) drop(t *markTable) {
	table := &nftables.Table{Name: m.opts.Table, Family: t.family}
	m.conn.AddTable(table) // so that deleting does not fail
	m.conn.DelTable(table)
	t.maps, t.ranges = nil, nil
}

// move changes elements; maps and rules that are needed now are made before.
func (m *Marker) move(t *markTable, gone, come []MarkRange) error {
	var missing []uint8
	for _, r := range come {
		if !slices.Contains(t.maps, r.Protocol) && !slices.Contains(missing, r.Protocol) {
			missing = append(missing, r.Protocol)
		}
	}
	if len(t.maps) == 0 {
		m.drop(t) // of an earlier process
		if err := m.conn.Flush(); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		if err := m.makeMaps(t, missing); err != nil {
			return err
		}
	}
	for _, p := range slices.Concat(t.maps, missing) {
		of := func(list []MarkRange) []nftables.SetElement {
			var es []nftables.SetElement
			for _, r := range list {
				if r.Protocol == p {
					es = append(es, r.element())
				}
			}
			return es
		}
		set := m.set(t, p)
		for chunk := range slices.Chunk(of(gone), elementsPerMessage) {
			if err := m.conn.SetDeleteElements(set, chunk); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(of(come), elementsPerMessage) {
			if err := m.conn.SetAddElements(set, chunk); err != nil {
				return err
			}
		}
	}
	m.rules(t, missing)
	if err := m.conn.Flush(); err != nil {
		return err
	}
	t.maps = append(t.maps, missing...)
	return nil
}

// set describes the map of a protocol to the library.
func (m *Marker) set(t *markTable, protocol uint8) *nftables.Set {
	return &nftables.Set{
		Table: &nftables.Table{Name: m.opts.Table, Family: t.family}, Name: mapName(protocol),
		IsMap: true, Interval: true, Concatenation: true,
		KeyType: nftables.MustConcatSetType(t.addrType(), nftables.TypeInetService), DataType: nftables.TypeMark,
	}
}

func (t *markTable) addrType() nftables.SetDatatype {
	if t.ipv6 {
		return nftables.TypeIP6Addr
	}
	return nftables.TypeIPAddr
}

func mapName(protocol uint8) string {
	switch protocol {
	case unix.IPPROTO_TCP:
		return "tcp_map"
	case unix.IPPROTO_UDP:
		return "udp_map"
	}
	return "sctp_map"
}

// element is a range of the map; ports fill four bytes.
func (r MarkRange) element() nftables.SetElement {
	key := func(a netip.Addr, port uint16) []byte {
		return append(binary.BigEndian.AppendUint16(a.AsSlice(), port), 0, 0)
	}
	e := nftables.SetElement{Key: key(r.First, r.Port), KeyEnd: key(r.Last, r.Port), Val: native.AppendUint32(nil, r.Mark)}
	if r.Port == 0 {
		e.KeyEnd = key(r.Last, 0xffff)
	}
	return e
}

// rules adds the chain, with the first map, and one rule per map.
func (m *Marker) rules(t *markTable, protocols []uint8) {
	table := &nftables.Table{Name: m.opts.Table, Family: t.family}
	accept, priority := nftables.ChainPolicyAccept, nftables.ChainPriority(m.opts.Priority)
	chain := &nftables.Chain{
		Name: "in", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput,
		Priority: &priority, Policy: &accept,
	}
	if len(t.maps) == 0 && len(protocols) > 0 {
		m.conn.AddChain(chain)
	}
	daddr, portReg := network(16, 4), uint32(unix.NFT_REG32_01)
	if t.ipv6 {
		daddr, portReg = network(24, 16), reg2
	}
	for _, p := range protocols {
		parts := [][]expr.Any{
			meta(expr.MetaKeyL4PROTO, reg1), equal(p), daddr,
			{&expr.Payload{DestRegister: portReg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
				&expr.Lookup{SourceRegister: reg1, DestRegister: reg1, IsDestRegSet: true, SetName: mapName(p)},
				&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: reg1}},
		}
		if m.opts.Counters {
			parts = append(parts, []expr.Any{&expr.Counter{}})
		}
		parts = append(parts, verdict(expr.VerdictReturn))
		m.conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: slices.Concat(parts...)})
	}
}

// Attributes of sets that package unix lacks, linux/netfilter/nf_tables.h.
const (
	nftaSetDescConcat = 2
	nftaSetExpr       = 17
	nftSetConcat      = 0x80
	// Byte orders in the user data that nft reads back (libnftnl udata.h).
	hostEndian, bigEndian = 1, 2
)

// makeMaps makes the table and maps by hand: the library cannot say that the
// values are in host byte order, and nft would print marks turned round.
func (m *Marker) makeMaps(t *markTable, protocols []uint8) error {
	name := []byte(m.opts.Table + "\x00")
	batch := []netlink.Message{nfMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.NFNL_SUBSYS_NFTABLES, 0, nil)}
	const newTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	const newSet = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWSET
	batch = append(batch, nfMessage(newTable, uint8(t.family), 0, netlink.Create|netlink.Acknowledge,
		[]netlink.Attribute{{Type: unix.NFTA_TABLE_NAME, Data: name}}))
	for i, p := range protocols {
		key := m.set(t, p).KeyType
		flags := uint32(unix.NFT_SET_MAP | unix.NFT_SET_INTERVAL | nftSetConcat)
		data := userdata.AppendUint32(nil, userdata.NFTNL_UDATA_SET_KEYBYTEORDER, bigEndian)
		data = userdata.AppendUint32(data, userdata.NFTNL_UDATA_SET_DATABYTEORDER, hostEndian)
		attrs := []netlink.Attribute{
			{Type: unix.NFTA_SET_TABLE, Data: name},
			{Type: unix.NFTA_SET_NAME, Data: []byte(mapName(p) + "\x00")},
			{Type: unix.NFTA_SET_FLAGS, Data: be32(flags)},
			{Type: unix.NFTA_SET_KEY_TYPE, Data: be32(key.GetNFTMagic())},
			{Type: unix.NFTA_SET_KEY_LEN, Data: be32(t.addrType().Bytes + 4)},
			{Type: unix.NFTA_SET_DATA_TYPE, Data: be32(nftables.TypeMark.GetNFTMagic())},
			{Type: unix.NFTA_SET_DATA_LEN, Data: be32(4)},
			{Type: unix.NFTA_SET_ID, Data: be32(uint32(i + 1))},
			nest(unix.NFTA_SET_DESC, nest(nftaSetDescConcat, fieldLen(t.addrType().Bytes), fieldLen(2))),
			{Type: unix.NFTA_SET_USERDATA, Data: data},
		}
		if m.opts.Counters {
			attrs = append(attrs, nest(nftaSetExpr,
				netlink.Attribute{Type: unix.NFTA_EXPR_NAME, Data: []byte("counter\x00")}, nest(unix.NFTA_EXPR_DATA)))
		}
		batch = append(batch, nfMessage(newSet, uint8(t.family), 0, netlink.Create|netlink.Acknowledge, attrs))
	}
	batch = append(batch, nfMessage(unix.NFNL_MSG_BATCH_END, 0, unix.NFNL_SUBSYS_NFTABLES, 0, nil))
	return sendBatch(batch)
}

// nfMessage is one message of nfnetlink; res is its res_id.
func nfMessage(typ uint16, family uint8, res uint16, flags netlink.HeaderFlags, attrs []netlink.Attribute) netlink.Message {
	data := binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, res)
	b, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		panic(fmt.Sprintf("nftables attributes: %v", err)) // only for more than 64 kB
	}
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | flags},
		Data:   append(data, b...),
	}
}

func nest(typ uint16, attrs ...netlink.Attribute) netlink.Attribute {
	b, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		panic(fmt.Sprintf("nftables attributes: %v", err)) // only for more than 64 kB
	}
	return netlink.Attribute{Type: typ | unix.NLA_F_NESTED, Data: b}
}

// fieldLen is one field of a concatenated key.
func fieldLen(n uint32) netlink.Attribute {
	return nest(unix.NFTA_LIST_ELEM, netlink.Attribute{Type: 1, Data: be32(n)})
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// sendBatch sends a transaction and waits for its acknowledgements.
func sendBatch(batch []netlink.Message) error {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.SendMessages(batch); err != nil {
		return err
	}
	for range len(batch) - 2 { // not for begin and end
		if _, err := c.Receive(); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes the tables that were made.
func (m *Marker) Remove() error {
	for i := range m.tables {
		if t := &m.tables[i]; len(t.maps) > 0 {
			m.drop(t)
		}
	}
	if err := m.conn.Flush(); err != nil {
		return fmt.Errorf("remove nftables table %s: %w", m.opts.Table, err)
	}
	return nil
}

// Close closes the connection; tables stay.
func (m *Marker) Close() error { return m.conn.CloseLasting() }
