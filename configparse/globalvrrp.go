package configparse

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

var globalVRRP = block[Global]{
	"dynamic_interfaces": {takes: "[allow_if_changes]", help: "interfaces may appear later", acts: "vrrp",
		set: func(p *parser, g *Global, w words) {
			g.DynamicInterfaces = true
			switch s := p.opt(w, 1); s {
			case "":
			case "allow_if_changes":
				g.AllowIfChanges = true
			default:
				p.errorf("Unknown dynamic_interfaces option '%s'", s)
			}
		}},
	"default_interface": {takes: "IFNAME", help: "interface of static addresses without dev", acts: "configparse",
		set: text("default_interface requires interface name", func(g *Global, s string) { g.DefaultInterface = s })},
	"disable_local_igmp": {takes: "none", help: "no kernel IGMP reports for 224.0.0.0/24", acts: "vrrpd",
		set: func(p *parser, g *Global, w words) {
			if p.env.Writable != nil && !p.env.Writable("/proc/sys/net/ipv4/igmp_link_local_mcast_reports") {
				p.errorf("kernel does not support %s", w.list[0].text)
				return
			}
			g.DisableLocalIGMP = true
		}},
	"v3_checksum_as_v2": {takes: "none", help: "VRRPv3 IPv4 checksum without pseudo header", acts: "configparse",
		set: flag(func(g *Global) { g.VRRPDefaults.ChecksumAsV2 = true })},
	"lvs_sync_daemon": {takes: "IFNAME [inst] [VRRP_INSTANCE] [id 0..255] [maxlen 1..65507] [port 1..65535] [ttl 1..255] [group MCAST]",
		help: "IPVS connection synchronisation", acts: "vrrp", set: readSyncDaemon},
	"vrrp_mcast_group4": {takes: "IPv4 multicast", help: "default IPv4 destination of adverts", acts: "configparse", set: mcastGroup(false)},
	"vrrp_mcast_group6": {takes: "IPv6 multicast", help: "default IPv6 destination of adverts", acts: "configparse", set: mcastGroup(true)},

	"vrrp_garp_master_delay": {takes: "INT 0..4294", help: "seconds before the second batch", acts: "configparse",
		set: number(0, maxSeconds, lenient, "vrrp_garp_master_delay '%s' invalid - ignoring",
			func(g *Global, n uint64) { g.VRRPDefaults.GARP.Delay = time.Duration(n) * time.Second })},
	"vrrp_garp_master_repeat": {takes: "INT 0..4294967295", help: "packets of a batch", acts: "configparse",
		set: func(p *parser, g *Global, w words) {
			p.repeat(w, "vrrp_garp_master_repeat", &g.VRRPDefaults.GARP.Repeat)
		}},
	"vrrp_garp_master_refresh": {takes: "INT 0..4294967295", help: "seconds between refreshes", acts: "configparse",
		set: func(p *parser, g *Global, w words) {
			n, ok := p.unsigned(w, 1, 0, maxUint32, lenient)
			if !ok {
				p.errorf("Invalid vrrp_garp_master_refresh '%s' - ignoring", p.word(w, 1))
				n = 0
			}
			g.VRRPDefaults.GARP.Refresh = time.Duration(n) * time.Second
		}},
	"vrrp_garp_master_refresh_repeat": {takes: "INT 0..4294967295", help: "packets of a refresh", acts: "configparse",
		set: func(p *parser, g *Global, w words) {
			p.repeat(w, "vrrp_garp_master_refresh_repeat", &g.VRRPDefaults.GARP.RefreshRepeat)
		}},
	"vrrp_garp_lower_prio_delay": {takes: "INT 0..4294", help: "delay of the batch after a lower advert", acts: "configparse",
		set: number(0, maxSeconds, lenient, "vrrp_garp_lower_prio_delay '%s' invalid - ignoring", func(g *Global, n uint64) {
			g.VRRPDefaults.GARP.LowerPrioDelay, g.VRRPDefaults.LowerPrioDelaySet = time.Duration(n)*time.Second, true
		})},
	"vrrp_garp_lower_prio_repeat": {takes: "INT 0..2147483647", help: "packets after a lower advert", acts: "configparse",
		set: number(0, maxInt32, lenient, "Invalid vrrp_garp_lower_prio_repeat '%s'", func(g *Global, n uint64) {
			g.VRRPDefaults.GARP.LowerPrioRepeat, g.VRRPDefaults.LowerPrioRepeatSet = int(n), true
		})},
	"vrrp_down_timer_adverts": {takes: "INT 1..100", help: "missed adverts before the master is down", acts: "configparse",
		set: number(1, 100, lenient, "Invalid vrrp_down_timer_adverts [1:100] '%s'",
			func(g *Global, n uint64) { g.VRRPDefaults.DownTimerAdverts = int(n) })},
	"vrrp_garp_interval": {takes: "DECIMAL 0.000001..4294.967295", help: "seconds between gratuitous ARPs of an interface", acts: "vrrp",
		set: pace("vrrp_garp_interval", func(p *vrrp.Pace) *time.Duration { return &p.GARP })},
	"vrrp_gna_interval": {takes: "DECIMAL 0.000001..4294.967295", help: "seconds between unsolicited NAs of an interface", acts: "vrrp",
		set: pace("vrrp_gna_interval", func(p *vrrp.Pace) *time.Duration { return &p.GNA })},
	"vrrp_min_garp": {takes: "BOOL optional (bare = true)", help: "one gratuitous packet and no repeats", acts: "configparse",
		set: optionalBool("Invalid value for vrrp_min_garp specified", setMinGARP)},
	"vrrp_garp_extra_if": {takes: "[all] INT 1..86400", help: "seconds between packets on other VIP interfaces", acts: "configparse",
		set: func(p *parser, g *Global, w words) { p.extraInterval(w, "", 1, &g.VRRPDefaults.GARP) }},
	"vrrp_vmac_garp_intvl": {takes: "[all] INT 1..86400", help: "old name of vrrp_garp_extra_if", acts: "configparse",
		set: deprecated(Deprecated, `Keyword "vrrp_vmac_garp_intvl" is deprecated - please use "vrrp_garp_extra_if"`,
			func(p *parser, g *Global, w words) { p.extraInterval(w, "", 1, &g.VRRPDefaults.GARP) })},
	"vrrp_lower_prio_no_advert": {takes: "BOOL optional (bare = true)", help: "a lower advert is not answered", acts: "configparse",
		set: optionalBool("Invalid value for vrrp_lower_prio_no_advert specified", func(g *Global, v bool) { g.VRRPDefaults.LowerPrioNoAdvert = v })},
	"vrrp_higher_prio_send_advert": {takes: "BOOL optional (bare = true)", help: "a master answers a higher advert once", acts: "configparse",
		set: optionalBool("Invalid value for vrrp_higher_prio_send_advert specified", func(g *Global, v bool) { g.VRRPDefaults.HigherPrioSendAdvert = v })},
	"vrrp_version": {takes: "INT 2..3", help: "default protocol version", acts: "configparse",
		set: number(2, 3, lenient, "VRRP Error: Version must be either 2 or 3", func(g *Global, n uint64) { g.VRRPDefaults.Version = uint8(n) })},
	"vrrp_check_unicast_src": {takes: "none", help: "drop unicast adverts from strangers", acts: "configparse",
		set: flag(func(g *Global) { g.UnicastSourceCheck = true })},
	"vrrp_skip_check_adv_addr": {takes: "BOOL optional (bare = true)", help: "do not compare address lists of the same master again", acts: "configparse",
		set: globalBool("vrrp_check_adv_addr", func(g *Global, v bool) { g.VRRPDefaults.SkipCheckAdvAddr = v })},
	"vrrp_strict": {takes: "BOOL optional (bare = true)", help: "default strict_mode", acts: "configparse",
		set: globalBool("vrrp_strict", func(g *Global, v bool) { g.StrictDefault = v })},
	"vrrp_owner_ignore_adverts": {takes: "BOOL optional (bare = true)", help: "address owners ignore adverts", acts: "configparse",
		// The original swaps keyword and word in this one.
		set: optionalBool("Invalid value 'vrrp_owner_ignore_adverts' for global %s specified", func(g *Global, v bool) { g.VRRPDefaults.OwnerIgnoreAdverts = v })},

	"vrrp_netlink_cmd_rcv_bufs":           rcvBufs("vrrp_netlink_cmd_rcv_bufs", func(g *Global) *NetlinkBuffer { return &g.VRRPNetlinkCmd }),
	"vrrp_netlink_cmd_rcv_bufs_force":     rcvForce("vrrp_netlink_cmd_rcv_bufs_force", func(g *Global) *NetlinkBuffer { return &g.VRRPNetlinkCmd }),
	"vrrp_netlink_monitor_rcv_bufs":       rcvBufs("vrrp_netlink_monitor_rcv_bufs", func(g *Global) *NetlinkBuffer { return &g.VRRPNetlinkMonitor }),
	"vrrp_netlink_monitor_rcv_bufs_force": rcvForce("vrrp_netlink_monitor_rcv_bufs_force", func(g *Global) *NetlinkBuffer { return &g.VRRPNetlinkMonitor }),
	"process_monitor_rcv_bufs":            rcvBufs("process_monitor_rcv_bufs", func(g *Global) *NetlinkBuffer { return &g.ProcessMonitor }),
	"process_monitor_rcv_bufs_force":      rcvForce("process_monitor_rcv_bufs_force", func(g *Global) *NetlinkBuffer { return &g.ProcessMonitor }),

	"vrrp_rx_bufs_policy": {takes: "MTU | ADVERT | INT 0..4294967295", help: "how large receive buffers are", acts: "vrrpd", set: readRxPolicy},
	"vrrp_rx_bufs_multiplier": {takes: "INT 1..4294967295", help: "multiplier of the policies", acts: "vrrpd",
		set: func(p *parser, g *Global, w words) {
			if w.len() != 2 {
				p.errorf("Invalid vrrp_rx_bufs_multiplier")
				return
			}
			number(1, maxUint32, strict, "Invalid vrrp_rx_bufs_multiplier %s", func(g *Global, n uint64) { g.RxBufsMultiplier = uint32(n) })(p, g, w)
		}},
	"vrrp_startup_delay": {takes: "TIMER 0.001..4294.967295", help: "delay before instances start", acts: "vrrp",
		set: startupDelay("vrrp_startup_delay", func(s *vrrp.StartupDelay) *time.Duration { return &s.Start })},
	"vrrp_delay_after_boot": {takes: "TIMER 0.001..4294.967295", help: "no start before this uptime", acts: "vrrp",
		set: startupDelay("vrrp_delay_after_boot", func(s *vrrp.StartupDelay) *time.Duration { return &s.AfterBoot })},
	"log_unknown_vrids": {takes: "none", help: "log adverts for ids that are not configured", acts: "vrrp",
		set: func(p *parser, _ *Global, _ words) { p.cfg.VRRP.LogUnknownVRIDs = true }},
	"vmac_prefix": {takes: "STRING", help: "prefix of names of VMACs", acts: "vrrpd",
		set: func(p *parser, g *Global, w words) {
			p.firstText(w, &g.VMACPrefix, "vmac prefix has already been specified - ignoring %s")
		}},
	"vmac_addr_prefix": {takes: "STRING", help: "prefix of names of VMACs for addresses", acts: "vrrpd",
		set: func(p *parser, g *Global, w words) {
			p.firstText(w, &g.VMACAddrPrefix, "vmac_addr prefix has already been specified - ignoring %s")
		}},
}

func (p *parser) firstText(w words, field *string, again string) {
	s := p.word(w, 1)
	if *field != "" {
		p.errorf(again, s)
		return
	}
	*field = s
}

// repeat reads a count that must not be 0.
func (p *parser) repeat(w words, name string, field *int) {
	n, ok := p.unsigned(w, 1, 0, maxUint32, lenient)
	switch {
	case !ok:
		p.errorf("%s '%s' invalid - ignoring", name, p.word(w, 1))
		return
	case n == 0:
		p.errorf("%s must be greater than 0, setting to 1", name)
		n = 1
	}
	*field = int(n)
}

func pace(keyword string, of func(*vrrp.Pace) *time.Duration) func(*parser, *Global, words) {
	return func(p *parser, _ *Global, w words) {
		d, ok := p.timer(w, 1, time.Microsecond, maxMicros*time.Microsecond)
		if !ok {
			p.errorf("%s '%s' is invalid", keyword, p.word(w, 1))
			return
		}
		if d >= time.Second {
			p.logf("The %s is very large - %s seconds", keyword, p.word(w, 1))
		}
		*of(&p.cfg.VRRP.Pace) = d
	}
}

func startupDelay(keyword string, of func(*vrrp.StartupDelay) *time.Duration) func(*parser, *Global, words) {
	return func(p *parser, _ *Global, w words) {
		d, ok := p.timer(w, 1, time.Millisecond, maxMicros*time.Microsecond)
		if !ok {
			p.errorf("%s '%s' is invalid", keyword, p.word(w, 1))
			return
		}
		if d >= time.Minute {
			p.logf("The %s is very large - %s seconds", keyword, p.word(w, 1))
		}
		*of(&p.cfg.VRRP.Startup) = d
	}
}

// Defaults of the gratuitous packets.
const (
	defaultGARPDelay  = 5 * time.Second
	defaultGARPRepeat = 5
)

// setMinGARP works at its place in the file: what was set before stays.
func setMinGARP(g *Global, on bool) {
	d := &g.VRRPDefaults
	if d.MinGARP = on; !on {
		return
	}
	if d.GARP.Repeat == defaultGARPRepeat {
		d.GARP.Repeat = 1
	}
	if d.GARP.Delay == defaultGARPDelay {
		d.GARP.Delay = 0
	}
	if d.GARP.RefreshRepeat == 1 {
		d.GARP.RefreshRepeat = 0
	}
}

// extraInterval reads [all] SECONDS in any order. prefix stands before the messages.
func (p *parser) extraInterval(w words, prefix string, lo uint64, garp *vrrp.GARPConfig) {
	name, all, set := w.list[0].text, false, false
	var interval time.Duration
	for i := 1; w.has(i); i++ {
		if p.word(w, i) == "all" {
			all = true
			continue
		}
		n, ok := p.unsigned(w, i, lo, 86400, lenient)
		if !ok {
			p.errorf("%s%s '%s' invalid - ignoring", prefix, name, p.word(w, i))
			return
		}
		interval, set = time.Duration(n)*time.Second, true
	}
	if !set {
		p.errorf("%s%s specified without time - ignoring", prefix, name)
		return
	}
	garp.ExtraInterval, garp.ExtraAll = interval, all
}

func mcastGroup(six bool) func(*parser, *Global, words) {
	keyword, family := "vrrp_mcast_group4", "IPv4"
	if six {
		keyword, family = "vrrp_mcast_group6", "IPv6"
	}
	return func(p *parser, _ *Global, w words) {
		s := p.word(w, 1)
		a, ok := parseAddr(s)
		switch {
		case !ok:
			p.errorf("Can't parse %s [%s]. Skipping", keyword, s)
			return
		case a.Is6() != six:
			p.errorf("%s [%s] is not %s. Skipping", keyword, s, family)
			return
		case !isMulticast(a):
			p.errorf("%s [%s] is not multicast. Skipping", keyword, s)
			return
		case six && !a.IsLinkLocalMulticast():
			p.errorf("%s [%s] should be link-local multicast.", keyword, s)
		}
		if six {
			p.cfg.VRRP.Group6 = a
		} else {
			p.cfg.VRRP.Group4 = a
		}
	}
}

func rcvBufs(keyword string, of func(*Global) *NetlinkBuffer) row[Global] {
	return row[Global]{takes: "INT 0..4294967295", help: "receive buffer of that socket, bytes", acts: "process",
		set: needs(keyword+" size missing", number(0, maxUint32, strict, keyword+" size (%s) invalid",
			func(g *Global, n uint64) { of(g).Size = uint32(n) }))}
}

func rcvForce(keyword string, of func(*Global) *NetlinkBuffer) row[Global] {
	return row[Global]{takes: "BOOL optional (bare = true)", help: "the buffer may be larger than the kernel's limit", acts: "process",
		set: globalBool(keyword, func(g *Global, v bool) { of(g).Force = v })}
}

func readRxPolicy(p *parser, g *Global, w words) {
	if !w.has(1) {
		p.errorf("vrrp_rx_bufs_policy missing")
		return
	}
	for i := 1; w.has(i); i++ {
		switch strings.ToUpper(p.word(w, i)) {
		case "MTU":
			g.RxBufsMTU = true
		case "ADVERT":
			g.RxBufsAdvert = true
		default:
			n, ok := p.unsigned(w, 1, 0, maxUint32, strict)
			if !ok {
				p.errorf("Invalid vrrp_rx_bufs_policy %s", p.word(w, 1))
			} else {
				g.RxBufsSize = uint32(n)
			}
		}
	}
	if g.RxBufsMTU && g.RxBufsAdvert {
		p.errorf("Cannot set both vrrp_rx_bufs_policy MTU and ADVERT, ignoring ADVERT")
		g.RxBufsAdvert = false
	}
	if g.RxBufsSize != 0 && (g.RxBufsMTU || g.RxBufsAdvert) {
		p.errorf("Cannot set vrrp_rx_bufs_policy size and policy, ignoring policy")
		g.RxBufsMTU, g.RxBufsAdvert = false, false
	}
}

func readSyncDaemon(p *parser, _ *Global, w words) {
	if !w.has(1) {
		p.errorf("lvs_sync_daemon requires interface")
		return
	}
	name := p.word(w, 1)
	if old := p.cfg.VRRP.SyncDaemon; old != nil {
		p.errorf("lvs_sync_daemon has already been specified as %s %s - ignoring", old.Interface, old.Instance)
		return
	}
	if len(name) > maxInterface {
		p.errorf("lvs_sync_daemon interface name '%s' too long - ignoring", name)
		return
	}
	d := &vrrp.SyncDaemon{Interface: name}
	p.cfg.VRRP.SyncDaemon = d
	for i := 2; w.has(i); i++ {
		option := p.word(w, i)
		known := option == "inst" || option == "id" || option == "maxlen" || option == "port" || option == "ttl" || option == "group"
		switch {
		case known && !w.has(i+1) && option == "id":
			p.errorf("No value specified for lvs_sync_daemon id, defaulting to vrid")
		case known && !w.has(i+1):
			p.errorf("No value specified for lvs_sync_daemon %s - ignoring", option)
		case known:
			i++
			p.syncOption(d, w, i, option)
		case i == 2:
			d.Instance = option
		case i == 3 && w.len() == 4:
			if p.syncOption(d, w, i, "id"); d.IDSet {
				p.errorf("Please use keyword \"id\" before lvs_sync_daemon SYNCID")
			}
		default:
			p.errorf("Unknown option %s specified for lvs_sync_daemon", option)
		}
	}
}

func (p *parser) syncOption(d *vrrp.SyncDaemon, w words, i int, option string) {
	read := func(lo, hi uint64) (uint64, bool) {
		n, ok := p.unsigned(w, i, lo, hi, strict)
		if !ok {
			p.errorf("Invalid lvs_sync_daemon %s (%s) - ignoring", option, p.word(w, i))
		}
		return n, ok
	}
	switch option {
	case "inst":
		d.Instance = p.word(w, i)
	case "id":
		n, ok := p.unsigned(w, i, 0, math.MaxUint8, strict)
		if !ok {
			p.errorf("Invalid syncid (%s) - defaulting to vrid", p.word(w, i))
			return
		}
		d.ID, d.IDSet = uint8(n), true
	case "maxlen":
		if n, ok := read(1, 65507); ok {
			d.MaxLen = uint16(n)
		}
	case "port":
		if n, ok := read(1, math.MaxUint16); ok {
			d.Port = uint16(n)
		}
	case "ttl":
		if n, ok := read(1, math.MaxUint8); ok {
			d.TTL = uint8(n)
		}
	case "group":
		a, ok := parseAddr(p.word(w, i))
		switch {
		case !ok:
			p.errorf("Invalid lvs_sync_daemon group (%s) - ignoring", p.word(w, i))
		case !isMulticast(a):
			p.errorf("lvs_sync_daemon group address %s is not multicast - ignoring", p.word(w, i))
		default:
			d.Group = a
		}
	}
}

// The destinations of adverts unless configured (RFC 9568 section 5.1.1.2).
var (
	defaultGroup4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	defaultGroup6 = netip.MustParseAddr("ff02::12")
)
