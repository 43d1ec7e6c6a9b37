package checker

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestMain lets many tests wait at a time: they do little else. Fuzzing, which
// does, keeps to its own number.
func TestMain(m *testing.M) {
	if at := os.Getenv(echoAt); at != "" {
		echoProcess(at)
	}
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		_ = flag.Set("test.parallel", "16")
	}
	nettest.Hurry()
	os.Exit(m.Run())
}

// rig is one real server behind one virtual server, with its checks, run by a
// real scheduler over real sockets: what the operator sees of a fault, and when.
type rig struct {
	*bench
	pool  *Pool
	lines []string // all of the log, as with -D
	alive bool
}

// play is a subtest that waits beside others for time-outs, of which the
// shortest are some 250 ms (nettest.Play).
func play(t *testing.T, name string, body func(t testing.TB)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		nettest.Play(t, 250*time.Millisecond, body)
	})
}

// rigDelay is the delay_loop of a rig; a server is given up at the second
// failure.
const rigDelay = 100 * time.Millisecond

func newRig(t testing.TB, opt SchedulerOptions, specs ...Spec) *rig {
	t.Helper()
	r := &rig{pool: NewPool()}
	r.bench = newBench(t, opt)
	r.opt.Report = r.pool.Report
	r.after = r.apply
	server := ServerConfig{Addr: local(80), Weight: 1}
	for _, s := range specs {
		server.Checks = append(server.Checks, CheckConfig{Spec: s,
			Schedule: Schedule{DelayLoop: rigDelay, DelayBeforeRetry: rigDelay, Retry: 1}})
	}
	r.pool.Load(time.Now(), &Config{Services: []ServiceConfig{service1(server)}}, Options{})
	r.apply()
	return r
}

// apply carries out what the pool wants.
func (r *rig) apply() {
	for _, e := range r.pool.Drain() {
		switch e := e.(type) {
		case Log:
			r.lines = append(r.lines, e.Text)
		case ServerNotice:
			r.alive = e.Up
		}
		r.Scheduler.Apply(e)
	}
}

// says waits until a line of the log since began contains what; most is how
// long that may take.
func (r *rig) says(t testing.TB, what string, most time.Duration) {
	t.Helper()
	has := func() bool { return r.said(what) }
	began := time.Now()
	defer func() {
		if !has() {
			t.Logf("the log says:\n%s", strings.Join(r.lines, "\n"))
		}
	}()
	r.until(t, "the log says "+what, has)
	if took := time.Since(began); took > most+busy {
		t.Errorf("%q was said after %v, want no more than %v", what, took, most)
	}
}

func (r *rig) said(what string) bool {
	return slices.ContainsFunc(r.lines, func(line string) bool { return strings.Contains(line, what) })
}

// works waits until the check has succeeded at least once.
func (r *rig) works(t testing.TB) {
	t.Helper()
	defer func() {
		if !r.wentWell() {
			t.Logf("%d under way, next due %v; the log says:\n%s", r.Running(), r.Next(), strings.Join(r.lines, "\n"))
		}
	}()
	r.until(t, "the check has succeeded", r.wentWell)
}

// wentWell reports whether the check has succeeded at least once.
func (r *rig) wentWell() bool {
	s := r.pool.Snapshot()[0].Servers[0]
	return s.Checks[0].HasRun && s.Checks[0].Up
}

// goesDown waits until the server leaves the pool, and wants the reason in the
// log: "connection failed: Connection refused". limit is what one attempt may
// take; two of them are made after the one that still succeeded.
func (r *rig) goesDown(t testing.TB, why string, limit time.Duration) {
	t.Helper()
	r.lines = nil
	r.says(t, "Removing service", 3*(rigDelay+limit))
	if r.alive {
		t.Error("the server is still said to be up")
	}
	if !r.said(why) {
		t.Errorf("no line says %q:\n%s", why, strings.Join(r.lines, "\n"))
	}
}

// comesBack waits until the server is in the pool again. limit is what one
// attempt may take.
func (r *rig) comesBack(t testing.TB, limit time.Duration) {
	t.Helper()
	r.lines = nil
	r.says(t, "Adding service", 3*(rigDelay+limit))
}

// busy is what a machine may lose that has other things to do.
const busy = 3 * time.Second
