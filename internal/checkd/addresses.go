package checkd

import (
	"net/netip"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
)

// addresses follows the addresses of this host for ha_suspend and for option
// -a. It is open only if one of them is used, and then for good.
type addresses struct {
	kernel *kernel.Kernel
	watch  *kernel.Watcher
	held   map[netip.Addr]map[int]bool // interfaces that have it
}

// set opens the watch if the configuration needs it now.
func (a *addresses) set(d *daemon, now time.Time) {
	used := d.child.Options.AddressMonitoring || slices.ContainsFunc(d.conf.Checker.Services,
		func(s checker.ServiceConfig) bool { return s.HASuspend })
	if !used || a.kernel != nil {
		return
	}
	k, err := kernel.Open()
	if err != nil {
		log.Err("follow addresses for ha_suspend: %v", err)
		return
	}
	a.kernel, a.held = k, map[netip.Addr]map[int]bool{}
	// Watching comes first, so that nothing between it and the listing is lost.
	k.SetReceiveBuffer(kernel.Buffer(d.conf.Global.LVSNetlinkCmd))
	if a.watch, err = k.Watch(kernel.WatchOptions{}, func(events []kernel.Event) {
		d.loop.Post(func(now time.Time) { a.events(d, now, events) })
	}); err != nil {
		log.Err("follow addresses for ha_suspend: %v", err)
	} else {
		a.watch.SetReceiveBuffer(kernel.Buffer(d.conf.Global.LVSNetlinkMonitor))
	}
	a.list(d, now)
}

// list reads all addresses, at the start and when events were lost.
func (a *addresses) list(d *daemon, now time.Time) {
	all, err := a.kernel.Addrs()
	if err != nil {
		log.Err("list addresses: %v", err)
		return
	}
	gone := a.held
	a.held = map[netip.Addr]map[int]bool{}
	for _, x := range all {
		ip := x.Prefix.Addr()
		if a.held[ip] == nil {
			a.held[ip] = map[int]bool{}
			if gone[ip] == nil {
				a.changed(d, now, ip, true)
			}
			delete(gone, ip)
		}
		a.held[ip][x.Link] = true
	}
	for ip := range gone {
		a.changed(d, now, ip, false)
	}
}

func (a *addresses) events(d *daemon, now time.Time, events []kernel.Event) {
	for _, e := range events {
		switch e := e.(type) {
		case kernel.Resync:
			a.list(d, now)
		case kernel.AddrEvent:
			a.event(d, now, e)
		}
	}
}

func (a *addresses) event(d *daemon, now time.Time, e kernel.AddrEvent) {
	ip := e.Address.Prefix.Addr()
	links := a.held[ip]
	had := len(links) > 0
	if e.Deleted {
		delete(links, e.Address.Link)
		if had && len(links) == 0 {
			delete(a.held, ip)
			a.changed(d, now, ip, false)
		}
		return
	}
	if links == nil {
		links = map[int]bool{}
		a.held[ip] = links
	}
	links[e.Address.Link] = true
	if !had {
		a.changed(d, now, ip, true)
	}
}

// changed tells the pool, and with -a the log.
func (a *addresses) changed(d *daemon, now time.Time, ip netip.Addr, present bool) {
	if d.child.Options.AddressMonitoring || log.Detail() && d.suspendedBy(ip) {
		word := "removed"
		if present {
			word = "added"
		}
		log.Info("Netlink reflector reports IP %s %s", ip, word)
	}
	d.pool.Address(now, ip, present)
}

// suspendedBy reports whether a virtual server with ha_suspend has the address.
func (d *daemon) suspendedBy(ip netip.Addr) bool {
	return slices.ContainsFunc(d.conf.Checker.Services, func(s checker.ServiceConfig) bool {
		return s.HASuspend && s.Addr.Addr() == ip
	})
}

func (a *addresses) close() {
	if a.watch != nil {
		a.watch.Close()
	}
	if a.kernel != nil {
		a.kernel.Close()
	}
}
