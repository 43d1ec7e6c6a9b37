package report

import (
	"net/netip"
	"strings"

	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Roots of what SNMP shows (process.md 5).
var (
	MIBRoot    = agentx.ParseOID("1.3.6.1.4.1.9586.100.5") // KEEPALIVED-MIB: enterprises.debian.project.5
	MIBGlobal  = MIBRoot.Append(1)
	MIBVRRP    = MIBRoot.Append(2)
	MIBChecker = MIBRoot.Append(3)
	MIBRFC2787 = agentx.ParseOID("1.3.6.1.2.1.68")  // VRRP-MIB
	MIBRFC6527 = agentx.ParseOID("1.3.6.1.2.1.207") // VRRPV3-MIB
)

// mib collects variables.
type mib struct{ view agentx.View }

// scalar adds an object that has one instance.
func (m *mib) scalar(v agentx.Value, root agentx.OID, parts ...uint32) {
	m.view = append(m.view, agentx.Variable{OID: root.Append(parts...).Append(0), Value: v})
}

// row is one row of a table: its columns are added under a common index.
type row struct {
	m     *mib
	entry agentx.OID
	index []uint32
}

// row begins a row; table is the table's identifier.
func (m *mib) row(table agentx.OID, index ...uint32) row {
	return row{m, table.Append(1), index}
}

func (r row) put(column uint32, v agentx.Value) {
	r.m.view = append(r.m.view, agentx.Variable{OID: r.entry.Append(column).Append(r.index...), Value: v})
}

// text adds a column unless the text is empty: columns without a value are
// absent.
func (r row) text(column uint32, s string) {
	if s != "" {
		r.put(column, agentx.String(s))
	}
}

// number adds a gauge unless it is zero.
func (r row) number(column uint32, n uint32) {
	if n != 0 {
		r.put(column, agentx.Gauge(n))
	}
}

// address adds a column with an InetAddress, if there is one.
func (r row) address(column uint32, a netip.Addr) {
	if a.IsValid() {
		r.put(column, agentx.Bytes(a.AsSlice()))
	}
}

// truth is TruthValue, enabled is the MIB's {1 enabled, 2 disabled}: the same
// numbers.
func truth(b bool) agentx.Value {
	if b {
		return agentx.Integer(1)
	}
	return agentx.Integer(2)
}

// addressType is InetAddressType: 1 ipv4, 2 ipv6.
func addressType(ipv6 bool) agentx.Value {
	if ipv6 {
		return agentx.Integer(2)
	}
	return agentx.Integer(1)
}

// scriptLine is a script's command line, empty without one.
func scriptLine(c *vrrp.Command) string {
	if c == nil {
		return ""
	}
	return strings.Join(c.Argv, " ")
}

// scopeNumber is InetScopeType for the kernel's scope of an address.
func scopeNumber(kernel uint8) agentx.Value {
	switch kernel {
	case 254:
		return agentx.Integer(1) // host: interface-local
	case 253:
		return agentx.Integer(2) // link
	case 200:
		return agentx.Integer(5) // site
	case 255:
		return agentx.Integer(0) // nowhere
	}
	return agentx.Integer(14) // global
}

// hasScript reports whether anything at all is run.
func hasScript(n *vrrp.NotifyConfig) bool {
	for _, c := range []*vrrp.Command{n.Master, n.Backup, n.Fault, n.Stop, n.Deleted, n.Any, n.RxLowerPrio} {
		if c != nil {
			return true
		}
	}
	return false
}
