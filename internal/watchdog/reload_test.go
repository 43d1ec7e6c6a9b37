package watchdog_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestReloadCheckConfig: with the keyword any message refuses a reload and is
// left in the file, and what was checked is what is loaded.
func TestReloadCheckConfig(t *testing.T) {
	said := filepath.Join(t.TempDir(), "said")
	checked := strings.Replace(conf, "router_id lb1", "router_id lb1\n    reload_check_config "+said, 1)
	d := start(t, checked)
	d.WaitOutput(patience, "Startup complete")
	d.configure(strings.Replace(checked, "priority 100", "priority 300", 1))
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "New config failed validation, see "+said+" for details")
	if b, _ := os.ReadFile(said); !strings.Contains(string(b), "Line 9)") {
		t.Errorf("the file says %q", b)
	}
	if d.count("validate conf before Reload") != 1 || d.count("Reloading ...") != 0 || d.count("Reload complete") != 0 {
		t.Errorf("after a refusal:\n%s", d.Output())
	}
	// What cannot be changed is refused here too; the original does not notice.
	d.configure("instance other\n" + checked)
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Cannot change instance name at a reload - please restart keepalived")
	d.configure(strings.Replace(checked, "priority 100", "priority 101", 1))
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
	if n := d.count("Configuration file "); n != 1 {
		t.Errorf("%d times «Configuration file», want 1: what was checked is not read again:\n%s", n, d.Output())
	}
}

// TestWhatAReloadCannotChange: the lines of process.md 1.7.
func TestWhatAReloadCannotChange(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	global := func(line string) string { return strings.Replace(conf, "router_id lb1", "router_id lb1\n    "+line, 1) }
	for what, text := range map[string]string{
		"network namespace":      "net_namespace nosuch\n" + conf,
		"IPVS network namespace": "net_namespace_ipvs nosuch\n" + conf,
		"instance name":          "instance other\n" + conf,
		"config_directory":       global("tmp_config_directory " + t.TempDir()),
		"disable_local_igmp":     global("disable_local_igmp"),
	} {
		d.configure(text)
		d.Signal(syscall.SIGHUP)
		d.WaitOutput(patience, "Cannot change "+what+" at a reload - please restart keepalived")
	}
	nettest.Eventually(t, patience, "five refusals", func() bool { return d.count("Reload refused") == 5 })
	if d.count("Reload complete") > 0 {
		t.Errorf("a refused change was loaded:\n%s", d.Output())
	}
}

// TestReloadsInARow: those that come while the children are busy are one, later.
func TestReloadsInARow(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	d.kill("vrrp.pid", syscall.SIGSTOP) // a child that takes its time
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reloading ...")
	for n := 1; n <= 3; n++ {
		d.Signal(syscall.SIGHUP)
		nettest.Eventually(t, patience, "the request in the queue", func() bool {
			return d.count("Reload already in progress, request queued") == n
		})
	}
	d.kill("vrrp.pid", syscall.SIGCONT)
	nettest.Eventually(t, patience, "the reload and the queued one", func() bool { return d.count("Reload complete") == 2 })
	if d.count("Processing queued reload") != 1 || d.count("Reloading ...") != 2 {
		t.Errorf("the queue was not taken up once:\n%s", d.Output())
	}
}

// watched is an inotify watch of a folder.
type watched struct{ fd int }

func watch(t *testing.T, dir string) watched {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_DELETE)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return watched{fd}
}

// seen is what has happened in the folder since the last call.
func (w watched) seen() (list []string) {
	buf := make([]byte, 4096)
	n, _ := unix.Read(w.fd, buf)
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
		at += unix.SizeofInotifyEvent
		name := strings.TrimRight(string(buf[at:at+int(event.Len)]), "\x00")
		at += int(event.Len)
		if event.Mask&unix.IN_DELETE != 0 {
			list = append(list, "removed "+name)
		} else {
			list = append(list, "made "+name)
		}
	}
	return list
}

// TestReloadFile: the file is there while the configuration is read, also when
// the reload is refused; one of an earlier run is removed at the start.
func TestReloadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "reloading")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	marked := strings.Replace(conf, "router_id lb1", "router_id lb1\n    reload_file "+path, 1)
	w := watch(t, dir)
	d := start(t, marked)
	d.WaitOutput(patience, "Startup complete")
	if got := strings.Join(w.seen(), ", "); got != "removed reloading" {
		t.Errorf("at the start: %q, want the old file removed", got)
	}
	for _, test := range []struct{ text, line string }{
		{marked, "Reload complete"}, {strings.TrimSuffix(marked, "}\n"), "Reload refused"},
	} {
		d.configure(test.text)
		d.Signal(syscall.SIGHUP)
		d.WaitOutput(patience, test.line)
		if got := strings.Join(w.seen(), ", "); got != "made reloading, removed reloading" {
			t.Errorf("%s: %q, want the file made and removed", test.line, got)
		}
	}
}

// TestReloadRepeat: with reload_repeat the file stays and the next reload is
// tomorrow's.
func TestReloadRepeat(t *testing.T) {
	at := filepath.Join(t.TempDir(), "time")
	soon := time.Now().Add(4 * time.Second)
	if err := os.WriteFile(at, []byte(soon.Format("15:04:05")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := start(t, strings.Replace(conf, "router_id lb1", "router_id lb1\n    reload_time_file "+at+"\n    reload_repeat", 1))
	d.WaitOutput(patience, "Reload complete")
	if _, err := os.Stat(at); err != nil {
		t.Errorf("the file of a repeated reload is gone: %v", err)
	}
	d.Signal(syscall.SIGUSR1)
	next := soon.AddDate(0, 0, 1).Format("2006-01-02 15:04:05")
	nettest.Eventually(t, patience, "the plan for tomorrow in the dump", func() bool {
		b, _ := os.ReadFile(d.file("keepalived_parent.data"))
		return strings.Contains(string(b), " Reload time file = "+at+" (repeat)\n") && strings.Contains(string(b), " Reload scheduled for "+next)
	})
}

// TestSystemdIsTold: the datagrams of process.md 2.7, from a daemon whose parent
// is process 1 of its own namespace and called systemd.
func TestSystemdIsTold(t *testing.T) {
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure(conf)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.file("notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	shell, err := os.ReadFile("/bin/sh")
	if err == nil {
		err = os.WriteFile(d.file("systemd"), shell, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func() {
		d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.Env("NOTIFY_SOCKET=" + d.file("notify"))}, "unshare",
			append([]string{"--pid", "--fork", "--kill-child", "--mount-proc", d.file("systemd"), "-c", `"$@" & wait $!; echo "rc $?"`, "sh", binary}, d.args()...)...)
	}
	pid := 0
	told := func(want string) {
		t.Helper()
		buf := make([]byte, 256)
		if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(buf)
		if err != nil {
			t.Fatalf("waiting for %q: %v\n%s", want, err, d.Output())
		}
		if _, err := fmt.Sscanf(string(buf[:n]), "READY=1\nMAINPID=%d", &pid); err == nil {
			n = len("READY=1")
		}
		if string(buf[:n]) != want {
			t.Errorf("systemd is told %q, want %q", buf[:n], want)
		}
	}
	// The daemon counts processes as in its own namespace; its child's pid file
	// does so too.
	signal := func(sig syscall.Signal) {
		t.Helper()
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", d.PID(), d.PID()))
		first := strings.TrimSpace(string(b))
		b, _ = os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", first, first))
		outer := 0
		if _, err := fmt.Sscan(string(b), &outer); err != nil {
			t.Fatalf("the daemon below %s: %q", first, b)
		}
		if err := syscall.Kill(outer, sig); err != nil {
			t.Fatal(err)
		}
	}
	run()
	told("READY=1")
	if pid != d.pid("k.pid") {
		t.Errorf("MAINPID=%d, the pid file says %d", pid, d.pid("k.pid"))
	}
	signal(syscall.SIGHUP)
	told("RELOADING=1")
	told("READY=1")
	signal(syscall.SIGTERM)
	told("STOPPING=1")
	d.WaitOutput(patience, "rc 0")
	d.configure(strings.Replace(conf, "eth0", "eth9", 1))
	run()
	told("ERRNO=22")
	d.WaitOutput(patience, "rc 2")
}
