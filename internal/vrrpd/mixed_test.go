package vrrpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestMixedPair runs beside Debian's keepalived 2.2.7, in both roles: one
// master after start, stop, return and crash, and no complaint of the peer.
func TestMixedPair(t *testing.T) {
	needReference(t)
	unicast := func(self, peer string) string {
		return fmt.Sprintf("unicast_src_ip %s\n unicast_peer {\n  %s\n }", self, peer)
	}
	pass := "authentication {\n auth_type PASS\n auth_pass secret\n }"
	ah := "authentication {\n auth_type AH\n auth_pass secret\n }"
	v6 := "virtual_ipaddress {\n  fe80::100\n  fd99::100\n }"
	for _, c := range []struct {
		name  string
		vip   string
		lines func(self, peer string) []string
	}{
		{"v2-multicast", vip, func(_, _ string) []string { return []string{"version 2", "advert_int 1"} }},
		{"v2-pass", vip, func(_, _ string) []string { return []string{"version 2", "advert_int 1", pass} }},
		{"v2-ah", vip, func(_, _ string) []string { return []string{"version 2", "advert_int 1", ah} }},
		{"v2-unicast", vip, func(s, p string) []string { return []string{"version 2", "advert_int 1", unicast(s, p)} }},
		{"v3-multicast", vip, func(_, _ string) []string { return nil }},
		{"v3-unicast", vip, func(s, p string) []string { return []string{unicast(s, p)} }},
		{"v3-ipv6-multicast", "fd99::100", func(_, _ string) []string { return []string{v6} }},
		{"v3-ipv6-unicast", "fd99::100", func(s, p string) []string {
			return []string{v6, unicast(strings.Replace(s, "10.99.0.", "fd99::", 1), strings.Replace(p, "10.99.0.", "fd99::", 1))}
		}},
		{"v3-vmac", vip, func(_, _ string) []string { return []string{"use_vmac"} }},
	} {
		for _, oursFirst := range []bool{true, false} {
			name := c.name + "-ours-higher"
			if !oursFirst {
				name = c.name + "-ours-lower"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				mixed(t, c.vip, oursFirst, c.lines)
			})
		}
	}
}

func mixed(t *testing.T, addr string, oursFirst bool, lines func(self, peer string) []string) {
	hosts := lan(t, 2)
	progA, progB := bin, reference
	if !oursFirst {
		progA, progB = reference, bin
	}
	confA := instance(110, lines("10.99.0.1", "10.99.0.2")...)
	confB := instance(100, lines("10.99.0.2", "10.99.0.1")...)
	a, b := newNode(t, hosts[0], progA, confA).start(), newNode(t, hosts[1], progB, confB).start()
	alone := func(master, backup *node, when string) {
		t.Helper()
		nettest.Eventually(t, 15*time.Second, when+": one master", func() bool {
			return master.has(addr) && !backup.has(addr)
		})
	}
	alone(a, b, "start")
	nettest.Never(t, 1500*time.Millisecond, "two masters", func() bool { return b.has(addr) })
	a.stop()
	alone(b, a, "stop")
	a.start()
	alone(a, b, "return")
	b.stop()
	b.start()
	nettest.Never(t, 1500*time.Millisecond, "the lower priority takes over", func() bool { return b.has(addr) })
	peer := a
	if oursFirst {
		peer = b
	}
	for _, bad := range []string{"invalid", "Invalid", "mismatch", "expect", "too short", "too long", "wrong"} {
		for _, l := range strings.Split(peer.proc.Output(), "\n") {
			if strings.Contains(l, bad) && strings.Contains(l, "VI_1") {
				t.Errorf("the peer complains: %s", l)
			}
		}
	}
}
