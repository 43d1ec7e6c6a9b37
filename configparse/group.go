package configparse

import (
	"math"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

func readSyncGroup(p *parser, c *Config, w words) {
	if w.len() != 2 {
		p.errorf("vrrp_sync_group must have a name - skipping")
		p.refuseBlock()
		return
	}
	name := p.word(w, 1)
	if p.groupNames[name] != nil {
		p.errorf("vrrp sync group %s already defined", name)
		p.refuseBlock()
		return
	}
	g := &syncGroup{}
	g.Name = name
	p.groupNames[name] = g
	readBlock(p, syncGroupBlock, g)
	if len(g.Members) == 0 {
		p.column = 0
		p.errorf("Sync group %s has no members - removing", name)
		delete(p.groupNames, name)
		return
	}
	p.groups = append(p.groups, g)
}

var syncGroupBlock = joinBlocks(trackBlocks((*syncGroup).tracks), block[syncGroup]{
	"group": {takes: "value-block of NAME", help: "member instances", acts: "vrrp", opens: true,
		set: func(p *parser, g *syncGroup, w words) {
			g.Members = p.members(w, g.Name, "sync", &g.listed, g.Members)
		}},
	"notify_backup": groupScript("notify_backup", "run on change to BACKUP", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Backup }),
	"notify_master": groupScript("notify_master", "run on change to MASTER", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Master }),
	"notify_fault":  groupScript("notify_fault", "run on change to FAULT", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Fault }),
	"notify_stop":   groupScript("notify_stop", "run when VRRP stops", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Stop }),
	"notify":        groupScript("notify", "run after every change", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Any }),
	"smtp_alert": {takes: "BOOL optional (bare = true)", help: "mail on changes", acts: "vrrpd",
		set: optionalBool("Invalid vrrp_group smtp_alert parameter %s", func(g *syncGroup, v bool) { g.smtpAlert = tristate(v) })},
	"global_tracking": {takes: "none", help: "old name of sync_group_tracking_weight", acts: "vrrp",
		set: func(p *parser, g *syncGroup, w words) {
			p.errorf("(%s) global_tracking is deprecated. Use track_interface/script/file on the sync group", g.Name)
			g.TrackWeights = true
		}},
	"sync_group_tracking_weight": {takes: "none", help: "keep weights of members that differ", acts: "vrrp",
		set: flag(func(g *syncGroup) { g.TrackWeights = true })},
	"notify_priority_changes": {takes: "BOOL optional (bare = true)", help: "priority changes go to the FIFOs", acts: "vrrp",
		set: func(p *parser, g *syncGroup, w words) {
			v, ok := p.boolean(w, 1)
			if !ok {
				p.errorf("(%s) Invalid value '%s' for sync group notify_priority_changes specified", g.Name, p.word(w, 1))
				return
			}
			g.priorityChanges = tristate(v)
		}},
})

func groupScript(keyword, help string, of func(*vrrp.NotifyConfig) **vrrp.Command) row[syncGroup] {
	return row[syncGroup]{takes: "SCRIPT [USER [GROUP]]", help: help, acts: "vrrpd",
		set: func(p *parser, g *syncGroup, w words) {
			field := of(&g.Notify)
			*field = p.firstNotify(*field, w, "vrrp group %s: "+keyword+" script already specified - ignoring %s", g.Name)
		}}
}

// members reads the names of a group block; the words of all lines count.
func (p *parser) members(w words, name, kind string, listed *bool, old []string) []string {
	if *listed {
		p.errorf("Group list already specified for sync group %s", name)
		p.refuseBlock()
		return old
	}
	var members []string
	p.readValues(w, 1, func(line words) {
		for _, m := range line.list {
			members = append(members, m.text)
		}
	})
	if len(members) == 0 {
		p.column = 0
		p.errorf("Warning - %s group %s has empty group block", kind, name)
		return nil
	}
	*listed = true
	return members
}

// trackGroup is a track_group while it is read.
type trackGroup struct {
	vrrp.TrackGroup

	listed bool
}

func readTrackGroup(p *parser, c *Config, w words) {
	if w.len() != 2 {
		p.errorf("track_group must have a name - skipping")
		p.refuseBlock()
		return
	}
	name := p.word(w, 1)
	if p.trackGroups[name] {
		p.errorf("track_group %s already defined", name)
		p.refuseBlock()
		return
	}
	g := &trackGroup{}
	g.Name = name
	readBlock(p, trackGroupBlock, g)
	if len(g.Members) == 0 {
		p.column = 0
		p.errorf("Static track group %s has no members - removing", name)
		return
	}
	p.trackGroups[name] = true
	c.VRRP.TrackGroups = append(c.VRRP.TrackGroups, g.TrackGroup)
}

var trackGroupBlock = block[trackGroup]{
	"group": {takes: "value-block of NAME", help: "member instances", acts: "vrrp", opens: true,
		set: func(p *parser, g *trackGroup, w words) {
			g.Members = p.members(w, g.Name, "track", &g.listed, g.Members)
		}},
}

// paceGroup is a garp_group while it is read.
type paceGroup struct {
	vrrp.PaceGroup

	set    bool // a delay was given
	number int  // counts the groups with an interfaces block
}

func readGARPGroup(p *parser, c *Config, w words) {
	g := &paceGroup{}
	readBlock(p, garpGroupBlock, g)
	if !g.set {
		p.column = 0
		p.errorf("garp group %d does not have any delay set - removing", g.number)
		return
	}
	c.VRRP.PaceGroups = append(c.VRRP.PaceGroups, g.PaceGroup)
}

var garpGroupBlock = block[paceGroup]{
	"garp_interval": {takes: "DECIMAL 0..4294.967295", help: "seconds between gratuitous ARPs", acts: "vrrp",
		set: groupPace("garp_interval", func(g *paceGroup) *time.Duration { return &g.GARP })},
	"gna_interval": {takes: "DECIMAL 0..4294.967295", help: "seconds between unsolicited NAs", acts: "vrrp",
		set: groupPace("gna_interval", func(g *paceGroup) *time.Duration { return &g.GNA })},
	"interface": {takes: "IFNAME", help: "interface of the limits", acts: "vrrp",
		set: func(p *parser, g *paceGroup, w words) { p.pacedLink(g, p.word(w, 1)) }},
	"interfaces": {takes: "value-block of IFNAME", help: "interfaces that share one limit", acts: "vrrp", opens: true,
		set: func(p *parser, g *paceGroup, w words) {
			var names []string
			p.readValues(w, 1, func(line words) {
				for _, name := range line.list {
					names = append(names, name.text)
				}
			})
			p.column = 0
			if len(names) == 0 {
				p.errorf("Warning - empty garp_group interfaces block")
				return
			}
			p.paceGroups++
			g.number = p.paceGroups
			for _, name := range names {
				p.pacedLink(g, name)
			}
		}},
}

func groupPace(keyword string, of func(*paceGroup) *time.Duration) func(*parser, *paceGroup, words) {
	return func(p *parser, g *paceGroup, w words) {
		d, ok := p.timer(w, 1, 0, maxMicros*time.Microsecond)
		if !ok {
			p.errorf("garp_group %s '%s' invalid", keyword, p.word(w, 1))
			return
		}
		if d >= time.Second {
			p.logf("The %s is very large - %s seconds", keyword, p.word(w, 1))
		}
		*of(g), g.set = d, true
	}
}

func (p *parser) pacedLink(g *paceGroup, name string) {
	l, ok := p.link(name, "WARNING - interface %s specified for garp_group doesn't exist", name)
	switch {
	case !ok:
		return
	case l.Kind == "macvlan" && l.Base != "":
		p.errorf("Cannot specify garp_delay on a vmac (%s) - ignoring", name)
	case p.paced[name]:
		p.errorf("garp_group already specified for %s - ignoring", name)
	default:
		p.paced[name] = true
		g.Interfaces = append(g.Interfaces, name)
	}
}

func readLinkbeats(p *parser, c *Config, w words) {
	p.readValues(w, 1, func(line words) {
		b := vrrp.LinkBeat{Interface: p.word(line, 0)}
		if _, ok := p.env.link(b.Interface); !ok && !c.Global.DynamicInterfaces {
			p.classf(Fatal, "unknown interface %s specified for linkbeat interface", b.Interface)
			return
		}
		next := 1
		switch method := p.opt(line, 1); method {
		case "MII", "ETHTOOL", "IOCTL":
			b.Method = method
			next = 2
		}
		if line.has(next) {
			p.errorf("extra characters %s in linkbeat interface", p.word(line, next))
		}
		c.VRRP.LinkBeat = append(c.VRRP.LinkBeat, b)
	})
}

func readDebounce(p *parser, c *Config, w words) {
	p.readValues(w, 1, func(line words) {
		d := vrrp.LinkDebounce{Interface: p.word(line, 0)}
		if _, ok := p.env.link(d.Interface); !ok && !c.Global.DynamicInterfaces {
			p.classf(Fatal, "unknown interface %s specified for up/down delay", d.Interface)
			return
		}
		if !line.has(1) {
			p.logf("No up/down delay specified for %s - ignoring", d.Interface)
			return
		}
		if line.has(3) {
			p.logf("Too many up/down delays specified for %s", d.Interface)
		}
		var ok bool
		if d.Down, ok = p.timer(line, 1, 0, math.MaxUint8*time.Second); !ok {
			return
		}
		if line.has(2) {
			if d.Up, ok = p.timer(line, 2, 0, math.MaxUint8*time.Second); !ok {
				return
			}
		}
		c.VRRP.Debounce = append(c.VRRP.Debounce, d)
	})
}

// trackGroup takes the track_group of a static address, route or rule. It is
// false for a second one on the same line.
func (p *parser) trackGroup(name string, to *string, set *bool) bool {
	switch {
	case *set:
		p.errorf("track_group %s is a duplicate", name)
		return false
	case !p.trackGroups[name]:
		p.errorf("track_group %s not found", name)
	default:
		*to, *set = name, true
	}
	return true
}
