package configparse

import (
	"fmt"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/ipvs"
)

// Findings about virtual servers, checks and BFD.

// A dead server that is noticed later than this, or later than so many times
// the interval between checks, deserves a line.
const (
	slowDetection      = 30 * time.Second
	slowDetectionLoops = 3
)

func (a *adviser) services() {
	seen := map[string]*checker.ServiceConfig{}
	nodes := serviceNodes(a.c)
	for i := range a.c.Config.Checker.Services {
		s := &a.c.Config.Checker.Services[i]
		n := nodes[s.Line]
		key := fmt.Sprintf("%s/%d", s, s.Family)
		if first := seen[key]; first != nil {
			a.at(n, 1, "KG302", Caution, "the kernel knows only one of them: the second gets \"Service already exists\", and both change its servers",
				"virtual server %s is configured twice, first at %s", s, first.Line)
		} else {
			seen[key] = s
		}
		a.unchecked(s, n)
		a.detection(s, n)
		a.silentUDP(s, n)
		a.suspended(s, n)
	}
}

// serviceNodes finds the blocks by "FILE:LINE".
func serviceNodes(c *Checked) map[string]*node {
	all := map[string]*node{}
	for _, n := range c.root.find("virtual_server") {
		if n.at.file != nil {
			all[fmt.Sprintf("%s:%d", n.at.file.name, n.at.line)] = n
		}
	}
	return all
}

// unchecked: servers that are up whatever happens.
func (a *adviser) unchecked(s *checker.ServiceConfig, n *node) {
	count := 0
	for i := range s.Servers {
		if len(s.Servers[i].Checks) == 0 {
			count++
		}
	}
	if count > 0 {
		a.at(n, 0, "KG303", Caution, "a server without a check gets connections also while it is dead",
			"virtual server %s: %d of %d real servers have no check", s, count, len(s.Servers))
	}
}

// Detection is how long a server can be dead before a check fails it, and how
// that comes about.
func Detection(k *checker.CheckConfig) (worst time.Duration, how string) {
	s := &k.Schedule
	loops, wait := 1, time.Duration(0)
	switch spec := k.Spec.(type) {
	case checker.FileCheck, checker.BFDCheck:
		return 0, ""
	case checker.HTTPCheck:
		loops, wait = len(spec.URLs), spec.Connection.Timeout
	case checker.MiscCheck:
		// The next run counts from the start of this one.
		attempts := time.Duration(s.Retry) * max(s.DelayBeforeRetry, spec.Timeout)
		return s.DelayLoop + attempts + spec.Timeout,
			fmt.Sprintf("%s until the next run, %d attempts of up to %s", spell(s.DelayLoop), s.Retry+1, spell(spec.Timeout))
	default:
		wait = spec.Endpoint().Timeout
	}
	worst = time.Duration(loops)*s.DelayLoop + time.Duration(s.Retry)*(s.DelayBeforeRetry+wait) + wait
	how = spell(s.DelayLoop) + " until the next check"
	if loops > 1 {
		how = fmt.Sprintf("%d urls, one every %s", loops, spell(s.DelayLoop))
	}
	how += fmt.Sprintf(", %d attempts of up to %s", uint64(s.Retry)+1, spell(wait))
	if s.Retry > 0 {
		how += fmt.Sprintf(" with %s between them", spell(s.DelayBeforeRetry))
	}
	return worst, how
}

// detection tells the time of slow checks, once for a service and kind.
func (a *adviser) detection(s *checker.ServiceConfig, n *node) {
	type kind struct {
		keyword string
		worst   time.Duration
	}
	told := map[kind]bool{}
	for i := range s.Servers {
		r := &s.Servers[i]
		for j := range r.Checks {
			k := &r.Checks[j]
			worst, how := Detection(k)
			if worst <= slowDetection && (worst <= slowDetectionLoops*k.Schedule.DelayLoop || worst <= 10*time.Second) {
				continue
			}
			id := kind{k.Spec.Keyword(), worst}
			if told[id] {
				continue
			}
			told[id] = true
			a.at(a.checkNode(n, r, id.keyword), 0, "KG301", Caution, how,
				"virtual server %s: %s may notice a dead server only after %s", s, id.keyword, spell(worst))
		}
	}
}

// checkNode finds the block of a check.
func (a *adviser) checkNode(n *node, r *checker.ServerConfig, keyword string) *node {
	for _, server := range n.find("real_server") {
		if server.word(1) != r.Addr.Addr().String() {
			continue
		}
		if check := server.last(keyword); check != nil {
			return check
		}
	}
	return n
}

// silentUDP: a host that is switched off sends no ICMP error.
func (a *adviser) silentUDP(s *checker.ServiceConfig, n *node) {
	for i := range s.Servers {
		r := &s.Servers[i]
		for _, k := range r.Checks {
			u, ok := k.Spec.(checker.UDPCheck)
			if !ok || u.RequireReply {
				continue
			}
			a.at(a.checkNode(n, r, k.Spec.Keyword()), 0, "KG304", Caution,
				"without require_reply silence counts as success: only an ICMP error fails the check, and a host that is off sends none",
				"virtual server %s: UDP_CHECK without require_reply cannot notice a dead host", s)
			return
		}
	}
}

// suspended: checks wait for an address that nothing in this file brings.
func (a *adviser) suspended(s *checker.ServiceConfig, n *node) {
	if !s.HASuspend || s.Target != checker.ByAddr {
		return
	}
	v := &a.c.Config.VRRP
	for i := range v.Instances {
		for _, list := range [][]string{addressList(v.Instances[i].Addresses), addressList(v.Instances[i].Excluded)} {
			for _, addr := range list {
				if addr == s.Addr.Addr().String() {
					return
				}
			}
		}
	}
	a.at(n.last("ha_suspend"), 0, "KG305", Caution, "the checks run only while the host has the address",
		"virtual server %s: ha_suspend, but no vrrp_instance of this file has the address", s)
}

// sessions looks at BFD.
func (a *adviser) sessions() {
	for i := range a.c.Config.BFD {
		b := &a.c.Config.BFD[i]
		n := a.c.root.named("bfd_instance", b.Name)
		if b.Neighbor.Is6() && !b.Multihop && b.TTL != bfd.DefaultTTL {
			a.at(n, 0, "KG351", Caution, "RFC 5881 section 5 wants 255, so other implementations drop packets with less; keepalived's default for IPv6 is 64",
				"bfd_instance %s sends with hop limit %d", b.Name, b.TTL)
		}
	}
}

// serviceKey tells services apart as the kernel does, with the group's name
// for groups.
func serviceKey(s *checker.ServiceConfig) string {
	if s.Target == checker.ByMark {
		family := "inet"
		if s.Family == ipvs.IPv6 {
			family = "inet6"
		}
		return s.String() + " " + family
	}
	return s.String()
}
