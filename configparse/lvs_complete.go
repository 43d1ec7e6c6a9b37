package configparse

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/ipvs"
)

// Defaults of checks, checkers.md 1.2.
const (
	defaultDelayLoop      = 60 * time.Second
	defaultConnectTimeout = 5 * time.Second
	defaultPersistence    = 360 // seconds
)

// lvsDefaults are the global settings that virtual servers fall back to.
type lvsDefaults struct {
	alert         *bool // smtp_alert_checker, else smtp_alert
	logAllFailure bool
}

// report says something about the configuration as a whole, without a line.
type report func(class Class, format string, args ...any)

// complete makes the configuration of the checker process from what was
// read: first the groups are resolved, then every service is checked in file
// order (grammar.md 14.4), then values are inherited.
//
// examine is called between checks and inheritance: it takes away scripts and
// MISC_CHECKs that cannot be run.
func (d *lvsDraft) complete(defaults lvsDefaults, say report, examine func()) checker.Config {
	c := checker.Config{Groups: d.groups, SSL: d.ssl}
	users := map[string]int{}
	var kept []*serviceDraft
	for _, s := range d.services {
		if s.cfg.Target == checker.ByGroup && !s.known {
			s.cfg.Ordinal = users[s.cfg.Group]
			if !s.bindGroup(c.Group(s.cfg.Group), say) {
				continue
			}
			users[s.cfg.Group]++
		}
		kept = append(kept, s)
	}
	d.services = kept
	for _, s := range kept {
		if !s.known {
			s.check(c.Group(s.cfg.Group), say)
		}
	}
	examine()
	c.Services = make([]checker.ServiceConfig, len(kept))
	for i, s := range kept {
		c.Services[i] = s.complete(defaults)
	}
	return c
}

// bindGroup reports whether the service can use its group, which is nil if
// there is none of that name. Why not is only logged: -t does not show it.
func (s *serviceDraft) bindGroup(g *checker.Group, say report) bool {
	if g == nil {
		say(ClassLog, "Virtual server group %s specified but not configured - ignoring virtual server %s",
			s.cfg.Group, &s.cfg)
		return false
	}
	v4, v6 := g.Families()
	switch {
	case s.cfg.Family == 0:
		switch {
		case v4 && !v6:
			s.cfg.Family = ipvs.IPv4
		case v6 && !v4:
			s.cfg.Family = ipvs.IPv6
		}
	case v4 && v6:
		say(ClassLog, "%s: virtual server group with IPv4 & IPv6 doesn't match virtual server %s - ignoring",
			g.Name, &s.cfg)
		return false
	case s.cfg.Family == ipvs.IPv4 && v6, s.cfg.Family == ipvs.IPv6 && v4:
		say(ClassLog, "%s: address family doesn't match virtual server %s - ignoring", g.Name, &s.cfg)
		return false
	}
	return true
}

// check carries out the validity checks of a service, in their order.
func (s *serviceDraft) check(g *checker.Group, tell report) {
	say := func(class Class, format string, args ...any) {
		s.block = nil // it is to be said again
		tell(class, format, args...)
	}
	s.checkIdentity(g, say)
	s.removeDuplicates(say)
	s.checkForwarding(say)
	s.checkSorry(say)
	s.checkQuorum(say)
	s.checkPorts(g, say)
}

// complete fills in what the service does not say.
func (s *serviceDraft) complete(defaults lvsDefaults) checker.ServiceConfig {
	if s.known {
		return s.block.service
	}
	c := s.cfg
	c.QuorumUp, c.QuorumDown = checkerCommand(s.quorumUp), checkerCommand(s.quorumDown)
	c.Forward = *s.forward
	c.Timers = s.timers.resolve()
	c.Weight = pickOr(1, s.weight)
	c.SMTPAlert = pickOr(false, s.alert, defaults.alert)
	if s.sorry != nil {
		c.Sorry = &checker.SorryServer{Addr: s.sorry.addr, Forward: *s.sorry.forward, Inhibit: s.sorry.inhibit}
	}
	c.Servers = make([]checker.ServerConfig, len(s.servers))
	for i, r := range s.servers {
		r.complete(&c.Servers[i], s, defaults)
	}
	if s.portsSet {
		c.Servers = uniqueServers(c.Servers)
	}
	return c
}

// marksOnly reports whether the service has no address at all.
func (s *serviceDraft) marksOnly(g *checker.Group) bool {
	return s.cfg.Target == checker.ByMark || g != nil && g.OnlyMarks()
}

// zeroPort reports whether some address of the service has no port.
func (s *serviceDraft) zeroPort(g *checker.Group) bool {
	if g == nil {
		return s.cfg.Addr.Port() == 0
	}
	return slices.ContainsFunc(g.Entries, func(e checker.GroupEntry) bool {
		return !e.IsMark() && e.Port == 0
	})
}

// checkIdentity checks protocol, port, flags and scheduler.
func (s *serviceDraft) checkIdentity(g *checker.Group, say report) {
	c := &s.cfg
	marks := s.marksOnly(g)
	hasMark := marks || g != nil && slices.ContainsFunc(g.Entries, checker.GroupEntry.IsMark)
	if c.HASuspend && hasMark {
		say(GeneralError, "Virtual server %s: cannot use ha_suspend with fwmarks - clearing ha_suspend", c)
		c.HASuspend = false
	}
	if marks {
		if c.Protocol != 0 {
			say(GeneralError, "Warning: Virtual server %s: protocol specified for fwmark - protocol will be ignored", c)
			c.Protocol = 0
		}
		s.markFamily()
	} else {
		if c.Protocol == 0 {
			say(GeneralError, "Virtual server %s: no protocol set - defaulting to UDP", c)
			c.Protocol = ipvs.UDP
		}
		if c.Options.Flags&ipvs.OnePacket != 0 && c.Protocol != ipvs.UDP {
			say(GeneralError, "Virtual server %s: one packet scheduling requires UDP - resetting", c)
			c.Options.Flags &^= ipvs.OnePacket
		}
		if c.Options.Persistence.Timeout == 0 && s.zeroPort(g) {
			say(GeneralError, "Virtual server %s: zero port only valid for persistent services - setting", c)
			c.Options.Persistence.Timeout = defaultPersistence
		}
	}
	if c.Options.Scheduler == "" {
		say(GeneralError, "Virtual server %s: no scheduler set, setting default 'wlc'", c)
		c.Options.Scheduler = "wlc"
	}
}

// markFamily settles the family of a service by mark: what the block said,
// else that of its tunnelled servers if they agree, else IPv4.
func (s *serviceDraft) markFamily() {
	if s.cfg.Family != 0 {
		return
	}
	s.cfg.Family = ipvs.IPv4
	for _, r := range s.servers {
		if ipvs.FamilyOf(r.cfg.Addr.Addr()) == ipvs.IPv4 {
			return
		}
	}
	s.cfg.Family = ipvs.IPv6
}

// removeDuplicates drops the second of two servers with one address and port.
func (s *serviceDraft) removeDuplicates(say report) {
	if slices.IsSortedFunc(s.servers, func(a, b *serverDraft) int {
		return cmp.Or(a.cfg.Addr.Compare(b.cfg.Addr), -1) // equal ones are out of order too
	}) {
		return // as most lists are
	}
	seen := make(map[netip.AddrPort]bool, len(s.servers))
	s.servers = slices.DeleteFunc(s.servers, func(r *serverDraft) bool {
		if seen[r.cfg.Addr] {
			say(GeneralError, "VS %s: real server %s is duplicated - removing second rs",
				&s.cfg, checker.ServerName(r.cfg.Addr, s.cfg.Protocol))
			return true
		}
		seen[r.cfg.Addr] = true
		return false
	})
}

// uniqueServers drops servers that became equal to an earlier one when their
// port was set to that of the service. keepalived keeps them and gets an
// error from the kernel for each.
func uniqueServers(servers []checker.ServerConfig) []checker.ServerConfig {
	seen := make(map[netip.AddrPort]bool, len(servers))
	return slices.DeleteFunc(servers, func(r checker.ServerConfig) bool {
		again := seen[r.Addr]
		seen[r.Addr] = true
		return again
	})
}

// checkForwarding hands the method of the service to servers without one.
func (s *serviceDraft) checkForwarding(say report) {
	missing := s.sorry != nil && s.sorry.forward == nil
	for _, r := range s.servers {
		missing = missing || r.forward == nil
	}
	if s.forward == nil {
		if missing {
			say(GeneralError, "Virtual server %s: no forwarding method set, setting default NAT", &s.cfg)
		}
		s.forward = &checker.Forwarding{Method: ipvs.NAT}
	}
	for _, r := range s.servers {
		r.forward = pick(r.forward, s.forward)
	}
	if s.sorry != nil {
		s.sorry.forward = pick(s.sorry.forward, s.forward)
	}
}

// checkSorry makes a sorry server that is also a real server agree with it.
func (s *serviceDraft) checkSorry(say report) {
	if s.sorry == nil {
		return
	}
	for _, r := range s.servers {
		inhibit := pickOr(s.cfg.InhibitOnFailure, r.inhibit)
		if r.cfg.Addr != s.sorry.addr || inhibit == s.sorry.inhibit {
			continue
		}
		verb := "clearing"
		if inhibit {
			verb = "setting"
		}
		say(GeneralError, "Virtual server %s: real server %s matches sorry server, but inhibit setting differs, %s on sorry server",
			&s.cfg, checker.ServerName(r.cfg.Addr, s.cfg.Protocol), verb)
		s.sorry.inhibit = inhibit
	}
}

// checkQuorum keeps the quorum reachable. With all weights zero the
// hysteresis wraps, as in keepalived: the quorum is then never held.
func (s *serviceDraft) checkQuorum(say report) {
	var sum uint64
	for _, r := range s.servers {
		sum += uint64(pickOr(1, r.weight, s.weight))
	}
	total := uint32(min(sum, math.MaxUint32))
	c := &s.cfg
	c.Quorum = pickOr(1, s.quorum)
	if c.Quorum > total {
		say(GeneralError, "Warning - quorum %d for %s exceeds total weight of real servers %d, reducing quorum to %d",
			c.Quorum, c, total, total)
		c.Quorum = total
	}
	if c.Hysteresis >= c.Quorum {
		say(GeneralError, "Virtual server %s: hysteresis %d >= quorum %d; setting hysteresis to %d",
			c, c.Hysteresis, c.Quorum, c.Quorum-1)
		c.Hysteresis = c.Quorum - 1
	}
}

// checkPorts makes the ports of servers fit: only NAT can change a port.
func (s *serviceDraft) checkPorts(g *checker.Group, say report) {
	if g != nil {
		s.checkGroupPorts(g, say)
		return
	}
	c := &s.cfg
	for _, r := range s.servers {
		port := r.cfg.Addr.Port()
		name := func() string { return checker.ServerName(r.cfg.Addr, c.Protocol) }
		switch {
		case r.forward.Method == ipvs.NAT && (port != 0 || c.Target == checker.ByMark), port == c.Addr.Port():
			continue
		case c.Target == checker.ByMark && port != 0:
			say(GeneralError, "WARNING - fwmark virtual server %s, real server %s has port specified - clearing", c, name())
		case port != 0 && port != c.Addr.Port():
			say(GeneralError, "WARNING - virtual server %s and real server %s ports don't match - resetting", c, name())
		}
		s.portsSet = true
		r.cfg.Addr = netip.AddrPortFrom(r.cfg.Addr.Addr(), c.Addr.Port())
	}
	if s.sorry == nil {
		return
	}
	port := s.sorry.addr.Port()
	switch {
	case s.sorry.forward.Method == ipvs.NAT && (port != 0 || c.Target == checker.ByMark):
		return
	case c.Target == checker.ByMark && port != 0:
		say(GeneralError, "WARNING - virtual server %s, sorry server has port specified - clearing", c)
	case port != 0 && port != c.Addr.Port():
		say(GeneralError, "WARNING - virtual server %s and sorry server ports don't match - resetting", c)
	}
	s.sorry.addr = netip.AddrPortFrom(s.sorry.addr.Addr(), c.Addr.Port())
}

// checkGroupPorts only warns: the port of each entry is used.
func (s *serviceDraft) checkGroupPorts(g *checker.Group, say report) {
	fixed := func(f *checker.Forwarding, a netip.AddrPort) bool {
		return f.Method != ipvs.NAT && a.Port() != 0
	}
	c := &s.cfg
	if slices.ContainsFunc(g.Entries, checker.GroupEntry.IsMark) {
		for _, r := range s.servers {
			if fixed(r.forward, r.cfg.Addr) {
				say(GeneralError, "WARNING - fwmark virtual server %s, real server %s has port specified - port will be ignored",
					c, checker.ServerName(r.cfg.Addr, c.Protocol))
			}
		}
		if s.sorry != nil && fixed(s.sorry.forward, s.sorry.addr) {
			say(GeneralError, "WARNING - fwmark virtual server %s, sorry server has port specified - port will be ignored", c)
		}
	}
	for _, e := range g.Entries {
		if e.IsMark() {
			continue
		}
		for _, r := range s.servers {
			if fixed(r.forward, r.cfg.Addr) && r.cfg.Addr.Port() != e.Port {
				say(GeneralError, "virtual server %s:[%s] and real server %s ports don't match",
					c, entryName(e), checker.ServerName(r.cfg.Addr, c.Protocol))
			}
		}
		if s.sorry != nil && fixed(s.sorry.forward, s.sorry.addr) && s.sorry.addr.Port() != e.Port {
			say(GeneralError, "WARNING - virtual server %s, sorry server has port specified - port will be ignored", c)
		}
	}
}

// resolve gives the timers as a server or service has them: the two with one
// default for all kinds of checks are filled in, the others may stay unset.
func (t timersDraft) resolve() checker.Timers {
	r := checker.Timers{
		DelayLoop:        pickOr(defaultDelayLoop, t.delayLoop),
		ConnectTimeout:   pickOr(defaultConnectTimeout, t.connectTimeout),
		DelayBeforeRetry: pickOr(checker.Unset, t.delayBeforeRetry),
		Warmup:           pickOr(checker.Unset, t.warmup),
		Retry:            checker.Unset,
	}
	if t.retry != nil {
		r.Retry = int64(*t.retry)
	}
	return r
}

// complete fills in what the real server takes over from its service.
func (r *serverDraft) complete(c *checker.ServerConfig, s *serviceDraft, defaults lvsDefaults) {
	timers := r.timers.or(s.timers)
	*c = r.cfg
	c.NotifyUp, c.NotifyDown = checkerCommand(r.notifyUp), checkerCommand(r.notifyDown)
	c.Forward = *r.forward
	c.Timers = timers.resolve()
	c.Weight = pickOr(1, r.weight, s.weight)
	c.Alpha = pickOr(s.cfg.Alpha, r.alpha)
	c.InhibitOnFailure = pickOr(s.cfg.InhibitOnFailure, r.inhibit)
	c.SMTPAlert = pickOr(true, r.alert, defaults.alert)
	for _, k := range r.checks {
		c.Checks = append(c.Checks, k.complete(s, r, timers, defaults)...)
	}
}
