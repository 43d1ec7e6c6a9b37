package vrrpd

import (
	"bytes"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/vrrp"
)

// A dump's content is gathered by the loop; it is turned into text and written
// by a goroutine, so that a slow disk delays nothing.

// dumpStats writes the statistics (SIGUSR2), and sets the counters to zero
// afterwards if asked to (signal 63).
func (d *daemon) dumpStats(now time.Time, clear bool) {
	verb := "Printing"
	if clear {
		verb = "Printing and clearing"
	}
	log.Info("%s VRRP stats for process(%d) on signal", verb, os.Getpid())
	d.writeStats(now, clear)
}

// writeStats is dumpStats without its line in the log.
func (d *daemon) writeStats(now time.Time, clear bool) {
	snap := d.router.Snapshot(now)
	if clear {
		d.router.ClearStats()
	}
	path := report.StatsFile(&d.conf.Global)
	go func() {
		var b bytes.Buffer
		report.Stats(&b, &snap)
		writeDump(path, b.String())
	}()
}

// dumpData writes keepalived.data (SIGUSR1).
func (d *daemon) dumpData(now time.Time) {
	log.Info("Printing VRRP data for process(%d) on signal", os.Getpid())
	d.writeData(now)
}

// writeData is dumpData without its line in the log.
func (d *daemon) writeData(now time.Time) {
	v, path := d.report(now, true), report.DataFile(&d.conf.Global, "")
	go func() { writeDump(path, v.Data()) }()
}

// dumpJSON writes keepalived.json (signal 36).
func (d *daemon) dumpJSON(now time.Time) {
	v, path := d.report(now, true), report.JSONFile(&d.conf.Global)
	go func() { writeDump(path, v.JSON()) }()
}

func writeDump(path, content string) {
	if err := report.WriteFile(path, content); err != nil {
		log.Info("%v", err)
	}
}

// report gathers everything that dumps show.
func (d *daemon) report(now time.Time, running bool) report.VRRP {
	v := report.VRRP{
		Config: d.conf, Snapshot: d.router.Snapshot(now), Running: running,
		Scripts: map[string]report.ScriptState{}, Files: map[string]int{},
		Processes: map[string]report.ProcessState{}, BFD: map[string]bool{},
	}
	for name, up := range d.bfd {
		v.BFD[name] = up
	}
	for i := range d.cfg.Scripts {
		v.Scripts[d.cfg.Scripts[i].Name] = d.scriptState(i)
	}
	for _, f := range d.cfg.Files {
		v.Files[f.Name] = int(d.track.files.Value(f.Name))
	}
	for _, p := range d.cfg.Processes {
		v.Processes[p.Name] = report.ProcessState{
			Current: d.track.processes.Count(p.Name), Quorum: d.track.processes.Up(p.Name),
		}
	}
	d.reportSockets(&v)
	own := ownAddresses(d.cfg)
	for _, l := range sortedLinks(d.links.byIndex) {
		v.Links = append(v.Links, d.reportLink(l, own))
	}
	return v
}

func (d *daemon) scriptState(i int) report.ScriptState {
	s := &d.cfg.Scripts[i]
	up, known := d.track.scripts.State(s.Name)
	st := report.ScriptState{Init: "INIT", Good: up, State: "idle"}
	if known {
		st.Init = "unknown"
		if up {
			st.Result = s.Rise + s.Fall - 1
		}
	}
	cmd, usable := d.cmds.command(&s.Command)
	st.Insecure = !usable && len(s.Command.Argv) > 0
	if usable && len(cmd.Args) > 0 && cmd.Path != cmd.Args[0] {
		st.Path = cmd.Path
	}
	return st
}

func (d *daemon) reportSockets(v *report.VRRP) {
	for _, id := range d.socketOrder {
		s := d.sockets[id]
		if s.open == nil {
			continue
		}
		k := s.want.Key
		r := report.Socket{
			In: s.open.recvFD, Out: s.open.sendFD, Interface: k.Interface, VRF: k.VRF, IPv6: k.IPv6,
			AH: k.Protocol == 51, Unicast: k.Unicast, Address: k.Addr, RxBuffer: s.open.rcvbuf,
		}
		for i := range v.Snapshot.Instances {
			if in := &v.Snapshot.Instances[i]; in.Socket == id {
				r.Instances = append(r.Instances, in.Name)
			}
		}
		v.Sockets = append(v.Sockets, r)
	}
}

// ownAddresses are those that this process puts on interfaces.
func ownAddresses(c *vrrp.Config) map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	add := func(list []vrrp.Address) {
		for i := range list {
			own[list[i].Prefix.Addr()] = true
		}
	}
	add(c.StaticAddresses)
	for i := range c.Instances {
		add(c.Instances[i].Addresses)
		add(c.Instances[i].Excluded)
	}
	return own
}

func (d *daemon) reportLink(l kernel.Link, own map[netip.Addr]bool) report.Link {
	r := report.Link{
		Index: l.Index, Name: l.Name, MAC: l.MAC, Broadcast: l.Broadcast,
		Up: l.Flags&unix.IFF_UP != 0, Running: l.Flags&unix.IFF_RUNNING != 0,
		NoBroadcast: l.Flags&unix.IFF_BROADCAST == 0, Loopback: l.Flags&unix.IFF_LOOPBACK != 0,
		PointToPoint: l.Flags&unix.IFF_POINTOPOINT != 0, NoARP: l.NoARP(), NoMulticast: !l.Multicast(),
		Ethernet: l.Type == unix.ARPHRD_ETHER, HWType: int(l.Type), SeenUp: d.links.seenUp[l.Index],
		Group: l.Group, MTU: l.MTU, RPFilter: -1,
	}
	for _, k := range sortedAddrs(d.links.addrs) {
		a := k.prefix.Addr()
		if k.link != l.Index {
			continue
		}
		r.All = append(r.All, a)
		switch {
		case own[a]:
		case a.Is4():
			r.IPv4 = append(r.IPv4, a)
		case a.IsLinkLocalUnicast():
			r.IPv6 = append(r.IPv6, a)
		}
	}
	for _, b := range d.cfg.Debounce {
		if b.Interface == l.Name {
			r.UpDelay, r.DownDelay = b.Up, b.Down
		}
	}
	for _, p := range d.cfg.PaceGroups {
		for _, name := range p.Interfaces {
			if name == l.Name {
				r.GARP, r.GNA = p.GARP, p.GNA
			}
		}
	}
	if base, ok := d.links.byIndex[l.Parent]; ok && !l.ParentElsewhere && (l.Kind == "macvlan" || l.Kind == "ipvlan") {
		r.Base, r.BaseUp, r.BaseRunning = base.Name, base.Flags&unix.IFF_UP != 0, base.Flags&unix.IFF_RUNNING != 0
		r.VMAC = "VMAC type private"
		if l.Kind == "ipvlan" {
			r.VMAC = "IPVLAN type L2"
		}
		_, r.Ours = d.vmacs.ours[l.Name]
	}
	d.reportARP(&r)
	return r
}

// reportARP shows what a VMAC does to its own interface and to the one below.
func (d *daemon) reportARP(r *report.Link) {
	if r.Ours && r.VMAC == "VMAC type private" {
		r.ARPIgnore, r.RPFilter, r.Promote = 1, 0, 1
	}
	for i := range d.cfg.Instances {
		if c := &d.cfg.Instances[i]; c.VMAC != nil && !c.VMAC.IPVLAN && c.Interface == r.Name {
			r.ARPResets++
			r.ARPIgnore, r.ARPFilter, r.RPFilter = 1, 1, 0
		}
	}
}
