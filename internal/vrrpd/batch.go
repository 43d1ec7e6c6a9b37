package vrrpd

import (
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// batchPackets is how many packets one system call takes. A burst of 255
// instances then costs four calls.
const batchPackets = 64

// controlBytes holds SCM_TIMESTAMPNS, IPV6_PKTINFO and IPV6_HOPLIMIT.
const controlBytes = 96

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// batch is memory for one recvmmsg, for all sockets in turn. It belongs to the
// loop.
type batch struct {
	n      int
	packet vrrp.Packet

	msgs    [batchPackets]mmsghdr
	iovs    [batchPackets]unix.Iovec
	names   [batchPackets]unix.RawSockaddrInet6
	control [batchPackets][controlBytes]byte
	data    []byte
	size    int // of the longest packet to expect
}

// grow makes room for packets of size bytes.
func (b *batch) grow(size int) {
	if size <= b.size {
		return
	}
	b.size, b.data = size, make([]byte, batchPackets*size)
	for i := range b.msgs {
		b.iovs[i].Base = &b.data[i*size]
		b.iovs[i].SetLen(size)
		h := &b.msgs[i].hdr
		h.Iov = &b.iovs[i]
		h.SetIovlen(1)
		h.Control = &b.control[i][0]
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
	}
}

// receive fills the batch without waiting.
func (b *batch) receive(s *socket) syscall.Errno {
	b.grow(s.size)
	for i := range b.msgs {
		h := &b.msgs[i].hdr
		h.SetControllen(controlBytes)
		h.Namelen = unix.SizeofSockaddrInet6
	}
	// Not a call that may block: the runtime need not prepare for one.
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.recvFD), uintptr(unsafe.Pointer(&b.msgs[0])),
		batchPackets, unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	b.n = int(n)
	if errno != 0 {
		b.n = 0
	}
	return errno
}

// deliver hands the packets that came from a socket to the Router.
func (b *batch) deliver(now time.Time, s *socket) {
	for i := range b.n {
		length := int(b.msgs[i].len)
		if length > s.size {
			log.Info("recvmsg(%d) message truncated from %d to %d bytes", s.recvFD, length, s.size)
			continue
		}
		b.packet = vrrp.Packet{Socket: s.id, Bytes: b.data[i*b.size:][:length], HopLimit: -1}
		if s.key.IPv6 {
			b.packet.Source = netip.AddrFrom16(b.names[i].Addr)
		}
		b.readControl(now, i)
		s.deliver(now, &b.packet)
	}
}

// drain reads what came before now and delivers it, when the loop was late:
// what peers said meanwhile comes before our own deadlines. What they go on
// saying is left, or a flood would hold us here.
func (b *batch) drain(now time.Time, s *socket) {
	for b.receive(s) == 0 {
		b.deliver(time.Now(), s)
		if b.n < batchPackets || b.packet.Arrived.After(now) {
			return
		}
	}
}

// readControl takes the time of arrival, the destination and the hop limit from
// message i.
func (b *batch) readControl(now time.Time, i int) {
	c := b.control[i][:b.msgs[i].hdr.Controllen]
	for len(c) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
		if int(h.Len) < unix.SizeofCmsghdr || int(h.Len) > len(c) {
			return
		}
		body := c[unix.SizeofCmsghdr:h.Len]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(body) >= sizeofTimespec:
			b.packet.Arrived = arrival(now, (*unix.Timespec)(unsafe.Pointer(&body[0])))
		case h.Level != unix.IPPROTO_IPV6:
		case h.Type == unix.IPV6_PKTINFO && len(body) >= 16:
			b.packet.To = netip.AddrFrom16([16]byte(body[:16]))
		case h.Type == unix.IPV6_HOPLIMIT && len(body) >= 4:
			b.packet.HopLimit = int(*(*int32)(unsafe.Pointer(&body[0])))
		}
		c = c[min(unix.CmsgSpace(len(body)), len(c)):]
	}
}

const sizeofTimespec = int(unsafe.Sizeof(unix.Timespec{}))

// arrival is the kernel's stamp on the clock of now. The stamp is wall clock
// time; one from the future, because that clock was set back, counts as now.
func arrival(now time.Time, stamp *unix.Timespec) time.Time {
	return now.Add(-time.Duration(max(now.UnixNano()-stamp.Nano(), 0)))
}
