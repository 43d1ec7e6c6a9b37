package notify

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// bus is a dbus-daemon of the test's own.
type bus struct {
	t       testing.TB
	address string
	conf    string
	cmd     *exec.Cmd
}

func newBus(t testing.TB) *bus {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	dir := t.TempDir()
	b := &bus{t: t, address: "unix:path=" + dir + "/socket", conf: filepath.Join(dir, "bus.conf")}
	text := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>` + b.address + `</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>`
	if err := os.WriteFile(b.conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *bus) start() {
	b.t.Helper()
	b.cmd = exec.Command("dbus-daemon", "--nofork", "--nosyslog", "--config-file="+b.conf)
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bus) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	_ = os.Remove(strings.TrimPrefix(b.address, "unix:path="))
}

// client connects to the bus and collects keepalived's signals.
func (b *bus) client() (*dbus.Conn, func() string) {
	b.t.Helper()
	var conn *dbus.Conn
	nettest.Eventually(b.t, 10*time.Second, "the bus is there", func() bool {
		var err error
		conn, err = dbus.Connect(b.address)
		return err == nil
	})
	b.t.Cleanup(func() { conn.Close() })
	if err := conn.AddMatchSignal(dbus.WithMatchPathNamespace("/org/keepalived")); err != nil {
		b.t.Fatal(err)
	}
	in := make(chan *dbus.Signal, 100)
	conn.Signal(in)
	var mu sync.Mutex
	var got []string
	go func() {
		for s := range in {
			mu.Lock()
			if strings.HasPrefix(string(s.Path), "/org/keepalived") {
				got = append(got, strings.TrimPrefix(string(s.Path), "/org/keepalived/Vrrp1")+" "+s.Name[strings.LastIndexByte(s.Name, '.')+1:]+fmt.Sprint(s.Body))
			}
			mu.Unlock()
		}
	}()
	return conn, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(got, "\n")
	}
}

// logged collects the log while the test runs.
func logged(t testing.TB) func() string {
	var mu sync.Mutex
	var lines []string
	t.Cleanup(log.Capture(func(l log.Line) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l.Text)
	}))
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(lines, "\n")
	}
}

var twoInstances = []DBusInstance{
	{"VI_1", "eth0", 51, "IPv4", DBusBackup},
	{"VI_6", "eth0", 52, "IPv6", DBusBackup},
}

// TestDBus follows samples/10-dbus.
func TestDBus(t *testing.T) {
	b := newBus(t)
	text := logged(t)
	client, signals := b.client()
	asked := make(chan string, 10)
	d := NewDBus(DBusConfig{Address: b.address}, DBusRequests{
		PrintData:  func() { asked <- "data" },
		PrintStats: func() { asked <- "stats" }, PrintStatsClear: func() { asked <- "clear" },
		Reload: func() { asked <- "reload" }, SendGARP: func(in string) { asked <- "garp " + in },
	})
	d.SetInstances(twoInstances)
	nettest.Eventually(t, 10*time.Second, "the service is started", func() bool { return strings.Contains(signals(), "VrrpStarted") })
	d.StateChanged("VI_1", DBusMaster)
	d.StateChanged("VI_6", DBusMaster)

	call := func(path, method string, args ...any) string {
		c := client.Object("org.keepalived.Vrrp1", dbus.ObjectPath("/org/keepalived/Vrrp1"+path)).Call(method, 0, args...)
		if c.Err != nil {
			e := c.Err.(dbus.Error)
			return e.Name + ": " + e.Error()
		}
		return strings.TrimSpace(fmt.Sprint(c.Body...))
	}
	const one = "/Instance/eth0/51/IPv4"
	for _, tt := range []struct{ got, want string }{
		{call(one, "org.freedesktop.DBus.Properties.Get", dbusInst, "Name"), `["VI_1"]`},
		{call("/Instance/eth0/52/IPv6", "org.freedesktop.DBus.Properties.Get", dbusInst, "State"), `@(us) [2, "Master"]`},
		{call(one, "org.freedesktop.DBus.Properties.GetAll", dbusInst), `map[Name:["VI_1"] State:@(us) [2, "Master"]]`},
		{call(one, "org.freedesktop.DBus.Properties.Set", dbusInst, "Name", dbus.MakeVariant("x")), "org.freedesktop.DBus.Error.InvalidArgs: Property “Name” is not writable"},
		{call(one, "org.freedesktop.DBus.Properties.Get", dbusInst, "Nose"), "org.freedesktop.DBus.Error.InvalidArgs: No such property “Nose”"},
		{call("/Vrrp", dbusVRRP+".PrintData") + <-asked, "data"},
		{call("/Vrrp", dbusVRRP+".PrintStats") + <-asked, "stats"},
		{call("/Vrrp", dbusVRRP+".PrintStatsClear") + <-asked, "clear"},
		{call("/Vrrp", dbusVRRP+".ReloadConfig") + <-asked, "reload"},
		{call(one, dbusInst+".SendGarp") + <-asked, "garp VI_1"},
		{call("/Vrrp", dbusVRRP+".Foo"), "org.freedesktop.DBus.Error.UnknownMethod: No such method “Foo”"},
		{call("/Vrrp", "org.freedesktop.DBus.Peer.Ping"), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}

	d.Reloaded()
	d.SetInstances(twoInstances[:1])
	d.StateChanged("VI_6", DBusDeleted)
	d.StateChanged("VI_6", DBusDeleted) // it is gone
	d.StateChanged("VI_1", DBusStop)
	d.Close(5 * time.Second)
	want := `/Vrrp VrrpStarted[]
/Instance/eth0/51/IPv4 VrrpStatusChange[2]
/Instance/eth0/52/IPv6 VrrpStatusChange[2]
/Vrrp VrrpReloaded[]
/Instance/eth0/52/IPv6 VrrpStatusChange[97]
/Instance/eth0/51/IPv4 VrrpStatusChange[98]
/Vrrp VrrpStopped[]`
	nettest.Eventually(t, 10*time.Second, "the last signal", func() bool { return strings.Contains(signals(), "VrrpStopped") })
	if diff := cmp.Diff(want, signals()); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	wantLog := `Acquired DBus bus org.keepalived.Vrrp1
Acquired the name org.keepalived.Vrrp1 on the session bus
Printing VRRP data on DBus request
Printing VRRP stats on DBus request
Printing and clearing VRRP stats on DBus request
Sending garps on VI_1 on DBus request
Released DBus`
	if diff := cmp.Diff(wantLog, text()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestDBusIntrospection compares gdbus' view of the whole tree with the
// recorded one.
func TestDBusIntrospection(t *testing.T) {
	if _, err := exec.LookPath("gdbus"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	b := newBus(t)
	_, signals := b.client()
	d := NewDBus(DBusConfig{Address: b.address}, DBusRequests{})
	defer d.Close(time.Second)
	in := append([]DBusInstance(nil), twoInstances...)
	in[0].State, in[1].State = DBusMaster, DBusMaster
	d.SetInstances(in)
	nettest.Eventually(t, 10*time.Second, "the service is started", func() bool { return strings.Contains(signals(), "VrrpStarted") })
	out, err := exec.Command("gdbus", "introspect", "--address", b.address, "--dest", dbusName,
		"--object-path", "/org/keepalived/Vrrp1", "--recurse").CombinedOutput()
	if err != nil {
		t.Fatalf("gdbus: %v\n%s", err, out)
	}
	want, err := os.ReadFile("testdata/dbus-introspect.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(out)); diff != "" {
		t.Errorf("introspection (-want +got):\n%s", diff)
	}
}

// TestDBusAway starts without a bus, gets one, loses it, and gets it again.
func TestDBusAway(t *testing.T) {
	b := newBus(t)
	b.kill()
	text := logged(t)
	d := NewDBus(DBusConfig{Address: b.address}, DBusRequests{})
	d.SetInstances(twoInstances)
	for i := range dbusQueue + 10 {
		d.StateChanged("VI_1", DBusState(1+i%2))
	}
	b.start()
	nettest.Eventually(t, 20*time.Second, "the name is acquired", func() bool { return strings.Count(text(), "Acquired the name") == 1 })
	b.kill()
	b.start()
	nettest.Eventually(t, 20*time.Second, "the name is acquired again", func() bool { return strings.Count(text(), "Acquired the name") == 2 })
	// A bus that hangs holds up nobody.
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range 20 * dbusQueue {
		d.StateChanged("VI_6", DBusMaster)
	}
	d.Close(100 * time.Millisecond)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("a bus that hangs held us up for %v", took)
	}
	if d.Lost() == 0 {
		t.Error("no signal was counted as lost")
	}
}

func TestDBusPaths(t *testing.T) {
	d := &DBus{cfg: DBusConfig{NoInterface: "none"}, root: "/org/keepalived/Vrrp1/ns/in_st"}
	for in, want := range map[DBusInstance]string{
		{"a", "eth0.10", 1, "IPv4", 0}: "/org/keepalived/Vrrp1/ns/in_st/Instance/eth0_10/1/IPv4",
		{"b", "", 255, "None", 0}:      "/org/keepalived/Vrrp1/ns/in_st/Instance/none/255/None",
	} {
		if got := d.path(&in); got != want {
			t.Errorf("path of %+v = %s, want %s", in, got, want)
		}
	}
	if got := dbusWord("a-b.c/d é"); !regexp.MustCompile(`^\w+$`).MatchString(got) {
		t.Errorf("dbusWord left %q", got)
	}
}
