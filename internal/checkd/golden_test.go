package checkd

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/vmtest"
)

var (
	goldenOnly   = flag.String("golden", "", "play only recorded cases whose names begin so; several by comma")
	goldenBinary = flag.String("golden.binary", "", "play the cases with this program instead of ours")
	goldenOut    = flag.String("golden.out", "", "leave there what the cases left, by case")
	goldenAgain  = flag.Bool("golden.again", false, "compare what is in -golden.out already")
)

// goldenModules are what the recorded cases need loaded.
const goldenModules = "nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_lblc ip_vs_lblcr ip_vs_sh " +
	"ip_vs_mh ip_vs_dh ip_vs_fo ip_vs_ovf ip_vs_sed ip_vs_nq nf_conntrack_sip ip_vs_pe_sip dummy veth nf_tables nft_ct " +
	"ipip ip_gre fou macvlan"

// goldenRun plays the cases, each in network, mount and process namespaces of
// its own, four at a time: most of a case is waiting. The case without the
// module runs alone at the end.
const goldenRun = `
hostname lvs1
# The cases were recorded where /bin is a directory; below a symbolic link
# 2.4.3 runs no program of root.
/usr/bin/busybox sh -c 'b=/usr/bin/busybox; cd /; $b rm /bin; $b mkdir /bin; $b cp $b /bin/busybox
for a in sh true false sleep cat echo; do $b ln -s busybox /bin/$a; done'
echo '127.0.0.1 localhost lvs1' > /etc/hosts
ln -s /lab/cases /cases
for m in ` + goldenModules + `; do modprobe $m 2>/dev/null; done
mkdir -p /etc/keepalived /run/t /run/keepalived; chmod 1777 /run/t
cat > one <<'END'
c=$1
mount -t tmpfs none /run; mkdir -p /run/t /run/keepalived /run/netns; chmod 1777 /run/t
mount -t tmpfs none /tmp
# A case's scripts are in /etc: one that another case writes cannot be run.
cp -a /etc /run/etc; mount --bind /run/etc /etc; mount -t tmpfs none /etc/keepalived
ip link set lo up
ip link add dummy0 type dummy; ip addr add 10.98.0.1/24 dev dummy0; ip link set dummy0 up multicast on
OUT=/out/$c; CASE=/lab/cases/$c; cd /lab/cases
. /lab/cases/common.sh; clean; . $CASE/steps.sh
[ -n "$KPID" ] && kill -0 $KPID 2>/dev/null && { kill $KPID; wait $KPID; }
clean
END
play() { mkdir -p /out/$1; timeout -s KILL 240 unshare -m -n -p -f --mount-proc bash ./one $1 > /out/$1/driver 2>&1; echo "played $1"; }
for c in $CASES; do
  while [ $(jobs -rp | wc -l) -ge 4 ]; do sleep 0.1; done
  play $c &
done
wait
for c in $ALONE; do play $c; done
`

// TestGolden plays the recorded runs of the original in the virtual machine and
// compares the kernel's tables byte by byte, what servers and scripts got by
// its lines, and the log by its lines (times and process ids cut) and, for each
// real and virtual server, their order. A listing is waited for (testdata's
// common.sh). Where we differ on purpose the case has a file ours/NAME instead
// of, or differs.txt beside, the recorded one.
func TestGolden(t *testing.T) {
	if os.Getenv("KEEPALIVED_VM") != "" {
		t.Skip("skipped: already in the virtual machine")
	}
	files, err := filepath.Glob("testdata/ipvs-golden/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded cases: %v", err)
	}
	dir := t.TempDir()
	keepalived := buildKeepalived(t, dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if *goldenOut != "" {
		out = *goldenOut
	}
	m := vmtest.Machine{
		Programs: map[string]string{"keepalived": keepalived, "rsrv": self},
		Tools:    []string{"bash", "ip", "ipvsadm", "nft"},
		Files:    map[string][]byte{},
		Trees:    map[string]string{},
		Out:      out, MemoryMB: 1500, Timeout: 25 * time.Minute,
	}
	cases := map[string]*txtar.Archive{}
	var names, alone []string
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txtar")
		if !wanted(name) {
			continue
		}
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		cases[name] = a
		for guest, b := range guestFiles(a) {
			m.Files["cases/"+name+"/"+guest] = b
		}
		if strings.HasPrefix(name, "47-") {
			alone = append(alone, name)
		} else {
			names = append(names, name)
		}
	}
	for _, f := range []string{"common.sh", "cert.pem", "key.pem"} {
		m.Trees["cases/"+f] = "testdata/ipvs-golden/" + f
	}
	m.Files["run"] = []byte(goldenRun)
	found := play(t, m, names, alone, cases)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		t.Run(name, func(t *testing.T) {
			for _, line := range found[name].lines {
				t.Log(line)
			}
			if found[name].Failed() {
				t.Fail()
			}
		})
	}
}

// play plays cases in one machine, those of alone after the others, and
// compares each with its recording.
func play(t *testing.T, m vmtest.Machine, names, alone []string, cases map[string]*txtar.Archive) map[string]*findings {
	t.Helper()
	m.Command = fmt.Sprintf("export CASES='%s' ALONE='%s'; exec bash ./run", strings.Join(names, " "), strings.Join(alone, " "))
	if !*goldenAgain {
		if status := vmtest.Run(t, m); status != 0 {
			t.Errorf("the machine's script ended with status %d", status)
		}
	}
	found := map[string]*findings{}
	for _, name := range append(slices.Clone(names), alone...) {
		found[name] = &findings{}
		compareCase(found[name], cases[name], filepath.Join(m.Out, name))
	}
	return found
}

// findings are what the comparison of one case has to say.
type findings struct {
	lines  []string
	failed bool
}

func (f *findings) Errorf(format string, args ...any) {
	f.failed = true
	f.Logf(format, args...)
}

func (f *findings) Logf(format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

func (f *findings) Failed() bool { return f.failed }

// wanted chooses the cases: those of -golden, else all for make test, else a few
// that take a quarter of a minute together.
func wanted(name string) bool {
	if *goldenOnly == "" && !vmtest.All() {
		return slices.Contains([]string{"01", "10", "13", "20", "22", "23", "32", "34"}, name[:2])
	}
	return *goldenOnly == "" || slices.ContainsFunc(strings.Split(*goldenOnly, ","), func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// buildKeepalived builds the daemon as it is shipped.
func buildKeepalived(t *testing.T, dir string) string {
	t.Helper()
	if *goldenBinary != "" {
		return *goldenBinary
	}
	if err := nettest.Build(dir); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "keepalived")
}

// Where no time-out is recorded, and no check that waits for one, a check may
// take its time: the emulated machine is slow, and slower while others use the
// processors.
var (
	caseOfTime   = regexp.MustCompile(`[tT]imeout|timed out`)
	specOfTime   = regexp.MustCompile(`UDP_CHECK|DNS_CHECK|PING_CHECK|10\.98\.`)
	shortTimeout = regexp.MustCompile(`(connect|misc)_timeout [0-9]+`)
)

// guestFiles are the files of a case in the machine: configurations and steps,
// in want/ the listings that the steps wait for, and in want/settle the log
// lines that are there before the case ends.
func guestFiles(a *txtar.Archive) map[string][]byte {
	files := map[string][]byte{"want/settle": nil}
	var log, differs []byte
	for _, f := range a.Files {
		dir, base := filepath.Split(f.Name)
		switch {
		case f.Name == "differs.txt":
			differs = f.Data
		case base == "log.txt":
			if log == nil || dir == "ours/" {
				log = f.Data
			}
		case (dir == "" || dir == "want/") && files[f.Name] == nil:
			files[f.Name] = f.Data
		case f.Name == "ours/steps.sh":
			files[base] = f.Data
		case dir == "ours/":
			files["want/"+base] = f.Data
		}
	}
	if !caseOfTime.Match(log) && !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return specOfTime.Match(f.Data) }) {
		for name, b := range files {
			files[name] = shortTimeout.ReplaceAll(b, []byte("${1}_timeout 30"))
		}
	}
	if i := bytes.LastIndex(log, []byte("## SIGTERM sent")); i >= 0 {
		log = log[:i]
	}
	for _, l := range unique(logLines(recorded(&findings{}, log, differs))) {
		if !logVaries.MatchString(l) {
			files["want/settle"] = append(files["want/settle"], l+"\n"...)
		}
	}
	return files
}

// compareCase compares what a case left in got with its recorded files.
func compareCase(t *findings, a *txtar.Archive, got string) {
	want := map[string][]byte{}
	var differs []byte
	for _, f := range a.Files {
		switch dir, base := filepath.Split(f.Name); {
		case f.Name == "differs.txt":
			differs = f.Data
		case dir == "ours/" && base != "steps.sh":
			want[base] = f.Data
		case dir == "want/" && want[base] == nil:
			want[base] = f.Data
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		file := name
		if name == "log.txt" {
			file = "log.raw"
		}
		b, err := os.ReadFile(filepath.Join(got, file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		switch {
		case name == "log.txt":
			compareLog(t, want[name], b, differs)
		case strings.HasPrefix(name, "ipvsadm-"):
			if !bytes.Equal(want[name], b) {
				t.Errorf("%s is\n%s\nwant\n%s", name, b, want[name])
			}
		default:
			compareFile(t, name, want[name], b)
		}
	}
	if t.Failed() {
		if b, err := os.ReadFile(filepath.Join(got, "driver")); err == nil && len(b) > 0 {
			t.Logf("the case's own output:\n%s", b)
		}
	}
}

// compareFile compares the lines of what a test server, script or FIFO got.
// Requests, replies, and the mails of case 54, were recorded each once; of the others each line counts,
// and those of a FIFO about one server keep their order.
func compareFile(t *findings, name string, want, got []byte) {
	compare := func(w, g []string) {
		if !slices.Equal(w, g) {
			t.Errorf("%s has lines\n%s\nwant\n%s", name, strings.Join(g, "\n"), strings.Join(w, "\n"))
		}
	}
	w, g := fileLines(name, want), fileLines(name, got)
	once := onceRecorded.MatchString(name) || name == "mail.txt" && slices.IsSorted(w)
	if onceRecorded.MatchString(name) {
		// A check that is under way when the case ends is given up, perhaps
		// before it has asked.
		if i := slices.Index(g, `""`); i >= 0 && !slices.Contains(w, `""`) {
			g = slices.Delete(g, i, i+1)
		}
	}
	if strings.HasSuffix(name, "fifo.txt") {
		of := func(subject string, lines []string) []string {
			return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return endpoint.FindString(l) != subject })
		}
		for l := range slices.Values(w) {
			compare(of(endpoint.FindString(l), w), of(endpoint.FindString(l), g))
		}
	}
	slices.Sort(w)
	slices.Sort(g)
	if once {
		w, g = slices.Compact(w), slices.Compact(g)
	}
	compare(w, g)
}

// onceRecorded are files in which the recording keeps identical lines once.
var onceRecorded = regexp.MustCompile(`^(req|dns|udp|smtp)`)

// fileLines are the lines of a file; the random id of a DNS query is masked.
func fileLines(name string, b []byte) []string {
	var out []string
	for l := range strings.Lines(string(b)) {
		l = strings.TrimRight(l, "\r\n")
		if strings.HasPrefix(name, "dns-") && len(l) > 4 {
			l = "IIII" + l[4:]
		}
		if l != "" {
			out = append(out, l)
		}
	}
	return out
}
