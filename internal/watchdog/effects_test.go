package watchdog_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// What the configuration and the command line do to the processes, as /proc
// shows it.

// field reads the value behind a name in one of the files of /proc.
func field(t testing.TB, file, name string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strings.Join(strings.Fields(strings.TrimPrefix(rest, ":")), " ")
		}
	}
	t.Fatalf("%s has no %s", file, name)
	return ""
}

// stat returns the fields of /proc/PID/stat behind the name, so that index 0 is
// the third of proc(5).
func stat(t testing.TB, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
}

// mayRaiseLimits tells whether this process has CAP_SYS_RESOURCE.
func mayRaiseLimits(t testing.TB) bool {
	caps, err := strconv.ParseUint(field(t, "/proc/self/status", "CapEff"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	const capSysResource = 24
	return caps>>capSysResource&1 == 1
}

// Indices into stat: nice value, real-time priority, policy.
const (
	statNice   = 19 - 3
	statRT     = 40 - 3
	statPolicy = 41 - 3
)

const schedRR = "2"

func TestProcessSettings(t *testing.T) {
	reset := `
global_defs {
    router_id lb1
}
bfd_instance b {
    neighbor_ip 10.99.0.77
    source_ip 10.99.0.1
}
virtual_server 10.99.0.200 80 {
    real_server 10.99.0.201 80 {
        TCP_CHECK
    }
}
` + conf[strings.Index(conf, "vrrp_instance"):]
	text := strings.Replace(reset, "router_id lb1", `
    router_id lb1
    umask 027
    process_names
    vrrp_priority -7
    vrrp_rt_priority 11
    vrrp_rlimit_rttime 4000000
    vrrp_cpu_affinity 0
    vrrp_no_swap
    checker_priority 3
    checker_process_name my_checker
    bfd_rt_priority 12
    bfd_cpu_affinity 1
    bfd_no_swap
    script_user root
    max_auto_priority -1
    vrrp_netlink_cmd_rcv_bufs 300000
    vrrp_netlink_cmd_rcv_bufs_force true
    vrrp_netlink_monitor_rcv_bufs 310000
    vrrp_netlink_monitor_rcv_bufs_force true
`, 1)
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	seen := d.file("script")
	script := d.file("notify.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncd /proc/self\ncat stat > "+seen+".stat\ncat status > "+seen+".status\n"+
		"cat limits > "+seen+".limits\nmv "+seen+".status "+seen+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	text = strings.Replace(text, "priority 100", "priority 100\n    notify_backup "+script, 1)
	d.configure(text)
	d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.Env("TMPDIR=" + d.dir)}, binary, d.args("-m")...)
	d.WaitOutput(patience, "Startup complete")
	nettest.Eventually(t, patience, "the script's view", func() bool { _, err := os.Stat(seen); return err == nil })

	proc := func(pidFile, file string) string { return fmt.Sprintf("/proc/%d/%s", d.pid(pidFile), file) }
	equal := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %q, want %q", what, got, want)
		}
	}
	comm := func(pidFile string) string { return field(t, proc(pidFile, "status"), "Name") }
	equal("name of the parent", comm("k.pid"), "keepalived")
	equal("name of the VRRP process", comm("vrrp.pid"), "keepalived_vrrp")
	equal("name of the checker", comm("checkers.pid"), "my_checker")
	equal("name of the BFD process", comm("bfd.pid"), "keepalived_bfd")
	for _, pidFile := range []string{"k.pid", "vrrp.pid", "checkers.pid", "bfd.pid"} {
		names, _ := filepath.Glob(proc(pidFile, "task/*/comm"))
		for _, f := range names {
			if name, _ := os.ReadFile(f); string(name) == "exe\n" {
				t.Errorf("a thread is called after the link by which %s was started", pidFile)
			}
		}
	}
	threads, _ := filepath.Glob(proc("vrrp.pid", "task/*/stat"))
	if len(threads) == 0 {
		t.Fatal("the VRRP process has no threads")
	}
	for _, thread := range threads {
		s := stat(t, thread)
		if scripts := s[statPolicy] == "0" && s[statNice] == "0"; scripts {
			continue // the thread that forks the scripts
		}
		equal(thread+": policy", s[statPolicy], schedRR)
		equal(thread+": real-time priority", s[statRT], "11")
		equal(thread+": nice", s[statNice], "-7")
	}
	equal("nice of the checker", stat(t, proc("checkers.pid", "stat"))[statNice], "3")
	equal("policy of the checker", stat(t, proc("checkers.pid", "stat"))[statPolicy], "0")
	equal("real-time priority of BFD", stat(t, proc("bfd.pid", "stat"))[statRT], "12")
	equal("CPUs of VRRP", field(t, proc("vrrp.pid", "status"), "Cpus_allowed_list"), "0")
	equal("CPUs of BFD", field(t, proc("bfd.pid", "status"), "Cpus_allowed_list"), "1")
	for _, name := range []string{"vrrp.pid", "bfd.pid"} {
		if field(t, proc(name, "status"), "VmLck") == "0 kB" {
			t.Errorf("%s: no memory is locked", name)
		}
	}
	equal("locked memory of the checker", field(t, proc("checkers.pid", "status"), "VmLck"), "0 kB")
	equal("real-time limit", field(t, proc("vrrp.pid", "limits"), "Max realtime timeout"), "2000000 4000000 us")
	sockets := d.ns.Run("ss", "-H", "-f", "netlink", "-m")
	for _, want := range []string{"rb600000", "rb620000"} { // the kernel counts twice what is asked for
		if !strings.Contains(sockets, want) {
			t.Errorf("no netlink socket has a buffer of %s:\n%s", want, sockets)
		}
	}
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k.pid", "vrrp.pid", "checkers.pid", "bfd.pid"} {
		equal(name+": umask", field(t, proc(name, "status"), "Umask"), "0027")
		equal(name+": core files", field(t, proc(name, "limits"), "Max core file size"), "unlimited unlimited bytes")
		b, _ := os.ReadFile(proc(name, "oom_score_adj"))
		equal(name+": OOM score", string(b), string(own))
	}

	// A script has none of that.
	mine := func(what string) string { return field(t, "/proc/self/limits", what) }
	theirs := func(what string) string { return field(t, seen+".limits", what) }
	s := stat(t, seen+".stat")
	equal("policy of a script", s[statPolicy], "0")
	equal("nice of a script", s[statNice], "0")
	equal("CPUs of a script", field(t, seen, "Cpus_allowed_list"), field(t, "/proc/self/status", "Cpus_allowed_list"))
	equal("umask of a script", field(t, seen, "Umask"), "0027")
	equal("core files of a script", theirs("Max core file size"), mine("Max core file size"))
	realtime := mine("Max realtime timeout")
	if !mayRaiseLimits(t) { // then the hard limit cannot be put back
		realtime = "4000000 4000000 us"
	}
	equal("real-time limit of a script", theirs("Max realtime timeout"), realtime)

	d.configure(reset) // a reload takes back what can be taken back
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
	nettest.Eventually(t, patience, "ordinary scheduling after the reload", func() bool {
		s := stat(t, proc("vrrp.pid", "stat"))
		return s[statPolicy] == "0" && s[statNice] == "0" && stat(t, proc("bfd.pid", "stat"))[statPolicy] == "0" &&
			field(t, proc("vrrp.pid", "status"), "VmLck") == "0 kB" &&
			field(t, proc("bfd.pid", "status"), "Cpus_allowed_list") == field(t, "/proc/self/status", "Cpus_allowed_list")
	})
}

func TestConfigurationInAFolder(t *testing.T) {
	dir := t.TempDir()
	d := start(t, strings.Replace(conf, "router_id lb1", "router_id lb1\n tmp_config_directory "+dir, 1))
	d.WaitOutput(patience, "Startup complete")
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.pid("vrrp.pid")))
	var open []string
	for _, fd := range fds {
		link, _ := os.Readlink(fd)
		open = append(open, link)
	}
	if !slices.ContainsFunc(open, func(link string) bool { return strings.HasPrefix(link, dir+"/") }) {
		t.Errorf("the child has open %q, want a file in %s", open, dir)
	}
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
	d.kill("vrrp.pid", syscall.SIGKILL)
	nettest.Eventually(t, patience, "a successor that reads it too", func() bool {
		return d.count("(VI_1) Entering BACKUP STATE (init)")+d.count("Carrying on") >= 2 || d.count("Starting VRRP child process") == 2
	})
}

func TestConfigSaveDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "saved")
	saved := strings.Replace(conf, "router_id lb1", "router_id lb1\n config_save_dir "+dir, 1)
	d := start(t, saved)
	d.WaitOutput(patience, "Startup complete")
	d.Signal(syscall.SIGHUP)
	d.WaitOutput(patience, "Reload complete")
	child := d.pid("vrrp.pid")
	for name, want := range map[string]string{
		fmt.Sprintf("keepalived.conf.%d.0", d.PID()):    "# " + d.file("k.conf") + "\n" + saved,
		fmt.Sprintf("keepalived.conf.%d.1", d.PID()):    "# " + d.file("k.conf") + "\n" + saved,
		fmt.Sprintf("keepalived_vrrp.%d.1.pre", child):  "------< VRRP Topology >------",
		fmt.Sprintf("keepalived_vrrp.%d.1.post", child): "------< VRRP Topology >------",
	} {
		nettest.Eventually(t, patience, name, func() bool {
			b, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.Contains(string(b), want)
		})
	}
}

func TestReloadAtAGivenTime(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "time")
	timed := strings.Replace(conf, "router_id lb1", "router_id lb1\n reload_time_file "+at+"\n reload_file "+filepath.Join(dir, "reloading"), 1)
	d := start(t, timed)
	d.WaitOutput(patience, "Startup complete")
	set := func(text string) {
		t.Helper()
		// A file system counts time stamps in ticks: another name is always news.
		if err := os.WriteFile(at+".new", []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(at+".new", at); err != nil {
			t.Fatal(err)
		}
	}
	set("2099-01-01 00:00:00")
	d.WaitOutput(patience, "Scheduling reload for 2099-01-01 00:00:00")
	soon := time.Now().Add(4 * time.Second)
	set(soon.Format("15:04:05"))
	d.WaitOutput(patience, "Reload time updated from 2099-01-01 00:00:00 to "+soon.Format("2006-01-02 15:04:05"))
	d.WaitOutput(patience, "Reload complete")
	nettest.Eventually(t, patience, "the file to go", func() bool { _, err := os.Stat(at); return err != nil })
	set("soon")
	d.WaitOutput(patience, "Reload time soon format is incorrect - ignoring")
	d.WaitOutput(patience, "Invalid reload time 'soon' specified - ignoring")
	set("2099-01-32 00:00:00")
	d.WaitOutput(patience, "Reload time 2099-01-32 00:00:00 is not valid - ignoring")
	set("2098-01-01 00:00:00Z")
	nettest.Eventually(t, patience, "the plan", func() bool { return d.count("Scheduling reload for") == 2 })
	os.Remove(at)
	d.WaitOutput(patience, "Cancelling reload scheduled for")
	if n := d.count("Reload complete"); n != 1 {
		t.Errorf("%d reloads, want 1", n)
	}
}

func TestAChildThatDoesNotStopIsKilled(t *testing.T) {
	d := start(t, "child_wait_time 1\n"+conf)
	d.WaitOutput(patience, "Startup complete")
	child := d.pid("vrrp.pid")
	d.kill("vrrp.pid", syscall.SIGSTOP)
	begin := time.Now()
	d.Signal(syscall.SIGTERM)
	if status := d.Exited(patience); status != 0 || time.Since(begin) < time.Second {
		t.Errorf("status %d after %v, want 0 after child_wait_time", status, time.Since(begin))
	}
	if d.count("vrrp process failed to die - forcing termination") != 1 || syscall.Kill(child, 0) == nil {
		t.Errorf("the child was not killed:\n%s", d.Output())
	}
	if _, err := os.Stat(d.file("vrrp.pid")); err != nil {
		t.Error("the pid file of a child that was killed is gone: nobody can have removed it")
	}
}

func TestStartupAndShutdownScripts(t *testing.T) {
	dir := t.TempDir()
	journal := filepath.Join(dir, "journal")
	write := func(name, body string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// Whether a VRRP process runs while the script does is what its pid file says.
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	note := write("note.sh", `child=none; [ -s `+d.file("vrrp.pid")+` ] && child=there; echo "$* child $child" >> `+journal)
	slow := write("slow.sh", "trap 'echo asked >> "+journal+"; exit 0' TERM; while :; do sleep 0.1; done")
	global := func(lines string) string {
		return strings.Replace(conf, "router_id lb1", "router_id lb1\n script_user root\n"+lines, 1)
	}
	run := func(lines string) {
		t.Helper()
		d.configure(global(lines))
		d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.Env("TMPDIR=" + d.dir)}, binary, d.args()...)
		d.WaitOutput(patience, "Startup complete")
		d.Signal(syscall.SIGTERM)
		if status := d.Exited(patience); status != 0 {
			t.Errorf("%s: status %d, want 0", lines, status)
		}
	}
	want := func(lines ...string) {
		t.Helper()
		for _, l := range lines {
			if d.count(l) != 1 {
				t.Errorf("%q is %d times in the log, want once:\n%s", l, d.count(l), d.Output())
			}
		}
	}
	said := func(want string) {
		t.Helper()
		b, _ := os.ReadFile(journal)
		if string(b) != want {
			t.Errorf("the scripts wrote %q, want %q", b, want)
		}
		os.Remove(journal)
	}

	run("startup_script \"" + note + " up 'two words'\"\n shutdown_script \"" + note + " down\"")
	want("Running startup script ", "startup script script succeeded", "Running shutdown script ", "shutdown script script succeeded")
	said("up two words child none\ndown child none\n")

	run("startup_script " + write("fails.sh", "exit 1") + "\n shutdown_script \"" + write("exits.sh", "exit $1") + " 3\"")
	want("startup script script failed, status 1", "shutdown script script failed, status 3")

	run("startup_script " + slow + "\n startup_script_timeout 1")
	want("startup script timed out")
	said("asked\n")
}

// The message names the component of the path that is to blame and how to mend
// it; the script is not run.
func TestAnInsecureStartupScript(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(open, "up.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+dir+"/ran\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := start(t, strings.Replace(conf, "router_id lb1",
		"router_id lb1\n script_user root\n enable_script_security\n startup_script "+script, 1))
	d.WaitOutput(patience, "Startup complete")
	if !strings.Contains(d.Output(), open) || !strings.Contains(d.Output(), "chmod") {
		t.Errorf("the log does not say what is insecure and how to mend it:\n%s", d.Output())
	}
	if _, err := os.Stat(dir + "/ran"); err == nil {
		t.Error("the script ran")
	}
}

func TestSignalNumbers(t *testing.T) {
	if binary == "" {
		t.Skip("skipped: the daemon is built for root only")
	}
	for name, want := range map[string]string{"STOP": "15", "RELOAD": "1", "DATA": "10", "STATS": "12", "STATS_CLEAR": "63", "JSON": "36"} {
		out, err := exec.Command(binary, "--signum="+name).Output()
		if err != nil || string(out) != want+"\n" {
			t.Errorf("--signum=%s: %q, %v, want %s", name, out, err, want)
		}
	}
	// Names are case sensitive; TDUMP is of builds that dump threads.
	for _, name := range []string{"stop", "TDUMP", "SIGRTMIN", ""} {
		out, err := exec.Command(binary, "--signum="+name).CombinedOutput()
		if err == nil || name != "" && string(out) != "Unknown sigfunc "+name+"\n" {
			t.Errorf("--signum=%s: %q, %v", name, out, err)
		}
	}
}

func TestSignals(t *testing.T) {
	d := start(t, conf, "--ignore-sigint")
	d.WaitOutput(20*time.Second, "(VI_1) Entering MASTER STATE")
	child := d.pid("vrrp.pid")
	read := func(name string) string { b, _ := os.ReadFile(d.file(name)); return string(b) }
	sent := func() string {
		for line := range strings.Lines(read("keepalived.stats")) {
			if _, n, ok := strings.Cut(strings.TrimSpace(line), "Sent: "); ok {
				return n
			}
		}
		return ""
	}
	d.Signal(syscall.SIGUSR2)
	nettest.Eventually(t, patience, "statistics", func() bool { return sent() != "" && sent() != "0" })
	d.Signal(syscall.Signal(63))
	d.WaitOutput(patience, fmt.Sprintf("Printing and clearing VRRP stats for process(%d) on signal", child))
	nettest.Eventually(t, patience, "counters that began anew", func() bool {
		os.Remove(d.file("keepalived.stats"))
		d.Signal(syscall.SIGUSR2)
		nettest.Eventually(t, patience, "statistics again", func() bool { return sent() != "" })
		return strings.Contains(read("keepalived.stats"), "Became master: 0")
	})
	before := d.count("\n")
	d.Signal(syscall.Signal(36))
	nettest.Eventually(t, patience, "JSON", func() bool { return strings.HasPrefix(read("keepalived.json"), "[{") })
	if log := strings.Split(d.Output(), "\n")[before:]; strings.Contains(strings.Join(log, "\n"), "json") {
		t.Errorf("JSON is logged: %q", log)
	}
	// Whatever else comes is passed over, by parent and child.
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGALRM, syscall.SIGPIPE, syscall.SIGABRT, syscall.SIGINT,
		syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGWINCH, 34, 35, 40, 64} {
		d.Signal(sig)
		d.kill("vrrp.pid", sig)
	}
	d.Signal(syscall.SIGUSR1)
	nettest.Eventually(t, patience, "dumps of processes that live on", func() bool {
		return read("keepalived.data") != "" && read("keepalived_parent.data") != ""
	})
	if d.pid("vrrp.pid") != child || d.count("died") > 0 || !d.Running() {
		t.Errorf("a signal that means nothing ended a process:\n%s", d.Output())
	}
}

// A signal that comes while a child starts reaches it when it can take it.
func TestSignalsWhileAChildStarts(t *testing.T) {
	d := start(t, conf)
	d.WaitOutput(patience, "Startup complete")
	for n := range 5 {
		child := d.pid("vrrp.pid")
		d.kill("vrrp.pid", syscall.SIGKILL)
		nettest.Eventually(t, patience, "a successor", func() bool {
			return d.count("Starting VRRP child process, pid=") > n+1
		})
		for range 20 {
			d.Signal(syscall.SIGUSR2)
		}
		nettest.Eventually(t, patience, "its statistics", func() bool {
			pid := d.pid("vrrp.pid")
			return pid > 1 && pid != child && d.count(fmt.Sprintf("VRRP stats for process(%d)", pid)) > 0
		})
		if died := d.count("VRRP child process("); died != n+1 {
			t.Fatalf("%d of the children died, %d were killed:\n%s", died, n+1, d.Output())
		}
	}
}

// TestSignalsToAChild: what the parent passes on works as well when it is sent
// to a child itself; one that is asked to stop does so in order and has a
// successor.
func TestSignalsToAChild(t *testing.T) {
	d := start(t, everything)
	d.WaitOutput(patience, "Startup complete")
	d.WaitOutput(2*patience, "(VI_1) Entering MASTER STATE")
	read := func(name string) string { b, _ := os.ReadFile(d.file(name)); return string(b) }
	for _, c := range []struct{ pidFile, title, what, dump, keyword string }{
		{"vrrp.pid", "VRRP", "VRRP", "keepalived.data", "vrrp"},
		{"checkers.pid", "Healthcheck", "checker", "keepalived_check.data", "checker"},
		{"bfd.pid", "BFD", "BFD", "keepalived_bfd.data", "bfd"},
	} {
		pid := d.pid(c.pidFile)
		d.kill(c.pidFile, syscall.SIGUSR1)
		d.WaitOutput(patience, fmt.Sprintf("Printing %s data for process(%d) on signal", c.what, pid))
		nettest.Eventually(t, patience, c.dump, func() bool { return strings.HasPrefix(read(c.dump), "------< Global definitions >------") })
		d.kill(c.pidFile, syscall.SIGXCPU)
		d.WaitOutput(patience, c.title+" process has used too much CPU time, "+c.keyword+"_rlimit_rttime may need to be increased")
		reloads := d.count(": Reloading\n")
		d.kill(c.pidFile, syscall.SIGHUP)
		nettest.Eventually(t, patience, c.title+" reloads alone", func() bool { return d.count(": Reloading\n") == reloads+1 })
	}
	d.kill("vrrp.pid", syscall.SIGUSR2)
	nettest.Eventually(t, patience, "statistics", func() bool { return strings.Contains(read("keepalived.stats"), "Became master: 1") })
	d.kill("vrrp.pid", syscall.Signal(63))
	d.WaitOutput(patience, "Printing and clearing VRRP stats for process")
	d.kill("vrrp.pid", syscall.Signal(36))
	nettest.Eventually(t, patience, "JSON", func() bool { return strings.HasPrefix(read("keepalived.json"), "[{") })
	if d.count("Reloading ...") > 0 {
		t.Error("a reload of a child reached the parent")
	}
	for _, pidFile := range []string{"vrrp.pid", "checkers.pid", "bfd.pid"} {
		pid := d.pid(pidFile)
		d.kill(pidFile, syscall.SIGTERM)
		nettest.Eventually(t, patience, "a successor of "+pidFile, func() bool { now := d.pid(pidFile); return now > 1 && now != pid })
	}
	if d.count("sent 0 priority") != 1 || d.count("died: Respawning") != 3 || d.count("permanent error") > 0 {
		t.Errorf("children that were asked to stop:\n%s", d.Output())
	}
}
