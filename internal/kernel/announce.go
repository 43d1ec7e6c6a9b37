package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// announceBatch is how many frames one system call sends at most.
const announceBatch = 64

// Frame is one link-layer frame with everything from the hardware header on.
type Frame struct {
	Link     int    // index of the link it leaves by
	Protocol uint16 // unix.ETH_P_ARP or unix.ETH_P_IPV6
	Data     []byte
}

// Announcer sends gratuitous ARP and unsolicited neighbour advertisements on
// all links through one packet socket. It receives nothing. It belongs to one
// goroutine.
type Announcer struct {
	fd    int
	msgs  [announceBatch]mmsghdr
	iovs  [announceBatch]unix.Iovec
	names [announceBatch]unix.RawSockaddrLinklayer
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// OpenAnnouncer opens the packet socket.
func OpenAnnouncer() (*Announcer, error) {
	// Protocol 0: the kernel queues nothing for this socket.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	a := &Announcer{fd: fd}
	for i := range a.msgs {
		h := &a.msgs[i].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&a.names[i])), unix.SizeofSockaddrLinklayer
		h.Iov = &a.iovs[i]
		h.SetIovlen(1)
	}
	return a, nil
}

// Close closes the socket.
func (a *Announcer) Close() error { return unix.Close(a.fd) }

// Send sends frames in order. It returns nil if all went out, else an error
// per frame; a link that is down or gone, or a full queue, costs only its own
// frames.
func (a *Announcer) Send(frames []Frame) []error {
	var errs []error
	for done := 0; done < len(frames); {
		n, err := a.send(frames[done:min(done+announceBatch, len(frames))])
		done += n
		if err != nil {
			if errs == nil {
				errs = make([]error, len(frames))
			}
			errs[done] = fmt.Errorf("announce on link %d: %w", frames[done].Link, err)
			done++
		}
	}
	return errs
}

// send hands over one batch. It returns how many frames went out and, if not
// all did, why the next one did not.
func (a *Announcer) send(frames []Frame) (int, error) {
	for i, f := range frames {
		if len(f.Data) == 0 {
			return a.sendmmsg(i, errEmptyFrame)
		}
		a.names[i] = unix.RawSockaddrLinklayer{
			Family: unix.AF_PACKET, Protocol: networkOrder(f.Protocol), Ifindex: int32(f.Link),
		}
		a.iovs[i].Base = &f.Data[0]
		a.iovs[i].SetLen(len(f.Data))
	}
	return a.sendmmsg(len(frames), nil)
}

var errEmptyFrame = errors.New("empty frame")

// sendmmsg sends the first n messages; after is the reason why no more were
// prepared.
func (a *Announcer) sendmmsg(n int, after error) (int, error) {
	sent := 0
	for sent < n {
		r, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(a.fd),
			uintptr(unsafe.Pointer(&a.msgs[sent])), uintptr(n-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(r)
		case unix.EINTR:
		default:
			return sent, errno
		}
	}
	return sent, after
}

// linkHeader writes the hardware header of a frame from link l to dst.
func linkHeader(l Link, dst net.HardwareAddr, etherType uint16) ([]byte, error) {
	switch {
	case l.Type == unix.ARPHRD_INFINIBAND && len(dst) == ipoibAddrLen:
		return appendIPoIBHeader(nil, dst, etherType), nil
	case len(l.MAC) == etherAddrLen && len(dst) == etherAddrLen:
		b := append(append(make([]byte, 0, 96), dst...), l.MAC...)
		return append(b, byte(etherType>>8), byte(etherType)), nil
	}
	return nil, fmt.Errorf("link %s has no hardware address to announce", l.Name)
}

// Announcement makes the frame that tells link l that it has the address vip: a
// gratuitous ARP for IPv4, an unsolicited neighbour advertisement for IPv6.
// router is the router flag of the latter.
func Announcement(l Link, vip netip.Addr, router bool) (Frame, error) {
	if vip.Is4() {
		return GratuitousARP(l, vip)
	}
	return UnsolicitedNA(l, vip, router)
}

// networkOrder gives the number that in memory is v in big-endian.
func networkOrder(v uint16) uint16 {
	return native.Uint16([]byte{byte(v >> 8), byte(v)})
}
