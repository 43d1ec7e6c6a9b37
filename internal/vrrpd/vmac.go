package vrrpd

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// vmacs are the virtual interfaces (use_vmac, use_ipvlan) that instances want.
// They are made before the core takes a configuration, made again when someone
// deletes them, and deleted when nothing wants them any more.
type vmacs struct {
	want map[string]wantedVMAC // by name
	ours map[string]int        // index of those this process has made
	made map[int]time.Time     // when, by index
	// owners are the instances for which they were made, for the log.
	owners map[string]string
	// renamed are links as they were before a reload gave them other names, and
	// stale the names of those it wants with another base or MAC.
	renamed []kernel.Link
	stale   []string
	vips    map[netip.Addr]bool // the link-local ones

	ctl *kernel.Sysctls

	loosened bool
}

// wantedVMAC is one virtual interface and who wants it.
type wantedVMAC struct {
	instance string
	base     string
	mac      net.HardwareAddr // nil: an ipvlan
	cfg      *vrrp.VMACConfig
	ipv6     bool
	needIPv6 bool // carries IPv6 addresses although the instance is IPv4
	base6    bool // has the base's IPv6 link-local address too
}

// resolve makes the virtual interfaces of a new configuration and writes their
// names into it.
func (v *vmacs) resolve(d *daemon, now time.Time) {
	if v.ctl == nil {
		v.ctl = d.kernel.(*kernel.Kernel).Sysctls()
		v.ours, v.made, v.owners = map[string]int{}, map[int]time.Time{}, map[string]string{}
	}
	v.want, v.vips = map[string]wantedVMAC{}, map[netip.Addr]bool{}
	for i := range d.cfg.Instances {
		for _, list := range [][]vrrp.Address{d.cfg.Instances[i].Addresses, d.cfg.Instances[i].Excluded} {
			for _, a := range list {
				if ip := a.Prefix.Addr(); ip.IsLinkLocalUnicast() {
					v.vips[ip] = true
				}
			}
		}
	}
	for i := range d.cfg.Instances {
		in := &d.cfg.Instances[i]
		if in.VMAC == nil {
			continue
		}
		if !in.VMAC.AddrsOnly {
			in.Device = v.name(d, in, in.Interface, d.conf.Global.VMACPrefix, in.IPv6)
			v.want[in.Device] = wantedVMAC{
				instance: in.Name, base: in.Interface, mac: macOf(in, in.IPv6), cfg: in.VMAC, ipv6: in.IPv6,
				needIPv6: !in.IPv6 && carriesIPv6(in), base6: in.IPv6 && !in.VMAC.XmitBase,
			}
			v.make(d, now, in.Device)
		}
		v.resolveAddrs(d, now, in)
	}
}

// resolveAddrs gives addresses that want one a virtual interface of their own.
func (v *vmacs) resolveAddrs(d *daemon, now time.Time, in *vrrp.InstanceConfig) {
	for _, list := range [][]vrrp.Address{in.Addresses, in.Excluded} {
		for i := range list {
			a := &list[i]
			base := a.Interface
			if base == "" {
				base = in.Interface
			}
			is6 := a.Prefix.Addr().Is6()
			own := a.UseVMAC || in.VMAC.AllAddrs
			if !own || base == in.Interface && is6 == in.IPv6 && !in.VMAC.AddrsOnly {
				continue
			}
			name := v.name(d, in, base, d.conf.Global.VMACAddrPrefix, is6)
			if _, ok := v.want[name]; !ok {
				v.want[name] = wantedVMAC{
					instance: in.Name, base: base, mac: macOf(in, is6), cfg: in.VMAC, ipv6: is6,
					base6: is6 && !in.VMAC.XmitBase,
				}
				v.make(d, now, name)
			}
			a.Interface = name
		}
	}
}

func macOf(in *vrrp.InstanceConfig, ipv6 bool) net.HardwareAddr {
	switch {
	case in.VMAC.IPVLAN:
		return nil
	case in.VMAC.MAC != [6]byte{} && ipv6 == in.IPv6:
		return net.HardwareAddr(in.VMAC.MAC[:])
	}
	return kernel.VirtualMAC(in.VRID, ipv6)
}

func carriesIPv6(in *vrrp.InstanceConfig) bool {
	return slices.ContainsFunc(in.Excluded, func(a vrrp.Address) bool {
		return a.Prefix.Addr().Is6() && (a.Interface == "" || a.Interface == in.Interface)
	})
}

// name is the name of the virtual interface of an instance on base: as
// configured, of one that is there already, or a new one.
func (v *vmacs) name(d *daemon, in *vrrp.InstanceConfig, base, prefix string, ipv6 bool) string {
	mac := macOf(in, ipv6)
	for _, name := range slices.Sorted(maps.Keys(v.want)) {
		if w := v.want[name]; w.base == base && mac != nil && bytes.Equal(w.mac, mac) {
			return name
		}
	}
	if in.VMAC.Name != "" && base == in.Interface && ipv6 == in.IPv6 {
		return in.VMAC.Name
	}
	if l, ok := d.links.named(base); ok && mac != nil {
		if found, ok := kernel.FindVMAC(sortedLinks(d.links.byIndex), l.Index, mac); ok {
			return found.Name
		}
	}
	if prefix == "" {
		prefix = "vrrp"
	}
	if in.VMAC.IPVLAN && prefix == "vrrp" {
		prefix = "ipvlan"
	}
	return kernel.VMACName(prefix, in.VRID, ipv6, func(n string) bool {
		_, wanted := v.want[n]
		return wanted || d.links.index(n) != 0
	})
}

// make makes one of the wanted interfaces, or takes over what is there. It
// waits for the kernel: it happens at the start, at a reload that adds one, and
// when someone has deleted one.
func (v *vmacs) make(d *daemon, now time.Time, name string) {
	w := v.want[name]
	base, ok := d.links.named(w.base)
	if !ok {
		return // made when the base appears
	}
	if !v.loosened && w.mac != nil {
		v.loosened = true
		changes, err := v.ctl.LoosenReversePath()
		logSysctls("setting", changes)
		d.netlinkError(err)
	}
	m := kernel.VMAC{
		Name: name, Base: base, MAC: w.mac, IPVLANFlag: uint16(w.cfg.IPVLANMode), Group: base.Group,
		IPv6: w.ipv6, NeedIPv6: w.needIPv6,
	}
	if w.cfg.GroupSet {
		m.Group = w.cfg.Group
	}
	if w.base6 {
		m.LinkLocal = d.linkLocal(base)
	}
	have, ok := v.present(d, now, name, base)
	if !ok {
		return // made when that is gone
	}
	l, err := d.kernel.MakeVMAC(m, have, v.ctl)
	if errors.Is(err, unix.ENODEV) {
		return // the base is being deleted; its notice is on the way
	}
	if err != nil {
		log.Info("(%s): %v", w.instance, err)
		return
	}
	if have == nil {
		log.Detailf("(%s): Success creating %s interface %s", w.instance, w.kind(), name)
	}
	if have != nil && w.ipv6 && !w.base6 { // it had one before the reload
		d.netlinkErrors(d.kernel.DelAddrs([]kernel.Address{{Link: l.Index, Prefix: netip.PrefixFrom(d.linkLocal(base), 64)}}))
	}
	v.ours[name], v.made[l.Index], v.owners[name] = l.Index, now, w.instance
	if w.cfg.NotifyMsg {
		d.netlinkError(d.kernel.SetLinkGroup(base.Index, base.Group))
	}
	if w.cfg.Address.IsValid() {
		d.netlinkErrors(d.kernel.AddAddrs([]kernel.Address{{
			Link: l.Index, Prefix: w.cfg.Address, Preferred: kernel.Forever, Protocol: kernel.ProtocolKeepalived,
		}}))
	}
	d.linkEvent(now, l, false)
	if w.mac != nil {
		g := kernel.GuardedVMAC{Link: l.Index, Base: base.Index, Name: name, IPv6: w.ipv6, BaseLinkLocal: m.LinkLocal}
		d.after(-1, func() { d.wall.guardVMAC(g) })
	}
}

// present finds what is to become the wanted interface: what has its name, or
// what has another and is otherwise the same. It reports false if something is in
// the way that has to go first.
func (v *vmacs) present(d *daemon, now time.Time, name string, base kernel.Link) (have *kernel.Link, ok bool) {
	w := v.want[name]
	l, exists := d.links.named(name)
	switch {
	case exists && l.IsVMAC(base.Index, w.mac):
		log.Info("(%s) Found matching interface %s", w.instance, name)
		return &l, true
	case exists:
		log.Info("(%s) VMAC %s already exists but is incompatible. It will be deleted/updated", w.instance, name)
		if _, ours := v.ours[name]; ours {
			v.stale = append(v.stale, name) // the instance that uses it says goodbye first
			return nil, false
		}
		d.netlinkError(d.kernel.DelLink(l.Index))
		d.forgetLink(now, l) // which makes it
		return nil, false
	case w.mac == nil:
		return nil, true
	}
	old, exists := kernel.FindVMAC(sortedLinks(d.links.byIndex), base.Index, w.mac)
	if !exists {
		return nil, true
	}
	return v.rename(d, now, old, name), true
}

// rename gives a virtual interface the name that a new configuration wants.
// Addresses and sockets stay on it; two of one MAC could not be on one base.
func (v *vmacs) rename(d *daemon, now time.Time, l kernel.Link, name string) *kernel.Link {
	if err := d.kernel.RenameLink(l.Index, name); err != nil {
		d.netlinkError(err)
		return nil
	}
	log.Info("Interface name has changed from %s to %s", l.Name, name)
	v.renamed = append(v.renamed, l)
	delete(v.ours, l.Name)
	delete(v.owners, l.Name)
	delete(d.links.byName, l.Name)
	l.Name = name
	d.links.set(l)
	d.linkState(now, d.links.view(l, true))
	return &l
}

// settlingTime is how long notices of what was done to a new interface may be on
// their way.
const settlingTime = time.Second

// settled is the link of a notice as it is now, if its interface was made just
// before: the notices of its making, which show it down, come after it was
// found up.
func (v *vmacs) settled(d *daemon, now time.Time, l kernel.Link, deleted bool) kernel.Link {
	made, ok := v.made[l.Index]
	if !ok {
		return l
	}
	if deleted || now.Sub(made) > settlingTime {
		delete(v.made, l.Index)
		return l
	}
	if present, err := d.kernel.LinkByIndex(l.Index); err == nil {
		return present
	}
	return l
}

func (w wantedVMAC) kind() string {
	if w.mac == nil {
		return "IPVLAN"
	}
	return "VMAC"
}

// lost makes a wanted interface again that someone has deleted.
func (v *vmacs) lost(d *daemon, now time.Time, name string) {
	if _, ok := v.want[name]; ok && !d.stopping {
		if index, ok := v.ours[name]; ok {
			d.after(-1, func() { d.wall.unguardVMAC(index) })
		}
		delete(v.ours, name)
		v.make(d, now, name)
	}
}

// cameUp gives a virtual interface its link-local address again, which the
// kernel takes away when it goes down: nothing could be sent without.
func (v *vmacs) cameUp(d *daemon, name string) {
	w, ok := v.want[name]
	base, there := d.links.named(w.base)
	if !ok || !w.base6 || !there {
		return
	}
	d.netlinkError(d.kernel.SetLinkLocal(v.ours[name], d.linkLocal(base)))
}

// addrLost puts it back when someone has deleted it.
func (v *vmacs) addrLost(d *daemon, l kernel.Link, a kernel.Address) {
	if l.Up() && v.ours[l.Name] == l.Index && a.IP().Is6() && a.IP().IsLinkLocalUnicast() && !v.vips[a.IP()] {
		v.cameUp(d, l.Name)
	}
}

// baseRenamed deletes what stands on an interface that has another name now:
// it is not the configured one any more.
func (v *vmacs) baseRenamed(d *daemon, base string) {
	for _, name := range slices.Sorted(maps.Keys(v.ours)) {
		if v.want[name].base == base {
			v.remove(d, name)
		}
	}
}

// baseAppeared makes what stands on an interface that was not there before.
func (v *vmacs) baseAppeared(d *daemon, now time.Time, base string) {
	for _, name := range slices.Sorted(maps.Keys(v.want)) {
		if v.want[name].base == base && d.links.index(name) == 0 {
			v.make(d, now, name)
		}
	}
}

// baseMoved takes the virtual interfaces of a base into the VRF that the base has
// joined, or out of the one it has left. Bridges and bonds are the base's own
// affair.
func (v *vmacs) baseMoved(d *daemon, base kernel.Link) {
	if m, ok := d.links.byIndex[base.Master]; base.Master != 0 && (!ok || m.Kind != "vrf") {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v.ours)) {
		l, ok := d.links.byIndex[v.ours[name]]
		if !ok || v.want[name].base != base.Name || l.Master == base.Master {
			continue
		}
		d.netlinkError(d.kernel.SetLinkMaster(l.Index, base.Master))
	}
}

// adopted ends a reload: what had another name is gone, and what is wanted
// different is deleted, whose notice has it made again.
func (v *vmacs) adopted(d *daemon, now time.Time) {
	for _, l := range v.renamed {
		d.linkState(now, d.links.view(l, false))
	}
	for _, name := range v.stale {
		index := v.ours[name]
		d.after(-1, func() { d.netlinkError(d.kernel.DelLink(index)) })
	}
	v.renamed, v.stale = nil, nil
	v.removeUnused(d)
}

// removeUnused deletes what no instance wants any more, after its addresses.
func (v *vmacs) removeUnused(d *daemon) {
	for _, name := range slices.Sorted(maps.Keys(v.ours)) {
		if _, ok := v.want[name]; !ok {
			v.remove(d, name)
		}
	}
}

func (v *vmacs) remove(d *daemon, name string) {
	index, instance := v.ours[name], v.owners[name]
	delete(v.ours, name)
	d.after(-1, func() {
		d.wall.unguardVMAC(index)
		if err := d.kernel.DelLink(index); err != nil {
			d.netlinkError(err)
			return
		}
		log.Detailf("(%s) Success removing VMAC interface %s", instance, name)
	})
}

// close deletes every interface that this process has made and puts the
// settings of the others back.
func (v *vmacs) close(d *daemon) {
	v.want = nil
	v.removeUnused(d)
}

// restore puts the kernel's settings back. It runs after everything else.
func (v *vmacs) restore() {
	if v.ctl == nil {
		return
	}
	changes, err := v.ctl.RestoreAll()
	logSysctls("resetting", changes)
	if err != nil {
		log.Info("%v", err)
	}
}

func logSysctls(verb string, changes []kernel.SysctlChange) {
	for _, c := range changes {
		switch {
		case !c.Global():
		case verb == "setting":
			log.Info("NOTICE: setting sysctl %s from %s to %s", c.Dotted(), c.Old, c.New)
		default:
			log.Info("NOTICE: resetting sysctl %s to %s", c.Dotted(), c.New)
		}
	}
}

// linkLocal is the IPv6 link-local address of a link that is no instance's, by
// the old or the new configuration, or one made from its MAC.
func (d *daemon) linkLocal(l kernel.Link) netip.Addr {
	for _, k := range sortedAddrs(d.links.addrs) {
		if a := k.prefix.Addr(); k.link == l.Index && a.Is6() && a.IsLinkLocalUnicast() && !d.vmacs.vips[a] && !d.router.Virtual(a) {
			return a
		}
	}
	return kernel.LinkLocalFrom(l.MAC)
}

// settings are the sysctls that the configuration asks for beside those of
// virtual interfaces.
func (v *vmacs) settings(d *daemon) {
	set := func(err error) {
		if err != nil {
			log.Info("%v", err)
		}
	}
	if d.cfg.DisableLocalIGMP {
		set(v.ctl.Set(kernel.LocalIGMPReports, "0"))
	}
	for i := range d.cfg.Instances {
		in := &d.cfg.Instances[i]
		if l, ok := d.links.named(in.Interface); ok && in.PromoteAddrs && l.Flags&unix.IFF_LOOPBACK == 0 {
			set(v.ctl.SetLink("ipv4", l, "promote_secondaries", "1"))
		}
	}
}
