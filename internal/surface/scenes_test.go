package surface

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// simpleScene is one instance with everything that signals bring.
func simpleScene(t testing.TB, s *stage) map[string]string {
	s.write("etc/keepalived.conf", nettest.Recorded(t, "01-simple/keepalived.conf"))
	d := &daemon{s.run(nil, "keepalived", "-n", "-l", "-D"), s}
	d.wait("Entering MASTER STATE")
	d.waitCount("Sending gratuitous ARP", 5)
	got := map[string]string{
		"01-simple/keepalived_parent-2.4.3.data": d.dump(sigData, "tmp/keepalived_parent.data"),
		"01-simple/keepalived-2.4.3.data":        s.read("tmp/keepalived.data"),
		"01-simple/keepalived-2.4.3.stats":       d.dump(sigStats, "tmp/keepalived.stats"),
		"01-simple/keepalived-2.4.3.json":        d.dump(sigJSON, "tmp/keepalived.json"),
	}
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	d.Signal(sigStatsClear)
	d.wait("Printing and clearing VRRP stats")
	got["01-simple/console-D-2.4.3.log"] = d.end()
	return got
}

func plainScene(t testing.TB, s *stage) map[string]string {
	got := map[string]string{}
	s.write("etc/keepalived.conf", nettest.Recorded(t, "01-simple/keepalived.conf"))
	d := &daemon{s.run(nil, "keepalived", "-n", "-l"), s}
	d.wait("Entering MASTER STATE")
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	got["01-simple/console-no-D-2.4.3.log"] = d.end()

	d = &daemon{s.run(nil, "keepalived", "-n", "-l", "-d"), s}
	d.wait("Entering MASTER STATE")
	got["01-simple/console-dump-conf-2.4.3.log"] = d.end()

	d = &daemon{s.run(nil, "keepalived", "-n", "-D", "-g/tmp/ka.log", "-G"), s}
	nettest.Eventually(t, patience, "the log file says MASTER", func() bool {
		b, _ := os.ReadFile(s.file("tmp/ka_vrrp.log"))
		return strings.Contains(string(b), "Entering MASTER STATE")
	})
	d.Signal(syscall.SIGHUP)
	nettest.Eventually(t, patience, "the log file says Reload complete", func() bool {
		b, _ := os.ReadFile(s.file("tmp/ka.log"))
		return strings.Contains(string(b), "Reload complete")
	})
	d.end()
	got["01-simple/logfile-2.4.3.txt"] = "total 8\n== /tmp/ka.log\n" + s.read("tmp/ka.log") + "== /tmp/ka_vrrp.log\n" + s.read("tmp/ka_vrrp.log")
	return got
}

// oneWrite is the recorded notify.sh, but for that it writes its line at once:
// scripts run side by side.
const oneWrite = `#!/bin/bash
line=$(printf '%s argc=%d' "$(date +%T)" $#; for a in "$0" "$@"; do printf ' [%s]' "$a"; done)
echo "$line" >> /tmp/argv.log
`

// notifyScene has every kind of script, FIFO and mail, and a second
// configuration.
func notifyScene(t testing.TB, s *stage) map[string]string {
	for _, f := range []string{"fifo.sh", "ss.sh"} {
		s.write("etc/"+f, nettest.Recorded(t, "02-notify/"+f))
	}
	s.write("etc/notify.sh", oneWrite)
	s.write("tmp/ok", "")
	mail := s.mailServer(s.peer, "192.0.2.2:2525")
	d := s.start(nettest.Recorded(t, "02-notify/keepalived.conf"))
	for _, name := range []string{"VI_1", "VI_2", "VI_3"} {
		d.wait("(" + name + ") Entering MASTER STATE")
	}
	got := map[string]string{}
	got["02-notify/keepalived.data"] = d.dump(sigData, "tmp/keepalived.data")
	got["02-notify/keepalived.stats"] = d.dump(sigStats, "tmp/keepalived.stats")
	got["02-notify/keepalived.json"] = d.dump(sigJSON, "tmp/keepalived.json")
	s.lb.Down("eth0")
	d.wait("(VI_3) Entering FAULT STATE")
	d.wait("VRRP_Group(VG_1) Syncing instances to FAULT state")
	got["02-notify/keepalived-fault.data"] = d.dump(sigData, "tmp/keepalived.data")
	s.lb.Up("eth0")
	for _, name := range []string{"VI_1", "VI_2", "VI_3"} {
		d.waitCount("("+name+") Entering MASTER STATE", 2)
	}
	s.write("etc/keepalived.conf", nettest.Recorded(t, "02-notify/keepalived.conf.reload"))
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	nettest.Eventually(t, patience, "the script of the deleted instance has run", func() bool {
		return strings.Contains(s.read("tmp/argv.log"), "[VI_3] [DELETED]")
	})
	got["02-notify/console-D.log"] = d.end()
	got["02-notify/notify-argv.log"] = s.read("tmp/argv.log")
	got["02-notify/startup-shutdown-argv.log"] = s.read("tmp/ss.log")
	got["02-notify/fifo-script-argv.log"] = s.read("tmp/fifoargv.log")
	got["02-notify/vrrp-fifo.txt"] = s.read("tmp/fifo-vrrp.fifo.log")
	got["02-notify/smtp-dialogue.txt"] = mail()
	return got
}

func trackingScene(t testing.TB, s *stage) map[string]string {
	s.write("etc/chk.sh", "#!/bin/sh\nexit 0\n")
	s.write("etc/bad.sh", "#!/bin/sh\nexit 2\n")
	if err := os.Symlink("/etc/keepalived/chk.sh", s.file("etc/link.sh")); err != nil {
		t.Fatal(err)
	}
	s.write("etc/keepalived.conf", nettest.Recorded(t, "04-tracking/keepalived.conf"))
	d := &daemon{s.run(nil, "keepalived", "-n", "-l", "-D"), s}
	d.wait("(VI_1) Entering MASTER STATE")
	d.wait("(VI_2) Entering MASTER STATE")
	d.wait("VRRP_Script(chk) succeeded")
	got := map[string]string{"04-tracking/keepalived.data": d.dump(sigData, "tmp/keepalived.data")}
	got["04-tracking/keepalived.json"] = d.dump(sigJSON, "tmp/keepalived.json")
	for _, line := range []string{"eth0 for 192.0.2.100", "vrrp.52 for 192.0.2.101", "vrrp.52 for 192.0.2.102"} {
		d.waitCount("Sending gratuitous ARP on "+line, 5)
	}
	got["04-tracking/console-D.log"] = d.end()
	return got
}

// checkerScene has no IPVS: checks, notices, mails and dumps are the same without.
func checkerScene(t testing.TB, s *stage) map[string]string {
	s.write("etc/misc.sh", nettest.Recorded(t, "07-checker/misc.sh"))
	s.write("etc/notify.sh", oneWrite)
	for _, a := range []string{"192.0.2.11/24", "192.0.2.12/24", "192.0.2.14/24"} {
		s.peer.AddAddr("eth0", a)
	}
	mail := s.mailServer(s.lb, "127.0.0.1:2525")
	serve := func(addr string) *nettest.Proc {
		return s.peer.StartWith([]nettest.ProcOption{nettest.Env("SURFACE_SERVE=" + addr)}, os.Args[0])
	}
	web, tcp := serve("192.0.2.11:80"), serve("192.0.2.12:80")
	d := &daemon{s: s}
	s.write("etc/keepalived.conf", nettest.Recorded(t, "07-checker/keepalived.conf"))
	d.Proc = s.run(nil, "keepalived", "-n", "-l", "-D", "-G")
	nettest.Eventually(t, patience, "the FIFO is there", func() bool {
		info, err := os.Stat(s.file("run/lvs.fifo"))
		return err == nil && info.Mode()&os.ModeNamedPipe != 0
	})
	fifo := s.lb.Start("cat", s.file("run/lvs.fifo"))
	d.wait("TCP connection to [192.0.2.12]:tcp:80 success.")
	d.wait("Remote Web server [192.0.2.11]:tcp:80 succeed on service.")
	d.wait("ICMP connection to [192.0.2.14]:tcp:80 success.")
	d.wait("[/etc/keepalived/misc.sh] succeeded")
	got := map[string]string{"07-checker/keepalived_check.data": d.dump(sigData, "tmp/keepalived_check.data")}
	tcp.Stop()
	d.wait("TCP_CHECK on service [192.0.2.12]:tcp:80 failed after 1 retries.")
	web.Stop()
	d.wait("Lost quorum 1-0=1 > 0 for VS [192.0.2.100]:tcp:80")
	got["07-checker/keepalived_check-all-down.data"] = d.dump(sigData, "tmp/keepalived_check.data")
	serve("192.0.2.12:80")
	d.waitCount("Adding alive servers to the pool for VS [192.0.2.100]:tcp:80", 2)
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	s.write("etc/misc.sh", "#!/bin/sh\nexit 1\n")
	d.wait("Removing service [192.0.2.13]:none:0 from VS FWM 5")
	got["07-checker/console-D.log"] = d.end()
	fifo.WaitOutput(patience, "VS [192.0.2.100]:tcp:80 DOWN")
	got["07-checker/lvs-fifo.txt"], got["07-checker/notify-argv.log"] = fifo.Output(), s.read("tmp/argv.log")
	got["07-checker/smtp-dialogue.txt"] = mail()
	return got
}

// priorityScene has a peer of lower priority, a script that lowers ours, and a
// while in which the peer does not hear us.
func priorityScene(t testing.TB, s *stage) map[string]string {
	nettest.Need(t, "nft")
	s.write("etc/notify.sh", oneWrite)
	s.write("tmp/ok", "")
	peerConf := "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 140\n virtual_ipaddress {\n 192.0.2.100/24\n }\n}\n"
	s.write("peer.conf", peerConf)
	s.peer.StartWith([]nettest.ProcOption{nettest.PrivateRun()}, programs+"/keepalived", "-n", "-l", "-D", "-G", "-f", s.file("peer.conf")).
		WaitOutput(patience, "Entering MASTER STATE")
	d := s.start(nettest.Recorded(t, "03-priority-events/keepalived.conf"))
	nettest.Eventually(t, patience, "the FIFO is there", func() bool {
		info, err := os.Stat(s.file("run/vrrp.fifo"))
		return err == nil && info.Mode()&os.ModeNamedPipe != 0
	})
	reader := s.lb.Start("cat", s.file("run/vrrp.fifo"))
	d.wait("(VI_1) Entering MASTER STATE")
	if err := os.Remove(s.file("tmp/ok")); err != nil {
		t.Fatal(err)
	}
	d.wait("(VI_1) Entering BACKUP STATE\n")
	nettest.Eventually(t, patience, "we are backup", func() bool { return !s.lb.HasAddr("192.0.2.100") })
	s.write("tmp/ok", "")
	d.waitCount("(VI_1) Entering MASTER STATE", 2)
	s.peer.Run("nft", "add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in ip protocol vrrp drop")
	d.waitCount("with lower priority 140, ours 150, forcing new election", 6)
	s.peer.Run("nft", "delete table ip t")
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	d.dump(sigStats, "tmp/keepalived.stats")
	log := d.end()
	reader.WaitOutput(patience, "STOP 150")
	return map[string]string{"03-priority-events/console-D.log": log,
		"03-priority-events/notify-argv.log": s.read("tmp/argv.log"), "03-priority-events/vrrp-fifo.txt": reader.Output()}
}

func bfdScene(t testing.TB, s *stage) map[string]string {
	s.lb.AddAddr("eth0", "2001:db8::1/64")
	s.peer.AddAddr("eth0", "2001:db8::2/64")
	s.write("peer.conf", nettest.Recorded(t, "08-bfd/keepalived-peer.conf"))
	startPeer := func() *nettest.Proc {
		return s.peer.StartWith([]nettest.ProcOption{nettest.PrivateRun()}, programs+"/keepalived", "-n", "-l", "-D", "-G", "-f", s.file("peer.conf"))
	}
	peer := startPeer()
	d := s.start(nettest.Recorded(t, "08-bfd/keepalived.conf"))
	for _, name := range []string{"bfd1", "bfd6", "bfdm"} {
		d.wait("(" + name + ") Entering Up state")
	}
	d.wait("(VI_1) Entering MASTER STATE")
	d.waitCount("Sending gratuitous ARP", 5)
	got := map[string]string{"08-bfd/keepalived_bfd.data": d.dump(sigData, "tmp/keepalived_bfd.data")}
	got["08-bfd/keepalived.data"] = s.read("tmp/keepalived.data")
	peer.Stop()
	d.wait("(bfd1) Entering Down state")
	d.wait("(VI_1) Entering FAULT STATE")
	startPeer()
	for _, name := range []string{"bfd1", "bfd6", "bfdm"} {
		d.waitCount("("+name+") Entering Up state", 2)
	}
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	got["08-bfd/console-D.log"] = d.end()
	return got
}

func snmpScene(t testing.TB, s *stage) map[string]string {
	m := managerOn(s)
	d := s.start(nettest.Recorded(t, "09-snmp/keepalived.conf"))
	d.wait("(VI_1) Entering MASTER STATE")
	d.wait("(VI_3) Entering MASTER STATE")
	nettest.Eventually(t, patience, "the addresses are there", func() bool {
		return s.lb.HasAddr("192.0.2.100") && s.lb.HasAddr("192.0.2.130")
	})
	var walk strings.Builder
	for _, root := range []string{oidKeepalived, oidVRRP2, oidVRRP3, ".1.3.6.1.2.1.1.9.1.3"} {
		out, err := m.get("snmpwalk", root)
		if err != nil {
			t.Errorf("snmpwalk %s: %v\n%s", root, err, out)
		}
		walk.WriteString("# snmpwalk -On " + root + "\n" + out)
	}
	out, err := m.get("snmpset", oidBasePriority, "i", "120")
	if err != nil {
		t.Errorf("snmpset: %v\n%s", err, out)
	}
	walk.WriteString("# set basePriority\n" + out)
	d.Signal(syscall.SIGHUP)
	d.wait("Reload complete")
	log := d.end()
	m.traps.WaitOutput(patience, `5.2.1.1.3 = INTEGER: 5`)
	return map[string]string{"09-snmp/walk.txt": walk.String(), "09-snmp/traps.txt": m.traps.Output(), "09-snmp/console-D.log": log}
}

func dbusScene(t testing.TB, s *stage) map[string]string {
	nettest.Need(t, "dbus-daemon", "dbus-send", "dbus-monitor", "gdbus")
	b := busOn(s)
	s.write("etc/keepalived.conf", nettest.Recorded(t, "10-dbus/keepalived.conf"))
	d := &daemon{s.run([]string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus"}, "keepalived", "-n", "-l", "-D", "-G"), s}
	d.wait("(VI_1) Entering MASTER STATE")
	d.wait("(VI_6) Entering MASTER STATE")
	b.waitSignal("52/IPv6; interface=org.keepalived.Vrrp1.Instance; member=VrrpStatusChange\n   uint32 2")
	var calls strings.Builder
	gdbus := func(args ...string) {
		out, err := s.lb.TryRun("gdbus", append(args, "--address", b.address(), "--dest", "org.keepalived.Vrrp1")...)
		if err != nil {
			t.Errorf("gdbus %v: %v", args, err)
		}
		calls.WriteString(out)
	}
	send := func(title, path, method string, args ...string) {
		out, _ := s.lb.TryRun("dbus-send", append([]string{"--bus=" + b.address(), "--print-reply", "--dest=org.keepalived.Vrrp1",
			"/org/keepalived/Vrrp1" + path, method}, args...)...)
		calls.WriteString("# " + title + "\n" + out)
	}
	calls.WriteString("# gdbus introspect --system --dest org.keepalived.Vrrp1 --object-path /org/keepalived/Vrrp1 --recurse\n")
	gdbus("introspect", "--object-path", "/org/keepalived/Vrrp1", "--recurse")
	send("Get Name 51/IPv4", one, get, instance, "string:Name")
	send("Get Name 52/IPv6", six, get, instance, "string:Name")
	send("Get State 51/IPv4", one, get, instance, "string:State")
	send("Get State 52/IPv6", six, get, instance, "string:State")
	calls.WriteString("# GetAll\n")
	gdbus("call", "--object-path", "/org/keepalived/Vrrp1"+one, "--method", "org.freedesktop.DBus.Properties.GetAll", "org.keepalived.Vrrp1.Instance")
	for _, m := range []string{"PrintData", "PrintStats", "PrintStatsClear", "ReloadConfig", "Foo"} {
		send(m, "/Vrrp", vrrp+m)
	}
	send("SendGarp", one, "org.keepalived.Vrrp1.Instance.SendGarp")
	d.wait("Reload complete")
	b.waitSignal("member=VrrpReloaded")
	log := d.end()
	b.waitSignal("member=VrrpStopped")
	return map[string]string{"10-dbus/calls.txt": calls.String(), "10-dbus/signals.txt": b.monitor.Output(), "10-dbus/console-D.log": log}
}

func commandScene(t testing.TB, s *stage) map[string]string {
	said := func(args ...string) string {
		p := s.run(nil, "keepalived", args...)
		p.Exited(patience)
		return p.Output()
	}
	return map[string]string{"11-command-line/help-2.4.3.txt": said("-h")}
}
