package checker

import (
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// service is a virtual server at run time.
type service struct {
	cfg     *ServiceConfig
	id      ServiceID
	name    string
	group   *Group // what Group names; nil without
	servers []*server

	quorum    bool // held
	sorry     bool // the sorry server is in use
	suspended bool // ha_suspend, and the address is not here
	kept      bool // it was there before the last reload

	// mark stands for the group's addresses when nftables marks packets; 0: not.
	mark uint32
}

// server is a real server at run time.
type server struct {
	svc    *service
	cfg    *ServerConfig
	name   string
	base   uint32 // the configured weight, or what SNMP set
	alive  bool
	since  time.Time // of alive
	kept   bool      // it was there before the last reload
	before int64     // its weight then
	failed int       // checks that are not up
	checks []*check
}

// check is one check of one server at run time.
type check struct {
	id  CheckID
	srv *server
	cfg *CheckConfig

	up, hasRun bool
	failures   uint32 // in a row
	weight     int64  // what it adds to the server's weight

	code    int  // last exit status of a MISC_CHECK, counted as 1 after a failure
	fault   bool // the last attempt failed for a local reason
	restart bool // after a reload: the schedule must hear of it
	http    httpState

	stats CheckStats
}

// weight is what the server counts for: the configured weight and what its
// checks add, within the kernel's range.
func (s *server) weight() int64 {
	w := int64(s.base)
	for _, c := range s.checks {
		w += c.weight
	}
	return min(max(w, 0), ipvs.MaxWeight)
}

// serves reports whether the server gets connections: while the sorry server is
// in use none does.
func (s *server) serves() bool { return s.alive && !s.svc.sorry }

// listed reports whether the server is in the kernel's table, be it with
// weight 0.
func (s *server) listed() bool { return s.serves() || s.cfg.InhibitOnFailure }

// counts how many of a service's servers are alive.
func (s *service) aliveServers() int {
	n := 0
	for _, srv := range s.servers {
		if srv.alive {
			n++
		}
	}
	return n
}

// recount says how many checks are failed, from scratch.
func (s *server) recount() {
	s.failed = 0
	for _, c := range s.checks {
		if !c.up {
			s.failed++
		}
	}
}

// clocked reports whether the check runs by the clock; FILE_CHECK and
// BFD_CHECK are told.
func (c *check) clocked() bool {
	switch c.cfg.Spec.(type) {
	case FileCheck, BFDCheck:
		return false
	}
	return true
}

// transition takes the verdict of a check to its server: the server is up when
// none of its checks is failed. first says that it is the check's first verdict.
func (p *Pool) transition(c *check, up, first bool, res Result) {
	srv, was := c.srv, c.srv.alive
	if up == c.up {
		// An alpha server that is dead from the start has nothing to lose, but
		// scripts and FIFOs are told once. keepalived: a mail is for a change.
		if first && (c.cfg.Schedule.Alpha || !up) {
			p.serverNotice(srv, up)
		}
		return
	}
	c.up = up
	if up {
		srv.failed--
	} else {
		srv.failed++
	}
	switch {
	case up && srv.failed == 0:
		p.bringUp(srv)
	case !up && srv.failed == 1:
		p.takeDown(srv)
	}
	if srv.alive != was || !p.opt.NoCheckerEmails {
		p.checkMail(c, up, res)
	}
}

func (p *Pool) bringUp(srv *server) {
	if srv.alive {
		return
	}
	p.log(textServerUp(srv))
	srv.alive, srv.since = true, p.now
	p.changed(srv.svc)
	p.serverNotice(srv, true)
	p.weigh(srv.svc, false)
}

func (p *Pool) takeDown(srv *server) {
	if !srv.alive {
		return
	}
	p.log(textServerDown(srv))
	srv.alive, srv.since = false, p.now
	p.changed(srv.svc)
	p.serverNotice(srv, false)
	p.weigh(srv.svc, false)
}

// addWeight sets what a check adds to its server's weight.
func (p *Pool) addWeight(c *check, w int64) {
	before := c.srv.weight()
	c.weight = w
	p.reweighed(c.srv, before)
}

// reweighed follows a change of a server's weight from before.
func (p *Pool) reweighed(srv *server, before int64) {
	after := srv.weight()
	if after == before {
		return
	}
	p.log(textWeight(srv, before, after))
	p.changed(srv.svc)
	p.weigh(srv.svc, false)
}

func (p *Pool) serverNotice(srv *server, up bool) {
	p.emit(ServerNotice{Service: srv.svc.cfg, Server: srv.cfg, Up: up,
		Alive: srv.svc.aliveServers(), Total: len(srv.svc.servers)})
}

// checkMail tells of a check's verdict; the subject names the state of the
// server after it.
func (p *Pool) checkMail(c *check, up bool, res Result) {
	body := mailBody(c, up, res)
	if !c.srv.cfg.SMTPAlert || body == "" {
		return
	}
	p.emit(Mail{Subject: p.serverSubject(c.srv, c.srv.alive), Body: body})
}

// after is the next run d from now, of the url in turn.
func (c *check) after(now time.Time, d time.Duration) Next {
	return Next{At: now.Add(d), Step: c.http.url}
}
