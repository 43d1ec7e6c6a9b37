package surface

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const dbusConf = `global_defs {
    router_id lb1
    enable_dbus
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
}
vrrp_instance VI_6 {
    state BACKUP
    interface eth0
    virtual_router_id 52
    priority 100
    virtual_ipaddress {
        2001:db8::200/64
    }
}
`

// systemBus is a message bus with the rules of a system bus: nothing is allowed
// but what a policy file allows, and ours is the one in the package.
type systemBus struct {
	*stage
	daemon  *nettest.Proc
	monitor *nettest.Proc
}

func newSystemBus(t testing.TB) *systemBus {
	t.Helper()
	nettest.Need(t, "dbus-daemon", "dbus-send", "dbus-monitor", "setpriv", "unshare")
	return busOn(newStage(t))
}

// busOn starts the bus on a stage.
func busOn(s *stage) *systemBus {
	s.t.Helper()
	b := &systemBus{stage: s}
	policy, err := filepath.Abs("../../packaging/dbus/org.keepalived.Vrrp1.conf")
	if err != nil {
		s.t.Fatal(err)
	}
	b.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=`+b.file("run/bus")+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/></policy>
<policy user="root"><allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/></policy>
<include>`+policy+`</include></busconfig>`)
	if err := os.Chmod(b.dir, 0o755); err != nil { // other users connect too
		s.t.Fatal(err)
	}
	b.startBus()
	return b
}

func (b *systemBus) address() string { return "unix:path=" + b.file("run/bus") }

func (b *systemBus) startBus() {
	b.t.Helper()
	_ = os.Remove(b.file("run/bus"))
	b.daemon = b.lb.Start("dbus-daemon", "--nofork", "--nosyslog", "--nopidfile", "--config-file="+b.file("bus.conf"))
	nettest.Eventually(b.t, patience, "the bus listens", func() bool { _, err := os.Stat(b.file("run/bus")); return err == nil })
	b.monitor = b.lb.Start("dbus-monitor", "--address", b.address(), "type=signal,path_namespace=/org/keepalived")
	b.monitor.WaitOutput(patience, "NameAcquired")
}

var onTheWire = regexp.MustCompile(`(method return|signal) time=.*? reply_serial=\d+|(method return|signal) time=\S+ sender=\S+ -> destination=(\(null destination\)|\S+) serial=\d+ `)

// signals are keepalived's signals so far, in the way of dbus-monitor.
func (b *systemBus) signals() string {
	all := onTheWire.ReplaceAllString(b.monitor.Output(), "")
	if i := strings.Index(all, "path=/org/keepalived"); i >= 0 {
		return all[i:]
	}
	return ""
}

func (b *systemBus) waitSignal(want string) {
	b.t.Helper()
	nettest.Eventually(b.t, patience, "signal "+want, func() bool { return strings.Contains(b.signals(), want) })
}

// call calls a method as a user and returns the answer or error in the way of
// dbus-send.
func (b *systemBus) call(user, path, method string, args ...string) string {
	b.t.Helper()
	argv := append([]string{"--reuid", user, "--clear-groups", "dbus-send", "--bus=" + b.address(), "--print-reply",
		"--dest=org.keepalived.Vrrp1", "/org/keepalived/Vrrp1" + path, method}, args...)
	out, _ := b.lb.TryRun("setpriv", argv...)
	return strings.Join(strings.Fields(onTheWire.ReplaceAllString(out, "")), " ")
}

// TestDBus is a message bus beside the running daemon: properties, methods,
// who may call them, signals from start to stop, and the bus restarted.
func TestDBus(t *testing.T) {
	b := newSystemBus(t)
	b.write("etc/keepalived.conf", dbusConf)
	d := &daemon{b.run([]string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus"}, "keepalived", "-n", "-l", "-D", "-G"), b.stage}
	d.wait("Acquired the name org.keepalived.Vrrp1 on the session bus")
	b.waitSignal("member=VrrpStarted")
	d.wait("(VI_1) Entering MASTER STATE")
	d.wait("(VI_6) Entering MASTER STATE")
	b.waitSignal("path=/org/keepalived/Vrrp1/Instance/eth0/51/IPv4; interface=org.keepalived.Vrrp1.Instance; member=VrrpStatusChange\n   uint32 2")
	b.waitSignal("path=/org/keepalived/Vrrp1/Instance/eth0/52/IPv6; interface=org.keepalived.Vrrp1.Instance; member=VrrpStatusChange\n   uint32 2")

	b.callEverything(t, d)

	b.daemon.KillAll()
	d.wait("Released DBus")
	b.startBus()
	d.waitCount("Acquired the name org.keepalived.Vrrp1", 2)
	if got, want := b.call("root", one, get, instance, "string:State"), `variant struct { uint32 2 string "Master" }`; got != want {
		t.Errorf("State after the bus was restarted: %s, want %s", got, want)
	}

	d.end()
	b.waitSignal("member=VrrpStopped")
	var last []string
	for _, s := range strings.Split(b.signals(), "path=/org/keepalived/Vrrp1") {
		last = append(last, strings.Join(strings.Fields(s), " "))
	}
	for _, want := range []string{
		"/Instance/eth0/51/IPv4; interface=org.keepalived.Vrrp1.Instance; member=VrrpStatusChange uint32 98",
		"/Instance/eth0/52/IPv6; interface=org.keepalived.Vrrp1.Instance; member=VrrpStatusChange uint32 98",
	} {
		if !strings.Contains(strings.Join(last, "\n"), want) {
			t.Errorf("no signal %s at the stop:\n%s", want, strings.Join(last, "\n"))
		}
	}
	if got := last[len(last)-1]; got != "/Vrrp; interface=org.keepalived.Vrrp1.Vrrp; member=VrrpStopped" {
		t.Errorf("last signal %q", got)
	}
}

const (
	one      = "/Instance/eth0/51/IPv4"
	six      = "/Instance/eth0/52/IPv6"
	get      = "org.freedesktop.DBus.Properties.Get"
	instance = "string:org.keepalived.Vrrp1.Instance"
	vrrp     = "org.keepalived.Vrrp1.Vrrp."
)

// callEverything reads each property and calls each method, as root and as
// somebody else.
func (b *systemBus) callEverything(t testing.TB, d *daemon) {
	t.Helper()
	for _, tt := range []struct {
		user, path, method string
		args               []string
		want               string
	}{
		{"root", one, get, []string{instance, "string:Name"}, `variant struct { string "VI_1" }`},
		{"root", six, get, []string{instance, "string:Name"}, `variant struct { string "VI_6" }`},
		{"root", one, get, []string{instance, "string:State"}, `variant struct { uint32 2 string "Master" }`},
		{"nobody", six, get, []string{instance, "string:State"}, `variant struct { uint32 2 string "Master" }`},
		{"nobody", "/Vrrp", "org.freedesktop.DBus.Peer.Ping", nil, ""},
		{"root", "/Vrrp", vrrp + "PrintData", nil, ""},
		{"root", "/Vrrp", vrrp + "PrintStats", nil, ""},
		{"root", "/Vrrp", vrrp + "Foo", nil, "Error org.freedesktop.DBus.Error.UnknownMethod: No such method “Foo”"},
		{"root", one, "org.keepalived.Vrrp1.Instance.SendGarp", nil, ""},
	} {
		if got := b.call(tt.user, tt.path, tt.method, tt.args...); got != tt.want {
			t.Errorf("%s calls %s %s %v: got %s, want %s", tt.user, tt.path, tt.method, tt.args, got, tt.want)
		}
	}
	for _, method := range []string{vrrp + "PrintData", vrrp + "ReloadConfig", "org.keepalived.Vrrp1.Instance.SendGarp"} {
		if got := b.call("nobody", "/Vrrp", method); !strings.Contains(got, "AccessDenied") {
			t.Errorf("nobody may call %s: %s", method, got)
		}
	}
	d.wait("Sending garps on VI_1 on DBus request")
	d.wait("Sending gratuitous ARP on eth0 for 192.0.2.100")
	if data := b.read("tmp/keepalived.data"); !strings.Contains(data, "VRRP Instance = VI_1") {
		t.Errorf("PrintData wrote:\n%s", data)
	}
	if stats := b.read("tmp/keepalived.stats"); !strings.Contains(stats, "Became master: 1") {
		t.Errorf("PrintStats wrote:\n%s", stats)
	}
	d.written("tmp/keepalived.stats", func() {
		if got := b.call("root", "/Vrrp", vrrp+"PrintStatsClear"); got != "" {
			t.Errorf("PrintStatsClear: %s", got)
		}
	})
	d.wait("Printing and clearing VRRP stats on DBus request")
	if stats := d.dump(sigStats, "tmp/keepalived.stats"); !strings.Contains(stats, "Became master: 0") {
		t.Errorf("after PrintStatsClear:\n%s", stats)
	}
	if got := b.call("root", "/Vrrp", vrrp+"ReloadConfig"); got != "" {
		t.Errorf("ReloadConfig: %s", got)
	}
	d.wait("Reload complete")
	b.waitSignal("member=VrrpReloaded")
	xml := b.call("nobody", "/Vrrp", "org.freedesktop.DBus.Introspectable.Introspect")
	for _, m := range []string{"PrintData", "PrintStats", "PrintStatsClear", "ReloadConfig", "VrrpStarted", "VrrpReloaded", "VrrpStopped"} {
		if !strings.Contains(xml, `name="`+m+`"`) {
			t.Errorf("introspection lacks %s: %s", m, xml)
		}
	}
}
