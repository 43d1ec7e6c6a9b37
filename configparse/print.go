package configparse

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Print writes a configuration as canonical keepalived.conf: what Load reads
// from it is the same Config, and the original accepts it. What the original
// found wrong and dropped is gone; what was repeated, defined or included is
// written out.
func Print(c *Config) string {
	var o printer
	o.globals(c)
	o.bfd(c.BFD)
	o.lostSessions(c)
	files := c.VRRP.Files
	if len(files) == 0 {
		files = c.CheckerFiles
	}
	o.trackFiles(files)
	o.vrrp(c)
	o.checker(&c.Checker)
	return o.b.String()
}

// lostSessions writes the BFD sessions that the BFD process refuses and that
// the other processes follow all the same: they never come up.
func (o *printer) lostSessions(c *Config) {
	const toVRRP, toChecker = 1, 2
	users := map[string]int{}
	var order []string
	add := func(name string, who int) {
		if users[name] == 0 {
			order = append(order, name)
		}
		users[name] |= who
	}
	for _, name := range c.VRRP.BFD {
		add(name, toVRRP)
	}
	for _, s := range c.Checker.Services {
		for _, r := range s.Servers {
			for _, k := range r.Checks {
				if b, ok := k.Spec.(checker.BFDCheck); ok {
					add(b.Name, toChecker)
				}
			}
		}
	}
	for _, name := range order {
		if slices.ContainsFunc(c.BFD, func(b bfd.Config) bool { return b.Name == name }) {
			continue
		}
		o.open("bfd_instance", quote(name))
		o.flag("vrrp", users[name] == toVRRP)
		o.flag("checker", users[name] == toChecker)
		o.close()
	}
}

func itoa[T ~int | ~uint | ~uint8 | ~uint16 | ~uint32 | ~int32 | ~uint64 | ~int64](n T) string {
	return fmt.Sprint(int64(n))
}

// number writes a keyword with a number unless it is the default.
func (o *printer) number(keyword string, n, standard int64) {
	if n != standard {
		o.line(keyword, strconv.FormatInt(n, 10))
	}
}

// seconds writes a keyword with a time in seconds unless it is the default.
func (o *printer) seconds(keyword string, d, standard time.Duration) {
	if d != standard {
		o.line(keyword, secondsWord(d))
	}
}

// onOff writes a boolean unless it is what is inherited.
func (o *printer) onOff(keyword string, v, inherited bool) {
	if v != inherited {
		o.line(keyword, onOffWord(v))
	}
}

func onOffWord(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

// tristate writes a boolean that was given.
func (o *printer) tristate(keyword string, t Tristate) {
	if t != Unset {
		o.line(keyword, onOffWord(t == On))
	}
}

// command writes a script with the user that was written beside it.
func (o *printer) command(keyword string, c *vrrp.Command) {
	if c != nil {
		o.line(keyword, append([]string{scriptWord(c.Text, c.Argv)}, userWords(c)...)...)
	}
}

func userWords(c *vrrp.Command) []string {
	switch {
	case c.User == "":
		return nil
	case c.Group == "":
		return []string{quote(c.User)}
	}
	return []string{quote(c.User), quote(c.Group)}
}

// globals writes the root keywords and global_defs.
func (o *printer) globals(c *Config) {
	g, d := &c.Global, &newConfig(&Env{}).Global
	o.text("net_namespace", g.NetNamespace)
	if g.IPVSNamespaceSet {
		name := ""
		if g.NetNamespaceIPVS != "" {
			name = quote(g.NetNamespaceIPVS)
		}
		o.line("net_namespace_ipvs", name)
	}
	o.flag("namespace_with_ipsets", g.NamespaceIPSets)
	o.text("instance", g.Instance)
	o.flag("use_pid_dir", g.UsePIDDir)
	o.flag("linkbeat_use_polling", g.LinkbeatUsePolling)
	o.seconds("child_wait_time", g.ChildWait, d.ChildWait)
	o.open("global_defs")
	o.globalNames(g, d)
	o.globalScripts(g, d)
	o.globalFiles(g, d)
	o.process("vrrp", &g.VRRPProcess)
	o.process("checker", &g.CheckerProcess)
	o.process("bfd", &g.BFDProcess)
	o.globalVRRP(c, d)
	o.firewall(c, d)
	o.globalLVS(g, d)
	o.fifo("notify_fifo", &g.FIFO)
	o.fifo("vrrp_notify_fifo", &g.VRRPFIFO)
	o.fifo("lvs_notify_fifo", &g.LVSFIFO)
	o.globalSNMP(g, d)
	o.close()
}

func (o *printer) globalNames(g, d *Global) {
	o.text("process_name", g.ProcessName)
	o.text("vrrp_process_name", g.VRRPProcessName)
	o.text("checker_process_name", g.CheckerProcessName)
	o.text("bfd_process_name", g.BFDProcessName)
	o.text("router_id", g.RouterID)
	o.text("notification_email_from", g.EmailFrom)
	if len(g.Emails) > 0 {
		o.open("notification_email")
		for _, a := range g.Emails {
			o.line(quote(a))
		}
		o.close()
	}
	if g.SMTPServer != "" {
		o.line("smtp_server", quote(g.SMTPServer), itoa(g.SMTPPort))
	}
	o.text("smtp_helo_name", g.SMTPHelo)
	o.seconds("smtp_connect_timeout", g.SMTPTimeout, d.SMTPTimeout)
	o.tristate("smtp_alert", g.SMTPAlert)
	o.tristate("smtp_alert_vrrp", g.SMTPAlertVRRP)
	o.tristate("smtp_alert_checker", g.SMTPAlertCheck)
	o.flag("no_email_faults", g.NoEmailFaults)
	o.flag("no_checker_emails", g.NoCheckEmails)
	o.number("max_auto_priority", int64(g.MaxAutoPriority), 0)
	o.number("min_auto_priority_delay", g.MinAutoPriorityDelay.Microseconds(), d.MinAutoPriorityDelay.Microseconds())
}

func (o *printer) globalScripts(g, d *Global) {
	// The user and the security of scripts stand before the scripts.
	if g.ScriptUser != nil {
		o.line("script_user", userWords(g.ScriptUser)...)
	}
	o.flag("enable_script_security", g.ScriptSecurity)
	o.flag("use_symlink_paths", g.UseSymlinkPaths)
	if g.UmaskSet {
		o.line("umask", fmt.Sprintf("0%o", uint32(g.Umask&os.ModePerm)))
	}
	o.command("startup_script", g.Startup)
	o.seconds("startup_script_timeout", g.StartupTimeout, d.StartupTimeout)
	o.command("shutdown_script", g.Shutdown)
	o.seconds("shutdown_script_timeout", g.ShutdownTimeout, d.ShutdownTimeout)
}

func (o *printer) globalFiles(g, d *Global) {
	if g.RandomSeedSet {
		o.line("random_seed", itoa(g.RandomSeed))
	}
	optional := func(keyword string, on bool, value string) {
		switch {
		case on && value != "":
			o.line(keyword, quote(value))
		case on:
			o.line(keyword)
		}
	}
	optional("reload_check_config", g.ReloadCheck, g.ReloadCheckLog)
	o.text("reload_time_file", g.ReloadTimeFile)
	o.flag("reload_repeat", g.ReloadRepeat)
	optional("reload_file", g.ReloadFile, g.ReloadFilePath)
	o.text("config_save_dir", g.ConfigSaveDir)
	o.text("tmp_config_directory", g.TmpConfigDir)
	o.flag("data_use_instance", g.DataUseInstance)
	o.number("json_version", int64(g.JSONVersion), int64(d.JSONVersion))
	o.text("state_dump_file", g.StateDumpFile)
	o.text("stats_dump_file", g.StatsDumpFile)
	o.text("json_dump_file", g.JSONDumpFile)
	o.text("iproute_usr_dir", g.IPRouteUsrDir)
	o.text("iproute_etc_dir", g.IPRouteEtcDir)
}

func (o *printer) process(name string, p *ProcessOptions) {
	if p.PrioritySet {
		o.line(name+"_priority", itoa(p.Priority))
	}
	o.flag(name+"_no_swap", p.NoSwap)
	o.number(name+"_rt_priority", int64(p.RTPriority), 0)
	if len(p.CPUs) > 0 {
		var cpus []string
		for _, c := range p.CPUs {
			cpus = append(cpus, itoa(c))
		}
		o.line(name+"_cpu_affinity", cpus...)
	}
	if p.RTLimitSet {
		o.line(name+"_rlimit_rttime", itoa(p.RTLimit))
	}
}

func (o *printer) globalVRRP(c *Config, d *Global) {
	g, v := &c.Global, &c.VRRP
	words := ""
	if g.AllowIfChanges {
		words = "allow_if_changes"
	}
	if g.DynamicInterfaces {
		o.line("dynamic_interfaces", words)
	}
	o.text("default_interface", g.DefaultInterface)
	o.flag("disable_local_igmp", g.DisableLocalIGMP)
	o.flag("vrrp_check_unicast_src", g.UnicastSourceCheck)
	o.flag("vrrp_strict", g.StrictDefault)
	if v.Group4 != defaultGroup4 {
		o.line("vrrp_mcast_group4", v.Group4.String())
	}
	if v.Group6 != defaultGroup6 {
		o.line("vrrp_mcast_group6", v.Group6.String())
	}
	o.vrrpDefaults(&g.VRRPDefaults)
	o.seconds("vrrp_garp_interval", v.Pace.GARP, 0)
	o.seconds("vrrp_gna_interval", v.Pace.GNA, 0)
	o.seconds("vrrp_startup_delay", v.Startup.Start, 0)
	o.seconds("vrrp_delay_after_boot", v.Startup.AfterBoot, 0)
	o.flag("log_unknown_vrids", v.LogUnknownVRIDs)
	o.flag("vrrp_notify_priority_changes", g.NotifyPriority)
	o.flag("fifo_write_vrrp_states_on_reload", v.StatesOnReload)
	switch {
	case g.RxBufsMTU:
		o.line("vrrp_rx_bufs_policy", "MTU")
	case g.RxBufsAdvert:
		o.line("vrrp_rx_bufs_policy", "ADVERT")
	case g.RxBufsSize != 0:
		o.line("vrrp_rx_bufs_policy", itoa(g.RxBufsSize))
	}
	o.number("vrrp_rx_bufs_multiplier", int64(g.RxBufsMultiplier), int64(d.RxBufsMultiplier))
	o.text("vmac_prefix", g.VMACPrefix)
	o.text("vmac_addr_prefix", g.VMACAddrPrefix)
	o.buffer("vrrp_netlink_cmd_rcv_bufs", g.VRRPNetlinkCmd)
	o.buffer("vrrp_netlink_monitor_rcv_bufs", g.VRRPNetlinkMonitor)
	o.buffer("process_monitor_rcv_bufs", g.ProcessMonitor)
	o.syncDaemon(v.SyncDaemon)
}

func (o *printer) vrrpDefaults(v *VRRPDefaults) {
	s := newConfig(&Env{}).Global.VRRPDefaults
	if v.MinGARP { // first: it changes what is still at its default
		o.line("vrrp_min_garp")
		g := Global{VRRPDefaults: s}
		setMinGARP(&g, true)
		s = g.VRRPDefaults
	}
	o.number("vrrp_version", int64(v.Version), int64(s.Version))
	o.seconds("vrrp_garp_master_delay", v.GARP.Delay, s.GARP.Delay)
	o.number("vrrp_garp_master_repeat", int64(v.GARP.Repeat), int64(s.GARP.Repeat))
	o.seconds("vrrp_garp_master_refresh", v.GARP.Refresh, 0)
	o.number("vrrp_garp_master_refresh_repeat", int64(v.GARP.RefreshRepeat), int64(s.GARP.RefreshRepeat))
	if v.LowerPrioDelaySet {
		o.line("vrrp_garp_lower_prio_delay", secondsWord(v.GARP.LowerPrioDelay))
	}
	if v.LowerPrioRepeatSet {
		o.line("vrrp_garp_lower_prio_repeat", itoa(v.GARP.LowerPrioRepeat))
	}
	o.extraInterval("vrrp_garp_extra_if", v.GARP, vrrp.GARPConfig{})
	o.number("vrrp_down_timer_adverts", int64(v.DownTimerAdverts), int64(s.DownTimerAdverts))
	o.flag("vrrp_lower_prio_no_advert", v.LowerPrioNoAdvert)
	o.flag("vrrp_higher_prio_send_advert", v.HigherPrioSendAdvert)
	o.flag("vrrp_skip_check_adv_addr", v.SkipCheckAdvAddr)
	o.flag("v3_checksum_as_v2", v.ChecksumAsV2)
	o.flag("vrrp_owner_ignore_adverts", v.OwnerIgnoreAdverts)
}

func (o *printer) extraInterval(keyword string, g, inherited vrrp.GARPConfig) {
	if g.ExtraInterval == inherited.ExtraInterval && g.ExtraAll == inherited.ExtraAll {
		return
	}
	all := ""
	if g.ExtraAll {
		all = "all"
	}
	o.line(keyword, all, secondsWord(g.ExtraInterval))
}

func (o *printer) buffer(keyword string, b NetlinkBuffer) {
	o.number(keyword, int64(b.Size), 0)
	o.flag(keyword+"_force", b.Force)
}

func (o *printer) syncDaemon(d *vrrp.SyncDaemon) {
	if d == nil {
		return
	}
	words := []string{quote(d.Interface)}
	if d.Instance != "" {
		words = append(words, "inst", quote(d.Instance))
	}
	if d.IDSet {
		words = append(words, "id", itoa(d.ID))
	}
	for _, w := range []struct {
		name  string
		value uint16
	}{{"maxlen", d.MaxLen}, {"port", d.Port}, {"ttl", uint16(d.TTL)}} {
		if w.value != 0 {
			words = append(words, w.name, itoa(w.value))
		}
	}
	if d.Group.IsValid() {
		words = append(words, "group", d.Group.String())
	}
	o.line("lvs_sync_daemon", words...)
}

func (o *printer) firewall(c *Config, d *Global) {
	f, g := &c.VRRP.Firewall, &c.Global
	if f.IPTables {
		out := ""
		if f.IPTablesOut != "" {
			out = quote(f.IPTablesOut)
		}
		o.line("vrrp_iptables", quote(f.IPTablesIn), out)
	}
	switch {
	case f.IPSetsOff:
		o.line("vrrp_ipsets")
	case len(f.IPSets) > 0:
		var names []string
		for _, n := range f.IPSets {
			names = append(names, quote(n))
		}
		o.line("vrrp_ipsets", names...)
	}
	o.text("nftables", f.NFTables)
	o.number("nftables_priority", int64(f.NFTablesPriority), -1)
	o.flag("nftables_counters", f.NFTablesCounters)
	o.flag("nftables_ifindex", f.NFTablesIfIndex)
	o.text("nftables_ipvs", g.NFTablesIPVS)
	o.number("nftables_ipvs_priority", int64(g.NFTablesIPVSPrio), int64(d.NFTablesIPVSPrio))
	o.number("nftables_ipvs_start_fwmark", int64(g.NFTablesIPVSMark), int64(d.NFTablesIPVSMark))
}

func (o *printer) globalLVS(g, d *Global) {
	o.flag("checker_log_all_failures", g.CheckerLogAllFailures)
	var words []string
	for _, t := range []struct {
		name  string
		value time.Duration
	}{{"tcp", g.LVSTimeouts.TCP}, {"tcpfin", g.LVSTimeouts.TCPFin}, {"udp", g.LVSTimeouts.UDP}} {
		if t.value != 0 {
			words = append(words, t.name, secondsWord(t.value))
		}
	}
	if len(words) > 0 {
		o.line("lvs_timeouts", words...)
	}
	o.flag("lvs_flush", g.LVSFlush)
	if g.LVSFlushOnStop {
		only := ""
		if g.LVSFlushOnStopVS {
			only = "VS"
		}
		o.line("lvs_flush_on_stop", only)
	}
	o.flag("rs_init_notifies", g.RSInitNotifies)
	o.buffer("lvs_netlink_cmd_rcv_bufs", g.LVSNetlinkCmd)
	o.buffer("lvs_netlink_monitor_rcv_bufs", g.LVSNetlinkMonitor)
}

func (o *printer) fifo(keyword string, f *FIFO) {
	if f.Path != "" {
		o.line(keyword, append([]string{quote(f.Path)}, userWords(&vrrp.Command{User: f.User, Group: f.Group})...)...)
	}
	o.command(keyword+"_script", f.Script)
}

func (o *printer) globalSNMP(g, d *Global) {
	o.text("snmp_socket", g.SNMPSocket)
	o.flag("enable_traps", g.Traps)
	o.flag("enable_snmp_vrrp", g.SNMPVRRP)
	o.flag("enable_snmp_rfcv2", g.SNMPRFCv2)
	o.flag("enable_snmp_rfcv3", g.SNMPRFCv3)
	o.flag("enable_snmp_checker", g.SNMPChecker)
	o.seconds("snmp_vs_stats_update_interval", g.SNMPVSInterval, d.SNMPVSInterval)
	o.seconds("snmp_rs_stats_update_interval", g.SNMPRSInterval, g.SNMPVSInterval)
	o.flag("enable_dbus", g.DBus)
	if g.DBusServiceName != d.DBusServiceName {
		o.line("dbus_service_name", quote(g.DBusServiceName))
	}
	if g.DBusNoInterface != d.DBusNoInterface {
		o.line("dbus_no_interface_name", quote(g.DBusNoInterface))
	}
}
