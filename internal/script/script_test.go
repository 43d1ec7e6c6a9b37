package script

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// write makes an executable shell script in a directory of the test.
func write(t *testing.T, dir, name, body string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(body), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

// run starts the command and waits for its end.
func run(t *testing.T, c Command, extra ...string) Status {
	t.Helper()
	end := make(chan Status, 1)
	Start(c, func(s Status) { end <- s }, extra...)
	select {
	case s := <-end:
		return s
	case <-time.After(20 * time.Second):
		t.Fatalf("%v did not end", c)
		return Status{}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: needs root to change users and owners")
	}
}

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, body string
		shell      bool
		want       Status
	}{
		{"ok", "#!/bin/sh\nexit 0\n", false, Status{}},
		{"three", "#!/bin/sh\nexit 3\n", false, Status{Code: 3}},
		{"signal", "#!/bin/sh\nkill -9 $$\n", false, Status{Signal: 9}},
		{"no-interpreter", "#!/nonexistent\n", false, Status{Err: syscall.ENOENT}},
		{"no-shebang", "exit 4\n", true, Status{Code: 4}},
		{"no-shebang-refused", "exit 4\n", false, Status{Err: syscall.ENOEXEC}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Command{Args: []string{write(t, dir, tt.name, tt.body, 0o755)}, Cred: Own(), Shell: tt.shell}
			if got := run(t, c); got != tt.want {
				t.Errorf("status = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReadsOnly(t *testing.T) {
	file := write(t, t.TempDir(), "it's here", "exit 1\n", 0o644)
	for name, want := range map[string]bool{file: true, file + ".missing": false} {
		if got := run(t, Command{Args: []string{"<" + name}, Cred: Own()}); got.OK() != want {
			t.Errorf("<%s: %v, want success %v", name, got, want)
		}
	}
}

// inheritedIgnores are the signals 32 and 33 as far as this test ignores them
// itself: the C library keeps them, Go does not touch them, and make passes an
// ignored one on.
func inheritedIgnores(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "SigIgn:\t")
	word, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(word, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%016x", mask&(1<<31|1<<32))
}

// TestSurroundings compares what a script finds with samples/02-notify/script-environment.txt.
func TestSurroundings(t *testing.T) {
	needRoot(t)
	dir, err := os.MkdirTemp("/tmp", "script-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	path := write(t, dir, "show", `#!/bin/sh
{ printf '[%s]' "$@"; echo
echo "$LD_PRELOAD,$LD_LIBRARY_PATH,$KEPT"
# read here, not by a program: the shell blocks signals until that has started
while read -r name value; do
    case $name in Uid:|Gid:|Groups:|SigBlk:|SigIgn:) printf '%s\t%s\n' "$name" "$value" ;; esac
done </proc/$$/status
echo "cwd=$PWD"
set -- /proc/$$/fd/? # a pipe or $() would add descriptors of its own
for fd; do [ -L "$fd" ] && printf '%s ' "${fd##*/}" && readlink "$fd"; done
} >`+out+`.tmp 2>&1
read -r pid comm state ppid pgrp rest </proc/$$/stat
[ "$pid" = "$pgrp" ] && echo leader >>`+out+`.tmp
mv `+out+`.tmp `+out+"\n", 0o755)
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	t.Setenv("KEPT", "yes")
	leak, err := os.Open("/dev/null") // close-on-exec, as everything Go opens
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()

	c := Command{Args: []string{path, "a b", ""}, Cred: Credentials{UID: 65534, GID: 65534}}
	if s := run(t, c, "INSTANCE", "VI_1"); !s.OK() {
		t.Fatalf("script: %v", s)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := "[a b][][INSTANCE][VI_1]\n,,yes\nUid:\t65534\t65534\t65534\t65534\n" +
		"Gid:\t65534\t65534\t65534\t65534\nGroups:\t65534\n" +
		"SigBlk:\t0000000000000000\nSigIgn:\t" + inheritedIgnores(t) + "\ncwd=/\n" +
		"0 /dev/null\n1 " + out + ".tmp\n2 " + out + ".tmp\nleader\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("surroundings (-want +got):\n%s", diff)
	}
}

// TestOrdinaryScheduling takes real-time policy and a nice value on the
// spawner's way: what a program inherits must be neither.
func TestOrdinaryScheduling(t *testing.T) {
	needRoot(t)
	end := make(chan Status, 1)
	done := make(chan error, 1)
	go func() { // a thread of its own, ended with the goroutine
		runtime.LockOSThread()
		attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
		err := unix.SchedSetAttr(0, attr, 0)
		if err == nil {
			ordinaryScheduling()
			var got *unix.SchedAttr
			if got, err = unix.SchedGetAttr(0, 0); err == nil && (got.Policy != unix.SCHED_NORMAL || got.Nice != 0) {
				err = fmt.Errorf("policy %d, nice %d after ordinaryScheduling, want 0, 0", got.Policy, got.Nice)
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	Start(Command{Args: []string{"/bin/sh", "-c", `set -- $(cat /proc/self/stat); [ "${41}" = 0 ] && [ "${19}" = 0 ]`}, Cred: Own()},
		func(s Status) { end <- s })
	if s := <-end; !s.OK() {
		t.Errorf("policy and nice value of a script: %v, want both 0", s)
	}
}

// TestOnOwnThread takes more threads than the process has, so that its first one
// is among those that are asked.
func TestOnOwnThread(t *testing.T) {
	const n = 50
	end, tids := make(chan struct{}), make(chan int, n)
	for range n {
		go onOwnThread(func() {
			tids <- unix.Gettid()
			<-end
		})
	}
	seen := map[int]bool{os.Getpid(): true}
	for range n {
		tid := <-tids
		if seen[tid] {
			t.Errorf("thread %d is the first one, or serves two", tid)
		}
		seen[tid] = true
	}
	close(end)
}

func TestSignal(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	path := write(t, dir, "group", "#!/bin/sh\nsleep 1000 &\n: >"+ready+"\nwait\n", 0o755)
	end := make(chan Status, 1)
	p := Start(Command{Args: []string{path}, Cred: Own()}, func(s Status) { end <- s })
	// The script may have come so far before its id has reached us: group 0 would
	// be that of the kernel's threads, which never ends.
	group := 0
	nettest.Eventually(t, 10*time.Second, "the script has started", func() bool {
		_, err := os.Stat(ready)
		group = p.PID()
		return err == nil && group != 0
	})
	p.Signal(syscall.SIGKILL)
	if s := <-end; s.Signal != int(syscall.SIGKILL) {
		t.Errorf("status = %v, want signal 9", s)
	}
	if p.PID() != 0 {
		t.Errorf("PID = %d after the end, want 0", p.PID())
	}
	p.Signal(syscall.SIGKILL) // must not reach anybody
	nettest.Eventually(t, 10*time.Second, "the whole group has ended", func() bool { return alive(group) == 0 })
}

// alive counts the members of a process group that are not zombies; in a
// container nobody may reap orphans.
func alive(group int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	n := 0
	for _, name := range stats {
		b, _ := os.ReadFile(name)
		i := bytes.LastIndexByte(b, ')')
		if i < 0 {
			continue
		}
		f := strings.Fields(string(b[i+1:]))
		if f[2] == fmt.Sprint(group) && f[0] != "Z" {
			n++
		}
	}
	return n
}

func TestSignalBeforeFork(t *testing.T) {
	p := &Process{}
	p.Signal(syscall.SIGKILL)
	end := make(chan Status, 1)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	request{Command{Args: []string{"/bin/sleep", "1000"}, Cred: Own()}, nil, p, func(s Status) { end <- s }}.fork(null.Fd())
	if s := <-end; s.Signal != int(syscall.SIGKILL) {
		t.Errorf("status = %v, want signal 9", s)
	}
}

// TestMany checks that waiting programs cost no threads.
func TestMany(t *testing.T) {
	const n = 100
	end := make(chan Status, n)
	procs := make([]*Process, n)
	for i := range procs {
		procs[i] = Start(Command{Args: []string{"/bin/sleep", "1000"}, Cred: Own()}, func(s Status) { end <- s })
	}
	nettest.Eventually(t, 30*time.Second, "all have started", func() bool { return procs[n-1].PID() != 0 })
	threads, _ := os.ReadDir("/proc/self/task")
	for _, p := range procs {
		p.Signal(syscall.SIGTERM)
	}
	for range procs {
		if s := <-end; s.Signal != int(syscall.SIGTERM) {
			t.Errorf("status = %v, want signal 15", s)
		}
	}
	if len(threads) > n/2 {
		t.Errorf("%d threads while %d programs ran", len(threads), n)
	}
}
