package kernel

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"golang.org/x/sys/unix"
)

const (
	etherAddrLen = 6

	// IP over InfiniBand, RFC 4391: a packet socket wants the destination, then
	// the four bytes of the header.
	ipoibAddrLen = 20
)

// GratuitousARP makes the frame by which link l says that it has vip.
//
// keepalived: a request (RFC 5227 section 3 calls it an announcement) whose
// target hardware address is the broadcast address, not zero.
func GratuitousARP(l Link, vip netip.Addr) (Frame, error) {
	broadcast := l.Broadcast
	if len(broadcast) != len(l.MAC) {
		broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	frame, err := linkHeader(l, broadcast, unix.ETH_P_ARP)
	if err != nil {
		return Frame{}, err
	}
	p, err := arp.NewPacket(arp.OperationRequest, l.MAC, vip, broadcast, vip)
	if err != nil {
		return Frame{}, fmt.Errorf("make gratuitous ARP for %v on %s: %w", vip, l.Name, err)
	}
	if l.Type == unix.ARPHRD_INFINIBAND {
		p.HardwareType = unix.ARPHRD_INFINIBAND
	}
	b, err := p.MarshalBinary()
	if err != nil {
		return Frame{}, fmt.Errorf("make gratuitous ARP for %v on %s: %w", vip, l.Name, err)
	}
	return Frame{l.Index, unix.ETH_P_ARP, append(frame, b...)}, nil
}

func appendIPoIBHeader(b []byte, dst net.HardwareAddr, etherType uint16) []byte {
	b = append(b, dst...)
	return append(b, byte(etherType>>8), byte(etherType), 0, 0)
}
