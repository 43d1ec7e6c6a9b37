package configparse

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
)

// The blocks of the checks inside real_server. Each kind is one table made of
// the rows that checks share and its own; the same draft serves them all.

const actsCheck = "checker"

func init() {
	for name, kind := range map[string]struct {
		help   string
		rows   block[checkDraft]
		spec   func() checkSpec
		finish func(*parser, *checkDraft)
	}{
		"TCP_CHECK":  {"a connection opens", tcpBlock, func() checkSpec { return &checker.TCPCheck{} }, finishConnected},
		"PING_CHECK": {"an ICMP echo is answered", tcpBlock, func() checkSpec { return &checker.PingCheck{} }, finishConnected},
		"UDP_CHECK":  {"a datagram is answered or at least not refused", udpBlock, newUDP, finishUDP},
		"DNS_CHECK":  {"a name server answers", dnsBlock, newDNS, finishConnected},
		"SMTP_CHECK": {"a mail server greets", smtpBlock, func() checkSpec { return &checker.SMTPCheck{} }, finishConnected},
		"HTTP_GET":   {"urls answer as expected", httpBlock, func() checkSpec { return &checker.HTTPCheck{} }, finishHTTP},
		"SSL_GET":    {"urls answer as expected over TLS", sslGetBlock, func() checkSpec { return &checker.HTTPCheck{TLS: true} }, finishHTTP},
		"MISC_CHECK": {"a program says how the server is", miscCheckBlock, func() checkSpec { return &checker.MiscCheck{} }, finishMisc},
		"FILE_CHECK": {"the number in a file", fileCheckBlock, func() checkSpec { return &checker.FileCheck{} }, finishFile},
		"BFD_CHECK":  {"the state of a BFD session", bfdCheckBlock, func() checkSpec { return &checker.BFDCheck{} }, finishBFDCheck},
	} {
		serverBlock[name] = row[serverDraft]{takes: "block", help: kind.help, acts: actsCheck, opens: true, sub: kind.rows,
			set: func(p *parser, r *serverDraft, _ words) {
				k := &checkDraft{spec: kind.spec(), server: r}
				readBlock(p, kind.rows, k)
				if !k.dropped {
					kind.finish(p, k)
				}
				if !k.dropped {
					r.checks = append(r.checks, k)
				}
			}}
	}
}

// checkRow is a keyword of a check. Once a keyword has refused the whole
// check, the rest of its block is read without looking at it.
func checkRow(takes, help string, set func(*parser, *checkDraft, words)) row[checkDraft] {
	return row[checkDraft]{takes: takes, help: help, acts: actsCheck,
		set: func(p *parser, k *checkDraft, w words) {
			if !k.dropped {
				set(p, k, w)
			}
		}}
}

// anyRow is a keyword that is looked at even then: what all checks share.
func anyRow(takes, help string, set func(*parser, *checkDraft, words)) row[checkDraft] {
	return row[checkDraft]{takes: takes, help: help, acts: actsCheck, set: set}
}

// scheduleRows say when a check runs and how it counts, connRows where to.
var (
	scheduleRows = block[checkDraft]{
		"alpha":              anyRow("BOOL optional (bare = true)", "start in failed state", setAlpha),
		"retry":              checkTimer(countRow(0, "Invalid retry connection value '%s'")),
		"delay_before_retry": checkTimer(pauseRow("Invalid delay_before_retry connection value '%s'")),
		"warmup":             checkTimer(warmupRow("Invalid warmup connection value '%s'")),
		"delay_loop":         checkTimer(loopRow("delay_loop '%s' is invalid - ignoring")),
		"log_all_failures": anyRow("BOOL optional (bare = true)", "log every failed attempt",
			func(p *parser, k *checkDraft, w words) {
				p.setBool(w, &k.logAll, "Invalid log_all_failures parameter %s")
			}),
	}
	connRows = connBlock(func(k *checkDraft) *connDraft { return &k.conn })

	tcpBlock = joinBlocks(scheduleRows, connRows)
)

func setAlpha(p *parser, k *checkDraft, w words) {
	p.setBool(w, &k.alpha, "Invalid alpha parameter %s")
}

func checkTimer(r row[timersDraft]) row[checkDraft] {
	return anyRow(r.takes, r.help, func(p *parser, k *checkDraft, w words) { r.set(p, &k.timers, w) })
}

// connBlock are the keywords that say where a check connects.
func connBlock(conn func(*checkDraft) *connDraft) block[checkDraft] {
	row := func(takes, help string, set func(*parser, *checkDraft, *connDraft, words)) row[checkDraft] {
		return checkRow(takes, help, func(p *parser, k *checkDraft, w words) {
			c := conn(k)
			c.mentioned = true
			set(p, k, c, w)
		})
	}
	timeout := timeoutRow("connect_timeout %s invalid - ignoring")
	return block[checkDraft]{
		"connect_ip": row("IPADDR", "address to check", func(p *parser, _ *checkDraft, c *connDraft, w words) {
			ip, ok := p.rangeStart(p.word(w, 1))
			switch {
			case !ok:
				p.errorf("Invalid connect_ip address %s - ignoring", p.opt(w, 1))
				c.spoiled = true
			case c.bind.IsValid() && c.bind.Is4() != ip.Is4():
				p.errorf("connect_ip address %s does not match address family of bindto - skipping", p.word(w, 1))
			default:
				c.ip, c.spoiled = ip, false
			}
		}),
		"connect_port": row("INT 1..65535", "port to check", func(p *parser, _ *checkDraft, c *connDraft, w words) {
			p.port(w, &c.port, "Invalid checker connect_port '%s'")
		}),
		"bindto": row("IPADDR", "source address", func(p *parser, k *checkDraft, c *connDraft, w words) {
			ip, ok := p.rangeStart(p.word(w, 1))
			switch {
			case !ok:
				p.errorf("Invalid bindto address %s - ignoring", p.opt(w, 1))
			case !c.spoiled && c.target(k.server).Is4() != ip.Is4():
				p.errorf("bindto address %s does not match address family of connect_ip - skipping", p.word(w, 1))
			default:
				c.bind = ip
			}
		}),
		"bind_port": row("INT 1..65535", "source port", func(p *parser, _ *checkDraft, c *connDraft, w words) {
			p.port(w, &c.bindPort, "Invalid checker bind_port '%s'")
		}),
		"bind_if": row("IFNAME", "interface, needed for link-local addresses", func(p *parser, _ *checkDraft, c *connDraft, w words) {
			name := p.word(w, 1)
			if len(name) > 15 {
				p.errorf("Interface name %s is too long - ignoring", name)
				return
			}
			c.bindIf = name
		}),
		"connect_timeout": row(timeout.takes, timeout.help, func(p *parser, _ *checkDraft, c *connDraft, w words) {
			var t timersDraft
			timeout.set(p, &t, w)
			c.timeout = pick(t.connectTimeout, c.timeout)
		}),
		"fwmark": row("INT 0..4294967295", "mark on the packets of the check", func(p *parser, _ *checkDraft, c *connDraft, w words) {
			n, ok := p.unsigned(w, 1, 0, math.MaxUint32, lenient)
			if !ok {
				p.errorf("Invalid fwmark connection value '%s'", p.opt(w, 1))
				return
			}
			c.mark = uint32(n)
		}),
	}
}

// port reads word 1 as a port.
func (p *parser) port(w words, port *uint16, bad string) {
	n, ok := p.unsigned(w, 1, 1, math.MaxUint16, lenient)
	if !ok {
		p.errorf(bad, p.opt(w, 1))
		return
	}
	*port = uint16(n)
}

// target is the address that is connected to.
func (c *connDraft) target(r *serverDraft) netip.Addr {
	if c.ip.IsValid() {
		return c.ip
	}
	return r.cfg.Addr.Addr()
}

// needsInterface reports and refuses a link-local target without bind_if.
func (p *parser) needsInterface(c *connDraft, r *serverDraft) bool {
	if ip := c.target(r); !c.spoiled && ip.Is6() && ip.IsLinkLocalUnicast() && c.bindIf == "" {
		p.errorf("Checker link local address %s requires a bind_if", ip)
		return true
	}
	return false
}

func finishConnected(p *parser, k *checkDraft) {
	// Without a connection keyword of its own an SMTP_CHECK with host blocks
	// has no target but theirs.
	if len(k.hosts) > 0 && !k.conn.mentioned {
		return
	}
	k.dropped = p.needsInterface(&k.conn, k.server)
}

// SMTP_CHECK

var smtpBlock = joinBlocks(scheduleRows, connRows, block[checkDraft]{
	"helo_name": checkRow("STRING", "name to greet with", func(p *parser, k *checkDraft, w words) {
		if !w.has(1) {
			p.errorf("SMTP_CHECK helo name missing")
			return
		}
		if k.helo != "" {
			p.errorf("SMTP_CHECK helo name already specified")
		}
		k.helo = p.word(w, 1)
	}),
	"host": {takes: "block", help: "old way to check another address", acts: actsCheck, opens: true, sub: hostBlock,
		set: func(p *parser, k *checkDraft, _ words) {
			p.logf("The SMTP_CHECK host block is deprecated. Please define additional checkers.")
			k.host = &connDraft{}
			readBlock(p, hostBlock, k)
			if !p.needsInterface(k.host, k.server) {
				k.hosts = append(k.hosts, k.host)
			}
			k.host = nil
		}},
})

// hostBlock: what is said about the connection belongs to the host, what is
// said about the schedule to the whole check.
var hostBlock = joinBlocks(scheduleRows, connBlock(func(k *checkDraft) *connDraft { return k.host }))

// DNS_CHECK

func newDNS() checkSpec { return &checker.DNSCheck{Type: checker.DNSTypeSOA} }

var dnsBlock = joinBlocks(scheduleRows, connRows, block[checkDraft]{
	"type": checkRow("A|NS|CNAME|SOA|MX|TXT|AAAA|RRSIG|DNSKEY", "record type to ask for", func(p *parser, k *checkDraft, w words) {
		name := p.word(w, 1)
		for _, t := range checker.DNSTypes {
			if strings.EqualFold(name, t.Name) {
				k.spec.(*checker.DNSCheck).Type = t.Type
				return
			}
		}
		p.errorf("Unknown DNS check type %s - ignoring", name)
	}),
	"name": checkRow("DOMAIN", "name to ask for", func(p *parser, k *checkDraft, w words) {
		name, d := p.word(w, 1), k.spec.(*checker.DNSCheck)
		switch {
		case d.Name != "":
			p.errorf("DNS_CHECK name already specified - ignoring")
		case name != "." && (strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..")):
			p.errorf("DNS_CHECK name '%s' has empty label - ignoring", name)
		default:
			d.Name = name
		}
	}),
})

// UDP_CHECK

func newUDP() checkSpec { return &checker.UDPCheck{MaxReply: 255} }

var udpBlock = joinBlocks(scheduleRows, connRows, block[checkDraft]{
	"payload": checkRow("HEX ...", "data to send", func(p *parser, k *checkDraft, w words) {
		if !w.has(1) {
			p.errorf("UDP_CHECK payload requires a payload")
			return
		}
		data, _, ok := hexBytes(w, false)
		if !ok {
			p.errorf("Invalid hex string for UDP_CHECK payload")
			return
		}
		k.spec.(*checker.UDPCheck).Payload = data
	}),
	"require_reply": checkRow("[HEX ... with x/X wildcards]", "demand a reply, optionally with this content", func(p *parser, k *checkDraft, w words) {
		u := k.spec.(*checker.UDPCheck)
		u.RequireReply = true
		if !w.has(1) {
			return
		}
		data, mask, ok := hexBytes(w, true)
		if !ok {
			p.errorf("Invalid hex string for UDP_CHECK reply")
			return
		}
		u.Reply, u.ReplyMask = data, mask
	}),
	"min_reply_length": replyLength("min", "shortest reply", func(u *checker.UDPCheck) *uint16 { return &u.MinReply }),
	"max_reply_length": replyLength("max", "longest reply", func(u *checker.UDPCheck) *uint16 { return &u.MaxReply }),
})

func replyLength(which, help string, field func(*checker.UDPCheck) *uint16) row[checkDraft] {
	return checkRow("INT 0..65535", help, func(p *parser, k *checkDraft, w words) {
		n, ok := p.unsigned(w, 1, 0, math.MaxUint16, strict)
		if !ok {
			p.errorf("UDP_CHECK %s length %s not valid - must be between 0 & 65535", which, p.opt(w, 1))
			return
		}
		*field(k.spec.(*checker.UDPCheck)) = uint16(n)
	})
}

func finishUDP(p *parser, k *checkDraft) {
	if u := k.spec.(*checker.UDPCheck); u.MinReply > u.MaxReply {
		p.errorf("UDP_CHECK min_reply length %d > max_reply_length %d - will always fail", u.MinReply, u.MaxReply)
	}
	finishConnected(p, k)
}

// hexBytes reads the words behind the keyword as bytes. Two digits make a
// byte; a digit before a blank or the end is a byte of its own. With
// wildcards an x stands for any digit, and mask tells which bits count.
func hexBytes(w words, wildcards bool) (data, mask []byte, ok bool) {
	for i := 1; i < w.len(); i++ {
		for _, part := range strings.Fields(w.list[i].text) {
			for len(part) > 0 {
				n := min(2, len(part))
				var b, m byte
				for _, c := range []byte(part[:n]) {
					d := hexDigit(c)
					switch {
					case d >= 0:
						b, m = b<<4|byte(d), m<<4|0xf
					case wildcards && (c == 'x' || c == 'X'):
						b, m = b<<4, m<<4
					default:
						return nil, nil, false
					}
				}
				if n == 1 && m != 0 {
					m = 0xff
				}
				data, mask, part = append(data, b), append(mask, m), part[n:]
			}
		}
	}
	return data, mask, len(data) > 0
}

// MISC_CHECK

var miscCheckBlock = joinBlocks(scheduleRows, block[checkDraft]{
	"misc_path": checkRow("SCRIPT", "command", setMiscPath),
	"misc_timeout": checkRow("INT 0..4294", "seconds the command may take", func(p *parser, k *checkDraft, w words) {
		n, ok := p.unsigned(w, 1, 0, 4294, lenient)
		if !ok {
			p.errorf("Invalid misc_timeout value '%s'", p.opt(w, 1))
			return
		}
		k.spec.(*checker.MiscCheck).Timeout = time.Duration(n) * time.Second
	}),
	"misc_dynamic": checkRow("", "the exit status sets the weight", func(_ *parser, k *checkDraft, _ words) {
		k.spec.(*checker.MiscCheck).Dynamic = true
	}),
	"user": checkRow("USER [GROUP]", "user to run as", setMiscUser),
})

// FILE_CHECK

var fileCheckBlock = block[checkDraft]{
	"track_file": checkRow("NAME", "track_file block to use", func(p *parser, k *checkDraft, w words) {
		name, f := p.word(w, 1), k.spec.(*checker.FileCheck)
		t := p.files[name]
		if t == nil {
			p.errorf("track_file %s not found", name)
			return
		}
		f.Name, f.Path = name, t.Path
		if !k.fileWeight {
			f.Weight, f.Reverse = int32(t.Weight), t.Reverse
		}
	}),
	"weight": checkRow("INT -2147483647..2147483647 [reverse|noreverse]", "multiplier", func(p *parser, k *checkDraft, w words) {
		f := k.spec.(*checker.FileCheck)
		if !w.has(1) {
			p.errorf("track file weight missing")
			return
		}
		n, ok := p.signed(w, 1, -math.MaxInt32, math.MaxInt32, lenient)
		if !ok {
			p.errorf("weight for track file must be in [-2147483647..2147483647] inclusive. Ignoring...")
			return
		}
		reverse := false
		if w.has(2) {
			switch option := p.word(w, 2); option {
			case "reverse":
				reverse = true
			case "noreverse":
			default:
				p.errorf("unknown track file weight option %s - ignoring", option)
				return
			}
		}
		f.Weight, f.Reverse, k.fileWeight = int32(n), reverse, true
	}),
}

func finishFile(p *parser, k *checkDraft) {
	if k.spec.(*checker.FileCheck).Name == "" {
		p.errorf("FILE_CHECK has no track_file specified - ignoring")
		k.dropped = true
	}
}

// BFD_CHECK

var bfdCheckBlock = block[checkDraft]{
	"alpha": checkRow("BOOL optional (bare = true)", "start in failed state", setAlpha),
	"name": checkRow("NAME", "bfd_instance to follow", func(p *parser, k *checkDraft, w words) {
		b := k.spec.(*checker.BFDCheck)
		refuse := func(format string, args ...any) {
			p.errorf("(%s) BFD_CHECK - "+format, append([]any{k.server.name()}, args...)...)
			k.dropped = true
		}
		name := p.opt(w, 1)
		_, known := p.sessions[name]
		switch {
		case w.len() != 2:
			refuse("No or too many names specified - skipping checker")
		case !known:
			refuse("BFD %s not configured", name)
		case b.Name != "":
			refuse("BFD %s already specified as %s", name, b.Name)
		case k.server.follows(name):
			refuse("RS already monitoring %s", name)
		default:
			b.Name = name
		}
	}),
}

// follows reports whether another check of the server follows the session.
func (r *serverDraft) follows(session string) bool {
	return slices.ContainsFunc(r.checks, func(k *checkDraft) bool {
		b, ok := k.spec.(*checker.BFDCheck)
		return ok && b.Name == session
	})
}

func (r *serverDraft) name() string {
	return checker.ServerName(r.cfg.Addr, r.service.cfg.Protocol)
}

func finishBFDCheck(p *parser, k *checkDraft) {
	if k.spec.(*checker.BFDCheck).Name == "" {
		p.errorf("(%s) No name has been specified for BFD_CHECKER - skipping", k.server.name())
		k.dropped = true
	}
}
