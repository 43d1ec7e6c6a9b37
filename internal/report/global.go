package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Global renders the global definitions, as every process's dump begins with
// them. reload is when the next planned reload is due; zero: none.
//
// Only the VRRP process fills in what its instances inherit: the others show
// the highest number for what was not configured, and no default interface.
func Global(c *configparse.Config, of configparse.Pass, reload time.Time) string {
	t := new(text)
	t.heading("Global definitions")
	g := &c.Global
	globalNames(t, g)
	globalMail(t, g)
	globalReload(t, g, reload, of == configparse.Parent)
	globalLVS(t, c, of == configparse.VRRP)
	globalFIFOs(t, c)
	globalVRRP(t, c, of == configparse.VRRP)
	globalProcesses(t, g)
	globalSurfaces(t, g)
	globalBuffers(t, c)
	return t.String()
}

func globalNames(t *text, g *configparse.Global) {
	t.lineIf(g.ConfigSaveDir != "", " Config save dir = %s", g.ConfigSaveDir)
	t.line(" Network namespace = %s", orDefault(g.NetNamespace, "(default)"))
	ipvs := "(main namespace)"
	if g.IPVSNamespaceSet {
		ipvs = orDefault(g.NetNamespaceIPVS, "(default)")
	}
	t.line(" Network namespace ipvs = %s", ipvs)
	t.lineIf(g.Instance != "", " Instance name = %s", g.Instance)
	for _, n := range []struct{ label, name string }{
		{"Parent", g.ProcessName}, {"VRRP", g.VRRPProcessName}, {"LVS", g.CheckerProcessName}, {"BFD", g.BFDProcessName},
	} {
		t.lineIf(n.name != "", " %s process name = %s", n.label, n.name)
	}
	t.line(" %s symlinks in script paths", choose(g.UseSymlinkPaths, "Keep", "Replace"))
	t.line(" Router ID = %s", orDefault(g.RouterID, "[unknown]"))
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func tristate(s configparse.Tristate) string {
	switch s {
	case configparse.On:
		return "on"
	case configparse.Off:
		return "off"
	}
	return "unset"
}

func globalMail(t *text, g *configparse.Global) {
	if g.SMTPServer != "" {
		t.line(" Smtp server = %s", g.SMTPServer)
		t.line(" Smtp server port = %d", g.SMTPPort)
	}
	t.lineIf(g.SMTPHelo != "", " Smtp HELO name = %s", g.SMTPHelo)
	t.lineIf(g.SMTPTimeout != 0, " Smtp server connection timeout = %d", seconds(g.SMTPTimeout))
	t.lineIf(g.EmailFrom != "", " Email notification from = %s", g.EmailFrom)
	if g.EmailFrom != "" && len(g.Emails) > 0 { // the original lists them only below a sender
		t.line(" Email notification to:")
		for _, a := range g.Emails {
			t.line("   %s", a)
		}
	}
	t.line(" Default smtp_alert = %s", tristate(g.SMTPAlert))
	t.line(" Default smtp_alert_vrrp = %s", tristate(g.SMTPAlertVRRP))
	t.line(" Default smtp_alert_checker = %s", tristate(g.SMTPAlertCheck))
	t.line(" Checkers log all failures = %t", g.CheckerLogAllFailures)
}

func globalReload(t *text, g *configparse.Global, at time.Time, parent bool) {
	if g.ReloadCheck {
		t.line(" Test config before reload, log to %s", orDefault(g.ReloadCheckLog, "/dev/null"))
	} else {
		t.line(" No test config before reload")
	}
	if g.ReloadTimeFile != "" {
		t.line(" Reload time file = %s%s", g.ReloadTimeFile, choose(g.ReloadRepeat, " (repeat)", ""))
		if at.IsZero() {
			t.line(" No reload scheduled")
		} else {
			t.line(" Reload scheduled for %s", at.Local().Format("2006-01-02 15:04:05"))
		}
	}
	marker := "/run/keepalived.reload"
	if g.UsePIDDir || g.Instance != "" || g.NetNamespace != "" {
		marker = "/run/keepalived/keepalived.reload"
	}
	t.lineIf(g.ReloadFile, " Reload_file = %s", orDefault(g.ReloadFilePath, marker))
	t.lineIf(g.ConfigSaveDir != "", " config save directory = %s", g.ConfigSaveDir)
	t.lineIf(g.DataUseInstance, " Use instance name in data dumps")
	if parent { // who runs them
		script(t, "Startup script", g.Startup, ",", g.StartupTimeout)
		script(t, "Shutdown script", g.Shutdown, "", g.ShutdownTimeout)
	}
	t.line(" keep script symlinks = %t", g.UseSymlinkPaths)
	t.line(" Dynamic interfaces = %t", g.DynamicInterfaces)
	t.lineIf(g.DynamicInterfaces, " Allow interface changes = %t", g.AllowIfChanges)
	t.lineIf(g.AllowIfChanges, " Allow interface changes")
	t.lineIf(g.NoEmailFaults, " Send emails for fault transitions = off")
}

func script(t *text, label string, c *vrrp.Command, comma string, timeout time.Duration) {
	if c != nil {
		t.line(" %s = %s, %s%s timeout %d", label, command(c.Argv), ids(c), comma, seconds(timeout))
	}
}

func globalLVS(t *text, c *configparse.Config, complete bool) {
	g := &c.Global
	for _, l := range []struct {
		label string
		value time.Duration
	}{{"TCP timeout", g.LVSTimeouts.TCP}, {"TCP FIN timeout", g.LVSTimeouts.TCPFin}, {"TCP timeout", g.LVSTimeouts.UDP}} {
		// The third says TCP and means UDP: programs know the label so.
		t.lineIf(l.value != 0, " LVS %s = %d", l.label, seconds(l.value))
	}
	t.lineIf(complete || g.DefaultInterface != "", " Default interface = %s", orDefault(g.DefaultInterface, "eth0"))
	t.line(" Disable local IGMP = %s", yes(g.DisableLocalIGMP))
	t.line(" Use VRRPv2 checksum for VRRPv3 IPv4 = %s", yes(g.VRRPDefaults.ChecksumAsV2))
	if s := c.VRRP.SyncDaemon; s != nil {
		t.lineIf(s.Instance != "", " LVS syncd vrrp instance = %s", s.Instance)
		t.line(" LVS syncd interface = %s", s.Interface)
		t.line(" LVS syncd syncid = %d", s.ID)
		t.lineIf(s.MaxLen != 0, " LVS syncd maxlen = %d", s.MaxLen)
		t.lineIf(s.Group.IsValid(), " LVS mcast group %s", s.Group)
		t.lineIf(s.Port != 0, " LVS syncd mcast port = %d", s.Port)
		t.lineIf(s.TTL != 0, " LVS syncd mcast ttl = %d", s.TTL)
	}
	t.line(" LVS flush = %t", g.LVSFlush)
	flush := "disabled"
	if g.LVSFlushOnStop {
		flush = choose(g.LVSFlushOnStopVS, "VS", "full")
	}
	t.line(" LVS flush on stop = %s", flush)
}

func globalFIFOs(t *text, c *configparse.Config) {
	g := &c.Global
	for _, f := range []struct {
		label string
		fifo  configparse.FIFO
	}{{"Global", g.FIFO}, {"VRRP", g.VRRPFIFO}, {"LVS", g.LVSFIFO}} {
		if f.fifo.Path == "" {
			continue
		}
		t.line(" %s notify fifo = %s, uid:gid %d:%d", f.label, f.fifo.Path, f.fifo.UID, f.fifo.GID)
		if s := f.fifo.Script; s != nil {
			t.line(" %s notify fifo script = %s, %s", f.label, command(append(s.Argv[:len(s.Argv):len(s.Argv)], f.fifo.Path)), ids(s))
		}
	}
	t.line(" FIFO write vrrp states on reload = %t", c.VRRP.StatesOnReload)
	t.line(" VRRP notify priority changes = %t", g.NotifyPriority)
}

// unset is how a number that was not configured shows.
const unset = 4294967295

func globalVRRP(t *text, c *configparse.Config, complete bool) {
	g, d := &c.Global, &c.Global.VRRPDefaults
	t.line(" VRRP IPv4 mcast group = %s", addrOr(c.VRRP.Group4, "224.0.0.18"))
	t.line(" VRRP IPv6 mcast group = %s", addrOr(c.VRRP.Group6, "ff02::12"))
	t.line(" Gratuitous ARP delay = %d", seconds(d.GARP.Delay))
	t.line(" Gratuitous ARP repeat = %d", d.GARP.Repeat)
	t.line(" Gratuitous ARP refresh timer = %d", seconds(d.GARP.Refresh))
	t.line(" Gratuitous ARP refresh repeat = %d", d.GARP.RefreshRepeat)
	delay, repeat := seconds(d.GARP.LowerPrioDelay), int64(d.GARP.LowerPrioRepeat)
	switch {
	case complete && !d.LowerPrioDelaySet:
		delay = seconds(d.GARP.Delay)
	case !d.LowerPrioDelaySet:
		delay = unset
	}
	switch {
	case complete && !d.LowerPrioRepeatSet:
		repeat = int64(d.GARP.Repeat)
	case !d.LowerPrioRepeatSet:
		repeat = unset
	}
	t.line(" Gratuitous ARP lower priority delay = %d", delay)
	t.line(" Gratuitous ARP lower priority repeat = %d", repeat)
	t.line(" Num adverts before down = %d", d.DownTimerAdverts)
	t.line(" Gratuitous ARP for each secondary %s = %ds", choose(d.GARP.ExtraAll, "i/f", "VMAC"), seconds(d.GARP.ExtraInterval))
	t.line(" Send advert after receive lower priority advert = %t", !d.LowerPrioNoAdvert)
	t.line(" Send advert after receive higher priority advert = %t", d.HigherPrioSendAdvert)
	t.line(" Gratuitous ARP interval = %s", decimal(c.VRRP.Pace.GARP))
	t.line(" Gratuitous NA interval = %s", decimal(c.VRRP.Pace.GNA))
	t.line(" VRRP default protocol version = %d", max(d.Version, 2))
	f := &c.VRRP.Firewall
	if f.IPTables {
		t.line(" Iptables input chain = %s", f.IPTablesIn)
		t.lineIf(f.IPTablesOut != "", " Iptables output chain = %s", f.IPTablesOut)
		t.line(" Using ipsets = %t", !f.IPSetsOff)
		globalIPSets(t, f)
	}
	if name := nftTable(&c.VRRP); name != "" {
		t.line(" nftables table name = %s", name)
		t.line(" nftables base chain priority = %d", f.NFTablesPriority)
		t.line(" nftables %sforce use ifindex for link local IPv6", choose(f.NFTablesIfIndex, "", "don't "))
	}
	if g.NFTablesIPVS != "" {
		t.line(" ipvs nftables table name = %s", g.NFTablesIPVS)
		t.line(" ipvs nftables base chain priority = %d", g.NFTablesIPVSPrio)
		t.line(" ipvs nftables start fwmark = %d", g.NFTablesIPVSMark)
	}
	t.line(" nftables %s counters", choose(f.NFTablesCounters, "with", "without"))
	t.line(" VRRP check unicast_src = %t", g.UnicastSourceCheck)
	t.line(" VRRP skip check advert addresses = %t", d.SkipCheckAdvAddr)
	t.line(" VRRP strict mode = %t", g.StrictDefault)
	if g.MaxAutoPriority < 0 {
		t.line(" Max auto priority = Disabled")
	} else {
		t.line(" Max auto priority = %d", g.MaxAutoPriority)
	}
	t.line(" Min auto priority delay = %d usecs", g.MinAutoPriorityDelay.Microseconds())
}

// globalIPSets names the sets; the first name gives the others their beginning.
func globalIPSets(t *text, f *vrrp.FirewallOptions) {
	if f.IPSetsOff {
		return
	}
	first := "keepalived"
	if len(f.IPSets) > 0 {
		first = f.IPSets[0]
	}
	for i, set := range []struct{ label, suffix string }{
		{"IPv4 address", ""}, {"IPv6 address", "6"}, {"IPv6 address,iface", "_if6"}, {"IGMP", "_igmp"}, {"MLD", "_mld"}, {"ND", "_nd"},
	} {
		name := first + set.suffix
		if i < len(f.IPSets) {
			name = f.IPSets[i]
		}
		t.line(" ipset %s set = %s", set.label, name)
	}
}

func globalProcesses(t *text, g *configparse.Global) {
	for _, p := range []struct {
		label string
		o     configparse.ProcessOptions
	}{{"VRRP", g.VRRPProcess}, {"Checker", g.CheckerProcess}, {"BFD", g.BFDProcess}} {
		t.line(" %s process priority = %d", p.label, p.o.Priority)
		t.line(" %s don't swap = %t", p.label, p.o.NoSwap)
		t.line(" %s realtime priority = %d", p.label, p.o.RTPriority)
		if len(p.o.CPUs) > 0 {
			list := ""
			for _, cpu := range p.o.CPUs {
				list += " " + strconv.Itoa(cpu)
			}
			t.line(" %s CPU Affinity =%s", p.label, list)
		}
		limit := p.o.RTLimit
		if limit == 0 {
			limit = 10000
		}
		t.line(" %s realtime limit = %d", p.label, limit)
	}
}

func globalSurfaces(t *text, g *configparse.Global) {
	for _, s := range []struct {
		label string
		on    bool
	}{{"vrrp", g.SNMPVRRP}, {"checker", g.SNMPChecker}, {"RFCv2", g.SNMPRFCv2}, {"RFCv3", g.SNMPRFCv3}, {"traps", g.Traps}} {
		t.line(" SNMP %s %s", s.label, enabled(s.on))
	}
	t.line(" SNMP socket = %s", orDefault(g.SNMPSocket, "default (unix:/var/agentx/master)"))
	t.line(" SNMP VS stats update interval = %s", decimal(g.SNMPVSInterval))
	t.line(" SNMP RS stats update interval = %s", decimal(g.SNMPRSInterval))
	t.line(" DBus %s", enabled(g.DBus))
	name := g.DBusServiceName
	if name == "org.keepalived.Vrrp1" {
		name = "" // the default is not shown
	}
	t.line(" DBus service name = %s", name)
	t.line(" DBus no interface name = %s", orDefault(g.DBusNoInterface, "none"))
	t.line(" Script security %s", enabled(g.ScriptSecurity))
	owner := vrrp.Command{}
	if g.ScriptUser != nil {
		owner = *g.ScriptUser
	}
	t.lineIf(g.ScriptUser != nil || !g.ScriptSecurity, " Default script %s", ids(&owner))
}

func globalBuffers(t *text, c *configparse.Config) {
	g := &c.Global
	for _, b := range []struct {
		label string
		v     configparse.NetlinkBuffer
	}{
		{"vrrp_netlink_cmd", g.VRRPNetlinkCmd}, {"vrrp_netlink_monitor", g.VRRPNetlinkMonitor},
		{"process_monitor", g.ProcessMonitor}, {"lvs_netlink_cmd", g.LVSNetlinkCmd}, {"lvs_netlink_monitor", g.LVSNetlinkMonitor},
	} {
		t.line(" %s_rcv_bufs = %d", b.label, b.v.Size)
		t.line(" %s_rcv_bufs_force = %d", b.label, bit(b.v.Force))
	}
	t.line(" rs_init_notifies = %d", bit(g.RSInitNotifies))
	t.line(" no_checker_emails = %d", bit(g.NoCheckEmails))
	var policy []string
	if g.RxBufsMTU {
		policy = append(policy, "MTU")
	}
	if g.RxBufsAdvert {
		policy = append(policy, "ADVERT")
	}
	t.lineIf(len(policy) > 0, " rx_bufs_policy = %s", strings.Join(policy, " "))
	t.lineIf(g.RxBufsSize != 0, " rx_bufs_size = %d", g.RxBufsSize)
	t.line(" rx_bufs_multiples = %d", g.RxBufsMultiplier)
	umask := 0o177
	if g.UmaskSet {
		umask = int(g.Umask)
	}
	t.line(" umask = %s", fmt.Sprintf("%#o", umask))
	s := c.VRRP.Startup
	t.lineIf(s.Start != 0, " vrrp_startup_delay = %g", s.Start.Seconds())
	t.lineIf(c.VRRP.LogUnknownVRIDs, " log_unknown_vrids")
	t.lineIf(g.VRRPDefaults.OwnerIgnoreAdverts, " vrrp_owner_ignore_adverts")
	t.lineIf(g.VMACPrefix != "" && g.VMACPrefix != "vrrp", " VMAC prefix = %s", g.VMACPrefix)
	t.lineIf(g.VMACAddrPrefix != "" && g.VMACAddrPrefix != orDefault(g.VMACPrefix, "vrrp"), " VMAC address prefix = %s", g.VMACAddrPrefix)
	t.line(" json_version %d", max(g.JSONVersion, 1))
	t.line(" iproute usr directory %s", orDefault(g.IPRouteUsrDir, "/etc/iproute2"))
	t.line(" iproute etc directory %s", orDefault(g.IPRouteEtcDir, "/etc/iproute2"))
	for _, f := range []struct{ label, name string }{
		{"state", g.StateDumpFile}, {"stats", g.StatsDumpFile}, {"json", g.JSONDumpFile},
	} {
		t.lineIf(f.name != "", " %s dump file %s", f.label, f.name)
	}
}

// nftTable is the table in use: the one named, or the default where an instance
// needs one to keep packets off its virtual interface.
func nftTable(c *vrrp.Config) string {
	f := &c.Firewall
	if f.NFTables != "" || f.IPTables {
		return f.NFTables
	}
	for i := range c.Instances {
		if m := c.Instances[i].VMAC; m != nil && !m.IPVLAN {
			return "keepalived"
		}
	}
	return ""
}
