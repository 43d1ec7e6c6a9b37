package configparse

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/bfd"
)

// sameChecker compares what the checker and BFD get.
func sameChecker(a, b *Config) string {
	type part struct {
		Checker checker.Config
		BFD     []bfd.Config
	}
	return cmp.Diff(part{a.Checker, a.BFD}, part{b.Checker, b.BFD},
		cmpopts.IgnoreFields(checker.ServiceConfig{}, "Line"),
		cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}))
}

func checkerRoundTrip(t *testing.T, name, conf string) {
	t.Helper()
	env := Env{ConfigID: "x", HostName: "x", Test: true}
	one, before := Load(Files{"FILE": conf}, "FILE", env)
	text := Print(one)
	two, problems := Load(Files{"FILE": text}, "FILE", env)
	if diff := sameChecker(one, two); diff != "" {
		t.Errorf("%s: printed and read again (-first +second):\n%s\n%s", name, diff, text)
	}
	for _, p := range problems {
		// A service with weights of zero only always complains of its quorum,
		// a session that is refused is refused again.
		known := slices.ContainsFunc(before, func(o Problem) bool { return o.Text == p.Text })
		known = known || strings.Contains(p.Text, "has no neighbor address set")
		if p.Class > ClassNone && !known && !strings.Contains(p.Text, "quorum 1 for") &&
			!strings.Contains(p.Text, "hysteresis 0 >= quorum 0") {
			t.Errorf("%s: printed text has a problem: %v\n%s", name, p, text)
		}
	}
	if again := Print(two); again != text {
		t.Errorf("%s: printing twice differs:\n%s", name, cmp.Diff(text, again))
	}
}

func TestCheckerRoundTrip(t *testing.T) {
	conf, err := os.ReadFile("testdata/lvs/all.conf")
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := Load(Files{"FILE": string(conf)}, "FILE", Env{Test: true})
	for _, p := range problems {
		if p.Class > ClassNone && !strings.Contains(p.Text, "quorum") && !strings.Contains(p.Text, "ports don't match") {
			t.Errorf("unexpected: %v", p)
		}
	}
	if len(cfg.Checker.Services) != 5 || len(cfg.BFD) != 2 {
		t.Fatalf("%d services, %d sessions, want 5, 2", len(cfg.Checker.Services), len(cfg.BFD))
	}
	checkerRoundTrip(t, "all.conf", string(conf))
}

// FuzzChecker: what is read prints to text that reads as the same.
func FuzzChecker(f *testing.F) {
	conf, err := os.ReadFile("testdata/lvs/all.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(conf))
	for _, block := range strings.SplitAfter(string(conf), "\n}\n") {
		f.Add(block)
	}
	f.Add("virtual_server 1.1.1.1 80 {\nreal_server 10.0.0.1 80 {\nSMTP_CHECK {\nhost {\n}\n}\n}\n}\n")
	f.Fuzz(func(t *testing.T, conf string) {
		if strings.Contains(conf, "include") || len(conf) > 1<<16 {
			return
		}
		checkerRoundTrip(t, "fuzz", conf)
	})
}
