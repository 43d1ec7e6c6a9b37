package ipvs

import (
	"fmt"
	"net/netip"
)

// Verb is what an Op does.
type Verb uint8

// The verbs of Plan, in the order in which a plan has them, and Flush.
const (
	AddService Verb = iota
	AddServer
	EditService
	EditServer
	DeleteServer
	DeleteService
	Flush // the whole table, also what others put there
)

// Op is one change of the kernel's table.
type Op struct {
	Verb    Verb
	Service Key
	Options Options // AddService, EditService
	Server  Server  // AddServer, EditServer, DeleteServer
}

// Object gives what the change is about as kernel error lines write it:
// "10.0.0.1:tcp:80 -> 10.1.0.1:80"; empty for Flush.
func (op Op) Object() string {
	switch op.Verb {
	case Flush:
		return ""
	case AddServer, EditServer, DeleteServer:
		a := op.Server.Addr
		return fmt.Sprintf("%s -> %s:%d", op.Service, a.Addr(), a.Port())
	}
	return op.Service.String()
}

// Plan returns what turns have into want, in an order that drops no
// connection without need: what is new comes first, then what differs is
// changed in place, then what is gone is removed. A service or a server that
// stays is never removed and added again. A service that goes takes its
// servers with it in one operation. A service that is in have but not in want
// is removed, so the caller passes in have only what is its own.
//
// Within each kind the order is that of want (have for removals). Neither
// list may name a service twice, or a service a server twice.
func Plan(have, want []Service) []Op {
	present := make(map[Key]*Service, len(have))
	for i := range have {
		present[have[i].Key] = &have[i]
	}
	var create, change, remove []Op
	wanted := make(map[Key]bool, len(want))
	for i := range want {
		w := &want[i]
		wanted[w.Key] = true
		h := present[w.Key]
		if h == nil {
			create = append(create, Op{Verb: AddService, Service: w.Key, Options: w.Options})
			h = &Service{}
		} else if h.Options.normal() != w.Options.normal() {
			change = append(change, Op{Verb: EditService, Service: w.Key, Options: w.Options})
		}
		create, change, remove = planServers(h, w, create, change, remove)
	}
	for i := range have {
		if h := &have[i]; !wanted[h.Key] {
			remove = append(remove, Op{Verb: DeleteService, Service: h.Key})
		}
	}
	return append(append(create, change...), remove...)
}

// planServers appends what turns the servers of h into those of w.
func planServers(h, w *Service, create, change, remove []Op) (c, ch, r []Op) {
	old := finder{list: h.Servers}
	stays := make([]bool, len(h.Servers))
	for _, s := range w.Servers {
		i, ok := old.find(s.Addr)
		switch {
		case !ok:
			create = append(create, Op{Verb: AddServer, Service: w.Key, Server: s})
			continue
		case h.Servers[i] != s && h.Servers[i].normal() != s.normal():
			change = append(change, Op{Verb: EditServer, Service: w.Key, Server: s})
		}
		stays[i] = true
	}
	for i, s := range h.Servers {
		if !stays[i] {
			remove = append(remove, Op{Verb: DeleteServer, Service: w.Key, Server: s})
		}
	}
	return create, change, remove
}

// finder finds servers by address. Two lists of one service nearly always have
// the same order, so it looks at the next one first, and makes an index only
// when that is another.
type finder struct {
	list  []Server
	next  int
	index map[netip.AddrPort]int
}

func (f *finder) find(a netip.AddrPort) (i int, ok bool) {
	i, ok = f.next, f.next < len(f.list) && f.list[f.next].Addr == a
	if !ok && len(f.list) > 0 {
		if f.index == nil {
			f.index = make(map[netip.AddrPort]int, len(f.list))
			for k, s := range f.list {
				f.index[s.Addr] = k
			}
		}
		i, ok = f.index[a]
	}
	if ok {
		f.next = i + 1
	}
	return i, ok
}

// normal removes what has no effect, so that equal services compare equal.
func (o Options) normal() Options {
	o.Flags &= settableFlags
	if o.Persistence.Timeout == 0 {
		o.Persistence = Persistence{}
	}
	switch o.Persistence.Granularity {
	case 128, 0xffffffff: // the whole address, of either family
		o.Persistence.Granularity = 0
	}
	return o
}

// normal removes what has no effect, so that equal servers compare equal.
func (s Server) normal() Server {
	if s.Forward != TUN {
		s.Tunnel = Tunnel{}
	}
	if s.Tunnel.Type != GUE {
		s.Tunnel.Port = 0
	}
	if s.Tunnel.Type == IPIP {
		s.Tunnel.Flags = 0
	}
	return s
}
