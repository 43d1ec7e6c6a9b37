package kernel

import "golang.org/x/sys/unix"

// Verdicts and hooks (linux/netfilter.h, linux/netfilter/nf_tables.h).
const (
	nfDrop    = 0
	nfAccept  = 1
	nftGoto   = 0xfffffffc // -4
	nftReturn = 0xfffffffb // -5

	hookInput  = 1
	hookOutput = 3

	cmpEqual = 0

	metaIIF     = unix.NFT_META_IIF
	metaOIF     = unix.NFT_META_OIF
	metaOIFName = unix.NFT_META_OIFNAME
)

// Registers hold 16 bytes each; a key of address and name or index runs on into
// the next one.
const (
	reg1 = unix.NFT_REG_1
	reg2 = unix.NFT_REG_2
)

// lookup matches when the key from register 1 on is in a set.
func lookup(set string) []nftExpr {
	return []nftExpr{{"lookup", func(b []byte) []byte {
		b = appendString(b, unix.NFTA_LOOKUP_SET, set)
		return appendBE32(b, unix.NFTA_LOOKUP_SREG, reg1)
	}}}
}

// lookupTo looks the key from register key on up in a map and loads the value.
func lookupTo(set string, key, value uint32) []nftExpr {
	return []nftExpr{{"lookup", func(b []byte) []byte {
		b = appendString(b, unix.NFTA_LOOKUP_SET, set)
		b = appendBE32(b, unix.NFTA_LOOKUP_SREG, key)
		return appendBE32(b, unix.NFTA_LOOKUP_DREG, value)
	}}}
}

// dupToBase sends a copy of the packet, with the destination address in
// register 1, out of the base of the interface it was about to leave by.
func dupToBase() []nftExpr {
	return []nftExpr{meta(unix.NFT_META_OIF, reg2)[0], lookupTo(setVMACMap, reg2, reg2)[0],
		{"dup", func(b []byte) []byte {
			b = appendBE32(b, unix.NFTA_DUP_SREG_ADDR, reg1)
			return appendBE32(b, unix.NFTA_DUP_SREG_DEV, reg2)
		}},
	}
}

// verdict ends a rule with nfDrop or nfAccept.
func verdict(code uint32) []nftExpr { return immediate(code, "") }

// goTo ends a rule by going on in another chain.
func goTo(chain string) []nftExpr { return immediate(nftGoto, chain) }

func immediate(code uint32, chain string) []nftExpr {
	return []nftExpr{{"immediate", func(b []byte) []byte {
		b = appendBE32(b, unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
		return appendNest(b, unix.NFTA_IMMEDIATE_DATA|unix.NLA_F_NESTED, func(b []byte) []byte {
			return appendNest(b, unix.NFTA_DATA_VERDICT|unix.NLA_F_NESTED, func(b []byte) []byte {
				b = appendBE32(b, unix.NFTA_VERDICT_CODE, code)
				if chain != "" {
					b = appendString(b, unix.NFTA_VERDICT_CHAIN, chain)
				}
				return b
			})
		})
	}}}
}

func counter() []nftExpr {
	return []nftExpr{{"counter", func(b []byte) []byte { return b }}}
}

// network loads bytes of the IP header into register 1.
func network(offset, length uint32) []nftExpr {
	return payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, length, reg1)
}

// payload loads bytes from a header on into a register.
func payload(base, offset, length, register uint32) []nftExpr {
	return []nftExpr{{"payload", func(b []byte) []byte {
		b = appendBE32(b, unix.NFTA_PAYLOAD_DREG, register)
		b = appendBE32(b, unix.NFTA_PAYLOAD_BASE, base)
		b = appendBE32(b, unix.NFTA_PAYLOAD_OFFSET, offset)
		return appendBE32(b, unix.NFTA_PAYLOAD_LEN, length)
	}}}
}

// icmp6 matches ICMPv6 and loads its type.
func icmp6() []nftExpr {
	return []nftExpr{
		meta(unix.NFT_META_L4PROTO, reg1)[0], equal(unix.IPPROTO_ICMPV6)[0],
		payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, reg1)[0],
	}
}

// equal matches when register 1 holds exactly these bytes.
func equal(value ...byte) []nftExpr {
	return []nftExpr{{"cmp", func(b []byte) []byte {
		b = appendBE32(b, unix.NFTA_CMP_SREG, reg1)
		b = appendBE32(b, unix.NFTA_CMP_OP, cmpEqual)
		return appendValue(b, unix.NFTA_CMP_DATA, value)
	}}}
}

func meta(key, register uint32) []nftExpr {
	return []nftExpr{{"meta", func(b []byte) []byte {
		b = appendBE32(b, unix.NFTA_META_DREG, register)
		return appendBE32(b, unix.NFTA_META_KEY, key)
	}}}
}

// setMark gives the packet the mark in a register.
func setMark(register uint32) []nftExpr {
	return []nftExpr{{"meta", func(b []byte) []byte {
		b = appendBE32(b, unix.NFTA_META_KEY, unix.NFT_META_MARK)
		return appendBE32(b, unix.NFTA_META_SREG, register)
	}}}
}

// macvlan matches packets that leave by a macvlan.
func macvlan() []nftExpr {
	return []nftExpr{meta(nftMetaOIFKind, reg1)[0], equal(ifName("macvlan")...)[0]}
}

// inFE80 matches an address in register 1 that is in fe80::/10.
func inFE80() []nftExpr {
	mask, value := make([]byte, 16), make([]byte, 16)
	mask[0], mask[1] = 0xff, 0xc0
	value[0], value[1] = 0xfe, 0x80
	return []nftExpr{
		{"bitwise", func(b []byte) []byte {
			b = appendBE32(b, unix.NFTA_BITWISE_SREG, reg1)
			b = appendBE32(b, unix.NFTA_BITWISE_DREG, reg1)
			b = appendBE32(b, unix.NFTA_BITWISE_LEN, 16)
			b = appendValue(b, unix.NFTA_BITWISE_MASK, mask)
			return appendValue(b, unix.NFTA_BITWISE_XOR, make([]byte, 16))
		}},
		equal(value...)[0],
	}
}
