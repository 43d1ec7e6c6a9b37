package kernel

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// elementsPerMessage keeps a list of set elements below the 64 KiB that one
// netlink attribute can hold.
const elementsPerMessage = 500

// FirewallOptions name and shape the tables.
type FirewallOptions struct {
	Table    string // empty means "keepalived"
	Priority int32  // of the base chains
	Counters bool   // a counter in every rule that drops or accepts
	// IfIndex uses interface indexes where names are the default.
	IfIndex bool
	// In and Out name the base chains, "in" and "out" if empty. vrrp_iptables
	// gives names here: its service is the same two chains in our own table.
	In, Out string
	// NoIGMP leaves out the rule that moves IGMP reports of IPv4 virtual
	// interfaces to their base (disable_local_igmp: there are none).
	NoIGMP bool
}

// Guarded is an address that no packet may come from or go to, on a link.
type Guarded struct {
	IP   netip.Addr
	Link int // counts for link-local addresses only
}

// GuardedVMAC is a virtual interface whose group reports must leave by its
// base, so that switches do not learn the virtual MAC from a backup.
type GuardedVMAC struct {
	Link, Base int
	Name       string
	IPv6       bool
	// BaseLinkLocal is the base's link-local address, which the virtual
	// interface has too but must not advertise; IPv6 only.
	BaseLinkLocal netip.Addr
}

// Firewall keeps the daemon's own nftables tables, one per family. It holds
// what is wanted in memory; a table is made when first needed, an existing one
// of its name replaced, all in one transaction. It belongs to one goroutine.
type Firewall struct {
	opts   FirewallOptions
	conn   *nftConn
	tables [2]fwTable // IPv4, IPv6
}

// fwTable is one family's table: what must be in it and what is.
type fwTable struct {
	ipv6 bool

	addrs []Guarded
	vmacs []GuardedVMAC

	// made says that the table exists, with rules for virtual interfaces and
	// addresses as the other two say. Rules are never taken away again.
	made, forVMACs, forAddrs bool
}

// OpenFirewall connects to nftables. No table is made yet.
func OpenFirewall(opts FirewallOptions) (*Firewall, error) {
	opts.Table = cmp.Or(opts.Table, "keepalived")
	opts.In, opts.Out = cmp.Or(opts.In, "in"), cmp.Or(opts.Out, "out")
	conn, err := dialNFT()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	f := &Firewall{opts: opts, conn: conn}
	f.tables[1].ipv6 = true
	return f, nil
}

// nft is a family's table in messages.
func (f *Firewall) nft(t *fwTable) nftTable {
	return nftTable{f.conn, f.opts.Table, nftFamily(t.ipv6)}
}

func (f *Firewall) table(ipv6 bool) *fwTable {
	if ipv6 {
		return &f.tables[1]
	}
	return &f.tables[0]
}

// Guard starts and stops guarding addresses. Guarding what is guarded and
// releasing what is not is no error. A link-local address is released on every
// link if none is named: the link may be gone.
func (f *Firewall) Guard(drop, add []Guarded) error {
	for _, ipv6 := range []bool{false, true} {
		t := f.table(ipv6)
		before := slices.Clone(t.addrs)
		for _, g := range drop {
			if g.Link == 0 {
				t.addrs = slices.DeleteFunc(t.addrs, func(h Guarded) bool { return h.IP == g.IP })
			}
		}
		of := func(gs []Guarded) []Guarded {
			gs = slices.DeleteFunc(slices.Clone(gs), func(g Guarded) bool { return g.IP.Is4() == ipv6 })
			for i := range gs {
				if !gs[i].isLinkLocal() {
					gs[i].Link = 0
				}
			}
			return gs
		}
		t.addrs = change(t.addrs, of(drop), of(add))
		gone, come := difference(before, t.addrs)
		if len(gone)+len(come) == 0 {
			continue
		}
		err := f.update(t, func() error { return f.moveAddrs(t, gone, come) })
		if err != nil {
			return fmt.Errorf("guard addresses by nftables: %w", err)
		}
	}
	return nil
}

// GuardVMACs adds and removes virtual interfaces.
func (f *Firewall) GuardVMACs(drop, add []GuardedVMAC) error {
	for _, ipv6 := range []bool{false, true} {
		t := f.table(ipv6)
		before := slices.Clone(t.vmacs)
		of := func(vs []GuardedVMAC) []GuardedVMAC {
			return slices.DeleteFunc(slices.Clone(vs), func(v GuardedVMAC) bool { return v.IPv6 != ipv6 })
		}
		t.vmacs = change(t.vmacs, of(drop), of(add))
		gone, come := difference(before, t.vmacs)
		if len(gone)+len(come) == 0 {
			continue
		}
		err := f.update(t, func() error { return f.moveVMACs(t, gone, come) })
		if err != nil {
			return fmt.Errorf("guard virtual interfaces by nftables: %w", err)
		}
	}
	return nil
}

// change is list without drop and with add, in order, nothing twice.
func change[T comparable](list, drop, add []T) []T {
	list = slices.DeleteFunc(list, func(v T) bool { return slices.Contains(drop, v) })
	for _, v := range add {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// difference gives what is only in before and what is only in after.
func difference[T comparable](before, after []T) (gone, come []T) {
	for _, v := range before {
		if !slices.Contains(after, v) {
			gone = append(gone, v)
		}
	}
	for _, v := range after {
		if !slices.Contains(before, v) {
			come = append(come, v)
		}
	}
	return gone, come
}

// update makes the table if it lacks rules that are needed now; else it makes
// the difference, and the whole table when that fails: somebody may have
// flushed it.
func (f *Firewall) update(t *fwTable, difference func() error) error {
	complete := t.made && (t.forVMACs || len(t.vmacs) == 0) && (t.forAddrs || len(t.addrs) == 0)
	if complete {
		if err := difference(); err == nil {
			return nil
		}
	}
	return f.rebuild(t)
}

// rebuild replaces the table by what is wanted, in one transaction.
func (f *Firewall) rebuild(t *fwTable) error {
	t.forVMACs = t.forVMACs || len(t.vmacs) > 0
	t.forAddrs = t.forAddrs || len(t.addrs) > 0
	f.build(t)
	err := f.conn.commit()
	t.made = err == nil
	return err
}

// moveAddrs changes the elements of the sets of addresses.
func (f *Firewall) moveAddrs(t *fwTable, gone, come []Guarded) error {
	n := f.nft(t)
	n.delElements(setVIPs, addrElements(gone, false))
	n.addElements(setVIPs, addrElements(come, false))
	if t.ipv6 {
		n.delElements(setLinkLocal, addrElements(gone, true))
		n.addElements(setLinkLocal, addrElements(come, true))
	}
	return f.conn.commit()
}

// moveVMACs changes the elements of the sets of virtual interfaces.
func (f *Firewall) moveVMACs(t *fwTable, gone, come []GuardedVMAC) error {
	n := f.nft(t)
	n.delElements(setVMACMap, vmacMapElements(gone))
	n.addElements(setVMACMap, vmacMapElements(come))
	if t.ipv6 {
		n.delElements(setVMACs, vmacElements(gone))
		n.addElements(setVMACs, vmacElements(come))
		n.delElements(setParent, parentElements(gone, f.opts.IfIndex))
		n.addElements(setParent, parentElements(come, f.opts.IfIndex))
	}
	return f.conn.commit()
}

// Remove deletes the tables, if they were made, and forgets what was wanted.
func (f *Firewall) Remove() error {
	for i := range f.tables {
		t := &f.tables[i]
		if t.made {
			f.nft(t).add() // so that deleting does not fail
			f.nft(t).delete()
		}
		*t = fwTable{ipv6: t.ipv6}
	}
	if err := f.conn.commit(); err != nil {
		return fmt.Errorf("remove nftables table %s: %w", f.opts.Table, err)
	}
	return nil
}

// Close closes the connection; tables stay.
func (f *Firewall) Close() error { return f.conn.close() }

// isLinkLocal reports whether g is guarded together with its link.
func (g Guarded) isLinkLocal() bool { return g.IP.Is6() && g.IP.IsLinkLocalUnicast() }

// addrElements gives the elements of the set of addresses, or of the set of
// addresses with links.
func addrElements(gs []Guarded, link bool) []element {
	var es []element
	for _, g := range gs {
		if g.isLinkLocal() != link {
			continue
		}
		key := g.IP.AsSlice()
		if link {
			key = native.AppendUint32(key, uint32(g.Link))
		}
		es = append(es, element{key: key})
	}
	return es
}

func vmacMapElements(vs []GuardedVMAC) []element {
	var es []element
	for _, v := range vs {
		es = append(es, element{
			key: native.AppendUint32(nil, uint32(v.Link)), value: native.AppendUint32(nil, uint32(v.Base)),
		})
	}
	return es
}

func vmacElements(vs []GuardedVMAC) []element {
	var es []element
	for _, v := range vs {
		es = append(es, element{key: native.AppendUint32(nil, uint32(v.Link))})
	}
	return es
}

func parentElements(vs []GuardedVMAC, index bool) []element {
	var es []element
	for _, v := range vs {
		if !v.BaseLinkLocal.IsValid() {
			continue
		}
		key := v.BaseLinkLocal.AsSlice()
		if index {
			key = native.AppendUint32(key, uint32(v.Link))
		} else {
			key = append(key, ifName(v.Name)...)
		}
		es = append(es, element{key: key})
	}
	return es
}

// ifName is an interface name as the kernel compares it: padded with zeros.
func ifName(s string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, s)
	return b
}
