package kernel

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

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
	conn   *nftConn
	tables [2]markTable // IPv4, IPv6
}

type markTable struct {
	ipv6 bool

	ranges []MarkRange
	maps   []uint8 // protocols whose map and rule exist; empty: no table
}

// OpenMarker connects to nftables. No table is made yet.
func OpenMarker(opts MarkOptions) (*Marker, error) {
	opts.Table = cmp.Or(opts.Table, "keepalived_ipvs")
	conn, err := dialNFT()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	m := &Marker{opts: opts, conn: conn}
	m.tables[1].ipv6 = true
	return m, nil
}

func (m *Marker) nft(t *markTable) nftTable {
	return nftTable{m.conn, m.opts.Table, nftFamily(t.ipv6)}
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
			t.maps = nil
			if err := m.move(t, nil, want); err != nil {
				return fmt.Errorf("mark packets by nftables: %w", err)
			}
		}
		t.ranges = want
	}
	return nil
}

// move changes elements in one transaction, which also makes what is missing:
// the table, in place of one of an earlier process, maps and rules.
func (m *Marker) move(t *markTable, gone, come []MarkRange) error {
	n := m.nft(t)
	if len(t.maps) == 0 {
		n.replace()
		n.base(chainMark, hookInput, m.opts.Priority)
	}
	for _, p := range t.maps {
		n.delElements(mapName(p), elementsOf(gone, p))
		n.addElements(mapName(p), elementsOf(come, p))
	}
	var missing []uint8
	for _, r := range come {
		if p := r.Protocol; !slices.Contains(t.maps, p) && !slices.Contains(missing, p) {
			missing = append(missing, p)
			n.set(m.protocolMap(t, p), elementsOf(come, p))
			m.addRule(n, t, p)
		}
	}
	if err := m.conn.commit(); err != nil {
		return err
	}
	t.maps = append(t.maps, missing...)
	return nil
}

const chainMark = "in"

// protocolMap is the map from address and port to mark.
func (m *Marker) protocolMap(t *markTable, protocol uint8) nftSet {
	addr := typeIPv4
	if t.ipv6 {
		addr = typeIPv6
	}
	return nftSet{
		name: mapName(protocol), key: []nftType{addr, typeService}, value: &typeMark,
		interval: true, counters: m.opts.Counters,
	}
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

// elementsOf gives the elements of one protocol's map.
func elementsOf(list []MarkRange, protocol uint8) []element {
	var es []element
	for _, r := range list {
		if r.Protocol == protocol {
			es = append(es, r.element())
		}
	}
	return es
}

// element is a range of the map; ports fill four bytes.
func (r MarkRange) element() element {
	key := func(a netip.Addr, port uint16) []byte {
		return append(binary.BigEndian.AppendUint16(a.AsSlice(), port), 0, 0)
	}
	last := r.Port
	if r.Port == 0 {
		last = 0xffff
	}
	return element{key: key(r.First, r.Port), keyEnd: key(r.Last, last), value: native.AppendUint32(nil, r.Mark)}
}

// addRule looks a protocol's packets up in its map and sets their mark.
func (m *Marker) addRule(n nftTable, t *markTable, protocol uint8) {
	// The destination port follows the address in the key's registers.
	daddr, port := network(16, 4), uint32(unix.NFT_REG32_01)
	if t.ipv6 {
		daddr, port = network(24, 16), reg2
	}
	var count []nftExpr
	if m.opts.Counters {
		count = counter()
	}
	n.rule(chainMark, meta(unix.NFT_META_L4PROTO, reg1), equal(protocol), daddr,
		payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, port), lookupTo(mapName(protocol), reg1, reg1),
		setMark(reg1), count, verdict(nftReturn))
}

// Remove deletes the tables that were made.
func (m *Marker) Remove() error {
	for i := range m.tables {
		t := &m.tables[i]
		if len(t.maps) > 0 {
			m.nft(t).add() // so that deleting does not fail
			m.nft(t).delete()
		}
		*t = markTable{ipv6: t.ipv6}
	}
	if err := m.conn.commit(); err != nil {
		return fmt.Errorf("remove nftables table %s: %w", m.opts.Table, err)
	}
	return nil
}

// Close closes the connection; tables stay.
func (m *Marker) Close() error { return m.conn.close() }
