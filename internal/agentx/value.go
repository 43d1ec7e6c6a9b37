package agentx

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OID is an object identifier.
type OID []uint32

// ParseOID reads the dotted form; it panics on anything else, as its argument
// is a constant.
func ParseOID(s string) OID {
	var o OID
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "."), ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			panic("bad object identifier " + s)
		}
		o = append(o, uint32(n))
	}
	return o
}

// String returns the dotted form with a leading dot.
func (o OID) String() string {
	var b strings.Builder
	for _, n := range o {
		b.WriteByte('.')
		b.WriteString(strconv.FormatUint(uint64(n), 10))
	}
	return b.String()
}

// Append returns a new identifier with parts added.
func (o OID) Append(parts ...uint32) OID {
	return append(o[:len(o):len(o)], parts...)
}

// Compare orders identifiers as the tree does.
func (o OID) Compare(p OID) int { return slices.Compare(o, p) }

// HasPrefix reports whether o lies at or below p.
func (o OID) HasPrefix(p OID) bool { return len(o) >= len(p) && slices.Equal(o[:len(p)], p) }

// Kind is the type of a value, numbered as on the wire (RFC 2741 section 5.4).
type Kind uint16

// The types of values.
const (
	KindInteger        Kind = 2
	KindString         Kind = 4
	KindNull           Kind = 5
	KindOID            Kind = 6
	KindIPAddress      Kind = 64
	KindCounter32      Kind = 65
	KindGauge32        Kind = 66
	KindTimeTicks      Kind = 67
	KindOpaque         Kind = 68
	KindCounter64      Kind = 70
	KindNoSuchObject   Kind = 128
	KindNoSuchInstance Kind = 129
	KindEndOfView      Kind = 130
)

// Value is the value of a variable.
type Value struct {
	Kind   Kind
	Number uint64 // of numeric kinds; an Integer's 32 bits
	Bytes  []byte // of strings and addresses
	OID    OID
}

// Integer is a signed 32 bit number.
func Integer(n int) Value { return Value{Kind: KindInteger, Number: uint64(uint32(int32(n)))} }

// Gauge is an unsigned number; greater ones are cut to 32 bits' greatest.
func Gauge[T ~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64](n T) Value {
	if n < 0 {
		n = 0
	}
	return Value{Kind: KindGauge32, Number: min(uint64(n), math.MaxUint32)}
}

// Counter is a counter of 32 bits, which wraps.
func Counter(n uint64) Value { return Value{Kind: KindCounter32, Number: n & math.MaxUint32} }

// Counter64 is a counter of 64 bits.
func Counter64(n uint64) Value { return Value{Kind: KindCounter64, Number: n} }

// Ticks is a duration in hundredths of a second.
func Ticks(d time.Duration) Value {
	return Value{Kind: KindTimeTicks, Number: uint64(max(d, 0)/(10*time.Millisecond)) & math.MaxUint32}
}

// String is text.
func String(s string) Value { return Value{Kind: KindString, Bytes: []byte(s)} }

// Bytes is a string of any octets.
func Bytes(b []byte) Value { return Value{Kind: KindString, Bytes: b} }

// IPAddress is an IPv4 address in the old type; others are 0.0.0.0.
func IPAddress(a netip.Addr) Value {
	var b [4]byte
	if a.Is4() {
		b = a.As4()
	}
	return Value{Kind: KindIPAddress, Bytes: b[:]}
}

// ObjectID is an identifier as a value.
func ObjectID(o OID) Value { return Value{Kind: KindOID, OID: o} }

// Int returns an Integer's number.
func (v Value) Int() int { return int(int32(v.Number)) }

// Variable is an object with its value.
type Variable struct {
	OID   OID
	Value Value
}

// View is everything there is to see, in the tree's order.
type View []Variable

// Sort brings the variables into the tree's order.
func (v View) Sort() {
	slices.SortFunc(v, func(a, b Variable) int { return a.OID.Compare(b.OID) })
}

// Get returns the variable, or one that says there is none.
func (v View) Get(o OID) Variable {
	i, ok := slices.BinarySearchFunc(v, o, func(a Variable, o OID) int { return a.OID.Compare(o) })
	if ok {
		return v[i]
	}
	// Below an object that has other instances, or no such object at all.
	kind := KindNoSuchObject
	if len(o) > 0 {
		for _, j := range []int{i - 1, i} {
			if j >= 0 && j < len(v) && sharedPrefix(v[j].OID, o) >= len(o)-1 {
				kind = KindNoSuchInstance
			}
		}
	}
	return Variable{o, Value{Kind: kind}}
}

func sharedPrefix(a, b OID) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Next returns the first variable after o, or at o with include, and before end
// unless that is empty. If there is none, the view ends at o.
func (v View) Next(o OID, include bool, end OID) Variable {
	i, ok := slices.BinarySearchFunc(v, o, func(a Variable, o OID) int { return a.OID.Compare(o) })
	if ok && !include {
		i++
	}
	if i < len(v) && (len(end) == 0 || v[i].OID.Compare(end) < 0) {
		return v[i]
	}
	return Variable{o, Value{Kind: KindEndOfView}}
}

// Compare orders variables by their object, for tests.
func (a Variable) Compare(b Variable) int {
	return cmp.Or(a.OID.Compare(b.OID), cmp.Compare(a.Value.Kind, b.Value.Kind))
}
