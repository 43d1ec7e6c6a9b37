package checker

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestInNamespace runs TestInside in a namespace of its own, where routes,
// rules and the right to ping may be changed.
func TestInNamespace(t *testing.T) { nettest.Play(t, 500*time.Millisecond, inNamespace) }

func inNamespace(t testing.TB) {
	ns := nettest.New(t, "check")
	ns.IP("link", "add", "e0", "type", "veth", "peer", "name", "e1")
	ns.AddAddr("e0", "10.98.0.1/24")
	ns.Up("e0")
	ns.Up("e1")
	ns.Sysctl("net/ipv4/ping_group_range", "1 0")
	ns.IP("-6", "addr", "add", "fd00:98::1/64", "dev", "e0", "nodad")
	ns.IP("-6", "addr", "add", "fe80::98/64", "dev", "e0", "nodad")
	ns.IP("-6", "addr", "add", "fd00:200::200/128", "dev", "lo", "nodad")
	for _, family := range []string{"-4", "-6"} {
		ns.IP(family, "rule", "add", "fwmark", "7", "unreachable")
	}
	out, err := ns.TryRun("env", "CHECKER_INSIDE=1", os.Args[0], "-test.run=^TestInside$", "-test.v")
	if err != nil || !strings.Contains(out, "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestInside(t *testing.T) {
	if os.Getenv("CHECKER_INSIDE") == "" {
		t.Skip("skipped: TestInNamespace runs it in a namespace")
	}
	sources := make(chan netip.AddrPort, 16)
	open := tcpService(t, func(c net.Conn) { sources <- c.RemoteAddr().(*net.TCPAddr).AddrPort() })
	l6, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l6.Close()
	go func() {
		for {
			c, err := l6.Accept()
			if err != nil {
				return
			}
			sources <- c.RemoteAddr().(*net.TCPAddr).AddrPort()
			c.Close()
		}
	}()
	six := func(addr string) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(addr), l6.Addr().(*net.TCPAddr).AddrPort().Port())
	}
	silent6 := netip.MustParseAddrPort("[fd00:98::77]:80")
	silent := netip.MustParseAddrPort("10.98.0.77:80") // nobody there
	free := closedPort(t).Port()
	at := func(to netip.AddrPort, change ...func(*Connection)) Connection {
		c := Connection{To: to, Timeout: 500 * time.Millisecond}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	bind := func(addr string, port uint16) func(*Connection) {
		return func(c *Connection) { c.Bind, c.BindPort = netip.MustParseAddr(addr), port }
	}
	device := func(name string) func(*Connection) { return func(c *Connection) { c.Interface = name } }
	mark := func(c *Connection) { c.Mark = 7 }
	ping := func(addr string, change ...func(*Connection)) Spec {
		return PingCheck{at(netip.AddrPortFrom(netip.MustParseAddr(addr), 80), change...)}
	}
	once1 := func(spec Spec) Result { return once(t, spec, SchedulerOptions{})[0] }

	if r := once1(ping("127.0.0.1")); r.Reason != NoSocket {
		t.Errorf("ping without the right to it: %v (%s), want %v", r.Reason, r.Text, NoSocket)
	}
	before, _ := os.ReadFile(pingGroups)
	restore, err := AllowPing()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		spec   Spec
		want   Reason
		source string // prefix of the source as the server sees it
	}{
		{"tcp", TCPCheck{at(open)}, OK, "127.0.0.1:"},
		{"tcp-v6", TCPCheck{at(six("::1"))}, OK, "[::1]:"},
		{"bindto-v6", TCPCheck{at(six("::1"), bind("fd00:200::200", 0))}, OK, "[fd00:200::200]:"},
		{"bind-port-v6", TCPCheck{at(six("::1"), bind("fd00:200::200", free))}, OK,
			netip.AddrPortFrom(netip.MustParseAddr("fd00:200::200"), free).String()},
		{"bindto-tls-v6", HTTPCheck{Connection: at(six("::1"), bind("fd00:200::200", 0)), TLS: true, URLs: []URL{{Path: "/"}}}, TLSFailed, "[fd00:200::200]:"},
		{"bindto-not-ours-v6", TCPCheck{at(six("::1"), bind("2001:db8::9", 0))}, BindFailed, ""},
		{"bind-if-v6", TCPCheck{at(six("::1"), device("lo"))}, OK, "[::1]:"},
		{"bind-if-missing-v6", TCPCheck{at(six("::1"), device("nosuch"))}, BindFailed, ""},
		{"link-local", TCPCheck{at(six("fe80::98%e0"), device("e0"))}, OK, "[fe80::98%e0]:"},
		{"no-fwmark-v6", TCPCheck{at(silent6)}, ConnectTimeout, ""},
		{"fwmark-v6", TCPCheck{at(silent6, mark)}, Unreachable, ""},
		{"fwmark-tls-v6", HTTPCheck{Connection: at(silent6, mark), TLS: true, URLs: []URL{{Path: "/"}}}, Unreachable, ""},
		{"no-route-v6", TCPCheck{at(netip.MustParseAddrPort("[2001:db8::1]:80"))}, Unreachable, ""},
		{"bindto", TCPCheck{at(open, bind("127.0.0.200", 0))}, OK, "127.0.0.200:"},
		{"bind-port", TCPCheck{at(open, bind("127.0.0.200", free))}, OK, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.200"), free).String()},
		{"bindto-not-ours", TCPCheck{at(open, bind("192.0.2.9", 0))}, BindFailed, ""},
		{"bind-if", TCPCheck{at(open, device("lo"))}, OK, "127.0.0.1:"},
		{"bind-if-missing", TCPCheck{at(open, device("nosuch"))}, BindFailed, ""},
		{"no-fwmark", TCPCheck{at(silent)}, ConnectTimeout, ""},
		{"fwmark", TCPCheck{at(silent, mark)}, Unreachable, ""},
		{"fwmark-tls", HTTPCheck{Connection: at(silent, mark), TLS: true, URLs: []URL{{Path: "/"}}}, Unreachable, ""},
		{"bindto-tls", HTTPCheck{Connection: at(open, bind("192.0.2.9", 0)), TLS: true, URLs: []URL{{Path: "/"}}}, BindFailed, ""},
		{"no-route", TCPCheck{at(netip.MustParseAddrPort("192.0.2.1:80"))}, Unreachable, ""},
		{"no-route-udp", UDPCheck{Connection: at(netip.MustParseAddrPort("192.0.2.1:80"))}, Unreachable, ""},
		{"ping", ping("127.0.0.1"), OK, ""},
		{"ping-v6", ping("::1"), OK, ""},
		{"ping-bindto-v6", ping("::1", bind("fd00:200::200", 80)), OK, ""},
		{"ping-bind-if", ping("127.0.0.1", device("lo")), OK, ""},
		{"ping-bind-if-missing", ping("127.0.0.1", device("nosuch")), BindFailed, ""},
		{"ping-no-route-v6", ping("2001:db8::1"), Unreachable, ""},
		{"ping-bindto", ping("127.0.0.1", bind("127.0.0.200", 80)), OK, ""},
		{"ping-ignores-fwmark", ping("127.0.0.1", mark), OK, ""},
		{"ping-silent", ping("10.98.0.77"), ReadTimeout, ""},
		{"ping-no-route", ping("192.0.2.1"), Unreachable, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := once(t, tt.spec, SchedulerOptions{})[0]
			if r.Reason != tt.want {
				t.Errorf("%v (%s), want %v", r.Reason, r.Text, tt.want)
			}
			if tt.source == "" {
				return
			}
			if got := (<-sources).String(); !strings.HasPrefix(got, tt.source) {
				t.Errorf("the server sees %s, want %s", got, tt.source)
			}
		})
	}
	t.Run("out-of-ports", outOfPorts)
	restore()
	if after, _ := os.ReadFile(pingGroups); string(after) != string(before) {
		t.Errorf("ping_group_range is %q afterwards, was %q", after, before)
	}
}

// outOfPorts: when every local port to a server is taken, its checks say
// nothing about it: it stays in the pool, and the log names the fault.
func outOfPorts(t *testing.T) {
	const ports = "/proc/sys/net/ipv4/ip_local_port_range"
	before, err := os.ReadFile(ports)
	if err != nil {
		t.Fatal(err)
	}
	set := func(b []byte) {
		if err := os.WriteFile(ports, b, 0); err != nil {
			t.Fatal(err)
		}
	}
	to := tcpService(t, hold)
	r := newRig(t, SchedulerOptions{}, TCPCheck{connection(to)})
	r.works(t)
	set([]byte("40000 40001"))
	defer set(before)
	for range 2 {
		c, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	r.lines = nil
	r.says(t, "not counted: connect failed on this side: Cannot assign requested address", time.Second)
	if r.said("Removing") {
		t.Errorf("the server was given up: %q", r.lines)
	}
	set(before)
	r.until(t, "checks go well again", func() bool { return !r.pool.checks[1].fault })
}
