package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// benchConfig has n instances; VRID and interface tell them apart.
func benchConfig(n int, change func(*InstanceConfig)) *Config {
	c := &Config{Group4: netip.MustParseAddr("224.0.0.18")}
	for i := range n {
		in := InstanceConfig{
			Name: fmt.Sprint("VI_", i), Version: 3, VRID: uint8(i%255 + 1), Interface: fmt.Sprint("eth", i/255),
			Priority: 100, AdvertInterval: 10 * time.Millisecond, DownTimerAdverts: 3,
			Source: netip.MustParseAddr("10.99.0.1"), Destination: c.Group4,
			Addresses: []Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(i >> 8), byte(i)}), 32)}},
		}
		if change != nil {
			change(&in)
		}
		c.Instances = append(c.Instances, in)
	}
	return c
}

// running is a Router whose instances are all master.
func running(c *Config) (*Router, time.Time) {
	r := New(Options{})
	now := time.Unix(1795252801, 0)
	for i := range c.Instances {
		r.LinkChanged(now, Link{Name: c.Instances[i].Interface, Exists: true, Up: true})
	}
	r.Reload(now, c)
	for range 20 {
		now = now.Add(10 * time.Millisecond)
		r.Tick(now)
		r.Drain()
	}
	return r, now
}

var advertKinds = []struct {
	name   string
	change func(*InstanceConfig)
}{
	{"v3", nil},
	{"v2-pass", func(in *InstanceConfig) {
		in.Version, in.AdvertInterval = 2, time.Second
		in.Auth = AuthConfig{Type: AuthPass, Password: [8]byte{'x'}}
	}},
	{"v2-ah", func(in *InstanceConfig) {
		in.Version, in.AdvertInterval = 2, time.Second
		in.Auth = AuthConfig{Type: AuthAH, Password: [8]byte{'x'}}
	}},
	{"v3-hmac", func(in *InstanceConfig) {
		in.HMAC = &HMACConfig{Keys: []HMACKey{{1, make([]byte, 32)}}, Active: 1, Window: 5 * time.Second}
	}},
	{"v3-8-peers", func(in *InstanceConfig) {
		in.Unicast = true
		for i := range byte(8) {
			in.Peers = append(in.Peers, Peer{Addr: netip.AddrFrom4([4]byte{10, 99, 1, i}), MaxTTL: 255})
		}
	}},
}

// TestAdvertWithoutAllocation: an advert sent costs no memory, whatever its
// kind.
func TestAdvertWithoutAllocation(t *testing.T) {
	for _, k := range advertKinds {
		t.Run(k.name, func(t *testing.T) {
			r, now := running(benchConfig(3, k.change))
			step := r.instances[0].cfg.AdvertInterval
			for range 500 { // until nothing grows any more and every block is announced
				now = now.Add(step)
				r.Tick(now)
				r.Drain()
			}
			if n := testing.AllocsPerRun(200, func() {
				now = now.Add(step)
				r.Tick(now)
				if len(r.Drain()) != 3 {
					t.Fatal("not one advert per instance")
				}
			}); n != 0 {
				t.Errorf("%v allocations per round of 3 adverts, want 0", n)
			}
		})
	}
}

func BenchmarkAdvert(b *testing.B) {
	for _, k := range advertKinds {
		b.Run(k.name, func(b *testing.B) {
			r, now := running(benchConfig(1, k.change))
			in := r.instances[0]
			b.ReportAllocs()
			for b.Loop() {
				in.sendAdvert(now, 100)
				r.Drain()
			}
		})
	}
}

// BenchmarkTick is one due advert among many instances that are not due.
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{1, 255, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, now := running(benchConfig(n, nil))
			// Spread the deadlines.
			for i, in := range r.instances {
				in.wakeAt(now.Add(10*time.Millisecond + time.Duration(i)*time.Microsecond))
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Tick(r.Next())
				r.Drain()
			}
		})
	}
}

// BenchmarkReceive is an advert of the master at a backup.
func BenchmarkReceive(b *testing.B) {
	for _, k := range advertKinds {
		if k.name == "v2-ah" || k.name == "v3-hmac" || k.name == "v3-8-peers" {
			continue // they refuse a packet that is repeated, or need a peer
		}
		b.Run(k.name, func(b *testing.B) {
			c := benchConfig(1, k.change)
			r, now := running(c)
			in := r.instances[0]
			p := &Packet{Socket: in.socket,
				Bytes: AppendPacket(nil, &c.Instances[0], netip.MustParseAddr("10.99.0.2"), c.Group4, 200)}
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				r.Receive(now, p)
				r.Drain()
			}
		})
	}
}
