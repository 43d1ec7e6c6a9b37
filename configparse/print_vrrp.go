package configparse

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Canonical text of the VRRP process's blocks.

func (o *printer) vrrp(c *Config) {
	v := &c.VRRP
	for i := range v.Scripts {
		o.trackScript(&v.Scripts[i])
	}
	for i := range v.Processes {
		o.trackProcess(&v.Processes[i])
	}
	for _, g := range v.TrackGroups {
		o.open("track_group", quote(g.Name))
		o.names("group", g.Members)
		o.close()
	}
	o.statics(v)
	for i := range v.PaceGroups {
		o.paceGroup(&v.PaceGroups[i])
	}
	if len(v.LinkBeat) > 0 {
		o.open("linkbeat_interfaces")
		for _, b := range v.LinkBeat {
			o.line(quote(b.Interface), b.Method)
		}
		o.close()
	}
	if len(v.Debounce) > 0 {
		o.open("interface_up_down_delays")
		for _, d := range v.Debounce {
			o.line(quote(d.Interface), secondsWord(d.Down), secondsWord(d.Up))
		}
		o.close()
	}
	groups := map[string]*vrrp.GroupConfig{}
	for i := range v.Groups {
		o.syncGroup(c, &v.Groups[i])
		for _, name := range v.Groups[i].Members {
			groups[name] = &v.Groups[i]
		}
	}
	for i := range v.Instances {
		o.instance(c, &v.Instances[i], groups[v.Instances[i].Name])
	}
}

func (o *printer) statics(v *vrrp.Config) {
	if len(v.StaticAddresses) > 0 {
		o.open("static_ipaddress")
		for i := range v.StaticAddresses {
			o.line(addressWordsOf(&v.StaticAddresses[i]))
		}
		o.close()
	}
	if len(v.StaticRoutes) > 0 {
		o.open("static_routes")
		for i := range v.StaticRoutes {
			o.line(routeText(&v.StaticRoutes[i]))
		}
		o.close()
	}
	if len(v.StaticRules) > 0 {
		o.open("static_rules")
		for i := range v.StaticRules {
			o.line(ruleText(&v.StaticRules[i]))
		}
		o.close()
	}
}

// names writes a block with one name a line.
func (o *printer) names(keyword string, names []string) {
	o.open(keyword)
	for _, n := range names {
		o.line(quote(n))
	}
	o.close()
}

func (o *printer) trackScript(s *vrrp.ScriptConfig) {
	o.open("vrrp_script", quote(s.Name))
	o.line("script", scriptWord(s.Command.Text, s.Command.Argv))
	o.line("interval", secondsWord(s.Interval))
	if s.Timeout != 0 {
		o.line("timeout", secondsWord(s.Timeout))
	}
	o.line("rise", itoa(s.Rise))
	o.line("fall", itoa(s.Fall))
	o.weight(s.Weight, s.Reverse)
	o.flag("init_fail", s.InitFail)
	if s.Command.User != "" {
		o.line("user", userWords(&s.Command)...)
	}
	o.close()
}

func (o *printer) weight(n int, reverse bool) {
	if n != 0 || reverse {
		o.line("weight", itoa(n), reverseWord(reverse))
	}
}

func reverseWord(reverse bool) string {
	if reverse {
		return "reverse"
	}
	return ""
}

func (o *printer) trackFiles(files []vrrp.FileConfig) {
	for _, f := range files {
		o.open("track_file", quote(f.Name))
		o.line("file", quote(f.Path))
		if f.Weight != 1 || f.Reverse {
			o.line("weight", itoa(f.Weight), reverseWord(f.Reverse))
		}
		if f.Init {
			value, overwrite := "", ""
			if f.InitValue != 0 {
				value = itoa(f.InitValue)
			}
			if f.Overwrite {
				overwrite = "overwrite"
			}
			o.line("init_file", value, overwrite)
		}
		o.close()
	}
}

func (o *printer) trackProcess(t *vrrp.ProcessConfig) {
	o.open("vrrp_track_process", quote(t.Name))
	words := []string{quote(t.Path)}
	for _, p := range t.Params {
		words = append(words, quote(p))
	}
	o.line("process", words...)
	switch t.Match {
	case vrrp.MatchExact:
		o.line("param_match")
	case vrrp.MatchInitial:
		o.line("param_match", "initial")
	case vrrp.MatchPartial:
		o.line("param_match", "partial")
	}
	o.weight(t.Weight, t.Reverse)
	if t.Quorum > 1 {
		o.line("quorum", itoa(t.Quorum))
	}
	if t.QuorumMax >= 0 {
		o.line("quorum_max", itoa(t.QuorumMax))
	}
	o.seconds("terminate_delay", t.TerminateDelay, 0)
	o.seconds("fork_delay", t.ForkDelay, 0)
	o.flag("full_command", t.FullCommand && len(t.Params) == 0 && t.Match == vrrp.MatchNone)
	o.close()
}

func (o *printer) paceGroup(g *vrrp.PaceGroup) {
	o.open("garp_group")
	o.line("garp_interval", secondsWord(g.GARP))
	o.seconds("gna_interval", g.GNA, 0)
	if len(g.Interfaces) > 0 {
		o.names("interfaces", g.Interfaces)
	}
	o.close()
}

// trackBlock writes the tracks of one kind. A weight is written unless the
// object brings it along.
func (o *printer) trackBlock(keyword string, list []vrrp.Track, of func(name string) trackDefault) {
	if len(list) == 0 {
		return
	}
	o.open(keyword)
	for _, t := range list {
		d := of(t.Name)
		if t.Weight == d.weight && t.Reverse == d.reverse {
			o.line(quote(t.Name))
			continue
		}
		direction := reverseWord(t.Reverse)
		if d.reverse && !t.Reverse {
			direction = "noreverse"
		}
		o.line(quote(t.Name), "weight", itoa(t.Weight), direction)
	}
	o.close()
}

// defaults gives the weights that tracked objects bring along; of repeated
// names the first counts.
func (c *Config) defaults() [5]map[string]trackDefault {
	d := [5]map[string]trackDefault{{}, {}, {}, {}, {}}
	set := func(m map[string]trackDefault, name string, weight int, reverse bool) {
		if _, ok := m[name]; !ok {
			m[name] = trackDefault{weight, reverse}
		}
	}
	for _, s := range c.VRRP.Scripts {
		set(d[1], s.Name, s.Weight, s.Reverse)
	}
	for _, f := range c.VRRP.Files {
		set(d[2], f.Name, f.Weight, f.Reverse)
	}
	for _, p := range c.VRRP.Processes {
		set(d[3], p.Name, p.Weight, p.Reverse)
	}
	for _, b := range c.BFD {
		set(d[4], b.Name, b.Weight, b.Reverse)
	}
	return d
}

func (o *printer) tracks(c *Config, lists [5][]vrrp.Track) {
	d := c.defaults()
	for i, k := range trackKinds {
		o.trackBlock(k.keyword, lists[i], func(name string) trackDefault { return d[i][name] })
	}
}

func (o *printer) notify(n *vrrp.NotifyConfig) {
	o.command("notify_master", n.Master)
	o.command("notify_backup", n.Backup)
	o.command("notify_fault", n.Fault)
	o.command("notify_stop", n.Stop)
	o.command("notify", n.Any)
	o.command("notify_master_rx_lower_pri", n.RxLowerPrio)
	switch {
	case n.Deleted != nil:
		o.command("notify_deleted", n.Deleted)
	case n.DeletedSet:
		o.line("notify_deleted")
	}
}

func (o *printer) syncGroup(c *Config, g *vrrp.GroupConfig) {
	o.open("vrrp_sync_group", quote(g.Name))
	o.names("group", g.Members)
	o.flag("sync_group_tracking_weight", g.TrackWeights)
	o.tracks(c, [5][]vrrp.Track{g.TrackInterfaces, g.TrackScripts, g.TrackFiles, g.TrackProcesses, g.TrackBFD})
	o.notify(&g.Notify)
	o.onOff("smtp_alert", g.Notify.SMTPAlert, c.smtpDefault())
	o.onOff("notify_priority_changes", g.Notify.PriorityChanges, false)
	o.close()
}

func (c *Config) smtpDefault() bool {
	return c.Global.SMTPAlertVRRP.Or(c.Global.SMTPAlert.Or(false))
}

func (o *printer) instance(c *Config, in *vrrp.InstanceConfig, g *vrrp.GroupConfig) {
	o.open("vrrp_instance", quote(in.Name))
	o.identity(c, in)
	o.election(c, in)
	o.auth(in)
	o.vmac(in)
	o.unicast(c, in)
	o.garp(c, in)
	o.flag("dont_track_primary", in.DontTrackPrimary)
	o.flag("linkbeat_use_polling", in.LinkBeat)
	o.number("kernel_rx_buf_size", int64(in.RxBuffer), 0)
	o.number("debug", int64(in.Debug), 0)
	o.flag("promote_secondaries", in.PromoteAddrs)
	o.flag("no_virtual_ipaddress", in.NoAddresses)
	o.addresses("virtual_ipaddress", in.Addresses)
	o.addresses("virtual_ipaddress_excluded", in.Excluded)
	if len(in.Routes) > 0 {
		o.open("virtual_routes")
		for i := range in.Routes {
			o.line(routeText(&in.Routes[i]))
		}
		o.close()
	}
	if len(in.Rules) > 0 {
		o.open("virtual_rules")
		for i := range in.Rules {
			o.line(ruleText(&in.Rules[i]))
		}
		o.close()
	}
	o.tracks(c, [5][]vrrp.Track{in.TrackInterfaces, in.TrackScripts, in.TrackFiles, in.TrackProcesses, in.TrackBFD})
	o.notify(&in.Notify)
	o.onOff("smtp_alert", in.Notify.SMTPAlert, c.smtpDefault())
	o.onOff("notify_priority_changes", in.Notify.PriorityChanges, c.Global.NotifyPriority || g != nil && g.Notify.PriorityChanges)
	o.close()
}

func (o *printer) addresses(keyword string, list []vrrp.Address) {
	if len(list) == 0 {
		return
	}
	o.open(keyword)
	for i := range list {
		o.line(addressWordsOf(&list[i]))
	}
	o.close()
}

func (o *printer) identity(c *Config, in *vrrp.InstanceConfig) {
	o.text("interface", in.Interface)
	o.text("vrf", in.VRF)
	version := c.Global.VRRPDefaults.Version
	if in.IPv6 {
		version = 3
	}
	o.number("version", int64(in.Version), int64(version)) // before what makes the family known
	o.flag("native_ipv6", in.IPv6 && in.Version == 3)      // which it would set
	o.line("virtual_router_id", itoa(in.VRID))
	o.onOff("strict_mode", in.Strict, c.Global.StrictDefault)
}

func (o *printer) election(c *Config, in *vrrp.InstanceConfig) {
	owner := in.Priority == ownerPriority
	d := &c.Global.VRRPDefaults
	switch {
	case in.WantMaster && !owner:
		o.line("state", "MASTER")
	case !in.WantMaster && owner:
		o.line("state", "BACKUP")
	}
	o.line("priority", itoa(in.Priority))
	o.seconds("advert_int", in.AdvertInterval, time.Second)
	o.number("down_timer_adverts", int64(in.DownTimerAdverts), int64(d.DownTimerAdverts))
	o.flag("nopreempt", in.NoPreempt)
	o.seconds("preempt_delay", in.PreemptDelay, 0)
	o.number("timer_expired_backup", int64(in.TimerExpiredBackup), 0)
	o.onOff("lower_prio_no_advert", in.LowerPrioNoAdvert, in.Strict || d.LowerPrioNoAdvert)
	o.onOff("higher_prio_send_advert", in.HigherPrioSendAdvert, !in.Strict && d.HigherPrioSendAdvert)
	o.onOff("owner_ignore_adverts", in.OwnerIgnoreAdverts, owner && (in.Strict || d.OwnerIgnoreAdverts))
	if refuse := in.Strict && !owner; in.NoAccept != refuse {
		o.flag("accept", refuse)
		o.flag("no_accept", !refuse)
	}
	o.onOff("skip_check_adv_addr", in.SkipCheckAdvAddr, d.SkipCheckAdvAddr)
	o.onOff("v3_checksum_as_v2", in.ChecksumAsV2, d.ChecksumAsV2)
}

func (o *printer) unicast(c *Config, in *vrrp.InstanceConfig) {
	bound := in.Interface == "" // a unicast keyword excuses the missing interface
	if in.Source.IsValid() && (in.VMAC == nil || in.VMAC.Address.Addr() != in.Source) {
		if in.Unicast || bound {
			o.line("unicast_src_ip", in.Source.String())
		} else {
			o.line("mcast_src_ip", in.Source.String())
		}
	}
	o.flag("track_src_ip", in.TrackSource)
	o.flag("unicast_fault_no_peer", in.Unicast && len(in.Peers) == 0)
	if in.Unicast {
		o.open("unicast_peer")
		for _, p := range in.Peers {
			words := []string{p.Addr.String()}
			if p.TTLGiven {
				words = append(words, "min_ttl", itoa(p.MinTTL), "max_ttl", itoa(p.MaxTTL))
			}
			o.line(strings.Join(words, " "))
		}
		o.close()
	}
	group := c.VRRP.Group4
	if in.IPv6 {
		group = c.VRRP.Group6
	}
	if in.Destination.IsValid() && in.Destination != group {
		o.line("mcast_dst_ip", in.Destination.String())
	}
	o.number("unicast_ttl", int64(in.UnicastTTL), 0)
	o.flag("check_unicast_src", in.CheckUnicastSource && !c.Global.UnicastSourceCheck)
	switch in.OldChecksum {
	case vrrp.OldChecksumAlways:
		o.line("old_unicast_checksum")
	case vrrp.OldChecksumNever:
		o.line("old_unicast_checksum", "never")
	}
}

func (o *printer) auth(in *vrrp.InstanceConfig) {
	if in.Auth.Type != vrrp.AuthNone {
		o.open("authentication")
		kind := "PASS"
		if in.Auth.Type == vrrp.AuthAH {
			kind = "AH"
		}
		o.line("auth_type", kind)
		o.line("auth_pass", quote(strings.TrimRight(string(in.Auth.Password[:]), "\x00")))
		o.close()
	}
	h := in.HMAC
	if h == nil {
		return
	}
	o.open("auth_hmac")
	for _, k := range h.Keys {
		o.line("key", itoa(k.ID), "hex:"+hex.EncodeToString(k.Key))
	}
	o.line("active_key", itoa(h.Active))
	if h.Window != hmacWindow(in.AdvertInterval) {
		o.line("time_window", secondsWord(h.Window))
	}
	if h.Monotonic {
		o.line("anti_replay", "monotonic")
	}
	switch h.Mode {
	case vrrp.HMACPermissive:
		o.line("mode", "permissive")
	case vrrp.HMACReceiveOnly:
		o.line("mode", "receive-only")
	}
	o.close()
}

func (o *printer) garp(c *Config, in *vrrp.InstanceConfig) {
	d, g := &c.Global.VRRPDefaults, &in.GARP
	o.seconds("garp_master_delay", g.Delay, d.GARP.Delay)
	o.number("garp_master_repeat", int64(g.Repeat), int64(d.GARP.Repeat))
	o.seconds("garp_master_refresh", g.Refresh, d.GARP.Refresh)
	o.number("garp_master_refresh_repeat", int64(g.RefreshRepeat), int64(d.GARP.RefreshRepeat))
	delay, repeat := d.GARP.Delay, d.GARP.Repeat
	if d.LowerPrioDelaySet {
		delay = d.GARP.LowerPrioDelay
	}
	if d.LowerPrioRepeatSet {
		repeat = d.GARP.LowerPrioRepeat
	}
	if !in.Strict {
		o.seconds("garp_lower_prio_delay", g.LowerPrioDelay, delay)
		o.number("garp_lower_prio_repeat", int64(g.LowerPrioRepeat), int64(repeat))
	}
	o.extraInterval("garp_extra_if", in.GARP, d.GARP)
}

func (o *printer) vmac(in *vrrp.InstanceConfig) {
	v := in.VMAC
	if v == nil {
		return
	}
	o.flag("use_vmac_addr", v.AllAddrs)
	if v.AddrsOnly {
		return
	}
	var words []string
	if v.Name != "" {
		words = append(words, quote(v.Name))
	}
	keyword := "use_vmac"
	if v.IPVLAN {
		keyword = "use_ipvlan"
		if v.Address.IsValid() {
			words = append(words, v.Address.String())
		}
		words = append(words, [...]string{"bridge", "private", "vepa"}[v.IPVLANMode])
	} else {
		if v.MAC != [6]byte{} {
			words = append(words, macText(v.MAC))
		}
		if v.NotifyMsg {
			words = append(words, "netlink_notify_msg")
		}
	}
	if v.GroupSet {
		words = append(words, "group", itoa(v.Group))
	}
	o.line(keyword, words...)
	o.flag("vmac_xmit_base", v.XmitBase)
}

func macText(mac [6]byte) string {
	parts := make([]string, len(mac))
	for i, b := range mac {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}
