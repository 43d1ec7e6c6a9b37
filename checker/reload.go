package checker

import (
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// Load takes a configuration. A first start is a reload from nothing: what the
// new configuration still has keeps its state, the rest is taken down, and what
// is new comes up. The pool keeps pointers into cfg. After Load everything may
// have changed: compare Want with the kernel.
func (p *Pool) Load(now time.Time, cfg *Config, opt Options) {
	p.opt, p.now = opt, now
	p.revision++
	old, oldByID := p.services, p.byID
	p.services, p.byID = nil, map[ServiceID]*service{}
	for i := range cfg.Services {
		c := &cfg.Services[i]
		s := &service{cfg: c, id: c.ID(), name: c.String()}
		if p.byID[s.id] != nil {
			continue // the parser refuses a second one
		}
		if c.Target == ByGroup {
			s.group = cfg.Group(c.Group)
		}
		p.assignMark(s)
		s.suspended = p.absent(s)
		p.services = append(p.services, s)
		p.byID[s.id] = s
	}

	kept := map[*service][]*server{}
	for _, o := range old {
		n := p.byID[o.id]
		if n == nil {
			p.removeService(o)
			continue
		}
		n.quorum, n.sorry, n.kept = o.quorum, o.sorry, true
		var gone []*server
		kept[n], gone = partners(o.servers, n.cfg.Servers)
		p.leave(o, n, gone)
	}
	for _, n := range p.services {
		p.enter(n, oldByID[n.id], kept[n])
	}
	p.changedAll()
	for _, n := range p.services {
		p.schedule(now, n)
	}
	p.log(textBFDReady)
	p.loaded = true
}

// removeService takes down a virtual server that the configuration no longer
// has. It is told with and without omega, but not with lvs_flush_on_stop, and
// not of one that has lost its quorum before.
func (p *Pool) removeService(s *service) {
	p.log(textServiceGone(s))
	flush := p.opt.FlushOnStop != FlushNone
	if !flush {
		for _, srv := range s.servers {
			p.removeServer(srv)
		}
	}
	held := s.quorum
	s.quorum = false
	p.stopNotice(s, flush || !held, "=> Removing <=")
	p.forgetService(s)
}

// removeServer tells of a server that goes, if it was in the table.
func (p *Pool) removeServer(srv *server) {
	if !srv.listed() {
		return
	}
	p.log(textServerRemoved(srv))
	if srv.alive {
		srv.alive = false
		p.goneNotice(srv, false, "=> Removing <=")
	}
}

// partners gives for each server of a configuration the one that it was, nil
// for a new one, and those of old that it lacks. The order seldom changes, so
// the next one is looked at first.
func partners(old []*server, now []ServerConfig) (was, gone []*server) {
	was = make([]*server, len(now))
	stays := make([]bool, len(old))
	var index map[netip.AddrPort]int
	next := 0
	for i := range now {
		k, ok := next, next < len(old) && old[next].cfg.Addr == now[i].Addr
		if !ok && len(old) > 0 {
			if index == nil {
				index = make(map[netip.AddrPort]int, len(old))
				for j, srv := range old {
					index[srv.cfg.Addr] = j
				}
			}
			k, ok = index[now[i].Addr]
		}
		if ok {
			was[i], stays[k], next = old[k], true, k+1
		}
	}
	for k, srv := range old {
		if !stays[k] {
			gone = append(gone, srv)
		}
	}
	return was, gone
}

// leave takes out what virtual server o had and n has not: group entries, the
// servers that are gone, the sorry server.
func (p *Pool) leave(o, n *service, gone []*server) {
	for _, e := range entriesOnlyIn(o.group, n.group) {
		p.log(textEntryGone(o, e))
	}
	for _, srv := range gone {
		p.log(textServerGone(srv))
		p.removeServer(srv)
		p.forgetServer(srv)
	}
	was, is := o.cfg.Sorry, n.cfg.Sorry
	if was == nil || is != nil && is.Addr == was.Addr {
		return
	}
	if o.sorry || was.Inhibit {
		p.log(textSorryGone(o, was))
	}
	if o.sorry {
		n.sorry = false
		if is == nil {
			p.log(textAliveIn(n))
		}
	}
}

// enter builds the servers of n, carries over what those of o knew that they
// were, and brings up what is new. o is nil for a new virtual server.
func (p *Pool) enter(n, o *service, kept []*server) {
	if o != nil && n.mark == 0 { // with a mark nothing is added: keepalived says nothing
		for _, e := range entriesOnlyIn(n.group, o.group) {
			p.log(textEntryNew(n, e))
		}
	}
	if o == nil {
		kept = make([]*server, len(n.cfg.Servers))
	}
	n.servers = make([]*server, len(n.cfg.Servers))
	servers := make([]server, len(n.cfg.Servers)) // in one piece
	for i := range n.cfg.Servers {
		c, was := &n.cfg.Servers[i], kept[i]
		srv := &servers[i]
		*srv = server{svc: n, cfg: c, base: c.Weight, since: p.now}
		if was != nil {
			srv.alive, srv.since = was.alive, was.since
			srv.kept, srv.before = true, was.weight()
		}
		if was != nil && o.cfg.Protocol == n.cfg.Protocol {
			srv.name = was.name
		} else {
			srv.name = ServerName(c.Addr, n.cfg.Protocol)
		}
		p.buildChecks(srv, was)
		n.servers[i] = srv
	}
	for i, srv := range n.servers {
		p.settle(srv, kept[i])
	}
	p.weigh(n, true)
}

// settle finds the state of a server after its checks are known.
func (p *Pool) settle(srv, was *server) {
	srv.recount()
	if was == nil {
		srv.alive = srv.failed == 0
		if srv.alive && p.opt.InitNotifies {
			p.serverNotice(srv, true)
		}
		return
	}
	if a, b := was.weight(), srv.weight(); a != b {
		p.log(textWeight(srv, a, b))
	}
	switch {
	case srv.failed == 0:
		p.bringUp(srv) // its failed check was taken away or replaced
	case !p.unheard(srv):
		p.takeDown(srv)
	}
}

// unheard reports whether no check of the server has a verdict against it.
func (p *Pool) unheard(srv *server) bool {
	return !slices.ContainsFunc(srv.checks, func(c *check) bool { return !c.up && c.hasRun })
}

// buildChecks makes the checks of a server. One that was there with the same
// specification keeps its identity and its state.
func (p *Pool) buildChecks(srv, was *server) {
	var old []*check
	if was != nil {
		old = slices.Clone(was.checks)
	}
	for i := range srv.cfg.Checks {
		cfg := &srv.cfg.Checks[i]
		j := slices.IndexFunc(old, func(c *check) bool { return sameCheck(c.cfg.Spec, cfg.Spec) })
		if j >= 0 {
			c := old[j]
			old = slices.Delete(old, j, j+1)
			p.keepCheck(c, srv, cfg)
			continue
		}
		p.newCheck(srv, was, cfg)
	}
	for _, c := range old {
		p.forgetCheck(c)
	}
}

func (p *Pool) keepCheck(c *check, srv *server, cfg *CheckConfig) {
	kept := *c
	kept.srv, kept.cfg = srv, cfg
	kept.restart = c.restart || c.srv.svc.suspended || c.cfg.Schedule != cfg.Schedule || !reflect.DeepEqual(c.cfg.Spec, cfg.Spec)
	if kept.up {
		kept.failures = min(kept.failures, cfg.Schedule.Retry)
	} else if _, smtp := cfg.Spec.(SMTPCheck); !smtp {
		kept.failures = 0
	}
	if m, ok := cfg.Spec.(MiscCheck); ok && m.Dynamic && kept.up {
		// Status 0 adds nothing, whatever the configured weight is now.
		kept.weight = dynamicWeight(kept.code, srv.base)
	}
	if f, ok := cfg.Spec.(FileCheck); ok {
		kept.weight, kept.up = fileVerdict(&f, p.files[f.Name])
	}
	srv.checks = append(srv.checks, &kept)
	p.checks[kept.id] = &kept
}

// newCheck makes a check that has not run. At start a server that is not alpha
// is up until the first failure, without retries; one that a reload brings gets
// all its retries.
func (p *Pool) newCheck(srv, was *server, cfg *CheckConfig) {
	p.lastID++
	s := &cfg.Schedule
	c := &check{id: p.lastID, srv: srv, cfg: cfg, up: !s.Alpha || was != nil && was.alive, failures: s.Retry, restart: true}
	if p.loaded && (was == nil || was.alive) {
		c.failures = 0
	}
	switch spec := cfg.Spec.(type) {
	case SMTPCheck:
		c.failures = 0 // every cycle makes all its attempts
	case FileCheck:
		c.weight, c.up = fileVerdict(&spec, p.files[spec.Name])
		c.hasRun = true
	case BFDCheck:
		if up, heard := p.bfd[spec.Name]; heard {
			c.up, c.hasRun = up, true
		}
	}
	srv.checks = append(srv.checks, c)
	p.checks[c.id] = c
}

// schedule starts the checks that are new or whose timing changed. The others
// go on as they were: a reload does not disturb them.
func (p *Pool) schedule(now time.Time, s *service) {
	for _, srv := range s.servers {
		for _, c := range srv.checks {
			if !c.clocked() {
				continue
			}
			if !c.hasRun {
				verb := "Activating"
				if s.suspended {
					verb = "Deactivating"
				}
				p.log(textActivity(verb, c))
			}
			switch {
			case s.suspended:
				p.emit(Pause{ID: c.id})
			case c.restart:
				p.emit(Start{ID: c.id, Spec: c.cfg.Spec, At: p.firstRun(now, c), Step: c.http.url})
			}
			c.restart = false
		}
	}
}

// firstRun spreads the first runs over the warm-up.
func (p *Pool) firstRun(now time.Time, c *check) time.Time {
	at := now.Add(startDelay)
	if p.opt.Random != nil {
		at = at.Add(time.Duration(p.opt.Random() * float64(c.cfg.Schedule.Warmup)))
	}
	return at
}

// Left tells, after the first Load, which of the wanted services an earlier
// process left in the kernel. A server that its virtual server lacks there, or
// has without weight, was probably dead: it is checked at once, so that it is not
// sent connections for the delay and the warm-up of a start.
func (p *Pool) Left(now time.Time, services []ipvs.Service) {
	if len(services) == 0 {
		return
	}
	left := map[ipvs.Key]*ipvs.Service{}
	for i := range services {
		left[services[i].Key] = &services[i]
	}
	for _, s := range p.services {
		for _, k := range s.keys() {
			if was := left[k]; was != nil && !s.suspended {
				p.doubt(now, s, was)
			}
		}
	}
}

// doubt checks the servers at once that serve, and did not in what was left.
func (p *Pool) doubt(now time.Time, s *service, was *ipvs.Service) {
	served := make(map[netip.AddrPort]bool, len(was.Servers))
	for _, e := range was.Servers {
		served[e.Addr] = e.Weight > 0
	}
	for _, srv := range s.servers {
		f := srv.cfg.Forward.Method
		if !srv.alive || srv.weight() == 0 || served[s.entryAddr(was.Key, srv.cfg.Addr, f)] {
			continue
		}
		for _, c := range srv.checks {
			if c.clocked() {
				p.emit(Start{ID: c.id, Spec: c.cfg.Spec, At: now, Step: c.http.url})
			}
		}
	}
}

// sameCheck reports whether two specifications test the same thing. What only
// says how the test is made does not count: http_protocol, fast_recovery, the
// timeout or user of a program, the payload of UDP.
func sameCheck(a, b Spec) bool {
	switch x := a.(type) {
	case HTTPCheck:
		y, ok := b.(HTTPCheck)
		if !ok {
			return false
		}
		y.Protocol, y.FastRecovery, y.TLSCompliant = x.Protocol, x.FastRecovery, x.TLSCompliant
		return reflect.DeepEqual(x, y)
	case UDPCheck:
		y, ok := b.(UDPCheck)
		return ok && x.Connection == y.Connection
	case MiscCheck:
		y, ok := b.(MiscCheck)
		return ok && slices.Equal(x.Script.Args, y.Script.Args) && x.Dynamic == y.Dynamic
	}
	return reflect.DeepEqual(a, b)
}

// entriesOnlyIn lists the entries of a that b lacks. Two entries are the same
// if they are the same mark, or both ends of the range and the port agree.
func entriesOnlyIn(a, b *Group) []GroupEntry {
	if a == nil {
		return nil
	}
	var list []GroupEntry
	for _, e := range a.Entries {
		if b == nil || !slices.Contains(b.Entries, e) {
			list = append(list, e)
		}
	}
	return list
}
