package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
	dir := t.TempDir()
	binary := filepath.Join(dir, "keepalived")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/keepalived")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the daemon: %v\n%s", err, out)
	}
	s, err := newStage(binary)
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
	if !waitFor(20*time.Second, ok) {
		s.tail()
		t.Fatalf("waited 20 s in vain for %s; %s", what, s.client.result())
	}
}

// TestMain lets the test binary be the client too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "-ask" {
		ask()
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
