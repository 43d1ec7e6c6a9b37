package kernel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// open makes a namespace with a link v0 (and its peer v1), opens a Kernel in it
// and returns both and the index of v0.
func open(t testing.TB) (*nettest.NS, *Kernel, int) {
	t.Helper()
	ns := nettest.New(t, "k")
	nettest.Veth(ns, "v0", ns, "v1")
	var k *Kernel
	var err error
	ns.Do(func() { k, err = Open() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return ns, k, ns.Index("v0")
}

func noErrors(t testing.TB, errs []error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

// addressCases are addresses as the grammar allows them, and what iproute2 says
// about each.
var addressCases = []struct {
	name string
	a    Address
	show string
}{
	{"plain", Address{Prefix: prefix("10.99.0.100/24"), Preferred: Forever}, "inet 10.99.0.100/24 scope global v0"},
	{"host", Address{Prefix: prefix("10.99.1.100/32")}, "inet 10.99.1.100/32 scope global v0"},
	{"broadcast", Address{Prefix: prefix("10.98.0.1/24"), Broadcast: addr("10.98.0.255")}, "inet 10.98.0.1/24 brd 10.98.0.255 scope global v0"},
	{"label", Address{Prefix: prefix("10.97.0.1/24"), Label: "v0:9"}, "inet 10.97.0.1/24 scope global v0:9"},
	{"scope", Address{Prefix: prefix("10.96.0.1/24"), Scope: unix.RT_SCOPE_LINK}, "inet 10.96.0.1/24 scope link v0"},
	{"peer", Address{Prefix: prefix("10.95.0.1/32"), Peer: addr("10.95.0.2")}, "inet 10.95.0.1 peer 10.95.0.2/32 scope global v0"},
	{"no prefix route", Address{Prefix: prefix("10.94.0.1/24"), Flags: unix.IFA_F_NOPREFIXROUTE}, "inet 10.94.0.1/24 scope global noprefixroute v0"},
	{"protocol", Address{Prefix: prefix("10.93.0.1/24"), Protocol: ProtocolKeepalived}, "inet 10.93.0.1/24 scope global"},
	{"deprecated", Address{Prefix: prefix("fd99::61/128"), Flags: unix.IFA_F_NODAD}, "inet6 fd99::61/128 scope global nodad deprecated"},
	{"for ever", Address{Prefix: prefix("fd99::51/64"), Flags: unix.IFA_F_NODAD, Preferred: Forever, Protocol: ProtocolKeepalived}, "inet6 fd99::51/64 scope global nodad"},
	{"link-local", Address{Prefix: prefix("fe80::100/64"), Flags: unix.IFA_F_NODAD, Preferred: Forever, Scope: unix.RT_SCOPE_LINK}, "inet6 fe80::100/64 scope link nodad"},
	{"home", Address{Prefix: prefix("fd98::1/64"), Flags: unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS, Preferred: Forever}, "inet6 fd98::1/64 scope global nodad home"},
	{"management", Address{Prefix: prefix("fd97::1/64"), Flags: unix.IFA_F_NODAD | unix.IFA_F_MANAGETEMPADDR, Preferred: Forever}, "inet6 fd97::1/64 scope global nodad mngtmpaddr"},
}

// TestAddresses adds each address, reads it back, has iproute2 show it, and
// deletes it; adding and deleting twice is no error.
func TestAddresses(t *testing.T) {
	ns, k, link := open(t)
	for _, c := range addressCases {
		t.Run(c.name, func(t *testing.T) {
			c.a.Link = link
			noErrors(t, k.AddAddrs([]Address{c.a, c.a}))
			have := find(t, k, c.a)
			if !c.a.Matches(have) {
				t.Errorf("have %+v\nwant %+v", have, c.a)
			}
			// Kernels since 5.18 keep the protocol; iproute2 6.1 prints it as number.
			if c.a.Protocol != 0 && have.Protocol != 0 && have.Protocol != c.a.Protocol {
				t.Errorf("protocol %d, want %d", have.Protocol, c.a.Protocol)
			}
			if show := ns.IP("addr", "show", "dev", "v0"); !strings.Contains(strings.Join(strings.Fields(show), " "), c.show) {
				t.Errorf("iproute2 shows no %q:\n%s", c.show, show)
			}
			noErrors(t, k.DelAddrs([]Address{c.a, c.a}))
			all, err := k.Addrs()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				if a.Same(c.a) {
					t.Errorf("still there: %+v", a)
				}
			}
		})
	}
}

// find reads the addresses and returns the one that is the same as want.
func find(t testing.TB, k *Kernel, want Address) Address {
	t.Helper()
	all, err := k.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Same(want) {
			return a
		}
	}
	t.Fatalf("%v is not there: %v", want.Prefix, all)
	return Address{}
}

// TestAddressErrors shows that one bad address does not stop the others and
// that its error says which it was.
func TestAddressErrors(t *testing.T) {
	ns, k, link := open(t)
	errs := k.AddAddrs([]Address{
		{Link: link, Prefix: prefix("10.99.0.1/24")},
		{Link: 9999, Prefix: prefix("10.99.0.2/24")},
		{Link: link, Prefix: prefix("10.99.0.3/24")},
	})
	if len(errs) != 3 || errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Fatalf("errors %v, want one, of the second", errs)
	}
	if !strings.Contains(errs[1].Error(), "10.99.0.2/24 on link 9999") {
		t.Errorf("error %q does not name the address", errs[1])
	}
	if !ns.HasAddr("10.99.0.1") || !ns.HasAddr("10.99.0.3") {
		t.Errorf("addresses %v", ns.Addrs("v0"))
	}
	noErrors(t, k.DelAddrs([]Address{{Link: 9999, Prefix: prefix("10.99.0.2/24")}}))
}

// TestManyAddresses crosses the limits of one send in both directions.
func TestManyAddresses(t *testing.T) {
	ns, k, link := open(t)
	want := manyAddresses(link, 1000)
	noErrors(t, k.AddAddrs(want))
	if got := len(ns.Addrs("v0")); got < len(want) {
		t.Errorf("%d addresses, want %d", got, len(want))
	}
	// All fail with EEXIST, so every one is answered.
	noErrors(t, k.AddAddrs(want))
	bad := append([]Address(nil), want...)
	for i := range bad {
		bad[i].Link = 9999
	}
	for i, err := range k.AddAddrs(bad) {
		if err == nil {
			t.Fatalf("address %d on a link that is not there: no error", i)
		}
	}
	noErrors(t, k.DelAddrs(want))
	if got := ns.HasAddr("10.50.0.0"); got {
		t.Error("addresses are left")
	}
}

func manyAddresses(link, n int) []Address {
	as := make([]Address, n)
	for i := range as {
		as[i] = Address{
			Link: link, Prefix: prefix(fmt.Sprintf("10.50.%d.%d/32", i>>8, i&255)), Protocol: ProtocolKeepalived,
		}
	}
	return as
}

// TestAddressWire pins the bytes: attributes and their order are the original's
// (vrrp.md 4.1).
func TestAddressWire(t *testing.T) {
	a := Address{
		Link: 3, Prefix: prefix("10.1.2.3/24"), Broadcast: addr("10.1.2.255"), Label: "e:1",
		Flags: unix.IFA_F_NOPREFIXROUTE, Protocol: 18,
	}
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"add", "02180000 03000000 08000200 0a010203 08000400 0a0102ff 08000800 00020000 08000300 653a3100 05000b00 12000000", a.appendAdd(nil)},
		{"delete", "02180000 03000000 08000200 0a010203 08000100 0a010203", a.appendDel(nil)},
		{"add IPv6", "0a800200 03000000 14000600 00000000 ffffffff 0000000000000000 14000200 fd990000000000000000000000000061 08000800 02000000",
			Address{Link: 3, Prefix: prefix("fd99::61/128"), Flags: unix.IFA_F_NODAD}.appendAdd(nil)},
	} {
		if got := fmt.Sprintf("%x", c.got); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, c := range addressCases {
		f.Add(c.a.appendAdd(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAddress(b)
		if err != nil {
			return
		}
		a.Valid = 0
		again, err := parseAddress(a.appendAdd(nil))
		if again.Valid = 0; err != nil || !a.Same(again) {
			t.Fatalf("%+v reads back as %+v, %v", a, again, err)
		}
	})
}

// BenchmarkAddrs adds and deletes 1000 addresses as a takeover does.
func BenchmarkAddrs(b *testing.B) {
	_, k, link := open(b)
	as := manyAddresses(link, 1000)
	for b.Loop() {
		noErrors(b, k.AddAddrs(as))
		b.StopTimer()
		noErrors(b, k.DelAddrs(as))
		b.StartTimer()
	}
}
