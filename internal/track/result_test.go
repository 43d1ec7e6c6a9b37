package track

import "testing"

// TestResult writes runs as letters (s success, f failure) and what they must
// have changed below them (U up, D down, . nothing); vrrp.md 5.3.
func TestResult(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rise, fall int
		runs, want string
	}{
		{"first-success-decides", 3, 3, "s", "U"},
		{"first-failure-decides", 3, 3, "f", "D"},
		{"plain", 1, 1, "sfsffs", "UDUD.U"},
		{"fall-two", 1, 2, "sfsffs", "U...DU"},
		{"fall-three", 1, 3, "sfffsfff", "U..DU..D"},
		{"rise-two", 2, 1, "fsssf", "D.U.D"},
		{"rise-three-interrupted", 3, 1, "fssfsss", "D.....U"},
		{"success-restores-all", 1, 3, "sffsfff", "U.....D"},
		{"zero-limits", 0, 0, "sfs", "UDU"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewResult(tt.rise, tt.fall)
			got := ""
			for _, run := range tt.runs {
				change := "."
				if run == 's' && r.Success() {
					change = "U"
				} else if run == 'f' && r.Failure() {
					change = "D"
				}
				got += change
			}
			if got != tt.want {
				t.Errorf("%s with rise %d, fall %d = %s, want %s", tt.runs, tt.rise, tt.fall, got, tt.want)
			}
		})
	}
}

func TestRescale(t *testing.T) {
	for _, tt := range []struct {
		name       string
		runs       string // with rise 2, fall 3
		rise, fall int
		up         bool
		then, want string
	}{
		{"up-stays-up", "s", 5, 2, true, "ff", ".D"},
		{"failures-count-on", "sf", 2, 2, true, "f", "D"},
		{"failures-do-not-overflow", "sff", 2, 1, true, "f", "D"},
		{"down-stays-down", "f", 4, 1, false, "ssss", "...U"},
		{"successes-count-on", "fs", 2, 1, false, "s", "U"},
		{"unknown-stays-unknown", "", 4, 4, false, "s", "U"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewResult(2, 3)
			apply := func(runs string) string {
				got := ""
				for _, run := range runs {
					change := "."
					if run == 's' && r.Success() {
						change = "U"
					} else if run == 'f' && r.Failure() {
						change = "D"
					}
					got += change
				}
				return got
			}
			apply(tt.runs)
			r.Rescale(tt.rise, tt.fall)
			if r.Up() != tt.up {
				t.Errorf("up = %v after %q, want %v", r.Up(), tt.runs, tt.up)
			}
			if got := apply(tt.then); got != tt.want {
				t.Errorf("%s then %s = %s, want %s", tt.runs, tt.then, got, tt.want)
			}
		})
	}
}
