package kernel

import (
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// ProtocolKeepalived marks addresses, routes and rules as ours: IFA_PROTO,
	// rtm_protocol and FRA_PROTOCOL of what the daemon adds.
	ProtocolKeepalived = 18

	// Forever is the lifetime, in seconds, of an address that does not age.
	Forever = ^uint32(0)

	ifaddrmsgLen = 8
	ifaProto     = 11 // IFA_PROTO, kernel 5.18; older ones ignore it
)

// Address is one IP address on one link. It is comparable with ==.
type Address struct {
	Link   int          // interface index
	Prefix netip.Prefix // the address itself, not masked, and its prefix length
	Peer   netip.Addr   // far end; the prefix length is then the peer's

	// Broadcast is set for IPv4 if asked for; none is computed.
	Broadcast netip.Addr
	// Label is the IPv4 interface label ("eth0:1"), at most 15 bytes.
	Label string
	// Scope is RT_SCOPE_*; the kernel derives its own for IPv6.
	Scope uint8
	// Flags are IFA_F_* (unix.IFA_F_NODAD and so on).
	Flags uint32

	// Preferred and Valid are lifetimes in seconds, for IPv6. Preferred zero is
	// a deprecated address, Forever one that does not age. Valid is only read:
	// what is added is always valid for ever.
	Preferred, Valid uint32

	// Protocol says who added the address, ProtocolKeepalived for us.
	Protocol uint8
}

// IP is the address without its prefix length.
func (a Address) IP() netip.Addr { return a.Prefix.Addr() }

// Same reports whether a and b are the same address for the kernel, of which
// only one can exist on a link: for IPv4 address, prefix length and peer, for
// IPv6 the address alone.
func (a Address) Same(b Address) bool {
	if a.Link != b.Link || a.IP() != b.IP() {
		return false
	}
	return a.IP().Is6() || a.Prefix == b.Prefix && a.peer() == b.peer()
}

// peer is the far end or, as the kernel reports it, the address itself.
func (a Address) peer() netip.Addr {
	if a.Peer.IsValid() {
		return a.Peer
	}
	return a.IP()
}

// settable are the flags that a request can set and a dump shows again.
const settable = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// Matches reports whether have, read from the kernel, is what a asks for. What
// the kernel decides by itself (scope of IPv6, state flags, ageing of a
// lifetime, the default label) is not looked at, nor is the protocol, which
// kernels before 5.18 do not keep.
func (a Address) Matches(have Address) bool {
	if !a.Same(have) || a.Prefix != have.Prefix || a.peer() != have.peer() || a.Broadcast != have.Broadcast || a.Flags&settable != have.Flags&settable {
		return false
	}
	if a.IP().Is4() {
		return a.Scope == have.Scope && (a.Label == "" || a.Label == have.Label)
	}
	return (a.Preferred == Forever) == (have.Preferred == Forever) &&
		(a.Preferred == 0) == (have.Preferred == 0)
}

func (a Address) family() uint8 {
	if a.IP().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func (a Address) appendHeader(b []byte) []byte {
	b = append(b, a.family(), uint8(a.Prefix.Bits()), uint8(a.Flags), a.Scope)
	return native.AppendUint32(b, uint32(a.Link))
}

// appendAdd writes the body of RTM_NEWADDR, attributes in the order of the
// original daemon.
func (a Address) appendAdd(b []byte) []byte {
	b = a.appendHeader(b)
	if a.family() == unix.AF_INET6 && a.Preferred != Forever {
		b = native.AppendUint16(b, attrHeaderLen+16)
		b = native.AppendUint16(b, unix.IFA_CACHEINFO)
		b = native.AppendUint32(b, a.Preferred)
		b = native.AppendUint32(b, Forever)
		b = append(b, make([]byte, 8)...) // created, updated: the kernel's
	}
	b = appendIP(b, unix.IFA_LOCAL, a.IP())
	if a.Broadcast.IsValid() {
		b = appendIP(b, unix.IFA_BROADCAST, a.Broadcast)
	}
	if a.Flags != 0 {
		b = appendU32(b, unix.IFA_FLAGS, a.Flags)
	}
	if a.Label != "" {
		b = appendString(b, unix.IFA_LABEL, a.Label)
	}
	if a.Peer.IsValid() {
		b = appendIP(b, unix.IFA_ADDRESS, a.Peer)
	}
	if a.Protocol != 0 {
		b = appendU8(b, ifaProto, a.Protocol)
	}
	return b
}

// appendDel writes the body of RTM_DELADDR.
func (a Address) appendDel(b []byte) []byte {
	b = append(b, a.family(), uint8(a.Prefix.Bits()), 0, 0)
	b = native.AppendUint32(b, uint32(a.Link))
	b = appendIP(b, unix.IFA_LOCAL, a.IP())
	if a.IP().Is4() {
		// keepalived sends the address itself even with a peer, which the
		// kernel does not find; the peer is what it compares.
		b = appendIP(b, unix.IFA_ADDRESS, a.peer())
	}
	return b
}

// parseAddress reads the body of RTM_NEWADDR or RTM_DELADDR.
func parseAddress(b []byte) (Address, error) {
	if len(b) < ifaddrmsgLen {
		return Address{}, errMalformed
	}
	bits := int(b[1])
	a := Address{
		Link: int(native.Uint32(b[4:])), Flags: uint32(b[2]), Scope: b[3],
		Preferred: Forever, Valid: Forever,
	}
	var local, address netip.Addr
	for typ, v := range attributes(b[ifaddrmsgLen:]) {
		switch typ {
		case unix.IFA_LOCAL:
			local = ipAddr(v)
		case unix.IFA_ADDRESS:
			address = ipAddr(v)
		case unix.IFA_BROADCAST:
			a.Broadcast = ipAddr(v)
		case unix.IFA_LABEL:
			a.Label = cstring(v)
		case unix.IFA_FLAGS:
			a.Flags = u32(v)
		case unix.IFA_CACHEINFO:
			if len(v) >= 8 {
				a.Preferred, a.Valid = u32(v), u32(v[4:])
			}
		case ifaProto:
			a.Protocol = u8(v)
		}
	}
	// IPv6 names the address IFA_ADDRESS, and with a peer IFA_LOCAL too.
	switch {
	case !local.IsValid():
		local = address
	case address.IsValid() && address != local:
		a.Peer = address
	}
	a.Prefix = netip.PrefixFrom(local, bits)
	if !a.Prefix.IsValid() {
		return Address{}, errMalformed
	}
	return a, nil
}

// AddAddrs adds addresses in order. One that exists is left as it is.
func (k *Kernel) AddAddrs(as []Address) []error {
	errs := k.conn.batch(unix.RTM_NEWADDR, 0, len(as), func(b []byte, i int) []byte {
		return as[i].appendAdd(b)
	})
	return describeAddrs("add", forgive(errs, unix.EEXIST), as)
}

// DelAddrs deletes addresses in order. That one, or its link, is gone already
// is no error.
func (k *Kernel) DelAddrs(as []Address) []error {
	for i := range as {
		k.deleted.add(as[i])
	}
	errs := k.conn.batch(unix.RTM_DELADDR, 0, len(as), func(b []byte, i int) []byte {
		return as[i].appendDel(b)
	})
	for i, err := range errs {
		if err != nil {
			k.deleted.take(as[i]) // no notice will come
		}
	}
	return describeAddrs("delete", forgive(errs, unix.EADDRNOTAVAIL, unix.ENODEV), as)
}

// pendingAddrs counts addresses of which a notice is to come. The kernel does
// not say whose doing a deletion was: those of IPv6 carry no port, and what goes
// because a primary IPv4 address went carries the port of whoever deleted that.
type pendingAddrs struct {
	mu    sync.Mutex // guards count: the Watcher has a goroutine of its own
	count map[pendingAddr]int
}

type pendingAddr struct {
	link   int
	prefix netip.Prefix
}

func (p *pendingAddrs) add(a Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		p.count = map[pendingAddr]int{}
	}
	p.count[pendingAddr{a.Link, a.Prefix}]++
}

// take counts one less, and reports whether one was expected.
func (p *pendingAddrs) take(a Address) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pendingAddr{a.Link, a.Prefix}
	n := p.count[key]
	if n <= 1 {
		delete(p.count, key)
	} else {
		p.count[key] = n - 1
	}
	return n > 0
}

// forget expects nothing any more: notices were lost.
func (p *pendingAddrs) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.count)
}

func describeAddrs(verb string, errs []error, as []Address) []error {
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%s address %v on link %d: %w", verb, as[i].Prefix, as[i].Link, err)
		}
	}
	return errs
}

// Addrs lists the addresses of all links, of both families.
func (k *Kernel) Addrs() ([]Address, error) {
	var all []Address
	err := k.conn.dump(unix.RTM_GETADDR, make([]byte, ifaddrmsgLen), func() { all = all[:0] },
		func(typ uint16, body []byte) error {
			if typ != unix.RTM_NEWADDR {
				return nil
			}
			a, err := parseAddress(body)
			all = append(all, a)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return all, nil
}
