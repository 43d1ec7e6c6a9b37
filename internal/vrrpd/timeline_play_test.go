package vrrpd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const (
	lineInit   = "(VI_1) Entering BACKUP STATE (init)"
	lineBackup = "(VI_1) Entering BACKUP STATE"
	lineFault  = "(VI_1) Entering FAULT STATE"
	lineMaster = "(VI_1) Entering MASTER STATE"
)

func (l *timeline) startCrashStop() {
	a, b := l.both(v2(100), v2(90))
	begun := l.log(a, lineInit, l.begin)
	first := l.advert(0, 100, begun)
	l.row("a: BACKUP (init), first advert", 3611.0, begun, first)
	block := l.garps(0, 5, first)
	l.row("first advert, first gratuitous ARP", 0.1, first, block[0])
	l.row("first, fifth gratuitous ARP", 0.1, block[0], block[4])
	l.row("first advert, b says who is master", 0.8, first, l.log(b, "(VI_1) master set to 10.99.0.1", l.begin))
	second := l.advert(0, 100, first)
	l.row("first, second advert", 1000.3, first, second)
	again := l.garps(0, 5, block[4].Add(time.Second))
	l.row("first, second block of gratuitous ARPs", 5000.2, block[0], again[0])
	l.row("first, sixth advert", 5000.9, first, l.adverts(0, 100, first)[4].At)
	a.crash()
	last := l.last(0, 100)
	taken := l.advert(1, 90, last)
	l.row("SIGKILL of a: its last advert, b's first", 3648.9, last, taken)
	l.row("b's advert, first gratuitous ARP", 0.2, taken, l.garps(1, 5, taken)[0])
	a.start()
	begun = l.log(a, lineInit, taken)
	first = l.advert(0, 100, taken)
	l.row("a again: BACKUP (init), takeover from b", 3609.5, begun, first)
	l.row("takeover, b goes to BACKUP", 0.3, first, l.log(b, lineBackup, taken))
	stopped := time.Now()
	a.stop()
	zero := l.advert(0, 0, stopped)
	l.row("SIGTERM of a: priority 0", 0.4, stopped, zero)
	if n := len(l.adverts(0, 0, l.begin)); n != 1 {
		l.t.Errorf("%d adverts with priority 0 at a stop", n)
	}
	l.row("priority 0, b's advert", 648.7, zero, l.advert(1, 90, zero))
}

func (l *timeline) scripts() {
	dir := l.t.TempDir()
	fail := func(name string) string { return filepath.Join(dir, name) }
	conf := "global_defs {\n script_user root\n}\n"
	for _, s := range []string{"chk", "chk2"} {
		conf += fmt.Sprintf("vrrp_script %s {\n script \"/usr/bin/test ! -e %s\"\n interval 1\n", s, fail(s))
		if s == "chk" {
			conf += " fall 2\n rise 2\n}\n"
		} else {
			conf += " weight -20\n}\n"
		}
	}
	touch := func(name string) {
		if err := os.WriteFile(fail(name), nil, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	a, b := l.both(conf+v2(100, "track_script {\n chk\n chk2\n }"), v2(90))
	ok := l.log(a, "VRRP_Script(chk) succeeded", l.begin)
	l.row("first result, BACKUP", 0, ok, l.log(a, lineBackup, l.begin))
	l.row("BACKUP, MASTER", 3609.7, ok, l.advert(0, 100, ok))

	touch("chk2")
	lowered := l.log(a, "(VI_1) Changing effective priority from 100 to 80", ok)
	l.row("the script failed, priority 80", 0, l.log(a, "VRRP_Script(chk2) failed (exited with status 1)", ok), lowered)
	reg := l.advert(0, 80, lowered)
	last := l.last(0, 100)
	l.row("last advert with 100, next one with 80", 1000.4, last, reg)
	taken := l.advert(1, 90, lowered)
	l.row("last advert that b accepted, b's first", 3648.6, last, taken)
	l.row("b's first advert, a goes to BACKUP", 0.5, taken, l.log(a, lineBackup, taken))

	l.advert(1, 90, taken.Add(1500*time.Millisecond))
	if err := os.Remove(fail("chk2")); err != nil {
		l.t.Fatal(err)
	}
	raised := l.log(a, "(VI_1) Changing effective priority from 80 to 100", taken)
	first := l.advert(0, 100, raised)
	l.row("last advert that a accepted, a's first with 100", 3610.0, l.last(1, 90, raised), first)
	l.row("a's advert, b goes to BACKUP", 0.5, first, l.log(b, lineBackup, first.Add(-time.Second)))

	touch("chk")
	one := l.log(a, "Script `chk` now returning 1", first)
	zero := l.advert(0, 0, one)
	l.row("first failure, second failure with priority 0", 1000.6, one, zero)
	if n := len(l.adverts(0, 0, one)); n < 2 {
		nettest.Eventually(l.t, time.Second, "priority 0 twice", func() bool { return len(l.adverts(0, 0, one)) == 2 })
	}
	l.row("priority 0, FAULT", 0.1, zero, l.log(a, lineFault, one))
	l.row("priority 0, b's advert", 648.9, zero, l.advert(1, 90, zero))
	if err := os.Remove(fail("chk")); err != nil {
		l.t.Fatal(err)
	}
	one = l.log(a, "Script `chk` now returning 0", zero)
	ok = l.log(a, "VRRP_Script(chk) succeeded", one.Add(-time.Millisecond))
	l.row("first success, second", 1001.0, one, ok)
	l.row("second success, MASTER", 3609.4, ok, l.advert(0, 100, ok))
}

func (l *timeline) linkAndAddress() {
	a, _ := l.pair(v2(100), v2(90))
	at := time.Now()
	l.sw.Down("p0")
	l.row("port down, reported and FAULT", 3.0, at, l.log(a, lineFault, at))
	last := l.last(0, 100)
	l.row("last advert, b's first", 3648.9, last, l.advert(1, 90, last))
	at = time.Now()
	l.sw.Up("p0")
	back := l.log(a, lineBackup, at)
	l.row("port up, BACKUP", 3.2, at, back)
	first := l.advert(0, 100, back)
	l.row("BACKUP, MASTER", 3609.5, back, first)

	nettest.Eventually(l.t, time.Second, "the address is there", func() bool { return a.has(vip) })
	at = time.Now()
	a.ns.DelAddr("eth0", vip+"/24")
	zero := l.advert(0, 0, at)
	l.row("address deleted by hand, priority 0", 3.0, at, zero)
	if n := len(l.adverts(0, 0, at)); n != 1 {
		l.t.Errorf("%d adverts with priority 0 after an address was deleted", n)
	}
	first = l.advert(0, 100, zero)
	l.row("priority 0, MASTER again", 610.0, zero, first)
	l.row("MASTER, gratuitous ARPs", 0.1, first, l.garps(0, 5, first)[0])

	nettest.Eventually(l.t, time.Second, "the address is there", func() bool { return a.has(vip) })
	at = time.Now()
	a.ns.DelAddr("eth0", "10.99.0.1/24")
	fault := l.log(a, lineFault, at)
	l.row("primary address deleted, FAULT", 3.8, at, fault)
	zero = l.advert(0, 0, at)
	l.row("priority 0, b's advert", 648.7, zero, l.advert(1, 90, zero))
	at = time.Now()
	a.ns.AddAddr("eth0", "10.99.0.1/24")
	back = l.log(a, lineBackup, at)
	l.row("address added, BACKUP", 2.8, at, back)
	l.row("BACKUP, MASTER", 3610.0, back, l.advert(0, 100, back))
}

func (l *timeline) preemptDelay() {
	l.node(1, v2(90)).start()
	l.advert(1, 90, l.begin)
	a := l.node(0, v2(100, "preempt_delay 3")).start()
	heard := l.log(a, "(VI_1) start preempt delay (3.000000)", l.begin)
	taken := l.advert(0, 100, heard)
	l.row("last advert that a accepted, takeover", 3609.5, l.last(1, 90, taken.Add(-3550*time.Millisecond)), taken)
	// The third advert comes just when the delay ends.
	if d := taken.Sub(heard); d < 5500*time.Millisecond {
		l.t.Errorf("takeover %v after the delay began", d)
	}
}

func (l *timeline) noPreempt() {
	b := l.node(1, v2(90)).start()
	l.advert(1, 90, l.begin)
	a := l.node(0, v2(100, "nopreempt")).start()
	l.log(a, "(VI_1) master set to 10.99.0.2", l.begin)
	if l.advert(1, 90, time.Now().Add(3700*time.Millisecond)); len(l.adverts(0, 100, l.begin)) > 0 {
		l.t.Error("a takes over in spite of nopreempt")
	}
	at := time.Now()
	b.stop()
	zero := l.advert(1, 0, at)
	l.row("b stops with priority 0, a's advert", 609.8, zero, l.advert(0, 100, zero))
}

func (l *timeline) startupDelay() {
	a := l.node(0, "global_defs {\n vrrp_startup_delay 4.5\n}\n"+v2(100)).start()
	begun := l.log(a, "Delaying startup for 4.5 seconds", l.begin)
	l.row("the delay begins, it ends", 4502.0, begun, l.log(a, "Delayed start completed", begun))
	l.row("the delay begins, MASTER", 8109.4, begun, l.advert(0, 100, begun))
}

func (l *timeline) twoOwners() {
	a := l.node(0, v2(255, "state MASTER")).start()
	l.row("owner alone: started, first advert", 5, a.proc.LogTime(5*time.Second, "Starting VRRP child process", l.begin), l.advert(0, 255, l.begin))
	b := l.node(1, v2(255, "state MASTER")).start()
	other := l.advert(1, 255, l.begin)
	l.row("the higher address speaks, the lower complains", 0.2, other, l.log(a, "CONFIGURATION ERROR: local instance and 10.99.0.2 are both configured as address owner, please resolve", l.begin))
	l.row("and yields", 0.2, other, l.log(a, lineBackup, l.begin))
	at := time.Now()
	b.stop()
	zero := l.advert(1, 0, at)
	l.row("priority 0, the lower is MASTER", 4.2, zero, l.advert(0, 255, zero))
}

func (l *timeline) oneAdvertDown() {
	a := l.node(0, v2(100, "down_timer_adverts 1")).start()
	begun := l.log(a, lineInit, l.begin)
	l.row("BACKUP (init), MASTER", 1609.4, begun, l.advert(0, 100, begun))
}

func (l *timeline) fast() {
	a := l.node(0, instance(100)).start()
	begun := l.log(a, lineInit, l.begin)
	first := l.advert(0, 100, begun)
	l.row("BACKUP (init), MASTER", 361.2, begun, first)
	l.row("first, eleventh advert", 1001.0, first, l.advert(0, 100, first.Add(950*time.Millisecond)))
}

func (l *timeline) trackInterface() {
	l.secondLAN()
	a, _ := l.pair(v2(100, "track_interface {\n eth1 weight -30\n }"), v2(90))
	at := time.Now()
	l.sw.Down("q0")
	l.row("eth1 lost, priority 70", 5.5, at, l.log(a, "(VI_1) Changing effective priority from 100 to 70", at))
	l.advert(0, 70, at)
	last := l.last(0, 100)
	l.row("last advert that b accepted, b's first", 3648.5, last, l.advert(1, 90, last))
	l.advert(1, 90, time.Now())
	at = time.Now()
	l.sw.Up("q0")
	raised := l.log(a, "(VI_1) Changing effective priority from 70 to 100", at)
	l.row("eth1 back, priority 100", 5, at, raised)
	l.row("last advert that a accepted, MASTER", 3609.5, l.last(1, 90, raised), l.advert(0, 100, raised))
}

func (l *timeline) syncGroup() {
	l.secondLAN()
	conf := func(p int) string {
		second := strings.NewReplacer("VI_1", "VI_2", "eth0", "eth1", " 51", " 52", vip, "10.98.0.100").Replace(v2(p))
		return "vrrp_sync_group G1 {\n group {\n  VI_1\n  VI_2\n }\n}\n" + v2(p) + second
	}
	a, b := l.both(conf(100), conf(90))
	second := l.log(a, "(VI_2) Entering MASTER STATE", l.begin)
	group := l.log(a, "VRRP_Group(G1) Syncing instances to MASTER state", l.begin)
	first := l.log(a, lineMaster, l.begin)
	l.row("VI_2 MASTER, the group", 0.3, second, group)
	l.row("the group, VI_1 MASTER", 0.1, group, first)
	l.advert(0, 100, first.Add(time.Second))
	at := time.Now()
	l.sw.Down("q0")
	down := l.log(a, "(VI_2) Entering FAULT STATE", at)
	l.row("eth1 down, VI_2 FAULT", 3.0, at, down)
	l.row("VI_2 FAULT, the group", 0.4, down, l.log(a, "VRRP_Group(G1) Syncing instances to FAULT state", at))
	zero := l.advert(0, 0, at)
	l.row("VI_2 FAULT, VI_1's priority 0", 0.5, down, zero)
	timeout := l.log(b, "(VI_1) Receive advertisement timeout", zero)
	l.row("priority 0, b's VI_1 times out", 648.7, zero, timeout)
	waited := l.log(b, "(VI_2) Receive advertisement timeout", zero)
	l.row("and waits for VI_2, then both are MASTER", 0.4, waited, l.advert(1, 90, waited.Add(-time.Second)))
	at = time.Now()
	l.sw.Up("q0")
	back := l.log(a, "(VI_2) Entering BACKUP STATE", at)
	l.row("eth1 up, VI_1 BACKUP with VI_2", 0.2, back, l.log(a, lineBackup, at))
	taken := l.advert(0, 100, back)
	l.row("BACKUP, both MASTER", 3609.5, back, taken)
	l.row("a's advert, b's VI_2 yields with VI_1", 0.5, taken, l.log(b, "(VI_2) Entering BACKUP STATE", back))
	at = time.Now()
	a.stop()
	zero = l.advert(0, 0, at)
	l.row("a stops, b's VI_1 MASTER", 650.0, zero, l.advert(1, 90, zero))
}

func (l *timeline) reload() {
	vips := func(x, y int) string {
		return fmt.Sprintf("virtual_ipaddress {\n 10.99.0.%d\n 10.99.0.%d\n }", x, y)
	}
	a, _ := l.pair(v2(100, vips(100, 101)), v2(90, vips(100, 101)))
	l.garps(0, 10, l.begin)
	hup := func(conf string) time.Time {
		a.write(conf)
		at := time.Now()
		a.proc.Signal(syscall.SIGHUP)
		return at
	}
	l.advert(0, 100, time.Now())
	at := hup(v2(100, vips(101, 102)))
	before := l.advert(0, 100, at)
	l.row("SIGHUP, advert with the old addresses", 0.4, at, before)
	after := l.advert(0, 100, before)
	l.row("old, advert with the new addresses", 1.1, before, after)
	l.row("old addresses' advert, gratuitous ARPs of all", 0.7, before, l.garps(0, 10, before)[0])
	l.row("the new addresses' advert, the next", 1000.3, after, l.advert(0, 100, after.Add(100*time.Millisecond)))

	at = hup(v2(80, vips(101, 102)))
	before = l.advert(0, 100, at)
	l.row("SIGHUP with priority 80: advert with 100", 0.3, at, before)
	l.row("advert with 100, with 80", 0.5, before, l.advert(0, 80, before))
	l.row("advert with 100, b takes over", 3648.7, before, l.advert(1, 90, before))

	at = hup(strings.NewReplacer("VI_1", "VI_9", " 51", " 59").Replace(v2(80, vips(101, 102))))
	begun := l.log(a, "(VI_9) Entering BACKUP STATE (init)", at)
	l.row("SIGHUP with another VRID, BACKUP", 0.8, at, begun)
	l.row("BACKUP, MASTER", 3687.7, begun, l.advert(0, 80, begun))
}

// stall stops a's VRRP process for a time and returns when it goes on.
func (l *timeline) stall(a *node, d time.Duration) (stopped, resumed time.Time) {
	l.t.Helper()
	child := a.child()
	l.advert(0, 100, time.Now())
	stopped = time.Now()
	if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
		l.t.Fatal(err)
	}
	nettest.Eventually(l.t, d+time.Second, "the stop is over", func() bool { return time.Since(stopped) >= d })
	resumed = time.Now()
	if err := syscall.Kill(child, syscall.SIGCONT); err != nil {
		l.t.Fatal(err)
	}
	return stopped, resumed
}

func (l *timeline) shortStall() {
	a, b := l.pair(v2(100), v2(90))
	_, resumed := l.stall(a, 2*time.Second)
	l.row("continued, one advert", 0, resumed, l.advert(0, 100, resumed))
	l.advert(0, 100, resumed.Add(time.Second))
	if n := len(l.adverts(0, 100, resumed)); n > 3 {
		l.t.Errorf("%d adverts after a stop of 2 s: missed ones are made up", n)
	}
	if b.logs(lineMaster) {
		l.t.Error("b took over")
	}
}

func (l *timeline) longStall() {
	a, b := l.pair(v2(100), v2(90))
	stopped, resumed := l.stall(a, 6*time.Second)
	l.row("last advert, b's first", 3648.9, l.last(0, 100, stopped), l.advert(1, 90, stopped))
	l.row("continued, b goes to BACKUP", 0.5, resumed, l.log(b, lineBackup, resumed))
}

func (l *timeline) expiredStall() {
	a, _ := l.pair(v2(100, "nopreempt", "timer_expired_backup 90"), v2(90))
	stopped, resumed := l.stall(a, 6*time.Second)
	l.row("last advert, b's first", 3648.9, l.last(0, 100, stopped), l.advert(1, 90, stopped))
	l.row("continued, a goes to BACKUP", 0, resumed, l.log(a, lineBackup, resumed))
	l.advert(1, 90, resumed.Add(2*time.Second))
	if n := len(l.adverts(0, 100, resumed)); n > 0 {
		l.t.Errorf("%d adverts of a router that stepped back", n)
	}
}

func (l *timeline) debounce() {
	a := l.node(0, "interface_up_down_delays {\n eth0 0.5 0.3\n}\n"+v2(100)).start()
	l.advert(0, 100, l.begin)
	at := time.Now()
	l.sw.Down("p0")
	l.row("link lost, FAULT", 500, at, l.log(a, lineFault, at))
	at = time.Now()
	l.sw.Up("p0")
	l.row("link back, BACKUP", 300, at, l.log(a, lineBackup, at))
}

func (l *timeline) vmacDeleted() {
	a := l.node(0, v2(100, "use_vmac")).start()
	l.advert(0, 100, l.begin)
	at := time.Now()
	a.ns.IP("link", "del", "vrrp.51")
	fault := l.log(a, lineFault, at)
	back := l.log(a, lineBackup, fault.Add(-time.Millisecond))
	l.row("FAULT, made again and BACKUP", 0.4, fault, back)
	l.row("BACKUP, MASTER", 3609.7, back, l.advert(0, 100, back))
}
