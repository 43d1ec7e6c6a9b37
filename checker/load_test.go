package checker_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/ipvs"
	"golang.org/x/sys/unix"
)

// core joins a pool and a scheduler as internal/checkd does.
type core struct {
	pool  *checker.Pool
	sched *checker.Scheduler
	lost  int
}

func (c *core) Next() time.Time    { return c.sched.Next() }
func (c *core) Tick(now time.Time) { c.sched.Tick(now) }
func (c *core) Apply(time.Time) {
	for _, e := range c.pool.Drain() {
		if n, ok := e.(checker.ServerNotice); ok && !n.Up {
			c.lost++
		}
		c.sched.Apply(e)
	}
}

// TestLoad measures what a check costs, when CHECKER_LOAD is set to
// "http|tcp COUNT SECONDS COUNTFILE": COUNT servers on 127.0.0.0/8 port 8080,
// one check a second each, answered by lab/responder, which counts in
// COUNTFILE. It is run in a network namespace, by hand.
func TestLoad(t *testing.T) {
	f := strings.Fields(os.Getenv("CHECKER_LOAD"))
	if len(f) != 4 {
		t.Skip("skipped: CHECKER_LOAD is not set")
	}
	n, _ := strconv.Atoi(f[1])
	seconds, _ := strconv.Atoi(f[2])
	answered := func() uint64 {
		b, err := os.ReadFile(f[3])
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		if f[0] == "http" {
			i = 8
		}
		return binary.NativeEndian.Uint64(b[i:])
	}
	c := &core{pool: checker.NewPool()}
	loop, err := process.NewLoop(c)
	if err != nil {
		t.Fatal(err)
	}
	c.sched = checker.NewScheduler(checker.SchedulerOptions{Post: loop.Post, Report: c.pool.Report})
	go loop.Run()
	seed := uint32(1)
	loop.Post(func(now time.Time) {
		c.pool.Load(now, loadConfig(f[0], n), checker.Options{Random: func() float64 {
			seed = seed*1664525 + 1013904223
			return float64(seed) / (1 << 32)
		}})
	})
	time.Sleep(4 * time.Second)
	before, from, start := cpu(), answered(), time.Now()
	time.Sleep(time.Duration(seconds) * time.Second)
	used, done, took := cpu()-before, answered()-from, time.Since(start)
	rss, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(rss)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "Threads") {
			fmt.Print(line)
		}
	}
	late := make(chan checker.Lateness)
	loop.Post(func(time.Time) { late <- c.sched.Lateness() })
	fmt.Printf("%s %d: %.0f/s, %.4f ms CPU per check, lost %d, lateness %+v\n", f[0], n, float64(done)/took.Seconds(),
		float64(used.Microseconds())/1e3/float64(done), c.lost, <-late)
}

func cpu() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func loadConfig(kind string, n int) *checker.Config {
	cfg := &checker.Config{}
	for v := 0; v < n; v += 100 {
		s := checker.ServiceConfig{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(v / 100), 1}), 80),
			Protocol: ipvs.TCP, Family: ipvs.IPv4, Quorum: 1, Options: ipvs.Options{Scheduler: "wrr"}}
		for k := v; k < min(n, v+100); k++ {
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + k/10000), byte(k % 10000 / 100), byte(k%100 + 1)}), 8080)
			at := checker.Connection{To: to, Timeout: 3 * time.Second}
			var spec checker.Spec = checker.TCPCheck{Connection: at}
			if kind == "http" {
				spec = checker.HTTPCheck{Connection: at, URLs: []checker.URL{{Path: "/", Status: []checker.StatusRange{{First: 200, Last: 200}}}}}
			}
			s.Servers = append(s.Servers, checker.ServerConfig{Addr: to, Weight: 1, Checks: []checker.CheckConfig{{
				Schedule: checker.Schedule{DelayLoop: time.Second, DelayBeforeRetry: time.Second, Warmup: time.Second}, Spec: spec}}})
		}
		cfg.Services = append(cfg.Services, s)
	}
	return cfg
}
