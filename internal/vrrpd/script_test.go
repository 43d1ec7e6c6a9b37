package vrrpd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// scripted writes a configuration whose script succeeds while a file exists. Its
// timeout is long: the script, unlike the daemon, waits for a busy machine.
func scripted(priority, weight int, file string) string {
	return fmt.Sprintf(`global_defs {
 script_user root
}
vrrp_script chk {
 script "/usr/bin/test -e %s"
 interval 0.1
 timeout 10
 weight %d
 rise 1
 fall 1
}
`, file, weight) + instance(priority, "track_script {\n  chk\n }")
}

func touch(t testing.TB, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// TestScriptWeight moves the address by the result of a script. The arithmetic:
// a negative weight counts while the script fails, a positive one while it
// succeeds.
func TestScriptWeight(t *testing.T) {
	needDaemon(t)
	for _, c := range []struct {
		name         string
		weight       int
		okA, okB     bool // results of the scripts
		aMaster      bool // base priorities: a 110, b 100
		wantA, wantB int  // effective priorities
	}{
		{"minus-30-both-well", -30, true, true, true, 110, 100},
		{"minus-30-a-fails", -30, false, true, false, 80, 100},
		{"plus-30-both-well", 30, true, true, true, 140, 130},
		{"plus-30-a-fails", 30, false, true, false, 110, 130},
		{"plus-30-b-fails", 30, true, false, true, 140, 100},
		{"plus-30-both-fail", 30, false, false, true, 110, 100},
		{"minus-5-is-too-small", -5, false, true, true, 105, 100},
		{"plus-5-is-too-small", 5, false, true, true, 110, 105},
	} {
		play(t, c.name, margin, func(t testing.TB) {
			hosts := lan(t, 2)
			dir := t.TempDir()
			fa, fb := filepath.Join(dir, "a"), filepath.Join(dir, "b")
			if c.okA {
				touch(t, fa)
			}
			if c.okB {
				touch(t, fb)
			}
			cap := hosts[1].Capture("eth0") // before the first advert can have gone by
			a := newNode(t, hosts[0], bin, scripted(110, c.weight, fa)).start()
			b := newNode(t, hosts[1], bin, scripted(100, c.weight, fb)).start()
			master, backup, want, from := a, b, c.wantA, "10.99.0.1"
			if !c.aMaster {
				master, backup, want, from = b, a, c.wantB, "10.99.0.2"
			}
			converged(t, master, backup)
			nettest.Eventually(t, 10*time.Second, fmt.Sprintf("the master advertises priority %d", want), func() bool {
				return last(t, cap, from).Priority == want
			})
			converged(t, master, backup)
			nettest.Never(t, 600*time.Millisecond, "the other has the address", func() bool { return backup.has(vip) })
			if got := last(t, cap, from).Priority; got != want {
				t.Errorf("the master advertises priority %d, want %d", got, want)
			}
		})
	}
}

// TestScriptMoves has a script fail and recover while running, and one that
// stops the daemon itself.
func TestScriptMoves(t *testing.T) {
	needDaemon(t)
	play(t, "there-and-back", margin, func(t testing.TB) {
		file := filepath.Join(t.TempDir(), "ok")
		touch(t, file)
		a, b := pair(t, scripted(110, -30, file), instance(100))
		remove(t, file)
		converged(t, b, a)
		a.waitLog("VRRP_Script(chk) failed (exited with status 1)")
		a.waitLog("(VI_1) Changing effective priority from 110 to 80")
		touch(t, file)
		converged(t, a, b)
		a.waitLog("(VI_1) Changing effective priority from 80 to 110")
	})
	play(t, "fault", margin, func(t testing.TB) {
		file := filepath.Join(t.TempDir(), "ok")
		touch(t, file)
		a, b := pair(t, scripted(110, 0, file), instance(100))
		remove(t, file)
		converged(t, b, a)
		a.waitLog("(VI_1) Entering FAULT STATE")
		touch(t, file)
		converged(t, a, b)
	})
	play(t, "stops-the-daemon", margin, func(t testing.TB) {
		needDaemon(t)
		hosts := lan(t, 2)
		dir := t.TempDir()
		file, prog, pid := filepath.Join(dir, "ok"), filepath.Join(dir, "check.sh"), filepath.Join(dir, "pid")
		touch(t, file)
		body := fmt.Sprintf("#!/bin/sh\ntest -e %s || kill -TERM $(cat %s)\n", file, pid)
		if err := os.WriteFile(prog, []byte(body), 0o700); err != nil {
			t.Fatal(err)
		}
		conf := strings.Replace(scripted(110, 0, file), "/usr/bin/test -e "+file, prog, 1)
		a, b := newNode(t, hosts[0], bin, conf).start(), newNode(t, hosts[1], bin, instance(100)).start()
		if err := os.WriteFile(pid, fmt.Append(nil, a.proc.PID()), 0o600); err != nil {
			t.Fatal(err)
		}
		converged(t, a, b)
		remove(t, file)
		converged(t, b, a)
		if status := a.proc.Exited(5 * time.Second); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
	})
}
