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

// TestCheckerDumpAfterReload: what a reload leaves in the dump, as 2.2.7 shows
// it: what was there before is marked, with the weight that it had; a virtual
// server without any live server is still alive.
func TestCheckerDumpAfterReload(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 44, 0, 0, time.UTC)
	load := func(servers string) *configparse.Config {
		cfg, _ := configparse.Load(configparse.Files{"/k.conf": "virtual_server 10.0.0.1 80 {\n protocol TCP\n lb_kind NAT\n" + servers + "}\n"},
			"/k.conf", configparse.Env{HostName: "host"})
		return cfg
	}
	server := func(addr, weight string) string {
		return " real_server " + addr + " 80 {\n  weight " + weight + "\n  TCP_CHECK {\n  }\n }\n"
	}
	p := checker.NewPool()
	p.Load(now, &load(server("10.0.0.2", "5")).Checker, checker.Options{})
	after := load(server("10.0.0.2", "7") + server("10.0.0.3", "7"))
	p.Load(now, &after.Checker, checker.Options{})
	for range 2 { // all are dead
		for _, s := range p.Snapshot()[0].Servers {
			p.Report(now, s.Checks[0].ID, checker.Result{Began: now, Reason: checker.ConnectFailed})
		}
	}
	var got []string
	for l := range strings.Lines(Checker{Config: after, Services: p.Snapshot()}.Text()) {
		if m := regexp.MustCompile(`^ +((VS )?alive|reloaded|previous effective_weight) = \d+$`).FindString(strings.TrimRight(l, "\n")); m != "" {
			got = append(got, strings.TrimSpace(m))
		}
	}
	want := []string{"VS alive = 1", "reloaded = 1",
		"previous effective_weight = 5", "alive = 0", "reloaded = 1",
		"previous effective_weight = 0", "alive = 0", "reloaded = 0"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("dump after a reload (-want +got):\n%s", d)
	}
}

// TestCheckerDumpGroup: the count of a group's entry, as 2.2.7 shows it, is of
// what is in the table: a dead server with inhibit_on_failure and the sorry
// server with it, not a server that is dead or that the sorry server stands for.
func TestCheckerDumpGroup(t *testing.T) {
	cfg, _ := configparse.Load(configparse.Files{"/k.conf": `virtual_server_group G {
 10.0.0.1 80
 fwmark 3
}
virtual_server group G {
 protocol TCP
 lb_kind NAT
 quorum 4
 sorry_server 10.0.0.9 80
 sorry_server_inhibit
 real_server 10.0.0.2 80 {
  inhibit_on_failure
  TCP_CHECK {
  }
 }
 real_server 10.0.0.3 80 {
  TCP_CHECK {
  }
 }
 real_server 10.0.0.4 80 {
 }
 real_server 10.0.0.5 80 {
 }
}
`}, "/k.conf", configparse.Env{HostName: "host"})
	p := checker.NewPool()
	now := time.Date(2026, 11, 21, 9, 44, 0, 0, time.UTC)
	p.Load(now, &cfg.Checker, checker.Options{})
	counts := func() []string {
		text := Checker{Config: cfg, Services: p.Snapshot()}.Text()
		return regexp.MustCompile(`Alive: .*`).FindAllString(text, -1)
	}
	if d := cmp.Diff([]string{"Alive: 5 tcp, 0 udp, 0 sctp", "Alive: 5 IPv4, 0 IPv6"}, counts()); d != "" {
		t.Errorf("all alive (-want +got):\n%s", d)
	}
	for _, s := range p.Snapshot()[0].Servers[:2] {
		p.Report(now, s.Checks[0].ID, checker.Result{Began: now, Reason: checker.ConnectFailed})
	}
	if d := cmp.Diff([]string{"Alive: 2 tcp, 0 udp, 0 sctp", "Alive: 2 IPv4, 0 IPv6"}, counts()); d != "" {
		t.Errorf("without quorum (-want +got):\n%s", d)
	}
}
