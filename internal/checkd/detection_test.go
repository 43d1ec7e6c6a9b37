package checkd

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// Another daemon is measured in turn with ours, which must not be slower:
//
//	go test ./internal/checkd -run Detection -args -beside /usr/sbin/keepalived -preload fakeipvs.so -rounds 10
var (
	besideFlag  = flag.String("beside", "", "TestDetection: the daemon to compare with")
	preloadFlag = flag.String("preload", "", "TestDetection: its LD_PRELOAD, to do without IPVS")
	roundsFlag  = flag.Int("rounds", 2, "TestDetection: how often all servers die")
	loopFlag    = flag.Duration("delay_loop", 300*time.Millisecond, "TestDetection: of all checks")
)

// doomedServers is how many real servers die together, each at another moment
// of its round of checks.
const doomedServers = 100

// pauseBound is how much longer than delay_loop a pause may be: the tightest
// bound for single events.
const pauseBound = 25 * time.Millisecond

// TestDetection: what an operator waits for between the death of a server and
// the line that takes it out is the rest of the pause between two checks, and
// what comes on top: the check that finds it out, from its first packet on. It
// is measured with the kernel's times of packets and of the writing of lines.
func TestDetection(t *testing.T) {
	nettest.Need(t, "ip")
	dir := t.TempDir()
	ours := buildKeepalived(t, dir)
	for _, kind := range []string{"TCP_CHECK", "HTTP_GET"} {
		t.Run(kind, func(t *testing.T) {
			nettest.Play(t, pauseBound, func(t testing.TB) {
				f := measureDetection(t, kind, ours, "")
				t.Logf("ours: %v", f)
				if got, want := f.verdict.median(), 5*time.Millisecond; got > want {
					t.Errorf("first packet to verdict: %v in the median, want no more than %v", got, want)
				}
				if got, want := f.verdict.most(), 50*time.Millisecond; got > want {
					t.Errorf("first packet to verdict: up to %v, want no more than %v", got, want)
				}
				// A check of HTTP_GET lasts until the server of the test has answered.
				if got, want := f.pause.most(), *loopFlag+pauseBound; kind == "TCP_CHECK" && got > want {
					t.Errorf("between two checks: up to %v, want no more than %v", got, want)
				}
				if *besideFlag == "" {
					return
				}
				t.Logf("beside: %v", measureDetection(t, kind, *besideFlag, *preloadFlag))
			})
		})
	}
}

// durations is a sample, sorted.
type durations []time.Duration

func (d durations) median() time.Duration { return d[len(d)/2] }
func (d durations) most() time.Duration   { return d[len(d)-1] }

func (d durations) String() string {
	at := func(percent int) time.Duration { return d[(len(d)-1)*percent/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("median %v, p90 %v, p99 %v, most %v", at(50), at(90), at(99), at(100))
}

// detection is what TestDetection measures of one daemon.
type detection struct {
	verdict durations // first packet of the check that finds out, to the line
	pause   durations // the last check before the death to that one
	death   durations // death to line
	back    durations // server started again to line
}

func (f detection) String() string {
	return fmt.Sprintf("\n\tfirst packet to verdict: %v\n\tbetween two checks: %v\n\tdeath to verdict: %v\n\tback to verdict: %v",
		f.verdict, f.pause, f.death, f.back)
}

func measureDetection(t testing.TB, kind, daemon, preload string) (f detection) {
	ns := nettest.New(t, "detect")
	ns.Up("lo")
	wire := ns.Capture("lo")
	servers := newDoomed(t, ns)
	servers.start()
	name := t.TempDir() + "/keepalived.conf"
	if err := os.WriteFile(name, []byte(servers.conf(kind)), 0o644); err != nil {
		t.Fatal(err)
	}
	options := []nettest.ProcOption{nettest.RealTime(), nettest.PrivateRun()}
	if preload != "" {
		options = append(options, nettest.Env("LD_PRELOAD="+preload))
	}
	p := ns.StartWith(options, daemon, "-n", "-l", "-C", "-f", name)
	for seen, from := time.Now(), 0; from < *roundsFlag; from++ {
		nettest.Eventually(t, 20*time.Second, "every server was checked twice", func() bool {
			return servers.checkedTwice(wire, seen)
		})
		died := time.Now()
		servers.stop()
		dead := time.Now()
		lines := make([]time.Time, len(servers.addrs))
		for i, at := range servers.addrs {
			lines[i] = p.LogTime(20*time.Second, "Removing service "+rsName(at)+" ", died)
		}
		last := slices.MaxFunc(lines, time.Time.Compare)
		nettest.Eventually(t, 20*time.Second, "the packets before the last line are captured", func() bool {
			return slices.ContainsFunc(wire.Frames(), func(f nettest.Frame) bool { return f.At.After(last) })
		})
		for i, at := range servers.addrs {
			before, found, more := servers.around(wire, at, dead, lines[i])
			if before.IsZero() || more > 1 {
				t.Fatalf("%v: %d checks between the death and the line, want one", at, more)
			}
			f.verdict = append(f.verdict, lines[i].Sub(found))
			f.pause = append(f.pause, found.Sub(before))
			f.death = append(f.death, lines[i].Sub(died))
		}
		seen = time.Now()
		servers.start()
		for _, at := range servers.addrs {
			f.back = append(f.back, p.LogTime(20*time.Second, "Adding service "+rsName(at)+" ", seen).Sub(seen))
		}
	}
	p.Stop()
	for _, d := range []durations{f.verdict, f.pause, f.death, f.back} {
		slices.Sort(d)
	}
	return f
}

func rsName(at netip.AddrPort) string { return fmt.Sprintf("[%v]:tcp:%d", at.Addr(), at.Port()) }

// doomed is the servers, all in one namespace.
type doomed struct {
	t     testing.TB
	ns    *nettest.NS
	addrs []netip.AddrPort
	open  []net.Listener
}

func newDoomed(t testing.TB, ns *nettest.NS) *doomed {
	d := &doomed{t: t, ns: ns}
	for i := range doomedServers {
		d.addrs = append(d.addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}), 9000))
	}
	t.Cleanup(d.stop)
	return d
}

func (d *doomed) conf(kind string) string {
	var b strings.Builder
	check := fmt.Sprintf("connect_timeout 3\n retry 0\n delay_before_retry %v\n", loopFlag.Seconds())
	if kind == "HTTP_GET" {
		check += "url {\n path /\n status_code 200\n }\n"
	}
	fmt.Fprintf(&b, "virtual_server 10.1.0.1 80 {\n delay_loop %v\n lb_algo wrr\n lb_kind NAT\n protocol TCP\n", loopFlag.Seconds())
	for _, at := range d.addrs {
		fmt.Fprintf(&b, " real_server %v %d {\n weight 1\n %s {\n %s }\n }\n", at.Addr(), at.Port(), kind, check)
	}
	return b.String() + "}\n"
}

// start lets all servers listen and answer as a web server does.
func (d *doomed) start() {
	for _, at := range d.addrs {
		var l net.Listener
		var err error
		d.ns.Do(func() { l, err = net.Listen("tcp", at.String()) })
		if err != nil {
			d.t.Fatal(err)
		}
		d.open = append(d.open, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(5 * time.Second))
					if _, err := c.Read(make([]byte, 1024)); err == nil {
						io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nhello")
					}
				}()
			}
		}()
	}
}

func (d *doomed) stop() {
	for _, l := range d.open {
		l.Close()
	}
	d.open = nil
}

// opens reports whether a frame is the first packet of a connection.
func opens(f nettest.Frame) bool {
	const head = 14
	if f.Protocol != unix.IPPROTO_TCP || !f.Outgoing || len(f.Raw) < head+20 {
		return false
	}
	tcp := f.Raw[head+int(f.Raw[head]&15)*4:]
	return len(tcp) >= 20 && binary.BigEndian.Uint16(tcp[2:]) == 9000 && tcp[13]&0x12 == 0x02 // SYN, no ACK
}

// around finds the last two connections to a server that were opened before a
// line, and how many were between its death and the line.
func (d *doomed) around(wire *nettest.Capture, to netip.AddrPort, dead, line time.Time) (before, found time.Time, n int) {
	for _, f := range wire.Frames() {
		if f.Dst != to.Addr() || !opens(f) || f.At.After(line) {
			continue
		}
		before, found = found, f.At
		if f.At.After(dead) {
			n++
		}
	}
	return before, found, n
}

// checkedTwice reports whether every server was since a moment.
func (d *doomed) checkedTwice(wire *nettest.Capture, since time.Time) bool {
	n := map[netip.Addr]int{}
	for _, f := range wire.Frames() {
		if f.At.After(since) && opens(f) {
			n[f.Dst]++
		}
	}
	for _, at := range d.addrs {
		if n[at.Addr()] < 2 {
			return false
		}
	}
	return true
}
