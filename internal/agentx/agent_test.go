package agentx

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// manager is snmpd in a namespace, with the tools that ask it.
type manager struct {
	t      testing.TB
	ns     *nettest.NS
	dir    string
	daemon *nettest.Proc
}

func newManager(t testing.TB) *manager {
	t.Helper()
	nettest.Need(t, "snmpd", "snmpwalk", "snmptrapd")
	m := &manager{t: t, ns: nettest.New(t, "snmp"), dir: t.TempDir()}
	m.ns.Up("lo")
	conf := `master agentx
agentXSocket ` + m.socket() + `
agentXTimeout 5
rwcommunity public
trap2sink 127.0.0.1:1162 public
`
	if err := os.WriteFile(m.dir+"/snmpd.conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	return m
}

func (m *manager) socket() string { return filepath.Join(m.dir, "agentx") }

func (m *manager) start() {
	m.t.Helper()
	m.daemon = m.ns.StartWith([]nettest.ProcOption{nettest.Env("SNMP_PERSISTENT_DIR="+m.dir+"/persistent", "MIBS=")},
		"snmpd", "-f", "-Lo", "-C", "-c", m.dir+"/snmpd.conf", "-I", "-ifTable", "udp:127.0.0.1:1161")
	m.daemon.WaitOutput(10*time.Second, "NET-SNMP version")
}

// tool runs snmpwalk and the like with numeric output.
func (m *manager) tool(name string, args ...string) string {
	m.t.Helper()
	out, _ := m.ns.TryRun("env", append([]string{"MIBS=", name, "-v2c", "-c", "public", "-On", "127.0.0.1:1161"}, args...)...)
	return strings.TrimSpace(out)
}

// lines collects what an agent logs.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) log(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(strings.Join(l.text, "\n"), text)
}

var testRoot = ParseOID("1.3.6.1.4.1.9586.100.5.2")

func testView() View {
	v := View{
		{testRoot.Append(1, 0), Integer(-7)},
		{testRoot.Append(2, 0), String("text")},
		{testRoot.Append(3, 0), Gauge(4000000000)},
		{testRoot.Append(4, 0), Counter64(1 << 40)},
		{testRoot.Append(5, 0), Bytes([]byte{0xc0, 0, 2, 1})},
		{testRoot.Append(6, 0), Ticks(time.Minute)},
		{testRoot.Append(7, 0), Value{Kind: KindIPAddress, Bytes: []byte{192, 0, 2, 1}}},
		{testRoot.Append(8, 0), ObjectID(testRoot)},
		{testRoot.Append(9, 0), Counter(9)},
	}
	v.Sort()
	return v
}

func TestAgainstSnmpd(t *testing.T) {
	m := newManager(t)
	var l lines
	var mu sync.Mutex
	number := -7
	a := New(Config{
		Socket: "unix:" + m.socket(), Name: "test", Regions: []Region{{testRoot, "The MIB module for a test"}},
		View: func() View {
			mu.Lock()
			defer mu.Unlock()
			v := testView()
			v[0].Value = Integer(number)
			return v
		},
		Set: func(v Variable, commit bool) Error {
			switch {
			case v.OID.Compare(testRoot.Append(1, 0)) != 0:
				return NotWritable
			case v.Value.Kind != KindInteger:
				return WrongType
			case v.Value.Int() > 100:
				return WrongValue
			case commit:
				mu.Lock()
				defer mu.Unlock()
				number = v.Value.Int()
			}
			return NoError
		},
		Log: l.log,
	})
	defer a.Close(time.Second)
	connected := func(n int) {
		nettest.Eventually(t, 30*time.Second, fmt.Sprintf("connected %d times", n), func() bool { return l.count("AgentX subagent connected") == n })
	}
	connected(1)
	root := testRoot.String()
	want := strings.ReplaceAll(`R.1.0 = INTEGER: -7
R.2.0 = STRING: "text"
R.3.0 = Gauge32: 4000000000
R.4.0 = Counter64: 1099511627776
R.5.0 = Hex-STRING: C0 00 02 01 
R.6.0 = Timeticks: (6000) 0:01:00.00
R.7.0 = IpAddress: 192.0.2.1
R.8.0 = OID: R
R.9.0 = Counter32: 9`, "R", root)
	want = strings.ReplaceAll(want, "ST"+root+"ING", "STRING")
	want = strings.ReplaceAll(want, "INTEGE"+root, "INTEGER")
	for _, walk := range []string{"snmpwalk", "snmpbulkwalk"} {
		if diff := cmp.Diff(want, m.tool(walk, root)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", walk, diff)
		}
	}
	for _, tt := range []struct{ got, want string }{
		{m.tool("snmpget", root+".2.0"), root + `.2.0 = STRING: "text"`},
		{m.tool("snmpget", root+".2.1"), root + ".2.1 = No Such Instance currently exists at this OID"},
		{m.tool("snmpgetnext", root+".3.0"), root + ".4.0 = Counter64: 1099511627776"},
		{m.tool("snmpset", root+".1.0", "i", "42"), root + ".1.0 = INTEGER: 42"},
		{m.tool("snmpget", root+".1.0"), root + ".1.0 = INTEGER: 42"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	for what, args := range map[string][]string{
		"notWritable": {root + ".2.0", "s", "x"}, "wrongType": {root + ".1.0", "s", "x"}, "wrongValue": {root + ".1.0", "i", "101"},
	} {
		if got := m.tool("snmpset", args...); !strings.Contains(got, what) {
			t.Errorf("snmpset %v: %s, want %s", args, got, what)
		}
	}
	if got := m.tool("snmpwalk", "1.3.6.1.2.1.1.9.1.3"); !strings.Contains(got, "The MIB module for a test") {
		t.Errorf("sysORTable has no entry:\n%s", got)
	}

	// Notifications reach who listens for traps.
	traps := m.ns.StartWith([]nettest.ProcOption{nettest.Env("SNMP_PERSISTENT_DIR="+t.TempDir(), "MIBS=")},
		"snmptrapd", "-f", "-Lo", "-On", "-C", "--disableAuthorization=yes", "udp:127.0.0.1:1162")
	traps.WaitOutput(10*time.Second, "NET-SNMP version")
	a.Notify(testRoot.Append(10, 0, 2), Variable{testRoot.Append(3, 1, 2), String("VI_1")})
	traps.WaitOutput(10*time.Second, ".1.3.6.1.6.3.1.1.4.1.0 = OID: "+root+".10.0.2\t"+root+`.3.1.2 = STRING: "VI_1"`)

	// A master that is killed and comes back is found again; one that hangs
	// holds up nobody.
	m.daemon.KillAll()
	m.start()
	connected(2)
	if got := m.tool("snmpget", root+".2.0"); got != root+`.2.0 = STRING: "text"` {
		t.Errorf("after a restart of snmpd: %s", got)
	}
	m.daemon.Signal(syscall.SIGSTOP)
	begin := time.Now()
	for range 2 * notifyQueue {
		a.Notify(testRoot.Append(10, 0, 2))
	}
	if took := time.Since(begin); took > time.Second || a.Lost() == 0 {
		t.Errorf("a master that hangs: %v for notifications, %d lost", took, a.Lost())
	}
	begin = time.Now()
	a.Close(100 * time.Millisecond)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	m.daemon.Signal(syscall.SIGCONT)
}
