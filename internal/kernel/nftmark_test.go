package kernel

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

func markRange(first, last string, port uint16, protocol uint8, mark uint32) MarkRange {
	return MarkRange{netip.MustParseAddr(first), netip.MustParseAddr(last), port, protocol, mark}
}

// TestMarker compares with the rule sets that nft printed for keepalived 2.4.3
// (ipvs-golden 32 and 62).
func TestMarker(t *testing.T) {
	nettest.Need(t, "nft")
	ns, _, _ := open(t)
	var m *Marker
	var err error
	ns.Do(func() { m, err = OpenMarker(MarkOptions{Priority: -1}) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	set := func(ranges ...MarkRange) string {
		t.Helper()
		ns.Do(func() { err = m.Set(ranges) })
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(ns.Run("nft", "list", "ruleset"))
	}
	const tcp, udp = unix.IPPROTO_TCP, unix.IPPROTO_UDP
	table := func(maps ...string) string {
		s := "table ip keepalived_ipvs {\n"
		for i, name := range []string{"tcp_map", "udp_map"}[:len(maps)] {
			s += "\tmap " + name + " {\n\t\ttype ipv4_addr . inet_service : mark\n\t\tflags interval\n" +
				"\t\telements = { " + maps[i] + " }\n\t}\n\n"
		}
		s += "\tchain in {\n\t\ttype filter hook input priority filter - 1; policy accept;\n"
		for _, p := range []string{"tcp", "udp"}[:len(maps)] {
			s += "\t\tmeta mark set ip daddr . " + p + " dport map @" + p + "_map return\n"
		}
		return s + "\t}\n}"
	}
	const gap = ",\n\t\t\t     "
	got := set(markRange("10.99.4.1", "10.99.4.1", 80, tcp, 1000), markRange("10.99.4.2", "10.99.4.4", 81, tcp, 1000))
	want := table("10.99.4.1 . 80 : 0x000003e8" + gap + "10.99.4.2-10.99.4.4 . 81 : 0x000003e8")
	if got != want {
		t.Errorf("first\n%s\nwant\n%s", got, want)
	}
	// Another protocol, one range shortened, one gone.
	got = set(markRange("10.99.4.2", "10.99.4.3", 81, tcp, 1000), markRange("10.99.9.0", "10.99.9.15", 90, udp, 1001))
	want = table("10.99.4.2/31 . 81 : 0x000003e8", "10.99.9.0/28 . 90 : 0x000003e9")
	if got != want {
		t.Errorf("changed\n%s\nwant\n%s", got, want)
	}
	// Flushed by somebody: made anew with the next change.
	ns.Run("nft", "flush", "ruleset")
	got = set(markRange("10.99.4.2", "10.99.4.4", 81, tcp, 1000))
	want = table("10.99.4.2-10.99.4.4 . 81 : 0x000003e8")
	if got != want {
		t.Errorf("after a flush\n%s\nwant\n%s", got, want)
	}
	ns.Do(func() { err = m.Remove() })
	if left := strings.TrimSpace(ns.Run("nft", "list", "ruleset")); err != nil || left != "" {
		t.Errorf("after Remove: %v\n%s", err, left)
	}
}

func TestMarkerIPv6WithCounters(t *testing.T) {
	nettest.Need(t, "nft")
	ns, _, _ := open(t)
	var m *Marker
	var err error
	ns.Do(func() {
		if m, err = OpenMarker(MarkOptions{Table: "lvs_tab", Priority: 5, Counters: true}); err == nil {
			err = m.Set([]MarkRange{markRange("2001:db8::5", "2001:db8::8", 80, unix.IPPROTO_TCP, 5000)})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	const want = `table ip6 lvs_tab {
	map tcp_map {
		type ipv6_addr . inet_service : mark
		flags interval
		counter
		elements = { 2001:db8::5-2001:db8::8 . 80 counter packets 0 bytes 0 : 0x00001388 }
	}

	chain in {
		type filter hook input priority filter + 5; policy accept;
		meta mark set ip6 daddr . tcp dport map @tcp_map counter packets 0 bytes 0 return
	}
}`
	if got := strings.TrimSpace(ns.Run("nft", "list", "ruleset")); got != want {
		t.Errorf("ruleset\n%s\nwant\n%s", got, want)
	}
}
