package report

import (
	"net/netip"
	"time"

	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/vrrp"
)

// refreshRate is how often the statistics are new, in milliseconds.
const refreshRate = 1000

// mac is the address that stands for the virtual router: the VMAC's, or the
// interface's as long as there is none.
func (v VRRP) mac(c *vrrp.InstanceConfig) agentx.Value {
	for _, name := range []string{c.Device, c.Interface} {
		for i := range v.Links {
			if v.Links[i].Name == name && name != "" {
				return agentx.Bytes(v.Links[i].MAC)
			}
		}
	}
	return agentx.Bytes(nil)
}

// masterAddr is the address of who is master, as far as known.
func masterAddr(in *vrrp.InstanceSnapshot) netip.Addr {
	if in.State == vrrp.Master {
		return in.Source
	}
	return in.MasterAddr
}

// rfcState is the state in both standard MIBs: 1 initialize, 2 backup, 3 master.
func rfcState(s vrrp.State) agentx.Value {
	switch s {
	case vrrp.Backup:
		return agentx.Integer(2)
	case vrrp.Master:
		return agentx.Integer(3)
	}
	return agentx.Integer(1)
}

// RFC2787 is VRRP-MIB: the instances of version 2 over IPv4. traps is the
// state of notifications.
func (v VRRP) RFC2787(traps bool) agentx.View {
	m := new(mib)
	m.scalar(agentx.Integer(2), MIBRFC2787, 1, 1)
	m.scalar(truth(traps), MIBRFC2787, 1, 2)
	var checksum, version uint64
	for i := range v.Snapshot.Instances {
		in := &v.Snapshot.Instances[i]
		checksum += in.Stats.ChecksumErrors
		version += in.Stats.VersionErrors
		if in.Config.Version != 2 || in.Config.IPv6 {
			continue
		}
		v.oper2(m, in)
		stats2(m, in, v.ifIndex(in.Config.Interface))
	}
	m.scalar(agentx.Counter(checksum), MIBRFC2787, 2, 1)
	m.scalar(agentx.Counter(version), MIBRFC2787, 2, 2)
	m.scalar(agentx.Counter(v.Snapshot.UnknownVRIDs), MIBRFC2787, 2, 3)
	m.view.Sort()
	return m.view
}

func (v VRRP) oper2(m *mib, in *vrrp.InstanceSnapshot) {
	c, link := in.Config, v.ifIndex(in.Config.Interface)
	r := m.row(MIBRFC2787.Append(1, 3), link, uint32(c.VRID))
	r.put(2, v.mac(c))
	r.put(3, rfcState(in.State))
	r.put(4, agentx.Integer(1)) // adminState: up
	r.put(5, agentx.Integer(int(in.Priority)))
	r.put(6, agentx.Integer(len(c.Addresses)))
	r.put(7, agentx.IPAddress(masterAddr(in)))
	r.put(8, agentx.IPAddress(in.Source))
	r.put(9, agentx.Integer(int(c.Auth.Type)+1))
	r.put(11, agentx.Integer(int(seconds(c.AdvertInterval))))
	r.put(12, truth(!c.NoPreempt))
	r.put(13, agentx.Ticks(v.up(in)))
	r.put(14, agentx.Integer(1)) // protocol: ip
	r.put(15, agentx.Integer(1)) // row status: active
	for _, a := range c.Addresses {
		if addr := a.Prefix.Addr(); addr.Is4() {
			m.row(MIBRFC2787.Append(1, 4), append([]uint32{link, uint32(c.VRID)}, octets(addr)...)...).put(2, agentx.Integer(1))
		}
	}
}

// up is how long an instance has been in its state, 0 in Fault.
func (v VRRP) up(in *vrrp.InstanceSnapshot) time.Duration {
	if in.State != vrrp.Backup && in.State != vrrp.Master {
		return 0
	}
	return v.Snapshot.Taken.Sub(in.Since)
}

func octets(a netip.Addr) []uint32 {
	var out []uint32
	for _, b := range a.AsSlice() {
		out = append(out, uint32(b))
	}
	return out
}

func stats2(m *mib, in *vrrp.InstanceSnapshot, link uint32) {
	s := &in.Stats
	r := m.row(MIBRFC2787.Append(2, 4), link, uint32(in.Config.VRID))
	for i, n := range []uint64{
		s.BecameMaster, s.Received, s.AdvertInterval, s.AuthFailure, s.PacketTTL, s.PrioZeroReceived,
		s.PrioZeroSent, s.InvalidType, s.AddressList, s.AuthInvalidType, s.AuthTypeMismatch, s.PacketLength,
	} {
		r.put(uint32(i+1), agentx.Counter(n))
	}
}

// RFC6527 is VRRPV3-MIB. It shows instances of version 2 as well.
func (v VRRP) RFC6527() agentx.View {
	m := new(mib)
	var checksum, version uint64
	for i := range v.Snapshot.Instances {
		in := &v.Snapshot.Instances[i]
		checksum += in.Stats.ChecksumErrors
		version += in.Stats.VersionErrors
		v.oper3(m, in)
		v.stats3(m, in)
	}
	m.scalar(agentx.Counter64(checksum), MIBRFC6527, 1, 2, 1)
	m.scalar(agentx.Counter64(version), MIBRFC6527, 1, 2, 2)
	m.scalar(agentx.Counter64(v.Snapshot.UnknownVRIDs), MIBRFC6527, 1, 2, 3)
	m.scalar(agentx.Ticks(0), MIBRFC6527, 1, 2, 4)
	m.view.Sort()
	return m.view
}

// index6527 is ifIndex, VRID, address type.
func (v VRRP) index6527(c *vrrp.InstanceConfig) []uint32 {
	return []uint32{v.ifIndex(c.Interface), uint32(c.VRID), uint32(1 + bit(c.IPv6))}
}

func (v VRRP) oper3(m *mib, in *vrrp.InstanceSnapshot) {
	c := in.Config
	r := m.row(MIBRFC6527.Append(1, 1, 1), v.index6527(c)...)
	if a := masterAddr(in); a.IsValid() {
		r.address(3, a)
	} else {
		r.put(3, agentx.Bytes(make([]byte, 4+12*bit(c.IPv6))))
	}
	r.address(4, in.Source)
	r.put(5, v.mac(c))
	r.put(6, rfcState(in.State))
	r.put(7, agentx.Gauge(in.Priority))
	r.put(8, agentx.Integer(len(c.Addresses)))
	r.put(9, agentx.Integer(int(c.AdvertInterval/(10*time.Millisecond))))
	r.put(10, truth(!c.NoPreempt))
	r.put(11, truth(!c.NoAccept))
	r.put(12, agentx.Ticks(v.up(in)))
	r.put(13, agentx.Integer(1))
	for _, a := range c.Addresses {
		if addr := a.Prefix.Addr(); addr.Is6() == c.IPv6 {
			m.row(MIBRFC6527.Append(1, 1, 2), append(v.index6527(c), octets(addr)...)...).put(2, agentx.Integer(1))
		}
	}
}

func (v VRRP) stats3(m *mib, in *vrrp.InstanceSnapshot) {
	s := &in.Stats
	r := m.row(MIBRFC6527.Append(1, 2, 5), v.index6527(in.Config)...)
	r.put(1, agentx.Counter(s.BecameMaster))
	r.put(2, agentx.Integer(int(in.MasterReason)))
	r.put(3, agentx.Counter64(s.Received))
	r.put(4, agentx.Counter64(s.AdvertInterval))
	r.put(5, agentx.Counter64(s.PacketTTL))
	r.put(6, agentx.Integer(protoError(s)))
	r.put(7, agentx.Counter64(s.PrioZeroReceived))
	r.put(8, agentx.Counter64(s.PrioZeroSent))
	r.put(9, agentx.Counter64(s.InvalidType))
	r.put(10, agentx.Counter64(s.AddressList))
	r.put(11, agentx.Counter64(s.PacketLength))
	r.put(12, agentx.Ticks(0))
	r.put(13, agentx.Gauge(refreshRate))
}

// protoError is vrrpv3StatisticsProtoErrReason: the kind of packet that was
// refused, as far as the counters tell.
func protoError(s *vrrp.Stats) int {
	switch {
	case s.PacketTTL > 0:
		return 1
	case s.VersionErrors > 0:
		return 2
	case s.ChecksumErrors > 0:
		return 3
	case s.VRIDErrors > 0:
		return 4
	}
	return 0
}
