package checkd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/ipvs"
)

// fakeKernel keeps a table as the kernel does, refuses what it would refuse,
// and whatever the test wants refused.
type fakeKernel struct {
	services map[ipvs.Key]*ipvs.Service
	refuse   map[ipvs.Key]unix.Errno // AddService
	broken   bool
	calls    int
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{services: map[ipvs.Key]*ipvs.Service{}, refuse: map[ipvs.Key]unix.Errno{}}
}

func (k *fakeKernel) Close() {}

func (k *fakeKernel) Dump() ([]ipvs.Service, error) {
	if k.broken {
		return nil, errors.New("broken")
	}
	var all []ipvs.Service
	for _, s := range k.services {
		c := *s
		c.Servers = slices.Clone(s.Servers)
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b ipvs.Service) int { return a.Key.Compare(b.Key) })
	return all, nil
}

func (k *fakeKernel) Same(dump []ipvs.Service, part, parts int) bool {
	list, err := k.Dump()
	if err != nil || len(list) != len(dump) {
		return false
	}
	for i := range list {
		a, b := &list[i], &dump[i]
		if a.Key != b.Key || a.Options != b.Options || len(a.Servers) != len(b.Servers) ||
			i%parts == part && !slices.Equal(a.Servers, b.Servers) {
			return false
		}
	}
	return true
}

func (k *fakeKernel) Do(ops []ipvs.Op, failed func(int, *ipvs.Fault)) error {
	if k.broken {
		return errors.New("broken")
	}
	for i, op := range ops {
		k.calls++
		if errno := k.one(op); errno != 0 {
			failed(i, ipvs.NewFault(op, errno))
		}
	}
	return nil
}

func (k *fakeKernel) one(op ipvs.Op) unix.Errno {
	if op.Verb == ipvs.Flush {
		clear(k.services)
		return 0
	}
	s := k.services[op.Service]
	if op.Verb == ipvs.AddService {
		if s != nil {
			return unix.EEXIST
		}
		if errno := k.refuse[op.Service]; errno != 0 {
			return errno
		}
		k.services[op.Service] = &ipvs.Service{Key: op.Service, Options: op.Options}
		return 0
	}
	if s == nil {
		return unix.ESRCH
	}
	i := slices.IndexFunc(s.Servers, func(v ipvs.Server) bool { return v.Addr == op.Server.Addr })
	switch op.Verb {
	case ipvs.EditService:
		s.Options = op.Options
	case ipvs.DeleteService:
		delete(k.services, op.Service)
	case ipvs.AddServer:
		if i >= 0 {
			return unix.EEXIST
		}
		s.Servers = append(s.Servers, op.Server)
	case ipvs.EditServer, ipvs.DeleteServer:
		if i < 0 {
			return unix.ENOENT
		}
		s.Servers[i] = op.Server
		if op.Verb == ipvs.DeleteServer {
			s.Servers = slices.Delete(s.Servers, i, i+1)
		}
	}
	return 0
}

// captureLog collects what is logged until the test ends.
func captureLog(t *testing.T) func() []string {
	var mu sync.Mutex
	var lines []string
	t.Cleanup(log.Capture(func(l log.Line) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l.Text)
	}))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := lines
		lines = nil
		return out
	}
}

func vip(n byte) ipvs.Key {
	return ipvs.AddrKey(ipvs.TCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 80))
}

func backend(n byte, weight uint32) ipvs.Server {
	return ipvs.Server{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, n}), 80), Weight: weight}
}

func serviceOf(n byte, servers ...ipvs.Server) ipvs.Service {
	return ipvs.Service{Key: vip(n), Options: ipvs.Options{Scheduler: "rr"}, Servers: servers}
}

var sameTable = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}

func kernelHas(t *testing.T, k *fakeKernel, want ...ipvs.Service) {
	t.Helper()
	got, _ := k.Dump()
	if d := cmp.Diff(want, got, sameTable); d != "" {
		t.Errorf("kernel's table (-want +got):\n%s", d)
	}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func openTable(k *fakeKernel) *table {
	t := newTable(func() (balancer, error) { return k, nil })
	t.open(start)
	return t
}

func TestTableCallsOnlyForTheDifference(t *testing.T) {
	k := newFakeKernel()
	tb := openTable(k)
	tb.set(start, []ipvs.Service{serviceOf(1, backend(1, 1), backend(2, 1)), serviceOf(2, backend(1, 1))})
	k.calls = 0
	want := []ipvs.Service{serviceOf(1, backend(1, 1), backend(2, 5)), serviceOf(2, backend(1, 1))}
	tb.set(start, want)
	tb.set(start, want)
	tb.setPart(start, want[:1])
	if k.calls != 1 {
		t.Errorf("%d netlink requests for one weight, want 1", k.calls)
	}
	kernelHas(t, k, want...)
}

// One server more or less in a hundred virtual servers of a hundred is one
// request.
func TestTableOfTenThousandChangesOneServer(t *testing.T) {
	k := newFakeKernel()
	tb := openTable(k)
	var want []ipvs.Service
	for n := range byte(100) {
		s := serviceOf(n)
		for i := range byte(100) {
			s.Servers = append(s.Servers, backend(i, 1))
		}
		want = append(want, s)
	}
	tb.set(start, want)
	all := want[50].Servers
	for _, tt := range []struct {
		name    string
		servers []ipvs.Server
	}{
		{"one gone", slices.Concat(all[:50], all[51:])},
		{"it is back", all},
		{"one more", append(slices.Clone(all), backend(200, 1))},
	} {
		k.calls = 0
		next := slices.Clone(want) // those of before are the table's
		next[50].Servers = tt.servers
		tb.set(start, next)
		if k.calls != 1 {
			t.Errorf("%s: %d netlink requests, want 1", tt.name, k.calls)
		}
	}
}

// A server comes just after somebody has cleared the table: its virtual server
// is put back by the guard, and the server is tried again soon after.
func TestTableTriesAgainWhenItsServiceWasRemoved(t *testing.T) {
	k := newFakeKernel()
	captureLog(t)
	tb := openTable(k)
	tb.set(start, []ipvs.Service{serviceOf(1, backend(1, 1))})
	clear(k.services)
	want := []ipvs.Service{serviceOf(1, backend(1, 1), backend(2, 1))}
	tb.set(start, want)
	dump, _ := k.Dump()
	tb.compare(start, tb.changes, dump)
	if pause := tb.retry.Sub(start); pause <= 0 || pause > brokenPause {
		t.Errorf("it tries again after %v, want %v", pause, brokenPause)
	}
	tb.set(tb.retry, want)
	kernelHas(t, k, want...)
}

// What a killed process left is taken over: nothing is removed and added, and
// strangers' services are not touched.
func TestTableAdoptsWhatIsThere(t *testing.T) {
	k := newFakeKernel()
	lines := captureLog(t)
	left := serviceOf(1, backend(1, 77), backend(9, 7))
	left.Scheduler = "wlc"
	k.services[left.Key] = &left
	strangers := serviceOf(9)
	k.services[strangers.Key] = &strangers
	tb := openTable(k)
	want := []ipvs.Service{serviceOf(1, backend(1, 10), backend(2, 20))}
	tb.adopt(start, want)
	tb.set(start, want)
	kernelHas(t, k, want[0], strangers)
	tb.set(start, nil)
	kernelHas(t, k, strangers)
	if got := lines(); len(got) != 0 {
		t.Errorf("logged %q", got)
	}
}

func TestTableUndoesStrangersChanges(t *testing.T) {
	want := []ipvs.Service{serviceOf(1, backend(1, 1), backend(2, 1)), serviceOf(2, backend(1, 1))}
	for _, tt := range []struct {
		name  string
		do    func(k *fakeKernel)
		lines []string
	}{
		{"nothing", func(*fakeKernel) {}, nil},
		{"a service of their own", func(k *fakeKernel) { k.services[vip(9)] = &ipvs.Service{Key: vip(9)} }, nil},
		{"cleared", func(k *fakeKernel) { clear(k.services) }, []string{
			"IPVS: virtual service 10.0.0.1:tcp:80 was removed by another program, putting it back",
			"IPVS: virtual service 10.0.0.2:tcp:80 was removed by another program, putting it back"}},
		{"a server removed", func(k *fakeKernel) { k.services[vip(1)].Servers = k.services[vip(1)].Servers[:1] }, []string{
			"IPVS: real server 10.0.0.1:tcp:80 -> 10.1.0.2:80 was removed by another program, putting it back"}},
		{"a weight", func(k *fakeKernel) { k.services[vip(1)].Servers[0].Weight = 9 }, []string{
			"IPVS: real server 10.0.0.1:tcp:80 -> 10.1.0.1:80 was changed by another program, setting it right"}},
		{"a scheduler", func(k *fakeKernel) { k.services[vip(2)].Scheduler = "lc" }, []string{
			"IPVS: virtual service 10.0.0.2:tcp:80 was changed by another program, setting it right"}},
		{"a server added", func(k *fakeKernel) {
			k.services[vip(2)].Servers = append(k.services[vip(2)].Servers, backend(9, 1))
		}, []string{
			"IPVS: real server 10.0.0.2:tcp:80 -> 10.1.0.9:80 was added by another program, removing it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newFakeKernel()
			tb := openTable(k)
			tb.set(start, want)
			lines := captureLog(t)
			tt.do(k)
			dump, _ := k.Dump()
			if !tb.compare(start, tb.changes, dump) {
				t.Fatal("the dump was taken for an old one")
			}
			if d := cmp.Diff(tt.lines, lines(), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("log (-want +got):\n%s", d)
			}
			delete(k.services, vip(9))
			kernelHas(t, k, want...)
		})
	}
}

// A dump that was made before our own last change says nothing.
func TestTableIgnoresAnOldDump(t *testing.T) {
	k := newFakeKernel()
	tb := openTable(k)
	tb.set(start, []ipvs.Service{serviceOf(1, backend(1, 1))})
	dump, _ := k.Dump()
	before := tb.changes
	tb.set(start, []ipvs.Service{serviceOf(1, backend(1, 1), backend(2, 1))})
	if tb.compare(start, before, dump) {
		t.Error("the old dump was compared")
	}
	kernelHas(t, k, serviceOf(1, backend(1, 1), backend(2, 1)))
}

// A refusal is said once, stands in nobody's way, and is tried again.
func TestTableRefusal(t *testing.T) {
	k := newFakeKernel()
	lines := captureLog(t)
	k.refuse[vip(1)] = unix.ENOENT
	tb := openTable(k)
	want := []ipvs.Service{serviceOf(1, backend(1, 1)), serviceOf(2, backend(1, 1))}
	tb.set(start, want)
	kernelHas(t, k, want[1])
	first := lines()
	if len(first) != 2 || !strings.Contains(first[0], "Scheduler or persistence engine not found(2) (10.0.0.1:tcp:80)") {
		t.Errorf("logged %q", first)
	}
	if want := start.Add(refusedPause); !tb.retry.Equal(want) {
		t.Errorf("retry at %v, want %v", tb.retry, want)
	}
	tb.set(tb.retry, want)
	if again := lines(); len(again) != 0 {
		t.Errorf("said again: %q", again)
	}
	delete(k.refuse, vip(1))
	tb.set(tb.retry, want)
	kernelHas(t, k, want...)
}

func TestTableWithoutIPVS(t *testing.T) {
	lines := captureLog(t)
	k := newFakeKernel()
	there := false
	tb := newTable(func() (balancer, error) {
		if !there {
			return nil, ipvs.ErrMissing
		}
		return k, nil
	})
	for range 3 {
		tb.open(start)
		tb.set(start, []ipvs.Service{serviceOf(1)})
	}
	if got := lines(); len(got) != 2 || got[0] != "IPVS: Can't initialize ipvs: No such file or directory" {
		t.Errorf("logged %q", got)
	}
	there = true
	tb.open(start)
	tb.set(start, []ipvs.Service{serviceOf(1)})
	kernelHas(t, k, serviceOf(1))
	if got := lines(); len(got) != 1 {
		t.Errorf("logged %q when it came", got)
	}
}
