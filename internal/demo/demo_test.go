package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// daemon builds the daemon.
func daemon(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := nettest.Build(dir); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "keepalived")
}

// ready builds the daemon and sets the stage, with two directors, HAProxy, two
// nginx servers and the client, or skips the test with the reason.
func ready(t *testing.T, prepare func(*stage)) *stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: needs root for network namespaces")
	}
	for _, program := range []string{"ip", "haproxy", "nginx"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("skipped: %s is not installed", program)
		}
	}
	s, err := newStage(daemon(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.clear)
	prepare(s)
	return s
}

func (s *stage) begins(t *testing.T) {
	t.Helper()
	if err := s.startServers(); err != nil {
		t.Fatal(err)
	}
	for _, d := range s.directors {
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
	}
	s.until(t, "lb1 to be master and both servers to answer", func() bool {
		return s.directors[0].master() && s.client.answeredBy(2)
	})
}

func (s *stage) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !waitFor(time.Minute, ok) {
		s.tail()
		t.Fatalf("waited a minute in vain for %s; %s", what, s.client.result())
	}
}

// TestMain lets the test binary be the client too, and play the LVS act in the
// virtual machine.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-ask" {
		patience, _ := time.ParseDuration(os.Args[2])
		ask(patience)
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "-lvs" {
		if err := playLVS(os.Args[3]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestTheWholePlay is `make demo`: a pair with HAProxy, a crash, a return, a
// stop in order, a server stopped and started, with a client that gets answers
// again after each.
func TestTheWholePlay(t *testing.T) {
	s := ready(t, func(*stage) {})
	if err := play(s); err != nil {
		t.Fatal(err)
	}
	s.clear()
	out, err := exec.Command("ip", "netns", "list").CombinedOutput()
	if err != nil || strings.Contains(string(out), s.prefix) {
		t.Errorf("namespaces are left behind: %v\n%s", err, out)
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Errorf("%s is left behind", s.dir)
	}
}

func TestHAProxyStoppedWithoutAScriptLeavesTheAddress(t *testing.T) {
	s := ready(t, func(*stage) {})
	s.begins(t)
	if err := s.directors[0].stopHAProxy(); err != nil {
		t.Fatal(err)
	}
	if waitFor(4*time.Second, func() bool { return s.directors[1].master() || !s.directors[0].master() }) {
		s.tail()
		t.Fatal("the address moved although nothing watches HAProxy")
	}
}

func TestHAProxyStoppedWithAScriptMovesTheAddressAndBack(t *testing.T) {
	s := ready(t, func(s *stage) {
		for _, d := range s.directors {
			d.priority = 100
			// Is anything listening on port 80 in this namespace?
			path := filepath.Join(s.dir, "check.sh")
			text := "#!/bin/sh\ngrep -q ':0050 00000000:0000 0A' /proc/net/tcp\n"
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			d.extra = fmt.Sprintf("vrrp_script chk {\n script %q\n interval 1\n weight -30\n fall 1\n rise 1\n user root\n}", path)
			d.track = "track_script {\n chk\n }"
		}
		s.directors[0].priority = 120
	})
	s.begins(t)
	lb1, lb2 := s.directors[0], s.directors[1]
	if err := lb1.stopHAProxy(); err != nil {
		t.Fatal(err)
	}
	s.until(t, "the address to move to lb2, and answers", func() bool {
		return lb2.master() && !lb1.master() && s.client.goodFor(time.Second)
	})
	if err := lb1.startHAProxy(); err != nil {
		t.Fatal(err)
	}
	s.until(t, "the address to come back to lb1, and answers", func() bool {
		return lb1.master() && !lb2.master() && s.client.goodFor(time.Second)
	})
}

// lvsAct plays the LVS act and skips the test where it cannot be.
func lvsAct(t *testing.T, ctx context.Context, line func(string)) error {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short, and this boots a virtual machine")
	}
	err := lvsMachine(ctx, daemon(t), line)
	if errors.Is(err, vmtest.ErrUnavailable) {
		t.Skipf("skipped: %v", err)
	}
	return err
}

func TestLVSAct(t *testing.T) {
	tables := 0
	err := lvsAct(t, t.Context(), func(l string) {
		t.Log(l)
		if strings.Contains(l, "| TCP  "+vip+":80 rr") {
			tables++
		}
	})
	if err != nil || tables != 3 {
		t.Errorf("it ended with %v and showed %d tables, want 3", err, tables)
	}
}

// TestLVSActInterrupted: Ctrl-C leaves neither the machine nor its files.
func TestLVSActInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	err := lvsAct(t, ctx, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "vmtest.*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
