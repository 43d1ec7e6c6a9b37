package configparse

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/ipvs"
)

// The blocks virtual_server, real_server and SSL (grammar.md 13.1). Groups are
// in lvs_group.go, checks in checkers.go, what follows the reading in
// lvs_complete.go.

const actsLVS = "checkd"

var sslBlock = block[checker.SSL]{
	"password":    sslRow("password", "password of the key", func(s *checker.SSL) *string { return &s.Password }),
	"ca":          sslRow("cafile", "file with the certificates of authorities", func(s *checker.SSL) *string { return &s.CA }),
	"certificate": sslRow("certfile", "file with the certificate chain", func(s *checker.SSL) *string { return &s.Certificate }),
	"key":         sslRow("keyfile", "file with the key", func(s *checker.SSL) *string { return &s.Key }),
}

func sslRow(name, help string, field func(*checker.SSL) *string) row[checker.SSL] {
	return row[checker.SSL]{takes: "STRING", help: help, acts: actsLVS,
		set: func(p *parser, s *checker.SSL, w words) {
			p.text(w, field(s), "SSL "+name+" missing", "Duplicate SSL - overwriting %s with %s")
		}}
}

// text keeps word 1 as it is; the last one wins with a message.
func (p *parser) text(w words, field *string, missing, again string) {
	if !w.has(1) {
		p.errorf("%s", missing)
		return
	}
	s := p.word(w, 1)
	if *field != "" && again != "" {
		p.errorf(again, *field, s)
	}
	*field = s
}

// readSSL reads the root SSL block; a second one takes the place of the first.
func readSSL(p *parser, _ *Config, _ words) {
	if p.lvs.ssl != nil {
		p.errorf("SSL context already specified - replacing")
	}
	p.lvs.ssl = &checker.SSL{}
	readBlock(p, sslBlock, p.lvs.ssl)
}

// readService reads a virtual_server block.
func readService(p *parser, cfg *Config, w words) {
	cfg.HasChecker = true
	s, said := &serviceDraft{}, len(*p.problems)
	if !p.serviceTarget(s, w) {
		p.refuseBlock()
		return
	}
	s.cfg.Line = w.at.place()
	readBlock(p, serviceBlock, s)
	p.finishService(s)
	s.block = p.newBlock(w, said)
}

// place is "FILE:LINE".
func (at position) place() string {
	if at.file == nil {
		return ""
	}
	return at.file.name + ":" + strconv.Itoa(int(at.line))
}

// serviceTarget reads what identifies the service; false: refused.
func (p *parser) serviceTarget(s *serviceDraft, w words) bool {
	c := &s.cfg
	switch kind := p.word(w, 1); kind {
	case "group":
		c.Target, c.Group = checker.ByGroup, p.word(w, 2)
	case "fwmark":
		n, ok := p.unsigned(w, 2, 0, math.MaxUint32, lenient)
		if !ok {
			p.errorf("virtual server fwmark '%s' must be in [0, 4294967295] - ignoring", p.opt(w, 2))
			return false
		}
		c.Target, c.Mark = checker.ByMark, uint32(n)
	default:
		addr, ok := p.endpoint(w, 1)
		if !ok {
			p.errorf("Invalid virtual server IP address%s - skipping", endpointText(p, w, " "))
			return false
		}
		c.Target, c.Addr, c.Family = checker.ByAddr, addr, ipvs.FamilyOf(addr.Addr())
	}
	return !p.ended
}

// endpointText is how messages show an address and its port.
func endpointText(p *parser, w words, blank string) string {
	if w.has(2) {
		return "/port" + blank + p.opt(w, 1) + "/" + p.opt(w, 2)
	}
	return blank + p.opt(w, 1)
}

// endpoint reads word i as an address and the next, if there is one, as a
// port. A port of 0 is no port. The port is looked at first.
func (p *parser) endpoint(w words, i int) (netip.AddrPort, bool) {
	text := p.glimpse(w, i)
	port, fine := p.optionalPort(w, i+1)
	if !fine {
		return netip.AddrPort{}, false
	}
	addr, ok := p.rangeStart(text)
	return netip.AddrPortFrom(addr, port), ok
}

// rangeStart reads an address up to a "-" or else a "/", as keepalived does
// wherever it takes an address with a port.
func (p *parser) rangeStart(s string) (netip.Addr, bool) {
	start, _, found := strings.Cut(s, "-")
	if !found {
		start, _, _ = strings.Cut(s, "/")
	}
	if strings.Contains(s, ":") != strings.Contains(start, ":") {
		return netip.Addr{}, false // the family is that of the whole word
	}
	return parseAddr(start)
}

// optionalPort reads word i, if there is one, as a port; 0 is none.
func (p *parser) optionalPort(w words, i int) (uint16, bool) {
	if !w.has(i) || strings.Trim(p.glimpse(w, i), "0") == "" {
		return 0, true
	}
	n, ok := p.unsigned(w, i, 1, math.MaxUint16, lenient)
	return uint16(n), ok
}

// finishService checks a block when its closing brace is read.
func (p *parser) finishService(s *serviceDraft) {
	if s.sorry != nil && s.cfg.Family != 0 && !tunnelled(s.sorry.forward) &&
		ipvs.FamilyOf(s.sorry.addr.Addr()) != s.cfg.Family {
		p.errorf("Address family of virtual server and sorry server %s don't match - skipping sorry server.",
			s.sorry.addr.Addr())
		s.sorry = nil
	}
	if len(s.servers) == 0 {
		p.errorf("Virtual server %s has no real servers - ignoring", &s.cfg)
		return
	}
	p.lvs.services = append(p.lvs.services, s)
}

func tunnelled(f *checker.Forwarding) bool { return f != nil && f.Method == ipvs.TUN }

// serviceBlock are the keywords of virtual_server.
var serviceBlock = block[serviceDraft]{
	"ip_family": {takes: "inet | inet6", help: "family of a service by mark", acts: actsLVS, set: setFamily},

	"retry":              serviceTimer(retryRow("retry value invalid - %s")),
	"delay_before_retry": serviceTimer(pauseRow("virtual server delay before retry '%s' invalid - ignoring")),
	"warmup":             serviceTimer(warmupRow("virtual server warmup '%s' invalid - ignoring")),
	"connect_timeout":    serviceTimer(timeoutRow("virtual server connect_timeout %s invalid - ignoring")),
	"delay_loop":         serviceTimer(loopRow("virtual server delay loop '%s' invalid - ignoring")),

	"inhibit_on_failure": serviceFlag("set weight 0 instead of removing a failed server",
		func(s *serviceDraft) *bool { return &s.cfg.InhibitOnFailure }),
	"ha_suspend": serviceFlag("check only while the address is on this host",
		func(s *serviceDraft) *bool { return &s.cfg.HASuspend }),
	"alpha": serviceFlag("start with all servers down", func(s *serviceDraft) *bool { return &s.cfg.Alpha }),
	"omega": serviceFlag("run down scripts at shutdown", func(s *serviceDraft) *bool { return &s.cfg.Omega }),

	"lb_algo":     {takes: "rr|wrr|lc|wlc|lblc|sh|mh|dh|fo|ovf|lblcr|sed|nq|twos", help: "scheduler", acts: actsLVS, set: setScheduler},
	"lvs_sched":   {takes: "rr|wrr|lc|wlc|lblc|sh|mh|dh|fo|ovf|lblcr|sed|nq|twos", help: "scheduler", acts: actsLVS, set: setScheduler},
	"hashed":      {help: "nothing: it has no effect in keepalived either", acts: actsLVS, set: schedulerFlag("", 0)},
	"ops":         setFlag("one packet scheduling", ipvs.OnePacket),
	"flag-1":      setFlag("scheduler flag 1", ipvs.SchedFlag1),
	"flag-2":      setFlag("scheduler flag 2", ipvs.SchedFlag2),
	"flag-3":      setFlag("scheduler flag 3", ipvs.SchedFlag3),
	"sh-port":     {help: "port hashing of sh", acts: actsLVS, set: schedulerFlag("sh", ipvs.SchedFlag2)},
	"sh-fallback": {help: "fallback of sh", acts: actsLVS, set: schedulerFlag("sh", ipvs.SchedFlag1)},
	"mh-port":     {help: "port hashing of mh", acts: actsLVS, set: schedulerFlag("mh", ipvs.SchedFlag2)},
	"mh-fallback": {help: "fallback of mh", acts: actsLVS, set: schedulerFlag("mh", ipvs.SchedFlag1)},
	"lb_kind":     {takes: takesForwarding, help: "forwarding method", acts: actsLVS, set: setServiceForwarding},
	"lvs_method":  {takes: takesForwarding, help: "forwarding method", acts: actsLVS, set: setServiceForwarding},

	"persistence_engine": {takes: "NAME (16 chars)", help: "persistence engine", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			name := p.word(w, 1)
			if len(name) > 16 {
				p.errorf("persistence_name too long, truncating - %s", name)
				name = name[:16]
			}
			s.cfg.Options.Persistence.Engine = name
		}},
	"persistence_timeout": {takes: "[INT 1..2678400]", help: "seconds a client keeps its server", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			n, ok := uint64(defaultPersistence), true
			if w.has(1) {
				n, ok = p.unsigned(w, 1, 1, 2678400, strict)
			}
			if !ok {
				p.errorf("persistence_timeout invalid")
				return
			}
			s.cfg.Options.Persistence.Timeout = uint32(n)
		}},
	"persistence_granularity": {takes: "IPv4 netmask | IPv6 prefix length 1..128", help: "clients that share a server",
		acts: actsLVS, set: setGranularity},
	"protocol": {takes: "TCP | UDP | SCTP", help: "transport", acts: actsLVS, set: setProtocol},
	"smtp_alert": {takes: "BOOL optional (bare = true)", help: "mail on quorum changes", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			p.setBool(w, &s.alert, "Invalid virtual_server smtp_alert parameter %s")
		}},
	"virtualhost": {takes: "STRING", help: "Host name of HTTP checks", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			p.text(w, &s.cfg.VirtualHost, "virtual server virtualhost missing", "Duplicate vs virtualhost - overwriting %s with %s")
		}},
	"snmp_name": {takes: "STRING", help: "label for SNMP", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			p.snmpName(w, &s.cfg.SNMPName, "virtual server", "vs")
		}},
	"quorum_up": {takes: "SCRIPT [USER [GROUP]]", help: "script to run when the quorum is gained", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) { p.checkerScript(w, &s.quorumUp, s) }},
	"quorum_down": {takes: "SCRIPT [USER [GROUP]]", help: "script to run when the quorum is lost", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) { p.checkerScript(w, &s.quorumDown, s) }},
	"quorum": {takes: "INT 1..4294967295", help: "weight needed to be up", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			n, ok := p.unsigned(w, 1, 1, math.MaxUint32, lenient)
			if !ok {
				p.errorf("Quorum %s must be in [1, 4294967295]. Setting to 1.", p.opt(w, 1))
				n = 1
			}
			s.quorum = ref(uint32(n))
		}},
	"hysteresis": {takes: "INT 0..4294967295", help: "margin of quorum changes", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			n, ok := p.unsigned(w, 1, 0, math.MaxUint32, lenient)
			if !ok {
				p.errorf("Hysteresis %s must be in [0, 4294967295] - ignoring", p.opt(w, 1))
				return
			}
			s.cfg.Hysteresis = uint32(n)
		}},
	"weight": {takes: "INT 1..2147483647", help: "default weight of real servers", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			n, ok := p.unsigned(w, 1, 1, ipvs.MaxWeight, lenient)
			if !ok {
				p.errorf("Virtual server weight %s is outside range 1-2147483647", p.opt(w, 1))
				return
			}
			s.weight = ref(uint32(n))
		}},
	"sorry_server": {takes: "IPADDR [PORT]", help: "server for when the quorum is lost", acts: actsLVS, set: setSorry},
	"sorry_server_inhibit": {help: "keep the sorry server with weight 0", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, _ words) {
			if s.sorry == nil {
				p.errorf("Ignoring sorry_server inhibit used before or without sorry_server")
				return
			}
			s.sorry.inhibit = true
		}},
	"sorry_server_lvs_method": {takes: takesForwarding, help: "forwarding to the sorry server", acts: actsLVS,
		set: func(p *parser, s *serviceDraft, w words) {
			if s.sorry == nil {
				p.errorf("sorry_server forwarding used without sorry_server")
				return
			}
			p.setForwarding(w, &s.sorry.forward, "sorry")
		}},
	"real_server": {takes: "block IPADDR [PORT]", help: "one server", acts: actsLVS, opens: true, sub: serverBlock, set: readServer},
}

// ref makes a pointer of a value.
func ref[T any](v T) *T { return &v }

func serviceFlag(help string, field func(*serviceDraft) *bool) row[serviceDraft] {
	return row[serviceDraft]{help: help, acts: actsLVS,
		set: func(_ *parser, s *serviceDraft, _ words) { *field(s) = true }}
}

func setFlag(help string, flag ipvs.Flags) row[serviceDraft] {
	return row[serviceDraft]{help: help, acts: actsLVS,
		set: func(_ *parser, s *serviceDraft, _ words) { s.cfg.Options.Flags |= flag }}
}

// schedulerFlag sets a flag that has a name for one scheduler. The flag of
// the other scheduler with flags is passed over in silence, and "hashed",
// which belongs to none, too.
func schedulerFlag(scheduler string, flag ipvs.Flags) func(*parser, *serviceDraft, words) {
	return func(p *parser, s *serviceDraft, w words) {
		switch now := s.cfg.Options.Scheduler; {
		case now != "sh" && now != "mh":
			p.errorf("%s only applies to sh scheduler - ignoring", p.word(w, 0))
		case now == scheduler:
			s.cfg.Options.Flags |= flag
		}
	}
}

func setFamily(p *parser, s *serviceDraft, w words) {
	name := p.word(w, 1)
	family, ok := map[string]ipvs.Family{"inet": ipvs.IPv4, "inet6": ipvs.IPv6}[name]
	switch {
	case !ok:
		p.errorf("unknown address family %s", name)
	case s.cfg.Family != 0 && s.cfg.Family != family:
		p.errorf("Virtual server specified family %s conflicts with server family", name)
	default:
		s.cfg.Family = family
	}
}

func setScheduler(p *parser, s *serviceDraft, w words) {
	name := p.word(w, 1)
	i := slices.Index(ipvs.Schedulers, name)
	if i < 0 {
		p.errorf("Invalid lvs_scheduler '%s' - ignoring", name)
		return
	}
	s.cfg.Options.Scheduler = ipvs.Schedulers[i] // not name, which holds the whole file in memory
}

func setProtocol(p *parser, s *serviceDraft, w words) {
	name := p.word(w, 1)
	for _, proto := range []ipvs.Protocol{ipvs.TCP, ipvs.UDP, ipvs.SCTP} {
		if strings.EqualFold(name, proto.String()) {
			s.cfg.Protocol = proto
			return
		}
	}
	p.errorf("Unknown protocol %s - ignoring", name)
}

// setGranularity reads a mask or prefix length. While the family of the
// service is open, a dot decides it.
func setGranularity(p *parser, s *serviceDraft, w words) {
	text := p.word(w, 1)
	persistence := &s.cfg.Options.Persistence
	if s.cfg.Family == ipvs.IPv6 || s.cfg.Family == 0 && !strings.Contains(text, ".") {
		n, ok := p.unsigned(w, 1, 1, 128, strict)
		if !ok {
			p.errorf("Invalid IPv6 persistence_granularity specified - %s", text)
			return
		}
		persistence.Granularity, s.cfg.Family = uint32(n), ipvs.IPv6
	} else {
		mask, ok := inetAton(text)
		if !ok {
			p.errorf("Invalid IPv4 persistence_granularity specified - %s", text)
			return
		}
		persistence.Granularity, s.cfg.Family = mask, ipvs.IPv4
	}
	if persistence.Timeout == 0 {
		persistence.Timeout = defaultPersistence
	}
}

// inetAton reads an IPv4 address as the C library's inet_aton: one to four
// numbers, decimal, octal or hexadecimal, of which the last fills the rest.
func inetAton(s string) (uint32, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return 0, false
	}
	var addr uint64
	for i, part := range parts {
		n, ok := cNumber(part)
		last := i == len(parts)-1
		limit := uint64(math.MaxUint8)
		if last {
			limit = math.MaxUint32 >> (8 * i)
		}
		if !ok || n > limit {
			return 0, false
		}
		if last {
			return uint32(addr | n), true
		}
		addr |= n << (24 - 8*i)
	}
	return 0, false
}

// setServiceForwarding sets the method for the servers that follow and for
// those before that have none.
func setServiceForwarding(p *parser, s *serviceDraft, w words) {
	p.setForwarding(w, &s.forward, "virtual")
}

func setSorry(p *parser, s *serviceDraft, w words) {
	addr, ok := p.endpoint(w, 1)
	if !ok {
		p.errorf("Invalid sorry server IP address %s - skipping", p.opt(w, 1))
		return
	}
	s.sorry = &sorryDraft{addr: addr, forward: s.forward}
}

const takesForwarding = "NAT | DR | TUN [type ipip|gue|gre] [port INT 1..65535] [nocsum|csum|remcsum]"

// setForwarding reads a forwarding method and the options of its tunnel. If
// an option is bad the method itself stays set.
func (p *parser) setForwarding(w words, to **checker.Forwarding, who string) {
	method, ok := map[string]ipvs.Forward{"NAT": ipvs.NAT, "DR": ipvs.DR, "TUN": ipvs.TUN}[p.word(w, 1)]
	if !ok {
		p.errorf("PARSER : unknown [%s] routing method for %s server.", p.opt(w, 1), who)
		return
	}
	f := &checker.Forwarding{Method: method}
	*to = f
	if t, ok := p.tunnel(w, who); ok && method == ipvs.TUN {
		f.Tunnel = t
	}
}

// tunnel reads the words behind the method, also behind one that is no tunnel.
func (p *parser) tunnel(w words, who string) (t ipvs.Tunnel, ok bool) {
	for i := 2; w.has(i); i++ {
		switch option := p.word(w, i); option {
		case "type":
			i++
			if !w.has(i) {
				p.errorf("Missing tunnel type for %s server.", who)
				return t, false
			}
			types := map[string]ipvs.TunnelType{"ipip": ipvs.IPIP, "gue": ipvs.GUE, "gre": ipvs.GRE}
			if t.Type, ok = types[p.word(w, i)]; !ok {
				p.errorf("Unknown tunnel type %s for %s server.", p.word(w, i), who)
				return t, false
			}
		case "port":
			i++
			if !w.has(i) {
				p.errorf("Missing port for %s server gue tunnel.", who)
				return t, false
			}
			n, ok := p.unsigned(w, i, 1, math.MaxUint16, strict)
			if !ok {
				p.errorf("Invalid gue tunnel port %s for %s server.", p.word(w, i), who)
				return t, false
			}
			t.Port = uint16(n)
		case "nocsum":
			t.Flags = ipvs.NoChecksum
		case "csum":
			t.Flags = ipvs.Checksum
		case "remcsum":
			t.Flags = ipvs.RemoteChecksum
		default:
			p.errorf("Invalid tunnel option %s for %s server.", option, who)
			return t, false
		}
	}
	switch {
	case (t.Type == ipvs.GUE) != (t.Port != 0):
		p.errorf("gue tunnels require port, otherwise cannot have port.")
	case t.Type == ipvs.IPIP && t.Flags != 0:
		p.errorf("ipip tunnels do not support checksum option.")
	case t.Type == ipvs.GRE && t.Flags == ipvs.RemoteChecksum:
		p.errorf("gre tunnels do not support remote checksum option.")
	default:
		return t, true
	}
	return t, false
}

// snmpName wants exactly one word.
func (p *parser) snmpName(w words, field *string, long, short string) {
	if w.len() != 2 {
		p.errorf("%s snmp_name missing or extra parameters", long)
		return
	}
	p.text(w, field, "", "Duplicate "+short+" snmp_name - overwriting %s with %s")
}

// setBool sets a boolean that may be bare; bad is the message for other words.
func (p *parser) setBool(w words, field **bool, bad string) {
	v, ok := p.boolean(w, 1)
	if !ok {
		p.errorf(bad, p.opt(w, 1))
		return
	}
	*field = &v
}

// readServer reads a real_server block.
func readServer(p *parser, s *serviceDraft, w words) {
	addr, ok := p.endpoint(w, 1)
	if !ok {
		port := "(null)"
		if w.has(2) {
			port = p.word(w, 2)
		}
		p.errorf("Invalid real server ip address/port %s/%s - skipping", p.opt(w, 1), port)
		p.refuseBlock()
		return
	}
	r := &serverDraft{forward: s.forward, service: s}
	r.cfg.Addr, r.port = addr, addr.Port()
	readBlock(p, serverBlock, r)
	family := ipvs.FamilyOf(addr.Addr())
	if !tunnelled(r.forward) {
		if s.cfg.Family != 0 && s.cfg.Family != family {
			p.errorf("Address family of virtual server and real server %s don't match - skipping real server.", addr.Addr())
			s.orphans = append(s.orphans, r.checks...)
			return
		}
		s.cfg.Family = family
	}
	s.servers = append(s.servers, r)
}

// serverBlock are the keywords of real_server; checks are added in checkers.go.
var serverBlock = block[serverDraft]{
	"weight": {takes: "INT 0..2147483647", help: "weight in the load balancer", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) {
			n, ok := p.unsigned(w, 1, 0, ipvs.MaxWeight, lenient)
			if !ok {
				p.errorf("Real server weight %s is outside range 0-2147483647", p.opt(w, 1))
				return
			}
			r.weight = ref(uint32(n))
		}},
	"lvs_method": {takes: takesForwarding, help: "forwarding method", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) { p.setForwarding(w, &r.forward, "real") }},
	"uthreshold": thresholdRow("uthreshold", "upper connection threshold",
		func(r *serverDraft) *uint32 { return &r.cfg.UpperThreshold }),
	"lthreshold": thresholdRow("lthreshold", "lower connection threshold",
		func(r *serverDraft) *uint32 { return &r.cfg.LowerThreshold }),
	"inhibit_on_failure": {takes: "BOOL optional (bare = true)", help: "set weight 0 instead of removing", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) {
			p.setBool(w, &r.inhibit, "Invalid inhibit_on_failure parameter %s")
		}},
	"alpha": {takes: "BOOL optional (bare = true)", help: "start down", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) { p.setBool(w, &r.alpha, "Invalid alpha parameter %s") }},
	"smtp_alert": {takes: "BOOL optional (bare = true)", help: "mail on changes", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) {
			p.setBool(w, &r.alert, "Invalid real_server smtp_alert parameter %s")
		}},
	"notify_up": {takes: "SCRIPT [USER [GROUP]]", help: "script to run when the server goes up", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) { p.checkerScript(w, &r.notifyUp, r.service) }},
	"notify_down": {takes: "SCRIPT [USER [GROUP]]", help: "script to run when the server goes down", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) { p.checkerScript(w, &r.notifyDown, r.service) }},
	"virtualhost": {takes: "STRING", help: "Host name of HTTP checks", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) {
			p.text(w, &r.cfg.VirtualHost, "real server virtualhost missing", "Duplicate rs virtualhost - overwriting %s with %s")
		}},
	"snmp_name": {takes: "STRING", help: "label for SNMP", acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) { p.snmpName(w, &r.cfg.SNMPName, "real server", "rs") }},

	"retry":              serverTimer(retryRow("retry value invalid - %s")),
	"delay_before_retry": serverTimer(pauseRow("real server delay_before_retry '%s' invalid - ignoring")),
	"warmup":             serverTimer(warmupRow("real server warmup '%s' invalid - ignoring")),
	"connect_timeout":    serverTimer(timeoutRow("real server connect_timeout %s invalid - ignoring")),
	"delay_loop":         serverTimer(loopRow("real server delay_loop '%s' invalid - ignoring")),
}

func thresholdRow(name, help string, field func(*serverDraft) *uint32) row[serverDraft] {
	return row[serverDraft]{takes: "INT 0..4294967295", help: help, acts: actsLVS,
		set: func(p *parser, r *serverDraft, w words) {
			n, ok := p.unsigned(w, 1, 0, math.MaxUint32, lenient)
			if !ok {
				p.errorf("Invalid real_server %s '%s' - ignoring", name, p.opt(w, 1))
				return
			}
			*field(r) = uint32(n)
		}}
}

// The timers of virtual_server, real_server and the checks differ only in
// their messages.

const maxConnectTimeout = math.MaxUint32 // microseconds

func retryRow(bad string) row[timersDraft] {
	return countRow(1, bad)
}

func countRow(least uint64, bad string) row[timersDraft] {
	takes := "INT 0..4294967295"
	if least == 1 {
		takes = "INT 1..4294967295"
	}
	class := lenient
	if least == 1 {
		class = strict
	}
	return row[timersDraft]{takes: takes, help: "additional attempts before a server is failed", acts: actsLVS,
		set: func(p *parser, t *timersDraft, w words) {
			n, ok := p.unsigned(w, 1, least, math.MaxUint32, class)
			if !ok {
				p.errorf(bad, p.opt(w, 1))
				return
			}
			t.retry = ref(uint32(n))
		}}
}

func timerRow(takes, help, bad string, lo, hi uint64, field func(*timersDraft) **time.Duration) row[timersDraft] {
	return row[timersDraft]{takes: takes, help: help, acts: actsLVS,
		set: func(p *parser, t *timersDraft, w words) {
			us, ok := p.decimal(w, 1, seconds(lo, hi))
			if !ok {
				p.errorf(bad, p.opt(w, 1))
				return
			}
			*field(t) = ref(time.Duration(min(us, maxTimer)) * time.Microsecond)
		}}
}

func pauseRow(bad string) row[timersDraft] {
	return timerRow("TIMER 0..", "seconds between attempts", bad, 0, math.MaxUint64-1,
		func(t *timersDraft) **time.Duration { return &t.delayBeforeRetry })
}

func warmupRow(bad string) row[timersDraft] {
	return timerRow("TIMER 0..", "upper bound of the random delay before the first check", bad, 0, math.MaxUint64-1,
		func(t *timersDraft) **time.Duration { return &t.warmup })
}

func timeoutRow(bad string) row[timersDraft] {
	return timerRow("TIMER 0.000001..4294.967295", "how long to wait for a connection and for answers", bad, 1, maxConnectTimeout,
		func(t *timersDraft) **time.Duration { return &t.connectTimeout })
}

func loopRow(bad string) row[timersDraft] {
	return timerRow("TIMER 0.000001..", "seconds between checks", bad, 1, math.MaxUint64-1,
		func(t *timersDraft) **time.Duration { return &t.delayLoop })
}

// serviceTimer and serverTimer put a timer's row into their block.
func serviceTimer(r row[timersDraft]) row[serviceDraft] {
	return row[serviceDraft]{takes: r.takes, help: r.help, acts: r.acts,
		set: func(p *parser, s *serviceDraft, w words) { r.set(p, &s.timers, w) }}
}

func serverTimer(r row[timersDraft]) row[serverDraft] {
	return row[serverDraft]{takes: r.takes, help: r.help, acts: r.acts,
		set: func(p *parser, s *serverDraft, w words) { r.set(p, &s.timers, w) }}
}

// prefixNumber reads the digits that s begins with, as the C library's strtoul:
// a negative number is a huge one. What is left is rest.
func prefixNumber(s string, base int) (n uint64, rest string) {
	body := strings.TrimLeft(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(body, "-")
	if negative || strings.HasPrefix(body, "+") {
		body = body[1:]
	}
	i := 0
	for ; i < len(body); i++ {
		d := hexDigit(body[i])
		if d < 0 || d >= base {
			break
		}
		if n > (math.MaxUint64-uint64(d))/uint64(base) {
			n = math.MaxUint64
			continue
		}
		n = n*uint64(base) + uint64(d)
	}
	switch {
	case i == 0:
		return 0, s
	case negative && n != 0:
		n = math.MaxUint64
	}
	return n, body[i:]
}

// cNumber reads a whole number as C writes it: 0x hexadecimal, 0 octal.
func cNumber(s string) (uint64, bool) {
	base, body := 10, s
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		base, body = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	if body == "" || hexDigit(body[0]) < 0 {
		return 0, false
	}
	n, rest := prefixNumber(body, base)
	return n, rest == ""
}
