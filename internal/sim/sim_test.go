package sim

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "first seed of the simulation")
	hoursFlag = flag.Float64("hours", 20, "simulated cluster-hours to run")
)

// TestSim runs random clusters until the hours are full. A failure prints the
// seed and the story, made as short as it fails.
func TestSim(t *testing.T) {
	began := time.Now()
	var total time.Duration
	clusters := 0
	for seed := *seedFlag; total.Hours() < *hoursFlag; seed++ {
		script := Scenario(seed)
		d, err := play(script)
		if err != nil {
			t.Fatalf("after %.0f cluster-hours: seed %d: %v\n%s", total.Hours(), seed, err, shrink(script, err))
		}
		if int(total.Hours())/10000 != int((total+d).Hours())/10000 {
			t.Logf("seed %d: %.0f cluster-hours in %v", seed, (total + d).Hours(), time.Since(began).Round(time.Second))
		}
		total += d
		clusters++
	}
	t.Logf("%d clusters, %.0f cluster-hours in %v", clusters, total.Hours(), time.Since(began).Round(time.Second))
}

// play runs a checked story and returns how long it took on its own clock.
func play(script string) (d time.Duration, err error) {
	s := newStory(1)
	s.check()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	err = s.play(script)
	return s.w.now, err
}

// shrink leaves out lines as long as the same kind of fault remains.
func shrink(script string, err error) string {
	lines := strings.Split(strings.TrimSpace(script), "\n")
	same := func(try []string) bool {
		_, e := play(strings.Join(try, "\n"))
		return e != nil && kindOf(e) == kindOf(err)
	}
	// An instance goes with all its lines: half of one is another fault.
	for _, name := range instancesOf(lines) {
		var try []string
		for _, l := range lines {
			w := strings.Fields(l)
			switch {
			case w[0] == "vi" && w[2] == name:
				continue
			case w[0] == "group":
				w = slices.DeleteFunc(w, func(m string) bool { return m == name })
				if l = strings.Join(w, " "); len(w) < 5 {
					continue
				}
			}
			try = append(try, l)
		}
		if same(try) {
			lines = try
		}
	}
	for size := max(len(lines)/2, 1); ; size /= 2 {
		for at := 0; at+size <= len(lines); {
			try := slices.DeleteFunc(slices.Clone(lines[at:at+size]), func(l string) bool {
				return !strings.HasPrefix(l, "vi ") && !strings.HasPrefix(l, "group ") && l != "heal"
			})
			try = slices.Concat(lines[:at], try, lines[at+size:])
			if len(try) < len(lines) && same(try) {
				lines = try
			} else {
				at += size
			}
		}
		if size <= 1 {
			break
		}
	}
	script = strings.Join(lines, "\n")
	_, err = play(script)
	return fmt.Sprintf("shrunk, fails with: %v\n\n%s", err, script)
}

func instancesOf(lines []string) (names []string) {
	for _, l := range lines {
		if w := strings.Fields(l); w[0] == "vi" && !slices.Contains(names, w[2]) {
			names = append(names, w[2])
		}
	}
	return names
}

// kindOf is a fault without its numbers.
func kindOf(err error) string {
	text := err.Error()
	if strings.HasPrefix(text, "line ") {
		if i := strings.LastIndex(text, ": "); i >= 0 {
			words := strings.Fields(text)
			text = strings.Join(words[len(words)-min(len(words), 40):], " ")
		}
	}
	for _, kind := range []string{"two masters", "masters [", "has priority", "not healthy", "changed without", "adverts in", "left", "holding=", "kernel holds", "told", "members are master", "noticed", "successor is", "panic", "holds"} {
		if strings.Contains(text, kind) {
			return kind
		}
	}
	return "other"
}
