package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// hears lets a master receive an advert of another router, configured like it
// but for a change.
func hears(r *Router, now time.Time, source string, priority uint8, change func(*InstanceConfig)) {
	in := r.instances[0]
	c := *in.cfg
	if change != nil {
		change(&c)
	}
	r.Receive(now, &Packet{Socket: in.socket,
		Bytes: AppendPacket(nil, &c, netip.MustParseAddr(source), r.cfg.Group4, priority)})
	r.Drain()
}

func password(word string) func(*InstanceConfig) {
	return func(c *InstanceConfig) {
		c.Auth = AuthConfig{Type: AuthPass}
		copy(c.Auth.Password[:], word)
	}
}

func addresses(list ...string) func(*InstanceConfig) {
	return func(c *InstanceConfig) {
		c.Addresses = nil
		for _, a := range list {
			c.Addresses = append(c.Addresses, Address{Prefix: netip.MustParsePrefix(a + "/32")})
		}
	}
}

// TestOddities tells what is odd about the adverts of other routers.
func TestOddities(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*InstanceConfig)
		prio   uint8
		kind   OddityKind
		text   string // part of it; empty: nothing is odd
	}{
		{"like us, higher", nil, 200, 0, ""},
		{"another password", password("y"), 200, OddRefused, "invalid passwd"},
		{"no password", func(c *InstanceConfig) { c.Auth = AuthConfig{} }, 200, OddRefused, "auth"},
		{"another version", func(c *InstanceConfig) { c.Version, c.Auth = 3, AuthConfig{} }, 200, OddRefused, "version"},
		{"another interval", func(c *InstanceConfig) { c.AdvertInterval = 2 * time.Second }, 200, OddRefused, "interval"},
		{"more addresses", addresses("10.99.0.0", "10.99.7.7"), 200, OddAddresses, "announces 2 addresses, 1 are configured here"},
		{"another address", addresses("10.99.7.7"), 200, OddAddresses, "10.99.0.0 is missing"},
		{"master below us", nil, 50, OddRival, "lower priority 50"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, now := running(benchConfig(1, func(c *InstanceConfig) {
				c.Version, c.AdvertInterval = 2, time.Second
				password("x")(c)
			}))
			for range 5 * 20 { // master, after 3 s and more
				now = now.Add(50 * time.Millisecond)
				r.Tick(now)
			}
			r.Drain()
			for i := range 3 {
				hears(r, now.Add(time.Duration(i)*time.Second), "10.99.0.9", tt.prio, tt.change)
			}
			odd := r.Snapshot(now).Instances[0].Oddities
			if tt.text == "" {
				if len(odd) != 0 {
					t.Errorf("odd: %+v", odd)
				}
				return
			}
			if len(odd) != 1 || odd[0].Kind != tt.kind || odd[0].Count != 3 || !strings.Contains(odd[0].Text, tt.text) ||
				odd[0].Source != netip.MustParseAddr("10.99.0.9") || odd[0].Last.Sub(odd[0].First) != 2*time.Second {
				t.Errorf("odd: %+v, want one of kind %d about %q, three times", odd, tt.kind, tt.text)
			}
		})
	}
}

// TestOdditiesAreBounded forges sources, and lets a peer mend its list.
func TestOdditiesAreBounded(t *testing.T) {
	r, now := running(benchConfig(1, nil))
	for i := range 100 {
		hears(r, now.Add(time.Duration(i)*time.Millisecond), netip.AddrFrom4([4]byte{10, 99, 1, byte(i)}).String(), 200, addresses("10.99.7.7"))
	}
	odd := r.Snapshot(now).Instances[0].Oddities
	if len(odd) != maxOddities {
		t.Fatalf("%d are remembered, want %d", len(odd), maxOddities)
	}
	last := netip.MustParseAddr("10.99.1.99")
	known := func() bool {
		for _, o := range r.Snapshot(now).Instances[0].Oddities {
			if o.Source == last {
				return true
			}
		}
		return false
	}
	if !known() {
		t.Errorf("the latest is forgotten: %+v", odd)
	}
	hears(r, now.Add(time.Second), last.String(), 200, nil)
	if known() {
		t.Error("a router whose addresses are right again is still odd")
	}
}
