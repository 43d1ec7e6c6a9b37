package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Beat says how a link's carrier is asked for by polling (linkbeat_use_polling).
type Beat uint8

// The ways. BeatAny is the first of the others that works.
const (
	BeatAny     Beat = iota
	BeatMII          // the status register of the transceiver (BMSR)
	BeatEthtool      // ETHTOOL_GLINK
	BeatIOCTL        // the interface flags
)

// String is the word of linkbeat_interfaces.
func (b Beat) String() string { return [...]string{"", "MII", "ETHTOOL", "IOCTL"}[b] }

// Registers and bits of IEEE 802.3 clause 22.
const (
	miiStatus     = 1
	miiLinkStatus = 1 << 2
)

// ifreq is struct ifreq as these requests use it.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// LinkPoller asks drivers for carrier. It belongs to one goroutine.
type LinkPoller struct{ fd int }

// OpenLinkPoller opens the socket that the requests go through.
func OpenLinkPoller() (*LinkPoller, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket for link polling: %w", err)
	}
	return &LinkPoller{fd}, nil
}

// Close closes the socket.
func (p *LinkPoller) Close() error { return unix.Close(p.fd) }

// Up asks whether a link has carrier, and says which way answered; with BeatAny
// that is the way to use from then on.
func (p *LinkPoller) Up(link string, how Beat) (up bool, used Beat, err error) {
	if how != BeatAny {
		up, err = p.ask(link, how)
		return up, how, err
	}
	for _, how = range []Beat{BeatMII, BeatEthtool, BeatIOCTL} {
		if up, err = p.ask(link, how); err == nil {
			break
		}
	}
	return up, how, err
}

func (p *LinkPoller) ask(link string, how Beat) (up bool, err error) {
	var r ifreq
	copy(r.name[:len(r.name)-1], link)
	switch how {
	case BeatMII:
		up, err = p.mii(&r)
	case BeatEthtool:
		up, err = p.ethtool(link)
	default:
		err = p.ioctl(unix.SIOCGIFFLAGS, unsafe.Pointer(&r))
		flags := native.Uint16(r.data[:])
		up = flags&unix.IFF_UP != 0 && flags&unix.IFF_RUNNING != 0
	}
	if err != nil {
		return false, fmt.Errorf("ask %s for its link by %v: %w", link, how, err)
	}
	return up, nil
}

// mii reads the status register. Its link bit stays down until it is read
// after a loss, so only the second reading is the present.
func (p *LinkPoller) mii(r *ifreq) (bool, error) {
	if err := p.ioctl(unix.SIOCGMIIPHY, unsafe.Pointer(r)); err != nil {
		return false, err
	}
	var status uint16
	for range 2 {
		native.PutUint16(r.data[2:], miiStatus) // struct mii_ioctl_data: phy, register, in, out
		if err := p.ioctl(unix.SIOCGMIIREG, unsafe.Pointer(r)); err != nil {
			return false, err
		}
		status = native.Uint16(r.data[6:])
	}
	return status&miiLinkStatus != 0, nil
}

func (p *LinkPoller) ethtool(link string) (bool, error) {
	value := struct{ cmd, data uint32 }{unix.ETHTOOL_GLINK, 0}
	// The pointer is a pointer for the collector too: the value may be moved
	// until the system call.
	r := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(r.name[:len(r.name)-1], link)
	err := p.ioctl(unix.SIOCETHTOOL, unsafe.Pointer(&r))
	return value.data != 0, err
}

func (p *LinkPoller) ioctl(request uintptr, r unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), request, uintptr(r))
	if errno != 0 {
		return errno
	}
	return nil
}
