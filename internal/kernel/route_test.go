package kernel

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func isNoLink(err error) bool { return errors.Is(err, ErrNoLink) }

const (
	lockAll = true
	v0      = -1 // stands for the index of v0 in a table
)

// routeCases are routes as the grammar allows them, and what iproute2 says about
// each. Link v0 is filled in by the test.
var routeCases = []struct {
	name string
	r    Route
	show string
}{
	{"default", Route{Dst: prefix("0.0.0.0/0"), Gateway: addr("10.99.0.2")}, "default via 10.99.0.2 dev v0 proto keepalived"},
	{"device", Route{Dst: prefix("10.1.0.0/16"), Link: v0, Scope: unix.RT_SCOPE_LINK}, "10.1.0.0/16 dev v0 proto keepalived scope link"},
	{"source", Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Source: addr("10.99.0.1"), Metric: 7}, "10.1.0.0/16 via 10.99.0.2 dev v0 proto keepalived src 10.99.0.1 metric 7"},
	{"table", Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Table: 1000}, "10.1.0.0/16 via 10.99.0.2 dev v0 table 1000 proto keepalived"},
	{"tos", Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), TOS: 0x10}, "10.1.0.0/16 tos 0x10 via 10.99.0.2"},
	{"onlink", Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("192.0.2.1"), Link: v0, OnLink: true}, "10.1.0.0/16 via 192.0.2.1 dev v0 proto keepalived onlink"},
	{"realms", Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Realms: 3<<16 | 4}, "realms 3/4"},
	{"blackhole", Route{Dst: prefix("10.1.0.0/16"), Type: unix.RTN_BLACKHOLE}, "blackhole 10.1.0.0/16 proto keepalived"},
	{"prohibit", Route{Dst: prefix("10.1.0.0/16"), Type: unix.RTN_PROHIBIT}, "prohibit 10.1.0.0/16"},
	{"throw", Route{Dst: prefix("10.1.0.0/16"), Type: unix.RTN_THROW, Table: 50}, "throw 10.1.0.0/16 table 50"},
	{"locked metrics", Route{
		Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Metrics: []Metric{
			{unix.RTAX_MTU, 1400, lockAll}, {unix.RTAX_WINDOW, 500, false}, {unix.RTAX_RTT, 80, lockAll}, {unix.RTAX_RTTVAR, 80, lockAll},
			{unix.RTAX_SSTHRESH, 10, lockAll}, {unix.RTAX_CWND, 11, lockAll}, {unix.RTAX_ADVMSS, 1360, lockAll},
			{unix.RTAX_REORDERING, 4, lockAll}, {unix.RTAX_HOPLIMIT, 33, false}, {unix.RTAX_INITCWND, 12, false},
			{unix.RTAX_FEATURES, 1, false}, {unix.RTAX_RTO_MIN, 300, lockAll}, {unix.RTAX_INITRWND, 13, false}, {unix.RTAX_QUICKACK, 1, false},
			{rtaxFastOpenNoCookie, 1, false},
		}, Congestion: Congestion{"reno", lockAll},
	}, "mtu lock 1400 window 500 rtt lock 10ms rttvar lock 20ms ssthresh lock 10 cwnd lock 11 advmss lock 1360 reordering lock 4 hoplimit 33 initcwnd 12 features ecn rto_min lock 300ms initrwnd 13 quickack 1 congctl lock reno fastopen_no_cookie 1"},
	{"multipath", Route{Dst: prefix("10.1.0.0/16"), NextHops: []NextHop{
		{Gateway: addr("10.99.0.2"), Link: v0, Weight: 3}, {Gateway: addr("10.99.0.3"), Link: v0, OnLink: true},
	}}, "nexthop via 10.99.0.2 dev v0 weight 3 nexthop via 10.99.0.3 dev v0 weight 1 onlink"},
	{"via IPv6", Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("fd99::2"), Link: v0}, "10.1.0.0/16 via inet6 fd99::2 dev v0"},
	{"encap ip", Route{Dst: prefix("10.1.0.0/16"), Link: v0, Encap: &Encap{
		Type: unix.LWTUNNEL_ENCAP_IP, ID: 100, Dst: addr("192.0.2.9"), Src: addr("192.0.2.8"), TOS: 4, TTL: 7,
	}}, "encap ip id 100 src 192.0.2.8 dst 192.0.2.9 ttl 7 tos 4"},
	{"encap ip6", Route{Dst: prefix("10.1.0.0/16"), Link: v0, Encap: &Encap{
		Type: unix.LWTUNNEL_ENCAP_IP6, ID: 100, Dst: addr("fd01::9"), Src: addr("fd01::8"), TOS: 4, TTL: 7,
	}}, "encap ip6 id 100 src fd01::8 dst fd01::9 hoplimit 7 tc 4"},
	{"default IPv6", Route{Dst: prefix("::/0"), Gateway: addr("fd99::2"), Link: v0}, "default via fd99::2 dev v0 proto keepalived metric 1024 pref medium"},
	{"IPv6 everything", Route{
		Dst: prefix("fd01::/64"), Gateway: addr("fd99::2"), Link: v0, Metric: 5, Preference: 1, Expires: 3600, Table: 300,
		Source: addr("fd99::1"), Metrics: []Metric{{unix.RTAX_MTU, 1400, lockAll}, {unix.RTAX_HOPLIMIT, 9, false}},
	}, "fd01::/64 via fd99::2 dev v0 table 300 proto keepalived src fd99::1 metric 5 expires 3600sec mtu lock 1400 hoplimit 9 pref high"},
	{"IPv6 unreachable", Route{Dst: prefix("fd01::/64"), Type: unix.RTN_UNREACHABLE}, "unreachable fd01::/64 dev lo proto keepalived metric 1024"},
	{"IPv6 multipath", Route{Dst: prefix("fd01::/64"), NextHops: []NextHop{
		{Gateway: addr("fd99::2"), Link: v0, Weight: 2}, {Gateway: addr("fd99::3"), Link: v0},
	}}, "nexthop via fd99::2 dev v0 weight 2 nexthop via fd99::3 dev v0 weight 1"},
}

// placed is the case's route with v0's index filled in.
func placed(r Route, link int) Route {
	r.Protocol = ProtocolKeepalived
	if r.Link == v0 {
		r.Link = link
	}
	r.NextHops = append([]NextHop(nil), r.NextHops...)
	for i := range r.NextHops {
		if r.NextHops[i].Link == v0 {
			r.NextHops[i].Link = link
		}
	}
	return r
}

// TestRoutes adds each route, reads it back, has iproute2 show it, and deletes
// it; adding and deleting twice is no error.
func TestRoutes(t *testing.T) {
	ns, k, link := open(t)
	ns.AddAddr("v0", "10.99.0.1/24")
	ns.AddAddr("v0", "fd99::1/64")
	for _, c := range routeCases {
		t.Run(c.name, func(t *testing.T) {
			r := placed(c.r, link)
			if errs := k.AddRoutes([]Route{r, r}); errs != nil {
				if errors.Is(errs[0], unix.EOPNOTSUPP) || strings.Contains(errs[0].Error(), "not configured") ||
					strings.Contains(errs[0].Error(), "encapsulation") {
					t.Skipf("skipped: this kernel cannot: %v", errs[0])
				}
				t.Fatal(errs)
			}
			have := routes(t, k)
			if len(have) != 1 || !r.Matches(have[0]) {
				t.Errorf("have %+v\nwant %+v", have, r)
			}
			show := ns.IP("route", "show", "table", "all", "proto", "18") + ns.IP("-6", "route", "show", "table", "all", "proto", "18")
			got := strings.Replace(strings.Join(strings.Fields(show), " "), "expires 3599sec", "expires 3600sec", 1)
			if !strings.Contains(got, strings.Replace(c.show, " proto keepalived", "", 1)) {
				t.Errorf("iproute2 shows\n%s\nwant\n%s", got, c.show)
			}
			noErrors(t, k.DelRoutes([]Route{r, r}))
			if have := routes(t, k); len(have) != 0 {
				t.Errorf("still there: %+v", have)
			}
		})
	}
}

func routes(t testing.TB, k *Kernel) []Route {
	t.Helper()
	all, err := k.Routes(ProtocolKeepalived)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestReplaceRoute changes a route in place.
func TestReplaceRoute(t *testing.T) {
	ns, k, _ := open(t)
	ns.AddAddr("v0", "10.99.0.1/24")
	r := Route{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Protocol: ProtocolKeepalived}
	noErrors(t, k.ReplaceRoutes([]Route{r}))
	r.Gateway = addr("10.99.0.3")
	noErrors(t, k.ReplaceRoutes([]Route{r}))
	if have := routes(t, k); len(have) != 1 || have[0].Gateway != r.Gateway {
		t.Errorf("have %+v", have)
	}
}

// TestRouteErrors shows that one bad route does not stop the others, whatever
// their modes, and that the kernel's explanation is kept.
func TestRouteErrors(t *testing.T) {
	ns, k, _ := open(t)
	ns.AddAddr("v0", "10.99.0.1/24")
	ours := func(dst, gw string, m RouteMode) Route {
		return Route{Dst: prefix(dst), Gateway: addr(gw), Protocol: ProtocolKeepalived, Mode: m}
	}
	errs := k.AddRoutes([]Route{
		ours("10.1.0.0/16", "10.99.0.2", Add), ours("10.2.0.0/16", "192.0.2.1", Append),
		ours("10.3.0.0/16", "10.99.0.2", Prepend), ours("10.1.0.0/16", "10.99.0.2", Add),
	})
	if len(errs) != 4 || errs[0] != nil || !errors.Is(errs[1], unix.ENETUNREACH) || errs[2] != nil || errs[3] != nil {
		t.Fatalf("errors %v, want ENETUNREACH for the second", errs)
	}
	if !strings.Contains(errs[1].Error(), "Nexthop has invalid gateway") {
		t.Errorf("%q lacks the kernel's explanation", errs[1])
	}
	if have := routes(t, k); len(have) != 2 {
		t.Errorf("have %+v", have)
	}
}

func FuzzParseRoute(f *testing.F) {
	for _, c := range routeCases {
		f.Add(placed(c.r, 2).appendBody(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRoute(b)
		if err != nil {
			return
		}
		again, err := parseRoute(r.appendBody(nil))
		if err != nil || !r.Same(again) {
			t.Fatalf("%+v reads back as %+v, %v", r, again, err)
		}
	})
}

func BenchmarkRoutes(b *testing.B) {
	ns, k, link := open(b)
	ns.AddAddr("v0", "10.99.0.1/24")
	rs := make([]Route, 1000)
	for i, a := range manyAddresses(link, len(rs)) {
		rs[i] = Route{Dst: a.Prefix, Gateway: addr("10.99.0.2"), Protocol: ProtocolKeepalived}
	}
	for b.Loop() {
		noErrors(b, k.AddRoutes(rs))
		noErrors(b, k.DelRoutes(rs))
	}
}
