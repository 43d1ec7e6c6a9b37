package main

import (
	"strings"
	"testing"
	"time"

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

func TestShowTellsWhy(t *testing.T) {
	var b strings.Builder
	show(&b, sample(), now)
	for _, want := range []string{
		"running for 1m30s", "VI_1", "MASTER", "why       no other router was heard for 3.6s",
		"80 = 100 -20 (script chk)", "192.0.2.1/24 (held here)", "1 of 1 servers",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("status lacks %q:\n%s", want, &b)
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
