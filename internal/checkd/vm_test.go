package checkd

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/vmtest"
	"github.com/keepalived-go/keepalived/ipvs"
)

// TestVM runs the tests of the whole daemon with real traffic in the virtual
// machine. LVS_RELOADS and LVS_SEED change what TestLVSReloads does.
func TestVM(t *testing.T) {
	if os.Getenv("KEEPALIVED_VM") == "" && !vmtest.All() {
		t.Skip("skipped: takes minutes in the virtual machine; VMTEST=all runs it")
	}
	pattern := "^TestLVS"
	if p := os.Getenv("LVS_RUN"); p != "" {
		pattern = p
	}
	keepalived := ""
	if os.Getenv("KEEPALIVED_VM") == "" {
		keepalived = buildKeepalived(t, t.TempDir())
	}
	vmtest.RerunIn(t, vmtest.Machine{
		Command: fmt.Sprintf("export LVS_RELOADS='%s' LVS_SEED='%s'\nfor m in bridge veth ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc; do modprobe $m; done",
			os.Getenv("LVS_RELOADS"), os.Getenv("LVS_SEED")),
		Programs: map[string]string{"keepalived": keepalived},
		Tools:    []string{"ip", "ipvsadm", "curl"},
		Timeout:  20 * time.Minute, MemoryMB: 1500,
	}, pattern)
}

// pairConf is one of two directors: the address, the gateway of the servers
// behind NAT, and the virtual servers move together.
func pairConf(name string, priority int) string {
	return fmt.Sprintf(`global_defs {
 router_id %s
 lvs_sync_daemon eth0 inst VI_1
}
vrrp_instance VI_1 {
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority %d
 advert_int 1
 virtual_ipaddress {
  %s/24
  %s/24
  %s/24 dev eth1
 }
}
`, name, priority, vipNAT, vipDR, gateway) +
		virtualServer(vipNAT, "NAT", 80, httpCheck, 1, 1) + virtualServer(vipDR, "DR", 80, httpCheck, 1, 1) +
		virtualServer(vipNAT, "NAT", 7, "", 1, 1)
}

// TestLVSPair: two directors; curl alternates between the servers; the active
// director's interface goes down, and the other serves; it comes up, and the
// first serves again. A connection that the synchronisation daemon has told the
// other director of goes on through both.
func TestLVSPair(t *testing.T) {
	l := newLVSLab(t, 2)
	first, second := l.direct(0, pairConf("lb1", 150)), l.direct(1, pairConf("lb2", 100))
	serves := func(d, other *director) {
		t.Helper()
		nettest.Eventually(t, labWait, "the addresses move", func() bool {
			return d.ns.HasAddr(vipNAT) && d.ns.HasAddr(vipDR) && d.ns.HasAddr(gateway) && !other.ns.HasAddr(vipNAT)
		})
		role := map[ipvs.SyncState]*director{ipvs.SyncMaster: d, ipvs.SyncBackup: other}
		nettest.Eventually(t, labWait, "the sync daemons change roles", func() bool {
			for state, d := range role {
				list, err := d.kernel.SyncDaemons()
				if err != nil || len(list) != 1 || list[0].State != state {
					return false
				}
			}
			return true
		})
		for _, vip := range []string{vipNAT, vipDR} {
			nettest.Eventually(t, labWait, "both servers answer in turn at "+vip, func() bool {
				return alternates(l.curls(vip, 4))
			})
		}
	}
	for _, d := range []*director{first, second} {
		nettest.Eventually(t, labWait, "six servers in the table", func() bool { n, _ := d.count(); return n == 6 })
	}
	serves(first, second)

	talk := l.dialogue(vipNAT)
	for range 10 { // the sync daemon tells of a connection from its third packet on
		if err := talk.goesOn(); err != nil {
			t.Fatal(err)
		}
	}
	nettest.Eventually(t, labWait, "the other director knows the connection", func() bool {
		out, err := second.ns.TryRun("ipvsadm", "-Lnc")
		return err == nil && strings.Contains(out, vipNAT+":7") && strings.Contains(out, "ESTABLISHED")
	})

	first.ns.Down("eth0")
	serves(second, first)
	if err := talk.goesOn(); err != nil {
		t.Errorf("the connection did not survive the takeover: %v", err)
	}
	first.ns.Up("eth0")
	serves(first, second)
	if err := talk.goesOn(); err != nil {
		t.Errorf("the connection did not survive the return: %v", err)
	}
}

// deadPort is where nobody listens.
const deadPort = 81

// deadBeside is a director with two virtual servers of which each has two good
// servers and a dead one.
func deadBeside() string {
	dead := fmt.Sprintf(" real_server 10.0.0.1 %d {\n  weight 1\n  TCP_CHECK {\n   connect_timeout 2\n   retry 0\n  }\n }\n}\n", deadPort)
	conf := ""
	for _, vs := range []string{virtualServer(vipNAT, "NAT", 80, httpCheck, 1, 1), virtualServer(vipDR, "DR", 80, httpCheck, 1, 1)} {
		conf += vs[:len(vs)-2] + dead
	}
	return conf
}

// watchTable looks at the table again and again until it is ended, and fails
// the test if it ever lacks a good server or has a dead one.
func (d *director) watchTable(good int) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	k, err := ipvs.Open(d.ns.Name)
	if err != nil {
		d.t.Fatal(err)
	}
	low, dead := good, 0
	look := func() {
		list, err := k.Dump()
		if err != nil {
			d.t.Errorf("read the table: %v", err)
			return
		}
		n := 0
		for _, s := range list {
			for _, r := range s.Servers {
				if r.Addr.Port() == deadPort {
					dead++
				} else {
					n++
				}
			}
		}
		low = min(low, n)
	}
	go func() {
		defer close(done)
		for {
			look()
			select {
			case <-stop:
				look()
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() {
		d.t.Helper()
		close(stop)
		<-done
		k.Close()
		if low < good || dead > 0 {
			d.t.Errorf("the table had at least %d of %d good servers, and %d times a dead one", low, good, dead)
		}
	}
}

// TestLVSKills: neither the death of the checker child nor that of the parent
// takes a server out of the table; the child's successor keeps dead servers
// out; a table that was cleared by hand is whole again within five seconds.
func TestLVSKills(t *testing.T) {
	l := newLVSLab(t, 1)
	l.directors[0].AddAddr("eth1", gateway+"/24")
	l.directors[0].AddAddr("eth0", vipNAT+"/32")
	l.directors[0].AddAddr("eth0", vipDR+"/32")
	d := l.direct(0, deadBeside())
	settled := func() bool { n, _ := d.count(); return n == 4 }
	nettest.Eventually(t, labWait, "the dead servers leave the table", settled)
	// Longer than saveEvery: what was found last is written down by then.
	nettest.Never(t, time.Second, "a dead server comes back", func() bool { return !settled() })

	s := l.stream(vipDR)
	end := d.watchTable(4)
	old := d.checker()
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.WaitOutput(labWait, "Carrying on with what the process before had found: 4 of 6 real servers are alive")
	before := l.checked()
	nettest.Eventually(t, labWait, "the successor's checks run", func() bool { return l.checked() >= before+8 })
	end()

	end = d.watchTable(4)
	family := d.family()
	if err := syscall.Kill(d.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, labWait, "the children end", func() bool {
		for _, pid := range family[1:] {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
				return false
			}
		}
		return true
	})
	end()
	s.end(t)
	d.run()
	nettest.Eventually(t, labWait, "the dead servers leave the table again", settled)

	d.ns.Run("ipvsadm", "-C")
	begin := time.Now()
	nettest.Eventually(t, 5*time.Second, "the cleared table is whole again", settled)
	t.Logf("whole again after %.1f s", time.Since(begin).Seconds())
}

// TestLVSWithoutServers: no virtual server is left of the configuration, and
// what else it says of IPVS counts all the same.
func TestLVSWithoutServers(t *testing.T) {
	l := newLVSLab(t, 1)
	d := l.direct(0, `global_defs {
 lvs_timeouts tcp 111 tcpfin 22 udp 33
 lvs_sync_daemon eth0 id 7
}
virtual_server 10.0.0.100 80 {
 lb_algo rr
 lb_kind NAT
 protocol TCP
}
`)
	want := ipvs.Timeouts{TCP: 111 * time.Second, TCPFin: 22 * time.Second, UDP: 33 * time.Second}
	inForce := func() bool {
		got, err := d.kernel.Timeouts()
		daemons, err2 := d.kernel.SyncDaemons()
		return err == nil && err2 == nil && got == want && len(daemons) == 2 && daemons[0].ID == 7
	}
	nettest.Eventually(t, labWait, "timeouts and sync daemons are set", inForce)
	d.Stop()
	got, err := d.kernel.Timeouts()
	daemons, err2 := d.kernel.SyncDaemons()
	if err != nil || err2 != nil || got == want || len(daemons) != 0 {
		t.Errorf("at the end timeouts %v, daemons %v (%v, %v)", got, daemons, err, err2)
	}
}
