package report

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/vrrp"
)

// VRRP is what the VRRP process hands over for its dumps.
type VRRP struct {
	Config   *configparse.Config
	Snapshot vrrp.Snapshot
	// Running is false for the dump of a configuration (-d), which has no
	// run-time lines.
	Running   bool
	Sockets   []Socket
	Scripts   map[string]ScriptState // by name
	Files     map[string]int         // value of each track file
	Processes map[string]ProcessState
	BFD       map[string]bool // up
	Links     []Link
	Reload    time.Time // of the next planned reload
}

// Socket is one pair of sockets that instances share.
type Socket struct {
	In, Out   int // descriptors
	Interface string
	VRF       string
	IPv6      bool
	AH        bool
	Unicast   bool
	Address   netip.Addr // of unicast
	RxBuffer  int
	Instances []string // names, in order
}

// ScriptState is a vrrp_script at run time.
type ScriptState struct {
	Path     string // if a symbolic link was resolved
	Result   int
	Insecure bool
	Init     string // INIT, INIT/FAILED, INIT/RELOAD, unknown (has run)
	Good     bool
	State    string // idle, running, requested termination, forcing termination
}

// ProcessState is a vrrp_track_process at run time.
type ProcessState struct {
	Current                       int
	Quorum                        bool
	ForkRunning, TerminateRunning bool
}

// Link is an interface as the VRRP process sees it.
type Link struct {
	Index          int
	Name           string
	IPv4, IPv6     []netip.Addr // candidates for a source, the first is in use: not VIPs; of IPv6 link-local
	All            []netip.Addr // every address there is
	MAC, Broadcast net.HardwareAddr
	Up, Running    bool
	NoBroadcast    bool
	Loopback       bool
	PointToPoint   bool
	NoARP          bool
	NoMulticast    bool
	Ethernet       bool
	HWType         int
	SeenUp         bool
	Delayed        bool
	UpDelay        time.Duration
	DownDelay      time.Duration
	Group          uint32
	MTU            int
	VMAC           string // "VMAC type private", empty for other interfaces
	Base           string // what a VMAC stands on
	BaseUp         bool
	BaseRunning    bool
	Ours           bool // made by this daemon
	GARP, GNA      time.Duration
	ARPResets      int
	ARPIgnore      int
	ARPFilter      int
	RPFilter       int // -1: not touched
	Promote        int
	PromoteResets  int
}

// Data renders keepalived.data.
func (v VRRP) Data() string {
	t := new(text)
	t.WriteString(Global(v.Config, configparse.VRRP, v.Reload))
	v.garpGroups(t)
	v.statics(t)
	if len(v.Snapshot.Instances) > 0 {
		t.heading("VRRP Topology")
	}
	for i := range v.Snapshot.Instances {
		v.instance(t, &v.Snapshot.Instances[i])
	}
	if v.Running {
		v.sockpool(t)
	}
	v.groups(t)
	v.scripts(t)
	v.files(t)
	v.processes(t)
	v.bfds(t)
	v.links(t)
	return t.String()
}

func (v VRRP) garpGroups(t *text) {
	if len(v.Config.VRRP.PaceGroups) == 0 {
		return
	}
	t.heading("Gratuitous ARP delays")
	for _, g := range v.Config.VRRP.PaceGroups {
		t.heading("GARP delay group")
		t.lineIf(g.GARP != 0, " GARP interval = %s", decimal(g.GARP))
		t.lineIf(g.GNA != 0, " GNA interval = %s", decimal(g.GNA))
		t.lineIf(g.GARP == 0 && g.GNA == 0, " No configuration")
		if len(g.Interfaces) > 0 {
			t.line(" Interfaces")
			for _, name := range g.Interfaces {
				t.line("  %s", name)
			}
		}
	}
}

func (v VRRP) statics(t *text) {
	c := &v.Config.VRRP
	if len(c.StaticAddresses) > 0 {
		t.heading("Static Addresses")
		for _, a := range c.StaticAddresses {
			t.line("     %s", Address(a, a.Interface, v.Running))
		}
	}
	if len(c.StaticRoutes) > 0 {
		t.heading("Static Routes")
		for _, r := range c.StaticRoutes {
			t.line("     %s", Route(r))
		}
	}
	if len(c.StaticRules) > 0 {
		t.heading("Static Rules")
		for _, r := range c.StaticRules {
			t.line("     %s", Rule(r))
		}
	}
	if len(c.TrackGroups) > 0 {
		t.heading("Static Track groups")
		for _, g := range c.TrackGroups {
			t.line(" Static Track Group = %s", g.Name)
			t.line("   VRRP member instances = %s", strings.Join(g.Members, ", "))
		}
	}
}

func (v VRRP) sockpool(t *text) {
	if len(v.Sockets) == 0 {
		return
	}
	t.heading("VRRP Sockpool")
	vrid := map[string]uint8{}
	for _, in := range v.Snapshot.Instances {
		vrid[in.Name] = in.Config.VRID
	}
	for _, s := range v.Sockets {
		t.line(" fd_in %d fd_out = %d", s.In, s.Out)
		t.lineIf(s.Interface != "", "   Interface = %s", s.Interface)
		t.lineIf(s.VRF != "", "   VRF = %s", s.VRF)
		t.line("   Family = %s", choose(s.IPv6, "IPv6", "IPv4"))
		t.line("   Protocol = %s", choose(s.AH, "AH", "VRRP"))
		t.line("   Type = %s", choose(s.Unicast, "Unicast", "Multicast"))
		t.lineIf(s.Unicast && s.Address.IsValid(), "   Address = %s", s.Address)
		t.line("   Rx buf size = %d", s.RxBuffer)
		t.line("   VRRP instances")
		for _, name := range s.Instances {
			t.line("     %s vrid %d", name, vrid[name])
		}
	}
}

func (v VRRP) groups(t *text) {
	if len(v.Snapshot.Groups) == 0 {
		return
	}
	t.heading("VRRP Sync groups")
	for _, g := range v.Snapshot.Groups {
		c := g.Config
		t.line(" VRRP Sync Group = %s, %s", c.Name, g.State)
		faults := 0
		for _, in := range v.Snapshot.Instances {
			if in.Faults > 0 && slices.Contains(c.Members, in.Name) {
				faults++
			}
		}
		t.lineIf(v.Running, "   Num member fault %d, num member init 0", faults)
		t.line("   VRRP member instances :")
		for _, m := range c.Members {
			t.line("     %s", m)
		}
		t.lineIf(c.TrackWeights, "   sync group tracking weight set")
		t.line("   Using smtp notification = %s", yes(c.Notify.SMTPAlert))
		t.lineIf(c.Notify.PriorityChanges, "   Notify priority changes = yes")
		tracked(t, "   Tracked interfaces :", c.TrackInterfaces, "")
		tracked(t, "   Tracked scripts :", c.TrackScripts, "")
		tracked(t, "   Tracked files :", c.TrackFiles, ",")
		tracked(t, "   Tracked process :", c.TrackProcesses, ",")
		tracked(t, "   Tracked BFDs :", c.TrackBFD, ":")
		notifyScripts(t, &c.Notify)
	}
}

// tracked lists followed objects; sep stands between name and weight.
func tracked(t *text, title string, list []vrrp.Track, sep string) {
	if len(list) == 0 {
		return
	}
	t.line("%s", title)
	for _, x := range list {
		t.line("     %s%s weight %d%s", x.Name, sep, x.Weight, choose(x.Reverse, " reverse", ""))
	}
}

// followers lists the instances that follow an object, by themselves or
// through their group.
func (v VRRP) followers(t *text, name string, of func(*vrrp.InstanceConfig) []vrrp.Track, ofGroup func(*vrrp.GroupConfig) []vrrp.Track) {
	first := true
	for _, in := range v.Snapshot.Instances {
		list := of(in.Config)
		for i := range v.Snapshot.Groups {
			if g := v.Snapshot.Groups[i].Config; slices.Contains(g.Members, in.Name) {
				list = slices.Concat(list, ofGroup(g))
			}
		}
		for _, x := range list {
			if x.Name == name {
				t.lineIf(first, "   Tracking instances :")
				first = false
				t.line("     %s, weight %d%s", in.Name, x.Weight, choose(x.Reverse, " reverse", ""))
				break
			}
		}
	}
}

func (v VRRP) scripts(t *text) {
	first := true
	for _, s := range v.Config.VRRP.Scripts {
		if !v.used(s.Name) {
			continue // the original has forgotten it
		}
		if first {
			t.heading("VRRP Scripts")
			first = false
		}
		st := v.Scripts[s.Name]
		t.line(" VRRP Script = %s", s.Name)
		t.line("   Command = %s", command(s.Command.Argv))
		t.lineIf(st.Path != "", "   Path = %s", st.Path)
		t.line("   Interval = %s sec", trimmed(s.Interval))
		t.line("   Timeout = %s sec", trimmed(s.Timeout))
		t.line("   Weight = %d%s", s.Weight, choose(s.Reverse, " reverse", ""))
		t.line("   Rise = %d", s.Rise)
		t.line("   Fall = %d", s.Fall)
		t.lineIf(v.Running, "   Result = %d", st.Result)
		t.line("   Insecure = %s", yes(st.Insecure))
		t.line("   Init state = %s", orDefault(st.Init, "INIT"))
		t.lineIf(v.Running, "   Status = %s", choose(st.Good, "GOOD", "BAD"))
		t.line("   Script uid:gid = %d:%d", s.Command.UID, s.Command.GID)
		t.line("   VRRP instances :")
		v.followers(t, s.Name, func(c *vrrp.InstanceConfig) []vrrp.Track { return c.TrackScripts },
			func(g *vrrp.GroupConfig) []vrrp.Track { return g.TrackScripts })
		t.lineIf(v.Running, "   State = %s", orDefault(st.State, "idle"))
	}
}

// used tells whether anything tracks a script.
func (v VRRP) used(name string) bool {
	named := func(x vrrp.Track) bool { return x.Name == name }
	return slices.ContainsFunc(v.Snapshot.Instances, func(in vrrp.InstanceSnapshot) bool {
		return slices.ContainsFunc(in.Config.TrackScripts, named)
	}) || slices.ContainsFunc(v.Snapshot.Groups, func(g vrrp.GroupSnapshot) bool {
		return slices.ContainsFunc(g.Config.TrackScripts, named)
	})
}

// trimmed is a number of seconds, with three decimals only if it has any.
func trimmed(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprint(seconds(d))
	}
	return fmt.Sprintf("%.3f", d.Seconds())
}

func (v VRRP) files(t *text) {
	if len(v.Config.VRRP.Files) > 0 {
		t.heading("VRRP Track files")
	}
	for _, f := range v.Config.VRRP.Files {
		t.line(" Track file = %s", f.Name)
		t.line("   File = %s", f.Path)
		t.line("   Status = %d", v.Files[f.Name])
		t.line("   Weight = %d%s", f.Weight, choose(f.Reverse, " reverse", ""))
		v.followers(t, f.Name, func(c *vrrp.InstanceConfig) []vrrp.Track { return c.TrackFiles },
			func(g *vrrp.GroupConfig) []vrrp.Track { return g.TrackFiles })
	}
}

func (v VRRP) processes(t *text) {
	if len(v.Config.VRRP.Processes) > 0 {
		t.heading("VRRP Track processes")
	}
	for _, p := range v.Config.VRRP.Processes {
		st := v.Processes[p.Name]
		t.line(" VRRP Track process = %s", p.Name)
		t.line("   Process = %s", p.Path)
		t.lineIf(len(p.Params) > 0, "   Parameters = %s", strings.Join(p.Params, " "))
		switch p.Match {
		case vrrp.MatchNone:
			t.lineIf(len(p.Params) > 0, "   Param match")
		case vrrp.MatchExact:
			t.line("   Param match")
		case vrrp.MatchInitial:
			t.line("   Param match = initial")
		case vrrp.MatchPartial:
			t.line("   Param match = partial")
		}
		t.line("   Min processes = %d", p.Quorum)
		t.lineIf(p.QuorumMax >= 0, "   Max processes = %d", p.QuorumMax)
		t.line("   Current processes = %d", st.Current)
		t.line("   Have quorum = %t", st.Quorum)
		t.line("   Weight = %d%s", p.Weight, choose(p.Reverse, " reverse", ""))
		t.line("   Terminate delay = %ss", decimal(p.TerminateDelay))
		t.line("   Fork delay = %ss", decimal(p.ForkDelay))
		if v.Running {
			t.line("   Fork delay timer %srunning", choose(st.ForkRunning, "", "not "))
			t.line("   Terminate delay timer %srunning", choose(st.TerminateRunning, "", "not "))
		}
		t.line("   Full command = %t", p.FullCommand)
		v.followers(t, p.Name, func(c *vrrp.InstanceConfig) []vrrp.Track { return c.TrackProcesses },
			func(g *vrrp.GroupConfig) []vrrp.Track { return g.TrackProcesses })
	}
}

func (v VRRP) bfds(t *text) {
	if len(v.Config.VRRP.BFD) > 0 {
		t.heading("VRRP Track BFDs")
	}
	for _, name := range v.Config.VRRP.BFD {
		t.line(" VRRP Track BFD = %s", name)
		var session bfd.Config
		for _, b := range v.Config.BFD {
			if b.Name == name {
				session = b
			}
		}
		t.line("   Weight = %d%s", session.Weight, choose(session.Reverse, " reverse", ""))
		t.line("   Bfd is %s", choose(v.BFD[name], "up", "down"))
		t.line("   Tracking VRRP instances :")
		v.followers(t, name, func(c *vrrp.InstanceConfig) []vrrp.Track { return c.TrackBFD },
			func(g *vrrp.GroupConfig) []vrrp.Track { return g.TrackBFD })
	}
}

func (v VRRP) links(t *text) {
	if len(v.Links) > 0 {
		t.heading("Interfaces")
	}
	for i := range v.Links {
		v.link(t, &v.Links[i])
	}
}

func (v VRRP) link(t *text, l *Link) {
	t.line(" Name = %s", l.Name)
	t.line("   index = %d", l.Index)
	addresses(t, "IPv4", l.IPv4)
	addresses(t, "IPv6", l.IPv6)
	if len(l.MAC) > 0 && !l.Loopback {
		t.line("   MAC = %s", l.MAC)
		t.line("   MAC broadcast = %s", l.Broadcast)
	}
	t.line("   State = %s", l.state())
	t.line("   Seen up = %d", bit(l.SeenUp))
	t.line("   Delayed state change running = %t", l.Delayed)
	t.line("   Up debounce timer = %dus", l.UpDelay.Microseconds())
	t.line("   Down debounce timer = %dus", l.DownDelay.Microseconds())
	t.line("   Group = %d", l.Group)
	if l.VMAC != "" {
		t.line("   %s, underlying interface = %s, state = %sUP, %sRUNNING", l.VMAC, l.Base,
			choose(l.BaseUp, "", "not "), choose(l.BaseRunning, "", "not "))
	}
	t.lineIf(l.Ours, "   I/f created by keepalived")
	t.line("   MTU = %d", l.MTU)
	switch {
	case l.Loopback:
		t.line("   HW Type = LOOPBACK")
	case l.Ethernet:
		t.line("   HW Type = ETHERNET")
	default:
		t.line("   HW Type = UNKNOWN (%d)", l.HWType)
	}
	t.line("   NIC netlink status update")
	t.lineIf(l.GARP != 0, "   Gratuitous ARP interval %dms", l.GARP.Milliseconds())
	t.lineIf(l.GNA != 0, "   Gratuitous NA interval %dms", l.GNA.Milliseconds())
	t.line("   Reset ARP config counter %d", l.ARPResets)
	t.line("   Original arp_ignore %d", l.ARPIgnore)
	t.line("   Original arp_filter %d", l.ARPFilter)
	t.lineIf(l.RPFilter >= 0, "   rp_filter %d", l.RPFilter)
	t.line("   Original promote_secondaries %d", l.Promote)
	t.line("   Reset promote_secondaries counter %d", l.PromoteResets)
	v.linkFollowers(t, l.Name)
}

// linkFollowers lists the instances that depend on an interface.
func (v VRRP) linkFollowers(t *text, name string) {
	first := true
	say := func(instance string, x vrrp.Track) {
		if first {
			t.line("   Tracking VRRP instances :")
			first = false
		}
		t.line("     %s, weight %d%s", instance, x.Weight, choose(x.Reverse, " reverse", ""))
	}
	for _, in := range v.Snapshot.Instances {
		if in.Config.Interface == name || in.Config.Device == name {
			say(in.Name, vrrp.Track{})
		}
		for _, x := range in.Config.TrackInterfaces {
			if x.Name == name {
				say(in.Name, x)
			}
		}
	}
}

func addresses(t *text, family string, list []netip.Addr) {
	if len(list) == 0 {
		t.line("   %s address = (none)", family)
		return
	}
	t.line("   %s address = %s", family, list[0])
	if len(list) > 1 {
		t.line("   Additional %s addresses :", family)
		for _, a := range list[1:] {
			t.line("     %s", a)
		}
	}
}

func (l *Link) state() string {
	s := choose(l.Up, "UP", "not UP") + ", " + choose(l.Running, "RUNNING", "not RUNNING")
	for _, f := range []struct {
		on   bool
		word string
	}{
		{l.NoBroadcast, "no broadcast"}, {l.Loopback, "loopback"}, {l.PointToPoint, "point to point"},
		{l.NoARP, "no arp"}, {l.NoMulticast, "no multicast"},
	} {
		if f.on {
			s += ", " + f.word
		}
	}
	return s
}
