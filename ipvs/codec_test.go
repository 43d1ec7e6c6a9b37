package ipvs

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// The kernel's answer to a dump has the attributes that a request has, so
// what is written must read back the same.
func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, s := range genTable().Draw(t, "table") {
			_, b := appendOp(nil, Op{Verb: AddService, Service: s.Key, Options: s.Options})
			got, err := parseService(b)
			want := s.Options.normal()
			if err != nil || got.Key != s.Key || got.Options != want {
				t.Fatalf("service read back %+v, %v, want %+v %+v", got, err, s.Key, want)
			}
			for _, d := range s.Servers {
				_, b := appendOp(nil, Op{Verb: AddServer, Service: s.Key, Server: d})
				got, err := parseServer(b, s.Family)
				if err != nil || got != d.normal() {
					t.Fatalf("server read back %+v, %v, want %+v", got, err, d.normal())
				}
			}
		}
	})
}

// The bytes of one service and server, as the kernel's header file lays them
// out; checked by hand once.
func TestWireBytes(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("skipped: the golden bytes are little-endian")
	}
	op := Op{
		Verb:    AddServer,
		Service: AddrKey(TCP, netip.MustParseAddrPort("10.99.0.1:80")),
		Server:  Server{Addr: netip.MustParseAddrPort("127.0.0.11:8080"), Weight: 5, Upper: 100, Lower: 50},
	}
	cmd, b := appendOp(nil, op)
	const want = "30000180" + // service
		"0600010002000000" + "0600020006000000" + // AF, protocol
		"14000300" + "0a630001000000000000000000000000" + // address
		"0600040000500000" + // port, network order
		"48000280" + // server
		"06000b0002000000" + // family
		"14000100" + "7f00000b000000000000000000000000" +
		"060002001f900000" + // port
		"0800030000000000" + "0800040005000000" + // forward NAT, weight
		"0800050064000000" + "0800060032000000" // thresholds
	if got := hex.EncodeToString(b); cmd != cmdNewDest || got != want {
		t.Errorf("command %d\n%s, want\n%s", cmd, got, want)
	}
}

func TestGranularityOnTheWire(t *testing.T) {
	v4 := AddrKey(TCP, netip.MustParseAddrPort("10.0.0.1:80"))
	v6 := AddrKey(TCP, netip.MustParseAddrPort("[fd00::1]:80"))
	for _, tt := range []struct {
		key  Key
		g    uint32
		want [4]byte
	}{
		{v4, 0, [4]byte{255, 255, 255, 255}},
		{v4, 0xffffff00, [4]byte{255, 255, 255, 0}},
		{v6, 0, nativeBytes(128)},
		{v6, 64, nativeBytes(64)},
	} {
		_, b := appendOp(nil, Op{Verb: AddService, Service: tt.key, Options: Options{Persistence: Persistence{Timeout: 1, Granularity: tt.g}}})
		var got [4]byte
		parseNest(b, attrService, func(typ uint16, v []byte) {
			if typ == svcNetmask {
				copy(got[:], v)
			}
		})
		if got != tt.want {
			t.Errorf("granularity %#x of %s goes out as %v, want %v", tt.g, tt.key, got, tt.want)
		}
	}
}

func nativeBytes(n uint32) (b [4]byte) {
	binary.NativeEndian.PutUint32(b[:], n)
	return b
}

func FuzzParse(f *testing.F) {
	_, b := appendOp(nil, Op{Verb: AddService, Service: MarkKey(IPv6, 7), Options: Options{Scheduler: "rr"}})
	f.Add(b)
	_, b = appendOp(nil, Op{Verb: AddServer, Service: MarkKey(IPv4, 7), Server: Server{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Forward: TUN, Tunnel: Tunnel{GUE, 1, 1}}})
	f.Add(b)
	f.Add([]byte{4, 0, 1, 128})
	f.Fuzz(func(_ *testing.T, b []byte) {
		parseService(b)
		parseServer(b, IPv4)
		parseServer(b, IPv6)
		parseDaemon(b)
		eachMessage(b, func(uint16, uint32, []byte) error { return nil })
	})
}

func TestFaultText(t *testing.T) {
	k := &Kernel{}
	svc := AddrKey(TCP, netip.MustParseAddrPort("10.99.1.28:80"))
	srv := Server{Addr: netip.MustParseAddrPort("127.0.0.11:80")}
	for _, tt := range []struct {
		op    Op
		errno unix.Errno
		moot  bool
		want  string
	}{
		{Op{Verb: AddService, Service: svc}, unix.ENOENT, false,
			"IPVS cmd IP_VS_SO_SET_ADD(1154) error: Scheduler or persistence engine not found(2) (10.99.1.28:tcp:80)"},
		{Op{Verb: AddServer, Service: svc, Server: srv}, unix.ESRCH, false,
			"IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: No such file or directory(2) (10.99.1.28:tcp:80 -> 127.0.0.11:80)"},
		{Op{Verb: DeleteServer, Service: svc, Server: srv}, unix.ESRCH, true,
			"IPVS cmd IP_VS_SO_SET_DELDEST(1160) error: No such destination(2) (10.99.1.28:tcp:80 -> 127.0.0.11:80)"},
		{Op{Verb: DeleteService, Service: svc}, unix.ESRCH, true,
			"IPVS cmd IP_VS_SO_SET_DEL(1156) error: No such file or directory(2) (10.99.1.28:tcp:80)"},
		{Op{Verb: AddService, Service: svc}, unix.EEXIST, true,
			"IPVS cmd IP_VS_SO_SET_ADD(1154) error: Service already exists(17) (10.99.1.28:tcp:80)"},
		{Op{Verb: EditService, Service: MarkKey(IPv6, 7)}, unix.EPERM, false,
			"IPVS cmd IP_VS_SO_SET_EDIT(1155) error: Permission denied (you must be root)(1) (Fwm 7 inet6)"},
		{Op{Verb: Flush}, unix.ENOMEM, false, "IPVS cmd IP_VS_SO_SET_FLUSH(1157) error: Memory allocation problem(12)"},
	} {
		f := k.fault(commandOf(tt.op.Verb), tt.op.Object(), tt.errno).(*Fault)
		if f.Error() != tt.want || f.Moot() != tt.moot {
			t.Errorf("moot %v, %s\nwant %v, %s", f.Moot(), f, tt.moot, tt.want)
		}
	}
}
