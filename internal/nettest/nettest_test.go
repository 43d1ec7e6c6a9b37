package nettest

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLAN(t *testing.T) {
	lan := LAN(t, 2)
	capture := lan[1].Capture("eth0")
	lan[0].Run("ping", "-c1", "-W2", "10.99.0.2")
	f := capture.Wait(2*time.Second, "ARP request for b", func(f Frame) bool {
		return f.Kind == ARP && f.Op == 1 && f.Dst.String() == "10.99.0.2"
	})
	if f.Src.String() != "10.99.0.1" || f.SrcMAC.String() != lan[0].MAC("eth0").String() {
		t.Errorf("ARP request is from %v (%v)", f.Src, f.SrcMAC)
	}
	if age := time.Since(f.At); age < 0 || age > 10*time.Second {
		t.Errorf("frame is %v old", age)
	}
	if !lan[0].HasAddr("fd99::1") || lan[0].HasAddr("10.99.0.2") {
		t.Errorf("addresses of a: %v", lan[0].Addrs(""))
	}
}

func TestProc(t *testing.T) {
	ns := New(t, "p")
	p := ns.StartWith([]ProcOption{PrivateRun(), Env("WORD=hello")}, "sh", "-c",
		`trap 'echo bye; exit 7' TERM; echo $WORD; ls /run | wc -l; while :; do sleep 0.05; done`)
	p.WaitOutput(5*time.Second, "hello\n0\n")
	if got := ns.Run("ip", "netns", "identify", strconv.Itoa(p.PID())); strings.TrimSpace(got) != ns.Name {
		t.Errorf("process %d is in namespace %q, want %q", p.PID(), got, ns.Name)
	}
	p.Signal(syscall.SIGTERM)
	if status := p.Exited(5 * time.Second); status != 7 {
		t.Errorf("exit status %d, want 7", status)
	}
	if !strings.HasSuffix(p.Output(), "bye\n") {
		t.Errorf("output %q", p.Output())
	}
}

func TestInitialNamespaceIsRefused(t *testing.T) {
	Need(t)
	fake := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		RefuseInitial(fake)
	}()
	<-done
	if !fake.failed {
		t.Error("a thread in the initial namespace was accepted")
	}
	ns := New(t, "r")
	ns.Do(func() { RefuseInitial(t) })
}

// recorder notes a Fatal instead of failing the test.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatal(...any)          { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
