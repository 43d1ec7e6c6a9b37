package checker

import (
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// CheckStats counts the attempts of one check since the process started.
type CheckStats struct {
	Runs, Failures, LocalFaults uint64
	Last                        Result
	LastAt                      time.Time // when it was reported
}

func (s *CheckStats) note(now time.Time, res Result) {
	s.Runs++
	switch {
	case res.Reason == OK:
	case res.Reason.Local():
		s.LocalFaults++
	default:
		s.Failures++
	}
	s.Last, s.LastAt = res, now
}

// ServiceState is what a user may see of one virtual server.
type ServiceState struct {
	ID        ServiceID
	Config    *ServiceConfig
	Keys      []ipvs.Key // its services in the kernel: of a group more than one
	Group     *Group     // nil unless Target is ByGroup
	Quorum    bool       // held
	Sorry     bool       // the sorry server is in use
	Suspended bool       // by ha_suspend
	Kept      bool       // it was there before the last reload
	WeightSum uint64     // of the servers that are alive
	Alive     int
	Mark      uint32 // of nftables_ipvs; 0: none
	Servers   []ServerState
}

// SorrySet reports whether the sorry server is in the kernel's table.
func (s *ServiceState) SorrySet() bool {
	return s.Config.Sorry != nil && (s.Sorry || s.Config.Sorry.Inhibit)
}

// Listed counts the servers in the kernel's table, the sorry server too.
func (s *ServiceState) Listed() int {
	n := 0
	for i := range s.Servers {
		if s.Servers[i].Set {
			n++
		}
	}
	if s.SorrySet() {
		n++
	}
	return n
}

// ServerState is what a user may see of one real server.
type ServerState struct {
	Config *ServerConfig
	Alive  bool
	Since  time.Time // of Alive
	Set    bool      // in the kernel's table
	Weight int64     // with what its checks add
	Kept   bool      // it was there before the last reload
	Before int64     // its weight then
	Failed int       // checks that are not up
	Checks []CheckState
}

// CheckState is what a user may see of one check.
type CheckState struct {
	ID       CheckID
	Config   *CheckConfig
	Up       bool
	HasRun   bool
	Failures uint32 // in a row
	Weight   int64  // what it adds to the weight
	URL      int    // HTTP: the url in turn
	Stats    CheckStats
}

// Snapshot is the state of every virtual server, in file order.
func (p *Pool) Snapshot() []ServiceState {
	out := make([]ServiceState, 0, len(p.services))
	for _, s := range p.services {
		st := ServiceState{ID: s.id, Config: s.cfg, Keys: s.keys(), Group: s.group, Quorum: s.quorum, Sorry: s.sorry, Suspended: s.suspended, Kept: s.kept,
			WeightSum: s.sum(), Alive: s.aliveServers(), Mark: s.mark}
		for _, srv := range s.servers {
			v := ServerState{Config: srv.cfg, Alive: srv.alive, Since: srv.since, Weight: srv.weight(), Failed: srv.failed,
				Kept: srv.kept, Before: srv.before, Set: srv.listed()}
			for _, c := range srv.checks {
				v.Checks = append(v.Checks, CheckState{ID: c.id, Config: c.cfg, Up: c.up, HasRun: c.hasRun,
					Failures: c.failures, Weight: c.weight, URL: c.http.url, Stats: c.stats})
			}
			st.Servers = append(st.Servers, v)
		}
		out = append(out, st)
	}
	return out
}
