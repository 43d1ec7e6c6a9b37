package checkd

import "testing"

// TestCompareLog: what the comparison of logs takes for the same, and what not.
func TestCompareLog(t *testing.T) {
	const (
		start = "Initializing ipvs\nActivating healthchecker for service [10.0.0.1]:tcp:80 for VS [10.9.0.1]:tcp:80\n" +
			"Activating healthchecker for service [10.0.0.2]:tcp:80 for VS [10.9.0.1]:tcp:80\nActivating BFD healthchecker\n"
		oneDown = "TCP_CHECK on service [10.0.0.1]:tcp:80 failed.\nRemoving service [10.0.0.1]:tcp:80 from VS [10.9.0.1]:tcp:80\n"
		twoDown = "TCP_CHECK on service [10.0.0.2]:tcp:80 failed.\nRemoving service [10.0.0.2]:tcp:80 from VS [10.9.0.1]:tcp:80\n"
		lost    = "Lost quorum 1-0=1 > 0 for VS [10.9.0.1]:tcp:80\n"
		success = "TCP connection to [10.0.0.1]:tcp:80 success.\n"
	)
	for _, tt := range []struct {
		name, want, got, differs string
		same                     bool
	}{
		{"equal", start + oneDown + lost, start + oneDown + lost, "", true},
		{"times and processes", "Starting VRRP child process, pid=PID\n", "Sun Nov 22 02:53:32 2026: Starting VRRP child process, pid=77\n", "", true},
		{"parent anywhere", start + "Startup complete\n", "Startup complete\n" + start, "", true},
		{"servers in any order", start + oneDown + twoDown + lost, start + twoDown + oneDown + lost, "", true},
		{"success again", start + success, start + success + success, "", true},
		{"missing line", start + oneDown + lost, start + oneDown, "", false},
		{"foreign line", start, start + lost, "", false},
		{"twice", start + oneDown + lost, start + oneDown + lost + lost, "", false},
		{"quorum before its reason", start + oneDown + lost, start + lost + oneDown, "", false},
		{"quorum one server early", start + oneDown + twoDown + lost, start + oneDown + lost + twoDown, "", false},
		{"server before its check", start + oneDown, start + "Removing service [10.0.0.1]:tcp:80 from VS [10.9.0.1]:tcp:80\n" + "TCP_CHECK on service [10.0.0.1]:tcp:80 failed.\n", "", false},
		{"start out of order", start, "Activating BFD healthchecker\n" + start[:len(start)-len("Activating BFD healthchecker\n")], "", false},
		{"not ours", start + lost, start, "- Lost quorum 1-0=1 > 0 for VS [10.9.0.1]:tcp:80\n", true},
		{"not ours the second time", start + oneDown + lost + lost, start + oneDown + lost, "-2 Lost quorum 1-0=1 > 0 for VS [10.9.0.1]:tcp:80\n", true},
		{"stale difference", start, start, "- Lost quorum 1-0=1 > 0 for VS [10.9.0.1]:tcp:80\n", false},
		{"only ours", start, start + lost, "+ Lost quorum 1-0=1 > 0 for VS [10.9.0.1]:tcp:80\n", true},
	} {
		f := &findings{}
		compareLog(f, []byte(tt.want), []byte(tt.got), []byte(tt.differs))
		if f.Failed() == tt.same {
			t.Errorf("%s: same %v, want %v: %q", tt.name, !f.Failed(), tt.same, f.lines)
		}
	}
}
