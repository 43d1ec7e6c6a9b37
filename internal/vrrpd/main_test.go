package vrrpd

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// reference is Debian's keepalived, a peer of another make.
const reference = "/usr/sbin/keepalived"

// bin is the daemon under test, built by TestMain.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if testing.Short() {
			return m.Run() // the tests that need it skip
		}
		if os.Getenv("KEEPALIVED_VM") != "" {
			bin, _ = exec.LookPath("keepalived") // put there by TestInVM
			return m.Run()
		}
		// Pairs in namespaces of their own mostly wait for timers.
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return nettest.Main(m, func(dir string) { bin = filepath.Join(dir, "keepalived") })
	}())
}

// needDaemon skips the test where the daemon cannot be run.
func needDaemon(t testing.TB) {
	t.Helper()
	nettest.Need(t, "ip")
	if bin == "" {
		t.Skip("skipped: -short, no daemon was built")
	}
}

func needReference(t testing.TB) {
	t.Helper()
	needDaemon(t)
	if _, err := os.Stat(reference); err != nil {
		t.Skipf("skipped: no keepalived of Debian as peer: %v", err)
	}
}

// lan is nettest.LAN with every address ready for use: a peer of another make
// does not wait for the end of duplicate address detection.
func lan(t testing.TB, n int) []*nettest.NS {
	t.Helper()
	hosts, _ := lanWithSwitch(t, n)
	return hosts
}

// lanWithSwitch is lan, and returns the namespace of the switch.
func lanWithSwitch(t testing.TB, n int) ([]*nettest.NS, *nettest.NS) {
	t.Helper()
	hosts, sw := nettest.LANWithSwitch(t, n)
	for _, h := range hosts {
		nettest.Eventually(t, 5*time.Second, "link-local addresses are ready", func() bool {
			out := h.IP("-6", "addr", "show", "dev", "eth0")
			return strings.Contains(out, "fe80::") && !strings.Contains(out, "tentative")
		})
	}
	return hosts, sw
}

// node is a daemon on one host of the test's LAN.
type node struct {
	t    testing.TB
	ns   *nettest.NS
	dir  string
	bin  string
	proc *nettest.Proc
	// conf is the configuration file.
	conf string
}

// newNode prepares a daemon on a host; start starts it.
func newNode(t testing.TB, ns *nettest.NS, program, conf string) *node {
	t.Helper()
	n := &node{t: t, ns: ns, dir: t.TempDir(), bin: program}
	n.conf = filepath.Join(n.dir, "keepalived.conf")
	n.write(conf)
	return n
}

func (n *node) write(conf string) {
	n.t.Helper()
	if err := os.WriteFile(n.conf, []byte(conf), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) start() *node {
	n.t.Helper()
	n.proc = n.ns.StartWith([]nettest.ProcOption{nettest.PrivateRun(), nettest.RealTime(), nettest.Env("TMPDIR=" + n.dir)},
		n.bin, "-n", "-l", "-D", "-G", "-f", n.conf)
	return n
}

// stop stops the daemon in order.
func (n *node) stop() { n.t.Helper(); n.proc.Signal(syscall.SIGTERM); n.proc.Exited(10 * time.Second) }

// crash kills every process of the daemon at once.
func (n *node) crash() { n.proc.KillAll() }

// reload replaces the configuration and waits until it is in force.
func (n *node) reload(conf string) {
	n.t.Helper()
	n.write(conf)
	done := strings.Count(n.proc.Output(), "Reload complete")
	n.proc.Signal(syscall.SIGHUP)
	nettest.Eventually(n.t, 5*time.Second, "the reload is complete", func() bool {
		return strings.Count(n.proc.Output(), "Reload complete") > done
	})
}

func (n *node) has(addr string) bool { n.t.Helper(); return n.ns.HasAddr(addr) }

func (n *node) logs(text string) bool { return strings.Contains(n.proc.Output(), text) }

func (n *node) waitLog(text string) { n.t.Helper(); n.proc.WaitOutput(10*time.Second, text) }

// child returns the process id of the VRRP child.
func (n *node) child() int {
	n.t.Helper()
	all := regexp.MustCompile(`Starting VRRP child process, pid=(\d+)`).FindAllStringSubmatch(n.proc.Output(), -1)
	if len(all) == 0 {
		n.t.Fatalf("no VRRP child was started:\n%s", n.proc.Output())
	}
	pid, _ := strconv.Atoi(all[len(all)-1][1])
	return pid
}

// instance writes a configuration with one instance VI_1.
func instance(priority int, lines ...string) string {
	has := func(word string) bool {
		for _, l := range lines {
			if strings.HasPrefix(l, word) {
				return true
			}
		}
		return false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority %d\n", priority)
	if !has("version") {
		b.WriteString(" version 3\n")
	}
	if !has("advert_int") {
		b.WriteString(" advert_int 0.1\n")
	}
	if !has("virtual_ipaddress ") {
		b.WriteString(" virtual_ipaddress {\n  10.99.0.100\n }\n")
	}
	for _, l := range lines {
		b.WriteString(" " + l + "\n")
	}
	return b.String() + "}\n"
}

const vip = "10.99.0.100"

// margin is what lies between the adverts of a pair, every 100 ms, and the
// 360 ms after which its backup takes over.
const margin = 260 * time.Millisecond

// play is a subtest with a bound in time (nettest.Play).
func play(t *testing.T, name string, bound time.Duration, body func(t testing.TB)) {
	t.Run(name, func(t *testing.T) { nettest.Play(t, bound, body) })
}

// pair starts two daemons and waits until the first is master.
func pair(t testing.TB, confA, confB string) (a, b *node) {
	t.Helper()
	needDaemon(t)
	hosts := lan(t, 2)
	a, b = newNode(t, hosts[0], bin, confA).start(), newNode(t, hosts[1], bin, confB).start()
	converged(t, a, b)
	return a, b
}

// converged waits until the master alone has the address.
func converged(t testing.TB, master, backup *node) {
	t.Helper()
	nettest.Eventually(t, 8*time.Second, "one node has the address and the other has not", func() bool {
		return master.has(vip) && !backup.has(vip)
	})
}

// adverts returns the adverts of a host that a capture holds.
func adverts(c *nettest.Capture, from string) []nettest.Frame {
	var out []nettest.Frame
	for _, f := range c.Frames() {
		if f.Kind == nettest.VRRP && f.Src.String() == from {
			out = append(out, f)
		}
	}
	return out
}
