package vrrpd

import (
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// socketSlot is a socket that the core wants. It is not open while its
// interface does not exist.
type socketSlot struct {
	want   vrrp.Socket
	open   *socket
	failed string // the last error, so that it is logged once
}

// setSockets opens what is new, closes what is not wanted any more and keeps
// the rest.
func (d *daemon) setSockets(now time.Time, want []vrrp.Socket) {
	keep := map[vrrp.SocketID]bool{}
	for _, w := range want {
		keep[w.ID] = true
	}
	for _, id := range d.socketOrder {
		if s := d.sockets[id]; !keep[id] {
			d.closeSlot(s)
			delete(d.sockets, id)
		}
	}
	d.socketOrder = d.socketOrder[:0]
	for _, w := range want {
		d.socketOrder = append(d.socketOrder, w.ID)
		s := d.sockets[w.ID]
		if s == nil {
			s = &socketSlot{}
			d.sockets[w.ID] = s
		}
		s.want = w
	}
	d.openSockets(now)
}

func (d *daemon) closeSlot(s *socketSlot) {
	if s.open != nil {
		d.out.forget(s.open)
		d.loop.Unwatch(s.open.recvFD)
		s.open.close()
		s.open = nil
	}
}

// openSockets opens what is wanted and not open, and opens anew what stands on
// an interface that was deleted and made again.
func (d *daemon) openSockets(now time.Time) {
	for _, id := range d.socketOrder {
		s := d.sockets[id]
		link := d.links.index(s.want.Key.Interface)
		if s.open != nil && s.open.ifindex != link {
			d.closeSlot(s)
		}
		if s.open != nil || (s.want.Key.Interface != "" && link == 0) {
			continue
		}
		d.openSlot(now, s, link)
	}
}

func (d *daemon) openSlot(now time.Time, s *socketSlot, link int) {
	l := d.links.byIndex[link]
	o := socketOptions{ifindex: link, mtu: l.MTU, rcvbuf: d.rcvbuf(s.want, l.MTU)}
	sock, err := openSocket(s.want, o)
	if err == nil {
		if err = d.loop.Watch(sock.recvFD, func(now time.Time) { d.hear(now, sock) }); err != nil {
			sock.close()
		}
	}
	if err != nil {
		if s.failed != err.Error() {
			s.failed = err.Error()
			log.Info("VRRP socket: %v", err)
		}
		d.router.SocketFailed(now, s.want.ID, true)
		return
	}
	if s.failed != "" {
		s.failed = ""
		d.router.SocketFailed(now, s.want.ID, false)
	}
	s.open = sock
	sock.deliver = d.receive
	logSocket(sock)
}

// rcvbuf is the receive buffer of a read socket, by the configured policy; 0
// leaves the kernel's default.
func (d *daemon) rcvbuf(w vrrp.Socket, mtu int) int {
	if w.RxBuffer > 0 {
		return int(w.RxBuffer)
	}
	if n := d.rxPolicy(mtu); n > 0 {
		return n * w.Instances
	}
	// The kernel's default holds some 250 packets. Many instances with short
	// intervals fill that while the process does not run for a moment.
	if w.Instances > 64 {
		return min(w.Instances*4096, 4<<20)
	}
	return 0
}

func (d *daemon) receive(now time.Time, p *vrrp.Packet) { d.router.Receive(now, p) }

// hear reads one batch from a socket. ENETDOWN and the like are no news: the
// interface's events tell.
func (d *daemon) hear(now time.Time, s *socket) {
	if d.in.receive(s) == 0 {
		d.in.deliver(now, s)
	}
}

// drainSockets hears what peers said while the process did not run.
func (d *daemon) drainSockets(now time.Time) {
	for _, id := range d.socketOrder {
		if s := d.sockets[id].open; s != nil {
			d.in.drain(now, s)
		}
	}
}

// forget drops what waits for a socket that is closed.
func (o *outbox) forget(s *socket) {
	s.pending = nil
	o.dirty = slices.DeleteFunc(o.dirty, func(t *socket) bool { return t == s })
}
