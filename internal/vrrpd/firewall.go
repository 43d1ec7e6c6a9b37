package vrrpd

import (
	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// firewall keeps packets to and from addresses of instances without accept mode
// out, and group reports of virtual interfaces off their links. It belongs to
// the worker; options are set before its first job.
type firewall struct {
	options kernel.FirewallOptions
	to      *kernel.Firewall
	failed  bool // nftables is not there: said once
	vmacs   map[int]kernel.GuardedVMAC
}

// configure takes the options of the first configuration: names cannot change
// at a reload.
func (f *firewall) configure(o *vrrp.FirewallOptions, noIGMP bool) {
	f.options = kernel.FirewallOptions{
		Table: o.NFTables, Priority: int32(o.NFTablesPriority), Counters: o.NFTablesCounters,
		IfIndex: o.NFTablesIfIndex, NoIGMP: noIGMP,
	}
	if o.NFTables == "" {
		f.options.Priority = -1
	}
	if o.IPTables && o.NFTables == "" {
		f.options.In, f.options.Out = o.IPTablesIn, o.IPTablesOut
	}
}

func (f *firewall) open() bool {
	if f.to != nil || f.failed {
		return f.to != nil
	}
	if f.options.Table == "" && f.options.In == "" {
		log.Info("use_vmac or no_accept/strict specified, but no firewall configured - using nftables")
	}
	to, err := kernel.OpenFirewall(f.options)
	if err != nil {
		f.failed = true
		log.Info("%v", err)
		return false
	}
	f.to = to
	return true
}

// filter guards and releases addresses.
func (d *daemon) filter(e vrrp.Filter) {
	guarded := func(list []vrrp.Held) []kernel.Guarded {
		var out []kernel.Guarded
		for _, h := range list {
			g := kernel.Guarded{IP: h.Prefix.Addr()}
			if g.IP.IsLinkLocalUnicast() {
				g.Link = d.links.index(h.Interface)
			}
			out = append(out, g)
		}
		return out
	}
	drop, add := guarded(e.Drop), guarded(e.Add)
	d.after(e.Instance, func() {
		if d.wall.open() {
			if err := d.wall.to.Guard(drop, add); err != nil {
				log.Info("%v", err)
			}
		}
	})
}

func (f *firewall) guardVMAC(g kernel.GuardedVMAC) {
	if !f.open() {
		return
	}
	if f.vmacs == nil {
		f.vmacs = map[int]kernel.GuardedVMAC{}
	}
	var drop []kernel.GuardedVMAC
	if was, ok := f.vmacs[g.Link]; ok && was != g {
		drop = append(drop, was) // it has another name now, or its base another address
	}
	f.vmacs[g.Link] = g
	if err := f.to.GuardVMACs(drop, []kernel.GuardedVMAC{g}); err != nil {
		log.Info("%v", err)
	}
}

func (f *firewall) unguardVMAC(link int) {
	g, ok := f.vmacs[link]
	if !ok || f.to == nil {
		return
	}
	delete(f.vmacs, link)
	if err := f.to.GuardVMACs([]kernel.GuardedVMAC{g}, nil); err != nil {
		log.Info("%v", err)
	}
}

// close removes the tables.
func (f *firewall) close() {
	if f.to == nil {
		return
	}
	if err := f.to.Remove(); err != nil {
		log.Info("%v", err)
	}
}
