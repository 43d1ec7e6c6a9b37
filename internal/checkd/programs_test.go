package checkd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/script"
)

func TestProgramsRun(t *testing.T) {
	var p programs
	commands := map[string]*script.Command{}
	program := func(args ...string) *checker.Script {
		s := &checker.Script{Args: args}
		cmd := &script.Command{Args: args, Cred: script.Own()}
		if f := cmd.Check(script.Security{}); f.Verdict == script.Usable {
			commands[programKey(s)] = cmd
		}
		return s
	}
	ok := program("/usr/bin/true")
	three := program("/usr/bin/sh", "-c", "exit 3")
	killed := program("/usr/bin/sh", "-c", "kill -9 $$")
	slow := program("/usr/bin/sleep", "60")
	stubborn := program("/usr/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
	pid := filepath.Join(t.TempDir(), "pid")
	family := program("/usr/bin/sh", "-c", "sleep 1000 & echo $! > "+pid+"; wait")
	p.set(commands)
	for _, tt := range []struct {
		name    string
		script  *checker.Script
		timeout time.Duration
		want    checker.Ended
	}{
		{"success", ok, time.Minute, checker.Ended{}},
		{"status", three, time.Minute, checker.Ended{Status: 3}},
		{"signal", killed, time.Minute, checker.Ended{Signal: 9}},
		{"timeout", slow, 50 * time.Millisecond, checker.Ended{Signal: 15, TimedOut: true}},
		{"ignores SIGTERM", stubborn, 50 * time.Millisecond, checker.Ended{Signal: 9, TimedOut: true}},
		{"not of the configuration", &checker.Script{Args: []string{"/usr/bin/true", "x"}}, time.Minute, checker.Ended{Err: errUnchecked}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.Run(context.Background(), tt.script, tt.timeout); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
	t.Run("group", func(t *testing.T) { // what the program has started goes with it
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan checker.Ended, 1)
		go func() { done <- p.Run(ctx, family, time.Minute) }()
		child := 0
		eventually(t, "the program has a child", func() bool {
			b, _ := os.ReadFile(pid)
			child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			return child > 0 && bytes.HasSuffix(b, []byte("\n"))
		})
		cancel()
		if got := <-done; got.TimedOut || got.Signal != 15 {
			t.Errorf("%+v, want ended by signal 15", got)
		}
		eventually(t, "the child is gone", func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
			return err != nil || bytes.Contains(b, []byte(") Z "))
		})
	})
	t.Run("abandoned", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if got := p.Run(ctx, slow, time.Minute); got.TimedOut || got.Signal != 15 {
			t.Errorf("%+v, want ended by signal 15", got)
		}
	})
}

// TestProgramsUser: a program runs as the user of its configuration.
func TestProgramsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can become another user")
	}
	cred, err := script.Lookup("nobody", "")
	if err != nil {
		t.Skipf("skipped: no user nobody: %v", err)
	}
	s := &checker.Script{Args: []string{"/usr/bin/sh", "-c", `[ "$(id -un)" = nobody ] && [ "$(id -G)" = "$(id -g nobody)" ]`}, User: "nobody"}
	cmd := &script.Command{Args: s.Args, Cred: cred}
	if f := cmd.Check(script.Security{}); f.Verdict != script.Usable {
		t.Fatalf("verdict %v", f.Verdict)
	}
	var p programs
	p.set(map[string]*script.Command{programKey(s): cmd})
	if got := p.Run(context.Background(), s, time.Minute); got != (checker.Ended{}) {
		t.Errorf("%+v, want success as nobody", got)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(20 * time.Second); !done(); <-again.C {
		if time.Now().After(limit) {
			t.Fatalf("waited 20 s until %s", what)
		}
	}
}
