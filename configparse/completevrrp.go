package configparse

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// check reports with the name of the instance in front, without a line.
func (p *parser) check(in *instance, format string, args ...any) {
	p.checkf(GeneralError, "("+in.Name+") "+format, args...)
}

// completeInstance checks one instance and fills in its defaults (grammar.md
// 14.2). False: the VRRP pass fails.
func (p *parser) completeInstance(in *instance) bool {
	in.Strict = in.strict.Or(p.cfg.Global.StrictDefault)
	in.IPv6 = in.family == 6
	p.completeVersion(in)
	p.completeState(in)
	p.completeAuth(in)
	if !p.completeUnicast(in) {
		return false
	}
	p.completeInterface(in)
	p.completePacket(in)
	p.completePreempt(in)
	p.completeStrict(in)
	p.completeInterval(in)
	p.completeVMAC(in)
	p.ownInterface(in)
	p.xmitBase(in)
	p.completeAddresses(in)
	if !p.completeVIPs(in) {
		return false
	}
	p.completeTracks(in)
	in.Notify.SMTPAlert = in.smtpAlert.Or(p.smtpDefault())
	changes := p.cfg.Global.NotifyPriority
	if in.group != nil {
		changes = in.group.priorityChanges.Or(changes)
	}
	in.Notify.PriorityChanges = in.priorityChanges.Or(changes)
	in.ChecksumAsV2 = in.checksumAsV2.Or(p.cfg.Global.VRRPDefaults.ChecksumAsV2)
	return true
}

func (p *parser) completeVersion(in *instance) {
	if in.Strict && in.IPv6 && in.version == 2 {
		p.check(in, "cannot use IPv6 with VRRP version 2; setting version 3")
		in.version = 3
	}
	switch {
	case in.version != 0:
		in.Version = in.version
	case in.IPv6:
		in.Version = 3
	default:
		in.Version = p.cfg.Global.VRRPDefaults.Version
	}
}

func (p *parser) completeState(in *instance) {
	in.Priority = in.priority
	if in.Priority == 0 {
		in.Priority = defaultPriority
		if in.state == 'M' {
			in.Priority = ownerPriority
		}
	}
	owner := in.Priority == ownerPriority
	if in.Strict && in.state != 0 && (in.state == 'M') != owner {
		p.check(in, "State MASTER must match being address owner")
		in.state = 0
	}
	in.WantMaster = in.state == 'M' || in.state == 0 && owner
}

func (p *parser) completeAuth(in *instance) {
	drop := func(format string) {
		p.check(in, format)
		in.Auth = vrrp.AuthConfig{}
	}
	if in.Auth.Type != vrrp.AuthNone {
		switch {
		case in.Strict:
			drop("Strict mode does not support authentication. Ignoring.")
		case in.Version == 3:
			drop("VRRP version 3 does not support authentication. Ignoring.")
		case !in.passGiven:
			drop("Authentication specified but no password given. Ignoring")
		case in.IPv6 && in.Auth.Type == vrrp.AuthAH:
			drop("Cannot use AH authentication with IPv6. ignoring")
		case in.Auth.Type == vrrp.AuthAH && in.WantMaster && in.Priority != ownerPriority:
			p.check(in, "Initial state master is incompatible with AH authentication - clearing")
			in.WantMaster = false
		}
	}
	if in.Auth.Type == vrrp.AuthNone {
		in.Auth = vrrp.AuthConfig{}
	}
	if in.HMAC == nil {
		return
	}
	if in.Auth.Type != vrrp.AuthNone {
		drop("auth_hmac cannot be combined with authentication, dropping legacy auth")
	}
	known := false
	for _, k := range in.HMAC.Keys {
		known = known || k.ID == in.HMAC.Active
	}
	switch {
	case !known:
		p.check(in, "auth_hmac active_key %d is not defined, disabling extension", in.HMAC.Active)
		in.HMAC = nil
	case in.Strict && in.HMAC.Mode != vrrp.HMACEnforce:
		p.check(in, "strict mode requires auth_hmac mode enforce")
		in.HMAC.Mode = vrrp.HMACEnforce
	}
}

func (p *parser) completeUnicast(in *instance) bool {
	in.Unicast = len(in.Peers) > 0
	if in.unicastWord && !in.Unicast {
		if in.noPeerFault {
			p.checkf(ClassLog, "(%s) unicast without peers - setting fault state", in.Name)
			in.Unicast, in.ConfigFault = true, "unicast without peers"
		} else {
			p.checkf(Deprecated, "(%s) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.", in.Name)
		}
	}
	if in.Strict && len(in.Peers) > 0 && in.Interface != "" && !p.linkOf(in).NoMulticast {
		p.check(in, "Unicast peers are not supported in strict mode")
		return false
	}
	return true
}

// linkOf is the interface of an instance; one that is not there is taken for
// an ordinary one.
func (p *parser) linkOf(in *instance) Link {
	l, ok := p.env.link(in.Interface)
	if !ok {
		return Link{Ethernet: true, MTU: 1500}
	}
	return l
}

func (p *parser) completeInterface(in *instance) {
	if v := in.VMAC; v != nil {
		if in.Strict && !v.IPVLAN && v.MAC != [6]byte{} {
			p.checkf(GeneralError, "(%s): cannot specify MAC address with strict mode - clearing", in.Name)
			v.MAC = [6]byte{}
		}
		if !p.linkOf(in).Ethernet {
			p.checkf(GeneralError, "(%s): vmacs are only supported on Ethernet type interfaces", in.Name)
			in.ConfigFault = "vmacs are only supported on Ethernet type interfaces"
		}
		if in.shortMAC {
			v.MAC[5] = in.VRID
		}
	}
	if !in.Unicast && p.linkOf(in).NoMulticast {
		p.check(in, "interface %s does not support multicast, specify unicast peers - disabling", in.Interface)
		in.ConfigFault = "interface does not support multicast"
	}
	if in.IPv6 && !in.Unicast && len(in.Addresses) > 0 && !in.Addresses[0].Prefix.Addr().IsLinkLocalUnicast() {
		if in.Strict {
			p.check(in, "the first IPv6 VIP address must be link local")
		} else {
			p.checkf(ClassLog, "(%s) the first IPv6 VIP address should be link local", in.Name)
		}
	}
	if in.VRF != "" && (in.Interface != "" || !in.Unicast) {
		with := " interface"
		if in.Interface == "" {
			with = "out unicast"
		}
		p.check(in, "vrf can only be specified with%s - clearing", with)
		in.VRF = ""
	}
}

// Room in an advert besides addresses: IP header, VRRP header and, in version
// 2, the authentication data; grammar.md 14.2.
const (
	maxVIPs      = 255
	overheadV2   = 50
	overheadV3v4 = 42
	overheadV3v6 = 62
	overheadAH   = 24
	overheadHMAC = 28
)

func (p *parser) completePacket(in *instance) {
	mtu := 1500
	if l := p.linkOf(in); l.MTU > 0 {
		mtu = l.MTU
	}
	size, overhead := 4, overheadV3v4
	switch {
	case in.IPv6:
		size, overhead = 16, overheadV3v6
	case in.Version == 2:
		overhead = overheadV2
		if in.Auth.Type == vrrp.AuthAH {
			overhead += overheadAH
		}
	}
	if in.HMAC != nil && in.HMAC.Mode != vrrp.HMACReceiveOnly {
		overhead += overheadHMAC
	}
	room := min((mtu-overhead)/size, maxVIPs)
	if n := len(in.Addresses); n > room && room > 0 {
		p.check(in, "Number of VIPs (%d) exceeds maximum/space available in packet (max %d addresses) - excess moved to eVIPs", n, room)
		in.Excluded = append(append([]vrrp.Address{}, in.Addresses[room:]...), in.Excluded...)
		in.Addresses = in.Addresses[:room]
	}
}

func (p *parser) completePreempt(in *instance) {
	if in.NoPreempt {
		switch {
		case in.Priority == ownerPriority:
			p.check(in, "nopreempt is incompatible with priority 255. resetting nopreempt")
			in.NoPreempt = false
		case in.WantMaster:
			p.check(in, "Warning - nopreempt will not work with initial state MASTER - clearing")
			in.NoPreempt = false
		}
	}
	if in.PreemptDelay != 0 {
		switch {
		case in.WantMaster:
			p.check(in, "Warning - preempt delay will not work with initial state MASTER - clearing")
			in.PreemptDelay = 0
		case in.Strict:
			p.check(in, "preempt_delay is incompatible with strict mode - resetting")
			in.PreemptDelay = 0
		case in.NoPreempt:
			p.check(in, "preempt_delay is incompatible with nopreempt mode - resetting")
			in.PreemptDelay = 0
		}
	}
	if in.Strict && in.DownTimerAdverts != 3 {
		p.check(in, "down_timer_adverts is incompatible with strict mode - resetting")
		in.DownTimerAdverts = 3
	}
	if in.TimerExpiredBackup != 0 && !in.NoPreempt {
		p.check(in, "expired_timer_backup requires nopreempt - resetting")
		in.TimerExpiredBackup = 0
	}
}

// completeStrict are the settings that strict mode forbids, and accept mode.
func (p *parser) completeStrict(in *instance) {
	owner := in.Priority == ownerPriority
	d := &p.cfg.Global.VRRPDefaults
	if in.Strict && in.Version == 2 && in.accept == On && !owner {
		p.check(in, "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting")
		in.accept = Off
	}
	in.NoAccept = !in.accept.Or(!in.Strict || owner)
	if in.Destination.IsValid() && in.Unicast {
		p.check(in, "multicast destination specified with unicast - ignoring")
		in.Destination = netip.Addr{}
	}
	if !in.Destination.IsValid() && !in.Unicast {
		in.Destination = p.destination(in)
	}
	p.completeLowerPrio(in, d)

	if in.Strict && in.lowerPrioNoAdvert == Off {
		p.check(in, "Strict mode requires no lower priority advert. resetting")
		in.lowerPrioNoAdvert = On
	}
	in.LowerPrioNoAdvert = in.lowerPrioNoAdvert.Or(in.Strict || d.LowerPrioNoAdvert)
	if in.Strict && in.higherPrioSendAdvert == On {
		p.check(in, "strict mode requires higher_prio_send_advert to be clear. resetting")
		in.higherPrioSendAdvert = Off
	}
	in.HigherPrioSendAdvert = in.higherPrioSendAdvert.Or(!in.Strict && d.HigherPrioSendAdvert)

	switch {
	case in.ownerIgnoreAdverts == On && !owner:
		p.check(in, "ignoring owner_ignore_adverts since priority is not 255")
		in.ownerIgnoreAdverts = Off
	case in.ownerIgnoreAdverts == Off && owner:
		p.check(in, "strict_mode with priority 255 requires owner_ignore_adverts")
		in.ownerIgnoreAdverts = On
	}
	in.OwnerIgnoreAdverts = owner && in.ownerIgnoreAdverts.Or(in.Strict || d.OwnerIgnoreAdverts)
}

// destination is where multicast adverts go.
func (p *parser) destination(in *instance) netip.Addr {
	switch {
	case in.Destination.IsValid():
		return in.Destination
	case in.IPv6:
		return p.cfg.VRRP.Group6
	}
	return p.cfg.VRRP.Group4
}

// completeLowerPrio fills in what happens after an advert of lower priority.
func (p *parser) completeLowerPrio(in *instance, d *VRRPDefaults) {
	g, set := &in.GARP, &in.garpSet
	if !set.lowerRepeat && !d.LowerPrioRepeatSet {
		g.LowerPrioRepeat = d.GARP.Repeat
	}
	if !set.lowerDelay && !d.LowerPrioDelaySet {
		g.LowerPrioDelay = d.GARP.Delay
	}
	if !in.Strict {
		return
	}
	if set.lowerRepeat && g.LowerPrioRepeat != 0 {
		p.check(in, "Strict mode requires no repeat garps. resetting")
	}
	if set.lowerDelay && g.LowerPrioDelay != 0 {
		p.check(in, "Strict mode requires no repeat garp delay. resetting")
	}
	g.LowerPrioRepeat, g.LowerPrioDelay = 0, 0
}

// The interval of version 3 is a field of 12 bits in centiseconds.
const (
	maxInterval3   = 40950 * time.Millisecond
	centisecond    = 10 * time.Millisecond
	tooLongVersion = 40960 * time.Millisecond
)

// completeInterval rounds the interval to what the version can carry.
func (p *parser) completeInterval(in *instance) {
	d := in.AdvertInterval
	switch {
	case in.Version == 2 && d%time.Second != 0:
		p.check(in, "VRRPv2 advertisement interval %fs must be an integer. rounding", d.Seconds())
		d = max((d + time.Second/2).Truncate(time.Second), time.Second)
	case in.Version == 3 && d >= tooLongVersion:
		p.check(in, "VRRPv3 advertisement interval %.2fs is out of range. Must be less than 40.96s. Setting to 40.95s", d.Seconds())
		d = maxInterval3
	case in.Version == 3 && d%centisecond != 0:
		p.check(in, "VRRPv3 advertisement interval %fs must be in units of 10ms - rounding", d.Seconds())
		d = max((d + centisecond/2).Truncate(centisecond), centisecond)
	}
	in.AdvertInterval = d
	if in.HMAC != nil && in.HMAC.Window == 0 {
		in.HMAC.Window = hmacWindow(d)
	}
}

func (p *parser) completeVMAC(in *instance) {
	v := in.VMAC
	if in.Strict && in.xmitBase && v != nil && !v.IPVLAN {
		p.check(in, "xmit_base is incompatible with strict mode - resetting")
		in.xmitBase = false
	}
	if in.PromoteAddrs && v != nil {
		p.check(in, "promote_secondaries is automatically set for vmacs - ignoring")
		in.PromoteAddrs = false
	}
	if v == nil || !v.IPVLAN {
		return
	}
	fault := ""
	switch {
	case !in.IPv6 && !v.Address.IsValid():
		fault = "IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state"
	case v.Address.IsValid() && v.Address.Addr().Is6() != in.IPv6:
		fault = "IPv4 ipvlan address family does not match instance. setting instance to fault state"
	}
	if fault != "" {
		p.check(in, "%s", fault)
		in.ConfigFault = fault
	}
}

// ownInterface drops a tracked interface that is the instance's own.
func (p *parser) ownInterface(in *instance) {
	kept := in.TrackInterfaces[:0]
	for _, t := range in.TrackInterfaces {
		if t.Name == in.Interface {
			p.check(in, "Ignoring track_interface %s since own interface", t.Name)
			continue
		}
		kept = append(kept, t)
	}
	in.TrackInterfaces = kept
}

func (p *parser) xmitBase(in *instance) {
	if in.xmitBase && (in.VMAC == nil || in.VMAC.IPVLAN) {
		p.check(in, "vmac_xmit_base is only valid with a vmac")
		in.xmitBase = false
	}
	if in.VMAC != nil {
		in.VMAC.XmitBase, in.VMAC.AllAddrs = in.xmitBase, in.vmacAll
	} else if in.vmacAll {
		in.VMAC = &vrrp.VMACConfig{AddrsOnly: true, AllAddrs: true}
	}
}

// completeAddresses settles the interface of each address.
func (p *parser) completeAddresses(in *instance) {
	own := in.VMAC != nil && !in.VMAC.AddrsOnly && !in.VMAC.IPVLAN
	settle := func(list []vrrp.Address, what string) []vrrp.Address {
		kept := list[:0]
		for _, a := range list {
			same := (a.Interface == "" || a.Interface == in.Interface) && a.Prefix.Addr().Is6() == in.IPv6
			switch {
			case a.UseVMAC && own && same:
				p.check(in, "use_vmac specified for VIP/eVIP %s and vrrp instance", addressText(a))
				a.UseVMAC = false
			case a.UseVMAC && in.vmacAll && !same:
				p.check(in, "use_vmac_addr specified and use_vmac specified for VIP/eVIP %s", addressText(a))
				a.UseVMAC = false
			}
			if a.Interface == "" && in.Interface == "" {
				if p.cfg.Global.DefaultInterface == "" {
					p.checkf(GeneralError, "(%s): no interface for %s %s - removing", in.Name, what, addressText(a))
					continue
				}
				a.Interface = p.cfg.Global.DefaultInterface
			}
			kept = append(kept, a)
		}
		return kept
	}
	in.Addresses = settle(in.Addresses, "vip")
	in.Excluded = settle(in.Excluded, "evip")
}

func (p *parser) completeVIPs(in *instance) bool {
	if in.Strict && in.NoAddresses {
		p.checkf(Warning, "(%s) no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress", in.Name)
		in.NoAddresses = false
	}
	if len(in.Addresses) > 0 || in.NoAddresses {
		return true
	}
	if in.Version == 3 || in.Strict {
		p.check(in, "No VIP specified; at least one is required")
		return false
	}
	p.checkf(Warning, "(%s) No VIP specified; at least one is sensible", in.Name)
	return true
}

// completeTracks drops weights that cannot work: of a member of a group
// without sync_group_tracking_weight, and of an address owner.
func (p *parser) completeTracks(in *instance) {
	owner := in.Priority == ownerPriority
	synced := in.group != nil && !in.group.TrackWeights
	if !owner && !synced {
		return
	}
	why := "address_owner"
	if synced {
		why = "SYNC group"
	}
	filter := func(list *[]vrrp.Track, look func(*vrrp.Track) bool) {
		kept := (*list)[:0]
		for _, t := range *list {
			if t.Weight == 0 || look(&t) {
				kept = append(kept, t)
			}
		}
		*list = kept
	}
	filter(&in.TrackInterfaces, func(t *vrrp.Track) bool {
		if synced {
			p.check(in, "ignoring %s tracked interface weight due to SYNC group", t.Name)
			t.Weight = 0
			return true
		}
		p.check(in, "ignoring %s tracked interface due to address owner", t.Name)
		return false
	})
	filter(&in.TrackScripts, func(t *vrrp.Track) bool {
		p.check(in, "ignoring tracked script %s with weights due to %s", t.Name, why)
		return false
	})
	filter(&in.TrackFiles, func(t *vrrp.Track) bool {
		if t.Weight == 1 {
			p.check(in, "ignoring weight from tracked file %s due to %s. specify weight 0", t.Name, why)
			t.Weight = 0
			return true
		}
		p.check(in, "ignoring tracked file %s with weight %d due to %s", t.Name, t.Weight, why)
		return false
	})
	filter(&in.TrackBFD, func(t *vrrp.Track) bool {
		p.check(in, "ignoring tracked bfd %s with weight %d due to %s", t.Name, t.Weight, why)
		return false
	})
}

// place names a block for messages.
func place(w words) string {
	if w.at.file == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", w.at.file.name, w.at.line)
}
