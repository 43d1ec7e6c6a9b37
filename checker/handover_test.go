package checker

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// handoverConfig has a server of each kind of state: plain, HTTP with two urls,
// a program that sets the weight, and a sorry server.
func handoverConfig() *Config {
	http := tcpServer("127.0.0.12:80", 10, func(s *ServerConfig) {
		s.Checks[0].Spec = HTTPCheck{Connection: Connection{To: s.Addr, Timeout: time.Second}, URLs: []URL{{Path: "/a"}, {Path: "/b"}}}
	})
	misc := tcpServer("127.0.0.13:80", 10, func(s *ServerConfig) {
		s.Checks[0].Spec = MiscCheck{Script: Script{Args: []string{"/bin/true"}}, Dynamic: true}
	})
	first := service1(tcpServer("127.0.0.11:80", 10), http, misc)
	second := service1(tcpServer("127.0.1.11:80", 1))
	second.Addr = netip.MustParseAddrPort("10.99.0.2:80")
	second.Sorry = &SorryServer{Addr: netip.MustParseAddrPort("127.0.0.99:80")}
	return &Config{Services: []ServiceConfig{first, second}}
}

// beforeCrash is a pool in which much has happened: 11 failed, 12 is between
// the two urls of its second round, 13 said 42, and the second service has its sorry server.
func beforeCrash(now time.Time) *Pool {
	p := NewPool()
	p.Load(now, handoverConfig(), Options{})
	bad := Result{Reason: ConnectFailed}
	p.Report(now, 1, bad)
	p.Report(now, 1, bad)
	for range 3 {
		p.Report(now, 2, Result{Reason: OK})
	}
	p.Report(now, 3, Result{Reason: OK, Code: 42})
	p.Report(now, 4, bad)
	p.Report(now, 4, bad)
	p.Drain()
	return p
}

func TestRestoreKeepsTheTable(t *testing.T) {
	now := time.Unix(1000, 0)
	old := beforeCrash(now)
	p := NewPool()
	if !p.Restore(now, handoverConfig(), Options{}, old.AppendState(nil)) {
		t.Fatal("the state is refused")
	}
	if got, want := table1(p.Want()), table1(old.Want()); got != want {
		t.Errorf("the table is\n%s, want\n%s", got, want)
	}
	const want = "10.99.0.1:tcp:80 wrr\n  127.0.0.12:80 10\n  127.0.0.13:80 40\n10.99.0.2:tcp:80 wrr\n  127.0.0.99:80 1\n"
	if got := table1(p.Want()); got != want {
		t.Errorf("the table is\n%s, want\n%s", got, want)
	}
	started := 0
	for _, e := range p.Drain() {
		switch e := e.(type) {
		case ServerNotice, QuorumNotice, Mail:
			t.Errorf("told again: %#v", e)
		case Start:
			started++
			if e.ID == 2 && e.Step != 1 {
				t.Errorf("the HTTP check begins with url %d, want 1", e.Step)
			}
		}
	}
	if started != 4 {
		t.Errorf("%d checks start, want 4", started)
	}
	for _, pool := range []*Pool{p, old} {
		if pool.Report(now, 2, Result{Reason: ConnectFailed}); table1(pool.Want()) != want {
			t.Errorf("one failure takes a server out: retries are lost")
		}
	}
	old.Drain()
	p.Drain()
	p.Report(now, 1, Result{Reason: OK})
	p.Report(now, 4, Result{Reason: OK})
	old.Report(now, 1, Result{Reason: OK})
	old.Report(now, 4, Result{Reason: OK})
	if diff := cmp.Diff(lines(old.Drain()), lines(p.Drain())); diff != "" {
		t.Errorf("what comes later differs (-old +new):\n%s", diff)
	}
}

// TestLeft: a process that knows nothing but the table which an earlier one left
// checks those servers at once that were not in use in it; the others, and
// those of a virtual server that was not there, wait as after any start.
func TestLeft(t *testing.T) {
	now := time.Unix(1000, 0)
	cfg := handoverConfig()
	third := service1(tcpServer("127.0.2.11:80", 1), tcpServer("127.0.2.12:80", 0))
	third.Addr = netip.MustParseAddrPort("10.99.0.3:80")
	cfg.Services = append(cfg.Services, third)
	p := NewPool()
	p.Load(now, cfg, Options{Random: func() float64 { return 0.5 }})
	left := beforeCrash(now).Want() // without 127.0.0.11, and with the sorry server only
	left[0].Servers[0].Weight = 0
	p.Left(now, left)
	began := map[CheckID]time.Time{}
	for _, e := range p.Drain() {
		if e, ok := e.(Start); ok {
			began[e.ID] = e.At
		}
	}
	wait := now.Add(startDelay + cfg.Services[0].Servers[0].Checks[0].Schedule.Warmup/2)
	want := map[CheckID]time.Time{1: now, 2: now, 3: wait, 4: now, 5: wait, 6: wait}
	if diff := cmp.Diff(want, began); diff != "" {
		t.Errorf("first runs (-want +got):\n%s", diff)
	}
}

func TestRestoreRefusesWhatDoesNotFit(t *testing.T) {
	now := time.Unix(1000, 0)
	state := beforeCrash(now).AppendState(nil)
	other := handoverConfig()
	other.Services[0].Servers = other.Services[0].Servers[:2]
	for _, tt := range []struct {
		name  string
		cfg   *Config
		state []byte
	}{
		{"other servers", other, state},
		{"no state", handoverConfig(), nil},
		{"cut off", handoverConfig(), state[:len(state)-1]},
		{"too long", handoverConfig(), append(state[:len(state):len(state)], 0)},
		{"other version", handoverConfig(), append([]byte{stateVersion + 1}, state[1:]...)},
	} {
		p := NewPool()
		if p.Restore(now, tt.cfg, Options{}, tt.state) {
			t.Errorf("%s: accepted", tt.name)
		}
		if len(p.Drain()) != 0 || len(p.Want()) != 0 {
			t.Errorf("%s: the pool has changed", tt.name)
		}
	}
}

func TestRevisionFollowsTheState(t *testing.T) {
	now := time.Unix(1000, 0)
	p := beforeCrash(now)
	steps := []struct {
		name    string
		do      func()
		changes bool
	}{
		{"the same again", func() { p.Report(now, 3, Result{Reason: OK, Code: 42}) }, false},
		{"a retry", func() { p.Report(now, 2, Result{Reason: ConnectFailed}) }, false},
		{"a server comes", func() { p.Report(now, 1, Result{Reason: OK}) }, true},
		{"a weight", func() { p.Report(now, 3, Result{Reason: OK, Code: 12}) }, true},
	}
	for _, s := range steps {
		before := p.Revision()
		s.do()
		if changed := p.Revision() != before; changed != s.changes {
			t.Errorf("%s: revision changed %v, want %v", s.name, changed, s.changes)
		}
	}
}

// FuzzRestore: no state makes Restore panic, and what it accepts can be written
// and read again.
func FuzzRestore(f *testing.F) {
	now := time.Unix(1000, 0)
	f.Add(beforeCrash(now).AppendState(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		p := NewPool()
		if !p.Restore(now, handoverConfig(), Options{}, state) {
			return
		}
		for id := range CheckID(5) {
			p.Report(now, id, Result{Reason: OK})
		}
		if !NewPool().Restore(now, handoverConfig(), Options{}, p.AppendState(nil)) {
			t.Error("its own state is refused")
		}
	})
}
