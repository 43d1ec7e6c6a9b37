package ipvs

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Attributes of a service, linux/ip_vs.h.
const (
	svcAF       = 1
	svcProtocol = 2
	svcAddr     = 3
	svcPort     = 4
	svcFWMark   = 5
	svcSched    = 6
	svcFlags    = 7
	svcTimeout  = 8
	svcNetmask  = 9
	svcPE       = 11
)

// Attributes of a server, linux/ip_vs.h.
const (
	destAddr     = 1
	destPort     = 2
	destForward  = 3
	destWeight   = 4
	destUpper    = 5
	destLower    = 6
	destFamily   = 11
	destTunType  = 13
	destTunPort  = 14
	destTunFlags = 15
)

// appendKey writes what identifies a service.
func appendKey(b []byte, k Key) []byte {
	b = appendU16(b, svcAF, uint16(k.Family))
	if k.Mark != 0 {
		return appendU32(b, svcFWMark, k.Mark)
	}
	b = appendU16(b, svcProtocol, uint16(k.Protocol))
	b = appendAddr(b, svcAddr, k.Addr)
	return appendPort(b, svcPort, k.Port)
}

// appendOptions writes the rest of a service. The kernel wants the mask also
// without persistence.
func appendOptions(b []byte, k Key, o Options) []byte {
	b = appendString(b, svcSched, o.Scheduler)
	flags, p := o.Flags&settableFlags, o.Persistence
	if p.Timeout != 0 {
		flags |= flagPersistent
		if p.Engine != "" {
			b = appendString(b, svcPE, p.Engine)
		}
	} else {
		p = Persistence{}
	}
	var x [8]byte
	binary.NativeEndian.PutUint32(x[:4], uint32(flags))
	binary.NativeEndian.PutUint32(x[4:], 0xffffffff)
	b = appendAttr(b, svcFlags, x[:])
	b = appendU32(b, svcTimeout, p.Timeout)
	if k.Family == IPv6 {
		return appendU32(b, svcNetmask, orWhole(p.Granularity, 128))
	}
	var m [4]byte
	binary.BigEndian.PutUint32(m[:], orWhole(p.Granularity, 0xffffffff))
	return appendAttr(b, svcNetmask, m[:])
}

func orWhole(granularity, whole uint32) uint32 {
	if granularity == 0 {
		return whole
	}
	return granularity
}

// appendServer writes a server.
func appendServer(b []byte, s Server) []byte {
	b = appendServerKey(b, s.Addr)
	b = appendU32(b, destForward, uint32(s.Forward))
	b = appendU32(b, destWeight, min(s.Weight, MaxWeight))
	if s = s.normal(); s.Forward == TUN {
		b = appendU8(b, destTunType, uint8(s.Tunnel.Type))
		if s.Tunnel.Type == GUE {
			b = appendPort(b, destTunPort, s.Tunnel.Port)
		}
		if s.Tunnel.Type != IPIP {
			b = appendU16(b, destTunFlags, uint16(s.Tunnel.Flags))
		}
	}
	b = appendU32(b, destUpper, s.Upper)
	return appendU32(b, destLower, s.Lower)
}

// appendServerKey writes what identifies a server.
func appendServerKey(b []byte, a netip.AddrPort) []byte {
	b = appendU16(b, destFamily, uint16(FamilyOf(a.Addr())))
	b = appendAddr(b, destAddr, a.Addr().Unmap())
	return appendPort(b, destPort, a.Port())
}

// appendOp writes the attributes of one change and returns its command.
func appendOp(b []byte, op Op) (cmd uint8, out []byte) {
	key := func(b []byte) []byte { return appendKey(b, op.Service) }
	full := func(b []byte) []byte { return appendOptions(key(b), op.Service, op.Options) }
	dest := func(b []byte) []byte { return appendServer(b, op.Server) }
	destKey := func(b []byte) []byte { return appendServerKey(b, op.Server.Addr) }
	switch op.Verb {
	case AddService:
		return cmdNewService, appendNest(b, attrService, full)
	case EditService:
		return cmdSetService, appendNest(b, attrService, full)
	case DeleteService:
		return cmdDelService, appendNest(b, attrService, key)
	case AddServer:
		return cmdNewDest, appendNest(appendNest(b, attrService, key), attrDest, dest)
	case EditServer:
		return cmdSetDest, appendNest(appendNest(b, attrService, key), attrDest, dest)
	case DeleteServer:
		return cmdDelDest, appendNest(appendNest(b, attrService, key), attrDest, destKey)
	case Flush:
		return cmdFlush, b
	}
	panic("ipvs: operation without a verb")
}

// parseNest gives the attributes within the attribute typ of a message.
func parseNest(payload []byte, typ uint16, f func(typ uint16, v []byte)) error {
	var inner error
	err := eachAttr(payload, func(t uint16, v []byte) {
		if t == typ && inner == nil {
			inner = eachAttr(v, f)
		}
	})
	if err != nil {
		return err
	}
	return inner
}

// parseService reads one service of a dump, without servers.
func parseService(payload []byte) (Service, error) {
	var s Service
	var addr, mask []byte
	var flags Flags
	err := parseNest(payload, attrService, func(typ uint16, v []byte) {
		switch typ {
		case svcAF:
			s.Family = Family(u16(v))
		case svcProtocol:
			s.Protocol = Protocol(u16(v))
		case svcAddr:
			addr = v
		case svcPort:
			s.Port = port(v)
		case svcFWMark:
			s.Mark = u32(v)
		case svcSched:
			s.Scheduler = text(v)
		case svcPE:
			s.Persistence.Engine = text(v)
		case svcFlags:
			flags = Flags(u32(v))
		case svcTimeout:
			s.Persistence.Timeout = u32(v)
		case svcNetmask:
			mask = v
		}
	})
	if err != nil {
		return s, err
	}
	if s.Mark == 0 {
		s.Addr = address(addr, s.Family)
	} else {
		s.Protocol, s.Port = 0, 0
	}
	s.Flags = flags & settableFlags
	switch {
	case flags&flagPersistent == 0:
		s.Persistence = Persistence{}
	case s.Family == IPv6:
		s.Persistence.Granularity = u32(mask)
	case len(mask) == 4:
		s.Persistence.Granularity = binary.BigEndian.Uint32(mask)
	}
	s.Options = s.Options.normal()
	return s, nil
}

// parseServer reads one server of a dump; family is that of its service, for
// kernels that do not say.
func parseServer(payload []byte, family Family) (Server, error) {
	var s Server
	var addr []byte
	var p uint16
	err := parseNest(payload, attrDest, func(typ uint16, v []byte) {
		switch typ {
		case destAddr:
			addr = v
		case destPort:
			p = port(v)
		case destForward:
			s.Forward = Forward(u32(v))
		case destWeight:
			s.Weight = u32(v)
		case destUpper:
			s.Upper = u32(v)
		case destLower:
			s.Lower = u32(v)
		case destFamily:
			family = Family(u16(v))
		case destTunType:
			if len(v) > 0 {
				s.Tunnel.Type = TunnelType(v[0])
			}
		case destTunPort:
			s.Tunnel.Port = port(v)
		case destTunFlags:
			s.Tunnel.Flags = TunnelFlags(u16(v))
		}
	})
	if err != nil {
		return s, err
	}
	s.Addr = netip.AddrPortFrom(address(addr, family), p)
	return s.normal(), nil
}

// parseDaemon reads one synchronisation daemon of a dump.
func parseDaemon(payload []byte) (RunningDaemon, error) {
	var d RunningDaemon
	err := parseNest(payload, attrDaemon, func(typ uint16, v []byte) {
		switch typ {
		case daemonState:
			d.State = SyncState(u32(v))
		case daemonIfname:
			d.Interface = text(v)
		case daemonID:
			d.ID = uint8(u32(v))
		case daemonMaxLen:
			d.MaxLen = u16(v)
		case daemonGroup4:
			d.Group = address(v, IPv4)
		case daemonGroup6:
			d.Group = address(v, IPv6)
		case daemonPort:
			d.Port = u16(v)
		case daemonTTL:
			if len(v) > 0 {
				d.TTL = v[0]
			}
		}
	})
	return d, err
}

func u16(v []byte) uint16 {
	if len(v) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(v)
}

func u32(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(v)
}

func port(v []byte) uint16 {
	if len(v) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(v)
}

// text reads a string up to its zero byte.
func text(v []byte) string { return unix.ByteSliceToString(v) }

func address(v []byte, f Family) netip.Addr {
	if f == IPv4 && len(v) >= 4 {
		v = v[:4]
	}
	a, _ := netip.AddrFromSlice(v)
	return a
}
