package vrrpd

import (
	"slices"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// statics are the static addresses, routes and rules: there for as long as the
// process runs, whoever is master.
type statics struct {
	addrs  []vrrp.Address
	routes []vrrp.Route
	rules  []vrrp.Rule
}

// set brings the kernel from the present entries to those of the
// configuration: what is gone is deleted (rules, routes, addresses), then what
// is there is added. At the start force deletes left-over copies first.
func (s *statics) set(d *daemon, cfg *vrrp.Config, force bool) {
	old := *s
	if force {
		old = statics{cfg.StaticAddresses, cfg.StaticRoutes, cfg.StaticRules}
	} else {
		old.without(cfg)
	}
	old.remove(d)
	s.addrs, s.routes, s.rules = cfg.StaticAddresses, cfg.StaticRoutes, cfg.StaticRules
	s.add(d, s.addrs, s.routes, s.rules)
}

// without leaves what the new configuration does not have.
func (s *statics) without(cfg *vrrp.Config) {
	s.addrs = slices.DeleteFunc(slices.Clone(s.addrs), func(a vrrp.Address) bool {
		return slices.Contains(cfg.StaticAddresses, a)
	})
	s.routes = slices.DeleteFunc(slices.Clone(s.routes), func(r vrrp.Route) bool {
		return slices.ContainsFunc(cfg.StaticRoutes, func(n vrrp.Route) bool { return n.Text == r.Text })
	})
	s.rules = slices.DeleteFunc(slices.Clone(s.rules), func(r vrrp.Rule) bool {
		return slices.ContainsFunc(cfg.StaticRules, func(n vrrp.Rule) bool {
			return n.Text == r.Text && n.Priority == r.Priority
		})
	})
}

// remove deletes everything, in the reverse order of adding.
func (s *statics) remove(d *daemon) {
	addrs, routes, rules := d.staticAddrs(s.addrs), d.oldRoutes(s.routes), kernelRules(s.rules)
	if len(addrs)+len(routes)+len(rules) == 0 {
		return
	}
	d.after(-1, func() {
		d.netlinkErrors(d.kernel.DelRules(rules))
		d.netlinkErrors(d.kernel.DelRoutes(routes))
		d.netlinkErrors(d.kernel.DelAddrs(addrs))
	})
}

func (s *statics) add(d *daemon, addrs []vrrp.Address, routes []vrrp.Route, rules []vrrp.Rule) {
	ka, kr, ku := d.staticAddrs(addrs), d.newRoutes(routes), kernelRules(rules)
	if len(ka)+len(kr)+len(ku) == 0 {
		return
	}
	d.after(-1, func() {
		d.netlinkErrors(d.kernel.AddAddrs(ka))
		d.netlinkErrors(d.kernel.AddRoutes(kr))
		d.netlinkErrors(d.kernel.AddRules(ku))
	})
}

func (d *daemon) staticAddrs(list []vrrp.Address) []kernel.Address {
	var out []kernel.Address
	for i := range list {
		if link := d.links.index(list[i].Interface); link != 0 {
			out = append(out, kernelAddress(&list[i], link))
		}
	}
	return out
}

// addrLost puts a static address back that someone else deleted.
func (s *statics) addrLost(d *daemon, lost kernel.Address) {
	for i := range s.addrs {
		a := &s.addrs[i]
		link := d.links.index(a.Interface)
		if a.NoTrack || link != lost.Link || a.Prefix != lost.Prefix {
			continue
		}
		log.Info("Restoring deleted static address %v", a.Prefix)
		s.add(d, []vrrp.Address{*a}, nil, nil)
	}
}

// linkUp adds again what the kernel removed with an interface.
func (s *statics) linkUp(d *daemon, l kernel.Link) {
	if !l.Up() {
		return
	}
	for i := range s.addrs {
		if a := &s.addrs[i]; a.Interface == l.Name && !a.NoTrack && !d.links.addrs[addrKey{l.Index, a.Prefix}] {
			log.Info("Restoring deleted static address %v", a.Prefix)
			s.add(d, []vrrp.Address{*a}, nil, nil)
		}
	}
	var routes []vrrp.Route
	for _, r := range s.routes {
		if r.Interface == l.Name && !r.NoTrack {
			log.Info("Restoring deleted static route %s", r.Text)
			routes = append(routes, r)
		}
	}
	s.add(d, nil, routes, nil)
}
