package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Kernel remembers what a node was told to hold.
type Kernel struct {
	addrs   []heldAddr
	filters []heldAddr
	objects []string // routes and rules in words
}

type heldAddr struct {
	iface string
	netip.Prefix
}

func (h heldAddr) String() string { return h.Prefix.String() + "@" + h.iface }

func (k *Kernel) hold(e vrrp.HoldAddrs) {
	k.addrs = change(k.addrs, e.Drop, e.Add)
}

func (k *Kernel) filter(e vrrp.Filter) {
	k.filters = change(k.filters, e.Drop, e.Add)
}

func change(have []heldAddr, drop, add []vrrp.Held) []heldAddr {
	for _, h := range drop {
		is := heldAddr{h.Interface, h.Prefix}
		have = slices.DeleteFunc(have, func(x heldAddr) bool { return x == is })
	}
	for _, h := range add {
		if is := (heldAddr{h.Interface, h.Prefix}); !slices.Contains(have, is) {
			have = append(have, is)
		}
	}
	return have
}

func (k *Kernel) routes(e vrrp.HoldRoutes) {
	for i := range e.Drop {
		k.object(routeText(&e.Drop[i]), false)
	}
	for i := range e.Add {
		k.object(routeText(&e.Add[i]), true)
	}
}

func (k *Kernel) rules(e vrrp.HoldRules) {
	for i := range e.Drop {
		k.object(ruleText(&e.Drop[i]), false)
	}
	for i := range e.Add {
		k.object(ruleText(&e.Add[i]), true)
	}
}

func (k *Kernel) object(text string, held bool) {
	i := slices.Index(k.objects, text)
	switch {
	case held && i < 0:
		k.objects = append(k.objects, text)
	case !held && i >= 0:
		k.objects = slices.Delete(k.objects, i, i+1)
	}
}

func routeText(r *vrrp.Route) string { return "route " + r.Dst.String() }

func ruleText(r *vrrp.Rule) string { return fmt.Sprintf("rule %d %v", r.Priority, r.From) }

// on lists the addresses held on an interface.
func (k *Kernel) on(iface string) (list []netip.Prefix) {
	for _, h := range k.addrs {
		if h.iface == iface {
			list = append(list, h.Prefix)
		}
	}
	return list
}

// drop removes an address and tells whether it was there.
func (k *Kernel) drop(iface string, a netip.Addr) bool {
	before := len(k.addrs)
	k.addrs = slices.DeleteFunc(k.addrs, func(h heldAddr) bool { return h.iface == iface && h.Addr() == a })
	return len(k.addrs) < before
}

// holds tells whether all, or with none set no, of the addresses, routes and
// rules are held, and firewall elements where they are wanted.
func (k *Kernel) holds(c *vrrp.InstanceConfig, none bool) bool {
	for _, list := range [][]vrrp.Address{c.Addresses, c.Excluded} {
		for i := range list {
			has := slices.ContainsFunc(k.addrs, func(h heldAddr) bool { return h.Prefix == list[i].Prefix })
			filtered := slices.ContainsFunc(k.filters, func(h heldAddr) bool { return h.Prefix == list[i].Prefix })
			if has == none || filtered != (c.NoAccept && !none) {
				return false
			}
		}
	}
	for i := range c.Routes {
		if slices.Contains(k.objects, routeText(&c.Routes[i])) == none {
			return false
		}
	}
	for i := range c.Rules {
		if slices.Contains(k.objects, ruleText(&c.Rules[i])) == none {
			return false
		}
	}
	return true
}

// Empty tells whether nothing is held.
func (k *Kernel) Empty() bool {
	return len(k.addrs) == 0 && len(k.filters) == 0 && len(k.objects) == 0
}

// String lists everything held.
func (k *Kernel) String() string {
	var all []string
	for _, h := range k.addrs {
		all = append(all, h.String())
	}
	for _, h := range k.filters {
		all = append(all, "drop "+h.String())
	}
	all = append(all, k.objects...)
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, ", ")
}
