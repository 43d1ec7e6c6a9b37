package report

import (
	"fmt"
	"time"

	"github.com/keepalived-go/keepalived/checker"
)

// CheckerStatus is the checker process's answer to `keepalivedctl status`.
type CheckerStatus struct {
	Now      time.Time       `json:"now"`
	IPVS     string          `json:"ipvs"` // "ok", or what is missing
	Services []ServiceStatus `json:"services"`
	Warnings []string        `json:"warnings,omitempty"`
}

// ServiceStatus is one virtual server.
type ServiceStatus struct {
	Name      string         `json:"name"`
	Quorum    bool           `json:"quorum"`
	Sorry     bool           `json:"sorry_server_in_use,omitempty"`
	Suspended bool           `json:"ha_suspended,omitempty"`
	Alive     int            `json:"alive"`
	Weight    uint64         `json:"weight"`
	Servers   []ServerStatus `json:"servers"`
}

// ServerStatus is one real server.
type ServerStatus struct {
	Name    string        `json:"name"`
	Alive   bool          `json:"alive"`
	Since   time.Time     `json:"since,omitzero"` // of Alive
	Weight  int64         `json:"weight"`
	InTable bool          `json:"in_table"`
	Checks  []CheckStatus `json:"checks,omitempty"`

	Active   *uint32 `json:"active_connections,omitempty"`
	Inactive *uint32 `json:"inactive_connections,omitempty"`
}

// CheckStatus is one check of a real server.
type CheckStatus struct {
	Kind     string    `json:"kind"`
	Up       bool      `json:"up"`
	Runs     uint64    `json:"runs"`
	Failures uint64    `json:"failures"`
	Local    uint64    `json:"local_faults,omitempty"`
	Last     string    `json:"last"` // in words
	LastAt   time.Time `json:"last_at,omitzero"`
	Next     time.Time `json:"next,omitzero"`
}

// CheckerStatusOf makes the status of the checker process. next tells when a
// check is due; it may be nil.
func CheckerStatusOf(services []checker.ServiceState, now time.Time, next func(checker.CheckID) time.Time) CheckerStatus {
	s := CheckerStatus{Now: now, IPVS: "ok"}
	for i := range services {
		st := &services[i]
		v := ServiceStatus{
			Name: st.Config.String(), Quorum: st.Quorum, Sorry: st.Sorry, Suspended: st.Suspended,
			Alive: st.Alive, Weight: st.WeightSum,
		}
		for _, srv := range st.Servers {
			v.Servers = append(v.Servers, serverStatus(srv, st.Config, next))
		}
		s.Services = append(s.Services, v)
	}
	return s
}

func serverStatus(srv checker.ServerState, service *checker.ServiceConfig, next func(checker.CheckID) time.Time) ServerStatus {
	v := ServerStatus{Name: checker.ServerName(srv.Config.Addr, service.Protocol),
		Alive: srv.Alive, Since: srv.Since, Weight: srv.Weight, InTable: srv.Set}
	for _, c := range srv.Checks {
		k := CheckStatus{
			Kind: c.Config.Spec.Keyword(), Up: c.Up, Runs: c.Stats.Runs, Failures: c.Stats.Failures,
			Local: c.Stats.LocalFaults, LastAt: c.Stats.LastAt, Last: "has not run yet",
		}
		if c.HasRun {
			k.Last = lastResult(c.Stats.Last)
		}
		if next != nil {
			k.Next = next(c.ID)
		}
		v.Checks = append(v.Checks, k)
	}
	return v
}

// lastResult is the end of a check in words.
func lastResult(r checker.Result) string {
	if r.Text == "" {
		return fmt.Sprint(r.Reason)
	}
	return fmt.Sprintf("%s: %s", r.Reason, r.Text)
}

// AddCounters adds what the kernel tells of the connections of each server;
// services are those that the status was made of.
func (s *CheckerStatus) AddCounters(services []checker.ServiceState, n Counters) {
	for i := range services {
		for j := range services[i].Servers {
			if c, ok := n.Server(&services[i], services[i].Servers[j].Config.Addr); ok {
				v := &s.Services[i].Servers[j]
				v.Active, v.Inactive = &c.Active, &c.Inactive
			}
		}
	}
}
