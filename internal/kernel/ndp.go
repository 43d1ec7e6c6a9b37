package kernel

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

const icmp6HopLimit = 255

var allNodes = netip.MustParseAddr("ff02::1")

// UnsolicitedNA makes the frame by which link l says that it has vip: RFC 4861
// section 7.2.6, override set, to all nodes, from the address itself. router
// says whether the host forwards IPv6.
func UnsolicitedNA(l Link, vip netip.Addr, router bool) (Frame, error) {
	if l.Type == unix.ARPHRD_INFINIBAND {
		return Frame{}, fmt.Errorf("announce %v on %s: no neighbour advertisements on InfiniBand", vip, l.Name)
	}
	frame, err := linkHeader(l, groupMAC(allNodes), unix.ETH_P_IPV6)
	if err != nil {
		return Frame{}, err
	}
	icmp, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Router:        router,
		Override:      true,
		TargetAddress: vip,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: l.MAC}},
	}, vip, allNodes)
	if err != nil {
		return Frame{}, fmt.Errorf("make neighbour advertisement for %v on %s: %w", vip, l.Name, err)
	}
	frame = append(frame, 0x60, 0, 0, 0, byte(len(icmp)>>8), byte(len(icmp)),
		unix.IPPROTO_ICMPV6, icmp6HopLimit)
	frame = append(frame, vip.AsSlice()...)
	frame = append(frame, allNodes.AsSlice()...)
	return Frame{l.Index, unix.ETH_P_IPV6, append(frame, icmp...)}, nil
}

// groupMAC is the Ethernet address of an IPv6 group, RFC 2464 section 7.
func groupMAC(group netip.Addr) net.HardwareAddr {
	a := group.As16()
	return net.HardwareAddr{0x33, 0x33, a[12], a[13], a[14], a[15]}
}
