package track

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/script"
)

// bench is a loop whose clock the test turns; programs are real.
type bench struct {
	t     *testing.T
	now   time.Time
	queue chan func(time.Time)

	mu     sync.Mutex
	logged []string
	events []string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, now: time.Unix(1000, 0), queue: make(chan func(time.Time), 100)}
	t.Cleanup(log.Capture(func(l log.Line) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.logged = append(b.logged, l.Text)
	}))
	return b
}

func (b *bench) post(f func(time.Time)) bool { b.queue <- f; return true }

// take runs the next posted function.
func (b *bench) take() {
	b.t.Helper()
	select {
	case f := <-b.queue:
		f(b.now)
	case <-time.After(20 * time.Second):
		b.t.Fatalf("nothing was posted; logged %q", b.logged)
	}
}

func (b *bench) log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.Join(b.logged, "\n")
	b.logged = nil
	return text
}

func (b *bench) scripts() *Scripts {
	return NewScripts(b.post, func(_ time.Time, e ScriptEvent) {
		b.events = append(b.events, fmt.Sprintf("%s up=%v", e.Name, e.Up))
	})
}

// sh is a check script that runs the shell commands.
func sh(name, commands string) Script {
	return Script{
		Name: name, Interval: time.Second, Rise: 1, Fall: 1,
		Command: script.Command{Args: []string{"/bin/sh", "-c", commands}, Cred: script.Own()},
	}
}

func TestScriptResults(t *testing.T) {
	b := newBench(t)
	answer := filepath.Join(t.TempDir(), "answer")
	s := b.scripts()
	defer s.Stop()
	chk := sh("chk", "read -r n <"+answer+"; exit $n")
	chk.Fall = 2
	if err := os.WriteFile(answer, []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Set(b.now, []Script{chk})
	for _, tt := range []struct{ answer, log, events string }{
		{"0", "VRRP_Script(chk) succeeded", "chk up=true"},
		{"0", "", ""},
		{"3", "Script `chk` now returning 3", ""},
		{"3", "VRRP_Script(chk) failed (exited with status 3)", "chk up=false"},
		{"4", "Script `chk` now returning 4", ""},
		{"0", "Script `chk` now returning 0\nVRRP_Script(chk) succeeded", "chk up=true"},
	} {
		if err := os.WriteFile(answer, []byte(tt.answer+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		b.events = nil
		b.now = s.Next()
		s.Tick(b.now)
		b.take()
		if diff := cmp.Diff(tt.log, b.log()); diff != "" {
			t.Errorf("answer %s, log (-want +got):\n%s", tt.answer, diff)
		}
		if got := strings.Join(b.events, ","); got != tt.events {
			t.Errorf("answer %s: events %s, want %s", tt.answer, got, tt.events)
		}
	}
}

// TestScriptInterval checks that runs keep to the grid of the first one, also
// after a stall.
func TestScriptInterval(t *testing.T) {
	b := newBench(t)
	s := b.scripts()
	defer s.Stop()
	start := b.now
	s.Set(b.now, []Script{sh("chk", "exit 0")})
	var got []time.Duration
	for _, late := range []time.Duration{0, 3 * time.Millisecond, 0, 2500 * time.Millisecond, 0} {
		got = append(got, s.Next().Sub(start))
		b.now = s.Next().Add(late)
		s.Tick(b.now)
		b.take()
	}
	ms := time.Millisecond
	want := []time.Duration{0, 1000 * ms, 2000 * ms, 3000 * ms, 6500 * ms}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs were due (-want +got):\n%s", diff)
	}
}

func TestScriptTimeoutLadder(t *testing.T) {
	b := newBench(t)
	ready := filepath.Join(t.TempDir(), "ready")
	s := b.scripts()
	s.Set(b.now, []Script{sh("slow", "trap '' TERM; : >"+ready+"; while :; do sleep 1000; done")})
	start := b.now
	s.Tick(b.now)
	waitFile(t, ready)
	for _, tt := range []struct {
		at   time.Duration
		log  string
		step step
	}{
		{time.Second, "Track script slow is already running, expect idle - skipping run", terminated},
		{2 * time.Second, "Track script slow is being timed out, expect idle - skipping run", terminated},
		{3 * time.Second, "Track script slow is being timed out, expect idle - skipping run", killed},
	} {
		if got := s.Next().Sub(start); got != tt.at {
			t.Fatalf("next = %v, want %v", got, tt.at)
		}
		b.now = s.Next()
		s.Tick(b.now)
		if got := b.log(); got != tt.log || s.list[0].step != tt.step {
			t.Errorf("at %v: step %d, log %q; want %d, %q", tt.at, s.list[0].step, got, tt.step, tt.log)
		}
	}
	b.take()
	if got, want := b.log(), "VRRP_Script(slow) timed_out"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if got := strings.Join(b.events, ","); got != "slow up=false" {
		t.Errorf("events %s, want slow up=false", got)
	}
}

func waitFile(t *testing.T, name string) {
	t.Helper()
	nettest.Eventually(t, 20*time.Second, name+" appears", func() bool { _, err := os.Stat(name); return err == nil })
}

func TestScriptFailures(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  []string
		want string
	}{
		{"signal", []string{"/bin/sh", "-c", "kill -9 $$"}, "VRRP_Script(chk) failed (due to signal 9)"},
		{"no-file", []string{"/nonexistent/x", "y"}, "Error exec-ing command '/nonexistent/x y', error 2: No such file or directory\n" +
			"VRRP_Script(chk) failed (not started: no such file or directory)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			s := b.scripts()
			defer s.Stop()
			s.Set(b.now, []Script{{Name: "chk", Command: script.Command{Args: tt.cmd, Cred: script.Own()}}})
			s.Tick(b.now)
			b.take()
			if diff := cmp.Diff(tt.want, b.log()); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScriptReload(t *testing.T) {
	b := newBench(t)
	s := b.scripts()
	defer s.Stop()
	good, bad, changed := sh("good", "exit 0"), sh("bad", "exit 1"), sh("changed", "exit 0")
	gone := sh("gone", "exec sleep 1000")
	s.Set(b.now, []Script{good, bad, changed})
	s.Tick(b.now)
	for range 3 {
		b.take()
	}
	s.Set(b.now, []Script{good, bad, changed, gone})
	s.Tick(b.now)
	for range 3 {
		b.take()
	}
	b.log()

	changed.Command.Args = []string{"/bin/sh", "-c", "exit 2"}
	b.now = b.now.Add(300 * time.Millisecond)
	s.Set(b.now, []Script{bad, good, changed})
	if diff := cmp.Diff("VRRP_Script(bad) considered unsuccessful on reload\nVRRP_Script(good) considered successful on reload", b.log()); diff != "" {
		t.Errorf("log at reload (-want +got):\n%s", diff)
	}
	if up, known := s.State("changed"); up || known {
		t.Errorf("changed script: up %v, known %v; want neither", up, known)
	}
	if got := s.Next(); got != b.now {
		t.Errorf("first run %v after the reload, want at once", got.Sub(b.now))
	}
	b.take() // the removed one was told to end
	if len(s.ending) != 0 {
		t.Errorf("%d removed scripts still wait to end", len(s.ending))
	}
	b.events = nil
	s.Tick(b.now)
	for range 3 {
		b.take()
	}
	if diff := cmp.Diff([]string{"changed up=false"}, b.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
