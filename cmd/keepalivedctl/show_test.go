package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/internal/watchdog"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func sample() status {
	return status{
		Status: watchdog.Status{Version: "v2.4.3", PID: 7, Since: now.Add(-90 * time.Second),
			Children: []watchdog.ChildStatus{{Role: "vrrp", PID: 8, Starts: 1}}},
		vrrp: &report.Status{Instances: []report.InstanceStatus{{
			Name: "VI_1", State: "MASTER", Since: now.Add(-3 * time.Second), VRID: 51, Interface: "eth0", Version: 2,
			Why: "no other router was heard for 3.6s", Priority: 80, Base: 100, Holding: true, Addresses: []string{"192.0.2.1/24"},
			Sum: []report.Contribution{{What: "script", Name: "chk", Weight: -20, Adds: -20}},
		}}},
		checker: &report.CheckerStatus{IPVS: "ok", Services: []report.ServiceStatus{{
			Name: "[192.0.2.1]:tcp:80", Quorum: true, Alive: 1, Servers: []report.ServerStatus{{Name: "a", Alive: true}},
		}}},
	}
}

var update = flag.Bool("update", false, "rewrite testdata")

// night is a daemon with everything that can be wrong: what somebody sees who
// was woken up.
func night() status {
	s := sample()
	active, inactive := uint32(12), uint32(3)
	s.Config = "/etc/keepalived/keepalived.conf"
	s.Children = append(s.Children, watchdog.ChildStatus{Role: "checker", PID: 9, Starts: 3, Since: now.Add(-time.Minute)})
	s.Problems = []watchdog.Problem{{File: "/etc/keepalived/keepalived.conf", Line: 12, Column: 5, Text: "virtual_router_id 51 is used twice on eth0 and one of the two will not work"}}
	s.vrrp.Instances[0].Sum = append(s.vrrp.Instances[0].Sum, report.Contribution{What: "interface", Name: "eth1", Weight: 5})
	s.vrrp.Instances[0].Family, s.vrrp.Instances[0].Master = "ipv4", "192.0.2.7"
	s.vrrp.Instances[0].LastSent, s.vrrp.Instances[0].Deadline = now.Add(-400*time.Millisecond), now.Add(600*time.Millisecond)
	for i := range 5 {
		s.vrrp.Instances[0].Addresses = append(s.vrrp.Instances[0].Addresses, fmt.Sprintf("192.0.2.%d/24", 100+i))
	}
	s.vrrp.Instances = append(s.vrrp.Instances, report.InstanceStatus{
		Name: "VI_backup_of_site_b", State: "BACKUP", Since: now.Add(-3 * time.Hour), VRID: 52, Interface: "eth0", Version: 3,
		Family: "ipv6", Why: "fe80::1 is master with priority 200, ours is 100", Priority: 100, Base: 100, Master: "fe80::1", Heard: 200,
		Deadline: now.Add(3100 * time.Millisecond), Addresses: []string{"2001:db8::1"}, Received: 10800, BadPackets: 3,
	}, report.InstanceStatus{
		Name: "VI_3", State: "FAULT", Since: now.Add(-26 * time.Hour), VRID: 53, Interface: "eth1", Version: 2, Family: "ipv4",
		Why: "interface eth1 is down", Priority: 100, Base: 100,
	})
	s.vrrp.Groups = []report.GroupStatus{{Name: "VG_1", State: "MASTER", Members: []string{"VI_1"}}}
	s.vrrp.Scripts = []report.ScriptStatus{{Name: "chk"}, {Name: "other", Good: true}}
	s.vrrp.Lateness = &report.Lateness{Count: 12345, Late: 2, Worst: "12.4ms"}
	s.vrrp.Warnings = []string{
		"VI_1: 192.0.2.9 uses VRID 51 too and its adverts are refused: received an invalid passwd from 192.0.2.9! (1201 times, last 400ms ago)",
		"VI_1: 192.0.2.101/24 should be on eth0 and is not",
	}
	s.checker.Warnings = []string{"another program changed the IPVS table: 3 changes put right, the last 5s ago"}
	s.checker.Services = append(s.checker.Services, report.ServiceStatus{
		Name: "[2001:db8::100]:tcp:443", Alive: 1, Weight: 1, Servers: []report.ServerStatus{
			{Name: "[10.0.0.1]:tcp:443", Alive: true, Since: now.Add(-time.Hour), Weight: 1, Active: &active, Inactive: &inactive,
				Checks: []report.CheckStatus{{Kind: "SSL_GET", Up: true, Last: "ok", LastAt: now.Add(-2 * time.Second), Next: now.Add(4 * time.Second)}}},
			{Name: "[10.0.0.2]:tcp:443", Since: now.Add(-5 * time.Minute), Weight: 1,
				Checks: []report.CheckStatus{{Kind: "SSL_GET", Last: "connection refused: connect 10.0.0.2:443 from 10.0.0.9 port 40123", LastAt: now.Add(-2 * time.Second), Next: now.Add(4 * time.Second)}}},
		},
	})
	s.bfd = []report.BFDSession{
		{Name: "bfd1", State: "Up", Since: now.Add(-time.Hour), Neighbor: "192.0.2.2", LastSeen: now.Add(-10 * time.Millisecond), DetectUS: 150000},
		{Name: "bfd2", State: "Down", Since: now.Add(-time.Minute), Neighbor: "2001:db8::2", Diagnostic: "Control Detection Time Expired"},
	}
	return s
}

// TestScreen compares the whole screen, and sees that it fits a terminal that
// nobody has made larger.
func TestScreen(t *testing.T) {
	var b strings.Builder
	show(&b, night(), now)
	if *update {
		if err := os.WriteFile("testdata/status.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/status.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the screen differs (-want +got):\n%s", diff)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > width {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		change func(*status)
		status int
		text   string
	}{
		{"well", func(*status) {}, exitOK, "OK: 1 master"},
		{"fault", func(s *status) { s.vrrp.Instances[0].State = "FAULT" }, exitCritical, "VI_1 in FAULT"},
		{"server down", func(s *status) { s.checker.Services[0].Servers[0].Alive = false }, exitWarning, "is down"},
		{"quorum", func(s *status) { s.checker.Services[0].Quorum = false }, exitCritical, "lost its quorum"},
		{"no IPVS", func(s *status) { s.checker.IPVS = "the kernel has no IPVS" }, exitCritical, "the kernel has no IPVS"},
		{"silent child", func(s *status) { s.Children[0].Error = "did not answer" }, exitCritical, "did not answer"},
		{"BFD down", func(s *status) { s.bfd = []report.BFDSession{{Name: "b", State: "Down"}} }, exitWarning, "BFD session b is Down"},
		{"IPVS changed", func(s *status) { s.checker.Warnings = []string{"another program"} }, exitWarning, "another program"},
		{"restarted child", func(s *status) { s.Children[0].Starts = 3 }, exitWarning, "started 3 times"},
	}
	for _, test := range tests {
		s := sample()
		test.change(&s)
		status, line := judge(s)
		if status != test.status || !strings.Contains(line, test.text) {
			t.Errorf("%s: %d %q, want %d with %q", test.name, status, line, test.status, test.text)
		}
	}
}
