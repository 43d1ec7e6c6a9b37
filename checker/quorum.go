package checker

import "github.com/keepalived-go/keepalived/ipvs"

// sum is the weight of the servers that are alive; a server of weight 0 does
// not count.
func (s *service) sum() uint64 {
	var n uint64
	for _, srv := range s.servers {
		if srv.alive {
			n += uint64(srv.weight())
		}
	}
	return n
}

// thresholds are the sums at which the quorum is gained and below which it is
// lost.
func (s *service) thresholds() (gain, lose uint64) {
	q, h := uint64(s.cfg.Quorum), uint64(s.cfg.Hysteresis)
	if h > q { // all weights are zero: Quorum 0, Hysteresis 4294967295
		return q + h, 0
	}
	return q + h, q - h
}

// weigh looks whether the quorum is held, and follows a change. init is the
// look at start and at reload; only then the sorry server of a quorum that was
// never held is put in.
func (p *Pool) weigh(s *service, init bool) {
	sum := s.sum()
	gain, lose := s.thresholds()
	switch {
	case !s.quorum && sum >= gain:
		s.quorum = true
		p.log(textGained(s, gain, sum))
		p.dismissSorry(s)
		p.quorumNotice(s, true, quorumBody(s, true, init, gain, sum))
	case s.quorum && (sum == 0 || sum < lose), init && !s.quorum && s.cfg.Sorry != nil && !s.sorry:
		s.quorum = false
		if init {
			lose = gain // keepalived names the sum that would be enough
		}
		p.log(textLost(s, init, lose, sum))
		p.callSorry(s)
		p.quorumNotice(s, false, quorumBody(s, false, init, lose, sum))
	}
}

// callSorry puts the sorry server in the place of the servers that are alive.
func (p *Pool) callSorry(s *service) {
	if s.cfg.Sorry == nil || s.sorry {
		return
	}
	p.log(textSorryIn(s))
	p.log(textAliveOut(s))
	s.sorry = true
	p.changed(s)
}

// dismissSorry takes it out again.
func (p *Pool) dismissSorry(s *service) {
	if !s.sorry {
		return
	}
	p.log(textSorryOut(s))
	p.log(textAliveIn(s))
	s.sorry = false
	p.changed(s)
}

func (p *Pool) quorumNotice(s *service, up bool, body string) {
	p.emit(QuorumNotice{Service: s.cfg, Up: up, Alive: s.aliveServers(), Total: len(s.servers)})
	if s.cfg.SMTPAlert {
		p.emit(Mail{Subject: p.serviceSubject(s, up), Body: body})
	}
}

// sorryServer is the entry of the sorry server in the kernel's table, if there
// is to be one.
func (s *service) sorryServer() (ipvs.Server, bool) {
	c := s.cfg.Sorry
	if c == nil || !s.sorry && !c.Inhibit {
		return ipvs.Server{}, false
	}
	e := ipvs.Server{Addr: c.Addr, Forward: c.Forward.Method, Tunnel: c.Forward.Tunnel}
	if s.sorry {
		e.Weight = 1
	}
	return e, true
}
