package kernel

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

// errMalformed is returned for a message of the kernel that is too short for
// its own header. It means a bug, here or there.
var errMalformed = errors.New("malformed netlink message")

const (
	nlmsgHeaderLen = 16
	attrHeaderLen  = 4
	attrTypeMask   = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
)

var native = binary.NativeEndian

func align4(n int) int { return (n + 3) &^ 3 }

// The append functions below write one attribute each to the end of b and
// return the longer slice, as append does. Everything is in host byte order
// unless it is an address or the kernel says otherwise.

func appendAttr(b []byte, typ uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(attrHeaderLen+len(value)))
	b = native.AppendUint16(b, typ)
	b = append(b, value...)
	return pad(b)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func appendU8(b []byte, typ uint16, v uint8) []byte {
	return append(b, attrHeaderLen+1, 0, byte(typ), byte(typ>>8), v, 0, 0, 0)
}

func appendU16(b []byte, typ uint16, v uint16) []byte {
	b = native.AppendUint16(b, attrHeaderLen+2)
	b = native.AppendUint16(b, typ)
	return pad(native.AppendUint16(b, v))
}

func appendU32(b []byte, typ uint16, v uint32) []byte {
	b = native.AppendUint16(b, attrHeaderLen+4)
	b = native.AppendUint16(b, typ)
	return native.AppendUint32(b, v)
}

func appendBE16(b []byte, typ uint16, v uint16) []byte {
	b = native.AppendUint16(b, attrHeaderLen+2)
	b = native.AppendUint16(b, typ)
	return pad(binary.BigEndian.AppendUint16(b, v))
}

func appendBE64(b []byte, typ uint16, v uint64) []byte {
	b = native.AppendUint16(b, attrHeaderLen+8)
	b = native.AppendUint16(b, typ)
	return binary.BigEndian.AppendUint64(b, v)
}

func appendString(b []byte, typ uint16, s string) []byte {
	b = native.AppendUint16(b, uint16(attrHeaderLen+len(s)+1))
	b = native.AppendUint16(b, typ)
	b = append(b, s...)
	return pad(append(b, 0))
}

func appendIP(b []byte, typ uint16, ip netip.Addr) []byte {
	if ip.Is4() {
		v := ip.As4()
		return appendAttr(b, typ, v[:])
	}
	v := ip.As16()
	return appendAttr(b, typ, v[:])
}

// appendNest writes an attribute whose content fn appends.
func appendNest(b []byte, typ uint16, fn func([]byte) []byte) []byte {
	start := len(b)
	b = native.AppendUint16(b, 0)
	b = native.AppendUint16(b, typ)
	b = fn(b)
	native.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// attributes walks the attributes in b. It stops at the first that does not fit,
// so that reading never goes beyond what arrived.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= attrHeaderLen {
			n := int(native.Uint16(b))
			if n < attrHeaderLen || n > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&attrTypeMask, b[attrHeaderLen:n]) {
				return
			}
			b = b[min(align4(n), len(b)):]
		}
	}
}

// The readers give zero for a value that is too short.

func u8(v []byte) uint8 {
	if len(v) < 1 {
		return 0
	}
	return v[0]
}

func u16(v []byte) uint16 {
	if len(v) < 2 {
		return 0
	}
	return native.Uint16(v)
}

func u32(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return native.Uint32(v)
}

func be64(v []byte) uint64 {
	if len(v) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func cstring(v []byte) string {
	for i, c := range v {
		if c == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}

// ipAddr reads an address of 4 or 16 bytes; anything else gives the zero Addr.
func ipAddr(v []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(v)
	return a
}
