package surface

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// sampleUse says for each recorded file what becomes of it: the name of the
// scene that makes ours, or why there is none. A line that ends with * stands
// for all files that begin so.
var sampleUse = []struct{ file, use string }{
	{"*-2.2.7.*", "not compared: 2.4.3 is what we follow where the two differ"},
	{"*keepalived*.conf*", "input of its scene"},
	{"*.sh", "input of its scene"},
	{"05-script-security/files.txt", "input of its scene"},
	{"01-simple/console-no-D-2.4.3.log", "plain"},
	{"01-simple/console-dump-conf-2.4.3.log", "plain"},
	{"01-simple/logfile-2.4.3.txt", "plain"},
	{"01-simple/syslog-D-2.4.3.log", "not compared: the lines are those of console-D; internal/log tests the datagrams"},
	{"01-simple/processes-and-files-2.4.3.txt", "not compared: process ids and sizes; internal/watchdog tests names, modes and places"},
	{"01-simple/*", "simple"},
	{"02-notify/script-environment.conf", "input of its scene"},
	{"02-notify/script-environment.txt", "not compared: the numbers of one shell; internal/script's tests have environment, user, signals and descriptors"},
	{"02-notify/*", "notify"},
	{"03-priority-events/*", "priority"},
	{"04-tracking/*", "tracking"},
	{"05-script-security/output.txt", "not compared: some of its scripts were not recorded; internal/script has a case for each line of files.txt"},
	{"06-process/instance-*", "not compared: sizes and ids of files; internal/watchdog and internal/report test the names"},
	{"06-process/reload.conf", "input of its scene"},
	{"06-process/reload.log", "not compared: a dozen reloads in one log; each is a test of internal/watchdog"},
	{"06-process/config-save-dir-files.txt", "not compared: process ids and sizes; internal/watchdog tests the files"},
	{"06-process/namespace*", "not compared: net_namespace is only allowed in a virtual machine, and the same files with instance are compared"},
	{"06-process/reload-2.log", "not compared: some thirty starts and reloads in one log; each is a test of internal/watchdog"},
	{"06-process/respawn-and-exit.log", "not compared: kills of every process in one log; each is a test of internal/watchdog"},
	{"06-process/systemd-notify-2.4.3.txt", "not compared: its process 1 was a stand-in named systemd; internal/watchdog sends the datagrams, internal/dropin runs under the real one"},
	{"07-checker/ipvsadm-*", "not compared: needs IPVS; TestIPVS and internal/checkd's TestGolden play 64 such runs in the virtual machine"},
	{"07-checker/*", "checker"},
	{"08-bfd/tcpdump.txt", "not compared: random discriminators and jitter; internal/bfd's TestCodec has its packets"},
	{"08-bfd/console-DD-peer-first-lines.log", "not compared: the peer's view with -D -D; internal/bfd's tests have its lines"},
	{"08-bfd/*", "bfd"},
	{"09-snmp/*", "snmp"},
	{"10-dbus/*", "dbus"},
	{"11-command-line/genhash-2.4.3.txt", "not compared: cmd/genhash tests it"},
	{"11-command-line/config-test-2.4.3.txt", "not compared: its files were not recorded; configparse's verdicts have the messages"},
	{"11-command-line/version-2.4.3.txt", "not compared: compiler, options and copyright are our own"},
	{"11-command-line/*", "command"},
}

func use(file string) string {
	for _, u := range sampleUse {
		if ok, _ := filepath.Match(u.file, file); ok {
			return u.use
		}
		if ok, _ := filepath.Match(u.file, filepath.Base(file)); ok && !strings.Contains(u.file, "/") {
			return u.use
		}
	}
	return ""
}

// scene plays what was recorded with our daemon and returns our files by the
// names of the recorded ones.
type scene func(t testing.TB, s *stage) map[string]string

var scenes = map[string]scene{
	"simple": simpleScene, "plain": plainScene, "notify": notifyScene, "tracking": trackingScene,
	"priority": priorityScene, "checker": checkerScene, "bfd": bfdScene, "snmp": snmpScene, "dbus": dbusScene, "command": commandScene,
}

// TestSamples compares every recorded file with what our daemon writes in the
// same run, or says why it is not compared. Times, process ids, descriptors and
// the version are masked; where we differ on purpose the difference is in
// excused, with its reason.
func TestSamples(t *testing.T) {
	dir := nettest.Recordings(t)
	nettest.Need(t, "unshare")
	byScene := map[string][]string{}
	total, compared := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || d.IsDir() || !strings.Contains(name, "/") {
			return err
		}
		total++
		u := use(name)
		switch {
		case u == "":
			t.Errorf("%s: nothing is said about it in sampleUse", name)
		case scenes[u] != nil:
			byScene[u] = append(byScene[u], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, play := range scenes {
		t.Run(name, func(t *testing.T) {
			got := play(t, newStage(t))
			for _, file := range byScene[name] {
				t.Run(filepath.Base(file), func(t *testing.T) {
					ours, ok := got[file]
					if !ok {
						t.Fatalf("the scene %s makes nothing to compare with it", name)
					}
					compared++
					compareSample(t, file, nettest.Recorded(t, file), ours)
				})
			}
		})
	}
	t.Logf("%d recorded files, %d compared", total, compared)
}

// compareSample compares line by line. What several processes or instances write
// at the same time has no fixed order and is compared sorted; of logs each line
// counts once, because how often some come depends on the moment.
func compareSample(t testing.TB, file, theirs, ours string) {
	t.Helper()
	if strings.HasSuffix(file, "traps.txt") {
		theirs, ours = trapList(theirs), trapList(ours)
	}
	if strings.Contains(file, "/help-") {
		theirs, ours = options(theirs), options(ours)
	}
	if strings.HasSuffix(file, "smtp-dialogue.txt") {
		theirs, ours = letters(theirs), letters(ours)
	}
	a, b := sampleLines(file, theirs, "-"), sampleLines(file, ours, "+")
	log := strings.Contains(file, "console") || strings.Contains(file, "logfile") || strings.Contains(file, "signals")
	if log || strings.Contains(file, "fifo") || strings.Contains(file, "argv") {
		slices.Sort(a)
		slices.Sort(b)
	}
	if log || strings.Contains(file, "02-notify") || strings.Contains(file, "03-") {
		a, b = slices.Compact(a), slices.Compact(b)
	}
	diff := cmp.Diff(a, b)
	if diff == "" {
		return
	}
	if strings.HasSuffix(file, "smtp-dialogue.txt") { // long lines, which Diff cuts
		diff = ""
		for _, l := range a {
			if !slices.Contains(b, l) {
				diff += "- " + l + "\n"
			}
		}
		for _, l := range b {
			if !slices.Contains(a, l) {
				diff += "+ " + l + "\n"
			}
		}
	}
	t.Errorf("%s differs (-original +ours):\n%s", file, diff)
}

// options are the options that a help text names: the words are our own.
func options(help string) string {
	list := regexp.MustCompile(`(^|[ ,])--?[a-zA-Z][\w-]*`).FindAllString(help, -1)
	for i := range list {
		list[i] = strings.Trim(list[i], " ,")
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), "\n")
}

// masks are the parts that differ from run to run.
var masks = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`^<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d `), "<$1>"},
	{regexp.MustCompile(`^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d(\.\d+)? \d{4}: `), ""},
	{regexp.MustCompile(`\d{10}\.\d{6}( \([A-Z][^)]*\))?`), "TIME"},
	{regexp.MustCompile(`\(\w{3} \w{3} [ \d]\d [\d:.]+ \d{4}\)`), "(DATE)"},
	{regexp.MustCompile(`Date: .*`), "Date"},
	{regexp.MustCompile(`^\(Line \d+\) (Script user|Invalid user)`), "$1"}, // the original names no line
	{ticks, "Timeticks"},
	{onTheWire, "$2"},
	{regexp.MustCompile(`delivered in \d+ usec|\d+ usec overdue`), "N usec"},
	{regexp.MustCompile(`^\d\d:\d\d:\d\d `), ""},
	{regexp.MustCompile(` \(\d\d/\d\d,2026\)`), ""},
	{regexp.MustCompile(`, keepalived-go \S+$`), ""},
	{regexp.MustCompile(`\[\d+\]: `), "[PID]: "},
	{regexp.MustCompile(`(pid[ =]|process\()\d+`), "${1}PID"},
	{regexp.MustCompile(`fd_in \d+,? fd_out =? ?\d+`), "FDS"},
	{regexp.MustCompile(`\bfd ?\(?\d+,\d+\)?`), "FDS"},
	{regexp.MustCompile(`(fd_in|fd_out) (= )?\d+`), "FD"},
	{regexp.MustCompile(`(0x)?0x[0-9a-f]{8}\b|0x\(nil\)|(0x)?0x[0-9a-f]+$`), "0x"},
	{regexp.MustCompile(`finished in \d+ usec`), "finished"},
	{regexp.MustCompile(`\d+\.\d{6}/\d+\.\d{6}`), "CPU"},
	{regexp.MustCompile(`used \d+\.\d{6} user time, \d+\.\d{6} system`), "used CPU"},
	{regexp.MustCompile(`used \(self/children\) CPU user time, CPU system`), "used CPU"},
	{regexp.MustCompile(`^(Running on Linux) .*`), "$1"},
	{regexp.MustCompile(`Sent: \d+`), "Sent: N"},
	{regexp.MustCompile(`"advert_sent":\d+`), `"advert_sent":N`},
	{regexp.MustCompile(`(Gained quorum 1\+0=1 <= )\d`), "${1}N"}, // which of two servers is first is chance
}

// excused are lines that only one of the two has, or that differ, with the
// reason: docs/differences.md has them all. "-" lines are taken out of theirs,
// "+" lines out of ours.
var excused = []struct{ file, side, line, why string }{
	{"*", "-", `^--- `, "put in by the script that drove the recorded run"},
	{"*", "-", `^ libnftnl version`, "we do not use libnftnl"},
	{"*.log", "-", `^Script user 'keepalived_script' does not exist`, "said when the user is wanted, which here nobody does"},
	{"01-simple/console-dump-conf*", "+", `^\(VI_1\) Entering MASTER STATE`, "we ran a little longer"},
	{"08-bfd/console-D.log", "", `^       (local|remote|Detection) `, "parameters are taken from every packet, and a new state is sent at once"},
	{"08-bfd/console-D.log", "-", `Expired after 0 ms`, "the original's underflow"},
	{"08-bfd/console-D.log", "+", `entering FAULT state \(tracked BFD instance bfd6 is down\)`, "the reason, as for other tracked objects"},
	{"08-bfd/keepalived_bfd.data", "", `^   sands_(out|exp) = `, "the original shows no time for the thread that writes"},
	{"09-snmp/console-D.log", "", `AgentX subagent connected`, "our own AgentX"},
	{"09-snmp/console-D.log", "-", `^Netlink: error: No such process`, "nothing is removed that is not there"},
	{"09-snmp/walk.txt", "", `\.5\.2\.6\.1\.11\.2\.1 = `, "vrrpAddressAdvertising of a version 3 instance: what the MIB says"},
	{"09-snmp/walk.txt", "", `\.68\.1\.3\.1\.7\.2\.51 = `, "vrrpOperMasterIpAddr of a master: RFC 2787"},
	{"11-command-line/help*", "+", `^--(keywords|socket|control-socket|json|peer)$`, "our own options"},
	{"02-notify/console-D.log", "-", `^Netlink: error: No such process`, "nothing is removed that is not there"},
	{"02-notify/console-D.log", "+", `network is unreachable`, "mails while the interface is down"},
	{"02-notify/console-D.log", "+", `fifo script terminated`, "it reads to the end"},
	{"02-notify/vrrp-fifo.txt", "", `"VI_3" DELETED`, "the script that reads it is being replaced at that moment"},
	{"02-notify/vrrp-fifo.txt", "+", `STOP`, "the script sees the lines of the stop"},
	{"02-notify/notify-argv.log", "-", `^ \[|^argc=509`, "two scripts wrote into one line"},
	{"02-notify/smtp-dialogue.txt", "-", `^S: 220 mx.example.net ESMTP$`, "letters of the stop, begun and not sent"},
	{"04-tracking/console-D.log", "", `^\(VI_1\) Changing effective priority`, "the order of the first results is chance"},
	{"04-tracking/console-D.log", "", `vrrp_track_file" is deprecated`, "we say the line of the file too"},
	{"10-dbus/calls.txt", "-", `^total |^-rw`, "sizes"},
	{"10-dbus/calls.txt", "", `^\(\{'(Name|State)'`, "a dictionary has no order"},
	{"07-checker/*.data", "", `Retries iterations = |ICMP seq no = `, "as the moment has it"},
	{"*.log", "+", `^A thread timer expired`, "a busy machine, or modprobe looks for a module that this kernel lacks"},
	{"07-checker/smtp-dialogue.txt", "", `FWM 5 - DOWN`, "misc_dynamic over a reload: a defect of the original"},
	{"02-notify/smtp-dialogue.txt", "+", ` - Stopping \|`, "the mails of a stop are delivered"},
	{"02-notify/*.data", "-", `^   (rp_filter 0|Not IPv6 forwarding)`, "what the original remembers of sysctls it has read"},
	{"07-checker/smtp-dialogue.txt", "+", `=> Shutting down <=`, "the mails of a stop are delivered"},
	{"07-checker/console-D.log", "+", `: connection failed: `, "what failed, with -D"},
	{"07-checker/console-D.log", "", `^Running on`, "the machine of the recording"},
	{"07-checker/*", "-", `Changing weight from 1 to 0|Starting with quorum down .* FWM 5`, "misc_dynamic over a reload: a defect of the original"},
	{"07-checker/*", "+", `Lost quorum .* FWM 5`, "so that the quorum is lost when the script fails"},
	{"10-dbus/signals.txt", "+", `^   uint32 1$`, "the bus is joined earlier, so that it sees the first state"},
	{"07-checker/console-D.log", "+", `^IPVS: `, "this run has no IPVS"},
	{"07-checker/console-D.log", "-", `magic|built for newer Linux|^rc=0`, "the machine of the recording"},
	{"10-dbus/signals.txt", "", `NameAcquired|NameLost|^   string ":`, "the monitor's own"},
	{"10-dbus/signals.txt", "+", `VrrpStarted`, "not sent in the recorded run, although its interface has it"},
	{"09-snmp/walk.txt", "+", `\.5\.1\.3\.5\.1\.2\.1 = `, "emailTable: the MIB has rows"},
	{"01-simple/logfile*", "-", `^-rw`, "sizes"},
	{"01-simple/console-dump-conf*", "", `   Original arp_(ignore|filter) `, "left behind by the run before"},
	{"*.data", "-", `^ GARP next time`, "the pace is not kept as a time"},
}

func sampleLines(file, text, side string) []string {
	var list []string
lines:
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		for _, m := range masks {
			line = m.find.ReplaceAllString(line, m.with)
		}
		for _, e := range excused {
			whole, _ := filepath.Match(e.file, file)
			base, _ := filepath.Match(e.file, filepath.Base(file))
			if (e.side == side || e.side == "") && (whole || base) && regexp.MustCompile(e.line).MatchString(line) {
				continue lines
			}
		}
		list = append(list, line)
	}
	return list
}
