package ipvs

import (
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/vmtest"
)

func TestInVM(t *testing.T) { vmtest.Rerun(t, "^TestKernel|^BenchmarkKernel", "ip") }

func openKernel(t testing.TB) *Kernel {
	t.Helper()
	vmtest.Inside(t)
	k, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Do([]Op{{Verb: Flush}}, nil); err != nil {
			t.Error(err)
		}
		k.Close()
	})
	return k
}

func do(t testing.TB, k *Kernel, ops []Op) {
	t.Helper()
	err := k.Do(ops, func(i int, f *Fault) { t.Errorf("%s: %v", show(ops[i]), f) })
	if err != nil {
		t.Fatal(err)
	}
}

func dump(t testing.TB, k *Kernel) []Service {
	t.Helper()
	list, err := k.Dump()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// everyKind has one of each thing that configuration can say.
func everyKind() []Service {
	ap := netip.MustParseAddrPort
	v4 := func(n byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 98, 0, n}), 80) }
	list := []Service{
		{Key: AddrKey(TCP, ap("10.99.0.1:80")), Options: Options{Scheduler: "wlc"}, Servers: []Server{
			{Addr: v4(1), Weight: 1},
			{Addr: v4(2), Forward: DR, Weight: 0, Upper: 100, Lower: 50},
			{Addr: v4(3), Forward: TUN, Weight: MaxWeight},
			{Addr: v4(4), Forward: TUN, Weight: 4, Tunnel: Tunnel{Type: GUE, Port: 6080, Flags: RemoteChecksum}},
			{Addr: v4(5), Forward: TUN, Weight: 5, Tunnel: Tunnel{Type: GRE, Flags: Checksum}},
			{Addr: ap("[2001:db8::1]:80"), Forward: TUN, Weight: 6},
		}},
		{Key: AddrKey(UDP, ap("10.99.0.2:5060")), Options: Options{Scheduler: "rr", Flags: OnePacket}},
		{Key: AddrKey(UDP, ap("10.99.0.3:5060")), Options: Options{Scheduler: "rr",
			Persistence: Persistence{Timeout: 300, Engine: "sip"}}},
		{Key: AddrKey(SCTP, ap("10.99.0.4:80")), Options: Options{Scheduler: "sh", Flags: SchedFlag1 | SchedFlag2,
			Persistence: Persistence{Timeout: 100, Granularity: 0xffffff00}}},
		{Key: AddrKey(TCP, ap("[2001:db8::9]:80")), Options: Options{Scheduler: "mh", Flags: SchedFlag3,
			Persistence: Persistence{Timeout: 60, Granularity: 64}}, Servers: []Server{{Addr: ap("[2001:db8::1]:80"), Weight: 6}}},
		{Key: MarkKey(IPv4, 7), Options: Options{Scheduler: "wrr"}, Servers: []Server{{Addr: v4(1), Weight: 1}}},
		{Key: MarkKey(IPv6, 7), Options: Options{Scheduler: "wrr"}, Servers: []Server{{Addr: ap("[2001:db8::1]:80"), Weight: 6}}},
	}
	return list
}

func TestKernelTakesAndGivesBackEveryKind(t *testing.T) {
	k := openKernel(t)
	if list := dump(t, k); len(list) != 0 {
		t.Fatalf("empty table reads as %v", list)
	}
	want := everyKind()
	do(t, k, Plan(nil, want))
	if d := cmp.Diff(canonical(want), canonical(dump(t, k)), equateTables); d != "" {
		t.Errorf("table read back (-want +got):\n%s", d)
	}
	if ops := Plan(dump(t, k), want); len(ops) != 0 {
		t.Errorf("plan to the same table has %d operations: %s …", len(ops), show(ops[0]))
	}
	// From any table to any other: everything changes in place.
	for i := range want {
		want[i].Scheduler = "lc"
		want[i].Flags = 0
		want[i].Persistence = Persistence{}
		for j := range want[i].Servers {
			want[i].Servers[j].Weight++
			want[i].Servers[j].Weight %= 10
		}
	}
	ops := Plan(dump(t, k), want)
	for _, op := range ops {
		if op.Verb != EditService && op.Verb != EditServer {
			t.Errorf("%s, want only edits", show(op))
		}
	}
	do(t, k, ops)
	if d := cmp.Diff(canonical(want), canonical(dump(t, k)), equateTables); d != "" {
		t.Errorf("table after edits (-want +got):\n%s", d)
	}
	do(t, k, Plan(dump(t, k), nil))
	if list := dump(t, k); len(list) != 0 {
		t.Errorf("%d services are left", len(list))
	}
}

func TestKernelRefusesWithTheOriginalsText(t *testing.T) {
	k := openKernel(t)
	key := AddrKey(TCP, netip.MustParseAddrPort("10.99.1.28:80"))
	srv := Server{Addr: netip.MustParseAddrPort("127.0.0.11:80"), Weight: 1}
	var got []string
	err := k.Do([]Op{
		{Verb: AddService, Service: key, Options: Options{Scheduler: "twos"}},
		{Verb: AddServer, Service: key, Server: srv},
		{Verb: DeleteServer, Service: key, Server: srv},
		{Verb: DeleteService, Service: key},
		{Verb: AddService, Service: key, Options: Options{Scheduler: "rr"}},
		{Verb: AddService, Service: key, Options: Options{Scheduler: "rr"}},
		{Verb: AddServer, Service: key, Server: srv},
		{Verb: AddServer, Service: key, Server: srv},
	}, func(_ int, f *Fault) { got = append(got, f.Error()) })
	want := []string{
		"IPVS cmd IP_VS_SO_SET_ADD(1154) error: Scheduler or persistence engine not found(2) (10.99.1.28:tcp:80)",
		"IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: No such file or directory(2) (10.99.1.28:tcp:80 -> 127.0.0.11:80)",
		"IPVS cmd IP_VS_SO_SET_DELDEST(1160) error: No such destination(2) (10.99.1.28:tcp:80 -> 127.0.0.11:80)",
		"IPVS cmd IP_VS_SO_SET_DEL(1156) error: No such file or directory(2) (10.99.1.28:tcp:80)",
		"IPVS cmd IP_VS_SO_SET_ADD(1154) error: Service already exists(17) (10.99.1.28:tcp:80)",
		"IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Destination already exists(17) (10.99.1.28:tcp:80 -> 127.0.0.11:80)",
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v, refusals (-want +got):\n%s", err, d)
	}
}

func TestKernelTimeouts(t *testing.T) {
	k := openKernel(t)
	before, err := k.Timeouts()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.SetTimeouts(Timeouts{TCP: 77 * time.Second}); err != nil {
		t.Fatal(err)
	}
	want := before
	want.TCP = 77 * time.Second
	if got, err := k.Timeouts(); err != nil || got != want {
		t.Errorf("timeouts %v, %v, want %v", got, err, want)
	}
	if err := k.SetTimeouts(before); err != nil {
		t.Fatal(err)
	}
}

func TestKernelSyncDaemons(t *testing.T) {
	k := openKernel(t)
	if out, err := exec.Command("ip", "link", "set", "lo", "multicast", "on").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d := SyncDaemon{Interface: "lo", ID: 9, MaxLen: 1000, Group: netip.MustParseAddr("224.0.0.99"), Port: 9999, TTL: 3}
	for _, s := range []SyncState{SyncMaster, SyncBackup} {
		if err := k.StartSync(s, d); err != nil {
			t.Fatal(err)
		}
	}
	got, err := k.SyncDaemons()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b RunningDaemon) int { return int(a.State) - int(b.State) })
	backup := d
	if len(got) == 2 {
		backup.MaxLen = got[1].MaxLen // a backup takes what it receives: the kernel's own limit
	}
	if want := []RunningDaemon{{SyncMaster, d}, {SyncBackup, backup}}; !slices.Equal(got, want) {
		t.Errorf("daemons %+v, want %+v", got, want)
	}
	if err := k.StartSync(SyncMaster, d); !errors.Is(err, unix.EEXIST) {
		t.Errorf("a second master: %v, want EEXIST", err)
	}
	for _, s := range []SyncState{SyncMaster, SyncBackup} {
		if err := k.StopSync(s, 9); err != nil {
			t.Error(err)
		}
	}
	if got, err := k.SyncDaemons(); err != nil || len(got) != 0 {
		t.Errorf("daemons after the stop: %v, %v", got, err)
	}
	const want = "IPVS cmd IP_VS_SO_SET_STOPDAEMON(1164) error: No daemon is running(2)"
	if err := k.StopSync(SyncMaster, 9); err == nil || err.Error() != want {
		t.Errorf("stop of no daemon: %v, want %s", err, want)
	}
}

func TestKernelCounters(t *testing.T) {
	k := openKernel(t)
	list := everyKind()
	do(t, k, Plan(nil, list))
	for _, s := range list {
		if c, err := k.ServiceCounters(s.Key); err != nil || c.Connections != 0 {
			t.Errorf("counters of %s: %+v, %v", s.Key, c, err)
		}
		got, err := k.ServerCounters(s.Key)
		if err != nil || len(got) != len(s.Servers) {
			t.Errorf("counters of servers of %s: %v, %v", s.Key, got, err)
		}
		for _, c := range got { // the library and our own dump agree
			if !slices.ContainsFunc(s.Servers, func(d Server) bool { return d.normal() == c.Server }) {
				t.Errorf("%s: the library reads a server %+v", s.Key, c.Server)
			}
		}
	}
	if err := k.Zero(list[0].Key); err != nil {
		t.Error(err)
	}
	if err := k.Zero(Key{}); err != nil {
		t.Error(err)
	}
}

func TestKernelInAnotherNamespace(t *testing.T) {
	here := openKernel(t)
	for _, a := range [][]string{{"netns", "add", "other"}, {"-n", "other", "link", "set", "lo", "up"},
		{"-n", "other", "route", "add", "10.98.0.0/24", "dev", "lo"}} {
		if out, err := exec.Command("ip", a...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	there, err := Open("other")
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	do(t, there, Plan(nil, everyKind()))
	if n := len(dump(t, there)); n != len(everyKind()) {
		t.Errorf("%d services in the namespace, want %d", n, len(everyKind()))
	}
	if n := len(dump(t, here)); n != 0 {
		t.Errorf("%d services in our own namespace, want none", n)
	}
	if _, err := Open("nowhere"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a namespace that is not there: %v", err)
	}
}

func tenThousand() []Service {
	var list []Service
	for i := range 100 {
		s := Service{Key: AddrKey(TCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i), 1}), 80)), Options: Options{Scheduler: "wrr"}}
		for n := range 100 {
			s.Servers = append(s.Servers, Server{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(i + 1), 0, byte(n + 1)}), 8080), Weight: 1})
		}
		list = append(list, s)
	}
	return list
}

// usedCPU is the processor time of this process.
func usedCPU() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestKernelTenThousandServers(t *testing.T) {
	k := openKernel(t)
	want := tenThousand()
	begin := time.Now()
	do(t, k, Plan(nil, want))
	t.Logf("10,000 servers added in %s", time.Since(begin))
	begin, before := time.Now(), usedCPU()
	have := dump(t, k)
	t.Logf("10,000 servers read in %s, %s of processor time", time.Since(begin), usedCPU()-before)
	begin, before = time.Now(), usedCPU()
	if !k.Same(have, 0, 2) {
		t.Error("it is not the same at the next look")
	}
	t.Logf("half of it looked at in %s, %s of processor time", time.Since(begin), usedCPU()-before)
	if n := testing.AllocsPerRun(5, func() { k.Same(have, 1, 2) }); n > 0 {
		t.Errorf("a look allocates %v times", n)
	}
	begin = time.Now()
	if ops := Plan(have, want); len(ops) != 0 {
		t.Errorf("%d operations are left, the first %s", len(ops), show(ops[0]))
	}
	t.Logf("compared in %s", time.Since(begin))
	begin = time.Now()
	do(t, k, Plan(have, nil))
	t.Logf("removed in %s", time.Since(begin))
}

// The servers of a plain service come by socket option, the others by netlink:
// both tell the same, in the order in which the servers were added.
func TestKernelDumpsTheSameBothWays(t *testing.T) {
	k := openKernel(t)
	ap := netip.MustParseAddrPort
	servers := []Server{
		{Addr: ap("10.98.0.9:80"), Weight: 1, Upper: 10, Lower: 5},
		{Addr: ap("10.98.0.1:80"), Weight: 0, Forward: DR},
		{Addr: ap("10.98.0.1:8080"), Weight: MaxWeight},
	}
	want := append(everyKind(),
		Service{Key: AddrKey(TCP, ap("10.99.0.20:443")), Options: Options{Scheduler: "wlc"}, Servers: servers},
		Service{Key: AddrKey(UDP, ap("10.99.0.20:443")), Options: Options{Scheduler: "wlc"}, Servers: servers[:1]},
		Service{Key: MarkKey(IPv4, 20), Options: Options{Scheduler: "wlc"}, Servers: servers[1:]})
	do(t, k, Plan(nil, want))
	counts := k.counts(len(want))
	for _, s := range want {
		n, counted := counts[s.Key]
		if counted != (s.Family == IPv4) || counted && n != len(s.Servers) {
			t.Errorf("%s has %d servers, %v by socket option, want %d", s.Key, n, counted, len(s.Servers))
		}
		got, err := k.serversByOption(s.Key, n)
		slices.Reverse(got)
		plain := !slices.ContainsFunc(s.Servers, func(s Server) bool { return s.Forward == TUN })
		if s.Family == IPv4 && plain && (err != nil || !slices.Equal(got, s.Servers)) {
			t.Errorf("%s by socket option: %v, %v, want %v", s.Key, got, err, s.Servers)
		}
		if !plain && !errors.Is(err, errIncomplete) {
			t.Errorf("%s has tunnels, and the socket option is trusted: %v", s.Key, err)
		}
	}
	fast := dump(t, k)
	unix.Close(k.opt)
	k.opt = -1
	if d := cmp.Diff(dump(t, k), fast, equateTables); d != "" {
		t.Errorf("netlink and socket option differ:\n%s", d)
	}
}

// Same sees every change that others can make, of whatever service, in one of
// as many looks as there are parts.
func TestKernelSeesThatTheTableIsNotTheSame(t *testing.T) {
	k := openKernel(t)
	all := everyKind()
	var plain []Service // where the socket options tell everything
	for _, s := range all {
		if s.Family == IPv4 && s.Persistence.Engine == "" && !slices.ContainsFunc(s.Servers, func(s Server) bool { return s.Forward == TUN }) {
			plain = append(plain, s)
		}
	}
	const parts = 3
	same := func(table []Service) bool {
		for part := range parts {
			if !k.Same(table, part, parts) {
				return false
			}
		}
		return true
	}
	for _, want := range [][]Service{nil, plain, all} {
		do(t, k, Plan(dump(t, k), want))
		table := dump(t, k)
		if !same(table) {
			t.Fatalf("a table of %d services is not the same as itself", len(want))
		}
		try := func(op, back Op) {
			t.Helper()
			do(t, k, []Op{op})
			if same(table) {
				t.Errorf("%d services: %s is not seen", len(want), show(op))
			}
			if back.Verb == DeleteService { // it had no other service
				do(t, k, []Op{back})
			} else { // in the old order
				do(t, k, append([]Op{{Verb: Flush}}, Plan(nil, want)...))
			}
			if table = dump(t, k); !same(table) {
				t.Fatal("the old table is not the same as itself")
			}
		}
		for i, s := range want {
			edited := s.Options
			edited.Scheduler = "nq"
			try(Op{Verb: EditService, Service: s.Key, Options: edited}, Op{})
			edited = s.Options
			edited.Flags ^= SchedFlag3
			try(Op{Verb: EditService, Service: s.Key, Options: edited}, Op{})
			edited = s.Options
			edited.Persistence.Timeout += 7
			try(Op{Verb: EditService, Service: s.Key, Options: edited}, Op{})
			try(Op{Verb: DeleteService, Service: s.Key}, Op{})
			for n, r := range s.Servers {
				r.Weight ^= 1
				try(Op{Verb: EditServer, Service: s.Key, Server: r}, Op{})
				r = s.Servers[n]
				r.Upper += 7
				try(Op{Verb: EditServer, Service: s.Key, Server: r}, Op{})
				try(Op{Verb: DeleteServer, Service: s.Key, Server: r}, Op{})
			}
			if i == 0 {
				foreign := AddrKey(TCP, netip.MustParseAddrPort("10.99.0.99:80"))
				try(Op{Verb: AddService, Service: foreign, Options: Options{Scheduler: "rr"}}, Op{Verb: DeleteService, Service: foreign})
			}
		}
	}
}
