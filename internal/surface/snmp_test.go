package surface

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

var update = flag.Bool("update", false, "rewrite the expected files")

// snmpConf is the configuration of which the original's walk was recorded.
const snmpConf = `global_defs {
    router_id lb1
    notification_email {
        root@example.net
    }
    notification_email_from keepalived@lb1.example.net
    smtp_server 192.0.2.2
    enable_snmp_vrrp
    enable_snmp_rfc
    enable_traps
    snmp_socket unix:/run/agentx.sock
}
vrrp_sync_group VG_1 {
    group {
        VI_1
    }
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        192.0.2.100/24
    }
    virtual_routes {
        198.51.100.0/24 via 192.0.2.254
    }
    virtual_rules {
        from 198.51.100.0/24 table 100 priority 1000
    }
}
vrrp_instance VI_3 {
    state BACKUP
    interface eth0
    virtual_router_id 53
    version 3
    priority 100
    virtual_ipaddress {
        192.0.2.130/24
    }
}
`

// manager is Debian's net-snmp: the master agent, and what receives traps.
type manager struct {
	*stage
	snmpd *nettest.Proc
	traps *nettest.Proc
}

func newManager(t testing.TB) *manager {
	t.Helper()
	nettest.Need(t, "unshare")
	return managerOn(newStage(t))
}

// managerOn starts the manager's programs on a stage.
func managerOn(s *stage) *manager {
	s.t.Helper()
	nettest.Need(s.t, "snmpd", "snmpwalk", "snmpbulkwalk", "snmpset", "snmptrapd")
	m := &manager{stage: s}
	m.write("snmpd.conf", `agentAddress udp:127.0.0.1:161
rocommunity public
rwcommunity private
master agentx
agentXSocket unix:`+m.file("run/agentx.sock")+`
trap2sink 127.0.0.1:1162 public
`)
	m.write("snmptrapd.conf", "disableAuthorization yes\n")
	m.traps = m.net("snmptrapd", "-f", "-Lo", "-On", "-C", "-c", m.file("snmptrapd.conf"), "udp:127.0.0.1:1162")
	m.traps.WaitOutput(patience, "NET-SNMP version")
	m.startMaster()
	return m
}

// net starts a program of net-snmp with its state in the stage's directory.
func (m *manager) net(program string, args ...string) *nettest.Proc {
	m.t.Helper()
	return m.lb.StartWith([]nettest.ProcOption{nettest.Env("SNMP_PERSISTENT_DIR="+m.file("snmp"), "MIBS=")}, program, args...)
}

func (m *manager) startMaster() {
	m.t.Helper()
	m.snmpd = m.net("snmpd", "-f", "-Lo", "-C", "-c", m.file("snmpd.conf"))
	m.snmpd.WaitOutput(patience, "NET-SNMP version")
}

func (m *manager) get(program string, args ...string) (string, error) {
	m.t.Helper()
	common := []string{"-v2c", "-c", "private", "-On", "-t", "5", "-m", "", "127.0.0.1"}
	return m.lb.TryRun(program, append(common, args...)...)
}

const (
	oidKeepalived   = ".1.3.6.1.4.1.9586.100.5"
	oidVRRP2        = ".1.3.6.1.2.1.68"
	oidVRRP3        = ".1.3.6.1.2.1.207"
	oidBasePriority = oidKeepalived + ".2.3.1.7.1"
	oidState        = oidKeepalived + ".2.3.1.4.1"
)

// ticks are the only values that differ from run to run.
var ticks = regexp.MustCompile(`Timeticks: \(\d+\).*`)

// walk reads everything of ours with the given program.
func (m *manager) walk(program string) string {
	m.t.Helper()
	var all strings.Builder
	for _, root := range []string{oidKeepalived, oidVRRP2, oidVRRP3} {
		out, err := m.get(program, root)
		if err != nil {
			m.t.Fatalf("%s %s: %v\n%s", program, root, err, out)
		}
		all.WriteString(out)
	}
	return ticks.ReplaceAllString(all.String(), "Timeticks")
}

// expect compares with a file of testdata; -update rewrites that.
func expect(t testing.TB, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

// TestSNMP is an operator's manager beside the running daemon: a walk with
// GetNext and with GetBulk, a Set, a restart of the master agent, and the traps
// from the start to the stop.
func TestSNMP(t *testing.T) {
	m := newManager(t)
	d := m.start(snmpConf)
	d.wait("AgentX subagent connected")
	d.wait("(VI_1) Entering MASTER STATE")
	d.wait("(VI_3) Entering MASTER STATE")
	nettest.Eventually(t, patience, "the addresses are there", func() bool {
		return m.lb.HasAddr("192.0.2.100") && m.lb.HasAddr("192.0.2.130")
	})

	walk := m.walk("snmpwalk")
	expect(t, "snmp-walk.txt", walk)
	if bulk := m.walk("snmpbulkwalk"); bulk != walk {
		t.Errorf("GetBulk shows something else than GetNext (-GetNext +GetBulk):\n%s", cmp.Diff(walk, bulk))
	}
	caps, _ := m.get("snmpwalk", ".1.3.6.1.2.1.1.9.1.3")
	for _, name := range []string{"Keepalived", "KEEPALIVED-VRRP", "VRRP", "VRRPV3"} {
		if !strings.Contains(caps, `"The MIB module for `+name+`"`) {
			t.Errorf("sysORTable lacks %s:\n%s", name, caps)
		}
	}
	m.setPriority(t, d)
	m.restartMaster(t, d)

	d.end()
	m.traps.WaitOutput(patience, `5.2.1.1.3 = INTEGER: 5`) // the group's, the last one
	expect(t, "snmp-traps.txt", trapList(m.traps.Output()))
}

// setPriority changes the one object of the VRRP branch that is writable.
func (m *manager) setPriority(t testing.TB, d *daemon) {
	t.Helper()
	if out, err := m.get("snmpset", oidBasePriority, "i", "120"); err != nil || !strings.Contains(out, "INTEGER: 120") {
		t.Errorf("set the base priority: %v\n%s", err, out)
	}
	d.wait("(VI_1) base priority changed from 150 to 120 via SNMP.")
	if out, _ := m.get("snmpget", oidBasePriority); !strings.Contains(out, "INTEGER: 120") {
		t.Errorf("base priority after the set: %s", out)
	}
	for _, bad := range [][]string{
		{oidBasePriority, "i", "0"}, {oidBasePriority, "i", "255"}, {oidBasePriority, "s", "high"}, {oidState, "i", "1"},
	} {
		if out, err := m.get("snmpset", bad...); err == nil {
			t.Errorf("snmpset %v was taken:\n%s", bad, out)
		}
	}
}

// restartMaster kills the master agent: the subagent comes back by itself, and
// what happens meanwhile is told then.
func (m *manager) restartMaster(t testing.TB, d *daemon) {
	t.Helper()
	m.snmpd.KillAll()
	m.lb.Down("eth0")
	d.wait("(VI_3) Entering FAULT STATE")
	d.wait("(VI_1) Entering FAULT STATE")
	m.startMaster()
	d.waitCount("AgentX subagent connected", 2)
	nettest.Eventually(t, patience, "the master agent has our tables again", func() bool {
		out, err := m.get("snmpget", oidState)
		return err == nil && strings.Contains(out, "INTEGER: 3") // fault
	})
	m.traps.WaitOutput(patience, oidKeepalived+`.2.1.1.3 = INTEGER: 3`)
	m.lb.Up("eth0")
	d.waitCount("(VI_1) Entering MASTER STATE", 2)
	d.waitCount("(VI_3) Entering MASTER STATE", 2)
}

// trapList is what snmptrapd received, a notification a line, without times and
// without those of snmpd itself. Instances act at the same time, so that only
// the order within one object is fixed: the lines are sorted by object.
func trapList(out string) string {
	var list []string
	for _, line := range strings.Split(out, "\n") {
		_, vars, found := strings.Cut(line, ".1.3.6.1.6.3.1.1.4.1.0 = OID: ")
		if found && !strings.HasPrefix(vars, ".1.3.6.1.4.1.8072") && !strings.HasPrefix(vars, ".1.3.6.1.6.3") {
			list = append(list, strings.TrimRight(vars, "\t "))
		}
	}
	object := regexp.MustCompile(`VG_1|VI_\d|\.2\.5[13](\.1)? = `)
	name := func(s string) string {
		switch w := object.FindString(s); {
		case strings.HasPrefix(w, ".2.51"):
			return "VI_1"
		case strings.HasPrefix(w, ".2.53"):
			return "VI_3"
		default:
			return w
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return strings.Compare(name(a), name(b)) })
	return strings.ReplaceAll(strings.Join(list, "\n"), "\t", "\n    ") + "\n"
}
