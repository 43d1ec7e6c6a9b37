package checkd

import (
	"context"
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
	t.Run("abandoned", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if got := p.Run(ctx, slow, time.Minute); got.TimedOut || got.Signal != 15 {
			t.Errorf("%+v, want ended by signal 15", got)
		}
	})
}
