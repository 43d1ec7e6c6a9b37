package vrrpd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestKilledProcesses kills single processes of the master.
func TestKilledProcesses(t *testing.T) {
	play(t, "child", 100*time.Millisecond, func(t testing.TB) {
		a, b := pair(t, instance(110), instance(100))
		c := b.ns.Capture("eth0")
		child := a.child()
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		nettest.Eventually(t, 5*time.Second, "a successor runs", func() bool { return a.child() != child })
		a.waitLog("(VI_1) Carrying on in MASTER STATE")
		nettest.Never(t, 600*time.Millisecond, "the address moves", func() bool { return b.has(vip) || !a.has(vip) })
		if gap := longestGap(c, "10.99.0.1"); gap > 300*time.Millisecond {
			t.Errorf("adverts were missing for %v, the peer's limit is 360ms", gap)
		}
	})
	play(t, "parent", margin, func(t testing.TB) {
		a, b := pair(t, instance(110), instance(100))
		child := a.child()
		if err := syscall.Kill(a.proc.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		converged(t, b, a) // the child resigned and took the address away
		nettest.Eventually(t, 3*time.Second, "the child has ended", func() bool {
			return syscall.Kill(child, 0) != nil || zombie(child)
		})
	})
}

// zombie reports whether a process has ended and is only not waited for.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// TestStalled stops the whole master for two seconds: its peer takes over, and
// afterwards there are never two masters for longer than an advert takes.
func TestStalled(t *testing.T) { nettest.Play(t, yielding, stalled) }

// yielding is how long a master may go on after it has heard a higher one.
const yielding = 20 * time.Millisecond

func stalled(t testing.TB) {
	a, b := pair(t, instance(110), instance(100))
	c := b.ns.Capture("eth0")
	pids := []int{a.proc.PID(), a.child()}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	stopped := time.Now()
	nettest.Eventually(t, 3*time.Second, "the peer is master", func() bool { return b.has(vip) })
	nettest.Eventually(t, 10*time.Second, "the peer has been heard for two seconds", func() bool {
		list := adverts(c, "10.99.0.2")
		return len(list) > 0 && list[len(list)-1].At.Sub(stopped) >= 2*time.Second
	})
	resumed := time.Now()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	converged(t, a, b)
	// The higher priority takes over again with its first advert, or waits for
	// the peer's: in either case the peer does not go on.
	var first time.Time
	for _, f := range adverts(c, "10.99.0.1") {
		if f.At.After(resumed) {
			first = f.At
			break
		}
	}
	after := 0
	for _, f := range adverts(c, "10.99.0.2") {
		if !first.IsZero() && f.At.After(first.Add(yielding)) {
			after++
		}
	}
	if after > 0 {
		t.Errorf("the peer sent %d adverts after the first of the resumed master", after)
	}
}

// TestUnreadOutput has nobody read what the daemon writes: adverts go on.
func TestUnreadOutput(t *testing.T) {
	needDaemon(t)
	play(t, "pipe", margin, func(t testing.TB) {
		hosts := lan(t, 2)
		dir := t.TempDir()
		conf := filepath.Join(dir, "k.conf")
		if err := os.WriteFile(conf, []byte(instance(110)), 0o600); err != nil {
			t.Fatal(err)
		}
		c := hosts[1].Capture("eth0")
		// sleep holds the reading end and does not read; the pipe is full soon.
		hosts[0].StartWith([]nettest.ProcOption{nettest.PrivateRun(), nettest.RealTime()}, "sh", "-c",
			"{ yes | head -c 65536; exec "+bin+" -n -l -D -G -f "+conf+" 2>&1; } | sleep 60")
		nettest.Eventually(t, 5*time.Second, "it advertises", func() bool { return len(adverts(c, "10.99.0.1")) > 0 })
		nettest.Eventually(t, 5*time.Second, "it goes on", func() bool { return len(adverts(c, "10.99.0.1")) > 20 })
		if gap := longestGap(c, "10.99.0.1"); gap > 340*time.Millisecond {
			t.Errorf("adverts were missing for %v", gap)
		}
	})
	play(t, "syslog", margin, func(t testing.TB) {
		hosts := lan(t, 2)
		dir := t.TempDir()
		conf := filepath.Join(dir, "k.conf")
		if err := os.WriteFile(conf, []byte(instance(110)), 0o600); err != nil {
			t.Fatal(err)
		}
		// A /dev/log in a mount namespace of its own that nobody reads.
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "log")})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c := hosts[1].Capture("eth0")
		daemon := hosts[0].StartWith([]nettest.ProcOption{nettest.PrivateRun(), nettest.RealTime()}, "sh", "-c",
			"mount -t tmpfs none /dev && ln -s "+filepath.Join(dir, "log")+" /dev/log && mknod /dev/null c 1 3 && exec "+
				bin+" -n -D -f "+conf)
		nettest.Eventually(t, 5*time.Second, "it goes on", func() bool { return len(adverts(c, "10.99.0.1")) > 30 })
		if gap := longestGap(c, "10.99.0.1"); gap > 340*time.Millisecond {
			t.Errorf("adverts were missing for %v", gap)
		}
		// The lines of a start with -D are more than a socket queues: they waited,
		// and come in order before those of now. (What is lost when they are more
		// than the daemon keeps, and that it is said: TestUnreadOutputNeverBlocks.)
		daemon.Signal(syscall.SIGHUP)
		_ = l.SetReadDeadline(time.Now().Add(20 * time.Second))
		line := make([]byte, 4096)
		for {
			n, err := l.Read(line)
			if err != nil {
				t.Fatalf("the log does not go on: %v", err)
			}
			if strings.Contains(string(line[:n]), "Reloading") {
				break
			}
		}
	})
}

// TestUnprivileged starts the daemon as nobody: a clear error, the original's
// exit status.
func TestUnprivileged(t *testing.T) {
	needDaemon(t)
	nettest.Need(t, "setpriv")
	host := lan(t, 1)[0]
	dir, err := os.MkdirTemp("", "unprivileged")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf, prog := filepath.Join(dir, "k.conf"), filepath.Join(dir, "keepalived")
	for _, step := range [][]string{{"cp", bin, prog}, {"chmod", "755", dir, prog}} {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := os.WriteFile(conf, []byte(instance(100)), 0o644); err != nil {
		t.Fatal(err)
	}
	pids := []string{"-p", filepath.Join(dir, "p"), "-r", filepath.Join(dir, "r"), "-c", filepath.Join(dir, "c"),
		"-b", filepath.Join(dir, "b")}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	run := func(program string) (int, string) {
		args := append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", program, "-n", "-l", "-G", "-f", conf}, pids...)
		p := host.Start("setpriv", args...)
		status := p.Exited(10 * time.Second)
		return status, p.Output()
	}
	status, out := run(prog)
	if status != 4 || !strings.Contains(out, "CAP_NET_RAW") {
		t.Errorf("exit status %d, want 4 (missing permission):\n%s", status, out)
	}
	if _, err := os.Stat(reference); err == nil {
		want, _ := run(reference)
		t.Logf("exit status of %s: %d", reference, want)
	}
}
