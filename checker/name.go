package checker

import (
	"net/netip"

	"github.com/keepalived-go/keepalived/ipvs"
)

// ServiceID says which virtual server is meant, also across a reload: two
// blocks with the same ServiceID are the same virtual server. It can be a map
// key.
type ServiceID struct {
	target   Target
	family   ipvs.Family   // marks only
	protocol ipvs.Protocol // addresses only
	addr     netip.AddrPort
	mark     uint32
	group    string
	ordinal  int
}

// ID gives the identity of a virtual server: group name and ordinal, or family
// and mark, or protocol, address and port.
func (s *ServiceConfig) ID() ServiceID {
	switch s.Target {
	case ByMark:
		return ServiceID{target: ByMark, family: s.Family, mark: s.Mark}
	case ByGroup:
		return ServiceID{target: ByGroup, group: s.Group, ordinal: s.Ordinal}
	}
	return ServiceID{target: ByAddr, protocol: s.Protocol, addr: s.Addr}
}
