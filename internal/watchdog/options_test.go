package watchdog_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// everything has work for all three children.
const everything = `
virtual_server 10.99.0.200 80 {
    delay_loop 60
    real_server 10.99.0.201 80 {
        TCP_CHECK
    }
}
bfd_instance b {
    neighbor_ip 10.99.0.77
    source_ip 10.99.0.1
}
` + conf

// TestWhichChildren: -P, -C, -B and --all, in the order in which they stand.
func TestWhichChildren(t *testing.T) {
	for _, test := range []struct {
		options, text string
		want          string // the children that start
	}{
		{"", everything, "Healthcheck VRRP BFD"},
		{"-P", everything, "VRRP BFD"},
		{"-C", everything, "Healthcheck BFD"},
		{"-B", everything, "Healthcheck VRRP"},
		{"--all", conf, "Healthcheck VRRP BFD"},
		{"--all -P", conf, "VRRP BFD"},
		{"", conf, "VRRP"},
	} {
		d := start(t, test.text, strings.Fields(test.options)...)
		d.WaitOutput(patience, "Startup complete")
		var got []string
		for _, m := range regexp.MustCompile(`Starting (\w+) child process`).FindAllStringSubmatch(d.Output(), -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q starts %v, want %s", test.options, got, test.want)
		}
		d.Stop()
	}
}

// TestConfigurationOptions: -f with a pattern, -i, -e, -d.
func TestConfigurationOptions(t *testing.T) {
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure(strings.Replace(conf, "priority 100", "@me priority 77\n @^me priority 78\n @other priority 79", 1))
	if err := os.WriteFile(d.file("more.conf"), []byte(strings.NewReplacer("VI_1", "VI_2", " 51", " 52", "global_defs {\n    router_id lb1\n}", "").Replace(conf)), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(conf string, extra ...string) {
		d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.Env("TMPDIR=" + d.dir)}, binary,
			append(d.args("-f", conf), extra...)...)
	}
	run(d.file("*.conf"), "-i", "me", "-d")
	d.WaitOutput(patience, "Startup complete")
	for _, want := range []string{"VRRP Instance = VI_1\n", "VRRP Instance = VI_2\n", "Priority = 77\n", "Priority = 100\n", "Router ID = lb1\n"} {
		d.WaitOutput(patience, want)
	}
	d.Stop()

	d.configure("include " + d.file("none.conf") + "\n" + conf)
	run(d.file("k.conf"))
	d.WaitOutput(patience, "Startup complete")
	d.Stop()
	run(d.file("k.conf"), "-e")
	if status := d.Exited(patience); status != 6 || !strings.Contains(d.Output(), "Config files missing '"+d.file("none.conf")+"'.") ||
		!strings.Contains(d.Output(), "Stopped Keepalived v2.4.3") {
		t.Errorf("-e and a file that is not there: status %d, want 6:\n%s", status, d.Output())
	}
}

// TestConfigTest: -t writes to stderr or to a file of mode 0600, without times,
// appended, and changes nothing.
func TestConfigTest(t *testing.T) {
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure(strings.Replace(conf, "priority", "prioriti", 1))
	line := "(" + d.file("k.conf") + ": Line 8) Unknown keyword 'prioriti'\n"
	test := func(want int, option string) string {
		t.Helper()
		p := d.ns.Start(binary, "-f", d.file("k.conf"), option)
		if status := p.Exited(patience); status != want {
			t.Errorf("%s: status %d, want %d:\n%s", option, status, want, p.Output())
		}
		return p.Output()
	}
	if out := test(5, "-t"); out != line {
		t.Errorf("-t says %q, want %q", out, line)
	}
	for range 2 {
		if out := test(5, "-t"+d.file("log")); out != "" {
			t.Errorf("-tFILE says %q, want nothing", out)
		}
	}
	b, _ := os.ReadFile(d.file("log"))
	if st, err := os.Stat(d.file("log")); err != nil || st.Mode().Perm() != 0o600 || string(b) != line+line {
		t.Errorf("the file of -tFILE: %v, %v, %q", st, err, b)
	}
	if out := test(1, "-t"+d.file("no/log")); !strings.HasPrefix(out, "Unable to open config-test log file "+d.file("no/log")) {
		t.Errorf("-tFILE that cannot be made says %q", out)
	}
	d.configure(conf)
	if out := test(0, "-t"); out != "" {
		t.Errorf("-t of a good file says %q", out)
	}
	os.Remove(d.file("k.conf"))
	if out := test(0, "-t"); out != "Config files missing '"+d.file("k.conf")+"'.\n" {
		t.Errorf("-t without a file says %q", out)
	}
}

// TestAddressMonitoring: -a tells of every address, of both processes.
func TestAddressMonitoring(t *testing.T) {
	d := start(t, everything, "-a")
	d.WaitOutput(patience, "Startup complete")
	d.WaitOutput(patience, "(VI_1) Entering BACKUP STATE (init)")
	d.ns.AddAddr("eth0", "10.99.0.77/24")
	d.WaitOutput(patience, "Netlink reflector reports IP 10.99.0.77 added to eth0")
	d.WaitOutput(patience, "Netlink reflector reports IP 10.99.0.77 added\n")
	d.ns.DelAddr("eth0", "10.99.0.77/24")
	d.WaitOutput(patience, "Netlink reflector reports IP 10.99.0.77 removed from eth0")
	d.WaitOutput(patience, "Netlink reflector reports IP 10.99.0.77 removed\n")
}

// TestDontReleaseVRRP: with -V the address stays and no priority 0 is sent; the
// next start takes the address away. SIGINT is another word for stop.
func TestDontReleaseVRRP(t *testing.T) {
	lan := nettest.LAN(t, 2)
	d := &daemon{t: t, ns: lan[0], dir: t.TempDir()}
	wire := lan[1].Capture("eth0")
	d.configure(conf)
	d.Proc = d.ns.Start(binary, d.args("-V")...)
	d.WaitOutput(2*patience, "(VI_1) Entering MASTER STATE")
	nettest.Eventually(t, patience, "the address", func() bool { return d.ns.HasAddr("10.99.0.100") })
	d.Signal(syscall.SIGINT)
	if status := d.Exited(patience); status != 0 || !d.ns.HasAddr("10.99.0.100") {
		t.Errorf("status %d, addresses %v, want 0 and the instance's address", status, d.ns.Addrs("eth0"))
	}
	frames := wire.Frames(nettest.VRRP)
	for _, f := range frames {
		if f.Priority == 0 {
			t.Errorf("priority 0 was sent: %v", f)
		}
	}
	if len(frames) == 0 || d.count("sent 0 priority") > 0 {
		t.Errorf("%d adverts; the log says priority 0 %d times", len(frames), d.count("sent 0 priority"))
	}
	d.Proc = d.ns.Start(binary, d.args()...)
	nettest.Eventually(t, patience, "the address that was left to go", func() bool { return !d.ns.HasAddr("10.99.0.100") })
}

// TestUmaskOption: -u wins over the keyword and counts as C does.
func TestUmaskOption(t *testing.T) {
	for option, want := range map[string]string{"027": "0027", "22": "0026", "0x12": "0022"} {
		d := start(t, strings.Replace(conf, "router_id lb1", "router_id lb1\n umask 077", 1), "-u", option)
		d.WaitOutput(patience, "Startup complete")
		for _, name := range []string{"k.pid", "vrrp.pid"} {
			if got := field(t, fmt.Sprintf("/proc/%d/status", d.pid(name)), "Umask"); got != want {
				t.Errorf("-u %s: umask of %s %s, want %s", option, name, got, want)
			}
		}
		d.Stop()
	}
}

// TestSNMPOptions: -x and -A are enough for two subagents to come. AgentX
// begins with its version and the type of the PDU, which is Open.
func TestSNMPOptions(t *testing.T) {
	master, err := net.Listen("unix", filepath.Join(t.TempDir(), "agentx"))
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	d := start(t, everything, "-x", "-A", "unix:"+master.Addr().String())
	for range 2 {
		if err := master.(*net.UnixListener).SetDeadline(time.Now().Add(2 * patience)); err != nil {
			t.Fatal(err)
		}
		agent, err := master.Accept()
		if err != nil {
			t.Fatalf("no subagent came: %v\n%s", err, d.Output())
		}
		defer agent.Close()
		head := make([]byte, 2)
		if _, err := agent.Read(head); err != nil || head[0] != 1 || head[1] != 1 {
			t.Errorf("a subagent begins with %v, %v, want version 1 and Open", head, err)
		}
	}
}

// TestSyslogOptions: -S is the facility of every process, -G means none. The
// daemon has a /dev of its own.
func TestSyslogOptions(t *testing.T) {
	d := &daemon{t: t, ns: nettest.LAN(t, 1)[0], dir: t.TempDir()}
	d.configure(conf)
	if err := os.Mkdir(d.file("dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	syslog, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.file("dev/log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer syslog.Close()
	run := func(extra ...string) {
		args := append([]string{"-n", "-l", "-f", d.file("k.conf"), "-p", d.file("k.pid"), "-r", d.file("vrrp.pid")}, extra...)
		script := `cp -a /dev/null /dev/zero /dev/random /dev/urandom "$0/dev"; mount --bind "$0/dev" /dev && exec "$@"`
		d.Proc = d.ns.Start("unshare", append([]string{"--mount", "sh", "-c", script, d.dir, binary}, args...)...)
		d.WaitOutput(patience, "Startup complete")
	}
	run("-G")
	d.Stop()
	run("-S", "local3")
	seen := map[string]bool{}
	buf := make([]byte, 4096)
	for !seen["Keepalived"] || !seen["Keepalived_vrrp"] {
		if err := syslog.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := syslog.Read(buf)
		if err != nil {
			t.Fatalf("from the syslog: %v after %v", err, seen)
		}
		m := regexp.MustCompile(`^<(\d+)>.* (Keepalived\w*)\[\d+\]: `).FindStringSubmatch(string(buf[:n]))
		if len(m) == 0 || m[1] != "158" { // local3 and information
			t.Errorf("the syslog got %q, want facility local3", buf[:n])
		}
		if strings.Contains(string(buf[:n]), "'-G'") {
			t.Errorf("with -G the syslog gets %q", buf[:n])
		}
		if len(m) > 0 {
			seen[m[2]] = true
		}
	}
}

// TestLogFileOption: with --flush-log-file each line is there at once.
func TestLogFileOption(t *testing.T) {
	dir := t.TempDir()
	d := start(t, conf, "-g"+dir+"/ka.log", "--flush-log-file")
	d.WaitOutput(patience, "Startup complete")
	for name, want := range map[string]string{"ka.log": "Startup complete", "ka_vrrp.log": "Entering BACKUP STATE"} {
		nettest.Eventually(t, patience, name+" to have its line", func() bool {
			b, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.Contains(string(b), want)
		})
	}
}

// TestOtherPrograms: -T is genhash, -v and -h say their piece on stderr.
func TestOtherPrograms(t *testing.T) {
	if binary == "" {
		t.Skip("skipped: the daemon is built for root only")
	}
	for _, test := range []struct {
		option, want string
		status       int
	}{
		{"-v", "Keepalived v2.4.3 (", 0}, {"--version", "Keepalived v2.4.3 (", 0}, {"-h", "Usage: ", 0}, {"-T", "sage", 1},
	} {
		var stdout, stderr strings.Builder
		cmd := exec.Command(binary, test.option)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != test.status || !strings.Contains(stderr.String(), test.want) || stdout.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.option, cmd.ProcessState.ExitCode(), &stdout, &stderr)
		}
	}
}

// TestScriptsRunAsTheirUserAndGroup: of every kind, in both processes.
func TestScriptsRunAsTheirUserAndGroup(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "who.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nid -un > "+dir+"/$1.part\nid -gn >> "+dir+"/$1.part\nmv "+dir+"/$1.part "+dir+"/$1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"router_id lb1", "router_id lb1\n startup_script \""+script+" startup\" root adm",
		"vrrp_instance VI_1 {", "vrrp_script chk {\n script \""+script+" track\"\n user root games\n interval 1\n}\nvrrp_instance VI_1 {\n"+
			" notify_backup \""+script+" notify\" root adm\n track_script {\n chk\n }",
		"delay_loop 60", "delay_loop 1\n quorum_up \""+script+" quorum\" root adm",
		"TCP_CHECK", "MISC_CHECK {\n misc_path \""+script+" misc\"\n user root games\n }",
	).Replace(everything)
	start(t, text)
	for name, group := range map[string]string{"startup": "adm", "notify": "adm", "quorum": "adm", "track": "games", "misc": "games"} {
		nettest.Eventually(t, patience, "the script "+name, func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil })
		if b, _ := os.ReadFile(filepath.Join(dir, name)); string(b) != "root\n"+group+"\n" {
			t.Errorf("the script %s ran as %q, want root and %s", name, b, group)
		}
	}
}
