package vrrpd

import (
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/vrrp"
)

// viewWait is how long the agent waits for the loop to gather a view.
const viewWait = 2 * time.Second

// snmp is the subagent and what the configuration wants of it. It belongs to
// the loop.
type snmp struct {
	agent *agentx.Agent
	want  snmpWant
}

// snmpWant says what SNMP shows; a change of it means a new agent.
type snmpWant struct {
	socket                         string
	global, vrrp, rfc2787, rfc6527 bool
	traps                          bool
}

func (w snmpWant) any() bool { return w.vrrp || w.rfc2787 || w.rfc6527 }

// snmpWanted reads the configuration and the options: -x is all but the traps.
func (d *daemon) snmpWanted() snmpWant {
	g, all := &d.conf.Global, d.child.Options.SNMP
	w := snmpWant{
		socket: g.SNMPSocket, vrrp: g.SNMPVRRP || all, rfc2787: g.SNMPRFCv2 || all, rfc6527: g.SNMPRFCv3 || all,
		traps: g.Traps,
	}
	// The global branch is the checker's where that has SNMP.
	checker := (g.SNMPChecker || all) && d.conf.HasChecker && !d.child.Options.NoChecker
	w.global = w.vrrp && !checker
	return w
}

// setSNMP connects to the master agent or leaves it, as the configuration in
// force wants.
func (d *daemon) setSNMP() {
	want := d.snmpWanted()
	if want == d.snmp.want {
		return
	}
	if old := d.snmp.agent; old != nil {
		go old.Close(stopWait)
	}
	d.snmp = snmp{want: want}
	if !want.any() {
		return
	}
	var regions []agentx.Region
	for _, r := range []struct {
		on   bool
		oid  agentx.OID
		name string
	}{
		{want.global, report.MIBGlobal, "Keepalived"},
		{want.vrrp, report.MIBVRRP, "KEEPALIVED-VRRP"},
		{want.rfc2787, report.MIBRFC2787, "VRRP"},
		{want.rfc6527, report.MIBRFC6527, "VRRPV3"},
	} {
		if r.on {
			regions = append(regions, agentx.Region{OID: r.oid, Name: "The MIB module for " + r.name})
		}
	}
	d.snmp.agent = agentx.New(agentx.Config{
		Socket: want.socket, Name: "Keepalived_vrrp", Regions: regions, Log: log.Info,
		View: func() agentx.View { return d.snmpView(want) },
		Set:  d.snmpSet,
	})
}

// snmpView gathers everything there is to see. It is called by the agent's
// goroutine; the loop only makes the snapshot.
func (d *daemon) snmpView(want snmpWant) agentx.View {
	got := make(chan report.VRRP, 1)
	go d.post(func(now time.Time) { got <- d.report(now, true) })
	timer := time.NewTimer(viewWait)
	defer timer.Stop()
	var v report.VRRP
	select {
	case v = <-got:
	case <-d.loop.Done():
		return nil
	case <-timer.C:
		return nil
	}
	var view agentx.View
	if want.global {
		view = append(view, report.GlobalMIB(v.Config)...)
	}
	if want.vrrp {
		view = append(view, v.MIB()...)
	}
	if want.rfc2787 {
		view = append(view, v.RFC2787(want.traps)...)
	}
	if want.rfc6527 {
		view = append(view, v.RFC6527()...)
	}
	view.Sort()
	return view
}

// snmpSet checks and changes a base priority, the only object that can be set.
func (d *daemon) snmpSet(v agentx.Variable, commit bool) agentx.Error {
	column := report.MIBVRRP.Append(3, 1, 7)
	switch {
	case !v.OID.HasPrefix(column) || len(v.OID) != len(column)+1:
		return agentx.NotWritable
	case v.Value.Kind != agentx.KindInteger:
		return agentx.WrongType
	case v.Value.Int() < 1 || v.Value.Int() > 254:
		return agentx.WrongValue
	case !commit:
		return agentx.NoError
	}
	status := make(chan agentx.Error, 1)
	go d.post(func(now time.Time) {
		snap := d.router.Snapshot(now)
		i := int(v.OID[len(column)]) - 1
		if i < 0 || i >= len(snap.Instances) || !d.router.SetBasePriority(now, snap.Instances[i].ID, uint8(v.Value.Int())) {
			status <- agentx.CommitFailed
			return
		}
		status <- agentx.NoError
	})
	select {
	case s := <-status:
		return s
	case <-d.loop.Done():
	case <-time.After(viewWait):
	}
	return agentx.CommitFailed
}

// entered sends the traps for a new state: ours, then the RFCs'.
func (s *snmp) entered(d *daemon, e vrrp.Entered) {
	if s.agent == nil || !s.want.traps {
		return
	}
	id := d.conf.Global.RouterID
	if e.Group {
		if s.want.vrrp {
			log.Detailf("VRRP_Group(%s): Sending SNMP notification", e.Name)
			s.send(report.GroupTrap(e.Name, e.State, id))
		}
		return
	}
	in, ok := d.router.InstanceSnapshot(e.Instance)
	if !ok { // deleted
		in.Config = &vrrp.InstanceConfig{Name: e.Name}
	}
	if s.want.vrrp {
		log.Detailf("(%s) Sending SNMP notification", e.Name)
		s.send(report.InstanceTrap(in.Config, e.State, id))
	}
	if e.State != vrrp.Master {
		return
	}
	link := uint32(d.links.index(in.Config.Interface))
	if s.want.rfc2787 && in.Config.Version == 2 && !in.Config.IPv6 {
		log.Detailf("(%s) Sending SNMP notification vrrpTrapNewMaster", e.Name)
		s.send(report.NewMaster2(&in, link))
	}
	if s.want.rfc6527 {
		log.Detailf("(%s) Sending SNMP notification vrrpv3NotifyNewMaster, reason %d", e.Name, in.MasterReason)
		s.send(report.NewMaster3(&in, link))
	}
}

// The packets that the RFCs have a trap for, with its numbers.
var (
	authFailures = map[vrrp.Drop]int{
		vrrp.DropAuthUnknown: 1, vrrp.DropAuthType: 2, vrrp.DropAHMissing: 2, vrrp.DropAHUnwanted: 2,
		vrrp.DropPassword: 3, vrrp.DropAHValue: 3, vrrp.DropAHSPI: 3, vrrp.DropAHSequence: 3,
	}
	protoErrors = map[vrrp.Drop]int{
		vrrp.DropTTL: 1, vrrp.DropPeerTTL: 1, vrrp.DropVersion: 2, vrrp.DropChecksum: 3, vrrp.DropUnknownVRID: 4,
	}
)

// rejected sends the trap for a packet that was refused, if there is one.
func (s *snmp) rejected(d *daemon, e vrrp.Rejected) {
	if s.agent == nil || !s.want.traps {
		return
	}
	in, ok := d.router.InstanceSnapshot(e.Instance)
	if !ok {
		return
	}
	if kind, isAuth := authFailures[e.Reason]; isAuth && s.want.rfc2787 && in.Config.Version == 2 && !in.Config.IPv6 {
		s.send(report.AuthFailure2(e.Source, kind))
	}
	if reason, isProto := protoErrors[e.Reason]; isProto && s.want.rfc6527 {
		s.send(report.ProtoError3(&in, uint32(d.links.index(in.Config.Interface)), reason))
	}
}

func (s *snmp) send(t report.Trap) { s.agent.Notify(t.OID, slices.Clone(t.Vars)...) }
