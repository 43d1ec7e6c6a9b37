package report

import (
	"bytes"
	"net"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/vrrp"
)

// volatile are the parts of a dump that differ from run to run.
var volatile = []struct{ find, mask string }{
	{`\d{10}\.\d{6}( \([A-Z][^)]*\))?`, "TIME"},
	{`(?m)^ libnftnl.*\n`, ""},
	{`fd_in \d+,? fd_out =? ?\d+`, "FDS"},
	{`(?m)^ GARP next time .*\n`, ""},
}

func mask(s string) string {
	for _, v := range volatile {
		s = regexp.MustCompile(v.find).ReplaceAllString(s, v.mask)
	}
	return s
}

func load(t *testing.T, name string) *configparse.Config {
	t.Helper()
	text := nettest.Recorded(t, name+"/keepalived.conf")
	env := configparse.Env{HostName: "lb1", ConfigID: "lb1",
		User:  func(string) (configparse.User, bool) { return configparse.User{}, true },
		Group: func(string) (uint32, bool) { return 0, true }}
	c, problems := configparse.Load(configparse.Files{"/etc/keepalived/keepalived.conf": text}, "/etc/keepalived/keepalived.conf", env)
	for _, p := range problems {
		if p.Class > configparse.ClassNone && p.Class != configparse.Security {
			t.Errorf("%s: %v", name, p)
		}
	}
	return c
}

func golden(t *testing.T, name string) string {
	t.Helper()
	return mask(nettest.Recorded(t, name))
}

func TestGlobalAsTheOriginalWritesIt(t *testing.T) {
	if diff := cmp.Diff(golden(t, "01-simple/keepalived_parent-2.4.3.data"), mask(Global(load(t, "01-simple"), configparse.Parent, time.Time{}))); diff != "" {
		t.Errorf("keepalived_parent.data differs (-original +ours):\n%s", diff)
	}
}

var (
	loopback = Link{Index: 1, Name: "lo", IPv4: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Up: true, Running: true,
		NoBroadcast: true, Loopback: true, NoMulticast: true, SeenUp: true, MTU: 65536, RPFilter: -1}
	eth0 = Link{Index: 2, Name: "eth0", IPv4: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
		IPv6: []netip.Addr{netip.MustParseAddr("fe80::30fa:44ff:fe30:8dde")}, Up: true, Running: true, Ethernet: true,
		MAC:       net.HardwareAddr{0x32, 0xfa, 0x44, 0x30, 0x8d, 0xde},
		Broadcast: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SeenUp: true, MTU: 1500, RPFilter: -1}
)

// master is the sample's process when it wrote its dump: every instance master.
func master(c *configparse.Config) VRRP {
	at := time.Unix(1795252859, 475843000)
	v := VRRP{Config: c, Running: true, Links: []Link{loopback, eth0}}
	for i := range c.VRRP.Instances {
		in := &c.VRRP.Instances[i]
		if in.Destination == (netip.Addr{}) {
			in.Destination = c.VRRP.Group4
		}
		v.Snapshot.Instances = append(v.Snapshot.Instances, vrrp.InstanceSnapshot{
			Name: in.Name, Config: in, State: vrrp.Master, Wanted: vrrp.Master, Priority: in.Priority, Since: at,
			Source: netip.MustParseAddr("192.0.2.1"), DownInterval: 3414062 * time.Microsecond, Deadline: at, LastSent: at,
			Holding: true, Total: int(in.Priority), Stats: vrrp.Stats{Sent: 9, BecameMaster: 1},
		})
		v.Sockets = append(v.Sockets, Socket{In: 15, Out: 16, Interface: "eth0", Instances: []string{in.Name}})
	}
	return v
}

func TestDataAsTheOriginalWritesIt(t *testing.T) {
	if diff := cmp.Diff(golden(t, "01-simple/keepalived-2.4.3.data"), mask(master(load(t, "01-simple")).Data())); diff != "" {
		t.Errorf("keepalived.data differs (-original +ours):\n%s", diff)
	}
}

func TestStatsAsTheOriginalWritesThem(t *testing.T) {
	if diff := cmp.Diff(golden(t, "01-simple/keepalived-2.4.3.stats"), stats(master(load(t, "01-simple")).Snapshot)); diff != "" {
		t.Errorf("keepalived.stats differs (-original +ours):\n%s", diff)
	}
}

func TestJSONAsTheOriginalWritesIt(t *testing.T) {
	v := master(load(t, "01-simple"))
	v.Snapshot.Instances[0].Stats.Sent = 4
	if diff := cmp.Diff(golden(t, "01-simple/keepalived-2.4.3.json"), mask(v.JSON())); diff != "" {
		t.Errorf("keepalived.json differs (-original +ours):\n%s", diff)
	}
}

func stats(s vrrp.Snapshot) string {
	var b bytes.Buffer
	Stats(&b, &s)
	return b.String()
}
