package report

import (
	"net/netip"

	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Trap is a notification: its kind, and what goes with it.
type Trap struct {
	OID  agentx.OID
	Vars []agentx.Variable
}

func (t *Trap) add(o agentx.OID, v agentx.Value) {
	t.Vars = append(t.Vars, agentx.Variable{OID: o, Value: v})
}

// Traps of the VRRP branch carry columns without a row's index, as the
// reference's do, and the router id last.

// InstanceTrap is vrrpInstanceStateChange.
func InstanceTrap(c *vrrp.InstanceConfig, s vrrp.State, routerID string) Trap {
	t := Trap{OID: MIBVRRP.Append(10, 0, 2)}
	entry := vrrpTable(3).Append(1)
	t.add(entry.Append(2), agentx.String(c.Name))
	t.add(entry.Append(4), agentx.Integer(int(s)))
	t.add(entry.Append(5), agentx.Integer(initialState(c)))
	t.add(MIBGlobal.Append(2, 0), agentx.String(routerID))
	return t
}

// GroupTrap is vrrpSyncGroupStateChange.
func GroupTrap(name string, s vrrp.State, routerID string) Trap {
	t := Trap{OID: MIBVRRP.Append(10, 0, 1)}
	entry := vrrpTable(1).Append(1)
	t.add(entry.Append(2), agentx.String(name))
	t.add(entry.Append(3), agentx.Integer(int(s)))
	t.add(MIBGlobal.Append(2, 0), agentx.String(routerID))
	return t
}

// NewMaster2 is vrrpTrapNewMaster of VRRP-MIB; link is the interface's index.
func NewMaster2(in *vrrp.InstanceSnapshot, link uint32) Trap {
	t := Trap{OID: MIBRFC2787.Append(0, 1)}
	t.add(MIBRFC2787.Append(1, 3, 1, 7, link, uint32(in.Config.VRID)), agentx.IPAddress(in.Source))
	return t
}

// AuthFailure2 is vrrpTrapAuthFailure of VRRP-MIB.
func AuthFailure2(source netip.Addr, kind int) Trap {
	t := Trap{OID: MIBRFC2787.Append(0, 2)}
	t.add(MIBRFC2787.Append(1, 5, 0), agentx.IPAddress(source)) // vrrpTrapPacketSrc
	t.add(MIBRFC2787.Append(1, 6, 0), agentx.Integer(kind))     // vrrpTrapAuthErrorType
	return t
}

// NewMaster3 is vrrpv3NewMaster of VRRPV3-MIB.
func NewMaster3(in *vrrp.InstanceSnapshot, link uint32) Trap {
	t := Trap{OID: MIBRFC6527.Append(0, 1)}
	c := in.Config
	index := []uint32{link, uint32(c.VRID), uint32(1 + bit(c.IPv6))}
	t.add(MIBRFC6527.Append(1, 1, 1, 1, 3).Append(index...), agentx.Bytes(in.Source.AsSlice()))
	t.add(MIBRFC6527.Append(1, 2, 5, 1, 2).Append(index...), agentx.Integer(int(in.MasterReason)))
	return t
}

// ProtoError3 is vrrpv3ProtoError: 1 ttl, 2 version, 3 checksum, 4 VRID.
func ProtoError3(in *vrrp.InstanceSnapshot, link uint32, reason int) Trap {
	t := Trap{OID: MIBRFC6527.Append(0, 2)}
	c := in.Config
	t.add(MIBRFC6527.Append(1, 2, 5, 1, 6, link, uint32(c.VRID), uint32(1+bit(c.IPv6))), agentx.Integer(reason))
	return t
}
