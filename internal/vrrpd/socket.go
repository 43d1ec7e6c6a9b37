package vrrpd

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Options of the kernel that x/sys does not name.
const (
	ipMulticastAll   = 49
	ipv6MulticastAll = 29
	ipv6Freebind     = 78
)

// tosInternetControl is what adverts carry: precedence 6, RFC 791.
const tosInternetControl = 0xc0

// socket is the pair of raw sockets that the instances with one key share. The
// loop reads the one and writes the other.
//
//	recv ──Loop.Watch──> batch: recvmmsg ──> Router.Receive
//	Router ──SendAdvert──> outbox: sendmmsg ──> send
type socket struct {
	id      vrrp.SocketID
	key     vrrp.SocketKey
	ifindex int // of the interface when the sockets were opened; 0 without one
	sendFD  int
	recvFD  int
	rcvbuf  int // as asked for
	size    int // the longest packet to expect

	deliver func(now time.Time, p *vrrp.Packet)

	pending []outgoing // adverts of this pass
}

// outgoing is one packet that waits for flush.
type outgoing struct {
	advert *vrrp.SendAdvert
	packet *vrrp.Outgoing
}

// socketOptions are what the configuration and the kernel add to a key.
type socketOptions struct {
	ifindex int
	rcvbuf  int // bytes; 0 = leave the kernel's default
	mtu     int // the longest packet to expect
	// joinBase is the interface below a VMAC on which the group is joined as
	// well, so that switches learn of it; 0 = none.
	joinBase int
}

// openSocket opens both sockets in the order of the original (vrrp.md 7.2 and
// 7.3), so that no packet of another interface slips in between.
func openSocket(want vrrp.Socket, o socketOptions) (*socket, error) {
	s := &socket{id: want.ID, key: want.Key, ifindex: o.ifindex, rcvbuf: o.rcvbuf, size: max(o.mtu, 1500), sendFD: -1, recvFD: -1}
	var err error
	if s.recvFD, err = openReader(want.Key, o); err != nil {
		return nil, err
	}
	if s.sendFD, err = openSender(want.Key, o); err != nil {
		unix.Close(s.recvFD)
		return nil, err
	}
	return s, nil
}

func family(k vrrp.SocketKey) int {
	if k.IPv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func rawSocket(k vrrp.SocketKey) (int, error) {
	fd, err := unix.Socket(family(k), unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(k.Protocol))
	if err != nil {
		return -1, fmt.Errorf("open raw socket for protocol %d: %w", k.Protocol, err)
	}
	return fd, nil
}

// option is one setsockopt call; steps stop at the first that fails.
type option struct {
	name string
	set  func(fd int) error
}

func intOption(name string, level, opt, value int) option {
	return option{name, func(fd int) error { return unix.SetsockoptInt(fd, level, opt, value) }}
}

func bindToDevice(name string) option {
	return option{"SO_BINDTODEVICE " + name, func(fd int) error {
		return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name)
	}}
}

func apply(fd int, k vrrp.SocketKey, options []option) error {
	for _, o := range options {
		if err := o.set(fd); err != nil {
			return fmt.Errorf("%s on %s: %w", o.name, k.Interface, err)
		}
	}
	return nil
}

func openReader(k vrrp.SocketKey, o socketOptions) (int, error) {
	fd, err := rawSocket(k)
	if err != nil {
		return -1, err
	}
	if o.rcvbuf > 0 {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, o.rcvbuf) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.rcvbuf)
		}
	}
	var options []option
	if k.IPv6 {
		options = append(options, intOption("IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, ipv6MulticastAll, 0))
	} else {
		options = append(options, intOption("IP_MULTICAST_ALL", unix.IPPROTO_IP, ipMulticastAll, 0))
	}
	if k.Unicast {
		if k.VRF != "" {
			options = append(options, bindToDevice(k.VRF))
		}
		if k.IPv6 {
			options = append(options, intOption("IPV6_FREEBIND", unix.IPPROTO_IPV6, ipv6Freebind, 1))
		} else {
			options = append(options, intOption("IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1))
		}
	} else {
		options = append(options, join(k, o.ifindex))
		if o.joinBase != 0 {
			options = append(options, join(k, o.joinBase))
		}
	}
	if k.Addr.IsValid() {
		options = append(options, option{"bind " + k.Addr.String(), func(fd int) error {
			return unix.Bind(fd, sockaddr(k.Addr, o.ifindex))
		}})
	}
	if k.IPv6 {
		options = append(options,
			intOption("IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
			intOption("IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
	}
	if k.Interface != "" {
		options = append(options, bindToDevice(k.Interface))
	}
	if k.IPv6 {
		options = append(options, intOption("IPV6_CHECKSUM", unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, 6))
	}
	options = append(options, intOption("SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	if err := apply(fd, k, options); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func join(k vrrp.SocketKey, ifindex int) option {
	if k.IPv6 {
		return option{"IPV6_ADD_MEMBERSHIP " + k.Addr.String(), func(fd int) error {
			return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
				&unix.IPv6Mreq{Multiaddr: k.Addr.As16(), Interface: uint32(ifindex)})
		}}
	}
	return option{"IP_ADD_MEMBERSHIP " + k.Addr.String(), func(fd int) error {
		return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
			&unix.IPMreqn{Multiaddr: k.Addr.As4(), Ifindex: int32(ifindex)})
	}}
}

func openSender(k vrrp.SocketKey, o socketOptions) (int, error) {
	fd, err := rawSocket(k)
	if err != nil {
		return -1, err
	}
	// What comes in here is nobody's: the other socket reads.
	dropAll := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0)
	options := []option{{"SO_ATTACH_FILTER", func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &dropAll})
	}}}
	if k.IPv6 {
		options = append(options, intOption("IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, ipv6MulticastAll, 0),
			intOption("IPV6_CHECKSUM", unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, 6))
		if !k.Unicast {
			options = append(options, intOption("IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255))
		}
	} else {
		options = append(options, intOption("IP_MULTICAST_ALL", unix.IPPROTO_IP, ipMulticastAll, 0),
			intOption("IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL, 1))
	}
	switch {
	case k.Interface != "":
		options = append(options, bindToDevice(k.Interface))
	case k.VRF != "":
		options = append(options, bindToDevice(k.VRF))
	}
	switch {
	case k.Unicast:
	case k.IPv6:
		options = append(options, intOption("IPV6_MULTICAST_IF", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, o.ifindex),
			intOption("IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0))
	default:
		options = append(options, option{"IP_MULTICAST_IF", func(fd int) error {
			return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(o.ifindex)})
		}}, intOption("IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0))
	}
	if k.IPv6 {
		options = append(options, intOption("IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tosInternetControl))
	} else {
		options = append(options, intOption("IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, tosInternetControl))
	}
	if err := apply(fd, k, options); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func sockaddr(a netip.Addr, ifindex int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	sa := &unix.SockaddrInet6{Addr: a.As16()}
	if a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() {
		sa.ZoneId = uint32(ifindex)
	}
	return sa
}

// close closes both sockets. The kernel leaves the group.
func (s *socket) close() {
	unix.Close(s.recvFD)
	unix.Close(s.sendFD)
}

func (k socketLine) String() string {
	fam := "IPv4"
	if k.key.IPv6 {
		fam = "IPv6"
	}
	cast := " multicast"
	if k.key.Unicast {
		cast = " , unicast"
	}
	return fmt.Sprintf("VRRP sockpool: [ifindex(%3d), family(%s), proto(%d), fd(%d,%d)%s, address(%s)]",
		k.ifindex, fam, k.key.Protocol, k.recvFD, k.sendFD, cast, k.key.Addr)
}

// socketLine prints a socket as the log shows it.
type socketLine struct{ *socket }

func logSocket(s *socket) { log.Detailf("%v", socketLine{s}) }
