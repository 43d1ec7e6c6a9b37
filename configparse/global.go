package configparse

import (
	"maps"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

const (
	maxUint32 = math.MaxUint32
	maxInt32  = math.MaxInt32

	// maxSeconds is the largest number of whole seconds whose microseconds fit 32 bits.
	maxSeconds = 4294
	maxMicros  = 4294_967295
)

// Limits of names.
const (
	maxProcessName = 15
	maxInterface   = 15
	maxIPTables    = 27
	maxIPSet       = 30
	maxNFTable     = 254
	maxSNMPSocket  = 4095
)

// globalBlock is global_defs. Its keywords are spread over the global*.go
// files by topic.
var globalBlock = joinBlocks(globalMail, globalScripts, globalFiles, globalProcess, globalVRRP, globalFirewall, globalLVS, globalFIFO, globalSNMP)

// joinBlocks makes one table of several.
func joinBlocks[T any](blocks ...block[T]) block[T] {
	rows := 0
	for _, b := range blocks {
		rows += len(b)
	}
	all := make(block[T], rows) // every process makes all tables at its start
	for _, b := range blocks {
		maps.Copy(all, b)
	}
	return all
}

var globalMail = block[Global]{
	"router_id": {takes: "STRING", help: "name of this machine in mails and dumps", acts: "notify",
		set: text("routerid name missing - ignoring", func(g *Global, s string) { g.RouterID = s })},
	"notification_email_from": {takes: "STRING", help: "sender of mails", acts: "notify",
		set: needs("emailfrom missing - ignoring", func(p *parser, g *Global, w words) {
			if w.has(2) {
				p.errorf("emailfrom - ignoring extra entries '%s' ...", p.word(w, 2))
			}
			g.EmailFrom = p.word(w, 1)
		})},
	"smtp_server": {takes: "HOST [PORT]", help: "mail relay", acts: "notify", set: readSMTPServer},
	"smtp_helo_name": {takes: "STRING", help: "HELO name", acts: "notify",
		set: func(p *parser, g *Global, w words) {
			if w.has(1) {
				g.SMTPHelo = p.word(w, 1)
			}
		}},
	"smtp_connect_timeout": {takes: "INT 0..4294", help: "mail connect timeout, seconds", acts: "notify",
		set: func(p *parser, g *Global, w words) {
			n, ok := p.unsigned(w, 1, 0, maxSeconds, lenient)
			switch {
			case !ok:
				p.errorf("smtp_connect_timeout '%s' must be in [0, 4294] - ignoring", p.word(w, 1))
				return
			case n == 0:
				p.errorf("smtp_conect_timeout must be greater than 0, setting to 1")
				n = 1
			}
			g.SMTPTimeout = time.Duration(n) * time.Second
		}},
	"notification_email": {takes: "value-block of ADDRESS", help: "recipients of mails", acts: "notify", opens: true,
		set: func(p *parser, g *Global, w words) {
			before := len(g.Emails)
			p.readValues(w, 1, func(line words) {
				for _, a := range line.list {
					g.Emails = append(g.Emails, a.text)
				}
			})
			if len(g.Emails) == before {
				p.errorf("Warning - empty notification_email block")
			}
		}},
	"smtp_alert": {takes: "BOOL optional (bare = true)", help: "default of every smtp_alert", acts: "configparse",
		set: globalBool("smtp_alert", func(g *Global, v bool) { g.SMTPAlert = tristate(v) })},
	"smtp_alert_vrrp": {takes: "BOOL optional (bare = true)", help: "default smtp_alert of instances and sync groups", acts: "configparse",
		set: globalBool("smtp_alert_vrrp", func(g *Global, v bool) { g.SMTPAlertVRRP = tristate(v) })},
	"smtp_alert_checker": {takes: "BOOL optional (bare = true)", help: "default smtp_alert of virtual and real servers", acts: "configparse",
		set: globalBool("smtp_alert_checker", func(g *Global, v bool) { g.SMTPAlertCheck = tristate(v) })},
	"no_email_faults": {takes: "none", help: "no mail for FAULT", acts: "vrrpd",
		set: flag(func(g *Global) { g.NoEmailFaults = true })},
	"no_checker_emails": {takes: "BOOL optional (bare = true)", help: "mail only when a real server is added or removed", acts: "checkd",
		set: globalBool("no_checker_emails", func(g *Global, v bool) { g.NoCheckEmails = v })},
}

// globalBool has the text that most boolean globals share.
func globalBool(keyword string, set func(*Global, bool)) func(*parser, *Global, words) {
	return optionalBool("Invalid value '%s' for global "+keyword+" specified", set)
}

func readSMTPServer(p *parser, g *Global, w words) {
	host, port := p.word(w, 1), "25"
	if w.has(2) {
		port = p.word(w, 2)
	}
	n, ok := p.parseUnsigned(port, 1, math.MaxUint16, lenient)
	server := host
	if _, literal := parseAddr(host); !literal || strings.ContainsAny(host, "-/") {
		if p.env.Resolve != nil && ok {
			server, ok = p.env.Resolve(host)
		}
	}
	if !ok {
		p.errorf("Invalid smtp server %s %s", host, port)
		return
	}
	g.SMTPServer, g.SMTPPort = server, uint16(n)
}

var globalProcess = block[Global]{
	"process_names": {takes: "none", help: "children have names of their own", acts: "process",
		set: flag(func(g *Global) {
			g.VRRPProcessName, g.CheckerProcessName, g.BFDProcessName = "keepalived_vrrp", "keepalived_lvs", "keepalived_bfd"
		})},
	"process_name": {takes: "NAME (15 chars)", help: "name of the parent process", acts: "process",
		set: processName(func(g *Global) *string { return &g.ProcessName })},
	"vrrp_process_name": {takes: "NAME (15 chars)", help: "name of the VRRP process", acts: "process",
		set: processName(func(g *Global) *string { return &g.VRRPProcessName })},
	"checker_process_name": {takes: "NAME (15 chars)", help: "name of the checker process", acts: "process",
		set: processName(func(g *Global) *string { return &g.CheckerProcessName })},
	"lvs_process_name": {takes: "NAME (15 chars)", help: "old name of checker_process_name", acts: "process",
		set: deprecated(ClassLog, "'lvs_process_name' is deprecated - please use 'checker_process_name'",
			processName(func(g *Global) *string { return &g.CheckerProcessName }))},
	"bfd_process_name": {takes: "NAME (15 chars)", help: "name of the BFD process", acts: "process",
		set: processName(func(g *Global) *string { return &g.BFDProcessName })},

	"max_auto_priority": {takes: "[INT -1..99]", help: "ceiling of automatic real-time priority", acts: "process",
		set: func(p *parser, g *Global, w words) {
			if !w.has(1) {
				g.MaxAutoPriority = 99
				return
			}
			n, ok := p.signed(w, 1, -1, 99, lenient)
			if !ok {
				p.errorf("max_auto_priority '%s' must be in [0, 99] (or -1 to disable) - ignoring", p.word(w, 1))
				return
			}
			g.MaxAutoPriority = int(n)
		}},
	"min_auto_priority_delay": {takes: "INT 1..10000000", help: "microseconds of lateness that raise the priority", acts: "process",
		set: needs("min_auto_priority_delay requires delay time",
			number(1, 10_000_000, lenient, "min_auto_priority_delay '%s' must be in [1, 10000000] - ignoring",
				func(g *Global, n uint64) { g.MinAutoPriorityDelay = time.Duration(n) * time.Microsecond }))},

	"vrrp_priority":         processPriority("vrrp", vrrpProcess),
	"vrrp_no_swap":          noSwap(vrrpProcess),
	"vrrp_rt_priority":      processRT("vrrp", vrrpProcess),
	"vrrp_cpu_affinity":     processCPUs("vrrp", vrrpProcess),
	"vrrp_rlimit_rttime":    processLimit("vrrp", vrrpProcess, false),
	"vrrp_rlimit_rtime":     processLimit("vrrp", vrrpProcess, true),
	"checker_priority":      processPriority("checker", checkerProcess),
	"checker_no_swap":       noSwap(checkerProcess),
	"checker_rt_priority":   processRT("checker", checkerProcess),
	"checker_cpu_affinity":  processCPUs("checker", checkerProcess),
	"checker_rlimit_rttime": processLimit("checker", checkerProcess, false),
	"checker_rlimit_rtime":  processLimit("checker", checkerProcess, true),
	"bfd_priority":          processPriority("bfd", bfdProcess),
	"bfd_no_swap":           noSwap(bfdProcess),
	"bfd_rt_priority":       processRT("bfd", bfdProcess),
	"bfd_cpu_affinity":      processCPUs("bfd", bfdProcess),
	"bfd_rlimit_rttime":     processLimit("bfd", bfdProcess, false),
	"bfd_rlimit_rtime":      processLimit("bfd", bfdProcess, true),
}

func vrrpProcess(g *Global) *ProcessOptions    { return &g.VRRPProcess }
func checkerProcess(g *Global) *ProcessOptions { return &g.CheckerProcess }
func bfdProcess(g *Global) *ProcessOptions     { return &g.BFDProcess }

func processName(field func(*Global) *string) func(*parser, *Global, words) {
	return func(p *parser, g *Global, w words) {
		name := p.word(w, 1)
		if len(name) > maxProcessName {
			p.errorf("Process name %s more than %d characters, truncating", name, maxProcessName)
			name = name[:maxProcessName]
		}
		*field(g) = name
	}
}

func noSwap(of func(*Global) *ProcessOptions) row[Global] {
	return row[Global]{takes: "none", help: "lock the process in memory", acts: "process",
		set: flag(func(g *Global) { of(g).NoSwap = true })}
}

func processPriority(name string, of func(*Global) *ProcessOptions) row[Global] {
	return row[Global]{takes: "INT -20..19", help: "nice value of the process", acts: "process",
		set: needs("No "+name+" process priority specified", func(p *parser, g *Global, w words) {
			n, ok := p.signed(w, 1, -20, 19, lenient)
			if !ok {
				p.errorf("Invalid %s process priority specified", name)
				n = 0
			}
			of(g).Priority, of(g).PrioritySet = int(n), ok
		})}
}

func processRT(name string, of func(*Global) *ProcessOptions) row[Global] {
	return row[Global]{takes: "INT 1..99", help: "SCHED_RR priority of the process", acts: "process",
		set: needs("No "+name+" process real-time priority specified", func(p *parser, g *Global, w words) {
			n, ok := p.signed(w, 1, math.MinInt32, maxInt32, lenient)
			const lo, hi = 1, 99
			switch {
			case !ok:
				p.errorf("%s process real-time priority '%s' invalid", name, p.word(w, 1))
				return
			case n < lo:
				p.errorf("%s process real-time priority %d less than minimum %d - setting to minimum", name, n, lo)
				n = lo
			case n > hi:
				p.errorf("%s process real-time priority %d greater than maximum %d - setting to maximum", name, n, hi)
				n = hi
			}
			of(g).RTPriority = int(n)
		})}
}

func processCPUs(name string, of func(*Global) *ProcessOptions) row[Global] {
	return row[Global]{takes: "CPU ... (0..online-1)", help: "CPUs of the process", acts: "process",
		set: needs("No "+name+" cpu_id set specified", func(p *parser, g *Global, w words) {
			var cpus []int
			for i := 1; w.has(i); i++ {
				n, ok := p.signed(w, i, 0, p.env.lastCPU(), lenient)
				if !ok {
					p.errorf("Invalid cpu_id:%d specified for %s process", n, name)
					return
				}
				cpus = append(cpus, int(n))
			}
			of(g).CPUs = cpus
		})}
}

func processLimit(name string, of func(*Global) *ProcessOptions, old bool) row[Global] {
	set := func(p *parser, g *Global, w words) {
		n, ok := p.unsigned(w, 1, 1, maxUint32, lenient)
		if !ok {
			p.errorf("Invalid %s real-time limit - %s", name, p.word(w, 1))
			n = 0
		}
		if n == 1 { // the kernel counts ticks; a limit of one would be hit at once
			n = 2
		}
		of(g).RTLimit, of(g).RTLimitSet = uint32(n), ok
	}
	if old {
		set = deprecated(ClassLog, "Keyword '"+name+"_rlimit_rtime' is deprecated - please use '"+name+"_rlimit_rttime'", set)
	}
	return row[Global]{takes: "INT 1..4294967295", help: "RLIMIT_RTTIME of the process, microseconds", acts: "process", set: set}
}

var globalFIFO = block[Global]{
	"notify_fifo":             fifo("notify_fifo", func(g *Global) *FIFO { return &g.FIFO }),
	"notify_fifo_script":      fifoScript("notify_fifo_script", func(g *Global) *FIFO { return &g.FIFO }),
	"vrrp_notify_fifo":        fifo("vrrp_notify_fifo", func(g *Global) *FIFO { return &g.VRRPFIFO }),
	"vrrp_notify_fifo_script": fifoScript("vrrp_notify_fifo_script", func(g *Global) *FIFO { return &g.VRRPFIFO }),
	"lvs_notify_fifo":         fifo("lvs_notify_fifo", func(g *Global) *FIFO { return &g.LVSFIFO }),
	"lvs_notify_fifo_script":  fifoScript("lvs_notify_fifo_script", func(g *Global) *FIFO { return &g.LVSFIFO }),
	"vrrp_notify_priority_changes": {takes: "BOOL optional (bare = true)", help: "priority changes go to the FIFOs", acts: "configparse",
		set: globalBool("vrrp_notify_priority_changes", func(g *Global, v bool) { g.NotifyPriority = v })},
	"fifo_write_vrrp_states_on_reload": {takes: "none", help: "write all states to the FIFOs at reload", acts: "vrrp",
		set: func(p *parser, _ *Global, _ words) { p.cfg.VRRP.StatesOnReload = true }},
}

func fifo(keyword string, of func(*Global) *FIFO) row[Global] {
	return row[Global]{takes: "PATH [USER [GROUP]]", help: "FIFO that notifications are written to", acts: "notify",
		set: needs("No "+keyword+" name specified", func(p *parser, g *Global, w words) {
			f := of(g)
			if f.Path != "" {
				p.errorf("%s already specified - ignoring %s", keyword, p.word(w, 1))
				return
			}
			c := vrrp.Command{}
			known := false
			if w.has(2) {
				known = p.setUser(&c, p.word(w, 2), p.opt(w, 3))
			} else {
				known = p.defaultUser(&c)
			}
			if !known {
				p.logf("Invalid user/group for %s %s - ignoring", keyword, p.word(w, 1))
				return
			}
			f.Path, f.User, f.Group, f.UID, f.GID = p.word(w, 1), c.User, c.Group, c.UID, c.GID
		})}
}

func fifoScript(keyword string, of func(*Global) *FIFO) row[Global] {
	return row[Global]{takes: "SCRIPT [USER [GROUP]]", help: "program that reads the FIFO", acts: "notify",
		set: needs("No "+keyword+" specified", func(p *parser, g *Global, w words) {
			f := of(g)
			f.Script = p.firstNotify(f.Script, w, keyword+" already specified - ignoring %s")
		})}
}

// isMulticast is IN_MULTICAST or IN6_IS_ADDR_MULTICAST.
func isMulticast(a netip.Addr) bool { return a.IsMulticast() }
