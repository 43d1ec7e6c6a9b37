package checker

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/keepalived-go/keepalived/ipvs"
)

// groupProtocol is what nftables_ipvs gives one mark to.
type groupProtocol struct {
	group    string
	protocol ipvs.Protocol
}

// Want is what the kernel should have: every service of every virtual server
// with the servers that belong into its table now. A service that several
// virtual servers share (a mark in a group) has the servers of all.
func (p *Pool) Want() []ipvs.Service {
	var t table
	for _, s := range p.services {
		t.add(s, nil)
	}
	return t.services
}

// WantFor is the part of Want that concerns one virtual server.
func (p *Pool) WantFor(id ServiceID) []ipvs.Service {
	s := p.byID[id]
	if s == nil {
		return nil
	}
	var t table
	t.add(s, nil)
	if s.cfg.Target == ByAddr {
		return t.services
	}
	only := map[ipvs.Key]bool{}
	for _, w := range t.services {
		only[w.Key] = true
	}
	t = table{}
	for _, o := range p.services {
		if o == s || o.cfg.Target != ByAddr {
			t.add(o, only)
		}
	}
	return t.services
}

// table collects services.
type table struct {
	services []ipvs.Service
	index    map[ipvs.Key]int
}

// add puts the services of one virtual server into the table, only those of
// the keys in only unless that is nil.
func (t *table) add(s *service, only map[ipvs.Key]bool) {
	servers := s.tableServers()
	for _, k := range s.keys() {
		if only != nil && !only[k] {
			continue
		}
		i, ok := t.index[k]
		if !ok {
			i = len(t.services)
			if t.index == nil {
				t.index = map[ipvs.Key]int{}
			}
			t.index[k] = i
			t.services = append(t.services, ipvs.Service{Key: k, Options: s.cfg.Options})
		}
		w := &t.services[i]
		w.Servers = slices.Grow(w.Servers, len(servers))
		for _, e := range servers {
			e.Addr = s.entryAddr(k, e.Addr, e.Forward)
			if ipvs.FamilyOf(e.Addr.Addr()) != k.Family && e.Forward != ipvs.TUN {
				continue // only a tunnel can carry one family in the other
			}
			w.Servers = append(w.Servers, e)
		}
		if ok {
			w.Servers = unique(w.Servers)
		}
	}
}

// entryAddr is the address of a server's entry in a service: in a group only NAT
// can lead to another port than the group's entry; a mark has none.
func (s *service) entryAddr(k ipvs.Key, addr netip.AddrPort, f ipvs.Forward) netip.AddrPort {
	if s.cfg.Target == ByGroup && f != ipvs.NAT || k.Mark == 0 && addr.Port() == 0 {
		return netip.AddrPortFrom(addr.Addr(), k.Port)
	}
	return addr
}

// unique keeps the heavier of two servers with the same address.
func unique(list []ipvs.Server) []ipvs.Server {
	slices.SortStableFunc(list, func(a, b ipvs.Server) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(b.Weight, a.Weight))
	})
	return slices.CompactFunc(list, func(a, b ipvs.Server) bool { return a.Addr == b.Addr })
}

// tableServers are the servers that belong into the kernel's table now:
//
//	                  quorum held      sorry server in use
//	alive             weight           out (inhibit: weight 0)
//	not alive         out (inhibit: weight 0)
func (s *service) tableServers() []ipvs.Server {
	list := make([]ipvs.Server, 0, len(s.servers)+1)
	sorry, hasSorry := s.sorryServer()
	for _, srv := range s.servers {
		if !srv.listed() {
			continue
		}
		e := ipvs.Server{
			Addr: srv.cfg.Addr, Forward: srv.cfg.Forward.Method, Tunnel: srv.cfg.Forward.Tunnel,
			Upper: srv.cfg.UpperThreshold, Lower: srv.cfg.LowerThreshold,
		}
		if srv.serves() {
			e.Weight = uint32(srv.weight())
		}
		if hasSorry && sorry.Addr == e.Addr {
			// A real server that is the sorry server too is listed once.
			e.Weight = max(e.Weight, sorry.Weight)
			hasSorry = false
		}
		list = append(list, e)
	}
	if hasSorry {
		list = append(list, sorry)
	}
	return list
}

// keys are the kernel's services of a virtual server: of a group one per
// address and mark, addresses first.
func (s *service) keys() []ipvs.Key {
	switch s.cfg.Target {
	case ByAddr:
		return []ipvs.Key{ipvs.AddrKey(s.cfg.Protocol, s.cfg.Addr)}
	case ByMark:
		return []ipvs.Key{ipvs.MarkKey(s.cfg.Family, s.cfg.Mark)}
	}
	var list []ipvs.Key
	if s.group == nil {
		return nil
	}
	if s.mark != 0 {
		v4, v6 := s.group.Families()
		if v4 {
			list = append(list, ipvs.MarkKey(ipvs.IPv4, s.mark))
		}
		if v6 {
			list = append(list, ipvs.MarkKey(ipvs.IPv6, s.mark))
		}
		return list
	}
	for _, e := range s.group.Entries {
		if e.IsMark() {
			continue
		}
		for a := e.First; a.IsValid() && a.Compare(e.Last) <= 0; a = a.Next() {
			list = append(list, ipvs.AddrKey(s.cfg.Protocol, netip.AddrPortFrom(a, e.Port)))
		}
	}
	for _, e := range s.group.Entries {
		if e.IsMark() {
			list = append(list, ipvs.MarkKey(s.markFamily(e), e.Mark))
		}
	}
	return list
}

// markFamily is the family of a mark in a group: its own, else that of the
// virtual server, else that of the first server that is not tunnelled.
func (s *service) markFamily(e GroupEntry) ipvs.Family {
	if e.MarkFamily != 0 {
		return e.MarkFamily
	}
	if s.cfg.Family != 0 {
		return s.cfg.Family
	}
	for _, srv := range s.servers {
		if srv.cfg.Forward.Method != ipvs.TUN {
			return ipvs.FamilyOf(srv.cfg.Addr.Addr())
		}
	}
	return ipvs.IPv4
}

// MarkedGroup is a group whose addresses nftables is to mark.
type MarkedGroup struct {
	Group    *Group
	Protocol ipvs.Protocol
	Mark     uint32
}

// MarkedGroups lists the groups that nftables_ipvs turns into marks, each once
// per protocol, in file order of the virtual servers. Empty without
// nftables_ipvs.
func (p *Pool) MarkedGroups() []MarkedGroup {
	var list []MarkedGroup
	for _, s := range p.services {
		if s.mark == 0 {
			continue
		}
		m := MarkedGroup{Group: s.group, Protocol: s.cfg.Protocol, Mark: s.mark}
		if !slices.ContainsFunc(list, func(o MarkedGroup) bool { return o.Mark == m.Mark }) {
			list = append(list, m)
		}
	}
	return list
}

// assignMark takes a mark for a group without marks of its own, the same one
// for the life of the process.
func (p *Pool) assignMark(s *service) {
	if p.opt.FirstMark == 0 || s.group == nil {
		return
	}
	for _, e := range s.group.Entries {
		if e.IsMark() {
			return
		}
	}
	k := groupProtocol{s.group.Name, s.cfg.Protocol}
	if p.marks[k] == 0 {
		p.lastMark = max(p.lastMark+1, p.opt.FirstMark)
		p.marks[k] = p.lastMark
	}
	s.mark = p.marks[k]
}
