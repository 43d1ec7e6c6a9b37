package vrrpd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// alone starts one daemon and waits until it is master.
func alone(t testing.TB, conf string) (*node, []*nettest.NS) {
	t.Helper()
	needDaemon(t)
	hosts := lan(t, 2)
	a := newNode(t, hosts[0], bin, conf).start()
	nettest.Eventually(t, 6*time.Second, "it is master", func() bool { return a.has(vip) })
	return a, hosts
}

// TestVMAC has a virtual interface made, used, made again and taken away, and
// the settings of the real one put back.
func TestVMAC(t *testing.T) {
	needDaemon(t)
	hosts := lan(t, 2)
	a := newNode(t, hosts[0], bin, instance(100, "use_vmac"))
	ignore := a.ns.Sysctl("net/ipv4/conf/eth0/arp_ignore")
	c := hosts[1].Capture("eth0")
	a.start()
	nettest.Eventually(t, 6*time.Second, "it is master", func() bool { return a.has(vip) })
	const mac = "00:00:5e:00:01:33"
	f := last(t, c, "10.99.0.1")
	if f.SrcMAC.String() != mac {
		t.Errorf("adverts come from %v, want %s", f.SrcMAC, mac)
	}
	g := c.Wait(3*time.Second, "a gratuitous ARP", func(f nettest.Frame) bool { return f.Kind == nettest.ARP && f.Src.String() == vip })
	if g.SrcMAC.String() != mac {
		t.Errorf("gratuitous ARP comes from %v, want %s", g.SrcMAC, mac)
	}
	if out := hosts[1].Run("ping", "-c", "1", "-W", "1", vip); !strings.Contains(out, "1 received") {
		t.Errorf("the address does not answer: %s", out)
	}
	if out := a.ns.IP("-d", "link", "show", "vrrp.51"); !strings.Contains(out, "macvlan mode private") {
		t.Errorf("the interface is no private macvlan: %s", out)
	}
	a.ns.IP("link", "del", "vrrp.51")
	nettest.Eventually(t, 5*time.Second, "it is made again and has the address", func() bool { return a.has(vip) })
	a.stop()
	if out, _ := a.ns.TryRun("ip", "link", "show", "vrrp.51"); !strings.Contains(out, "does not exist") {
		t.Errorf("the interface stays: %s", out)
	}
	if got := a.ns.Sysctl("net/ipv4/conf/eth0/arp_ignore"); got != ignore {
		t.Errorf("arp_ignore is %s after the stop, was %s", got, ignore)
	}
	if _, err := exec.LookPath("nft"); err == nil {
		if out := a.ns.Run("nft", "list", "tables"); strings.TrimSpace(out) != "" {
			t.Errorf("nftables are left: %s", out)
		}
	}
}

// TestNoAccept keeps packets for the address out while it is held.
func TestNoAccept(t *testing.T) {
	a, hosts := alone(t, instance(100, "no_accept"))
	if out, err := hosts[1].TryRun("ping", "-c", "2", "-W", "1", vip); err == nil {
		t.Errorf("the address answers: %s", out)
	}
	a.reload(instance(100))
	nettest.Eventually(t, 3*time.Second, "the address answers after accept", func() bool {
		_, err := hosts[1].TryRun("ping", "-c", "1", "-W", "1", vip)
		return err == nil
	})
}

// TestHeldObjects sets and takes back everything a master can hold, and static
// entries that are put back when someone deletes them.
func TestHeldObjects(t *testing.T) {
	conf := `static_ipaddress {
 10.98.0.1/24 dev eth0
}
static_routes {
 198.51.101.0/24 via 10.99.0.2 dev eth0
}
static_rules {
 from 198.51.101.0/24 table 101
}
` + instance(100, `virtual_ipaddress_excluded {
  fd99::101/64
 }`, `virtual_routes {
  198.51.100.0/24 via 10.99.0.2 dev eth0 metric 7
 }`, `virtual_rules {
  from 198.51.100.0/24 table 100
 }`)
	a, _ := alone(t, conf)
	state := func() string { return a.ns.IP("route", "show") + a.ns.IP("rule", "show") + a.ns.IP("addr", "show") }
	all := []string{
		"198.51.100.0/24 via 10.99.0.2 dev eth0 proto keepalived metric 7", "from 198.51.100.0/24 lookup 100",
		"198.51.101.0/24 via 10.99.0.2 dev eth0 proto keepalived", "from 198.51.101.0/24 lookup 101",
		"10.98.0.1/24", "fd99::101/64",
	}
	nettest.Eventually(t, 2*time.Second, "everything is set", func() bool {
		s := state()
		for _, want := range all {
			if !strings.Contains(s, want) {
				return false
			}
		}
		return true
	})
	a.ns.DelAddr("eth0", "10.98.0.1/24")
	nettest.Eventually(t, 2*time.Second, "the static address is back", func() bool { return a.has("10.98.0.1") })
	a.waitLog("Restoring deleted static address 10.98.0.1/24")
	a.ns.IP("route", "del", "198.51.101.0/24")
	nettest.Eventually(t, 2*time.Second, "the static route is back", func() bool {
		return strings.Contains(a.ns.IP("route", "show"), "198.51.101.0/24")
	})
	// A virtual route that someone deletes costs the mastership for a moment.
	a.ns.IP("route", "del", "198.51.100.0/24")
	nettest.Eventually(t, 3*time.Second, "the virtual route is back", func() bool {
		return strings.Contains(a.ns.IP("route", "show"), "198.51.100.0/24")
	})
	a.stop()
	s := state()
	for _, gone := range []string{"198.51.10", "10.98.0.1", "fd99::101", vip} {
		if strings.Contains(s, gone) {
			t.Errorf("%s is left after the stop:\n%s", gone, s)
		}
	}
}

// TestAddressDeleted has someone delete the virtual address of a master: it
// comes back after the skew time, by way of BACKUP.
func TestAddressDeleted(t *testing.T) {
	a, _ := alone(t, instance(100))
	a.ns.DelAddr("eth0", vip+"/32")
	nettest.Eventually(t, 2*time.Second, "the address is back", func() bool { return a.has(vip) })
	a.waitLog("Netlink reflector reports IP 10.99.0.100 removed from eth0")
	if n := strings.Count(a.proc.Output(), "(VI_1) Entering MASTER STATE"); n != 2 {
		t.Errorf("it became master %d times, want 2", n)
	}
}

// TestLink takes the carrier away, and the whole interface.
func TestLink(t *testing.T) { nettest.Play(t, margin, linkLost) }

func linkLost(t testing.TB) {
	needDaemon(t)
	hosts, sw := nettest.LANWithSwitch(t, 2)
	a, b := newNode(t, hosts[0], bin, instance(110)).start(), newNode(t, hosts[1], bin, instance(100)).start()
	converged(t, a, b)
	sw.Down("p0")
	nettest.Eventually(t, 3*time.Second, "the peer takes over", func() bool { return b.has(vip) && !a.has(vip) })
	a.waitLog("Netlink reports eth0 down")
	a.waitLog("(VI_1) Entering FAULT STATE")
	sw.Up("p0")
	converged(t, a, b)
	a.waitLog("Netlink reports eth0 up")
}

// TestTracking moves the priority by a file and an interface.
func TestTracking(t *testing.T) { nettest.Play(t, margin, tracking) }

func tracking(t testing.TB) {
	needDaemon(t)
	file := filepath.Join(t.TempDir(), "weight")
	if err := os.WriteFile(file, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("track_file f {\n file %s\n weight 1\n}\n", file) +
		instance(110, "track_file {\n  f\n }", "track_interface {\n  v0 weight -30\n }")
	hosts := lan(t, 2)
	nettest.Veth(hosts[0], "v0", hosts[0], "v1")
	a, b := newNode(t, hosts[0], bin, conf).start(), newNode(t, hosts[1], bin, instance(100)).start()
	converged(t, a, b)
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("-20\n")
	converged(t, b, a)
	a.waitLog("(VI_1) Changing effective priority from 110 to 90")
	write("0\n")
	converged(t, a, b)
	hosts[0].Down("v1")
	converged(t, b, a)
	hosts[0].Up("v1")
	converged(t, a, b)
}

// TestNotify has scripts and a FIFO told of every state, in order, with the
// address set or gone already.
func TestNotify(t *testing.T) {
	needDaemon(t)
	dir := t.TempDir()
	seen, prog, fifo := filepath.Join(dir, "seen"), filepath.Join(dir, "notify.sh"), filepath.Join(dir, "fifo")
	body := fmt.Sprintf("#!/bin/sh\nip -o addr show dev eth0 | grep -q 10.99.0.100 && has=yes || has=no\necho \"$* $has\" >> %s\n", seen)
	if err := os.WriteFile(prog, []byte(body), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("global_defs {\n script_user root\n vrrp_notify_fifo %s\n}\n", fifo) +
		instance(100, "notify "+prog, "notify_master \""+prog+" im\"")
	a, _ := alone(t, conf)
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		f, err := os.Open(fifo)
		if err != nil {
			return
		}
		defer f.Close()
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			lines <- string(buf[:n])
		}
	}()
	got := func() string { b, _ := os.ReadFile(seen); return string(b) }
	nettest.Eventually(t, 3*time.Second, "the master scripts have run", func() bool {
		return strings.Contains(got(), "im yes") && strings.Contains(got(), "INSTANCE VI_1 MASTER 100 yes")
	})
	a.stop()
	nettest.Eventually(t, 3*time.Second, "the stop script has run", func() bool {
		return strings.Contains(got(), "INSTANCE VI_1 STOP 100 no")
	})
	all := ""
	for l := range lines { // until the daemon's end is the end of the FIFO
		all += l
	}
	for _, want := range []string{"INSTANCE \"VI_1\" BACKUP 100\n", "INSTANCE \"VI_1\" MASTER 100\n", "INSTANCE \"VI_1\" STOP 100\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("the FIFO lacks %q: %q", want, all)
		}
	}
}

// TestDumps asks for the data, statistics and JSON files.
func TestDumps(t *testing.T) {
	a, _ := alone(t, instance(100))
	for _, c := range []struct {
		sig        syscall.Signal
		file, text string
	}{
		{syscall.SIGUSR1, "keepalived.data", "   State = MASTER\n"},
		{syscall.SIGUSR2, "keepalived.stats", "  Became master: 1\n"},
		{36, "keepalived.json", `"iname":"VI_1"`},
	} {
		a.proc.Signal(c.sig)
		path := filepath.Join(a.dir, c.file)
		nettest.Eventually(t, 3*time.Second, c.file+" is written", func() bool {
			b, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(b), c.text)
		})
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", c.file, info.Mode().Perm())
		}
	}
}

// TestSyncGroup takes two instances together.
func TestSyncGroup(t *testing.T) {
	needDaemon(t)
	second := func(p int) string {
		return strings.NewReplacer("VI_1", "VI_2", "eth0", "v0", " 51", " 52", vip, "10.99.0.200").Replace(instance(p))
	}
	conf := func(p int) string {
		return "vrrp_sync_group G1 {\n group {\n  VI_1\n  VI_2\n }\n}\n" + instance(p) + second(p)
	}
	hosts := lan(t, 2)
	nettest.Veth(hosts[0], "v0", hosts[1], "v0")
	hosts[0].AddAddr("v0", "10.97.0.1/24")
	hosts[1].AddAddr("v0", "10.97.0.2/24")
	a, b := newNode(t, hosts[0], bin, conf(110)).start(), newNode(t, hosts[1], bin, conf(100)).start()
	both := func(n *node) bool { return n.has(vip) && n.has("10.99.0.200") }
	none := func(n *node) bool { return !n.has(vip) && !n.has("10.99.0.200") }
	nettest.Eventually(t, 8*time.Second, "a holds both", func() bool { return both(a) && none(b) })
	a.ns.IP("addr", "del", "10.97.0.1/24", "dev", "v0")
	nettest.Eventually(t, 5*time.Second, "b holds both", func() bool { return both(b) && none(a) })
	a.waitLog("VRRP_Group(G1) Syncing instances to FAULT state")
	a.ns.AddAddr("v0", "10.97.0.1/24")
	nettest.Eventually(t, 5*time.Second, "a holds both again", func() bool { return both(a) && none(b) })
}
