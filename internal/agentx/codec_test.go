package agentx

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVariableCodec(t *testing.T) {
	for _, v := range []Variable{
		{ParseOID("1.3.6.1.2.1.1.3.0"), Ticks(12340 * time.Millisecond)},
		{ParseOID("1.3.6.1.4.1.9586.100.5"), Integer(-5)},
		{ParseOID("1.3.6.1"), String("five")},
		{ParseOID("1.3.6.1.300.1"), Bytes(nil)},
		{ParseOID("2.5"), Bytes([]byte{1, 2, 3, 4, 5})},
		{ParseOID("1.3.6.1.2.1"), Counter64(1 << 40)},
		{ParseOID("1.3.6.1.2.1"), Gauge(int64(1) << 40)},
		{ParseOID("1.3.6.1.2.1"), ObjectID(ParseOID("1.3.6.1.4"))},
		{ParseOID("1.3.6.1.2.1"), Value{Kind: KindEndOfView}},
	} {
		w := newWriter(pduNotify, header{session: 1, transaction: 2, packet: 3})
		w.variable(v)
		h, payload, err := readPDU(bytes.NewReader(w.bytes()))
		if err != nil || h.kind != pduNotify || h.session != 1 || h.transaction != 2 || h.packet != 3 {
			t.Fatalf("header %+v, %v", h, err)
		}
		r := reader{b: payload, order: h.order()}
		if diff := cmp.Diff([]Variable{v}, r.variables()); diff != "" || r.err != nil {
			t.Errorf("%v (-want +got), %v:\n%s", v.OID, r.err, diff)
		}
	}
}

// TestLittleEndian reads a packet as a master on a little endian machine sends
// it: GetNext from 1.3.6.1.2 with include to 1.3.6.1.3.
func TestLittleEndian(t *testing.T) {
	b := []byte{
		1, 6, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 7, 0, 0, 0, 12, 0, 0, 0,
		1, 2, 1, 0, 1, 1, 0, 0, // 1.3.6.1.2.257, included
		0, 3, 0, 0, // 1.3.6.1.3
	}
	h, payload, err := readPDU(bytes.NewReader(b))
	if err != nil || h.session != 9 || h.transaction != 8 || h.packet != 7 {
		t.Fatalf("header %+v, %v", h, err)
	}
	r := reader{b: payload, order: h.order()}
	want := []span{{ParseOID("1.3.6.1.2.257"), ParseOID("1.3.6.1.3"), true}}
	if diff := cmp.Diff(want, r.spans(), cmp.AllowUnexported(span{})); diff != "" || r.err != nil {
		t.Errorf("spans (-want +got), %v:\n%s", r.err, diff)
	}
}

func TestView(t *testing.T) {
	v := View{{ParseOID("1.2.1"), Integer(1)}, {ParseOID("1.1.1"), Integer(2)}, {ParseOID("1.1.10"), Integer(3)}, {ParseOID("1.1.2"), Integer(4)}}
	v.Sort()
	for _, tt := range []struct {
		name string
		got  Variable
		want int // the value, or the kind of an exception
	}{
		{"get", v.Get(ParseOID("1.1.10")), 3},
		{"get-no-instance", v.Get(ParseOID("1.1.3")), -int(KindNoSuchInstance)},
		{"get-no-object", v.Get(ParseOID("5.5.5")), -int(KindNoSuchObject)},
		{"next", v.Next(ParseOID("1.1.1"), false, nil), 4},
		{"next-included", v.Next(ParseOID("1.1.1"), true, nil), 2},
		{"next-between", v.Next(ParseOID("1.1.3"), true, nil), 3},
		{"next-first", v.Next(ParseOID("1"), false, nil), 2},
		{"next-bounded", v.Next(ParseOID("1.1.10"), false, ParseOID("1.2")), -int(KindEndOfView)},
		{"next-last", v.Next(ParseOID("1.2.1"), false, nil), -int(KindEndOfView)},
	} {
		got := tt.got.Value.Int()
		if tt.got.Value.Kind != KindInteger {
			got = -int(tt.got.Value.Kind)
		}
		if got != tt.want {
			t.Errorf("%s = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"": "unix /var/agentx/master", "/x/y": "unix /x/y", "unix:/x/y": "unix /x/y", "tcp:lb:705": "tcp lb:705",
		"tcp:lb": "tcp lb:705", "lb:1705": "tcp lb:1705", "10.0.0.1": "tcp 10.0.0.1:705", "tcp:[::1]:705": "tcp [::1]:705",
	} {
		network, address := endpoint(in)
		if got := network + " " + address; got != want {
			t.Errorf("endpoint(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzPayload(f *testing.F) {
	w := newWriter(pduNotify, header{})
	w.variable(Variable{ParseOID("1.3.6.1.2.1"), String("text")})
	f.Add(w.bytes()[headerLen:], false)
	f.Add([]byte{1, 2, 1, 0, 1, 1, 0, 0, 0, 3, 0, 0}, true)
	f.Fuzz(func(_ *testing.T, b []byte, big bool) {
		h := header{}
		if big {
			h.flags = flagBigEndian
		}
		for range 2 {
			r := reader{b: b, order: h.order()}
			r.spans()
			r = reader{b: b, order: h.order()}
			r.variables()
		}
	})
}
