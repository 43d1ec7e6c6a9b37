package checkd

import (
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
)

// snmpVersion is what SNMP shows as the version: the release whose behaviour
// this program has.
const snmpVersion = "v2.4.3"

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
	g, o := &d.conf.Global, &d.child.Options
	socket := g.SNMPSocket
	if o.SNMPSocket != "" {
		socket = o.SNMPSocket
	}
	s.traps = g.Traps
	want := g.SNMPChecker || o.SNMP
	if s.agent != nil && (!want || socket != s.socket) {
		go s.agent.Close(stopWait)
		s.agent = nil
	}
	s.socket = socket
	if want && s.agent == nil {
		s.agent = agentx.New(agentx.Config{
			Socket: socket, Name: "Healthcheckers", Log: log.Info,
			Regions: []agentx.Region{
				{OID: report.MIBGlobal, Name: "The MIB module for Keepalived"},
				{OID: report.MIBChecker, Name: "The MIB module for Healthchecker"},
			},
			View: d.snmpView,
		})
	}
}

// snmpView gathers everything there is to see. It is called by the agent's
// goroutine; the loop only makes the snapshot.
func (d *daemon) snmpView() agentx.View {
	got := make(chan report.Checker, 1)
	go d.loop.Post(func(time.Time) { got <- report.Checker{Config: d.conf, Services: d.pool.Snapshot()} })
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c := <-got:
		view := append(report.GlobalMIB(c.Config, snmpVersion), c.MIB()...)
		view.Sort()
		return view
	case <-d.loop.Done():
	case <-timer.C:
	}
	return nil
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
