package watchdog

import (
	"testing"
	"time"
)

func TestReloadTimes(t *testing.T) {
	zone := time.FixedZone("UTC+2", 2*3600)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, zone)
	tests := []struct {
		line  string
		want  string // in UTC; empty: refused
		dated bool
	}{
		{"13:30:00", "2026-11-21 11:30:00", false},
		{"11:30:00", "2026-11-22 09:30:00", false}, // past: tomorrow
		{"10:30:00Z", "2026-11-21 10:30:00", false},
		{"09:30:00Z", "2026-11-22 09:30:00", false},
		{"26-11-22 08:00:00", "2026-11-22 06:00:00", true},
		{"2026-11-22 08:00:00Z", "2026-11-22 08:00:00", true},
		{" 13:30:00 ", "2026-11-21 11:30:00", false},
		{"2026-11-20 08:00:00", "", true},
		{"2026-01-32 08:00:00", "", false},
		{"25:00:00", "", false},
		{"soon", "", false},
		{"", "", false},
	}
	for _, test := range tests {
		at, dated, err := parseTime(test.line, now)
		if (err == nil) != (test.want != "") || dated != test.dated {
			t.Errorf("%q: error %v, dated %t", test.line, err, dated)
			continue
		}
		if got := at.UTC().Format("2006-01-02 15:04:05"); err == nil && got != test.want {
			t.Errorf("%q = %s, want %s", test.line, got, test.want)
		}
	}
}
