package watchdog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// The names that follow from `instance` (process.md 1.8), in a /run of its own.
// Those of a network namespace are tried in the virtual machine.
func TestNamesOfAnInstance(t *testing.T) {
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure("instance inst1\n" + strings.Replace(conf, "router_id lb1", "router_id lb1\n    data_use_instance", 1))
	d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.PrivateRun(), nettest.Env("TMPDIR=" + d.dir)}, binary,
		"-n", "-l", "-G", "-D", "-f", d.file("k.conf"), "-g"+d.file("ka.log"))
	d.WaitOutput(patience, "Startup complete")
	run := fmt.Sprintf("/proc/%d/root/run/keepalived/", d.PID())
	for name, mode := range map[string]string{
		"keepalived_inst1.pid": "-rw-r--r--", "vrrp_inst1.pid": "-rw-r--r--", "keepalived_inst1.sock": "Srw-------", ".": "drwxr-xr-x",
	} {
		st, err := os.Lstat(run + name)
		if err != nil || st.Mode().String() != mode {
			t.Errorf("%s: %v, %v, want %s", name, st, err, mode)
		}
	}
	d.Signal(syscall.SIGUSR1)
	d.Signal(syscall.SIGUSR2)
	for _, name := range []string{"keepalived.inst1.data", "keepalived_parent.inst1.data", "keepalived.stats"} {
		nettest.Eventually(t, patience, name, func() bool {
			st, err := os.Stat(d.file(name))
			return err == nil && st.Size() > 0 && st.Mode().Perm() == 0o600
		})
	}
	d.Signal(syscall.SIGTERM)
	d.Exited(patience)
	read := func(name string) string { b, _ := os.ReadFile(d.file(name)); return string(b) }
	for name, want := range map[string][2]string{ // the first line and the last
		"ka.log":            {"Starting Keepalived v2.4.3", "Changing syslog ident to Keepalived_inst1"},
		"ka_inst1.log":      {"NOTICE: setting config option max_auto_priority", "Stopped Keepalived v2.4.3"},
		"ka_vrrp_inst1.log": {"Registering Kernel netlink reflector", "Stopped - used"},
	} {
		lines := strings.Split(strings.TrimSpace(read(name)), "\n")
		if !strings.Contains(lines[0], want[0]) || !strings.Contains(lines[len(lines)-1], want[1]) {
			t.Errorf("%s: from %q to %q, want %q", name, lines[0], lines[len(lines)-1], want)
		}
	}
}

// A log file that cannot be made is said, once by each process, and costs
// nothing else.
func TestALogFileThatCannotBeMade(t *testing.T) {
	d := start(t, conf, "-g"+filepath.Join(t.TempDir(), "no/ka.log"))
	d.WaitOutput(patience, "Startup complete")
	for _, name := range []string{"no/ka.log' - errno 2 (No such file or directory)", "no/ka_vrrp.log' - errno 2 (No such file or directory)"} {
		nettest.Eventually(t, patience, name, func() bool { return d.count(name) == 1 })
	}
}

// masks are what differs from run to run.
var masks = []struct{ pattern, with string }{
	{`pid=\d+`, "pid=N"}, {`process\(\d+\)`, "process(N)"}, {`Running on .*`, "Running on …"}, {`Starting Keepalived v2\.4\.3 .*`, "Starting Keepalived …"},
	{`Stopped Keepalived v2\.4\.3 .*`, "Stopped Keepalived …"}, {`Command line: .*`, "Command line: …"}, {`'?/\S*k\.conf'?`, "FILE"},
	{`fd\(\d+,\d+\)`, "fd(N,N)"}, {`ifindex\( *\d+\)`, "ifindex(N)"}, {`fe80::\S+`, "fe80::X"}, {` used .*`, " used …"}, {`children\) user: .*`, "children) …"},
}

// lines are what the daemon logged, without times and masked.
func (d *daemon) lines() []string {
	text := d.Output()
	for _, m := range masks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.with)
	}
	var out []string
	for line := range strings.Lines(text) {
		if len(line) > 26 {
			out = append(out, strings.TrimSpace(line[26:]))
		}
	}
	return out
}

// A whole run, line by line as the original logs it (process.md 7.3): one list
// for the parent and one for the VRRP process, for they write side by side.
func TestTheLinesOfARun(t *testing.T) {
	t.Run("without-D", func(t *testing.T) {
		wantLines(t, nil, []string{
			"Starting Keepalived …", "Running on …", "Command line: …", "Configuration file FILE",
			"NOTICE: setting config option max_auto_priority should result in better keepalived performance",
			"Starting VRRP child process, pid=N", "Startup complete",
			"Reloading ...", "Configuration file FILE", "Reload complete", "Stopping", "Stopped Keepalived …",
		}, []string{
			"(VI_1) Entering BACKUP STATE (init)", "(VI_1) Entering MASTER STATE",
			"Printing VRRP stats for process(N) on signal", "Reloading", "Stopped",
		})
	})
	t.Run("with-D", func(t *testing.T) {
		assigned, assigned6 := "Assigned address 10.99.0.1 for interface eth0", "Assigned address fe80::X for interface eth0"
		sent := "Sending gratuitous ARP on eth0 for 10.99.0.100"
		wantLines(t, []string{"-D"}, []string{
			"Starting Keepalived …", "Running on …", "Command line: …", "Opening file FILE.", "Configuration file FILE",
			"NOTICE: setting config option max_auto_priority should result in better keepalived performance",
			"Starting VRRP child process, pid=N", "Startup complete",
			"Reloading ...", "Opening file FILE.", "Configuration file FILE", "Reload complete",
			"Stopping", "CPU usage (self/children) …", "Stopped Keepalived …",
		}, []string{
			"Registering Kernel netlink reflector", "Registering Kernel netlink command channel",
			"Registering gratuitous ARP shared channel", assigned, assigned6,
			"VRRP sockpool: [ifindex(N), family(IPv4), proto(112), fd(N,N) multicast, address(224.0.0.18)]",
			"(VI_1) removing VIPs.", "(VI_1) Entering BACKUP STATE (init)",
			"(VI_1) Receive advertisement timeout", "(VI_1) Entering MASTER STATE", "(VI_1) setting VIPs.",
			"(VI_1) Sending/queueing gratuitous ARPs on eth0 for 10.99.0.100", sent, sent, sent, sent, sent,
			"Printing VRRP stats for process(N) on signal", "Reloading", assigned, assigned6, "(VI_1) setting VIPs.",
			"(VI_1) sent 0 priority", "(VI_1) removing VIPs.",
			"Stopped - used …",
		})
	})
}

func wantLines(t testing.TB, extra, parent, child []string) {
	t.Helper()
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure(conf)
	args := append([]string{"-n", "-l", "-G", "-f", d.file("k.conf"), "-p", d.file("k.pid"), "-r", d.file("vrrp.pid")}, extra...)
	d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.Env("TMPDIR=" + d.dir)}, binary, args...)
	d.WaitOutput(2*patience, "(VI_1) Entering MASTER STATE")
	if len(extra) > 0 {
		nettest.Eventually(t, patience, "five announcements", func() bool { return d.count("Sending gratuitous ARP on") >= 5 })
	}
	d.Signal(syscall.SIGUSR2)
	d.WaitOutput(patience, "Printing VRRP stats")
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
	d.Signal(syscall.SIGTERM)
	d.Exited(patience)
	isParent := map[string]bool{}
	for _, l := range parent {
		isParent[l] = true
	}
	var gotParent, gotChild []string
	for _, l := range d.lines() {
		if isParent[l] {
			gotParent = append(gotParent, l)
		} else {
			gotChild = append(gotChild, l)
		}
	}
	if got, want := strings.Join(gotParent, "\n"), strings.Join(parent, "\n"); got != want {
		t.Errorf("parent:\n%s\nwant:\n%s", got, want)
	}
	if got, want := strings.Join(gotChild, "\n"), strings.Join(child, "\n"); got != want {
		t.Errorf("VRRP process:\n%s\nwant:\n%s", got, want)
	}
}

// The image of the container recipe's stage "bare" has nothing but the
// programs: the daemon must do with that.
func TestItRunsInAnEmptyRoot(t *testing.T) {
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	for _, name := range []string{"etc/keepalived", "usr/sbin", "run/keepalived", "tmp", "proc"} {
		if err := os.MkdirAll(d.file(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(d.file("usr/sbin/keepalived"), program, 0o755)
	}
	if err == nil {
		err = os.WriteFile(d.file("etc/keepalived/keepalived.conf"), []byte(conf), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Proc = d.ns.Start("unshare", "--mount", "sh", "-c", `mount -t proc proc "$0/proc" && exec chroot "$0" /usr/sbin/keepalived --dont-fork --log-console --no-syslog`, d.dir)
	d.WaitOutput(2*patience, "(VI_1) Entering MASTER STATE")
	nettest.Eventually(t, patience, "the address", func() bool { return d.ns.HasAddr("10.99.0.100") })
	d.Signal(syscall.SIGTERM)
	if status := d.Exited(patience); status != 0 || d.pid("run/keepalived.pid") != 0 {
		t.Errorf("status %d and a pid file of %d, want 0 and none", status, d.pid("run/keepalived.pid"))
	}
}
