package vrrpd

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Apply carries out what the core decided. Adverts leave before anything else
// of the pass, in one call per socket; what needs the kernel's answer goes to
// the worker in order, and at once: writing log lines and the state can wait
// for a virtual address. Apply implements process.Core.
func (d *daemon) Apply(now time.Time) {
	release := log.Hold()
	for {
		effects := d.router.Drain()
		for _, e := range effects {
			d.effect(now, e)
		}
		d.out.flush(d.isDown)
		if len(d.jobs) > 0 { // also those that no effect brought: static entries
			d.worker.put(d.jobs)
			clear(d.jobs)
			d.jobs = d.jobs[:0]
			// The worker takes over this thread, and another carries on here: to
			// wake a thread takes longer than what the worker has to do.
			runtime.Gosched()
		}
		if len(effects) == 0 {
			break
		}
	}
	release()
	d.saveState(now)
}

func (d *daemon) effect(now time.Time, e vrrp.Effect) {
	switch e := e.(type) {
	case *vrrp.SendAdvert:
		if s := d.sockets[e.Socket]; s != nil && s.open != nil {
			d.out.add(s.open, e)
		}
	case vrrp.Log:
		d.logLine(e)
	case vrrp.Sockets:
		d.setSockets(now, e.Want)
	case vrrp.HoldAddrs:
		d.holdAddrs(e)
	case vrrp.HoldRoutes:
		d.holdRoutes(e)
	case vrrp.HoldRules:
		d.holdRules(e)
	case vrrp.Filter:
		d.filter(e)
	case vrrp.Announce:
		d.announce(e)
	case vrrp.Entered:
		d.stateChanged = true
		d.after(e.Instance, func() { d.post(func(now time.Time) { d.tell.entered(d, now, e) }) })
	case vrrp.PriorityChanged:
		d.after(e.Instance, func() { d.post(func(time.Time) { d.tell.priorityChanged(e) }) })
	case vrrp.RxLowerPrio:
		d.after(e.Instance, func() { d.post(func(time.Time) { d.tell.rxLowerPrio(d, e) }) })
	case vrrp.Rejected:
		d.snmp.rejected(d, e)
	case vrrp.SyncRole:
		d.syncRole(e)
	default:
		panic(fmt.Sprintf("effect of unknown type %T", e))
	}
}

// after queues what must come after the addresses of the instance.
func (d *daemon) after(id vrrp.ID, do func()) {
	d.jobs = append(d.jobs, job{instance: id, do: do})
}

// post is Loop.Post for those who need no answer.
func (d *daemon) post(f func(now time.Time)) { d.loop.Post(f) }

func (d *daemon) logLine(l vrrp.Log) {
	if l.Detail && !log.Detail() {
		return
	}
	switch l.Level {
	case vrrp.LevelErr:
		log.Err("%s", l.Text)
	case vrrp.LevelWarning:
		log.Warning("%s", l.Text)
	case vrrp.LevelNotice:
		log.Notice("%s", l.Text)
	default:
		log.Info("%s", l.Text)
	}
}

func (d *daemon) holdAddrs(e vrrp.HoldAddrs) {
	j := job{instance: e.Instance}
	for _, h := range e.Drop {
		if link := d.links.heldOn(h.Interface); link != 0 {
			j.del = append(j.del, kernelAddress(h.Address, link))
		}
	}
	for _, h := range e.Add {
		link := d.links.index(h.Interface)
		if link == 0 {
			log.Info("Not adding address %v to %s since interface doesn't exist", h.Prefix.Addr(), h.Interface)
			continue
		}
		j.add = append(j.add, kernelAddress(h.Address, link))
	}
	if len(j.del)+len(j.add) > 0 {
		d.jobs = append(d.jobs, j)
	}
}

// kernelAddress gives an address the defaults of vrrp.md 4.1.
func kernelAddress(h *vrrp.Address, link int) kernel.Address {
	a := kernel.Address{
		Link: link, Prefix: h.Prefix, Broadcast: h.Broadcast, Label: h.Label, Scope: h.Scope,
		Preferred: kernel.Forever, Valid: kernel.Forever, Protocol: kernel.ProtocolKeepalived,
	}
	if h.Peer.IsValid() {
		a.Peer = h.Peer.Addr()
		a.Prefix = netip.PrefixFrom(h.Prefix.Addr(), h.Peer.Bits())
	}
	for _, f := range []struct {
		set  bool
		flag uint32
	}{
		{h.Home, unix.IFA_F_HOMEADDRESS},
		{h.ManageTemp, unix.IFA_F_MANAGETEMPADDR},
		{h.NoPrefixRoute, unix.IFA_F_NOPREFIXROUTE},
		{h.AutoJoin, unix.IFA_F_MCAUTOJOIN},
	} {
		if f.set {
			a.Flags |= f.flag
		}
	}
	if h.Prefix.Addr().Is6() {
		if !h.DAD {
			a.Flags |= unix.IFA_F_NODAD
		}
		switch {
		case h.PreferredSet:
			a.Preferred = h.PreferredLft
		case h.Prefix.IsSingleIP():
			// Deprecated, so that nobody takes it as source by itself.
			a.Preferred = 0
		}
	}
	return a
}

// setAddrs does the addresses of one wave of the worker.
func (d *daemon) setAddrs(del, add []kernel.Address) {
	for _, err := range d.kernel.DelAddrs(del) {
		d.netlinkError(err)
	}
	for _, err := range d.kernel.AddAddrs(add) {
		d.netlinkError(err)
	}
}

// netlinkError says that the kernel refused something, in the words of the
// original and then in ours, which tell what it was.
func (d *daemon) netlinkError(err error) {
	if err == nil {
		return
	}
	var refused *kernel.RequestError
	if !errors.As(err, &refused) {
		log.Info("Netlink: error: %v", err)
		return
	}
	log.Info("Netlink: error: %s(%d), type=%s(%d), seq=%d, pid=0",
		strerror(refused.Errno), int(refused.Errno), refused.TypeName(), refused.Type, refused.Seq)
	log.Info("%v", err)
}

// isDown reports whether a socket's interface is not up, or gone.
func (d *daemon) isDown(s *socket) bool {
	l, ok := d.links.byIndex[s.ifindex]
	return s.ifindex != 0 && (!ok || !l.Up())
}
