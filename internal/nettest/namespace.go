package nettest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// runDir is where iproute2 keeps named namespaces.
const runDir = "/run/netns"

// NS is one network namespace made for one test.
type NS struct {
	// Name is the namespace's name for "ip netns exec".
	Name string

	t      testing.TB
	handle netns.NsHandle
}

var (
	counter atomic.Int64
	sweep   sync.Once
)

// Need skips the test, with the reason, unless it runs as root and the named
// programs are installed. New calls it for what the harness itself needs.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: network namespaces need root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("skipped: %s is not installed", p)
		}
	}
}

// New makes a namespace with its loopback up. It goes, with every process
// started in it, when the test ends.
func New(t testing.TB, label string) *NS {
	t.Helper()
	Need(t, "ip")
	sweep.Do(removeLeftovers)
	ns := &NS{Name: fmt.Sprintf("nt-%d-%d-%s", os.Getpid(), counter.Add(1), label), t: t}
	var err error
	onThrowawayThread(func() { ns.handle, err = netns.NewNamed(ns.Name) })
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skipf("skipped: cannot make a network namespace: %v", err)
		}
		t.Fatalf("make namespace %s: %v", ns.Name, err)
	}
	t.Cleanup(func() {
		ns.handle.Close()
		if err := netns.DeleteNamed(ns.Name); err != nil {
			t.Logf("remove namespace %s: %v", ns.Name, err)
		}
	})
	ns.IP("link", "set", "lo", "up")
	return ns
}

// removeLeftovers deletes namespaces of test processes that are gone.
func removeLeftovers() {
	names, _ := filepath.Glob(filepath.Join(runDir, "nt-*"))
	for _, path := range names {
		name := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, "nt-"), "-")
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			_ = netns.DeleteNamed(name)
		}
	}
}

// onThrowawayThread runs fn on a thread that is not used again, so that fn may
// change the thread's namespace and leave it so.
func onThrowawayThread(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fn()
	}()
	<-done
}

// Do runs fn on a thread that is in the namespace and waits for it. Sockets
// opened by fn stay in the namespace and may be used anywhere afterwards. fn
// must not call t.Fatal (it runs on another goroutine) and goroutines that it
// starts are not in the namespace.
func (ns *NS) Do(fn func()) {
	ns.t.Helper()
	ns.refuseInitial()
	var err error
	onThrowawayThread(func() {
		if err = netns.Set(ns.handle); err == nil {
			fn()
		}
	})
	if err != nil {
		ns.t.Fatalf("enter namespace %s: %v", ns.Name, err)
	}
}

// home is the namespace the test process was started in: the machine's own, or
// one that an operator chose for the whole run. Nothing is started there either.
var home, homeErr = netns.Get()

// refuseInitial stops the test if the namespace is the one the test came from.
func (ns *NS) refuseInitial() {
	ns.t.Helper()
	if homeErr != nil {
		ns.t.Fatalf("read the initial namespace: %v", homeErr)
	}
	if !ns.handle.IsOpen() || home.Equal(ns.handle) {
		ns.t.Fatalf("namespace %q is the initial one or closed: refused", ns.Name)
	}
}

// RefuseInitial fails the test if the calling thread is in the namespace that
// the test process was started in. Tests that start a daemon by other means
// than NS.Start call it first.
func RefuseInitial(t testing.TB) {
	t.Helper()
	here, err := netns.Get()
	if err != nil || homeErr != nil || home.Equal(here) {
		t.Fatal("refused: this thread is in the initial network namespace")
	}
	here.Close()
}
