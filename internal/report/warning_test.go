package report

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// TestWarnings looks at what an operator is told: it must be there when it is
// true, and gone when it is over.
func TestWarnings(t *testing.T) {
	now := time.Unix(10000, 0)
	vip := netip.MustParseAddr("192.0.2.100")
	peer := netip.MustParseAddr("192.0.2.9")
	odd := func(kind vrrp.OddityKind, n uint64, ago time.Duration) []vrrp.Oddity {
		return []vrrp.Oddity{{Kind: kind, Source: peer, Text: "says so", Count: n, Last: now.Add(-ago)}}
	}
	for _, tt := range []struct {
		name   string
		change func(*VRRP, *vrrp.InstanceSnapshot)
		want   string // of one warning; empty: none
	}{
		{"well", nil, ""},
		{"stranger", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.Oddities = odd(vrrp.OddRefused, 7, time.Second) },
			"VI_1: 192.0.2.9 uses VRID 51 too and its adverts are refused: says so (7 times, last 1s ago)"},
		{"stranger of yesterday", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.Oddities = odd(vrrp.OddRefused, 7, time.Hour) }, ""},
		{"other addresses", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.Oddities = odd(vrrp.OddAddresses, 1, 0) }, "VI_1: 192.0.2.9 says so"},
		{"rival", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.Oddities = odd(vrrp.OddRival, 3, time.Second) }, "VI_1: 192.0.2.9 says so"},
		{"rival that learnt", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.Oddities = odd(vrrp.OddRival, 2, time.Second) }, ""},
		{"old checksum", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.OldChecksum = true }, "the old way"},
		{"address deleted", func(v *VRRP, _ *vrrp.InstanceSnapshot) { v.Links[1].All = nil }, "VI_1: 192.0.2.100/24 should be on eth0 and is not"},
		{"address on another link", func(v *VRRP, _ *vrrp.InstanceSnapshot) {
			v.Links[1].All, v.Links[0].All = nil, []netip.Addr{vip}
		}, "should be on eth0"},
		{"backup with the address", func(_ *VRRP, in *vrrp.InstanceSnapshot) { in.State, in.Holding = vrrp.Backup, false },
			"192.0.2.100/24 is on eth0 although it is BACKUP"},
		{"backup just now", func(_ *VRRP, in *vrrp.InstanceSnapshot) {
			in.State, in.Holding, in.Since = vrrp.Backup, false, now.Add(-time.Second)
		}, ""},
		{"address of another instance", func(v *VRRP, in *vrrp.InstanceSnapshot) {
			other := *in
			other.ID++
			in.State, in.Holding = vrrp.Backup, false
			v.Snapshot.Instances = append(v.Snapshot.Instances, other)
		}, ""},
		{"static address", func(v *VRRP, in *vrrp.InstanceSnapshot) {
			in.State, in.Holding = vrrp.Backup, false
			v.Config.VRRP.StaticAddresses = in.Config.Addresses
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := master(load(t, "01-simple"))
			v.Links = slices.Clone(v.Links)
			v.Links[1].All = []netip.Addr{vip}
			in := &v.Snapshot.Instances[0]
			in.Since = now.Add(-time.Hour)
			if tt.change != nil {
				tt.change(&v, in)
			}
			got := strings.Join(StatusOf(v, now).Warnings, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) || strings.Count(got, "\n") > 0 {
				t.Errorf("warnings %q, want %q", got, tt.want)
			}
		})
	}
}
