package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// table reads services written for people:
//
//	10.0.0.1:80 wrr flags=8 pers=360 | 10.1.0.1:80 DR w=5, 10.1.0.2:80 NAT w=0
func table(t *testing.T, lines ...string) []Service {
	t.Helper()
	var all []Service
	for _, l := range lines {
		head, tail, _ := strings.Cut(l, "|")
		f := strings.Fields(head)
		s := Service{Key: AddrKey(TCP, netip.MustParseAddrPort(f[0])), Options: Options{Scheduler: f[1]}}
		for _, o := range f[2:] {
			k, v, _ := strings.Cut(o, "=")
			var n uint32
			fmt.Sscan(v, &n)
			switch k {
			case "flags":
				s.Flags = Flags(n)
			case "pers":
				s.Persistence.Timeout = n
			case "pe":
				s.Persistence.Engine = v
			default:
				t.Fatalf("unknown option %q", o)
			}
		}
		for _, d := range strings.Split(tail, ",") {
			f := strings.Fields(d)
			if len(f) == 0 {
				continue
			}
			v := Server{Addr: netip.MustParseAddrPort(f[0])}
			for m := range Bypass {
				if m.String() == f[1] {
					v.Forward = m
				}
			}
			fmt.Sscanf(f[2], "w=%d", &v.Weight)
			s.Servers = append(s.Servers, v)
		}
		all = append(all, s)
	}
	return all
}

// show writes an operation for people.
func show(op Op) string {
	s := [...]string{"add service", "add server", "edit service", "edit server", "delete server", "delete service", "flush"}[op.Verb]
	s += " " + op.Object()
	switch op.Verb {
	case AddService, EditService:
		s += " " + op.Options.Scheduler
	case AddServer, EditServer:
		s += fmt.Sprintf(" %s w=%d", op.Server.Forward, op.Server.Weight)
	}
	return s
}

func TestPlan(t *testing.T) {
	const one = "10.0.0.1:80 rr | 10.1.0.1:80 NAT w=1, 10.1.0.2:80 NAT w=1"
	tests := []struct {
		name       string
		have, want []string
		ops        []string
	}{
		{"from nothing", nil, []string{one}, []string{
			"add service 10.0.0.1:tcp:80 rr",
			"add server 10.0.0.1:tcp:80 -> 10.1.0.1:80 NAT w=1",
			"add server 10.0.0.1:tcp:80 -> 10.1.0.2:80 NAT w=1"}},
		{"no difference, no operation", []string{one}, []string{one}, nil},
		{"other order of servers is no difference", []string{one},
			[]string{"10.0.0.1:80 rr | 10.1.0.2:80 NAT w=1, 10.1.0.1:80 NAT w=1"}, nil},
		{"weight in place", []string{one}, []string{"10.0.0.1:80 rr | 10.1.0.1:80 NAT w=7, 10.1.0.2:80 NAT w=1"},
			[]string{"edit server 10.0.0.1:tcp:80 -> 10.1.0.1:80 NAT w=7"}},
		{"method in place", []string{one}, []string{"10.0.0.1:80 rr | 10.1.0.1:80 DR w=1, 10.1.0.2:80 NAT w=1"},
			[]string{"edit server 10.0.0.1:tcp:80 -> 10.1.0.1:80 DR w=1"}},
		{"scheduler in place", []string{one}, []string{strings.Replace(one, "rr", "wlc", 1)},
			[]string{"edit service 10.0.0.1:tcp:80 wlc"}},
		{"the new server comes before the old one goes", []string{one},
			[]string{"10.0.0.1:80 rr | 10.1.0.1:80 NAT w=1, 10.1.0.3:80 NAT w=1"}, []string{
				"add server 10.0.0.1:tcp:80 -> 10.1.0.3:80 NAT w=1",
				"delete server 10.0.0.1:tcp:80 -> 10.1.0.2:80"}},
		{"another port is another service; the new one comes first", []string{one},
			[]string{strings.Replace(one, "1:80", "1:81", 1)}, []string{
				"add service 10.0.0.1:tcp:81 rr",
				"add server 10.0.0.1:tcp:81 -> 10.1.0.1:80 NAT w=1",
				"add server 10.0.0.1:tcp:81 -> 10.1.0.2:80 NAT w=1",
				"delete service 10.0.0.1:tcp:80"}},
		{"a service takes its servers along", []string{one}, nil, []string{"delete service 10.0.0.1:tcp:80"}},
		{"engine without persistence means nothing", []string{"10.0.0.1:80 rr pe=sip"}, []string{"10.0.0.1:80 rr"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, op := range Plan(table(t, tt.have...), table(t, tt.want...)) {
				got = append(got, show(op))
			}
			if d := cmp.Diff(tt.ops, got); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
		})
	}
}

// fakeTable does operations as the kernel does, with its refusals.
type fakeTable map[Key]*Service

func (f fakeTable) do(op Op) error {
	s := f[op.Service]
	if op.Verb == AddService {
		if s != nil {
			return fmt.Errorf("service exists")
		}
		f[op.Service] = &Service{Key: op.Service, Options: op.Options}
		return nil
	}
	if s == nil {
		return fmt.Errorf("no such service")
	}
	i := slices.IndexFunc(s.Servers, func(v Server) bool { return v.Addr == op.Server.Addr })
	switch {
	case op.Verb == EditService:
		s.Options = op.Options
	case op.Verb == DeleteService:
		delete(f, op.Service)
	case op.Verb == AddServer && i < 0:
		s.Servers = append(s.Servers, op.Server)
	case op.Verb == EditServer && i >= 0:
		s.Servers[i] = op.Server
	case op.Verb == DeleteServer && i >= 0:
		s.Servers = slices.Delete(s.Servers, i, i+1)
	default:
		return fmt.Errorf("refused")
	}
	return nil
}

func (f fakeTable) list() []Service {
	var all []Service
	for _, s := range f {
		all = append(all, *s)
	}
	return all
}

func newFake(list []Service) fakeTable {
	f := fakeTable{}
	for _, s := range list {
		s.Servers = slices.Clone(s.Servers)
		f[s.Key] = &s
	}
	return f
}

// canonical makes tables comparable: sorted, and without what has no effect.
func canonical(list []Service) []Service {
	list = slices.Clone(list)
	for i := range list {
		list[i].Options = list[i].Options.normal()
		list[i].Servers = slices.Clone(list[i].Servers)
		for j := range list[i].Servers {
			list[i].Servers[j] = list[i].Servers[j].normal()
		}
		slices.SortFunc(list[i].Servers, func(a, b Server) int { return a.Addr.Compare(b.Addr) })
	}
	slices.SortFunc(list, func(a, b Service) int { return a.Key.Compare(b.Key) })
	return list
}

var equateTables = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}

func genTable() *rapid.Generator[[]Service] {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		n := byte(rapid.IntRange(1, 3).Draw(t, "host"))
		if rapid.Bool().Draw(t, "v6") {
			return netip.AddrFrom16([16]byte{0xfd, 15: n})
		}
		return netip.AddrFrom4([4]byte{10, 0, 0, n})
	})
	key := rapid.Custom(func(t *rapid.T) Key {
		if rapid.Bool().Draw(t, "mark") {
			return MarkKey(rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family"), rapid.Uint32Range(1, 3).Draw(t, "mark"))
		}
		return AddrKey(rapid.SampledFrom([]Protocol{TCP, UDP}).Draw(t, "protocol"),
			netip.AddrPortFrom(addr.Draw(t, "addr"), rapid.Uint16Range(80, 81).Draw(t, "port")))
	})
	server := rapid.Custom(func(t *rapid.T) Server {
		return Server{
			Addr:    netip.AddrPortFrom(addr.Draw(t, "addr"), 80),
			Forward: rapid.SampledFrom([]Forward{NAT, TUN, DR}).Draw(t, "forward"),
			Tunnel:  Tunnel{Type: rapid.SampledFrom([]TunnelType{IPIP, GUE, GRE}).Draw(t, "tunnel"), Port: rapid.Uint16Range(0, 1).Draw(t, "tunnel port")},
			Weight:  rapid.Uint32Range(0, 2).Draw(t, "weight"),
			Upper:   rapid.Uint32Range(0, 1).Draw(t, "upper"),
		}
	})
	service := rapid.Custom(func(t *rapid.T) Service {
		return Service{
			Key: key.Draw(t, "key"),
			Options: Options{
				Scheduler:   rapid.SampledFrom([]string{"rr", "wlc"}).Draw(t, "scheduler"),
				Flags:       Flags(rapid.Uint32Range(0, 63).Draw(t, "flags")),
				Persistence: Persistence{Timeout: rapid.Uint32Range(0, 1).Draw(t, "timeout"), Engine: rapid.SampledFrom([]string{"", "sip"}).Draw(t, "engine")},
			},
			Servers: rapid.SliceOfNDistinct(server, 0, 4, func(s Server) netip.AddrPort { return s.Addr }).Draw(t, "servers"),
		}
	})
	return rapid.SliceOfNDistinct(service, 0, 5, func(s Service) Key { return s.Key })
}

func TestPlanLeadsToWant(t *testing.T) { rapid.Check(t, planLeadsToWant) }
func FuzzPlan(f *testing.F)            { f.Fuzz(rapid.MakeFuzz(planLeadsToWant)) }

func planLeadsToWant(t *rapid.T) {
	have, want := genTable().Draw(t, "have"), genTable().Draw(t, "want")
	f := newFake(have)
	ops := Plan(have, want)
	for _, op := range ops {
		if err := f.do(op); err != nil {
			t.Fatalf("%s: %v", show(op), err)
		}
	}
	if d := cmp.Diff(canonical(want), canonical(f.list()), equateTables); d != "" {
		t.Fatalf("table after the plan (-want +got):\n%s", d)
	}
	if again := Plan(f.list(), want); len(again) != 0 {
		t.Fatalf("a second plan is not empty: %v", again)
	}
}

// What stays is in the table at every moment, and everything new is there
// before anything old goes.
func TestPlanNeverTakesAwayWhatStays(t *testing.T) {
	type entry struct {
		Key
		netip.AddrPort
	}
	entries := func(list []Service) map[entry]bool {
		m := map[entry]bool{}
		for _, s := range list {
			m[entry{Key: s.Key}] = true
			for _, d := range s.Servers {
				m[entry{s.Key, d.Addr}] = true
			}
		}
		return m
	}
	rapid.Check(t, func(t *rapid.T) {
		have, want := genTable().Draw(t, "have"), genTable().Draw(t, "want")
		f, wanted := newFake(have), entries(want)
		var stays []entry
		for e := range entries(have) {
			if wanted[e] {
				stays = append(stays, e)
			}
		}
		for last, ops := AddService, Plan(have, want); len(ops) > 0; ops = ops[1:] {
			f.do(ops[0])
			now := entries(f.list())
			for _, e := range stays {
				if !now[e] {
					t.Fatalf("%v is gone after %s", e, show(ops[0]))
				}
			}
			if v := phase(ops[0].Verb); v < phase(last) {
				t.Fatalf("%s comes too late", show(ops[0]))
			}
			last = ops[0].Verb
		}
	})
}

// phase is 0 for creation, 1 for change, 2 for removal.
func phase(v Verb) int { return int(v) / 2 }

func BenchmarkPlanOneOf10000(b *testing.B) {
	var have []Service
	for i := range 100 {
		s := Service{Key: AddrKey(TCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i), 1}), 80))}
		for k := range 100 {
			s.Servers = append(s.Servers, Server{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(i), 0, byte(k)}), 80), Weight: 1})
		}
		have = append(have, s)
	}
	want := slices.Clone(have)
	want[50].Servers = slices.Clone(want[50].Servers)
	want[50].Servers[50].Weight = 2
	for b.Loop() {
		if n := len(Plan(have, want)); n != 1 {
			b.Fatalf("%d operations, want 1", n)
		}
	}
}
