package vrrp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// capture is one row of testdata/packets.tsv: an advert of keepalived as it
// was on the wire.
type capture struct {
	name   string
	bytes  []byte
	fields map[string]string
}

func readCaptures(t testing.TB) (all []capture) {
	t.Helper()
	b, err := os.ReadFile("testdata/packets.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		col := strings.Split(line, "\t")
		raw, err := hex.DecodeString(col[2])
		if err != nil {
			t.Fatalf("%s: %v", col[0], err)
		}
		c := capture{col[0], raw, map[string]string{}}
		for _, f := range strings.Fields(col[3]) {
			k, v, _ := strings.Cut(f, "=")
			c.fields[k] = v
		}
		all = append(all, c)
	}
	return all
}

func (c capture) num(k string) int {
	n, _ := strconv.ParseInt(c.fields[k], 0, 64)
	return int(n)
}

func (c capture) addr(k string) netip.Addr {
	a, _ := netip.ParseAddr(c.fields[k])
	return a
}

func (c capture) ipv6() bool { return c.fields["ipver"] == "6" }

// config is the configuration that makes an instance send the row.
func (c capture) config() *Config {
	in := InstanceConfig{
		Name: c.name, Version: uint8(c.num("vrrp_ver")), IPv6: c.ipv6(), VRID: uint8(c.num("vrid")),
		Interface: "eth0", Priority: max(uint8(c.num("prio")), 1), WantMaster: true,
		DownTimerAdverts: 3, Source: c.addr("src"), UnicastTTL: 0,
		AdvertInterval: time.Duration(c.num("adver_int_s")) * time.Second,
	}
	if in.Version == 3 {
		in.AdvertInterval = time.Duration(c.num("adver_int_cs")) * centisecond
	}
	if a := c.fields["addrs"]; a != "" {
		for _, s := range strings.Split(a, ",") {
			ip := netip.MustParseAddr(s)
			in.Addresses = append(in.Addresses, Address{Prefix: netip.PrefixFrom(ip, ip.BitLen())})
		}
	}
	dst := c.addr("dst")
	if in.Unicast = !dst.IsMulticast(); in.Unicast {
		in.Peers = []Peer{{Addr: dst, MaxTTL: 255}}
		ttl := c.num("ttl") + c.num("hop_limit")
		if c.ipv6() && ttl != 64 || !c.ipv6() && ttl != 255 {
			in.UnicastTTL = ttl
		}
	}
	in.Destination = dst
	in.Auth.Type = AuthType(c.num("auth_type"))
	copy(in.Auth.Password[:], c.fields["auth_pass"])
	if strings.HasPrefix(c.fields["csum_over"], "pseudo(src,224") {
		in.OldChecksum = OldChecksumAlways
	}
	in.ChecksumAsV2 = in.Version == 3 && c.fields["csum_over"] == "vrrp_only"
	if k := c.fields["hmac_key_hex"]; k != "" {
		key, _ := hex.DecodeString(k)
		id := uint8(c.num("key_id"))
		in.HMAC = &HMACConfig{Keys: []HMACKey{{id, key}}, Active: id, Window: 5 * time.Second}
	}
	return &Config{Instances: []InstanceConfig{in}, Group4: netip.MustParseAddr("224.0.0.18")}
}

// time is the wall clock at which the row's trailer was made.
func (c capture) time() time.Time {
	if c.fields["ts_sec"] == "" {
		return time.Unix(1795252801, 0)
	}
	// The middle of the unit of 1/65536 s, so that rounding down gives it.
	frac := (int64(c.num("ts_subsec"))*2 + 1) * 1e9 / 131072
	return time.Unix(int64(c.num("ts_sec")), frac)
}

// TestPacketsEncode builds every captured advert from its configuration and
// compares all bytes. The kernel's part (IPv4 header checksum, the IPv6 header
// and checksum) is left out.
func TestPacketsEncode(t *testing.T) {
	for _, c := range readCaptures(t) {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.config()
			r := New(Options{})
			r.cfg = cfg
			in := r.newInstance(&cfg.Instances[0])
			in.source = cfg.Instances[0].Source
			in.ipID = uint16(c.num("ip_id") - 1)
			if in.ah != nil {
				in.ah.seq = uint32(c.num("ah_seq") - 1)
			}
			in.sendAdvert(c.time(), uint8(c.num("prio")))
			out := r.Drain()
			if len(out) != 1 {
				t.Fatalf("%d effects, want one advert", len(out))
			}
			a := out[0].(*SendAdvert)
			got, want := bytes.Clone(a.Packets[0].Bytes), bytes.Clone(c.bytes)
			if c.ipv6() {
				want = want[40:]
				want[6], want[7] = 0, 0
				if hl := c.num("hop_limit"); a.HopLimit != 0 && a.HopLimit != hl {
					t.Errorf("hop limit %d, want %d", a.HopLimit, hl)
				}
			} else {
				want[10], want[11] = 0, 0
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
			if a.Packets[0].To != c.addr("dst") {
				t.Errorf("to %v, want %v", a.Packets[0].To, c.addr("dst"))
			}
		})
	}
}

// TestPacketsDecode feeds every captured advert to an instance that is
// configured like its sender, except for the addresses, and looks at what was
// understood; one changed byte anywhere that matters must be refused.
func TestPacketsDecode(t *testing.T) {
	for _, c := range readCaptures(t) {
		t.Run(c.name, func(t *testing.T) {
			if d, rx := c.receive(t, c.bytes); d != DropNone {
				t.Fatalf("dropped: reason %d", d)
			} else {
				c.compare(t, rx)
			}
			if c.ipv6() && c.fields["hmac"] == "" {
				return // the kernel verifies the checksum
			}
			at := len(c.bytes) - 1
			bad := bytes.Clone(c.bytes)
			bad[at] ^= 1
			d, _ := c.receive(t, bad)
			if c.fields["csum_over"] == "vrrp_only" && c.num("vrrp_ver") == 3 {
				return // v3_checksum_as_v2 is not verified on receipt
			}
			if d == DropNone {
				t.Errorf("accepted with byte %d changed", at)
			}
		})
	}
}

// receive runs the checks of a receiver that has the sender's configuration.
func (c capture) receive(t *testing.T, b []byte) (Drop, *received) {
	t.Helper()
	cfg := c.config()
	ic := &cfg.Instances[0]
	if ic.Unicast {
		ic.Peers = []Peer{{Addr: c.addr("src"), MaxTTL: 255}}
	}
	r := New(Options{})
	r.cfg = cfg
	in := r.newInstance(ic)
	in.state = Backup
	in.source = netip.Addr{}
	s := &socket{key: SocketKey{IPv6: c.ipv6()}}
	p := &Packet{Bytes: b}
	if c.ipv6() {
		p = &Packet{Bytes: b[40:], Source: c.addr("src"), To: c.addr("dst"), HopLimit: c.num("hop_limit")}
	}
	rx := &r.rx
	*rx = received{now: c.time(), arrived: c.time()}
	if !r.parse(rx, s, p) {
		return DropShort, rx
	}
	return in.check(rx), rx
}

// compare checks what was understood against the row's fields.
func (c capture) compare(t *testing.T, rx *received) {
	t.Helper()
	a := &rx.adv
	eq := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	eq("version", int(a.Version), c.num("vrrp_ver"))
	eq("type", int(a.Type), c.num("type"))
	eq("vrid", int(a.VRID), c.num("vrid"))
	eq("priority", int(a.Priority), c.num("prio"))
	eq("count", int(a.Count), c.num("naddr"))
	eq("checksum", int(a.Checksum), c.num("vrrp_csum"))
	eq("source", rx.src, c.addr("src"))
	eq("destination", rx.dst, c.addr("dst"))
	eq("ttl", rx.ttl, c.num("ttl")+c.num("hop_limit"))
	if a.Version == 2 {
		eq("auth type", int(a.AuthType), c.num("auth_type"))
		eq("interval", a.Interval, time.Duration(c.num("adver_int_s"))*time.Second)
		if !c.ipv6() {
			eq("auth data", hex.EncodeToString(a.Auth[:]), c.fields["auth_data"])
		}
	} else {
		eq("interval", a.Interval, time.Duration(c.num("adver_int_cs"))*centisecond)
	}
	var addrs []string
	for i := range int(a.Count) {
		addrs = append(addrs, a.Addr(i).String())
	}
	eq("addresses", strings.Join(addrs, ","), c.fields["addrs"])
	if c.fields["ah_seq"] != "" {
		eq("AH sequence", int(rx.ahSeq), c.num("ah_seq"))
		eq("AH SPI", int(rx.ahSPI), c.num("ah_spi"))
	}
	if c.fields["hmac"] != "" {
		eq("key id", int(rx.ext[extKey]), c.num("key_id"))
		eq("seconds", int(binary.BigEndian.Uint32(rx.ext[extSeconds:])), c.num("ts_sec"))
	}
}
