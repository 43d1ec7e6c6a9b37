package checker

import (
	"net/netip"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// FlushMode is lvs_flush_on_stop.
type FlushMode uint8

// The values of lvs_flush_on_stop.
const (
	FlushNone     FlushMode = iota // absent: servers leave one by one
	FlushServices                  // VS: services are deleted with their servers
	FlushAll                       // without argument: the whole table
)

// Options are the global settings that decide about servers.
type Options struct {
	RouterID string // in the subject of mails
	// InitNotifies is rs_init_notifies: servers that are in the pool from the
	// start are announced too.
	InitNotifies bool
	// NoCheckerEmails limits mail to changes of servers, not of single checks.
	NoCheckerEmails bool
	FlushOnStop     FlushMode
	// FirstMark is nftables_ipvs_start_fwmark; 0: nftables_ipvs is off.
	FirstMark uint32
	// Random spreads the first runs: uniform in [0, 1). Nil: no spread.
	Random func() float64
}

// startDelay is when the first checks run after a start or a reload.
const startDelay = time.Second

// Pool holds the virtual servers of the process. It has no input or output:
// what it wants done it appends to its effects. Not safe for concurrent use.
type Pool struct {
	opt      Options
	loaded   bool
	services []*service
	byID     map[ServiceID]*service

	checks map[CheckID]*check
	lastID CheckID

	// What is known from outside; kept across reloads.
	addrs []netip.Addr // sorted
	files map[string]int64
	bfd   map[string]bool

	marks    map[groupProtocol]uint32 // nftables_ipvs
	lastMark uint32

	now      time.Time // of the call under way
	faults   localFaults
	effects  []Effect
	revision uint64 // grows with what AppendState writes
}

// NewPool returns a pool without virtual servers.
func NewPool() *Pool {
	return &Pool{
		byID:   map[ServiceID]*service{},
		checks: map[CheckID]*check{},
		files:  map[string]int64{},
		bfd:    map[string]bool{},
		marks:  map[groupProtocol]uint32{},
	}
}

// Drain hands over the effects since the last call, in order. The slice is
// valid until the next call of a method.
func (p *Pool) Drain() []Effect {
	out := p.effects
	p.effects = p.effects[:0]
	if cap(out) > 256 { // a reload; no result has so many
		p.effects = nil
	}
	return out
}

// Report takes the result of an attempt and says when the next one is due. The
// zero Next: not until a Start effect.
func (p *Pool) Report(now time.Time, id CheckID, res Result) Next {
	p.now = now
	c := p.checks[id]
	if c == nil || res.Reason == Abandoned {
		return Next{}
	}
	c.stats.note(now, res)
	before := c.known()
	next := p.verdict(now, c, res)
	if c.known() != before {
		p.revision++
	}
	if c.srv.svc.suspended {
		return Next{}
	}
	return next
}

// Address tells that an address appeared on, or vanished from, the last
// interface of this host that had it. Virtual servers with ha_suspend follow.
// Call it for every address that is present before the first Load.
func (p *Pool) Address(now time.Time, addr netip.Addr, present bool) {
	addr = addr.Unmap().WithZone("")
	i, known := slices.BinarySearchFunc(p.addrs, addr, netip.Addr.Compare)
	switch {
	case known == present:
		return
	case present:
		p.addrs = slices.Insert(p.addrs, i, addr)
	default:
		p.addrs = slices.Delete(p.addrs, i, i+1)
	}
	for _, s := range p.services {
		if suspended := p.absent(s); suspended != s.suspended {
			s.suspended = suspended
			p.suspend(now, s)
		}
	}
}

// absent reports whether a virtual server with ha_suspend has none of its
// addresses on this host.
func (p *Pool) absent(s *service) bool {
	if !s.cfg.HASuspend {
		return false
	}
	if s.group == nil {
		a := s.cfg.Addr.Addr()
		return !p.holds(a, a)
	}
	return !slices.ContainsFunc(s.group.Entries, func(e GroupEntry) bool {
		return !e.IsMark() && p.holds(e.First, e.Last)
	})
}

// holds reports whether this host has an address between first and last.
func (p *Pool) holds(first, last netip.Addr) bool {
	first, last = first.Unmap().WithZone(""), last.Unmap().WithZone("")
	i, _ := slices.BinarySearchFunc(p.addrs, first, netip.Addr.Compare)
	return i < len(p.addrs) && p.addrs[i].Compare(last) <= 0
}

// suspend pauses or resumes the checks of a virtual server. Those that do not
// run by the clock are only told of.
func (p *Pool) suspend(now time.Time, s *service) {
	for _, srv := range s.servers {
		for _, c := range srv.checks {
			verb := "Activating"
			if s.suspended {
				verb = "Suspending"
			}
			p.log(textActivity(verb, c))
			switch {
			case !c.clocked():
			case s.suspended:
				p.emit(Pause{ID: c.id})
			default:
				p.emit(Start{ID: c.id, Spec: c.cfg.Spec, At: now, Step: c.http.url})
			}
		}
	}
}

// File tells the number that a track_file holds; 0 if it is missing or holds
// none. Call it for every file before the Load that names it.
func (p *Pool) File(now time.Time, name string, value int64) {
	p.now = now
	p.files[name] = value
	p.revision++
	p.eachCheck(func(c *check) {
		spec, ok := c.cfg.Spec.(FileCheck)
		if !ok || spec.Name != name {
			return
		}
		weight, up := fileVerdict(&spec, value)
		res := Result{Reason: OK, Began: now}
		if !up {
			res.Reason = FileFault
		}
		c.stats.note(now, res)
		switch {
		case up && !c.up:
			p.detail(textFile(c, &spec, true))
			c.weight = weight // the weight returns silently with the server
			p.transition(c, true, false, res)
		case up:
			p.addWeight(c, weight)
		case c.up:
			p.detail(textFile(c, &spec, false))
			p.transition(c, false, false, res)
		}
	})
}

// BFD tells that a BFD session went up or down.
func (p *Pool) BFD(now time.Time, name string, up bool) {
	p.now = now
	p.bfd[name] = up
	p.revision++
	p.eachCheck(func(c *check) {
		spec, ok := c.cfg.Spec.(BFDCheck)
		if !ok || spec.Name != name || c.up == up && c.hasRun {
			return
		}
		res := Result{Reason: OK, Began: now}
		if !up {
			res.Reason = NeighbourDown
		}
		c.stats.note(now, res)
		first := !c.hasRun
		c.hasRun = true
		p.log(textBFD(c, &spec, up))
		p.transition(c, up, first, res)
	})
}

// SetWeight replaces the configured weight of a real server until the next
// reload, as SNMP can. It reports whether the server exists.
func (p *Pool) SetWeight(service ServiceID, addr netip.AddrPort, weight uint32) bool {
	s := p.byID[service]
	if s == nil {
		return false
	}
	for _, srv := range s.servers {
		if srv.cfg.Addr == addr {
			before := srv.weight()
			srv.base = min(weight, ipvs.MaxWeight)
			p.reweighed(srv, before)
			return true
		}
	}
	return false
}

// Stop takes everything down: afterwards Want is empty. Without omega the
// outside hears of it by SNMP only.
func (p *Pool) Stop() {
	for _, s := range p.services {
		quiet := p.opt.FlushOnStop != FlushNone
		for _, srv := range s.servers {
			if quiet {
				break
			}
			p.log(textShuttingDown(srv))
			if srv.alive && srv.listed() {
				p.goneNotice(srv, !s.cfg.Omega, "=> Shutting down <=")
			}
		}
		p.stopNotice(s, !s.cfg.Omega, "=> Shutting down <=")
		p.forgetService(s)
	}
	p.services = nil
	clear(p.byID)
	p.changedAll()
}

// goneNotice tells of a server that leaves for another reason than a check.
func (p *Pool) goneNotice(srv *server, trapOnly bool, body string) {
	s := srv.svc
	p.emit(ServerNotice{Service: s.cfg, Server: srv.cfg, TrapOnly: trapOnly,
		Alive: s.aliveServers(), Total: len(s.servers)})
	if srv.cfg.SMTPAlert && !trapOnly {
		p.emit(Mail{Subject: p.serverSubject(srv, false), Body: body})
	}
}

// stopNotice tells of a virtual server that leaves.
func (p *Pool) stopNotice(s *service, trapOnly bool, body string) {
	p.emit(QuorumNotice{Service: s.cfg, Stopping: true, TrapOnly: trapOnly,
		Alive: s.aliveServers(), Total: len(s.servers)})
	if s.cfg.SMTPAlert && !trapOnly {
		p.emit(Mail{Subject: p.serviceSubject(s, false), Body: body})
	}
}

func (p *Pool) forgetService(s *service) {
	for _, srv := range s.servers {
		p.forgetServer(srv)
	}
}

func (p *Pool) forgetServer(srv *server) {
	for _, c := range srv.checks {
		p.forgetCheck(c)
	}
}

func (p *Pool) forgetCheck(c *check) {
	delete(p.checks, c.id)
	if c.clocked() {
		p.emit(Forget{ID: c.id})
	}
}

// eachCheck visits the checks in file order.
func (p *Pool) eachCheck(f func(*check)) {
	for _, s := range p.services {
		for _, srv := range s.servers {
			for _, c := range srv.checks {
				f(c)
			}
		}
	}
}

func (p *Pool) emit(e Effect) { p.effects = append(p.effects, e) }

// log says a line; an empty one is none.
func (p *Pool) log(text string) {
	if text != "" {
		p.emit(Log{Text: text})
	}
}

func (p *Pool) detail(text string) { p.emit(Log{Text: text, Detail: true}) }
func (p *Pool) changed(s *service) { p.emit(Changed{Service: s.id}) }
func (p *Pool) changedAll()        { p.emit(Changed{}) }
