package configparse

import (
	"math"
	"os"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

var globalScripts = block[Global]{
	"startup_script":  parentScript("startup", func(g *Global) **vrrp.Command { return &g.Startup }),
	"shutdown_script": parentScript("shutdown", func(g *Global) **vrrp.Command { return &g.Shutdown }),
	"startup_script_timeout": {takes: "INT 1..1000", help: "seconds before the startup script is killed", acts: "watchdog",
		set: parentTimeout("startup_script_timeout", func(g *Global) *time.Duration { return &g.StartupTimeout })},
	"shutdown_script_timeout": {takes: "INT 1..1000", help: "seconds before the shutdown script is killed", acts: "watchdog",
		set: parentTimeout("shutdown_script_timeout", func(g *Global) *time.Duration { return &g.ShutdownTimeout })},
	"script_user": {takes: "USER [GROUP]", help: "user of scripts that name none", acts: "configparse",
		set: needs("No script username specified", func(p *parser, g *Global, w words) {
			c := &vrrp.Command{}
			if !p.setUser(c, p.word(w, 1), p.opt(w, 2)) || g.scriptUserBad { // a second one does not mend the first
				p.errorf("Error setting global script uid/gid")
				g.ScriptUser, g.scriptUserBad = nil, true
				return
			}
			g.ScriptUser = c
		})},
	"enable_script_security": {takes: "none", help: "no insecure scripts as root", acts: "configparse",
		set: flag(func(g *Global) { g.ScriptSecurity = true })},
	"use_symlink_paths": {takes: "BOOL optional (bare = true)", help: "run scripts by the path as written", acts: "script",
		set: globalBool("use_symlink_path", func(g *Global, v bool) { g.UseSymlinkPaths = v })},
	"set_supplementary_groups": {takes: "BOOL optional (bare = true)", help: "scripts get the supplementary groups of their user", unreleased: true, acts: "script",
		set: optionalBool("Invalid set_supplementary_groups parameter %s", func(g *Global, v bool) { g.SupplementaryGroups = v })},
	"umask": {takes: "NUMBER (decimal, 0octal, 0xhex; 0..0777) | BITS joined by |", help: "file creation mask", acts: "process", set: readUmask},
}

func parentScript(name string, of func(*Global) **vrrp.Command) row[Global] {
	return row[Global]{takes: "SCRIPT [USER [GROUP]]", help: "program that the parent runs once", acts: "watchdog",
		set: needs(name+" script missing", func(p *parser, g *Global, w words) {
			field := of(g)
			if *field != nil {
				p.errorf("%s script already specified", name)
				return
			}
			if *field = p.notifyScript(w); *field == nil {
				p.errorf("Invalid %s script", name)
			}
		})}
}

func parentTimeout(keyword string, of func(*Global) *time.Duration) func(*parser, *Global, words) {
	return needs(keyword+" requires value", number(1, 1000, lenient, keyword+" '%s' must be in [1, 1000] - ignoring",
		func(g *Global, n uint64) { *of(g) = time.Duration(n) * time.Second }))
}

var globalFiles = block[Global]{
	"random_seed": {takes: "INT 0..4294967295", help: "seed of ${_RANDOM}; without effect, as in the original",
		set: number(0, maxUint32, strict, "random_seed %s invalid", func(g *Global, n uint64) { g.RandomSeed, g.RandomSeedSet = uint32(n), true })},
	"reload_check_config": {takes: "[LOGFILE]", help: "test the configuration before a reload", acts: "watchdog",
		set: func(p *parser, g *Global, w words) { g.ReloadCheck, g.ReloadCheckLog = true, p.opt(w, 1) }},
	"reload_time_file": {takes: "PATH", help: "file with the time of a reload", acts: "watchdog",
		set: onePath("reload_time_file invalid", func(g *Global, s string) { g.ReloadTimeFile = s })},
	"reload_repeat": {takes: "none", help: "reload every day", acts: "watchdog",
		set: flag(func(g *Global) { g.ReloadRepeat = true })},
	"reload_file": {takes: "[PATH]", help: "file that is there while the configuration is read", acts: "watchdog",
		set: func(p *parser, g *Global, w words) { g.ReloadFile, g.ReloadFilePath = true, p.opt(w, 1) }},
	"include_check": {takes: "[[+|-]read|match|wildcard_match|brace_match ...]", help: "how strict later includes are", acts: "configparse",
		set: readIncludeCheck},
	"config_save_dir": {takes: "PATH", help: "keep copies of each configuration", acts: "watchdog",
		set: func(p *parser, g *Global, w words) {
			dir := p.word(w, 1)
			if p.ended {
				return
			}
			if p.env.SaveDir != nil {
				if problem := p.env.SaveDir(dir); problem != "" {
					p.errorf("%s", problem)
					return
				}
			}
			g.ConfigSaveDir = dir
		}},
	"tmp_config_directory": {takes: "PATH", help: "where the copy for the children lives", acts: "watchdog",
		set: needs("tmp_config_directory missing directory name", func(p *parser, g *Global, w words) {
			if g.TmpConfigDir != "" {
				p.errorf("tmp_config_directory already specified - ignoring")
				return
			}
			g.TmpConfigDir = p.word(w, 1)
		})},
	"data_use_instance": {takes: "BOOL optional (bare = true)", help: "instance and namespace in names of dumps", acts: "process",
		// "date" is how the original spells it.
		set: globalBool("date_use_instance", func(g *Global, v bool) { g.DataUseInstance = v })},
	"json_version": {takes: "INT 1..2", help: "format of the JSON dump", acts: "report",
		set: needs("json_version requires version", number(1, 2, lenient, "Invalid JSON version", func(g *Global, n uint64) { g.JSONVersion = int(n) }))},
	"iproute_usr_dir": {takes: "PATH", help: "iproute2's default names", acts: "configparse",
		set: onePath("iproute_usr_dir requires path", func(g *Global, s string) { g.IPRouteUsrDir = s })},
	"iproute_etc_dir": {takes: "PATH", help: "iproute2's local names", acts: "configparse",
		set: onePath("iproute_etc_dir requires path", func(g *Global, s string) { g.IPRouteEtcDir = s })},
	"state_dump_file": {takes: "PATH", help: "where the state dump goes", acts: "process",
		set: dumpFile("state_dump_file", func(g *Global) *string { return &g.StateDumpFile })},
	"stats_dump_file": {takes: "PATH", help: "where the statistics go", acts: "process",
		set: dumpFile("stats_dump_file", func(g *Global) *string { return &g.StatsDumpFile })},
	"json_dump_file": {takes: "PATH", help: "where the JSON dump goes", acts: "process",
		set: dumpFile("json_dump_file", func(g *Global) *string { return &g.JSONDumpFile })},
}

// onePath is a keyword with exactly one word.
func onePath(bad string, set func(*Global, string)) func(*parser, *Global, words) {
	return func(p *parser, g *Global, w words) {
		if w.len() != 2 {
			p.errorf("%s", bad)
			return
		}
		set(g, p.word(w, 1))
	}
}

func dumpFile(keyword string, of func(*Global) *string) func(*parser, *Global, words) {
	return func(p *parser, g *Global, w words) {
		if w.len() != 2 || p.word(w, 1) == "" {
			p.errorf("%s requires a non-empty path", keyword)
			return
		}
		*of(g) = p.word(w, 1)
	}
}

var includeChecks = map[string]includeCheck{
	"read": checkRead, "match": checkMatch, "wildcard_match": checkWildcard, "brace_match": checkBrace,
}

// readIncludeCheck acts on the lines that follow, so the parent's lexer has it.
func readIncludeCheck(p *parser, _ *Global, w words) {
	if !w.has(1) {
		p.lex.checks = checkAll
		return
	}
	plain := false
	for i := 1; w.has(i); i++ {
		name := p.word(w, i)
		sign := first(name)
		if sign == '+' || sign == '-' {
			name = name[1:]
		}
		check, ok := includeChecks[name]
		switch {
		case !ok:
			p.errorf("Unknown include_check type '%s' - ignoring", name)
		case sign == '+':
			p.lex.checks |= check
		case sign == '-':
			p.lex.checks &^= check
		case plain:
			p.errorf("Duplicate include_check '%s' specified - ignoring", name)
		default:
			plain = true
			p.lex.checks = checkRead | check
		}
	}
}

var umaskBits = map[string]os.FileMode{
	"IRUSR": 0o400, "IWUSR": 0o200, "IXUSR": 0o100, "IRGRP": 0o040, "IWGRP": 0o020, "IXGRP": 0o010,
	"IROTH": 0o004, "IWOTH": 0o002, "IXOTH": 0o001, "IRWXU": 0o700, "IRWXG": 0o070, "IRWXO": 0o007,
}

// readUmask reads a number, or names joined by | that may be spread over words.
func readUmask(p *parser, g *Global, w words) {
	s := p.word(w, 1)
	if p.ended {
		return
	}
	if s != "" && isDigit(s[0]) {
		n, ok := cNumber(s)
		if !ok || n > 0o777 {
			p.errorf("invalid umask value %s", s)
			return
		}
		if w.has(2) {
			p.errorf("Extra parameter(s) to umask option")
			return
		}
		g.Umask, g.UmaskSet = os.FileMode(n), true
		return
	}
	mask, open := os.FileMode(0), true
	for i := 1; w.has(i); i++ {
		for rest := p.word(w, i); rest != ""; {
			name, after, joined := strings.Cut(rest, "|")
			switch bit, known := umaskBits[name]; {
			case name == "" && joined && !open:
				open = true
			case !open:
				p.errorf("Invalid umask syntax %s", rest)
				return
			case !known:
				p.errorf("Unknown umask bit %s", name)
				return
			default:
				mask |= bit
				open = joined
			}
			rest = after
		}
	}
	if open {
		p.errorf("umask missing bit value")
		return
	}
	g.Umask, g.UmaskSet = mask, true
}

var globalFirewall = block[Global]{
	"vrrp_iptables": {takes: "[INCHAIN [OUTCHAIN]]", help: "iptables chains; nftables is used instead", acts: "vrrpd", set: readIPTables},
	"vrrp_ipsets":   {takes: "[ADDR [ADDR6 [IF6 [IGMP [MLD [ND]]]]]]", help: "names of ipsets; nftables sets are used instead", acts: "vrrpd", set: readIPSets},
	"nftables": {takes: "[TABLE]", help: "nftables table of accept mode and VMACs", acts: "vrrpd",
		set: func(p *parser, _ *Global, w words) {
			if f := &p.cfg.VRRP.Firewall; f.NFTables != "" {
				p.errorf("nftables already specified - ignoring")
			} else if name, ok := p.tableName(w, "keepalived", "nftables chain"); ok {
				f.NFTables = name
			}
		}},
	"nftables_priority": {takes: "INT -2147483648..2147483647", help: "priority of the base chains", acts: "vrrpd",
		set: func(p *parser, _ *Global, w words) {
			n, ok := p.signed(w, 1, math.MinInt32, maxInt32, strict)
			if !ok {
				p.errorf("invalid nftables chain priority '%s'", p.word(w, 1))
				return
			}
			p.cfg.VRRP.Firewall.NFTablesPriority = int(n)
		}},
	"nftables_counters": {takes: "none", help: "counters in nftables rules", acts: "vrrpd",
		set: func(p *parser, _ *Global, _ words) { p.cfg.VRRP.Firewall.NFTablesCounters = true }},
	"nftables_ifindex": {takes: "none", help: "link-local sets by interface index", acts: "vrrpd",
		set: func(p *parser, _ *Global, _ words) { p.cfg.VRRP.Firewall.NFTablesIfIndex = true }},
	"nftables_ipvs": {takes: "[TABLE]", help: "nftables table that marks for groups", acts: "checkd",
		set: func(p *parser, g *Global, w words) {
			if g.NFTablesIPVS != "" {
				p.errorf("ipvs nftables already specified - ignoring")
			} else if name, ok := p.tableName(w, "keepalived_ipvs", "nftables ipvs chain"); ok {
				g.NFTablesIPVS = name
			}
		}},
	"nftables_ipvs_priority": {takes: "INT -2147483648..2147483647", help: "priority of that table", acts: "checkd",
		set: func(p *parser, g *Global, w words) {
			n, ok := p.signed(w, 1, math.MinInt32, maxInt32, strict)
			if !ok {
				p.errorf("invalid ipvs nftables chain priority '%s'", p.word(w, 1))
				return
			}
			g.NFTablesIPVSPrio = int(n)
		}},
	"nftables_ipvs_start_fwmark": {takes: "INT 1..4294967295", help: "first mark to use", acts: "checkd",
		set: number(1, maxUint32, strict, "invalid ipvs nftables start_fwmark priority '%s'",
			func(g *Global, n uint64) { g.NFTablesIPVSMark = uint32(n) })},
}

// tableName reads an optional name of a table.
func (p *parser) tableName(w words, bare, what string) (string, bool) {
	if !w.has(1) {
		return bare, true
	}
	name := p.word(w, 1)
	switch {
	case len(name) > maxNFTable:
		p.errorf("VRRP Error : %s name too long - ignored", what)
	case name == "":
		p.errorf("VRRP Error : %s name empty - ignored", what)
	default:
		return name, true
	}
	return "", false
}

func readIPTables(p *parser, _ *Global, w words) {
	f := &p.cfg.VRRP.Firewall
	if f.IPTables {
		p.errorf("iptables already specified - ignoring")
		return
	}
	names := []string{"INPUT", "OUTPUT"}
	if w.has(1) {
		names = []string{"", ""}
	}
	for i, what := range []string{"in chain", "out chain"} {
		if !w.has(i + 1) {
			break
		}
		switch name := p.word(w, i+1); {
		case len(name) > maxIPTables:
			p.errorf("VRRP Error : iptables %s name too long - ignored", what)
		case name == "":
			p.errorf("VRRP Error : iptables %s name empty - ignored", what)
		case i == 1 && name == names[0]:
			p.logf("iptables input and output chain names are the same - ignoring")
			return
		default:
			names[i] = name
		}
	}
	f.IPTables, f.IPTablesIn, f.IPTablesOut = true, names[0], names[1]
}

// ipsetSuffixes make the names that are not given from the first one.
var ipsetSuffixes = []string{"", "6", "_if6", "_igmp", "_mld", "_nd"}

func readIPSets(p *parser, _ *Global, w words) {
	f := &p.cfg.VRRP.Firewall
	f.IPSets, f.IPSetsOff = nil, false
	if !w.has(1) {
		f.IPSetsOff = true
		return
	}
	names := make([]string, len(ipsetSuffixes))
	for i := range names {
		name := p.word(w, 1) + ipsetSuffixes[i]
		if w.has(i + 1) {
			name = p.word(w, i+1)
		}
		switch {
		case len(name) > maxIPSet:
			p.errorf("VRRP Error : ipset %s name too long - ignored", name)
			return
		case name == "":
			p.errorf("VRRP Error : ipset %s name empty - ignored", name)
			return
		}
		names[i] = name
	}
	for i, a := range names {
		for _, b := range names[:i] {
			if a == b {
				p.errorf("vrrp_ipsets: set name %s used more than once", a)
				return
			}
		}
	}
	f.IPSets = names
}

var globalLVS = block[Global]{
	"checker_log_all_failures": {takes: "BOOL optional (bare = true)", help: "log each failed check", acts: "configparse",
		set: optionalBool("Invalid value for checker_log_all_failures specified", func(g *Global, v bool) { g.CheckerLogAllFailures = v })},
	"lvs_timeouts": {takes: "[tcp INT] [tcpfin INT] [udp INT] (0..2678400 each)", help: "IPVS connection timeouts", acts: "checkd", set: readLVSTimeouts},
	"lvs_flush": {takes: "none", help: "empty the IPVS table at start", acts: "checkd",
		set: flag(func(g *Global) { g.LVSFlush = true })},
	"lvs_flush_on_stop": {takes: "[VS]", help: "empty the IPVS table at stop", acts: "checkd", set: readFlushOnStop},
	"lvs_flush_onstop":  {takes: "[VS]", help: "old spelling of lvs_flush_on_stop", acts: "checkd", set: readFlushOnStop},
	"rs_init_notifies": {takes: "BOOL optional (bare = true)", help: "run real server notifies at start", acts: "checker",
		set: globalBool("rs_init_notifies", func(g *Global, v bool) { g.RSInitNotifies = v })},
	"lvs_netlink_cmd_rcv_bufs":           rcvBufs("lvs_netlink_cmd_rcv_bufs", func(g *Global) *NetlinkBuffer { return &g.LVSNetlinkCmd }),
	"lvs_netlink_cmd_rcv_bufs_force":     rcvForce("lvs_netlink_cmd_rcv_bufs_force", func(g *Global) *NetlinkBuffer { return &g.LVSNetlinkCmd }),
	"lvs_netlink_monitor_rcv_bufs":       rcvBufs("lvs_netlink_monitor_rcv_bufs", func(g *Global) *NetlinkBuffer { return &g.LVSNetlinkMonitor }),
	"lvs_netlink_monitor_rcv_bufs_force": rcvForce("lvs_netlink_monitor_rcv_bufs_force", func(g *Global) *NetlinkBuffer { return &g.LVSNetlinkMonitor }),
}

func readFlushOnStop(p *parser, g *Global, w words) {
	switch s := p.opt(w, 1); {
	case !w.has(1):
		g.LVSFlushOnStop, g.LVSFlushOnStopVS = true, false
	case s == "VS":
		g.LVSFlushOnStop, g.LVSFlushOnStopVS = true, true
	default:
		p.errorf("Unknown lvs_flush_on_stop type %s", s)
	}
}

// maxLVSTimeout is the kernel's bound, 31 days.
const maxLVSTimeout = 31 * 86400

func readLVSTimeouts(p *parser, g *Global, w words) {
	if w.len() < 3 {
		p.errorf("lvs_timeouts requires at least one option")
		return
	}
	for i := 1; w.has(i); i++ {
		option := p.word(w, i)
		field := map[string]*time.Duration{"tcp": &g.LVSTimeouts.TCP, "tcpfin": &g.LVSTimeouts.TCPFin, "udp": &g.LVSTimeouts.UDP}[option]
		switch {
		case field == nil:
			p.errorf("Unknown option %s specified for lvs_timeouts", option)
		case !w.has(i + 1):
			p.errorf("No value specified for lvs_timeout %s - ignoring", option)
		default:
			i++
			n, ok := p.unsigned(w, i, 0, maxLVSTimeout, strict)
			if !ok {
				p.errorf("Invalid lvs_timeout %s (%s) - ignoring", option, p.word(w, i))
				continue
			}
			*field = time.Duration(n) * time.Second
		}
	}
}

var globalSNMP = block[Global]{
	"snmp_socket": {takes: "ADDRESS", help: "address of the AgentX master", acts: "report",
		set: needs("SNMP error : snmp socket name missing", func(p *parser, g *Global, w words) {
			switch name := p.word(w, 1); {
			case w.len() > 2:
				p.errorf("Too many parameters specified for snmp_socket - ignoring")
			case len(name) > maxSNMPSocket:
				p.errorf("SNMP error : snmp socket name too long - ignored")
			case g.SNMPSocket != "":
				p.errorf("SNMP socket already set to %s - ignoring", g.SNMPSocket)
			default:
				g.SNMPSocket = name
			}
		})},
	"enable_traps":           {takes: "none", help: "send SNMP traps", acts: "report", set: flag(func(g *Global) { g.Traps = true })},
	"enable_snmp_vrrp":       {takes: "none", help: "serve the VRRP part of the MIB", acts: "report", set: flag(func(g *Global) { g.SNMPVRRP = true })},
	"enable_snmp_keepalived": {takes: "none", help: "old name of enable_snmp_vrrp", acts: "report", set: flag(func(g *Global) { g.SNMPVRRP = true })},
	"enable_snmp_rfc":        {takes: "none", help: "serve both RFC MIBs", acts: "report", set: flag(func(g *Global) { g.SNMPRFCv2, g.SNMPRFCv3 = true, true })},
	"enable_snmp_rfcv2":      {takes: "none", help: "serve the RFC 2787 MIB", acts: "report", set: flag(func(g *Global) { g.SNMPRFCv2 = true })},
	"enable_snmp_rfcv3":      {takes: "none", help: "serve the RFC 6527 MIB", acts: "report", set: flag(func(g *Global) { g.SNMPRFCv3 = true })},
	"enable_snmp_checker":    {takes: "none", help: "serve the checker part of the MIB", acts: "report", set: flag(func(g *Global) { g.SNMPChecker = true })},
	"snmp_vs_stats_update_interval": {takes: "TIMER 0.001..30", help: "least age of service statistics", acts: "report",
		set: snmpInterval(func(g *Global) *time.Duration { return &g.SNMPVSInterval })},
	"snmp_rs_stats_update_interval": {takes: "TIMER 0.001..30", help: "the same for real servers", acts: "report",
		set: snmpInterval(func(g *Global) *time.Duration { return &g.SNMPRSInterval })},
	"enable_dbus": {takes: "none", help: "offer the D-Bus interface", acts: "notify", set: flag(func(g *Global) { g.DBus = true })},
	"dbus_service_name": {takes: "NAME", help: "D-Bus service name", acts: "notify",
		set: text("dbus_service_name missing - ignoring", func(g *Global, s string) { g.DBusServiceName = s })},
	"dbus_no_interface_name": {takes: "NAME", help: "path element of instances without interface", acts: "notify",
		set: text("dbus_no_interface_name missing - ignoring", func(g *Global, s string) { g.DBusNoInterface = s })},
}

func snmpInterval(of func(*Global) *time.Duration) func(*parser, *Global, words) {
	return func(p *parser, g *Global, w words) {
		d, ok := p.timer(w, 1, time.Millisecond, 30*time.Second)
		if !ok {
			p.errorf("snmp stats vs update interval '%s' invalid - ignoring", p.word(w, 1))
			return
		}
		*of(g) = d
	}
}
