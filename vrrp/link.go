package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// link is what is known of an interface. It outlives a reload.
type link struct {
	now   Link // as last told
	up    bool // after the debounce delays
	seen  bool // was up once: the first up is never delayed
	users []*instance

	// Addresses in the order they came, those of our instances left out when
	// a source is chosen.
	addrs  []netip.Addr
	source [2]netip.Addr // chosen per family: IPv4, IPv6 link-local

	// A delayed change (interface_up_down_delays).
	downDelay, upDelay time.Duration
	debounce           timer
	target             bool   // the state it will have
	flags              uint32 // before the delayed change
}

// link returns an interface by name, making it when it was never heard of.
func (r *Router) link(name string) *link {
	l := r.links[name]
	if l == nil {
		l = &link{now: Link{Name: name}}
		l.debounce = timer{kind: timerDebounce, link: l}
		r.links[name] = l
	}
	return l
}

// physical is the interface below a macvlan or ipvlan, else the interface.
func (r *Router) physical(name string) string {
	if l := r.links[name]; l != nil && l.now.Base != "" {
		return l.now.Base
	}
	return name
}

// noARP tells whether nothing may be announced on an interface.
func (r *Router) noARP(name string) bool {
	l := r.links[r.physical(name)]
	return l != nil && l.now.NoARP
}

// LinkChanged takes the state of an interface: appeared, changed, or gone.
func (r *Router) LinkChanged(now time.Time, n Link) {
	l := r.link(n.Name)
	was := l.now
	l.now = n
	up := n.Exists && n.Up
	if was.Exists != n.Exists && len(l.users) > 0 {
		if n.Exists {
			r.detail("Interface %s added", n.Name)
		} else {
			r.detail("Interface %s deleted", n.Name)
		}
	}
	if !n.Exists {
		l.addrs = nil
	}
	if was.Exists && n.Exists && was.MAC != n.MAC && was.MAC != [6]byte{} && len(l.users) > 0 {
		r.detail("(%s) MAC address changed from %s to %s", n.Name, macText(was.MAC), macText(n.MAC))
	}
	switch {
	case l.debounce.armed() && n.Exists:
		r.debounceAgain(now, l, up)
	case up == l.up || r.delayLink(now, l, was, up):
	default:
		r.setLink(now, l, up)
	}
	r.sourcesChanged(now, l)
}

// delayLink puts a change of state off (vrrp.md 5.8). Deletion is never
// delayed, nor the first time an interface comes up.
func (r *Router) delayLink(now time.Time, l *link, was Link, up bool) bool {
	delay := l.downDelay
	if up {
		delay = l.upDelay
	}
	if delay <= 0 || !l.now.Exists || !l.seen {
		return false
	}
	r.info("%s: Adding flags change from 0x%x to 0x%x delay by %d",
		l.now.Name, was.Flags, l.now.Flags, delay/time.Microsecond)
	l.target, l.flags = up, was.Flags
	r.timers.set(&l.debounce, now.Add(delay))
	return true
}

// debounceAgain handles a change while one is pending: back to the state in
// force the pending one is dropped.
func (r *Router) debounceAgain(now time.Time, l *link, up bool) {
	if up == l.target {
		return
	}
	r.timers.stop(&l.debounce)
	if l.now.Flags != l.flags {
		r.info("Delay timer for %s cancelled", l.now.Name)
	}
	if up != l.up {
		r.setLink(now, l, up)
	}
}

// setLink makes a state of an interface count.
func (r *Router) setLink(now time.Time, l *link, up bool) {
	r.timers.stop(&l.debounce)
	l.up = up
	l.seen = l.seen || up
	if len(l.users) == 0 {
		return
	}
	word := "down"
	if up {
		word = "up"
	}
	who := "Netlink"
	if l.now.Polled {
		who = "Linkbeat"
	}
	r.info("%s reports %s %s", who, l.now.Name, word)
	for _, in := range l.users {
		in.evaluate(now)
	}
}

// AddrChanged takes an address that came or went.
func (r *Router) AddrChanged(now time.Time, e AddrEvent) {
	l := r.link(e.Interface)
	if e.Own && e.Added {
		return
	}
	i := slices.Index(l.addrs, e.Addr)
	switch {
	case e.Added && i < 0:
		l.addrs = append(l.addrs, e.Addr)
	case !e.Added && i >= 0:
		l.addrs = slices.Delete(l.addrs, i, i+1)
	}
	if !e.Added && !e.Own {
		r.heldAddrLost(now, e)
	}
	r.sourcesChanged(now, l)
}

// heldAddrLost starts the instance over whose address someone else deleted.
func (r *Router) heldAddrLost(now time.Time, e AddrEvent) {
	for _, in := range slices.Clone(r.vips[e.Addr]) {
		if in.state != Master || !in.holding {
			continue
		}
		for _, h := range in.heldAddrs {
			if h.Prefix.Addr() != e.Addr || h.Interface != e.Interface || h.NoTrack {
				continue
			}
			if in.cfg.DontTrackPrimary && h.Interface == in.cfg.Interface {
				continue
			}
			r.detail("Netlink reflector reports IP %v removed from %s", e.Addr, e.Interface)
			in.addrsLost(now)
			break
		}
	}
}

// ObjectLost takes the deletion of a virtual route or rule by someone else.
func (r *Router) ObjectLost(now time.Time, e Lost) {
	in := r.byID[e.Instance]
	if in == nil || in.state != Master || !in.holding {
		return
	}
	switch {
	case e.Index < 0:
		return
	case e.Kind == LostRoute && (e.Index >= len(in.cfg.Routes) || in.cfg.Routes[e.Index].NoTrack):
		return
	case e.Kind == LostRule && (e.Index >= len(in.cfg.Rules) || in.cfg.Rules[e.Index].NoTrack):
		return
	}
	in.addrsLost(now)
}

// SocketFailed takes the failure, or the later success, of opening a socket:
// its instances are in fault meanwhile.
func (r *Router) SocketFailed(now time.Time, id SocketID, failed bool) {
	s := r.socket(id)
	if s == nil {
		return
	}
	for _, in := range slices.Clone(s.users) {
		if in.socketFault != failed {
			in.socketFault = failed
			in.evaluate(now)
		}
	}
}

// choose picks the source address of a family on an interface: the one in
// use as long as it is there, else the first, or the last when one was lost
// (vrrp.md 4.2). Addresses of our instances are never one.
func (r *Router) choose(l *link, ipv6 bool) netip.Addr {
	f := family(ipv6)
	fits := func(a netip.Addr) bool {
		return a.Is6() == ipv6 && (!ipv6 || a.IsLinkLocalUnicast()) && len(r.vips[a]) == 0
	}
	current := l.source[f]
	if current.IsValid() && fits(current) && slices.Contains(l.addrs, current) {
		return current
	}
	var found netip.Addr
	for _, a := range l.addrs {
		if !fits(a) {
			continue
		}
		if found = a; !current.IsValid() {
			break
		}
	}
	return found
}

// Virtual reports whether an address is one of an instance, of the configuration
// in force.
func (r *Router) Virtual(a netip.Addr) bool { return len(r.vips[a]) > 0 }

func family(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// sourcesChanged chooses the sources of an interface again and tells its
// instances.
func (r *Router) sourcesChanged(now time.Time, l *link) {
	for _, ipv6 := range []bool{false, true} {
		was := l.source[family(ipv6)]
		is := r.choose(l, ipv6)
		if is == was {
			continue
		}
		l.source[family(ipv6)] = is
		switch {
		case l.now.Name == "lo" || len(l.users) == 0:
		case !was.IsValid():
			r.assigned(l, ipv6)
		case !is.IsValid():
			r.detail("Deassigned address %v from interface %s", was, l.now.Name)
		}
	}
	for _, in := range l.users {
		in.sourceChanged(now, l)
	}
}

// assigned says which address adverts of a family come from on an interface.
func (r *Router) assigned(l *link, ipv6 bool) {
	if a := l.source[family(ipv6)]; a.IsValid() && l.now.Name != "lo" {
		r.detail("Assigned address %v for interface %s", a, l.now.Name)
	}
}

// saySources does so for all interfaces in use, as the original when it has
// read them.
func (r *Router) saySources() {
	order := slices.SortedStableFunc(slices.Values(r.linkOrder), func(a, b *link) int { return a.now.Index - b.now.Index })
	for _, ipv6 := range []bool{false, true} {
		for _, l := range order {
			r.assigned(l, ipv6)
		}
	}
}

// sourceChanged takes a new source address into use; without one the instance
// is in fault.
func (in *instance) sourceChanged(now time.Time, l *link) {
	if l != in.link {
		return
	}
	if in.setSource() {
		in.r.placeSockets()
	}
	if in.state != Init {
		in.evaluate(now)
	}
}

// setSource determines the source address and tells whether it changed.
func (in *instance) setSource() bool {
	c := in.cfg
	a := c.Source
	switch {
	case a.IsValid():
	case c.VMAC != nil && c.VMAC.IPVLAN && c.VMAC.Address.IsValid():
		a = c.VMAC.Address.Addr()
	case in.link != nil:
		a = in.link.source[family(c.IPv6)]
	}
	// The last IPv4 address can still be the source of the resignation.
	in.sourceGone = !a.IsValid()
	if a == in.source || in.sourceGone && in.source.Is4() {
		return false
	}
	in.source = a
	in.tmpl.valid = false
	return true
}

// sourceLost tells whether a configured source that is tracked is missing
// (track_src_ip).
func (in *instance) sourceLost() bool {
	c := in.cfg
	return c.TrackSource && c.Source.IsValid() && in.link != nil && !slices.Contains(in.link.addrs, c.Source)
}

// limitDebounce keeps an interface's delays below what the election can wait
// (vrrp.md 5.8).
func (r *Router) limitDebounce(in *instance) {
	l := in.link
	if l == nil || l.downDelay == 0 && l.upDelay == 0 {
		return
	}
	n := time.Duration(in.cfg.DownTimerAdverts - 1)
	limit := n*in.masterInterval - in.masterInterval/256
	if n == 0 {
		limit = 0
	}
	if l.downDelay <= limit && l.upDelay <= limit {
		return
	}
	r.info("%s: interface %s debounce timer(s) not less that %d * advert_int - resetting",
		in.cfg.Name, l.now.Name, in.cfg.DownTimerAdverts-1)
	l.downDelay, l.upDelay = min(l.downDelay, max(limit, 0)), min(l.upDelay, max(limit, 0))
}

func macText(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}
