package vrrpd

import (
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// forwardingAge is how long an interface's forwarding sysctl is believed.
const forwardingAge = 5 * time.Second

// announcer sends gratuitous ARPs and neighbour advertisements. It belongs to
// the worker.
type announcer struct {
	to         *kernel.Announcer
	forwarding map[string]forwarding
}

type forwarding struct {
	on   bool
	read time.Time
}

// target is an address to announce with its link, resolved by the loop.
type target struct {
	link kernel.Link
	base string // whose forwarding sysctl decides the router flag
	addr netip.Addr
}

func (d *daemon) announce(e vrrp.Announce) {
	targets := make([]target, 0, len(e.Targets))
	for _, t := range e.Targets {
		l, ok := d.links.named(t.Interface)
		if !ok {
			continue
		}
		base := l
		if b, ok := d.links.byIndex[l.Parent]; ok && (l.Kind == "macvlan" || l.Kind == "ipvlan") && !l.ParentElsewhere {
			base = b
		}
		if base.NoARP() {
			continue
		}
		targets = append(targets, target{l, base.Name, t.Addr})
	}
	if len(targets) > 0 {
		d.after(e.Instance, func() { d.ann.send(targets, e.Rounds) })
	}
}

func (a *announcer) send(targets []target, rounds int) {
	if a.to == nil {
		return
	}
	frames := make([]kernel.Frame, 0, len(targets))
	for _, t := range targets {
		f, err := kernel.Announcement(t.link, t.addr, t.addr.Is6() && a.router(t.base))
		if err != nil {
			log.Info("%v", err)
			continue
		}
		frames = append(frames, f)
	}
	for range rounds {
		for _, err := range a.to.Send(frames) {
			if err != nil {
				log.Info("Error sending announcement: %v", err)
			}
		}
	}
}

// router reports whether the interface forwards IPv6.
func (a *announcer) router(link string) bool {
	f, ok := a.forwarding[link]
	if now := time.Now(); !ok || now.Sub(f.read) >= forwardingAge {
		b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + link + "/forwarding")
		f = forwarding{err == nil && strings.TrimSpace(string(b)) != "0", now}
		if a.forwarding == nil {
			a.forwarding = map[string]forwarding{}
		}
		a.forwarding[link] = f
	}
	return f.on
}

// openAnnouncer opens the packet socket if any instance has addresses.
func (d *daemon) openAnnouncer() {
	var v4, v6 bool
	for i := range d.cfg.Instances {
		in := &d.cfg.Instances[i]
		for _, list := range [][]vrrp.Address{in.Addresses, in.Excluded} {
			for _, a := range list {
				v4 = v4 || a.Prefix.Addr().Is4()
				v6 = v6 || a.Prefix.Addr().Is6()
			}
		}
	}
	if !v4 && !v6 || d.ann.to != nil {
		return
	}
	a, err := kernel.OpenAnnouncer()
	if err != nil {
		log.Err("Error registering gratuitous ARP shared channel: %v", err)
		return
	}
	d.ann.to = a
	if v4 {
		log.Detailf("Registering gratuitous ARP shared channel")
	}
	if v6 {
		log.Detailf("Registering gratuitous NDISC shared channel")
	}
}
