package agentx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// pduType is the kind of a protocol data unit, RFC 2741 section 6.1.
type pduType byte

const (
	pduOpen       pduType = 1
	pduClose      pduType = 2
	pduRegister   pduType = 3
	pduUnregister pduType = 4
	pduGet        pduType = 5
	pduGetNext    pduType = 6
	pduGetBulk    pduType = 7
	pduTestSet    pduType = 8
	pduCommitSet  pduType = 9
	pduUndoSet    pduType = 10
	pduCleanupSet pduType = 11
	pduNotify     pduType = 12
	pduPing       pduType = 13
	pduAddCaps    pduType = 16
	pduResponse   pduType = 18
)

const (
	headerLen      = 20
	flagContext    = 0x08
	flagBigEndian  = 0x10
	maxPayload     = 1 << 20
	closeShutdown  = 5 // reason of a Close: shutting down
	defaultTimeout = 5 // seconds the master waits for our answers
)

// Error is an error status of a response: SNMP's, and AgentX's from 256.
type Error uint16

// The errors that a Set can be refused with (RFC 3416), and ours.
const (
	NoError      Error = 0
	GenErr       Error = 5
	NoAccess     Error = 6
	WrongType    Error = 7
	WrongValue   Error = 10
	CommitFailed Error = 14
	NotWritable  Error = 17
	parseError   Error = 266
)

var errMalformed = errors.New("malformed AgentX packet")

// header begins every packet.
type header struct {
	kind                         pduType
	flags                        byte
	session, transaction, packet uint32
	length                       uint32 // of the payload
}

// order is the byte order of a packet: each sender uses its own.
func (h header) order() binary.ByteOrder {
	if h.flags&flagBigEndian != 0 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// readPDU reads one packet.
func readPDU(r io.Reader) (header, []byte, error) {
	var b [headerLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return header{}, nil, err
	}
	h := header{kind: pduType(b[1]), flags: b[2]}
	order := h.order()
	h.session, h.transaction = order.Uint32(b[4:]), order.Uint32(b[8:])
	h.packet, h.length = order.Uint32(b[12:]), order.Uint32(b[16:])
	if b[0] != 1 || h.length > maxPayload || h.length%4 != 0 {
		return h, nil, fmt.Errorf("version %d, length %d: %w", b[0], h.length, errMalformed)
	}
	payload := make([]byte, h.length)
	_, err := io.ReadFull(r, payload)
	return h, payload, err
}

// writer makes a packet, in network byte order.
type writer struct{ b []byte }

func newWriter(kind pduType, h header) *writer {
	w := &writer{make([]byte, 0, 128)}
	w.b = append(w.b, 1, byte(kind), flagBigEndian, 0)
	for _, n := range []uint32{h.session, h.transaction, h.packet, 0} {
		w.u32(n)
	}
	return w
}

// bytes returns the packet with its length filled in.
func (w *writer) bytes() []byte {
	binary.BigEndian.PutUint32(w.b[16:], uint32(len(w.b)-headerLen))
	return w.b
}

func (w *writer) u8(n ...byte) { w.b = append(w.b, n...) }
func (w *writer) u16(n uint16) { w.b = binary.BigEndian.AppendUint16(w.b, n) }
func (w *writer) u32(n uint32) { w.b = binary.BigEndian.AppendUint32(w.b, n) }
func (w *writer) u64(n uint64) { w.b = binary.BigEndian.AppendUint64(w.b, n) }

func (w *writer) string(s []byte) {
	w.u32(uint32(len(s)))
	w.b = append(w.b, s...)
	for len(w.b)%4 != 0 {
		w.b = append(w.b, 0)
	}
}

// oid writes an identifier; those below 1.3.6.1 are shortened (section 5.1).
func (w *writer) oid(o OID, include bool) {
	prefix := byte(0)
	if len(o) >= 5 && o[0] == 1 && o[1] == 3 && o[2] == 6 && o[3] == 1 && o[4] > 0 && o[4] < 256 {
		prefix, o = byte(o[4]), o[5:]
	}
	flag := byte(0)
	if include {
		flag = 1
	}
	w.u8(byte(len(o)), prefix, flag, 0)
	for _, n := range o {
		w.u32(n)
	}
}

func (w *writer) variable(v Variable) {
	w.u16(uint16(v.Value.Kind))
	w.u16(0)
	w.oid(v.OID, false)
	switch v.Value.Kind {
	case KindInteger, KindCounter32, KindGauge32, KindTimeTicks:
		w.u32(uint32(v.Value.Number))
	case KindCounter64:
		w.u64(v.Value.Number)
	case KindString, KindIPAddress, KindOpaque:
		w.string(v.Value.Bytes)
	case KindOID:
		w.oid(v.Value.OID, false)
	}
}

// reader takes a payload apart. After a fault everything reads as zero and err
// is set.
type reader struct {
	b     []byte
	order binary.ByteOrder
	err   error
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.err = errMalformed
		r.b = nil
		return make([]byte, min(max(n, 0), 8))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u16() uint16 { return r.order.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return r.order.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return r.order.Uint64(r.take(8)) }

func (r *reader) string() []byte {
	n := int(r.u32())
	if n > len(r.b) {
		r.err = errMalformed
		return nil
	}
	s := append([]byte(nil), r.take(n)...)
	r.take((4 - n%4) % 4)
	return s
}

func (r *reader) oid() (o OID, include bool) {
	head := r.take(4)
	n, prefix := int(head[0]), head[1]
	if r.err != nil || n > 128 || 4*n > len(r.b) {
		r.err = errMalformed
		return nil, false
	}
	if prefix != 0 {
		o = OID{1, 3, 6, 1, uint32(prefix)}
	}
	for range n {
		o = append(o, r.u32())
	}
	return o, head[2] != 0
}

func (r *reader) variable() Variable {
	var v Variable
	v.Value.Kind = Kind(r.u16())
	r.take(2)
	v.OID, _ = r.oid()
	switch v.Value.Kind {
	case KindInteger, KindCounter32, KindGauge32, KindTimeTicks:
		v.Value.Number = uint64(r.u32())
	case KindCounter64:
		v.Value.Number = r.u64()
	case KindString, KindIPAddress, KindOpaque:
		v.Value.Bytes = r.string()
	case KindOID:
		v.Value.OID, _ = r.oid()
	case KindNull, KindNoSuchObject, KindNoSuchInstance, KindEndOfView:
	default:
		r.err = errMalformed
	}
	return v
}

// span is a search range: from start, which is looked at itself with include,
// to before end.
type span struct {
	start, end OID
	include    bool
}

// spans reads the search ranges that the rest of a payload holds.
func (r *reader) spans() []span {
	var list []span
	for len(r.b) > 0 && r.err == nil {
		var s span
		s.start, s.include = r.oid()
		s.end, _ = r.oid()
		list = append(list, s)
	}
	return list
}

// variables reads the variables that the rest of a payload holds.
func (r *reader) variables() []Variable {
	var list []Variable
	for len(r.b) > 0 && r.err == nil {
		list = append(list, r.variable())
	}
	return list
}
