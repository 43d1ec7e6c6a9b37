package vrrp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

// FuzzAdvert reads any PDU. One that is understood and has an allowed form is
// written again from what was understood, and must be the same.
func FuzzAdvert(f *testing.F) {
	for _, c := range readCaptures(f) {
		b := c.bytes[20:]
		if c.ipv6() {
			b = c.bytes[40:]
		} else if c.num("ip_proto") == protoAH {
			b = c.bytes[44:]
		}
		f.Add(b, c.ipv6())
	}
	f.Fuzz(func(t *testing.T, b []byte, ipv6 bool) {
		var a Advert
		if a.Parse(b, ipv6) != nil {
			return
		}
		c := InstanceConfig{Version: a.Version, IPv6: ipv6, VRID: a.VRID, AdvertInterval: a.Interval}
		c.Auth.Type, c.Auth.Password = a.AuthType, a.Auth
		for i := range int(a.Count) {
			ip := a.Addr(i)
			c.Addresses = append(c.Addresses, Address{Prefix: netip.PrefixFrom(ip, ip.BitLen())})
		}
		want := bytes.Clone(b[:pduLen(a.Version, a.Count, ipv6)])
		want[0] = a.Version<<4 | typeAdvert // the only type there is
		want[6], want[7] = 0, 0
		if a.Version == 3 {
			want[4] &= 0xf
		} else if !ipv6 && a.AuthType != AuthPass {
			clear(want[len(want)-authLen:])
		}
		if got := AppendPDU(nil, &c, a.Priority); !bytes.Equal(got, want) {
			t.Errorf("written again: got %x, want %x", got, want)
		}
	})
}

// fuzzConfigs are receivers of every kind, one per VRID.
func fuzzConfigs() *Config {
	c := &Config{Group4: netip.MustParseAddr("224.0.0.18"), Group6: netip.MustParseAddr("ff02::12"), LogUnknownVRIDs: true}
	key := &HMACConfig{Keys: []HMACKey{{1, make([]byte, 32)}}, Active: 1, Window: 5 * time.Second}
	permissive := *key
	permissive.Mode, permissive.Monotonic = HMACPermissive, true
	pass := AuthConfig{Type: AuthPass, Password: [8]byte{'s', '3', 'c', 'r', 'e', 't'}}
	ah := AuthConfig{Type: AuthAH, Password: pass.Password}
	peer := []Peer{{Addr: netip.MustParseAddr("10.99.0.1"), MaxTTL: 255, TTLGiven: true}}
	kinds := []InstanceConfig{
		{Version: 2}, {Version: 2, Auth: pass}, {Version: 2, Auth: ah}, {Version: 2, HMAC: key},
		{Version: 3}, {Version: 3, HMAC: key}, {Version: 3, HMAC: &permissive}, {Version: 3, ChecksumAsV2: true},
		{Version: 3, IPv6: true}, {Version: 3, IPv6: true, HMAC: key}, {Version: 2, IPv6: true},
		{Version: 2, Unicast: true, Peers: peer}, {Version: 3, Unicast: true, Peers: peer},
		{Version: 3, Unicast: true, Peers: peer, HMAC: key}, {Version: 2, Unicast: true, Peers: peer, Auth: ah},
	}
	for i, in := range kinds {
		in.VRID, in.Name, in.Interface = uint8(i+1), string(rune('A'+i)), "eth0"
		in.Priority, in.DownTimerAdverts, in.AdvertInterval = 100, 3, time.Second
		in.Source, in.Destination = netip.MustParseAddr("10.99.0.2"), c.Group4
		in.Addresses = []Address{{Prefix: netip.MustParsePrefix("10.99.1.1/32")}}
		if in.IPv6 {
			in.Source, in.Destination = netip.MustParseAddr("fe80::2"), c.Group6
			in.Addresses = []Address{{Prefix: netip.MustParsePrefix("fe80::40/64")}}
		}
		c.Instances = append(c.Instances, in)
	}
	return c
}

// FuzzReceive hands any bytes to receivers of every kind, as backup and as
// master. Nothing may break, and a packet must not cost more than a few
// effects; what an instance holds must follow from its state.
func FuzzReceive(f *testing.F) {
	for _, c := range readCaptures(f) {
		if c.ipv6() {
			f.Add(c.bytes[40:], c.num("hop_limit"), uint8(c.num("vrid")), false)
			f.Add(c.bytes[40:], c.num("hop_limit"), uint8(9), true)
		} else {
			f.Add(c.bytes, 0, uint8(c.num("vrid")), false)
			f.Add(c.bytes, 0, uint8(1+c.num("vrrp_ver")), true)
		}
	}
	cfg := fuzzConfigs()
	f.Fuzz(func(t *testing.T, b []byte, hopLimit int, vrid uint8, master bool) {
		r := New(Options{Detail: true})
		now := time.Unix(1795252801, 0)
		r.LinkChanged(now, Link{Name: "eth0", Exists: true, Up: true})
		r.Reload(now, cfg)
		if master {
			now = now.Add(4 * time.Second)
			r.Tick(now)
		}
		r.Drain()
		// The VRID is made to fit, and a socket of each family tried.
		b = bytes.Clone(b)
		for _, s := range r.want {
			at := 1
			if !s.Key.IPv6 {
				if at = 21; len(b) > 9 && b[9] == protoAH {
					at = 45
				}
			}
			if len(b) > at && vrid != 0 {
				b[at] = vrid%uint8(len(cfg.Instances)) + 1
			}
			p := &Packet{Socket: s.ID, Bytes: b, HopLimit: hopLimit,
				Source: netip.MustParseAddr("fe80::9"), To: s.Key.Addr}
			r.Receive(now, p)
			out := r.Drain()
			if len(out) > 40 {
				t.Fatalf("one packet caused %d effects", len(out))
			}
		}
		for _, in := range r.instances {
			if in.holding != (in.state == Master) {
				t.Fatalf("%s is %v, holding=%v", in.cfg.Name, in.state, in.holding)
			}
		}
		r.Tick(now.Add(time.Minute))
	})
}
