package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// object writes JSON members in the order in which they are put, which
// programs that take the file apart by position rely on.
type object struct{ b []byte }

func (o *object) put(key, raw string) {
	if len(o.b) > 0 {
		o.b = append(o.b, ',')
	}
	o.b = strconv.AppendQuote(o.b, key)
	o.b = append(append(o.b, ':'), raw...)
}

func (o *object) number(key string, n uint64) { o.put(key, strconv.FormatUint(n, 10)) }
func (o *object) flag(key string, on bool)    { o.number(key, uint64(bit(on))) }
func (o *object) bool(key string, on bool)    { o.put(key, strconv.FormatBool(on)) }
func (o *object) text(key, s string)          { o.put(key, quoted(s)) }
func (o *object) seconds(key string, d time.Duration) {
	o.put(key, fmt.Sprintf("%g", d.Seconds()))
}

func (o *object) list(key string, items []string) {
	if len(items) == 0 {
		return
	}
	for i := range items {
		items[i] = quoted(items[i])
	}
	o.put(key, "["+strings.Join(items, ",")+"]")
}

func (o *object) String() string { return "{" + string(o.b) + "}" }

// quoted is a JSON string as the original writes it, with every slash escaped.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// JSON renders keepalived.json in the version that json_version asks for.
func (v VRRP) JSON() string {
	var all []string
	for i := range v.Snapshot.Instances {
		in := &v.Snapshot.Instances[i]
		var o object
		o.put("data", v.instanceData(in))
		o.put("stats", instanceCounters(&in.Stats))
		all = append(all, o.String())
	}
	list := "[" + strings.Join(all, ",") + "]"
	if v.Config.Global.JSONVersion < 2 {
		return list + "\n"
	}
	var o object
	o.put("vrrp", list)
	if len(v.Config.VRRP.Processes) > 0 {
		var procs []string
		for _, p := range v.Config.VRRP.Processes {
			procs = append(procs, processData(p, v.Processes[p.Name]))
		}
		o.put("track_process", "["+strings.Join(procs, ",")+"]")
	}
	return o.String() + "\n"
}

func (v VRRP) instanceData(in *vrrp.InstanceSnapshot) string {
	c := in.Config
	var o object
	o.text("iname", in.Name)
	o.flag("dont_track_primary", c.DontTrackPrimary)
	o.flag("skip_check_adv_addr", c.SkipCheckAdvAddr)
	o.flag("strict_mode", c.Strict)
	device := orDefault(c.Device, c.Interface)
	o.text("vmac_ifname", choose(c.VMAC != nil && !c.VMAC.AddrsOnly, device, ""))
	if device != "" {
		o.text("ifp_ifname", device)
	}
	o.number("master_priority", uint64(in.MasterPriority))
	o.put("last_transition", epoch(in.Since))
	o.seconds("garp_delay", c.GARP.Delay)
	o.number("garp_refresh", uint64(seconds(c.GARP.Refresh)))
	o.number("garp_rep", uint64(c.GARP.Repeat))
	o.number("garp_refresh_rep", uint64(c.GARP.RefreshRepeat))
	o.number("garp_lower_prio_delay", uint64(seconds(c.GARP.LowerPrioDelay)))
	o.number("garp_lower_prio_rep", uint64(c.GARP.LowerPrioRepeat))
	o.flag("lower_prio_no_advert", c.LowerPrioNoAdvert)
	o.flag("higher_prio_send_advert", c.HigherPrioSendAdvert)
	o.number("vrid", uint64(c.VRID))
	o.number("base_priority", uint64(c.Priority))
	o.number("effective_priority", uint64(in.Priority))
	o.bool("vipset", in.Holding)
	o.bool("promote_secondaries", c.PromoteAddrs)
	o.seconds("adver_int", c.AdvertInterval)
	learnt := in.MasterInterval
	if learnt == 0 {
		learnt = c.AdvertInterval
	}
	o.seconds("master_adver_int", learnt)
	o.flag("accept", !c.NoAccept)
	o.bool("nopreempt", c.NoPreempt)
	delay := c.PreemptDelay
	if c.NoPreempt {
		delay = 0
	}
	o.number("preempt_delay", uint64(seconds(delay)))
	o.number("state", uint64(in.State))
	o.number("wantstate", uint64(in.Wanted))
	o.number("version", uint64(c.Version))
	o.bool("smtp_alert", c.Notify.SMTPAlert)
	o.bool("notify_deleted", c.Notify.DeletedSet)
	v.instanceLists(&o, in)
	return o.String()
}

// instanceLists are the members that only exist if something is configured.
func (v VRRP) instanceLists(o *object, in *vrrp.InstanceSnapshot) {
	c := in.Config
	n := &c.Notify
	for _, s := range []struct {
		key string
		c   *vrrp.Command
	}{
		{"script_backup", n.Backup}, {"script_master", n.Master}, {"script_fault", n.Fault}, {"script_stop", n.Stop},
		{"script_deleted", n.Deleted}, {"script", n.Any}, {"script_master_rx_lower_pri", n.RxLowerPrio},
	} {
		if s.c != nil {
			o.text(s.key, command(s.c.Argv))
		}
	}
	o.list("vips", texts(c.Addresses, func(a vrrp.Address) string { return v.address(a, in) }))
	o.list("evips", texts(c.Excluded, func(a vrrp.Address) string { return v.address(a, in) }))
	o.list("vroutes", texts(c.Routes, Route))
	o.list("vrules", texts(c.Rules, Rule))
	name := func(x vrrp.Track) string { return x.Name }
	o.list("track_ifp", texts(c.TrackInterfaces, name))
	o.list("track_script", texts(c.TrackScripts, v.scriptCommand))
	o.list("track_process", texts(c.TrackProcesses, name))
	o.number("auth_type", uint64(c.Auth.Type))
	if c.Auth.Type != vrrp.AuthNone {
		o.text("auth_data", "********")
	}
}

// scriptCommand is what the JSON calls a track script: its command.
func (v VRRP) scriptCommand(x vrrp.Track) string {
	for _, s := range v.Config.VRRP.Scripts {
		if s.Name == x.Name {
			return command(s.Command.Argv)
		}
	}
	return x.Name
}

func texts[T any](list []T, of func(T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, of(x))
	}
	return out
}

func instanceCounters(n *vrrp.Stats) string {
	var o object
	for _, s := range []struct {
		key   string
		value uint64
	}{
		{"advert_rcvd", n.Received}, {"advert_sent", n.Sent}, {"become_master", n.BecameMaster},
		{"release_master", n.ReleasedMaster}, {"packet_len_err", n.PacketLength},
		{"advert_interval_err", n.AdvertInterval}, {"ip_ttl_err", n.PacketTTL}, {"invalid_type_rcvd", n.InvalidType},
		{"addr_list_err", n.AddressList}, {"invalid_authtype", n.AuthInvalidType},
		{"authtype_mismatch", n.AuthTypeMismatch}, {"auth_failure", n.AuthFailure},
		{"auth_ext_missing", n.HMACMissing}, {"auth_ext_malformed", n.HMACMalformed},
		{"auth_ext_unknown_key", n.HMACUnknownKey}, {"auth_ext_invalid_hmac", n.HMACInvalid},
		{"auth_ext_stale", n.HMACStale}, {"auth_ext_replay", n.HMACReplay},
		{"pri_zero_rcvd", n.PrioZeroReceived}, {"pri_zero_sent", n.PrioZeroSent},
	} {
		o.number(s.key, s.value)
	}
	return o.String()
}

func processData(p vrrp.ProcessConfig, st ProcessState) string {
	var o object
	o.text("process", p.Name)
	if len(p.Params) > 0 {
		o.text("parameters", strings.Join(p.Params, " "))
	}
	o.text("param_match", [...]string{"none", "exact", "initial", "partial"}[p.Match])
	o.number("min_processes", uint64(p.Quorum))
	if p.QuorumMax >= 0 {
		o.number("max_processes", uint64(p.QuorumMax))
	}
	o.number("current_processes", uint64(st.Current))
	o.bool("have_quorum", st.Quorum)
	weight := p.Weight
	if p.Reverse {
		weight = -weight
	}
	o.put("weight", strconv.Itoa(weight))
	o.seconds("terminate_delay", p.TerminateDelay)
	o.seconds("fork_delay", p.ForkDelay)
	o.bool("fork_delay_timer_running", st.ForkRunning)
	o.bool("terminate_delay_timer_running", st.TerminateRunning)
	o.bool("full_command", p.FullCommand)
	return o.String()
}
