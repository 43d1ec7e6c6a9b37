package report

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestCheckerDump compares with a dump of keepalived 2.4.3 for the same
// configuration, with every check passed once. PING_CHECK had run three times.
func TestCheckerDump(t *testing.T) {
	want := nettest.Recorded(t, "07-checker/keepalived_check.data")
	cfg, _ := configparse.Load(configparse.Files{"/k.conf": nettest.Recorded(t, "07-checker/keepalived.conf")}, "/k.conf", configparse.Env{HostName: "host"})
	if len(cfg.Checker.Services) == 0 {
		t.Fatal("no virtual server was read")
	}
	p := checker.NewPool()
	now := time.Date(2026, 11, 21, 9, 44, 0, 0, time.UTC)
	p.Load(now, &cfg.Checker, checker.Options{})
	for _, e := range p.Drain() {
		s, ok := e.(checker.Start)
		if !ok {
			continue
		}
		runs := 1
		if s.Spec.Keyword() == "PING_CHECK" {
			runs = 3
		}
		for range runs {
			p.Report(now, s.ID, checker.Result{Began: now})
		}
	}
	_, got, _ := strings.Cut(Checker{Config: cfg, Services: p.Snapshot()}.Text(), "------< LVS Topology >------")
	_, w, _ := strings.Cut(want, "------< LVS Topology >------")
	mask := func(s string) string {
		s = regexp.MustCompile(`Last ran = .*`).ReplaceAllString(s, "Last ran")
		// What the scheduler of the original happened to have at that moment.
		return strings.TrimSpace(s)
	}
	if d := cmp.Diff(strings.Split(mask(w), "\n"), strings.Split(mask(got), "\n")); d != "" {
		t.Errorf("dump (-original +ours):\n%s", d)
	}
}
