package report

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/ipvs"
)

// schedulers are the numbers of the load balancing algorithms.
var schedulers = map[string]int{
	"rr": 1, "wrr": 2, "lc": 3, "wlc": 4, "lblc": 5, "lblcr": 6, "dh": 7, "sh": 8, "sed": 9, "nq": 10,
	"fo": 11, "ovf": 12, "mh": 13, "twos": 14,
}

const unknownScheduler = 99

// checkTable is a table of the checker's branch.
func checkTable(n uint32) agentx.OID { return MIBChecker.Append(n) }

// MIB is the checker's branch of KEEPALIVED-MIB.
func (c Checker) MIB() agentx.View {
	m := new(mib)
	for i := range c.Config.Checker.Groups {
		groupMembers(m, uint32(i+1), &c.Config.Checker.Groups[i])
	}
	for i := range c.Services {
		s, index := &c.Services[i], uint32(i+1)
		r := m.row(checkTable(3), index)
		serviceRow(r, s)
		if n, ok := c.Counters.Service(s); ok {
			serviceCounters.put(r, &n)
		}
		for j := range s.Servers {
			r := m.row(checkTable(4), index, uint32(j+1))
			serverRow(r, s, &s.Servers[j])
			if n, ok := c.Counters.Server(s, s.Servers[j].Config.Addr); ok {
				serverCounters.put(r, &n)
				r.put(15, agentx.Gauge(n.Active))
				r.put(16, agentx.Gauge(n.Inactive))
				r.put(17, agentx.Gauge(n.Persistent))
			}
		}
		if sorry := s.Config.Sorry; sorry != nil {
			r := m.row(checkTable(4), index, uint32(len(s.Servers)+1))
			r.put(2, agentx.Integer(2))
			endpoint(r, 3, sorry.Addr)
			r.put(6, truth(true))
			r.put(10, agentx.Integer(1+bit(sorry.Inhibit)))
			forwarding(r, 40, 52, sorry.Forward)
		}
	}
	c.syncDaemon(m)
	t := c.Config.Global.LVSTimeouts
	for i, d := range []time.Duration{t.TCP, t.TCPFin, t.UDP} {
		m.scalar(agentx.Integer(int(seconds(d))), MIBChecker, 7, uint32(i+1))
	}
	m.view.Sort()
	return m.view
}

func (c Checker) syncDaemon(m *mib) {
	d := c.Config.VRRP.SyncDaemon
	m.scalar(truth(d != nil), MIBChecker, 6, 1)
	if d == nil {
		return
	}
	m.scalar(agentx.String(d.Interface), MIBChecker, 6, 2)
	if d.Instance != "" {
		m.scalar(agentx.String(d.Instance), MIBChecker, 6, 3)
	}
	m.scalar(agentx.Integer(int(d.ID)), MIBChecker, 6, 4)
	m.scalar(agentx.Integer(int(d.MaxLen)), MIBChecker, 6, 5)
	m.scalar(agentx.Integer(int(d.Port)), MIBChecker, 6, 6)
	m.scalar(agentx.Integer(int(d.TTL)), MIBChecker, 6, 7)
	if d.Group.IsValid() {
		m.scalar(addressType(d.Group.Is6()), MIBChecker, 6, 8)
		m.scalar(agentx.Bytes(d.Group.AsSlice()), MIBChecker, 6, 9)
	}
}

func groupMembers(m *mib, index uint32, g *checker.Group) {
	m.row(checkTable(1), index).text(2, g.Name)
	for i, e := range g.Entries {
		r := m.row(checkTable(2), index, uint32(i+1))
		switch {
		case e.IsMark():
			r.put(2, agentx.Integer(1))
			r.put(3, agentx.Gauge(e.Mark))
			continue
		case e.First == e.Last:
			r.put(2, agentx.Integer(2))
			r.put(4, addressType(e.First.Is6()))
			r.address(5, e.First)
		default:
			r.put(2, agentx.Integer(3))
			r.put(4, addressType(e.First.Is6()))
			r.address(6, e.First)
			r.address(7, e.Last)
		}
		r.put(8, agentx.Gauge(e.Port))
	}
}

// endpoint adds address type, address and port.
func endpoint(r row, first uint32, a netip.AddrPort) {
	r.put(first, addressType(a.Addr().Is6()))
	r.address(first+1, a.Addr())
	r.put(first+2, agentx.Gauge(a.Port()))
}

// forwarding adds the method, {1 nat, 2 dr, 3 tun}, and of a tunnel its type,
// port and checksum.
func forwarding(r row, method, tunnel uint32, f checker.Forwarding) {
	switch f.Method {
	case ipvs.DR:
		r.put(method, agentx.Integer(2))
	case ipvs.TUN:
		r.put(method, agentx.Integer(3))
		r.put(tunnel, agentx.Integer(int(f.Tunnel.Type)+1))
		if f.Tunnel.Port != 0 {
			r.put(tunnel+1, agentx.Gauge(f.Tunnel.Port))
		}
		r.put(tunnel+2, agentx.Integer(int(f.Tunnel.Flags)+1))
	default:
		r.put(method, agentx.Integer(1))
	}
}

// protocolNumber is {1 tcp, 2 udp, 3 sctp, 4 none}.
func protocolNumber(p ipvs.Protocol) agentx.Value {
	switch p {
	case ipvs.TCP:
		return agentx.Integer(1)
	case ipvs.UDP:
		return agentx.Integer(2)
	case ipvs.SCTP:
		return agentx.Integer(3)
	}
	return agentx.Integer(4)
}

// target adds how a virtual server is addressed: type, then group, mark, or
// address.
func target(r row, c *checker.ServiceConfig) {
	switch c.Target {
	case checker.ByMark:
		r.put(2, agentx.Integer(1))
		r.put(4, agentx.Gauge(c.Mark))
	case checker.ByGroup:
		r.put(2, agentx.Integer(3))
		r.text(3, c.Group)
	default:
		r.put(2, agentx.Integer(2))
		endpoint(r, 5, c.Addr)
	}
}

func serviceRow(r row, s *checker.ServiceState) {
	c := s.Config
	target(r, c)
	r.put(8, protocolNumber(c.Protocol))
	algorithm, ok := schedulers[c.Options.Scheduler]
	if !ok {
		algorithm = unknownScheduler
	}
	r.put(9, agentx.Integer(algorithm))
	forwarding(r, 10, 68, c.Forward)
	r.put(11, truth(s.Alive > 0 || s.Sorry))
	r.text(12, c.VirtualHost)
	persistence(r, c)
	r.put(17, truth(c.HASuspend))
	r.put(18, truth(c.Alpha))
	r.put(19, truth(c.Omega))
	r.put(20, agentx.Gauge(len(s.Servers)))
	r.put(21, agentx.Gauge(s.Alive))
	r.put(22, agentx.Gauge(c.Quorum))
	r.put(23, truth(s.Quorum)) // met, notMet
	scriptColumns(r, 24, 72, c.QuorumUp)
	scriptColumns(r, 25, 73, c.QuorumDown)
	r.put(26, agentx.Gauge(c.Hysteresis))
	r.put(37, truth(c.Options.Flags&ipvs.OnePacket != 0))
	r.put(52, truth(strings.HasSuffix(c.Options.Scheduler, "h") && c.Options.Scheduler != "dh"))
	r.put(53, truth(c.Options.Scheduler == "sh" && c.Options.Flags&ipvs.SchedFlag1 != 0))
	r.put(54, truth(c.Options.Scheduler == "sh" && c.Options.Flags&ipvs.SchedFlag2 != 0))
	r.put(55, truth(c.Options.Flags&ipvs.SchedFlag3 != 0))
	r.put(56, agentx.Integer(1+bit(c.InhibitOnFailure)))
	r.put(60, agentx.Integer(int(c.Weight)))
	r.put(61, truth(c.SMTPAlert))
	r.put(62, truth(c.Options.Scheduler == "mh" && c.Options.Flags&ipvs.SchedFlag1 != 0))
	r.put(63, truth(c.Options.Scheduler == "mh" && c.Options.Flags&ipvs.SchedFlag2 != 0))
	timers(r, timerColumns{loop: 16, retry: 57, before: 58, warmup: 59, loopUsec: 64, beforeUsec: 65, warmupUsec: 66, connect: 67}, c.Timers)
	r.text(71, c.SNMPName)
}

func persistence(r row, c *checker.ServiceConfig) {
	p := c.Options.Persistence
	r.put(13, truth(p.Timeout != 0))
	if p.Timeout == 0 {
		return
	}
	r.put(14, agentx.Gauge(p.Timeout))
	switch {
	case p.Granularity == 0:
	case c.Family == ipvs.IPv6:
		r.put(51, agentx.Gauge(p.Granularity))
	default:
		r.put(15, agentx.Bytes(binary.BigEndian.AppendUint32(nil, p.Granularity)))
	}
}

// scriptColumns adds a script's command line and its program.
func scriptColumns(r row, line, path uint32, s *checker.Script) {
	if s != nil && len(s.Args) > 0 {
		r.text(line, strings.Join(s.Args, " "))
		r.text(path, s.Args[0])
	}
}

// timerColumns are the columns of timers, which differ between the tables.
type timerColumns struct {
	loop, retry, before, warmup, loopUsec, beforeUsec, warmupUsec, connect uint32
}

func timers(r row, at timerColumns, t checker.Timers) {
	r.put(at.loop, agentx.Gauge(seconds(t.DelayLoop)))
	r.put(at.loopUsec, agentx.Gauge(t.DelayLoop.Microseconds()))
	r.put(at.connect, agentx.Gauge(t.ConnectTimeout.Microseconds()))
	if t.Retry != checker.Unset {
		r.put(at.retry, agentx.Gauge(t.Retry))
	}
	if t.DelayBeforeRetry != checker.Unset {
		r.put(at.before, agentx.Gauge(seconds(t.DelayBeforeRetry)))
		r.put(at.beforeUsec, agentx.Gauge(t.DelayBeforeRetry.Microseconds()))
	}
	if t.Warmup != checker.Unset {
		r.put(at.warmup, agentx.Gauge(seconds(t.Warmup)))
		r.put(at.warmupUsec, agentx.Gauge(t.Warmup.Microseconds()))
	}
}

func serverRow(r row, s *checker.ServiceState, st *checker.ServerState) {
	c := st.Config
	r.put(2, agentx.Integer(1))
	endpoint(r, 3, c.Addr)
	r.put(6, truth(st.Alive))
	r.put(7, agentx.Integer(int(st.Weight)))
	r.put(8, agentx.Gauge(c.UpperThreshold))
	r.put(9, agentx.Gauge(c.LowerThreshold))
	r.put(10, agentx.Integer(1+bit(c.InhibitOnFailure)))
	scriptColumns(r, 11, 56, c.NotifyUp)
	scriptColumns(r, 12, 57, c.NotifyDown)
	r.put(13, agentx.Gauge(st.Failed))
	forwarding(r, 40, 52, c.Forward)
	host := c.VirtualHost
	if host == "" {
		host = s.Config.VirtualHost
	}
	r.text(41, host)
	r.put(42, truth(c.Alpha))
	timers(r, timerColumns{loop: 46, retry: 43, before: 44, warmup: 45, loopUsec: 50, beforeUsec: 48, warmupUsec: 49, connect: 51}, c.Timers)
	r.put(47, truth(c.SMTPAlert))
	r.text(55, c.SNMPName)
	waiting := 0
	for i := range st.Checks {
		waiting += bit(!st.Checks[i].HasRun)
	}
	r.put(63, agentx.Gauge(waiting))
}

// ServerTrap is realServerStateChange. Like all traps of this branch it names
// columns without a row's index.
func ServerTrap(n checker.ServerNotice, routerID string) Trap {
	t := Trap{OID: MIBChecker.Append(5, 0, 1)}
	entry, addr := checkTable(4).Append(1), n.Server.Addr
	t.add(entry.Append(3), addressType(addr.Addr().Is6()))
	t.add(entry.Append(4), agentx.Bytes(addr.Addr().AsSlice()))
	t.add(entry.Append(5), agentx.Gauge(addr.Port()))
	t.add(entry.Append(6), truth(n.Up))
	t.service(n.Service)
	t.servers(n.Alive, n.Total, routerID)
	return t
}

// QuorumTrap is virtualServerQuorumStateChange.
func QuorumTrap(n checker.QuorumNotice, routerID string) Trap {
	t := Trap{OID: MIBChecker.Append(5, 0, 2)}
	t.service(n.Service)
	entry, status := checkTable(3).Append(1), truth(n.Up)
	if n.Stopping {
		status = agentx.Integer(3)
	}
	t.add(entry.Append(23), status)
	t.add(entry.Append(22), agentx.Gauge(n.Service.Quorum))
	t.servers(n.Alive, n.Total, routerID)
	return t
}

// service adds what tells a virtual server: type, address, protocol.
func (t *Trap) service(c *checker.ServiceConfig) {
	entry := checkTable(3).Append(1)
	m := new(mib)
	target(row{m: m, entry: entry}, c)
	t.Vars = append(t.Vars, m.view...)
	protocol := 2
	if c.Protocol == ipvs.TCP {
		protocol = 1
	}
	t.add(entry.Append(8), agentx.Integer(protocol))
}

func (t *Trap) servers(alive, total int, routerID string) {
	entry := checkTable(3).Append(1)
	t.add(entry.Append(21), agentx.Gauge(alive))
	t.add(entry.Append(20), agentx.Gauge(total))
	t.add(MIBGlobal.Append(2, 0), agentx.String(routerID))
}
