package bfdd

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// frrConf is the directory of one FRR, which its daemons may write to as their
// own user.
func frrDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bfdd-frr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startFRR runs FRR's bfdd with the given configuration.
func startFRR(t testing.TB, ns *nettest.NS, conf string) *nettest.Proc {
	t.Helper()
	dir := frrDir(t)
	if err := os.WriteFile(dir+"/bfdd.conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	common := []string{"-u", "frr", "-g", "frr", "--vty_socket", dir, "-z", dir + "/zserv", "-P", "0", "--log", "stdout"}
	ns.StartWith([]nettest.ProcOption{nettest.RealTime()}, "/usr/lib/frr/zebra", append(common, "-i", dir+"/zebra.pid", "-f", "/dev/null")...)
	nettest.Eventually(t, 20*time.Second, "zebra listens", func() bool { _, err := os.Stat(dir + "/zserv"); return err == nil })
	return ns.StartWith([]nettest.ProcOption{nettest.RealTime()}, "/usr/lib/frr/bfdd", append(common, "-i", dir+"/bfdd.pid", "-f", dir+"/bfdd.conf", "--bfdctl", dir+"/bfdctl")...)
}

// frrTimers are slow to give up: FRR has no real-time priority and the machine
// may be busy.
const frrTimers = `  receive-interval 50
  transmit-interval 50
  detect-multiplier 20
 exit
`

// patient is a session whose neighbour waits a second for us.
func patient(c bfd.Config) bfd.Config {
	c.Multiplier = 20
	return c
}

// routed joins two hosts by a router: fd99:1::1 and 10.1.0.1 on the one side,
// fd99:2::1 and 10.2.0.1 on the other.
func routed(t testing.TB) (a, b *nettest.NS) {
	t.Helper()
	a, router, b := nettest.New(t, "a"), nettest.New(t, "router"), nettest.New(t, "b")
	nettest.Veth(a, "eth0", router, "left")
	nettest.Veth(b, "eth0", router, "right")
	router.Sysctl("net/ipv4/ip_forward", "1")
	router.Sysctl("net/ipv6/conf/all/forwarding", "1")
	for _, h := range []struct {
		ns   *nettest.NS
		port string
		n    int
	}{{a, "left", 1}, {b, "right", 2}} {
		h.ns.AddAddr("eth0", fmt.Sprintf("10.%d.0.1/24", h.n))
		h.ns.AddAddr("eth0", fmt.Sprintf("fd99:%d::1/64", h.n))
		router.AddAddr(h.port, fmt.Sprintf("10.%d.0.254/24", h.n))
		router.AddAddr(h.port, fmt.Sprintf("fd99:%d::fe/64", h.n))
		h.ns.IP("route", "add", "default", "via", fmt.Sprintf("10.%d.0.254", h.n))
		h.ns.IP("-6", "route", "add", "default", "via", fmt.Sprintf("fd99:%d::fe", h.n))
	}
	return a, b
}

// multihop is a session over a router.
func multihop(name, from, to string) bfd.Config {
	c := patient(session(name, from, to, 50))
	c.Multihop, c.MaxHops, c.TTL = true, 2, 255
	return c
}

// stays sees that no session goes down for a while.
func (p *ours) stays() {
	p.t.Helper()
	nettest.Never(p.t, 1500*time.Millisecond, "a session goes down", func() bool {
		return strings.Contains(p.Output(), "Entering Down")
	})
}

// TestAgainstFRR runs sessions with FRR's bfdd: one hop over both families.
func TestAgainstFRR(t *testing.T) { nettest.Play(t, time.Second, againstFRR) }

func againstFRR(t testing.TB) {
	nettest.Need(t, "/usr/lib/frr/bfdd", "/usr/lib/frr/zebra")
	lan := nettest.LAN(t, 2)
	frr := startFRR(t, lan[1], "bfd\n peer 10.99.0.1 local-address 10.99.0.2 interface eth0\n"+frrTimers+
		" peer fd99::1 local-address fd99::2 interface eth0\n"+frrTimers+"exit\n")
	four, six := patient(session("four", "10.99.0.1", "10.99.0.2", 50)), patient(session("six", "fd99::1", "fd99::2", 50))
	six.TTL = 255
	us := start(t, lan[0], four, six)
	us.up("four", 1)
	us.up("six", 1)
	us.WaitOutput(10*time.Second, "Detection time is 1000000 us")
	us.stays()

	// A reload that changes the intervals is agreed on by a poll sequence.
	four.MinTX, six.MinRX = 100*time.Millisecond, 80*time.Millisecond
	us.reload(four, six)
	us.WaitOutput(10*time.Second, "local    100000   50000   100000    20      1000000")
	us.stays()
	frr.KillAll()
	us.down("four", 1)
	us.down("six", 1)
}

// TestMultihopAgainstFRR crosses a router, over both families (RFC 5883).
func TestMultihopAgainstFRR(t *testing.T) { nettest.Play(t, time.Second, multihopAgainstFRR) }

func multihopAgainstFRR(t testing.TB) {
	nettest.Need(t, "/usr/lib/frr/bfdd", "/usr/lib/frr/zebra")
	a, b := routed(t)
	frr := startFRR(t, b, "bfd\n peer 10.1.0.1 multihop local-address 10.2.0.1\n"+frrTimers+
		" peer fd99:1::1 multihop local-address fd99:2::1\n"+frrTimers+"exit\n")
	us := start(t, a, multihop("four", "10.1.0.1", "10.2.0.1"), multihop("six", "fd99:1::1", "fd99:2::1"))
	us.up("four", 1)
	us.up("six", 1)
	us.stays()
	frr.KillAll()
	us.down("four", 1)
	us.down("six", 1)
}

// TestMultihopAgainstBird is the same with BIRD.
func TestMultihopAgainstBird(t *testing.T) { nettest.Play(t, time.Second, multihopAgainstBird) }

func multihopAgainstBird(t testing.TB) {
	nettest.Need(t, "/usr/sbin/bird")
	a, b := routed(t)
	dir := t.TempDir()
	conf := `router id 10.2.0.1;
protocol device { }
protocol bfd {
  multihop { min rx interval 50 ms; min tx interval 50 ms; idle tx interval 1000 ms; multiplier 20; };
  neighbor 10.1.0.1 local 10.2.0.1 multihop on;
  neighbor fd99:1::1 local fd99:2::1 multihop on;
}
`
	if err := os.WriteFile(dir+"/bird.conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	bird := b.StartWith([]nettest.ProcOption{nettest.RealTime()}, "/usr/sbin/bird", "-f", "-c", dir+"/bird.conf", "-s", dir+"/ctl", "-P", dir+"/pid")
	four, six := multihop("four", "10.1.0.1", "10.2.0.1"), multihop("six", "fd99:1::1", "fd99:2::1")
	four.TTL, six.TTL = 64, 64 // BIRD sends with the system's default
	us := start(t, a, four, six)
	us.up("four", 1)
	us.up("six", 1)
	us.stays()
	bird.KillAll()
	us.down("four", 1)
	us.down("six", 1)
}

// TestMultihopFarAway drops packets that crossed more routers than max_hops.
func TestMultihopFarAway(t *testing.T) {
	nettest.Need(t)
	a, b := routed(t)
	near, far := multihop("m", "10.1.0.1", "10.2.0.1"), multihop("m", "10.2.0.1", "10.1.0.1")
	near.MaxHops = 0 // one router is one too many
	us, them := start(t, a, near), start(t, b, far)
	us.WaitOutput(10*time.Second, "Packet ttl(254) < 255 - discarding")
	nettest.Never(t, 1500*time.Millisecond, "the session comes up", func() bool {
		return strings.Contains(us.Output()+them.Output(), "event m Up")
	})
}
