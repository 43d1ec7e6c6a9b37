package vrrpd

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// linkTable is what the process knows of the links and their addresses. It
// belongs to the loop.
type linkTable struct {
	byIndex map[int]kernel.Link
	byName  map[string]int
	left    map[string]int // indexes by names that their links had before
	addrs   map[addrKey]bool
	seenUp  map[int]bool // by index: it has been up
}

type addrKey struct {
	link   int
	prefix netip.Prefix
}

func newLinkTable() *linkTable {
	return &linkTable{byIndex: map[int]kernel.Link{}, byName: map[string]int{}, left: map[string]int{}, addrs: map[addrKey]bool{}, seenUp: map[int]bool{}}
}

// set takes in a link as it is now.
func (t *linkTable) set(l kernel.Link) {
	t.byIndex[l.Index], t.byName[l.Name] = l, l.Index
	delete(t.left, l.Name)
	if l.Up() {
		t.seenUp[l.Index] = true
	}
}

// index returns the interface index of a name, 0 if there is no such link.
func (t *linkTable) index(name string) int { return t.byName[name] }

// heldOn returns the interface index of a name under which something was set:
// what the link of that name carries goes with it when it is renamed.
func (t *linkTable) heldOn(name string) int { return cmp.Or(t.byName[name], t.left[name]) }

func (t *linkTable) named(name string) (kernel.Link, bool) {
	l, ok := t.byIndex[t.byName[name]]
	return l, ok
}

// view is a link as the core wants it.
func (t *linkTable) view(l kernel.Link, exists bool) vrrp.Link {
	v := vrrp.Link{
		Name: l.Name, Index: l.Index, Exists: exists, Up: exists && l.Up(),
		Flags: l.Flags, MTU: l.MTU, NoARP: l.NoARP() || l.Flags&unix.IFF_LOOPBACK != 0,
	}
	if l.Kind == "macvlan" || l.Kind == "ipvlan" || l.Kind == "macvtap" {
		if base, ok := t.byIndex[l.Parent]; ok && !l.ParentElsewhere {
			v.Base = base.Name
		}
	}
	copy(v.MAC[:], l.MAC)
	return v
}

// kernelEvents feeds one batch of the kernel's events to the core.
func (d *daemon) kernelEvents(now time.Time, events []kernel.Event) {
	if d.stopping {
		return // nothing is to follow from what we take down ourselves
	}
	for _, e := range events {
		switch e := e.(type) {
		case kernel.LinkEvent:
			d.linkEvent(now, d.vmacs.settled(d, now, e.Link, e.Deleted), e.Deleted)
		case kernel.AddrEvent:
			d.addrEvent(now, e.Address, e.Deleted, e.Own)
		case kernel.RouteEvent:
			d.routeEvent(now, e)
		case kernel.RuleEvent:
			d.ruleEvent(now, e)
		case kernel.Resync:
			log.Info("Netlink: events were lost, reading all interfaces and addresses again")
			d.resync(now)
		}
	}
}

func (d *daemon) linkEvent(now time.Time, l kernel.Link, deleted bool) {
	t := d.links
	old, known := t.byIndex[l.Index]
	if deleted {
		if known {
			d.forgetLink(now, old)
		}
		maps.DeleteFunc(t.left, func(_ string, index int) bool { return index == l.Index })
		return
	}
	if known && old.Name != l.Name {
		log.Info("Interface name has changed from %s to %s", old.Name, l.Name)
		d.vmacs.baseRenamed(d, old.Name)
		d.forgetLink(now, old)
		t.left[old.Name] = l.Index
		known = false
	}
	if stale, ok := t.byIndex[t.byName[l.Name]]; ok && stale.Index != l.Index {
		d.forgetLink(now, stale) // its deletion is still on the way
	}
	if known && old.Equal(l) {
		return
	}
	t.set(l)
	d.linkState(now, t.view(l, true))
	if known && old.Master != l.Master {
		d.vmacs.baseMoved(d, l)
	}
	if !known {
		d.linkAppeared(now, l)
	} else if !old.Up() && l.Up() {
		d.vmacs.cameUp(d, l.Name)
		d.statics.linkUp(d, l)
	}
}

func (d *daemon) forgetLink(now time.Time, l kernel.Link) {
	t := d.links
	delete(t.byIndex, l.Index)
	delete(t.seenUp, l.Index)
	if t.byName[l.Name] == l.Index {
		delete(t.byName, l.Name)
	}
	for k := range t.addrs {
		if k.link == l.Index {
			delete(t.addrs, k)
		}
	}
	d.linkState(now, t.view(l, false))
	d.vmacs.lost(d, now, l.Name)
}

// linkState tells the core, with the driver's word where that is polled.
func (d *daemon) linkState(now time.Time, l vrrp.Link) {
	if d.beat.covers(l.Name) && l.Exists {
		l.Polled, l.Up = true, d.beat.state[l.Name]
	}
	d.router.LinkChanged(now, l)
}

// linkAppeared opens again what was waiting for the link.
func (d *daemon) linkAppeared(now time.Time, l kernel.Link) {
	d.vmacs.baseAppeared(d, now, l.Name)
	d.openSockets(now)
	d.statics.linkUp(d, l)
}

func (d *daemon) addrEvent(now time.Time, a kernel.Address, deleted, own bool) {
	l, ok := d.links.byIndex[a.Link]
	if !ok {
		return
	}
	// An address that somebody else has is none. keepalived: one that is still
	// tentative counts, which at boot is the common case; before it is needed
	// as a source, detection is over.
	gone := deleted || a.Flags&unix.IFA_F_DADFAILED != 0
	key := addrKey{a.Link, a.Prefix}
	if d.links.addrs[key] == !gone {
		return // a change of lifetimes or flags
	}
	if gone {
		delete(d.links.addrs, key)
	} else {
		d.links.addrs[key] = true
	}
	if d.child.Options.AddressMonitoring {
		verb := "added to"
		if gone {
			verb = "removed from"
		}
		log.Info("Netlink reflector reports IP %v %s %s", a.IP(), verb, l.Name)
	}
	d.router.AddrChanged(now, vrrp.AddrEvent{
		Interface: l.Name, Addr: a.IP(), Bits: a.Prefix.Bits(), Added: !gone, Own: own,
	})
	if deleted && !own {
		d.vmacs.addrLost(d, l, a)
		d.statics.addrLost(d, a)
	}
}

// resync reads everything anew and reports what differs.
func (d *daemon) resync(now time.Time) {
	links, err := d.kernel.Links()
	if err != nil {
		log.Err("Netlink: %v", err)
		return
	}
	seen := map[int]bool{}
	for _, l := range links {
		seen[l.Index] = true
		d.linkEvent(now, l, false)
	}
	for _, l := range sortedLinks(d.links.byIndex) {
		if !seen[l.Index] {
			d.linkEvent(now, l, true)
		}
	}
	addrs, err := d.kernel.Addrs()
	if err != nil {
		log.Err("Netlink: %v", err)
		return
	}
	have := map[addrKey]bool{}
	for _, a := range addrs {
		have[addrKey{a.Link, a.Prefix}] = true
		d.addrEvent(now, a, false, false)
	}
	for _, k := range sortedAddrs(d.links.addrs) {
		if !have[k] {
			d.addrEvent(now, kernel.Address{Link: k.link, Prefix: k.prefix}, true, false)
		}
	}
}

// sortedLinks and sortedAddrs put a table in order, so that two runs act alike.
func sortedLinks(m map[int]kernel.Link) []kernel.Link {
	return slices.SortedFunc(maps.Values(m), func(a, b kernel.Link) int { return a.Index - b.Index })
}

func sortedAddrs(m map[addrKey]bool) []addrKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b addrKey) int {
		if a.link != b.link {
			return a.link - b.link
		}
		return a.prefix.Addr().Compare(b.prefix.Addr())
	})
}
