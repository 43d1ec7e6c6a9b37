package configparse

import (
	"cmp"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// This file and completevrrp.go are what happens after the reading: checks
// across lines and inheritance, in the order of grammar.md 14.

// defaultSMTPTimeout is smtp_connect_timeout where there is a server.
const defaultSMTPTimeout = 30 * time.Second

// completeGlobal are the parent's checks: only the scripts it runs itself.
func completeGlobal(p *parser) {
	g := &p.cfg.Global
	var s scriptCheck
	p.examineNotify(&g.Startup, &s)
	p.examineNotify(&g.Shutdown, &s)
	p.violation(s, "start/shutdown ")
	if g.SNMPRSInterval == 0 {
		g.SNMPRSInterval = g.SNMPVSInterval
	}
	if g.SMTPServer != "" {
		g.SMTPTimeout = cmp.Or(g.SMTPTimeout, defaultSMTPTimeout)
		if g.SMTPHelo == "" {
			g.SMTPHelo = p.env.HostName
		}
		if g.EmailFrom == "" && p.env.HostName != "" {
			g.EmailFrom = "root@" + p.env.HostName
		}
	}
	p.cfg.VRRP.DynamicInterfaces = g.DynamicInterfaces
	p.cfg.VRRP.DisableLocalIGMP = g.DisableLocalIGMP
}

// completeVRRP ends the VRRP pass. The order of the steps is that of the
// original's messages; a fatal finding ends them.
func completeVRRP(p *parser) {
	if !p.checkVRRP() {
		p.cfg.Failed[VRRP] = true
	}
	c := &p.cfg.VRRP
	if d := c.SyncDaemon; d != nil && !d.IDSet && p.instance(d.Instance) != nil {
		d.ID = p.instance(d.Instance).VRID
	}
	c.Instances = slices.Grow(c.Instances, len(p.instances))
	for _, in := range p.instances {
		c.Instances = append(c.Instances, in.InstanceConfig)
	}
	for _, g := range p.groups {
		c.Groups = append(c.Groups, g.GroupConfig)
	}
}

func (p *parser) checkVRRP() bool {
	if name := p.cfg.Global.DefaultInterface; name != "" && !p.cfg.Global.DynamicInterfaces {
		if _, ok := p.env.link(name); !ok {
			p.missingInterface = true
		}
	}
	if p.missingInterface {
		p.checkf(BadInterface, "Non-existent interface specified in configuration")
		return false
	}
	if len(p.instances) > 0 {
		p.checkScripts()
	}
	for _, in := range p.instances {
		if !p.checkIdentity(in) {
			return false
		}
	}
	p.joinGroups()
	for _, in := range p.instances {
		if !p.completeInstance(in) {
			return false
		}
	}
	if !p.checkVRIDs() {
		return false
	}
	p.checkVMACs()
	p.checkGroupWeights()
	p.checkTwiceTracked()
	return true
}

// checkScripts drops what cannot be run (grammar.md 12).
func (p *parser) checkScripts() {
	var s scriptCheck
	c := &p.cfg.VRRP
	gone := map[string]bool{}
	c.Scripts = slices.DeleteFunc(c.Scripts, func(script vrrp.ScriptConfig) bool {
		switch p.examine(&script.Command, &s) {
		case scriptMissing:
			p.checkf(GeneralError, "Disabling track script %s since not found/accessible", script.Name)
		case scriptInsecure:
			p.checkf(GeneralError, "Disabling track script %s due to insecure", script.Name)
		default:
			return false
		}
		// A name that was given twice leads to the first.
		gone[script.Name] = p.scripts[script.Name].Command.Text == script.Command.Text
		return true
	})
	forget := func(list *[]vrrp.Track) {
		*list = slices.DeleteFunc(*list, func(t vrrp.Track) bool { return gone[t.Name] })
	}
	for _, in := range p.instances {
		forget(&in.TrackScripts)
		p.examineAll(&in.Notify, &s)
	}
	for _, g := range p.groups {
		forget(&g.TrackScripts)
		p.examineAll(&g.Notify, &s)
	}
	p.examineNotify(&p.cfg.Global.FIFO.Script, &s)
	p.examineNotify(&p.cfg.Global.VRRPFIFO.Script, &s)
	p.violation(s, "")
}

func (p *parser) examineAll(n *vrrp.NotifyConfig, s *scriptCheck) {
	for _, c := range []**vrrp.Command{&n.Backup, &n.Master, &n.Fault, &n.Stop, &n.Any, &n.RxLowerPrio, &n.Deleted} {
		p.examineNotify(c, s)
	}
}

// checkIdentity are the checks whose failure ends the VRRP pass.
func (p *parser) checkIdentity(in *instance) bool {
	switch {
	case in.VRID == 0:
		p.checkf(GeneralError, "(%s) the virtual router id must be set", in.Name)
		return false
	case in.Interface == "" && !in.unicastWord:
		p.checkf(GeneralError, "(%s) Unknown interface!", in.Name)
		return false
	case in.Interface == "" && !in.srcSet:
		p.checkf(GeneralError, "(%s): Unicast instances must have unicast_src_ip or interface", in.Name)
		return false
	case in.Interface == "" && in.Source.Is6() && in.Source.IsLinkLocalUnicast():
		p.checkf(GeneralError, "(%s) Non link-local address required if interface omitted", in.Name)
		return false
	}
	return true
}

// joinGroups resolves the members of sync groups (grammar.md 14.3).
func (p *parser) joinGroups() {
	in := map[string]string{}
	p.groups = slices.DeleteFunc(p.groups, func(g *syncGroup) bool {
		var members []string
		for _, name := range g.Members {
			switch _, taken := in[name]; {
			case p.instance(name) == nil:
				p.checkf(GeneralError, "Virtual router %s specified in sync group %s doesn't exist - ignoring", name, g.Name)
			case taken:
				p.checkf(GeneralError, "Virtual router %s cannot exist in more than one sync group; ignoring %s", name, g.Name)
			default:
				in[name] = g.Name
				members = append(members, name)
			}
		}
		g.Members = members
		switch len(members) {
		case 0:
			p.checkf(GeneralError, "Sync group %s, no matching virtual router found in group declaration - removing", g.Name)
			return true
		case 1:
			p.checkf(GeneralError, "Sync group %s has only 1 virtual router(s) - this probably isn't what you want", g.Name)
		}
		p.mixedOwners(g)
		for _, name := range members {
			p.instance(name).group = g
		}
		g.Notify.SMTPAlert = g.smtpAlert.Or(p.smtpDefault())
		g.Notify.PriorityChanges = g.priorityChanges.Or(false) // the members inherit the global keyword themselves
		return false
	})
}

// smtpDefault is smtp_alert of an instance or group that says nothing.
func (p *parser) smtpDefault() bool {
	g := &p.cfg.Global
	return g.SMTPAlertVRRP.Or(g.SMTPAlert.Or(false))
}

// mixedOwners warns of a group that cannot move as one.
func (p *parser) mixedOwners(g *syncGroup) {
	owner := false
	for _, name := range g.Members {
		m := p.instance(name)
		switch {
		case m.priority == ownerPriority:
			owner = true
		case owner && m.state != 'M':
			p.checkf(GeneralError, "Sync group %s has some member(s) as address owner and some not as address owner. This won't work.", g.Name)
			return
		}
	}
}

// checkGroupWeights clears weights on groups that have an address owner.
func (p *parser) checkGroupWeights() {
	for _, g := range p.groups {
		owner := slices.ContainsFunc(g.Members, func(name string) bool { return p.instance(name).Priority == ownerPriority })
		if !owner {
			continue
		}
		clearWeights := func(list []vrrp.Track, what, end string) {
			for i := range list {
				if list[i].Weight != 0 {
					p.checkf(GeneralError, "(%s) Cannot have weighted track %s '%s' with member having priority 255 - %s", g.Name, what, list[i].Name, end)
					list[i].Weight = 0
				}
			}
		}
		clearWeights(g.TrackScripts, "script", "clearing weight")
		clearWeights(g.TrackInterfaces, "interface", "clearing weight")
		clearWeights(g.TrackFiles, "file", "setting weight 0")
		clearWeights(g.TrackProcesses, "process", "setting weight 0")
		clearWeights(g.TrackBFD, "bfd", "setting weight 0")
	}
}

// checkTwiceTracked warns of an interface that a member follows by itself and
// through its group.
func (p *parser) checkTwiceTracked() {
	for _, g := range p.groups {
		for _, t := range g.TrackInterfaces {
			for _, name := range g.Members {
				in := p.instance(name)
				own := in.Interface == t.Name && !in.DontTrackPrimary
				if own || slices.ContainsFunc(in.TrackInterfaces, func(o vrrp.Track) bool { return o.Name == t.Name }) {
					p.checkf(GeneralError, "(%s) track_interface %s is configured on VRRP instance and sync group. Remove vrrp instance or sync group config", name, t.Name)
				}
			}
		}
	}
}

// vridKey finds instances that could collide.
type vridKey struct {
	vrid    uint8
	ipv6    bool
	unicast bool
}

// checkVRIDs looks for two routers that would take each other's adverts.
func (p *parser) checkVRIDs() bool {
	same := map[vridKey][]*instance{}
	for _, in := range p.instances {
		k := vridKey{in.VRID, in.IPv6, in.Unicast}
		for _, other := range same[k] {
			if !p.collide(other, in) {
				continue
			}
			if p.cfg.Global.AllowIfChanges {
				in.ConfigFault = "VRID conflict"
				continue
			}
			if in.Unicast {
				p.checkf(GeneralError, "(%s) duplicate VRID conflict with %s VRID %d", other.Name, in.Name, in.VRID)
			} else {
				f := 4
				if in.IPv6 {
					f = 6
				}
				p.checkf(GeneralError, "%s and %s both use VRID %d with IPv%d on interface %s", other.Name, in.Name, in.VRID, f, p.baseLink(in.Interface))
			}
			return false
		}
		same[k] = append(same[k], in)
	}
	return true
}

func (p *parser) baseLink(name string) string {
	if p.env.Link != nil {
		if l, ok := p.env.Link(name); ok && l.Base != "" {
			return l.Base
		}
	}
	return name
}

func (p *parser) collide(a, b *instance) bool {
	if !a.Unicast {
		return p.baseLink(a.Interface) == p.baseLink(b.Interface) && p.destination(a) == p.destination(b)
	}
	if a.Interface != "" && b.Interface != "" && a.Interface != b.Interface {
		return false
	}
	if a.Source.IsValid() && b.Source.IsValid() && a.Source != b.Source {
		return false
	}
	return slices.ContainsFunc(a.Peers, func(x vrrp.Peer) bool {
		return slices.ContainsFunc(b.Peers, func(y vrrp.Peer) bool { return x.Addr == y.Addr })
	})
}

// hmacWindow is the default of time_window: three intervals in whole seconds.
func hmacWindow(interval time.Duration) time.Duration {
	return min(max((3*interval).Truncate(time.Second), 5*time.Second), 300*time.Second)
}
