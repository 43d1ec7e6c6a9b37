package vrrpd

import (
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// outbox gathers the adverts of one pass of the loop and sends those of one
// socket in one system call. The bytes belong to the Router until its next
// Drain, so flush comes before that.
type outbox struct {
	dirty []*socket

	msgs  []mmsghdr
	iovs  []unix.Iovec
	name4 []unix.RawSockaddrInet4
	name6 []unix.RawSockaddrInet6
	ctrl  [][controlBytes]byte

	// failed holds the last error of each instance, so that one that lasts is
	// logged once and not with every advert.
	failed map[vrrp.ID]syscall.Errno
}

// add queues the packets of an advert.
func (o *outbox) add(s *socket, a *vrrp.SendAdvert) {
	if len(s.pending) == 0 {
		o.dirty = append(o.dirty, s)
	}
	for i := range a.Packets {
		s.pending = append(s.pending, outgoing{a, &a.Packets[i]})
	}
}

// flush sends everything queued. down tells whether an advert's interface is
// not up: a resignation that cannot leave is then no news.
func (o *outbox) flush(down func(*socket) bool) {
	for _, s := range o.dirty {
		o.send(s, down)
		clear(s.pending)
		s.pending = s.pending[:0]
	}
	o.dirty = o.dirty[:0]
}

func (o *outbox) send(s *socket, down func(*socket) bool) {
	n := len(s.pending)
	o.grow(n)
	for i, p := range s.pending {
		o.encode(i, s, p)
	}
	flags := uintptr(unix.MSG_DONTWAIT)
	if !s.key.Unicast {
		flags |= unix.MSG_DONTROUTE
	}
	for done := 0; done < n; {
		// Not a call that may block: the runtime need not prepare for one.
		sent, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.sendFD),
			uintptr(unsafe.Pointer(&o.msgs[done])), uintptr(n-done), flags, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			// The first packet of the call failed: it alone is given up.
			o.report(s, s.pending[done], errno, down)
			done++
			continue
		}
		for _, p := range s.pending[done : done+int(sent)] {
			if len(o.failed) > 0 {
				delete(o.failed, p.advert.Instance)
			}
		}
		done += int(sent)
	}
}

func (o *outbox) grow(n int) {
	if n <= len(o.msgs) {
		return
	}
	n = max(n, 2*len(o.msgs))
	o.msgs = make([]mmsghdr, n)
	o.iovs = make([]unix.Iovec, n)
	o.name4 = make([]unix.RawSockaddrInet4, n)
	o.name6 = make([]unix.RawSockaddrInet6, n)
	o.ctrl = make([][controlBytes]byte, n)
}

func (o *outbox) encode(i int, s *socket, p outgoing) {
	b := p.packet.Bytes
	o.iovs[i].Base = &b[0]
	o.iovs[i].SetLen(len(b))
	h := &o.msgs[i].hdr
	*h = unix.Msghdr{Iov: &o.iovs[i]}
	h.SetIovlen(1)
	to := p.packet.To
	if !s.key.IPv6 {
		o.name4[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.As4()}
		h.Name = (*byte)(unsafe.Pointer(&o.name4[i]))
		h.Namelen = unix.SizeofSockaddrInet4
		return
	}
	o.name6[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.As16()}
	if to.IsLinkLocalMulticast() || to.IsLinkLocalUnicast() {
		o.name6[i].Scope_id = uint32(s.ifindex)
	}
	h.Name = (*byte)(unsafe.Pointer(&o.name6[i]))
	h.Namelen = unix.SizeofSockaddrInet6
	c := o.ctrl[i][:0]
	if p.advert.Source.IsValid() {
		c = appendPktInfo(c, p.advert.Source, s.ifindex)
	}
	if p.advert.HopLimit > 0 {
		c = appendHopLimit(c, p.advert.HopLimit)
	}
	if len(c) > 0 {
		h.Control = &o.ctrl[i][0]
		h.SetControllen(len(c))
	}
}

// appendControl appends a control message with room for n bytes of body.
func appendControl(c []byte, typ int32, n int) (all, body []byte) {
	start := len(c)
	all = c[:start+unix.CmsgSpace(n)]
	clear(all[start:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&all[start]))
	h.Level, h.Type = unix.IPPROTO_IPV6, typ
	h.SetLen(unix.CmsgLen(n))
	return all, all[start+unix.SizeofCmsghdr:][:n]
}

func appendPktInfo(c []byte, src netip.Addr, ifindex int) []byte {
	all, body := appendControl(c, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	*(*unix.Inet6Pktinfo)(unsafe.Pointer(&body[0])) = unix.Inet6Pktinfo{Addr: src.As16(), Ifindex: uint32(ifindex)}
	return all
}

func appendHopLimit(c []byte, hops int) []byte {
	all, body := appendControl(c, unix.IPV6_HOPLIMIT, 4)
	*(*int32)(unsafe.Pointer(&body[0])) = int32(hops)
	return all
}

func (o *outbox) report(s *socket, p outgoing, errno syscall.Errno, down func(*socket) bool) {
	a := p.advert
	if a.Priority == 0 && errors.Is(errno, unix.ENETUNREACH) && down(s) {
		return
	}
	if o.failed[a.Instance] == errno {
		return
	}
	if o.failed == nil {
		o.failed = map[vrrp.ID]syscall.Errno{}
	}
	o.failed[a.Instance] = errno
	if s.key.Unicast {
		log.Info("(%s) Cant send advert to %v (%s)", a.Name, p.packet.To, strerror(errno))
		return
	}
	log.Info("(%s): send advert error %d (%s)", a.Name, int(errno), strerror(errno))
}

// strerror is the C library's text: Go's, with a capital letter.
func strerror(err error) string {
	b := []byte(err.Error())
	if len(b) > 0 && 'a' <= b[0] && b[0] <= 'z' {
		b[0] -= 'a' - 'A'
	}
	return string(b)
}
