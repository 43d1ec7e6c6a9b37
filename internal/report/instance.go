package report

import (
	"fmt"
	"slices"

	"github.com/keepalived-go/keepalived/vrrp"
)

// instance renders one instance of the VRRP topology.
func (v VRRP) instance(t *text, in *vrrp.InstanceSnapshot) {
	c := in.Config
	t.line(" VRRP Instance = %s", in.Name)
	t.line("   VRRP Version = %d", c.Version)
	t.lineIf(in.Group != "", "   Sync group = %s", in.Group)
	t.lineIf(c.IPv6, "   Using Native IPv6")
	if v.Running {
		v.running(t, in)
	}
	instanceFlags(t, c)
	wanted := in.Wanted
	if !v.Running { // nothing has begun: what the file says
		wanted = vrrp.Backup
		if c.WantMaster {
			wanted = vrrp.Master
		}
	}
	t.line("   Wantstate = %s", wanted)
	v.faults(t, in)
	instanceInterface(t, c, v.Running)
	t.lineIf(c.DontTrackPrimary, "   VRRP interface tracking disabled")
	t.lineIf(c.SkipCheckAdvAddr, "   Skip checking advert IP addresses")
	t.lineIf(c.NoAddresses, "   Suppress no VIPs warning")
	t.lineIf(c.Strict, "   Enforcing strict VRRP compliance")
	if c.Source.IsValid() {
		t.line("   Using src_ip = %s (from configuration)", addrOr(c.Source, ""))
	} else {
		t.line("   Using src_ip = %s", addrOr(in.Source, "(none)"))
	}
	if !c.Unicast {
		group := addrOr(c.Destination, choose(c.IPv6, "ff02::12", "224.0.0.18"))
		if i := slices.IndexFunc(v.Links, func(l Link) bool { return l.Name == orDefault(c.Device, c.Interface) }); i >= 0 && c.IPv6 {
			group += fmt.Sprintf(", ifindex %d", v.Links[i].Index)
		}
		t.line("   Multicast address %s", group)
	}
	instanceAnnounce(t, c)
	v.election(t, in)
	instanceAuth(t, c)
	v.addresses(t, in)
	instanceTracked(t, c)
	t.line("   Using smtp notification = %s", yes(c.Notify.SMTPAlert))
	t.line("   Notify deleted = %s", choose(c.Notify.DeletedSet, "Deleted", "Fault"))
	notifyScripts(t, &c.Notify)
	t.line("   Notify priority changes = %t", c.Notify.PriorityChanges)
}

// running are the lines that only a process at work has.
func (v VRRP) running(t *text, in *vrrp.InstanceSnapshot) {
	t.line("   State = %s", in.State)
	if in.State == vrrp.Backup {
		t.line("   Master router = %s", addrOr(in.MasterAddr, "0.0.0.0"))
		t.line("   Master priority = %d", in.MasterPriority)
		t.lineIf(in.Config.Version == 3, "   Master advert interval = %d milli-sec", in.MasterInterval.Milliseconds())
	}
}

func instanceFlags(t *text, c *vrrp.InstanceConfig) {
	if !c.Unicast && c.VMAC == nil {
		t.line("   Flags: none")
		return
	}
	t.line("   Flags:")
	t.lineIf(c.Unicast, "     Using unicast")
}

func (v VRRP) faults(t *text, in *vrrp.InstanceSnapshot) {
	t.line("   Number of config faults = %d", bit(in.Config.ConfigFault != ""))
	if !v.Running {
		return
	}
	trackers := 0
	for _, x := range in.Tracked {
		if !x.Up && !x.Unknown && x.Track.Weight == 0 && x.What != "interface" {
			trackers++
		}
	}
	t.line("   Number of tracker faults = %d", trackers)
	if len(in.LinkFaults) == 0 {
		t.line("   Flags of interface faults - (none)")
	} else {
		t.line("   Flags of interface faults:")
		for _, f := range in.LinkFaults {
			t.line("     %s", f)
		}
	}
	waiting := 0
	for _, x := range in.Tracked {
		waiting += bit(x.Unknown)
	}
	t.line("   Number of track scripts init = %d", waiting)
	t.line("   Last transition = %s", stamp(in.Since))
	if in.Deadline.IsZero() {
		t.line("   Read timeout = DISABLED")
	} else {
		t.line("   Read timeout = %s", stamp(in.Deadline))
	}
	t.line("   Master down timer = %d usecs", in.DownInterval.Microseconds())
}

func instanceInterface(t *text, c *vrrp.InstanceConfig, running bool) {
	if m := c.VMAC; m != nil && !m.AddrsOnly {
		device := orDefault(c.Device, c.Interface)
		if m.IPVLAN {
			t.line("   Use IPVLAN, i/f %s, is_up = %t%s", device, running, ipvlanDetail(m))
		} else {
			t.line("   Use VMAC, i/f name %s, is_up = %t, xmit_base = %t", device, running, m.XmitBase)
			if m.MAC != [6]byte{} {
				t.line("     MAC = %02x:%02x:%02x:%02x:%02x:%02x", m.MAC[0], m.MAC[1], m.MAC[2], m.MAC[3], m.MAC[4], m.MAC[5])
			}
		}
		t.lineIf(m.AllAddrs, "     Use VMAC for VIPs on other interfaces")
		t.lineIf(m.GroupSet, "     Interface group %d", m.Group)
		t.line("   Interface = %s, %s on %s%s", device, choose(m.IPVLAN, "ipvlan", "vmac"), c.Interface, choose(m.XmitBase, ", xmit base i/f", ""))
	} else {
		t.lineIf(m != nil && m.AllAddrs, "     Use VMAC for VIPs on other interfaces")
		t.lineIf(c.Interface != "", "   Interface = %s", c.Interface)
	}
	t.lineIf(c.VRF != "", "   VRF = %s", c.VRF)
}

func ipvlanDetail(m *vrrp.VMACConfig) string {
	s := ""
	if m.Address.IsValid() {
		s = ", i/f address = " + prefix(m.Address)
	}
	return s + ", type " + [...]string{"bridge", "private", "vepa"}[m.IPVLANMode]
}

func instanceAnnounce(t *text, c *vrrp.InstanceConfig) {
	g := &c.GARP
	t.line("   Gratuitous ARP delay = %d", seconds(g.Delay))
	t.line("   Gratuitous ARP repeat = %d", g.Repeat)
	t.line("   Gratuitous ARP refresh = %d", seconds(g.Refresh))
	t.line("   Gratuitous ARP refresh repeat = %d", g.RefreshRepeat)
	t.line("   Gratuitous ARP lower priority delay = %d", seconds(g.LowerPrioDelay))
	t.line("   Gratuitous ARP lower priority repeat = %d", g.LowerPrioRepeat)
	t.line("   Down timer adverts = %d", c.DownTimerAdverts)
	t.lineIf(g.ExtraInterval != 0, "   Gratuitous ARP for each secondary %s = %d", choose(g.ExtraAll, "i/f", "VMAC"), seconds(g.ExtraInterval))
	t.line("   Send advert after receive lower priority advert = %t", !c.LowerPrioNoAdvert)
	t.line("   Send advert after receive higher priority advert = %t", c.HigherPrioSendAdvert)
	t.lineIf(c.Priority == 255, "   Address owner ignores received adverts = %t", c.OwnerIgnoreAdverts)
}

func (v VRRP) election(t *text, in *vrrp.InstanceSnapshot) {
	c := in.Config
	t.line("   Virtual Router ID = %d", c.VRID)
	t.line("   Priority = %d", c.Priority)
	if v.Running {
		t.line("   Effective priority = %d", in.Priority)
		t.line("   Total priority = %d", total(in))
	}
	t.lineIf(c.NoPreempt, "   Highest other priority = %d", c.TimerExpiredBackup)
	if c.Version == 2 {
		t.line("   Advert interval = %d sec", seconds(c.AdvertInterval))
	} else {
		t.line("   Advert interval = %d milli-sec", c.AdvertInterval.Milliseconds())
	}
	t.line("   Last advert sent = %s", epoch(in.LastSent))
	t.line("   Accept = %s", enabled(!c.NoAccept))
	t.line("   Preempt = %s", enabled(!c.NoPreempt))
	t.lineIf(c.PreemptDelay != 0 && !c.NoPreempt, "   Preempt delay = %g secs", c.PreemptDelay.Seconds())
	t.line("   Promote_secondaries = %s", enabled(c.PromoteAddrs))
}

// total is the priority before it is held within 1 to 254.
func total(in *vrrp.InstanceSnapshot) int {
	if in.Config.Priority == 255 {
		return 255
	}
	sum := int(in.Config.Priority)
	for _, x := range in.Tracked {
		sum += contribution(x)
	}
	return sum
}

// contribution is what one followed object adds to the priority.
func contribution(x vrrp.TrackedSnapshot) int {
	w := x.Track.Weight
	m := 1
	if x.Track.Reverse {
		m = -1
	}
	switch {
	case x.What == "file":
		return x.Value * w * m
	case x.Up && w > 0, !x.Up && !x.Unknown && w < 0:
		return w * m
	}
	return 0
}

func instanceAuth(t *text, c *vrrp.InstanceConfig) {
	if c.Version == 2 {
		t.line("   Authentication type = %s", [...]string{"none", "SIMPLE_PASSWORD", "IPSEC_AH"}[c.Auth.Type])
		t.lineIf(c.Auth.Type == vrrp.AuthPass, "   Password = ********")
	}
	if h := c.HMAC; h != nil {
		t.line("   Authentication extension = HMAC-SHA256-128")
		t.line("     Keys = %d, active key id = %d", len(h.Keys), h.Active)
		t.line("     Mode = %s", [...]string{"enforce", "permissive", "receive-only"}[h.Mode])
		t.line("     Anti replay = %s", choose(h.Monotonic, "monotonic", fmt.Sprintf("time, window = %d sec", seconds(h.Window))))
	}
	if c.Version == 3 && !c.IPv6 {
		t.line("   VRRPv3 uses VRRPv2 checksum = %s", enabled(c.ChecksumAsV2))
	}
	t.lineIf(c.RxBuffer != 0, "   Kernel rx buffer size = %d", c.RxBuffer)
	t.lineIf(c.Debug != 0, "   Debug level = %d", c.Debug)
}

func (v VRRP) addresses(t *text, in *vrrp.InstanceSnapshot) {
	c := in.Config
	if len(c.Addresses) > 0 {
		t.line("   Virtual IP (%d):", len(c.Addresses))
		for _, a := range c.Addresses {
			t.line("     %s", v.address(a, in))
		}
	}
	if len(c.Excluded) > 0 {
		t.line("   Virtual IP Excluded :")
		for _, a := range c.Excluded {
			t.line("     %s", v.address(a, in))
		}
	}
	if c.Unicast {
		ttl := c.UnicastTTL
		if ttl == 0 {
			ttl = 255
		}
		t.line("   Unicast TTL = %d", ttl)
		t.line("   Check unicast src : %s", yes(c.CheckUnicastSource))
		if len(c.Peers) > 0 {
			t.line("   Unicast Peer :")
			for _, p := range c.Peers {
				t.line("     %s min_ttl %d max_ttl %d", p.Addr, p.MinTTL, p.MaxTTL)
			}
		}
		mode := [...]string{"no", "config", "never"}[c.OldChecksum]
		if in.OldChecksum {
			mode = "auto"
		}
		t.line("   Unicast checksum compatibility = %s", mode)
	}
	v.sockets(t, in)
	if len(c.Routes) > 0 {
		t.line("   Virtual Routes :")
		for _, r := range c.Routes {
			t.line("     %s", Route(r))
		}
	}
	if len(c.Rules) > 0 {
		t.line("   Virtual Rules :")
		for _, r := range c.Rules {
			t.line("     %s", Rule(r))
		}
	}
}

// address is a VIP as the dump shows it, on the interface that carries it.
func (v VRRP) address(a vrrp.Address, in *vrrp.InstanceSnapshot) string {
	c := in.Config
	name := orDefault(a.Interface, c.Interface)
	if name == c.Interface && a.Prefix.Addr().Is6() == c.IPv6 && c.Device != "" && c.Device != c.Interface {
		name = c.Device + "@" + c.Interface
	}
	return Address(a, name, v.Running && in.Holding)
}

func (v VRRP) sockets(t *text, in *vrrp.InstanceSnapshot) {
	for _, s := range v.Sockets {
		for _, name := range s.Instances {
			if name == in.Name {
				t.line("   fd_in %d, fd_out %d", s.In, s.Out)
				return
			}
		}
	}
	t.line("   No sockets allocated")
}

func instanceTracked(t *text, c *vrrp.InstanceConfig) {
	tracked(t, "   Tracked interfaces :", c.TrackInterfaces, "")
	tracked(t, "   Tracked scripts :", c.TrackScripts, "")
	tracked(t, "   Tracked files :", c.TrackFiles, ",")
	tracked(t, "   Tracked processes :", c.TrackProcesses, ",")
	tracked(t, "   Tracked BFDs :", c.TrackBFD, ":")
}

// notifyScripts lists the scripts of an instance or group.
func notifyScripts(t *text, n *vrrp.NotifyConfig) {
	for _, s := range []struct {
		label string
		c     *vrrp.Command
	}{
		{"Backup", n.Backup}, {"Master", n.Master}, {"Fault", n.Fault}, {"Stop", n.Stop}, {"Deleted", n.Deleted},
		{"Generic", n.Any}, {"Master rx lower pri", n.RxLowerPrio},
	} {
		if s.c != nil {
			t.line("   %s state transition script = %s, %s", s.label, command(s.c.Argv), ids(s.c))
		}
	}
}
