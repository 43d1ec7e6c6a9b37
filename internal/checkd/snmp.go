package checkd

import (
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/ipvs"
)

// snmp is the subagent of the checker's branch, and of the global one. It
// belongs to the loop.
type snmp struct {
	agent  *agentx.Agent
	socket string
	traps  bool
}

// set connects to the master agent or leaves it, as the configuration in force
// wants.
func (s *snmp) set(d *daemon) {
	g := &d.conf.Global
	s.traps = g.Traps
	want := g.SNMPChecker || d.child.Options.SNMP
	if s.agent != nil && (!want || g.SNMPSocket != s.socket) {
		go s.agent.Close(stopWait)
		s.agent = nil
	}
	s.socket = g.SNMPSocket
	if want && s.agent == nil {
		s.agent = agentx.New(agentx.Config{
			Socket: s.socket, Name: "Healthcheckers", Log: log.Info,
			Regions: []agentx.Region{
				{OID: report.MIBGlobal, Name: "The MIB module for Keepalived"},
				{OID: report.MIBChecker, Name: "The MIB module for Healthchecker"},
			},
			View: d.snmpView, Set: d.snmpSet,
		})
	}
}

// snmpView gathers everything there is to see. It is called by the agent's
// goroutine; the loop only makes the snapshot.
func (d *daemon) snmpView() agentx.View {
	c, ok := d.gathered(func(g *configparse.Global) time.Duration { return min(g.SNMPVSInterval, g.SNMPRSInterval) })
	if !ok {
		return nil
	}
	view := append(report.GlobalMIB(c.Config), c.MIB()...)
	view.Sort()
	return view
}

// gathered is a snapshot of the process with the kernel's counters, which may be
// as old as the configuration says. It waits for the loop and the kernel, so it
// is for other goroutines.
func (d *daemon) gathered(age func(*configparse.Global) time.Duration) (report.Checker, bool) {
	type state struct {
		report.Checker
		netns string
		there bool
	}
	got := make(chan state, 1)
	go d.loop.Post(func(time.Time) {
		got <- state{report.Checker{Config: d.conf, Services: d.pool.Snapshot()}, d.ipvsNamespace(), d.table.k != nil}
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s := <-got:
		if s.there {
			s.Counters = d.meter.read(s.netns, serviceKeys(s.Services), age(&s.Config.Global))
		}
		return s.Checker, true
	case <-d.loop.Done():
	case <-timer.C:
	}
	return report.Checker{}, false
}

func serviceKeys(services []checker.ServiceState) []ipvs.Key {
	var keys []ipvs.Key
	for i := range services {
		keys = append(keys, services[i].Keys...)
	}
	return keys
}

// snmpSet checks and changes the weight of a real server, the only object of
// this branch that can be set. Nothing is stored: a reload brings the configured
// weight back.
func (d *daemon) snmpSet(v agentx.Variable, commit bool) agentx.Error {
	column := report.MIBChecker.Append(4, 1, 7)
	switch {
	case !v.OID.HasPrefix(column) || len(v.OID) != len(column)+2:
		return agentx.NotWritable
	case v.Value.Kind != agentx.KindInteger:
		return agentx.WrongType
	case v.Value.Int() < 0:
		return agentx.WrongValue
	}
	service, server := int(v.OID[len(column)])-1, int(v.OID[len(column)+1])-1
	status := make(chan agentx.Error, 1)
	go d.loop.Post(func(time.Time) {
		all := d.pool.Snapshot()
		if service < 0 || service >= len(all) || server < 0 || server >= len(all[service].Servers) {
			status <- agentx.NotWritable // the sorry server, or no row at all
			return
		}
		s := &all[service]
		if commit && !d.pool.SetWeight(s.ID, s.Servers[server].Config.Addr, uint32(v.Value.Int())) {
			status <- agentx.CommitFailed
			return
		}
		status <- agentx.NoError
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s := <-status:
		return s
	case <-d.loop.Done():
	case <-timer.C:
	}
	return agentx.CommitFailed
}

func (s *snmp) server(d *daemon, n checker.ServerNotice) {
	if s.agent != nil && s.traps {
		s.send(report.ServerTrap(n, d.conf.Global.RouterID))
	}
}

func (s *snmp) quorum(d *daemon, n checker.QuorumNotice) {
	if s.agent != nil && s.traps {
		s.send(report.QuorumTrap(n, d.conf.Global.RouterID))
	}
}

func (s *snmp) send(t report.Trap) { s.agent.Notify(t.OID, t.Vars...) }
