package watchdog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// binary is the daemon, built once for all tests of this package.
var binary string

func TestMain(m *testing.M) {
	os.Exit(nettest.Main(m, func(dir string) { binary = filepath.Join(dir, "keepalived") }))
}

const conf = `
global_defs {
    router_id lb1
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.99.0.100/24
    }
}
`

const patience = 10 * time.Second

// daemon is one daemon in its own namespace with its own files.
type daemon struct {
	*nettest.Proc
	t   testing.TB
	ns  *nettest.NS
	dir string
}

func (d *daemon) file(name string) string { return filepath.Join(d.dir, name) }

func (d *daemon) pid(name string) int {
	b, _ := os.ReadFile(d.file(name))
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

// kill sends a signal to the process of a pid file, once it has one: process 0
// would be the test's own group.
func (d *daemon) kill(name string, sig syscall.Signal) {
	d.t.Helper()
	pid := 0
	nettest.Eventually(d.t, patience, "a process id in "+name, func() bool {
		pid = d.pid(name)
		return pid > 1
	})
	if err := syscall.Kill(pid, sig); err != nil {
		d.t.Fatalf("signal process %d of %s: %v", pid, name, err)
	}
}

func (d *daemon) configure(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.file("k.conf"), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) args(extra ...string) []string {
	return append([]string{"-n", "-l", "-G", "-D", "-f", d.file("k.conf"), "-p", d.file("k.pid"),
		"-r", d.file("vrrp.pid"), "-c", d.file("checkers.pid"), "-b", d.file("bfd.pid")}, extra...)
}

func (d *daemon) count(text string) int { return strings.Count(d.Output(), text) }

func start(t testing.TB, text string, extra ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure(text)
	d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.Env("TMPDIR=" + d.dir)}, binary, d.args(extra...)...)
	return d
}

func TestLinesOfAStartAndAStop(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	d.WaitOutput(patience, "(VI_1) Entering BACKUP STATE (init)")
	for _, want := range []string{
		"Starting Keepalived v2.4.3", "Running on Linux", "Command line: '", "Opening file '", "Configuration file " + d.file("k.conf"),
		"NOTICE: setting config option max_auto_priority should result in better keepalived performance",
		"Starting VRRP child process, pid=",
	} {
		if !strings.Contains(d.Output(), want) {
			t.Errorf("start lacks %q", want)
		}
	}
	if d.pid("k.pid") != d.PID() || d.pid("vrrp.pid") == 0 {
		t.Errorf("pid files say %d and %d, want %d and the child", d.pid("k.pid"), d.pid("vrrp.pid"), d.PID())
	}
	d.Signal(syscall.SIGTERM)
	if status := d.Exited(patience); status != 0 {
		t.Errorf("exit status = %d, want 0", status)
	}
	for _, want := range []string{"Stopping\n", "Stopped Keepalived v2.4.3", "CPU usage (self/children)"} {
		if !strings.Contains(d.Output(), want) {
			t.Errorf("stop lacks %q", want)
		}
	}
	for _, name := range []string{"k.pid", "vrrp.pid", "k.sock"} {
		if _, err := os.Lstat(d.file(name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
	if t.Failed() {
		t.Log(d.Output())
	}
}

func TestAKilledChildIsRestarted(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	for n := 1; n <= 2; n++ {
		pid := d.pid("vrrp.pid")
		d.kill("vrrp.pid", syscall.SIGKILL)
		nettest.Eventually(t, patience, "a successor", func() bool {
			return d.pid("vrrp.pid") > 1 && d.pid("vrrp.pid") != pid && d.count("Starting VRRP child process") == n+1
		})
	}
	for _, want := range []string{
		"exited due to signal 9 (Killed) - has rlimit_rttime been exceeded?", "died: Respawning",
		"Restart of VRRP process delayed 0 seconds to limit respawn rate",
		"Restart of VRRP process delayed 1 seconds to limit respawn rate",
	} {
		if !strings.Contains(d.Output(), want) {
			t.Errorf("log lacks %q:\n%s", want, d.Output())
		}
	}
}

// TestTheSpareProcess: the VRRP child of a foreground daemon is the process
// that was started before the configuration was read, with the file mode mask
// that it says; its successor is not. Where there is no VRRP none is left.
func TestTheSpareProcess(t *testing.T) {
	d := start(t, "global_defs {\n    umask 027\n}\n"+conf)
	d.WaitOutput(patience, "(VI_1) Entering BACKUP STATE (init)")
	first := d.pid("vrrp.pid")
	if got := d.Children(); !slices.Equal(got, []int{first}) {
		t.Fatalf("children %v, want only VRRP's %d", got, first)
	}
	environment := func(pid int) string {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		return string(b)
	}
	if env := environment(first); !strings.Contains(env, "KEEPALIVED_GO_SPARE=") {
		t.Errorf("the first VRRP child was started as %q", env)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", first))
	if !strings.Contains(string(status), "Umask:\t0027\n") {
		t.Errorf("the spare has not taken over the mask: %s", status)
	}
	d.kill("vrrp.pid", syscall.SIGKILL)
	var second int
	nettest.Eventually(t, patience, "a successor", func() bool {
		second = d.pid("vrrp.pid")
		return second != first && environment(second) != ""
	})
	if env := environment(second); strings.Contains(env, "KEEPALIVED_GO_SPARE=") {
		t.Errorf("the successor was started as %q", env)
	}

	none := start(t, "global_defs {\n    router_id lb1\n}\n")
	none.WaitOutput(patience, "Warning - keepalived has no configuration to run")
	nettest.Eventually(t, patience, "no child is left", func() bool { return len(none.Children()) == 0 })
}

// A fault of a child's program is not taken for a permanent error: Go's own exit
// status for it would be that of a bad configuration.
func TestAChildThatCrashesIsRestarted(t *testing.T) {
	d := start(t, conf)
	children := 0
	ready := func() { // it has caught the signals, and says this line
		t.Helper()
		children++
		nettest.Eventually(t, patience, "a child that is ready", func() bool {
			return d.count("Registering gratuitous ARP shared channel") == children && d.pid("vrrp.pid") > 1
		})
	}
	for sig, said := range map[syscall.Signal]string{
		syscall.SIGSEGV: "exited due to segmentation fault (SIGSEGV).", syscall.SIGBUS: "exited due to signal 7 (Bus error)",
	} {
		ready()
		d.kill("vrrp.pid", sig)
		d.WaitOutput(patience, said)
	}
	ready()
	if d.count("permanent error") > 0 || !d.Running() {
		t.Errorf("after a crash of the child:\n%s", d.Output())
	}
}

func TestDontRespawnEndsTheDaemon(t *testing.T) {
	d := start(t, conf, "-R")
	d.WaitOutput(patience, "Startup complete")
	d.kill("vrrp.pid", syscall.SIGKILL)
	if status := d.Exited(patience); status != 0 {
		t.Errorf("exit status = %d, want 0", status)
	}
	if d.count("died: Exiting") != 1 {
		t.Errorf("log lacks «died: Exiting»:\n%s", d.Output())
	}
}

func TestChildrenStopWhenTheParentIsKilled(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(20*time.Second, "(VI_1) Entering MASTER STATE")
	child := d.pid("vrrp.pid")
	if child <= 1 {
		t.Fatalf("the child's pid file says %d", child)
	}
	d.Signal(syscall.SIGKILL)
	nettest.Eventually(t, patience, "the child to stop in order and its address to go", func() bool {
		return syscall.Kill(child, 0) != nil && !strings.Contains(strings.Join(d.ns.Addrs("eth0"), " "), "10.99.0.100")
	})
	if _, err := os.Lstat(d.file("vrrp.pid")); err == nil {
		t.Error("the child's pid file is left behind")
	}
}

func TestASecondDaemonSeesTheFirst(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	second := d.ns.Start(binary, d.args()...)
	if status := second.Exited(patience); status != 0 {
		t.Errorf("exit status = %d, want 0", status)
	}
	if !strings.Contains(second.Output(), "daemon is already running") {
		t.Errorf("second daemon: %s", second.Output())
	}
	if !d.Running() || d.pid("k.pid") != d.PID() {
		t.Error("the first daemon was disturbed")
	}
}

func TestReloadRefusesWhatIsBroken(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(20*time.Second, "(VI_1) Entering MASTER STATE")
	held := func() bool { return strings.Contains(strings.Join(d.ns.Addrs("eth0"), " "), "10.99.0.100/24") }
	nettest.Eventually(t, patience, "the address", held)
	bad := []struct{ name, text, want string }{
		{"a misspelt keyword", strings.Replace(conf, "priority", "prioriti", 1), "k.conf: Line 8) Unknown keyword 'prioriti' (column"},
		{"no id", strings.Replace(conf, "    virtual_router_id 51\n", "", 1), "the virtual router id must be set"},
		{"a missing brace", strings.TrimSuffix(conf, "}\n"), "There are 1 missing '}'s or extra '{'s"},
		{"an interface that is not there", strings.Replace(conf, "eth0", "eth7", 1), "interface eth7 for vrrp_instance VI_1 doesn't exist"},
		{"a keyword without its parameter", strings.Replace(conf, "priority 100", "priority", 1), "is missing a parameter after keyword `priority`"},
	}
	for i, test := range bad {
		d.configure(test.text)
		d.Signal(syscall.SIGHUP)
		nettest.Eventually(t, patience, test.name+": the refusal", func() bool {
			return d.count("Reload refused - the running configuration stays in force") == i+1
		})
		if !strings.Contains(d.Output(), test.want) {
			t.Errorf("%s: log lacks %q:\n%s", test.name, test.want, d.Output())
		}
	}
	os.Remove(d.file("k.conf"))
	d.Signal(syscall.SIGHUP)
	nettest.Eventually(t, patience, "the refusal of a missing file", func() bool {
		return d.count("Reload refused - the running configuration stays in force") == len(bad)+1
	})
	if !held() || d.count("Reload complete") != 0 || d.count("Starting VRRP") != 1 {
		t.Errorf("a broken reload changed something:\n%s", d.Output())
	}
	d.configure(strings.Replace(conf, "10.99.0.100/24", "10.99.0.100/24\n 10.99.0.101/24", 1))
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
	nettest.Eventually(t, patience, "the added address", func() bool {
		return strings.Contains(strings.Join(d.ns.Addrs("eth0"), " "), "10.99.0.101/24") && held()
	})
}

func TestAWarningOfOldDoesNotRefuseAReload(t *testing.T) {
	sloppy := strings.Replace(conf, "priority 100", "priority 100\n no_such_keyword", 1)
	d := start(t, sloppy)
	d.WaitOutput(patience, "Startup complete")
	d.configure(strings.Replace(sloppy, "router_id lb1", "router_id lb2", 1))
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
}

func TestAReloadBringsANewKindOfWork(t *testing.T) {
	d := start(t, "global_defs {\n router_id x\n}\n")
	d.WaitOutput(patience, "Warning - keepalived has no configuration to run")
	d.configure(conf)
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Starting VRRP child process")
	d.WaitOutput(patience, "Reload complete")
}

func TestExitStatuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       int
		line       string
	}{
		{"no id", strings.Replace(conf, "    virtual_router_id 51\n", "", 1), 2, "exited with permanent error CONFIG. Terminating"},
		{"no interface", strings.Replace(conf, "eth0", "eth7", 1), 2, "exited with permanent error CONFIG. Terminating"},
		{"no parameter", strings.Replace(conf, "priority 100", "priority", 1), 2, "is missing a parameter"},
	}
	for _, test := range tests {
		d := start(t, test.text)
		if status := d.Exited(patience); status != test.want || !strings.Contains(d.Output(), test.line) {
			t.Errorf("%s: status %d, want %d with %q:\n%s", test.name, status, test.want, test.line, d.Output())
		}
	}
	d := start(t, conf)
	missing := d.ns.Start(binary, "-n", "-l", "-G", "-f", d.file("nothing.conf"), "-p", d.file("x.pid"))
	if status := missing.Exited(patience); status != 6 || !strings.Contains(missing.Output(), "Config files missing '"+d.file("nothing.conf")+"'.") {
		t.Errorf("missing file: status %d, want 6:\n%s", status, missing.Output())
	}
}

func TestItDetaches(t *testing.T) {
	ns := nettest.LAN(t, 1)[0]
	d := &daemon{t: t, ns: ns, dir: t.TempDir()}
	d.configure(conf)
	args := append([]string{}, d.args()[1:]...) // without -n
	first := ns.Start(binary, args...)
	if status := first.Exited(patience); status != 0 {
		t.Fatalf("exit status = %d, want 0:\n%s", status, first.Output())
	}
	nettest.Eventually(t, patience, "the daemon and its child", func() bool {
		return d.pid("k.pid") > 0 && d.pid("vrrp.pid") > 0 && d.pid("k.pid") != first.PID()
	})
	pid := d.pid("k.pid")
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || dir != "/" {
		t.Errorf("working directory = %q, %v, want /", dir, err)
	}
	d.kill("k.pid", syscall.SIGTERM)
	nettest.Eventually(t, patience, "its end", func() bool { return d.pid("k.pid") == 0 })
}

func TestUnprivilegedStart(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	dir := filepath.Dir(binary)
	for _, p := range []string{dir, d.dir, filepath.Dir(d.dir)} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	other := d.ns.Start("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "-n", "-l", "-G",
		"-f", d.file("k.conf"), "-p", d.file("other.pid"))
	if status := other.Exited(patience); status != 4 || !strings.Contains(other.Output(), "permission denied") {
		t.Errorf("status %d, want 4 and a clear reason:\n%s", status, other.Output())
	}
}

func TestStatusOverTheSocket(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	c, err := control.Dial(d.file("k.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var raw string
	nettest.Eventually(t, patience, "the VRRP process's part", func() bool {
		b, err := c.Ask(control.Request{Get: "status"}, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
		return strings.Contains(raw, `"name":"VI_1"`)
	})
	if st, err := os.Stat(d.file("k.sock")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket = %v, %v, want 0600", st.Mode(), err)
	}
}

func TestDataDumpOfTheParent(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	d.Signal(syscall.SIGUSR1)
	nettest.Eventually(t, patience, "the dump", func() bool {
		b, _ := os.ReadFile(d.file("keepalived_parent.data"))
		return strings.HasPrefix(string(b), "------< Global definitions >------\n") && strings.Contains(string(b), " Router ID = lb1\n")
	})
}
