package bfd

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// valid is the first packet of samples/08-bfd/tcpdump.txt.
var valid = Packet{State: Down, Multiplier: 4, My: 0xe7b76e79, MinTX: 1000000, MinRX: 50000}

func TestCodec(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet Packet
		bytes  string
	}{
		{"first", valid, "20 40 04 18 e7b76e79 00000000 000f4240 0000c350 00000000"},
		{"up-poll", Packet{State: Up, Poll: true, Multiplier: 5, My: 1, Your: 2, MinTX: 10000, MinRX: 10000},
			"20 e0 05 18 00000001 00000002 00002710 00002710 00000000"},
		{"down-final", Packet{Diag: ControlDetectionTimeExpired, State: Down, Final: true, Multiplier: 1, My: 3, Your: 4},
			"21 50 01 18 00000003 00000004 00000000 00000000 00000000"},
		{"others", Packet{State: Init, CPlane: true, Demand: true, Multiplier: 255, My: 1, Your: 1, MinEchoRX: 7},
			"20 8a ff 18 00000001 00000001 00000000 00000000 00000007"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, err := hex.DecodeString(strings.ReplaceAll(tt.bytes, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, tt.packet.Append(nil)); diff != "" {
				t.Errorf("Append (-want +got):\n%s", diff)
			}
			var got Packet
			if err := got.Parse(want); err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if diff := cmp.Diff(tt.packet, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		want   string
		change func(b []byte) []byte
	}{
		{"Packet is too small: 23 bytes", func(b []byte) []byte { return b[:23] }},
		{"Packet size mismatch: length field: 25 bytes, buffer size: 24 bytes", func(b []byte) []byte { b[3] = 25; return b }},
		{"Packet size mismatch: length field: 24 bytes, buffer size: 25 bytes", func(b []byte) []byte { return append(b, 0) }},
		{"Packet is of unsupported version: 0", func(b []byte) []byte { b[0] = 0; return b }},
		{"Packet 'detection multiplier' field is zero", func(b []byte) []byte { b[2] = 0; return b }},
		{"Packet has 'multipoint' flag", func(b []byte) []byte { b[1] |= 1; return b }},
		{"Packet 'my discriminator' field is zero", func(b []byte) []byte { clear(b[4:8]); return b }},
		{"Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown", func(b []byte) []byte { b[1] = 0xc0; return b }},
		{"Packet has both poll and final  flags set", func(b []byte) []byte { b[1] |= 0x30; return b }},
		{"Packet has invalid 'diag' field: 9", func(b []byte) []byte { b[0] |= 9; return b }},
	} {
		t.Run(tt.want, func(t *testing.T) {
			var p Packet
			if err := p.Parse(tt.change(valid.Append(nil))); !errors.Is(err, ErrBogus) || err.Error() != tt.want {
				t.Errorf("Parse = %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(valid.Append(nil))
	f.Add((&Packet{State: Up, Poll: true, Multiplier: 5, My: 1, Your: 2}).Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again Packet
		if p.Parse(b) != nil {
			return
		}
		if err := again.Parse(p.Append(nil)); len(b) == PacketLen && (err != nil || again != p) {
			t.Errorf("%x was read as %+v, then as %+v: %v", b, p, again, err)
		}
	})
}
