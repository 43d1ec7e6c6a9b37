package surface

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// programs is the directory with keepalived, keepalivedctl and genhash, built
// once for all tests of this package.
var programs string

func TestMain(m *testing.M) {
	if addr := os.Getenv("SURFACE_SERVE"); addr != "" {
		os.Exit(serveHTTP(addr))
	}
	os.Exit(nettest.Main(m, func(dir string) { programs = dir }))
}

// patience is how long a condition may take on a busy machine.
const patience = 30 * time.Second

// stage is the place where the samples of the original were recorded: two
// hosts joined by eth0, 192.0.2.1 (lb1) and 192.0.2.2.
type stage struct {
	t        testing.TB
	lb, peer *nettest.NS
	dir      string
}

func newStage(t testing.TB) *stage {
	t.Helper()
	if _, err := os.Stat("/etc/keepalived"); err != nil && os.Geteuid() == 0 {
		t.Skipf("skipped: the daemon's own /etc/keepalived is mounted over the machine's: %v", err)
	}
	// Unix sockets want short names, which t.TempDir does not give.
	dir, err := os.MkdirTemp("", "ks-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &stage{t: t, lb: nettest.New(t, "lb"), peer: nettest.New(t, "peer"), dir: dir}
	s.peer.Sysctl("net/ipv6/conf/default/accept_dad", "0")
	s.lb.Sysctl("net/ipv6/conf/default/accept_dad", "0")
	s.lb.IP("link", "add", "eth0", "index", "2", "address", "32:fa:44:30:8d:de", "type", "veth",
		"peer", "name", "eth0", "netns", s.peer.Name)
	s.lb.Up("eth0")
	s.peer.Up("eth0")
	s.lb.AddAddr("eth0", "192.0.2.1/24")
	s.peer.AddAddr("eth0", "192.0.2.2/24")
	for _, d := range []string{"etc", "run", "tmp"} {
		if err := os.Mkdir(s.file(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// file is a file of the stage: etc/… is the daemon's /etc/keepalived, run/… its
// /run and tmp/… its /tmp.
func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) write(name, text string) {
	s.t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasSuffix(name, ".sh") {
		mode = 0o755
	}
	if err := os.WriteFile(s.file(name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// read is the content of a file, once it is there and not empty.
func (s *stage) read(name string) string {
	s.t.Helper()
	var b []byte
	nettest.Eventually(s.t, patience, name+" is there", func() bool {
		b, _ = os.ReadFile(s.file(name))
		return len(b) > 0
	})
	return string(b)
}

// setting is the shell script that gives the daemon its own files and the host
// name of the recordings. $0 is the stage's directory, $1 that of the programs.
const setting = `set -e
mount --make-rprivate /
hostname lb1
mkdir -p $0/run/sbin && mount --bind $1 $0/run/sbin
mount --bind $0/etc /etc/keepalived
mount --rbind $0/run /run
[ -z "$SURFACE_TMP" ] || mount -t tmpfs -o size=$SURFACE_TMP tmpfs $0/tmp
mount --bind $0/tmp /tmp
cd / && shift
PATH=/run/sbin:/usr/sbin:/usr/bin:/sbin:/bin
exec "$@"`

// daemon is one run of keepalived on the stage.
type daemon struct {
	*nettest.Proc
	s *stage
}

// start runs keepalived with a configuration as the samples were made:
// `keepalived -n -l -D -G`, and more options.
func (s *stage) start(conf string, extra ...string) *daemon {
	s.t.Helper()
	s.write("etc/keepalived.conf", conf)
	args := append([]string{"-n", "-l", "-D", "-G"}, extra...)
	return &daemon{s.run(nil, "keepalived", args...), s}
}

// run runs a program on the stage's first host, with the daemon's files.
func (s *stage) run(env []string, program string, args ...string) *nettest.Proc {
	s.t.Helper()
	argv := append([]string{"--mount", "--uts", "sh", "-c", setting, s.dir, programs, program}, args...)
	return s.lb.StartWith([]nettest.ProcOption{nettest.Env(env...)}, "unshare", argv...)
}

func (d *daemon) wait(text string) { d.s.t.Helper(); d.WaitOutput(patience, text) }

// waitCount waits until the output has text n times.
func (d *daemon) waitCount(text string, n int) {
	d.s.t.Helper()
	nettest.Eventually(d.s.t, patience, fmt.Sprintf("%q %d times", text, n), func() bool {
		return strings.Count(d.Output(), text) >= n
	})
}

// dump sends a signal and waits for the file that it makes.
func (d *daemon) dump(sig syscall.Signal, name string) string {
	d.s.t.Helper()
	return d.written(name, func() { d.Signal(sig) })
}

// written is what a file says that do has the daemon write.
func (d *daemon) written(name string, do func()) string {
	d.s.t.Helper()
	before, _ := os.Stat(d.s.file(name))
	do()
	nettest.Eventually(d.s.t, patience, name+" is written", func() bool {
		now, err := os.Stat(d.s.file(name))
		// A file that replaces another may get the number of one before that.
		return err == nil && now.Size() > 0 &&
			(before == nil || !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()))
	})
	return d.s.read(name)
}

// end stops the daemon and returns its whole output.
func (d *daemon) end() string {
	d.s.t.Helper()
	d.Signal(syscall.SIGTERM)
	if status := d.Exited(patience); status != 0 {
		d.s.t.Errorf("exit status = %d, want 0\n%s", status, d.Output())
	}
	return d.Output()
}

// ask gets the daemon's status as JSON.
func (d *daemon) ask() []byte {
	d.s.t.Helper()
	var answer []byte
	nettest.Eventually(d.s.t, patience, "the daemon answers for its status", func() bool {
		c, err := control.Dial(d.s.file("run/keepalived/control.sock"))
		if err != nil {
			return false
		}
		defer c.Close()
		answer, err = c.Ask(control.Request{Get: "status"}, 5*time.Second)
		return err == nil
	})
	return answer
}

// The signals that make dumps; the last two are SIGRTMIN+2 and SIGRTMAX-1 of
// glibc.
const (
	sigData       = syscall.SIGUSR1
	sigStats      = syscall.SIGUSR2
	sigJSON       = syscall.Signal(36)
	sigStatsClear = syscall.Signal(63)
)
