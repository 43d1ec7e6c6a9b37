package bfdd

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/process"
)

// configEnv makes this test binary a BFD process with the sessions in the file
// of that name.
const configEnv = "BFDD_TEST_CONFIG"

func TestMain(m *testing.M) {
	if name := os.Getenv(configEnv); name != "" {
		os.Exit(child(name))
	}
	os.Exit(m.Run())
}

// child is a BFD process without a parent: its events go to standard output.
func child(name string) int {
	log.Open(log.Options{Console: true, Detail: 1})
	defer log.Close(time.Second)
	ready, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 1
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 1
	}
	go func() {
		_ = process.ReadBFDEvents(r, func(e process.BFDEvent) {
			if !e.Repeat {
				fmt.Printf("event %s %s\n", e.Session, e.State())
			}
		})
	}()
	d := newDaemon(process.Child{
		Handover:    process.Handover{Role: process.RoleBFD},
		Descriptors: process.Descriptors{Ready: ready, BFDToVRRP: w},
	})
	d.load = func() (*configparse.Config, int) {
		conf := &configparse.Config{}
		conf.Global.BFDProcess.RTPriority = 10 // this machine may be busy
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &conf.BFD)
		}
		if err != nil {
			log.Err("%v", err)
			return nil, process.ExitConfig
		}
		return conf, -1
	}
	return d.run()
}

// ours starts a BFD process with the sessions; reload rewrites its file.
type ours struct {
	*nettest.Proc
	t    testing.TB
	file string
}

func start(t testing.TB, ns *nettest.NS, sessions ...bfd.Config) *ours {
	t.Helper()
	p := &ours{t: t, file: filepath.Join(t.TempDir(), "sessions")}
	p.write(sessions)
	p.Proc = ns.StartWith([]nettest.ProcOption{nettest.RealTime(), nettest.Env(configEnv+"="+p.file, "TMPDIR="+t.TempDir())}, os.Args[0])
	return p
}

func (p *ours) write(sessions []bfd.Config) {
	p.t.Helper()
	text, err := json.Marshal(sessions)
	if err == nil {
		err = os.WriteFile(p.file, text, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *ours) reload(sessions ...bfd.Config) {
	p.t.Helper()
	before := strings.Count(p.Output(), "Reload finished")
	p.write(sessions)
	p.Signal(syscall.SIGHUP)
	nettest.Eventually(p.t, 5*time.Second, "reload", func() bool { return strings.Count(p.Output(), "Reload finished") > before })
}

// up waits until the session was told up for the nth time.
func (p *ours) up(name string, n int) { p.t.Helper(); p.told(name, "Up", n) }

// down waits until the session was told down for the nth time after its start,
// where it is always told down.
func (p *ours) down(name string, n int) { p.t.Helper(); p.told(name, "Down", n+1) }

func (p *ours) told(name, state string, n int) {
	p.t.Helper()
	nettest.Eventually(p.t, 20*time.Second, fmt.Sprintf("%s told %s %d times", name, state, n), func() bool {
		return strings.Count(p.Output(), "event "+name+" "+state) >= n
	})
}

// session is one between two hosts of a nettest.LAN.
func session(name, from, to string, ms int) bfd.Config {
	c := bfd.DefaultConfig(name)
	c.Source, c.Neighbor = netip.MustParseAddr(from), netip.MustParseAddr(to)
	c.MinRX, c.MinTX = time.Duration(ms)*time.Millisecond, time.Duration(ms)*time.Millisecond
	c.Complete()
	return c
}

// reference runs Debian's keepalived with BFD sessions alone.
func reference(t testing.TB, ns *nettest.NS, blocks string) *nettest.Proc {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte("global_defs {\n router_id peer\n}\n"+blocks), 0o644); err != nil {
		t.Fatal(err)
	}
	return ns.StartWith([]nettest.ProcOption{nettest.RealTime(), nettest.PrivateRun()}, "/usr/sbin/keepalived", "-n", "-l", "-D", "-G", "-f", conf)
}

func TestAgainstReference(t *testing.T) { nettest.Play(t, 50*time.Millisecond, againstReference) }

func againstReference(t testing.TB) {
	nettest.Need(t, "/usr/sbin/keepalived")
	lan := nettest.LAN(t, 2)
	peer := reference(t, lan[1], `bfd_instance four {
 neighbor_ip 10.99.0.1
 source_ip 10.99.0.2
 min_rx 50
 min_tx 50
 multiplier 4
}
bfd_instance six {
 neighbor_ip fd99::1
 source_ip fd99::2
 passive
}
`)
	four := session("four", "10.99.0.1", "10.99.0.2", 50)
	four.Multiplier = 4
	six := session("six", "fd99::1", "fd99::2", 10)
	us := start(t, lan[0], four, six)
	us.up("four", 1)
	us.up("six", 1)
	peer.WaitOutput(10*time.Second, "(four) Entering Up state")
	peer.WaitOutput(10*time.Second, "(six) Entering Up state")

	// A reload that changes the intervals is agreed on by a poll sequence.
	four.MinRX, four.MinTX = 30*time.Millisecond, 100*time.Millisecond
	us.reload(four, six)
	us.WaitOutput(5*time.Second, "(four) Starting poll sequence")
	peer.WaitOutput(5*time.Second, "Detection time is 400000 us (was 200000 us)")

	// Nothing flaps meanwhile, nor afterwards.
	nettest.Never(t, 2*time.Second, "a session goes down", func() bool {
		return strings.Contains(us.Output(), "Entering Down") || strings.Contains(peer.Output(), "Entering Down")
	})

	us.KillAll()
	peer.WaitOutput(10*time.Second, "(six) Entering Down state")
	peer.WaitOutput(10*time.Second, "(four) Entering Down state")
	us = start(t, lan[0], four, six)
	us.up("four", 1)
	us.up("six", 1)
	peer.Stop()
	us.down("four", 1)
	us.down("six", 1)
	if out := peer.Output(); strings.Contains(out, "Discarding") || strings.Contains(out, "bogus") {
		t.Errorf("the reference complained:\n%s", out)
	}
}

// overdueBound is how late a session may be given up.
const overdueBound = 5 * time.Millisecond

// TestDetection measures how long after the neighbour's last packet a session
// is given up.
func TestDetection(t *testing.T) {
	nettest.Need(t)
	for _, tt := range []struct{ ms, mult int }{{50, 3}, {10, 5}} {
		t.Run(fmt.Sprintf("%dms-x%d", tt.ms, tt.mult), func(t *testing.T) {
			nettest.Play(t, overdueBound, func(t testing.TB) {
				lan := nettest.LAN(t, 2)
				a, b := session("x", "10.99.0.1", "10.99.0.2", tt.ms), session("x", "10.99.0.2", "10.99.0.1", tt.ms)
				a.Multiplier, b.Multiplier = uint8(tt.mult), uint8(tt.mult)
				one, two := start(t, lan[0], a), start(t, lan[1], b)
				one.up("x", 1)
				two.up("x", 1)
				two.KillAll()
				one.down("x", 1)
				_, after, ok := strings.Cut(one.Output(), fmt.Sprintf("Expired after %d ms (", tt.ms*tt.mult))
				var overdue int
				if _, err := fmt.Sscanf(after, "%d usec overdue)", &overdue); !ok || err != nil {
					t.Fatalf("no line about the expiry with %d ms:\n%s", tt.ms*tt.mult, one.Output())
				}
				t.Logf("given up %d µs after the detection time", overdue)
				if overdue := time.Duration(overdue) * time.Microsecond; overdue > overdueBound {
					t.Errorf("given up %v after the detection time, want at most %v", overdue, overdueBound)
				}
			})
		})
	}
}

// TestStall stops the process: the neighbour gives it up, but
// it must not give up the neighbour, whose packets wait in the socket.
func TestStall(t *testing.T) { nettest.Play(t, 50*time.Millisecond, stall) }

func stall(t testing.TB) {
	nettest.Need(t)
	lan := nettest.LAN(t, 2)
	one := start(t, lan[0], session("x", "10.99.0.1", "10.99.0.2", 10))
	two := start(t, lan[1], session("x", "10.99.0.2", "10.99.0.1", 10))
	one.up("x", 1)
	two.up("x", 1)
	one.Signal(syscall.SIGSTOP)
	two.down("x", 1) // 50 ms later; its last packets are in our socket
	one.Signal(syscall.SIGCONT)
	one.up("x", 2)
	two.up("x", 2)
	if out := one.Output(); strings.Contains(out, "Expired after") {
		t.Errorf("the stalled process gave its neighbour up without listening first:\n%s", out)
	}
}

func TestMultihopAndSourceGone(t *testing.T) {
	nettest.Play(t, 250*time.Millisecond, multihopAndSourceGone)
}

func multihopAndSourceGone(t testing.TB) {
	nettest.Need(t)
	lan := nettest.LAN(t, 2)
	a, b := session("m", "10.99.0.1", "10.99.0.2", 50), session("m", "10.99.0.2", "10.99.0.1", 50)
	a.Multihop, b.Multihop, a.MaxHops, b.MaxHops = true, true, 3, 3
	b.TTL = 253
	two := start(t, lan[1], b)
	one := start(t, lan[0], a)
	one.up("m", 1)
	two.up("m", 1)
	// A session that needs an address which is not there waits for it, and
	// begins with the neighbour's next packet.
	c, d := session("s", "10.99.0.77", "10.99.0.2", 50), session("s", "10.99.0.2", "10.99.0.77", 50)
	one.reload(a, c)
	one.WaitOutput(5*time.Second, "(s) Unable to open output socket, disabling instance")
	lan[0].AddAddr("eth0", "10.99.0.77/24")
	two.reload(b, d)
	one.up("s", 1)
	two.up("s", 1)
	one.Signal(syscall.SIGTERM)
	if code := one.Exited(5 * time.Second); code != 0 {
		t.Errorf("exit status %d after SIGTERM, want 0", code)
	}
}

// TestAgainstBird runs sessions with BIRD, over both families.
func TestAgainstBird(t *testing.T) { nettest.Play(t, 200*time.Millisecond, againstBird) }

func againstBird(t testing.TB) {
	nettest.Need(t, "/usr/sbin/bird", "/usr/sbin/birdc")
	lan := nettest.LAN(t, 2)
	dir := t.TempDir()
	conf := `router id 10.99.0.2;
protocol device { }
protocol bfd {
  interface "eth0" { min rx interval 50 ms; min tx interval 50 ms; idle tx interval 1000 ms; multiplier 4; };
  neighbor 10.99.0.1 dev "eth0" local 10.99.0.2;
  neighbor fd99::1 dev "eth0" local fd99::2;
}
`
	if err := os.WriteFile(dir+"/bird.conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	bird := lan[1].StartWith([]nettest.ProcOption{nettest.RealTime()}, "/usr/sbin/bird", "-f", "-c", dir+"/bird.conf", "-s", dir+"/ctl", "-P", dir+"/pid")
	four, six := session("four", "10.99.0.1", "10.99.0.2", 50), session("six", "fd99::1", "fd99::2", 50)
	six.TTL = 255 // RFC 5881 peers drop keepalived's default of 64
	us := start(t, lan[0], four, six)
	us.up("four", 1)
	us.up("six", 1)
	sessions := func() string {
		out, _ := lan[1].TryRun("/usr/sbin/birdc", "-s", dir+"/ctl", "show", "bfd", "sessions")
		return out
	}
	nettest.Eventually(t, 10*time.Second, "BIRD has both sessions up", func() bool { return strings.Count(sessions(), " Up ") == 2 })

	// Changed intervals are agreed on; BIRD takes our new interval over.
	four.MinTX = 200 * time.Millisecond
	us.reload(four, six)
	nettest.Never(t, 1500*time.Millisecond, "a session goes down", func() bool {
		return strings.Contains(us.Output(), "Entering Down")
	})
	if out := sessions(); strings.Count(out, " Up ") != 2 || !strings.Contains(out, "1.000") {
		t.Errorf("after a reload, BIRD's timeout for us should be 5 x 200 ms:\n%s", out)
	}
	bird.KillAll()
	us.down("four", 1)
	us.down("six", 1)
}
