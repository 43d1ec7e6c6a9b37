package report

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Tables of the VRRP branch; the numbers are the MIB's.
func vrrpTable(n uint32) agentx.OID { return MIBVRRP.Append(n) }

// MIB is the VRRP branch of KEEPALIVED-MIB. Indices count from 1 in the order
// of the configuration.
func (v VRRP) MIB() agentx.View {
	m := new(mib)
	for i := range v.Snapshot.Groups {
		v.groupRows(m, uint32(i+1), &v.Snapshot.Groups[i])
	}
	for i := range v.Snapshot.Instances {
		in, index := &v.Snapshot.Instances[i], uint32(i+1)
		v.instanceRow(m, index, in)
		v.trackRows(m, index, in.Config)
		v.addressRows(m, index, in)
		for j := range in.Config.Routes {
			v.routeRow(m, index, uint32(j+1), &in.Config.Routes[j], in.State == vrrp.Master)
		}
		for j := range in.Config.Rules {
			ruleRow(m, index, uint32(j+1), &in.Config.Rules[j], in.State == vrrp.Master)
		}
	}
	v.objectRows(m)
	m.view.Sort()
	return m.view
}

// ifIndex is the index of a link, 0 if there is none of that name.
func (v VRRP) ifIndex(name string) uint32 {
	for i := range v.Links {
		if v.Links[i].Name == name {
			return uint32(v.Links[i].Index)
		}
	}
	return 0
}

func (v VRRP) groupRows(m *mib, index uint32, g *vrrp.GroupSnapshot) {
	c := g.Config
	r := m.row(vrrpTable(1), index)
	r.text(2, g.Name)
	r.put(3, agentx.Integer(int(g.State)))
	r.put(4, truth(c.Notify.SMTPAlert))
	r.put(5, truth(hasScript(&c.Notify)))
	r.text(6, scriptLine(c.Notify.Master))
	r.text(7, scriptLine(c.Notify.Backup))
	r.text(8, scriptLine(c.Notify.Fault))
	r.text(9, scriptLine(c.Notify.Any))
	r.put(10, truth(c.TrackWeights))
	r.text(11, scriptLine(c.Notify.Stop))
	for i, name := range c.Members {
		m.row(vrrpTable(2), index, uint32(i+1)).text(2, name)
	}
	for _, t := range c.TrackInterfaces {
		r := m.row(vrrpTable(14), index, v.ifIndex(t.Name))
		r.text(1, t.Name)
		r.put(2, agentx.Integer(t.Weight))
		r.put(3, truth(t.Reverse))
	}
	trackedRows(m, vrrpTable(15), index, c.TrackScripts)
	trackedRows(m, vrrpTable(16), index, c.TrackFiles)
	trackedRows(m, vrrpTable(19), index, c.TrackBFD)
	trackedRows(m, vrrpTable(22), index, c.TrackProcesses)
}

// trackedRows are the rows of one of the tables of tracked objects.
func trackedRows(m *mib, table agentx.OID, index uint32, list []vrrp.Track) {
	for i, t := range list {
		r := m.row(table, index, uint32(i+1))
		r.text(2, t.Name)
		r.put(3, agentx.Integer(t.Weight))
		r.put(4, truth(t.Reverse))
	}
}

func (v VRRP) trackRows(m *mib, index uint32, c *vrrp.InstanceConfig) {
	for _, t := range c.TrackInterfaces {
		r := m.row(vrrpTable(4), index, v.ifIndex(t.Name))
		r.text(1, t.Name)
		r.put(2, agentx.Integer(t.Weight))
		r.put(3, agentx.Integer(1+bit(!t.Reverse)))
	}
	trackedRows(m, vrrpTable(5), index, c.TrackScripts)
	trackedRows(m, vrrpTable(12), index, c.TrackFiles)
	trackedRows(m, vrrpTable(17), index, c.TrackBFD)
	trackedRows(m, vrrpTable(20), index, c.TrackProcesses)
}

func (v VRRP) instanceRow(m *mib, index uint32, in *vrrp.InstanceSnapshot) {
	c, r := in.Config, m.row(vrrpTable(3), index)
	r.text(2, in.Name)
	r.put(3, agentx.Gauge(c.VRID))
	r.put(4, agentx.Integer(int(in.State)))
	r.put(5, agentx.Integer(initialState(c)))
	r.put(6, agentx.Integer(int(in.Wanted)))
	r.put(7, agentx.Integer(int(c.Priority)))
	r.put(8, agentx.Integer(int(in.Priority)))
	r.put(9, truth(in.Holding))
	r.text(10, c.Interface)
	own := func(t vrrp.Track) bool { return t.Name == c.Interface }
	r.put(11, truth(slices.ContainsFunc(c.TrackInterfaces, own)))
	if c.Version == 3 {
		r.put(12, agentx.Gauge(int64(c.AdvertInterval/(10*time.Millisecond))))
	} else {
		r.put(12, agentx.Gauge(seconds(c.AdvertInterval)))
	}
	r.put(13, truth(!c.NoPreempt))
	r.put(14, agentx.Gauge(seconds(c.PreemptDelay)))
	r.put(15, agentx.Integer(int(c.Auth.Type)))
	v.syncColumns(r, c)
	r.text(18, in.Group)
	r.put(19, agentx.Gauge(seconds(c.GARP.Delay)))
	r.put(20, truth(c.Notify.SMTPAlert))
	r.put(21, truth(hasScript(&c.Notify)))
	r.text(22, scriptLine(c.Notify.Master))
	r.text(23, scriptLine(c.Notify.Backup))
	r.text(24, scriptLine(c.Notify.Fault))
	r.text(25, scriptLine(c.Notify.Stop))
	r.text(26, scriptLine(c.Notify.Any))
	// The reference answers 0 or 1 here, not TruthValue, and always 0 for
	// version 2.
	r.put(27, agentx.Integer(bit(c.Version == 3 && !c.NoAccept)))
	r.put(28, truth(c.PromoteAddrs))
	r.put(29, truth(c.LinkBeat))
	r.put(30, agentx.Integer(int(c.Version)))
	r.text(31, scriptLine(c.Notify.RxLowerPrio))
	r.text(32, scriptLine(c.Notify.Deleted))
	r.put(33, truth(c.Notify.DeletedSet))
	if !c.Unicast && c.Destination.IsValid() {
		r.put(34, addressType(c.IPv6))
		r.address(35, c.Destination)
	}
	r.put(36, truth(c.ChecksumAsV2))
}

func (v VRRP) syncColumns(r row, c *vrrp.InstanceConfig) {
	d := v.Config.VRRP.SyncDaemon
	mine := d != nil && d.Instance == c.Name
	r.put(16, truth(mine))
	if mine {
		r.text(17, d.Interface)
	}
}

func initialState(c *vrrp.InstanceConfig) int {
	if c.WantMaster {
		return int(vrrp.Master)
	}
	return int(vrrp.Backup)
}

func (v VRRP) addressRows(m *mib, index uint32, in *vrrp.InstanceSnapshot) {
	c, n := in.Config, uint32(0)
	for i, list := range [][]vrrp.Address{c.Addresses, c.Excluded} {
		for _, a := range list {
			n++
			r := m.row(vrrpTable(6), index, n)
			addr := a.Prefix.Addr()
			r.put(2, addressType(addr.Is6()))
			r.address(3, addr)
			switch {
			case a.Broadcast.IsValid():
				r.address(4, a.Broadcast)
			case addr.Is4():
				r.address(4, netip.IPv4Unspecified())
			}
			r.put(5, agentx.Gauge(a.Prefix.Bits()))
			r.put(6, scopeNumber(a.Scope))
			device := a.Interface
			if device == "" {
				device = c.Device
			}
			if device == "" {
				device = c.Interface
			}
			r.put(7, agentx.Integer(int(v.ifIndex(device))))
			r.text(8, device)
			r.text(9, a.Label)
			r.put(10, truth(in.Holding))
			r.put(11, truth(i == 0))
			if a.Peer.IsValid() {
				r.address(12, a.Peer.Addr())
			}
		}
	}
}

// objectRows are the tables of what can be tracked.
func (v VRRP) objectRows(m *mib) {
	c := &v.Config.VRRP
	for i := range c.Scripts {
		s, st := &c.Scripts[i], v.Scripts[c.Scripts[i].Name]
		r := m.row(vrrpTable(9), uint32(i+1))
		r.text(2, s.Name)
		r.text(3, scriptLine(&s.Command))
		r.put(4, agentx.Integer(int(seconds(s.Interval))))
		r.put(5, agentx.Integer(s.Weight))
		r.put(6, agentx.Integer(scriptResult(st)))
		r.put(7, agentx.Gauge(s.Rise))
		r.put(8, agentx.Gauge(s.Fall))
		r.put(9, truth(s.Reverse))
		path := st.Path
		if path == "" && len(s.Command.Argv) > 0 {
			path = s.Command.Argv[0]
		}
		r.text(10, path)
		r.put(11, agentx.Gauge(s.Interval.Microseconds()))
		r.put(12, agentx.Gauge(s.Timeout.Microseconds()))
	}
	for i := range c.Files {
		f, r := &c.Files[i], m.row(vrrpTable(13), uint32(i+1))
		r.text(2, f.Name)
		r.text(3, f.Path)
		r.put(4, agentx.Integer(v.Files[f.Name]))
		r.put(5, agentx.Integer(f.Weight))
		r.put(6, truth(f.Reverse))
	}
	for i, name := range c.BFD {
		r := m.row(vrrpTable(18), uint32(i+1))
		r.text(2, name)
		r.put(3, agentx.Integer(bit(v.BFD[name])))
		for j := range v.Config.BFD {
			if b := &v.Config.BFD[j]; b.Name == name {
				r.put(4, agentx.Integer(b.Weight))
				r.put(5, truth(b.Reverse))
			}
		}
	}
	for i := range c.Processes {
		v.processRow(m.row(vrrpTable(21), uint32(i+1)), &c.Processes[i])
	}
}

// scriptResult is {1 init, 2 bad, 3 good, 5 initfailed}.
func scriptResult(s ScriptState) int {
	switch {
	case s.Init == "INIT/FAILED":
		return 5
	case strings.HasPrefix(s.Init, "INIT"):
		return 1
	case s.Good:
		return 3
	}
	return 2
}

func (v VRRP) processRow(r row, p *vrrp.ProcessConfig) {
	st := v.Processes[p.Name]
	r.text(2, p.Name)
	r.text(3, p.Path)
	r.text(4, strings.Join(p.Params, " "))
	r.put(5, agentx.Integer([]int{0, 1, 3, 2}[p.Match&3])) // the MIB has partial before initial
	r.put(6, agentx.Integer(p.Weight))
	r.put(7, truth(p.Reverse))
	r.put(8, agentx.Gauge(p.Quorum))
	r.put(9, agentx.Integer(p.QuorumMax))
	r.put(10, agentx.Gauge(p.ForkDelay.Microseconds()))
	r.put(11, agentx.Gauge(p.TerminateDelay.Microseconds()))
	r.put(12, truth(p.FullCommand))
	r.put(13, agentx.Integer(st.Current))
	r.put(14, truth(st.Quorum))
}
