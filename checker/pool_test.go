package checker

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keepalived-go/keepalived/ipvs"
)

// tcpServer is a real server with one TCP_CHECK: retry 1, every second.
func tcpServer(addr string, weight uint32, change ...func(*ServerConfig)) ServerConfig {
	to := netip.MustParseAddrPort(addr)
	s := ServerConfig{Addr: to, Weight: weight, Checks: []CheckConfig{{
		Schedule: Schedule{DelayLoop: time.Second, DelayBeforeRetry: time.Second, Retry: 1},
		Spec:     TCPCheck{Connection{To: to, Timeout: 2 * time.Second}},
	}}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func service1(servers ...ServerConfig) ServiceConfig {
	return ServiceConfig{Addr: netip.MustParseAddrPort("10.99.0.1:80"), Family: ipvs.IPv4, Protocol: ipvs.TCP,
		Options: ipvs.Options{Scheduler: "wrr"}, Quorum: 1, Servers: servers}
}

// lines are the log lines among effects, and tables how the kernel should be.
func lines(effects []Effect) []string {
	var out []string
	for _, e := range effects {
		if l, ok := e.(Log); ok && !l.Detail {
			out = append(out, l.Text)
		}
	}
	return out
}

func table1(list []ipvs.Service) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s %s\n", s.Key, s.Scheduler)
		for _, r := range s.Servers {
			fmt.Fprintf(&b, "  %s %d\n", r.Addr, r.Weight)
		}
	}
	return b.String()
}

func TestQuorumAndSorryServer(t *testing.T) {
	cfg := service1(tcpServer("127.0.0.11:80", 10), tcpServer("127.0.0.12:80", 10), tcpServer("127.0.0.13:80", 10))
	cfg.Quorum, cfg.Hysteresis = 20, 5
	cfg.Sorry = &SorryServer{Addr: netip.MustParseAddrPort("127.0.0.99:80")}
	p, now := NewPool(), time.Unix(1000, 0)
	p.Load(now, &Config{Services: []ServiceConfig{cfg}}, Options{})
	ok, bad := Result{Reason: OK}, Result{Reason: ConnectFailed}
	report := func(id CheckID, res ...Result) {
		for _, r := range res {
			p.Report(now, id, r)
		}
	}
	report(1, ok)
	report(2, ok)
	report(3, ok)
	report(1, bad, bad)
	report(2, bad, bad)
	if got, want := table1(p.Want()), "10.99.0.1:tcp:80 wrr\n  127.0.0.99:80 1\n"; got != want {
		t.Errorf("with the quorum lost the table is\n%s, want\n%s", got, want)
	}
	report(2, ok)
	report(1, ok)
	const vs = "[10.99.0.1]:tcp:80"
	want := []string{
		"Gained quorum 20+5=25 <= 30 for VS " + vs,
		"Activating healthchecker for service [127.0.0.11]:tcp:80 for VS " + vs,
		"Activating healthchecker for service [127.0.0.12]:tcp:80 for VS " + vs,
		"Activating healthchecker for service [127.0.0.13]:tcp:80 for VS " + vs,
		"Activating BFD healthchecker",
		"TCP connection to [127.0.0.11]:tcp:80 success.",
		"TCP connection to [127.0.0.12]:tcp:80 success.",
		"TCP connection to [127.0.0.13]:tcp:80 success.",
		"TCP_CHECK on service [127.0.0.11]:tcp:80 failed after 1 retries.",
		"Removing service [127.0.0.11]:tcp:80 from VS " + vs,
		"TCP_CHECK on service [127.0.0.12]:tcp:80 failed after 1 retries.",
		"Removing service [127.0.0.12]:tcp:80 from VS " + vs,
		"Lost quorum 20-5=15 > 10 for VS " + vs,
		"Adding sorry server [127.0.0.99]:tcp:80 to VS " + vs,
		"Removing alive servers from the pool for VS " + vs,
		"TCP connection to [127.0.0.12]:tcp:80 success.",
		"Adding service [127.0.0.12]:tcp:80 to VS " + vs,
		"TCP connection to [127.0.0.11]:tcp:80 success.",
		"Adding service [127.0.0.11]:tcp:80 to VS " + vs,
		"Gained quorum 20+5=25 <= 30 for VS " + vs,
		"Removing sorry server [127.0.0.99]:tcp:80 from VS " + vs,
		"Adding alive servers to the pool for VS " + vs,
	}
	if diff := cmp.Diff(want, lines(p.Drain())); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
