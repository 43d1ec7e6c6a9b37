package report

import (
	"net/netip"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/agentx"
)

// snmpVersion is what SNMP shows as the version: the release whose behaviour
// this program has.
const snmpVersion = "Keepalived v2.4.3"

// GlobalMIB is the branch of the global definitions. The checker process serves
// it if it runs with SNMP, else the VRRP process.
func GlobalMIB(c *configparse.Config) agentx.View {
	m := new(mib)
	g := &c.Global
	put := func(v agentx.Value, parts ...uint32) { m.scalar(v, MIBGlobal, parts...) }
	put(agentx.String(snmpVersion), 1)
	put(agentx.String(g.RouterID), 2)
	if server, err := netip.ParseAddr(g.SMTPServer); err == nil {
		put(addressType(server.Is6()), 3, 1)
		put(agentx.Bytes(server.AsSlice()), 3, 2)
	}
	put(agentx.Gauge(seconds(g.SMTPTimeout)), 3, 3)
	if g.EmailFrom != "" {
		put(agentx.String(g.EmailFrom), 3, 4)
	}
	email := m.row(MIBGlobal.Append(3, 5))
	for i, address := range g.Emails {
		email.index = []uint32{uint32(i + 1)}
		email.text(2, address)
	}
	if g.SMTPServer != "" {
		put(agentx.Gauge(g.SMTPPort), 3, 6)
	}
	put(truth(!g.NoEmailFaults), 3, 7)
	for i, alert := range []configparse.Tristate{g.SMTPAlert, g.SMTPAlertVRRP, g.SMTPAlertCheck} {
		put(threeWay(alert), 3, uint32(8+i))
	}
	put(truth(g.Traps), 4)
	put(agentx.Integer(1+bit(g.LinkbeatUsePolling)), 5) // netlink, polling
	put(truth(g.LVSFlush), 6)
	put(truth(true), 7) // IPVS has 64 bit statistics since Linux 4.1
	put(agentx.String(g.NetNamespace), 8)
	put(truth(g.DBus), 9)
	put(truth(g.DynamicInterfaces), 10)
	switch {
	case g.LVSFlushOnStopVS:
		put(agentx.Integer(3), 11)
	default:
		put(truth(g.LVSFlushOnStop), 11)
	}
	put(truth(g.VRRPDefaults.ChecksumAsV2), 12)
	m.view.Sort()
	return m.view
}

// threeWay is {1 on, 2 off, 3 unset}.
func threeWay(t configparse.Tristate) agentx.Value {
	switch t {
	case configparse.On:
		return agentx.Integer(1)
	case configparse.Off:
		return agentx.Integer(2)
	}
	return agentx.Integer(3)
}
