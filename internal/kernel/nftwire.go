package kernel

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Attributes and numbers that x/sys does not name (linux/netfilter/nf_tables.h
// and libnftnl's udata.h).
const (
	nftSetConcat     = 0x80
	nftSetDescConcat = 2
	nftSetExpr       = 17 // NFTA_SET_EXPR
	nftElemKeyEnd    = 10 // NFTA_SET_ELEM_KEY_END
	nftMetaOIFKind   = 27

	// What a set's user data says, for nft to print elements right.
	udataKeyByteOrder  = 0
	udataDataByteOrder = 1
	byteOrderHost      = 1
	byteOrderNetwork   = 2

	// nftBuffer holds the largest transaction: all elements of a table.
	nftBuffer = 4 << 20
)

// nftConn sends transactions to nftables: a transaction is collected in out,
// then committed whole or not at all.
type nftConn struct {
	fd    int
	seq   uint32
	first uint32
	last  int // offset of the last message
	setID uint32
	out   []byte
	in    []byte
}

func dialNFT() (*nftConn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, nftBuffer)
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	return &nftConn{fd: fd, in: make([]byte, 16<<10)}, nil
}

func (c *nftConn) close() error { return unix.Close(c.fd) }

// message appends one message to the transaction.
func (c *nftConn) message(typ, flags uint16, family uint8, attrs func(b []byte) []byte) {
	if len(c.out) == 0 {
		c.first = c.seq + 1
		c.raw(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	}
	c.raw(unix.NFNL_SUBSYS_NFTABLES<<8|typ, flags, family, 0, attrs)
}

func (c *nftConn) raw(typ, flags uint16, family uint8, resource uint16, attrs func(b []byte) []byte) {
	c.seq++
	c.last = len(c.out)
	b := native.AppendUint32(c.out, 0)
	b = native.AppendUint16(b, typ)
	b = native.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = native.AppendUint32(b, c.seq)
	b = native.AppendUint32(b, 0)
	b = append(b, family, 0) // struct nfgenmsg, version 0
	b = binary.BigEndian.AppendUint16(b, resource)
	if attrs != nil {
		b = attrs(b)
	}
	native.PutUint32(b[c.last:], uint32(len(b)-c.last))
	c.out = b
}

// commit performs the transaction. Whatever the outcome, the next message
// begins a new one.
func (c *nftConn) commit() error {
	if len(c.out) == 0 {
		return nil
	}
	// The answer to the last message comes after the commit.
	native.PutUint16(c.out[c.last+6:], native.Uint16(c.out[c.last+6:])|unix.NLM_F_ACK)
	last := c.seq
	c.raw(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	err := unix.Sendto(c.fd, c.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	c.out = c.out[:0]
	if err != nil {
		return err
	}
	return c.answers(last)
}

// answers reads until the last message was answered, and returns the first
// error: the transaction was then undone.
func (c *nftConn) answers(last uint32) error {
	var failed error
	for {
		n, _, err := unix.Recvfrom(c.fd, c.in, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		for m, body := range messages(c.in[:n]) {
			if m.Type != unix.NLMSG_ERROR || int32(m.Seq-c.first) < 0 {
				continue // an answer to something given up before
			}
			err := parseError(m, body)
			if failed == nil {
				failed = err
			}
			// An error at the beginning (no permission, no nftables in the
			// kernel) is the only answer.
			if m.Seq == last || m.Seq == c.first && err != nil {
				return failed
			}
		}
	}
}

func nftFamily(ipv6 bool) uint8 {
	if ipv6 {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

// nftTable is one family's table in messages.
type nftTable struct {
	conn   *nftConn
	name   string
	family uint8
}

// replace deletes the table if it is there and makes it anew, empty.
func (t nftTable) replace() {
	t.add()
	t.delete()
	t.add()
}

// add makes the table unless it is there.
func (t nftTable) add() {
	t.conn.message(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, t.family, func(b []byte) []byte {
		return appendString(b, unix.NFTA_TABLE_NAME, t.name)
	})
}

// delete deletes the table, which must be there.
func (t nftTable) delete() {
	t.conn.message(unix.NFT_MSG_DELTABLE, 0, t.family, func(b []byte) []byte {
		return appendString(b, unix.NFTA_TABLE_NAME, t.name)
	})
}

// chain adds a chain that is only jumped to.
func (t nftTable) chain(name string) {
	t.conn.message(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, t.family, func(b []byte) []byte {
		b = appendString(b, unix.NFTA_CHAIN_TABLE, t.name)
		return appendString(b, unix.NFTA_CHAIN_NAME, name)
	})
}

// base adds a filter chain at a hook (unix.NF_INET_LOCAL_IN, …) whose policy is
// accept.
func (t nftTable) base(name string, hook uint32, priority int32) {
	t.conn.message(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, t.family, func(b []byte) []byte {
		b = appendString(b, unix.NFTA_CHAIN_TABLE, t.name)
		b = appendString(b, unix.NFTA_CHAIN_NAME, name)
		b = appendNest(b, unix.NFTA_CHAIN_HOOK|unix.NLA_F_NESTED, func(b []byte) []byte {
			b = appendBE32(b, unix.NFTA_HOOK_HOOKNUM, hook)
			return appendBE32(b, unix.NFTA_HOOK_PRIORITY, uint32(priority))
		})
		b = appendBE32(b, unix.NFTA_CHAIN_POLICY, nfAccept)
		return appendString(b, unix.NFTA_CHAIN_TYPE, "filter")
	})
}

// nftType is the type of a key: its number in nft, its length, and whether its
// bytes are in host order.
type nftType struct {
	magic  uint32
	length uint32
	host   bool
}

// Types of nft (its datatype.h).
var (
	typeIPv4      = nftType{7, 4, false}
	typeIPv6      = nftType{8, 16, false}
	typeService   = nftType{13, 2, false}
	typeMark      = nftType{19, 4, true}
	typeIFIndex   = nftType{20, 4, true}
	typeICMP6Type = nftType{29, 1, false}
	typeIFName    = nftType{41, unix.IFNAMSIZ, true}
)

// nftSet describes a set, or a map if it has values. A key of two types is a
// concatenation.
type nftSet struct {
	name     string
	key      []nftType
	value    *nftType
	constant bool
	interval bool // elements are ranges
	counters bool // each element counts
}

// element is a member of a set: a key, or a range of keys to keyEnd, and its
// value in a map.
type element struct{ key, keyEnd, value []byte }

// set adds a set with its elements.
func (t nftTable) set(s nftSet, elements []element) {
	t.conn.setID++
	t.conn.message(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, t.family, func(b []byte) []byte {
		b = appendString(b, unix.NFTA_SET_TABLE, t.name)
		b = appendString(b, unix.NFTA_SET_NAME, s.name)
		b = appendBE32(b, unix.NFTA_SET_FLAGS, s.flags())
		magic, length := uint32(0), uint32(0)
		for _, k := range s.key {
			magic, length = magic<<6|k.magic, length+uint32(align4(int(k.length)))
		}
		if len(s.key) == 1 {
			length = s.key[0].length
		}
		b = appendBE32(b, unix.NFTA_SET_KEY_TYPE, magic)
		b = appendBE32(b, unix.NFTA_SET_KEY_LEN, length)
		if s.value != nil {
			b = appendBE32(b, unix.NFTA_SET_DATA_TYPE, s.value.magic)
			b = appendBE32(b, unix.NFTA_SET_DATA_LEN, s.value.length)
		}
		b = appendBE32(b, unix.NFTA_SET_ID, t.conn.setID)
		b = s.appendDescription(b, len(elements))
		if s.counters {
			b = appendNest(b, nftSetExpr|unix.NLA_F_NESTED, counter()[0].append)
		}
		return appendAttr(b, unix.NFTA_SET_USERDATA, s.userData())
	})
	t.addElements(s.name, elements)
}

func (s nftSet) flags() uint32 {
	var f uint32
	if s.constant {
		f |= unix.NFT_SET_CONSTANT
	}
	if s.value != nil {
		f |= unix.NFT_SET_MAP
	}
	if s.interval {
		f |= unix.NFT_SET_INTERVAL
	}
	if len(s.key) > 1 {
		f |= nftSetConcat
	}
	return f
}

// appendDescription tells the size of a constant set and the parts of a
// concatenation.
func (s nftSet) appendDescription(b []byte, elements int) []byte {
	if !s.constant && len(s.key) == 1 {
		return b
	}
	return appendNest(b, unix.NFTA_SET_DESC|unix.NLA_F_NESTED, func(b []byte) []byte {
		if s.constant {
			b = appendBE32(b, unix.NFTA_SET_DESC_SIZE, uint32(elements))
		}
		if len(s.key) == 1 {
			return b
		}
		return appendNest(b, nftSetDescConcat|unix.NLA_F_NESTED, func(b []byte) []byte {
			for _, k := range s.key {
				b = appendNest(b, unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, func(b []byte) []byte {
					return appendBE32(b, 1, k.length) // NFTA_SET_FIELD_LEN
				})
			}
			return b
		})
	})
}

// userData is what nft wants to know to print the set; the kernel keeps it.
func (s nftSet) userData() []byte {
	order := func(t nftType) uint32 {
		if t.host {
			return byteOrderHost
		}
		return byteOrderNetwork
	}
	var b []byte
	if len(s.key) == 1 || s.interval {
		b = native.AppendUint32(append(b, udataKeyByteOrder, 4), order(s.key[0]))
	}
	if s.value != nil {
		b = native.AppendUint32(append(b, udataDataByteOrder, 4), order(*s.value))
	}
	return b
}

// addElements adds elements to a set; those it has already stay.
func (t nftTable) addElements(set string, elements []element) {
	t.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, set, elements)
}

// delElements deletes elements of a set, which must be there.
func (t nftTable) delElements(set string, elements []element) {
	t.elements(unix.NFT_MSG_DELSETELEM, 0, set, elements)
}

func (t nftTable) elements(typ, flags uint16, set string, elements []element) {
	for len(elements) > 0 {
		n := min(len(elements), elementsPerMessage)
		chunk := elements[:n]
		elements = elements[n:]
		t.conn.message(typ, flags, t.family, func(b []byte) []byte {
			b = appendString(b, unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
			b = appendString(b, unix.NFTA_SET_ELEM_LIST_SET, set)
			return appendNest(b, unix.NFTA_SET_ELEM_LIST_ELEMENTS|unix.NLA_F_NESTED, func(b []byte) []byte {
				for _, e := range chunk {
					b = appendNest(b, unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, e.append)
				}
				return b
			})
		})
	}
}

func (e element) append(b []byte) []byte {
	b = appendValue(b, unix.NFTA_SET_ELEM_KEY, e.key)
	if e.keyEnd != nil {
		b = appendValue(b, nftElemKeyEnd, e.keyEnd)
	}
	if e.value != nil {
		b = appendValue(b, unix.NFTA_SET_ELEM_DATA, e.value)
	}
	return b
}

// rule appends a rule to a chain.
func (t nftTable) rule(chain string, parts ...[]nftExpr) {
	t.conn.message(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, t.family, func(b []byte) []byte {
		b = appendString(b, unix.NFTA_RULE_TABLE, t.name)
		b = appendString(b, unix.NFTA_RULE_CHAIN, chain)
		return appendNest(b, unix.NFTA_RULE_EXPRESSIONS|unix.NLA_F_NESTED, func(b []byte) []byte {
			for _, part := range parts {
				for _, e := range part {
					b = appendNest(b, unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, e.append)
				}
			}
			return b
		})
	})
}

// nftExpr is one expression of a rule; data appends its attributes.
type nftExpr struct {
	name string
	data func(b []byte) []byte
}

func (e nftExpr) append(b []byte) []byte {
	b = appendString(b, unix.NFTA_EXPR_NAME, e.name)
	return appendNest(b, unix.NFTA_EXPR_DATA|unix.NLA_F_NESTED, e.data)
}

// appendValue writes NFTA_DATA_VALUE inside typ.
func appendValue(b []byte, typ uint16, value []byte) []byte {
	return appendNest(b, typ|unix.NLA_F_NESTED, func(b []byte) []byte {
		return appendAttr(b, unix.NFTA_DATA_VALUE, value)
	})
}

func appendBE32(b []byte, typ uint16, v uint32) []byte {
	b = native.AppendUint16(b, attrHeaderLen+4)
	b = native.AppendUint16(b, typ)
	return binary.BigEndian.AppendUint32(b, v)
}
