package configparse

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// instance is a vrrp_instance while it is read: the public values, and what
// must still be told apart from a default.
type instance struct {
	vrrp.InstanceConfig

	family   byte // 4 or 6; 0 until something fixes it
	version  uint8
	state    byte // 'M', 'B', or 0
	priority uint8
	strict   Tristate
	accept   Tristate
	vmacAll  bool // use_vmac_addr
	xmitBase bool
	shortMAC bool // use_vmac with five octets: the VRID is the sixth

	unicastWord bool // a unicast keyword was used
	noPeerFault bool
	ttlGiven    bool // unicast_ttl
	srcSet      bool
	passGiven   bool

	lowerPrioNoAdvert    Tristate
	higherPrioSendAdvert Tristate
	ownerIgnoreAdverts   Tristate
	smtpAlert            Tristate
	priorityChanges      Tristate
	checksumAsV2         Tristate
	garpSet              garpSet

	group *syncGroup
}

// garpSet tells which of the gratuitous settings were given.
type garpSet struct {
	delay, refresh, repeat, refreshRepeat, lowerDelay, lowerRepeat bool
}

// syncGroup is a vrrp_sync_group while it is read.
type syncGroup struct {
	vrrp.GroupConfig

	listed          bool // a group block was seen
	smtpAlert       Tristate
	priorityChanges Tristate
}

func readInstance(p *parser, c *Config, w words) {
	c.HasVRRP = true
	if w.len() != 2 {
		p.errorf("vrrp_instance must have a name")
		p.refuseBlock()
		return
	}
	name := p.word(w, 1)
	if p.instance(name) != nil {
		p.errorf("vrrp instance %s already defined", name)
		p.refuseBlock()
		return
	}
	in := newInstance(p, name, w)
	p.instances = append(p.instances, in)
	p.instanceNames[name] = in
	readBlock(p, instanceBlock, in)
	p.endInstance(in)
}

// newInstance gives an instance with the defaults of the global keywords that
// stood before it (the parent has read them all by now).
func newInstance(p *parser, name string, w words) *instance {
	d := &p.cfg.Global.VRRPDefaults
	in := &instance{}
	in.Name = name
	in.Line = place(w)
	in.AdvertInterval = time.Second
	in.DownTimerAdverts = d.DownTimerAdverts
	in.GARP = d.GARP
	in.SkipCheckAdvAddr = d.SkipCheckAdvAddr
	in.CheckUnicastSource = p.cfg.Global.UnicastSourceCheck
	return in
}

func (p *parser) instance(name string) *instance { return p.instanceNames[name] }

// endInstance are the checks at the end of a block; they have its line.
func (p *parser) endInstance(in *instance) {
	p.column = 0
	if in.unicastWord && in.VMAC != nil {
		switch {
		case in.Interface == "":
			p.errorf("(%s): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac", in.Name)
			in.VMAC = nil
		case !in.xmitBase: // also of an ipvlan, which then has none (xmitBase)
			p.errorf("(%s) unicast with use_vmac requires vmac_xmit_base - setting", in.Name)
			in.xmitBase = true
		}
	}
	if in.ttlGiven && len(in.Peers) == 0 {
		p.errorf("(%s): Cannot use unicast_ttl without unicast peers - resetting", in.Name)
		in.UnicastTTL = 0
	}
}

// inst reports with the name of the instance in front: "(VI_1) text".
func (p *parser) inst(in *instance, format string, args ...any) {
	p.errorf("("+in.Name+") "+format, args...)
}

// link finds an interface. If it is not there and may not come later, format is
// reported and the VRRP pass fails at its end.
func (p *parser) link(name, format string, args ...any) (Link, bool) {
	l, ok := p.env.link(name)
	if ok || p.cfg.Global.DynamicInterfaces {
		return l, true
	}
	p.errorf(format, args...)
	p.missingInterface = true
	return Link{}, false
}

// setFamily fixes the family, or tells whether it is the one already fixed.
func (in *instance) setFamily(a netip.Addr) bool {
	f := family(a)
	if in.family == 0 {
		in.family = f
	}
	return in.family == f
}

func family(a netip.Addr) byte {
	if a.Is6() {
		return 6
	}
	return 4
}

var instanceBlock = joinBlocks(instanceWire, instanceElection, instanceAddresses, instanceTracks, instanceNotify, instanceGARP, instanceVMAC)

var instanceWire = block[instance]{
	"unicast_peer": {takes: "value-block: IPADDR [min_ttl 0..255] [max_ttl 0..255]", help: "peers that adverts are sent to", acts: "vrrp", opens: true, sub: peerWords,
		set: func(p *parser, in *instance, w words) {
			in.unicastWord = true
			p.readValues(w, 1, func(line words) { p.peer(in, line) })
		}},
	"unicast_fault_no_peer": {takes: "none", help: "FAULT instead of multicast without a peer", acts: "vrrp",
		set: flag(func(in *instance) { in.unicastWord, in.noPeerFault = true, true })},
	"check_unicast_src": {takes: "none", help: "drop adverts from strangers", acts: "vrrp",
		set: flag(func(in *instance) { in.unicastWord, in.CheckUnicastSource = true, true })},
	"old_unicast_checksum": {takes: "[never]", help: "checksum of versions before 1.3.7", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			in.unicastWord = true
			switch s := p.opt(w, 1); {
			case !w.has(1):
				in.OldChecksum = vrrp.OldChecksumAlways
			case s == "never":
				in.OldChecksum = vrrp.OldChecksumNever
			default:
				p.inst(in, "Unknown old_unicast_chksum mode %s - ignoring", s)
			}
		}},
	"native_ipv6": {takes: "none", help: "an IPv6, version 3 instance", acts: "configparse",
		set: func(p *parser, in *instance, w words) {
			if in.family == 4 {
				p.inst(in, "Cannot specify native_ipv6 with IPv4 addresses")
				return
			}
			in.family, in.version = 6, 3 // also after "version 2", and without a word (2.2.7)
		}},
	"interface": {takes: "IFNAME", help: "interface the instance runs on", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			name := p.word(w, 1)
			if len(name) > maxInterface {
				p.errorf("Interface name '%s' too long - ignoring", name)
				return
			}
			l, ok := p.link(name, "WARNING - interface %s for vrrp_instance %s doesn't exist", name, in.Name)
			switch {
			case !ok:
			case l.Loopback:
				p.inst(in, "cannot use a loopback interface (%s) for vrrp - ignoring", name)
			default:
				in.Interface = name
			}
		}},
	"vrf": {takes: "IFNAME", help: "VRF of a unicast instance without interface", acts: "vrrpd", set: readVRF},
	"dont_track_primary": {takes: "none", help: "the state of the own interface does not matter", acts: "vrrp",
		set: flag(func(in *instance) { in.DontTrackPrimary = true })},
	"mcast_src_ip": {takes: "IPADDR", help: "source of adverts", acts: "vrrp", set: func(p *parser, in *instance, w words) { p.source(in, w) }},
	"unicast_src_ip": {takes: "IPADDR", help: "source of adverts", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			in.unicastWord = true
			p.source(in, w)
		}},
	"mcast_dst_ip": {takes: "multicast IPADDR (IPv6: link-local scope)", help: "destination of adverts", acts: "vrrp", set: readDestination},
	"track_src_ip": {takes: "none", help: "FAULT when the configured source is gone", acts: "vrrp",
		set: flag(func(in *instance) { in.TrackSource = true })},
	"virtual_router_id": {takes: "INT 1..255", help: "the VRID", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 1, math.MaxUint8, strict)
			if !ok {
				p.errorf("(%s): VRID '%s' not valid - must be between 1 & 255", in.Name, p.word(w, 1))
				return
			}
			in.VRID = uint8(n)
		}},
	"unicast_ttl": {takes: "INT 0..255", help: "TTL of unicast adverts", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 0, math.MaxUint8, strict)
			if !ok {
				p.errorf("(%s): TTL '%s' not valid - must be between 0 & 255", in.Name, p.word(w, 1))
				return
			}
			in.UnicastTTL, in.ttlGiven = int(n), true
		}},
	"version": {takes: "INT 2..3", help: "protocol version", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 2, 3, lenient)
			switch {
			case !ok:
				p.errorf("(%s): Version must be either 2 or 3", in.Name)
			case in.version != 0 && in.version != uint8(n) || n == 2 && in.family == 6:
				p.inst(in, "vrrp_version %d conflicts with configured or deduced version %d; ignoring.", n, in.version)
			default:
				in.version = uint8(n)
			}
		}},
	"linkbeat_use_polling": {takes: "none", help: "poll the link of the own interface", acts: "vrrpd",
		set: func(p *parser, in *instance, w words) {
			p.inst(in, "'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block")
			in.LinkBeat = true
		}},
	"v3_checksum_as_v2": {takes: "BOOL optional (bare = true)", help: "VRRPv3 IPv4 checksum without pseudo header", acts: "vrrp",
		set: instanceBool("v3_checksum_as_v2", func(in *instance, v bool) { in.checksumAsV2 = tristate(v) })},
	// Whatever the word, the original switches it on.
	"skip_check_adv_addr": {takes: "BOOL optional (bare = true)", help: "do not compare address lists of the same master again", acts: "vrrp",
		set: instanceBool("skip_check_adv_addr", func(in *instance, v bool) { in.SkipCheckAdvAddr = v })},
	"kernel_rx_buf_size": {takes: "INT 0..4294967295", help: "socket receive buffer, bytes", acts: "vrrpd",
		set: func(p *parser, in *instance, w words) {
			if w.len() == 2 {
				if n, ok := p.unsigned(w, 1, 0, maxUint32, strict); ok {
					in.RxBuffer = uint32(n)
					return
				}
			}
			p.inst(in, "invalid kernel_rx_buf_size specified")
		}},
	"authentication": {takes: "block", help: "VRRPv2 authentication", acts: "vrrp", opens: true, sub: authBlock,
		set: func(p *parser, in *instance, w words) { readBlock(p, authBlock, in) }},
	"auth_hmac": {takes: "block", help: "HMAC trailer authentication", acts: "vrrp", opens: true, sub: hmacBlock,
		set: func(p *parser, in *instance, w words) {
			if in.HMAC == nil {
				in.HMAC = &vrrp.HMACConfig{}
			}
			readBlock(p, hmacBlock, in)
		}},
	"lvs_sync_daemon_interface": {takes: "IFNAME", help: "old form of the global lvs_sync_daemon", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			p.inst(in, "Specifying lvs_sync_daemon_interface against a vrrp is deprecated.")
			indent := len(in.Name) + 4
			if len(in.Name) == 1 { // as the original does it
				indent = 7
			}
			p.errorf("%*sPlease use global lvs_sync_daemon", indent, "")
			name := p.word(w, 1)
			if old := p.cfg.VRRP.SyncDaemon; old != nil {
				p.inst(in, "lvs_sync_daemon_interface has already been specified as %s - ignoring", old.Interface)
				return
			}
			if !p.ended {
				p.cfg.VRRP.SyncDaemon = &vrrp.SyncDaemon{Interface: name, Instance: in.Name}
			}
		}},
}

// peerWords are the words of a line of unicast_peer; see peer.
var peerWords = block[instance]{
	firstWord: {takes: "IPADDR", help: "the peer", acts: "vrrp"},
	"min_ttl": {takes: "INT 0..255", help: "least TTL of its adverts", acts: "vrrp"},
	"max_ttl": {takes: "INT 0..255", help: "greatest TTL of its adverts", acts: "vrrp"},
}

// instanceBool has the text that most booleans of an instance share.
func instanceBool(keyword string, set func(*instance, bool)) func(*parser, *instance, words) {
	return func(p *parser, in *instance, w words) {
		v, ok := p.boolean(w, 1)
		if !ok {
			p.inst(in, "invalid %s %s specified", keyword, p.word(w, 1))
			return
		}
		set(in, v)
	}
}

// peer reads a line of unicast_peer. A peer with a bad option stays.
func (p *parser) peer(in *instance, line words) {
	s := p.word(line, 0)
	a, ok := parseAddr(s)
	if !ok {
		p.errorf("Configuration error: VRRP instance[%s] malformed unicast peer address[%s]. Skipping...", in.Name, s)
		return
	}
	if !in.setFamily(a) {
		p.errorf("Configuration error: VRRP instance[%s] and unicast peer address[%s] MUST be of the same family !!! Skipping...", in.Name, s)
		return
	}
	for _, old := range in.Peers {
		if old.Addr == a {
			p.inst(in, "%s - duplicate unicast_peer", s)
			return
		}
	}
	peer := vrrp.Peer{Addr: a, MaxTTL: math.MaxUint8}
	for i := 1; line.has(i); i += 2 {
		option := p.word(line, i)
		if !line.has(i + 1) {
			p.inst(in, "%s - %s is missing a value", s, option)
			break
		}
		n, ok := p.unsigned(line, i+1, 0, math.MaxUint8, strict)
		switch {
		case !ok:
			continue // the number's own message is all that is said
		case option != "min_ttl" && option != "max_ttl":
			p.inst(in, "%s - unknown unicast_peer option %s", s, option)
			continue
		}
		peer.TTLGiven = true
		if option == "min_ttl" {
			peer.MinTTL = uint8(n)
		} else {
			peer.MaxTTL = uint8(n)
		}
	}
	if peer.MinTTL > peer.MaxTTL {
		p.inst(in, "%s - min_ttl %d > max_ttl %d - all packets will be discarded", s, peer.MinTTL, peer.MaxTTL)
	}
	if peer.TTLGiven {
		in.CheckUnicastSource = true
	}
	in.Peers = append(in.Peers, peer)
}

func readVRF(p *parser, in *instance, w words) {
	name := p.word(w, 1)
	switch {
	case len(name) > maxInterface:
		p.inst(in, "VRF interface name '%s' too long - ignoring", name)
		return
	case in.Interface != "":
		p.inst(in, "Cannot specify VRF interface and interface - ignoring")
		return
	case in.VRF != "":
		p.inst(in, "VRF interface already specified as '%s' - ignoring", in.VRF)
		return
	}
	l, ok := p.link(name, "(%s) WARNING - VRF interface %s doesn't exist", in.Name, name)
	switch {
	case !ok:
	case l.Loopback:
		p.inst(in, "cannot use a loopback interface (%s) for VRF - ignoring", name)
	default:
		in.VRF = name
	}
}

// source reads mcast_src_ip and unicast_src_ip; what follows a / or - is ignored.
func (p *parser) source(in *instance, w words) {
	s := p.word(w, 1)
	text := s
	if i := strings.IndexAny(text, "/-"); i >= 0 {
		text = text[:i]
	}
	a, ok := parseAddr(text)
	switch {
	case !ok:
		p.errorf("Configuration error: VRRP instance[%s] malformed src address[%s]. Skipping...", in.Name, s)
	case !in.setFamily(a):
		p.errorf("Configuration error: VRRP instance[%s] and src address[%s] MUST be of the same family !!! Skipping...", in.Name, s)
	default:
		in.Source, in.srcSet = a, true
	}
}

func readDestination(p *parser, in *instance, w words) {
	s := p.word(w, 1)
	a, ok := parseAddr(s)
	switch {
	case !ok:
		p.inst(in, "malformed mcast dest address %s. Skipping...", s)
		return
	case in.family != 0 && in.family != family(a):
		p.inst(in, "mcast dest address %s MUST match VRRP instance family. Skipping...", s)
		return
	}
	in.setFamily(a) // also of an address that is not taken
	switch {
	case a.Is4() && !isMulticast(a):
		p.inst(in, "mcast_dst_ip %s not multicast. Skipping...", s)
	case a.Is6() && !a.IsLinkLocalMulticast():
		p.inst(in, "mcast_dst_ip %s not link-local multicast. Skipping...", s)
	default:
		in.Destination = a
	}
}

var authBlock = block[instance]{
	"auth_type": {takes: "PASS | AH", help: "authentication type", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			switch s := p.word(w, 1); s {
			case "PASS":
				in.Auth.Type = vrrp.AuthPass
			case "AH":
				in.Auth.Type = vrrp.AuthAH
			default:
				p.inst(in, "unknown authentication type '%s'", s)
			}
		}},
	"auth_pass": {takes: "STRING (8 bytes used)", help: "shared secret", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			s := p.word(w, 1)
			if len(s) > len(in.Auth.Password) {
				p.errorf("Truncating auth_pass to %d characters", len(in.Auth.Password))
			}
			in.Auth.Password = [8]byte{}
			copy(in.Auth.Password[:], s)
			in.passGiven = s != ""
		}},
}

var instanceElection = block[instance]{
	"state": {takes: "MASTER | BACKUP", help: "wanted initial state", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			s := p.word(w, 1)
			state := byte('B')
			switch s {
			case "MASTER":
				state = 'M'
			case "BACKUP":
			default:
				p.inst(in, "unknown state '%s', defaulting to BACKUP", s)
				if in.state == 'M' {
					return // that it stays is said of BACKUP only
				}
			}
			if in.state == 'M' && state == 'B' {
				p.inst(in, "state previously set as MASTER - ignoring BACKUP")
				return
			}
			in.state = state
		}},
	"priority": {takes: "INT 1..255", help: "base priority; 255 = address owner", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 1, math.MaxUint8, strict)
			if !ok {
				p.inst(in, "Priority not valid! must be between 1 & 255. Using default 100")
				n = defaultPriority
			}
			in.priority = uint8(n)
		}},
	"advert_int": {takes: "DECIMAL 0.01..255", help: "advert interval, seconds", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			d, ok := p.timer(w, 1, 10*time.Millisecond, 255*time.Second)
			if !ok {
				p.inst(in, "Advert interval (%s) not valid! Must be > 0 - ignoring", p.word(w, 1))
				return
			}
			in.AdvertInterval = d
		}},
	"accept": {takes: "none", help: "accept traffic to the addresses", acts: "vrrpd",
		set: flag(func(in *instance) { in.accept = On })},
	"no_accept": {takes: "none", help: "drop traffic to the addresses", acts: "vrrpd",
		set: flag(func(in *instance) { in.accept = Off })},
	"strict_mode": {takes: "BOOL optional (bare = true)", help: "strict protocol rules", acts: "vrrp",
		set: instanceBool("strict_mode", func(in *instance, v bool) { in.strict = tristate(v) })},
	"preempt": {takes: "none", help: "undo nopreempt", acts: "vrrp",
		set: flag(func(in *instance) { in.NoPreempt = false })},
	"nopreempt": {takes: "none", help: "do not take over from a lower priority", acts: "vrrp",
		set: flag(func(in *instance) { in.NoPreempt = true })},
	"preempt_delay": {takes: "DECIMAL 0..1000", help: "seconds to wait before preempting", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			d, ok := p.timer(w, 1, 0, 1000*time.Second)
			if !ok {
				p.inst(in, "Preempt_delay not valid! must be between 0-1000")
				d = 0
			}
			in.PreemptDelay = d
		}},
	"debug": {takes: "INT 0..4", help: "debug level, only shown", acts: "report",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 0, 4, lenient)
			if !ok {
				p.inst(in, "Debug value '%s' not valid; must be between 0-4", p.word(w, 1))
				return
			}
			in.Debug = int(n)
		}},
	"down_timer_adverts": {takes: "INT 1..100", help: "missed adverts before the master is down", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 1, 100, lenient)
			if !ok {
				p.errorf("(%s): Invalid down_timer_adverts [1:100] '%s'", in.Name, p.word(w, 1))
				return
			}
			in.DownTimerAdverts = int(n)
		}},
	"timer_expired_backup": {takes: "[INT 1..254]", help: "with nopreempt: step back when woken too late", acts: "vrrp", set: readTimerExpired},
	"thread_timer_expired": {takes: "[INT 1..254]", help: "other name of timer_expired_backup", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			p.inst(in, "thread_timer_expired - please replace with keyword 'timer_expired_backup'")
			readTimerExpired(p, in, w)
		}},
	"lower_prio_no_advert": {takes: "BOOL optional (bare = true)", help: "a lower advert is not answered", acts: "vrrp",
		set: instanceBool("lower_prio_no_advert", func(in *instance, v bool) { in.lowerPrioNoAdvert = tristate(v) })},
	"higher_prio_send_advert": {takes: "BOOL optional (bare = true)", help: "a master answers a higher advert once", acts: "vrrp",
		set: instanceBool("higher_prio_send_advert", func(in *instance, v bool) { in.higherPrioSendAdvert = tristate(v) })},
	"owner_ignore_adverts": {takes: "BOOL optional (bare = true)", help: "the address owner ignores adverts", acts: "vrrp",
		set: instanceBool("owner_ignore_adverts", func(in *instance, v bool) { in.ownerIgnoreAdverts = tristate(v) })},
}

const (
	defaultPriority = 100
	ownerPriority   = 255
)

func readTimerExpired(p *parser, in *instance, w words) {
	if !w.has(1) {
		in.TimerExpiredBackup = 254
		return
	}
	n, ok := p.unsigned(w, 1, 1, 254, strict)
	if !ok {
		p.inst(in, "timer_expired_backup highest_other_priority not valid! must be between 1 & 254")
		return
	}
	in.TimerExpiredBackup = uint8(n)
}

var instanceNotify = block[instance]{
	"notify_backup": instanceScript("notify_backup", "run on change to BACKUP", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Backup }),
	"notify_master": instanceScript("notify_master", "run on change to MASTER", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Master }),
	"notify_fault":  instanceScript("notify_fault", "run on change to FAULT", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Fault }),
	"notify_stop":   instanceScript("notify_stop", "run when VRRP stops", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Stop }),
	"notify":        instanceScript("notify", "run after every change", func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.Any }),
	"notify_master_rx_lower_pri": instanceScript("notify_master_rx_lower_pri", "run when a master receives a lower advert",
		func(n *vrrp.NotifyConfig) **vrrp.Command { return &n.RxLowerPrio }),
	"notify_deleted": {takes: "[SCRIPT [USER [GROUP]]]", help: "DELETED instead of FAULT when removed by a reload", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n := &in.Notify
			if n.DeletedSet {
				p.inst(in, "notify_deleted already specified - ignoring %s", p.opt(w, 1))
				return
			}
			n.DeletedSet = true
			if w.has(1) || strings.ContainsAny(w.raw, "\"'") {
				n.Deleted = p.notifyScript(w)
			}
		}},
	"smtp_alert": {takes: "BOOL optional (bare = true)", help: "mail on changes", acts: "vrrpd",
		set: optionalBool("Invalid vrrp_instance smtp_alert parameter %s", func(in *instance, v bool) { in.smtpAlert = tristate(v) })},
	"notify_priority_changes": {takes: "BOOL optional (bare = true)", help: "priority changes go to the FIFOs", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			v, ok := p.boolean(w, 1)
			if !ok {
				p.inst(in, "Invalid value '%s' for notify_priority_changes specified", p.word(w, 1))
				return
			}
			in.priorityChanges = tristate(v)
		}},
}

func instanceScript(keyword, help string, of func(*vrrp.NotifyConfig) **vrrp.Command) row[instance] {
	return row[instance]{takes: "SCRIPT [USER [GROUP]]", help: help, acts: "vrrpd",
		set: func(p *parser, in *instance, w words) {
			field := of(&in.Notify)
			*field = p.firstNotify(*field, w, "(%s) "+keyword+" script already specified - ignoring %s", in.Name)
		}}
}

var instanceGARP = block[instance]{
	"garp_master_delay": {takes: "INT 0..4294", help: "seconds before the second batch", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			if n, ok := p.garpNumber(in, w, maxSeconds, "(%s): %s '%s' invalid - ignoring"); ok {
				in.GARP.Delay, in.garpSet.delay = time.Duration(n)*time.Second, true
			}
		}},
	"garp_master_refresh": {takes: "INT 0..4294967295", help: "seconds between refreshes", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.garpNumber(in, w, maxUint32, "(%s): Invalid %s '%s' - ignoring")
			if !ok {
				n = 0
			}
			in.GARP.Refresh, in.garpSet.refresh = time.Duration(n)*time.Second, true
		}},
	"garp_master_repeat": {takes: "INT 0..4294967295", help: "packets of a batch", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			p.repeat(w, "("+in.Name+"): garp_master_repeat", &in.GARP.Repeat)
			in.garpSet.repeat = true
		}},
	"garp_master_refresh_repeat": {takes: "INT 0..4294967295", help: "packets of a refresh", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			p.repeat(w, "("+in.Name+"): garp_master_refresh_repeat", &in.GARP.RefreshRepeat)
			in.garpSet.refreshRepeat = true
		}},
	"garp_lower_prio_delay": {takes: "INT 0..4294", help: "delay of the batch after a lower advert", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			if n, ok := p.garpNumber(in, w, maxSeconds, "(%s): %s '%s' invalid - ignoring"); ok {
				in.GARP.LowerPrioDelay, in.garpSet.lowerDelay = time.Duration(n)*time.Second, true
			}
		}},
	"garp_lower_prio_repeat": {takes: "INT 0..2147483647", help: "packets after a lower advert", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			if n, ok := p.garpNumber(in, w, maxInt32, "(%s): Invalid %s '%s'"); ok {
				in.GARP.LowerPrioRepeat, in.garpSet.lowerRepeat = int(n), true
			}
		}},
	"garp_extra_if": {takes: "[all] INT 0..86400", help: "seconds between packets on other VIP interfaces", acts: "vrrp",
		set: func(p *parser, in *instance, w words) { p.extraInterval(w, "("+in.Name+"): ", 0, &in.GARP) }},
	"vmac_garp_intvl": {takes: "[all] INT 0..86400", help: "old name of garp_extra_if", acts: "vrrp",
		set: deprecated(Deprecated, `Keyword "vmac_garp_intvl" is deprecated - please use "garp_extra_if"`,
			func(p *parser, in *instance, w words) { p.extraInterval(w, "("+in.Name+"): ", 0, &in.GARP) })},
}

func (p *parser) garpNumber(in *instance, w words, hi uint64, bad string) (uint64, bool) {
	n, ok := p.unsigned(w, 1, 0, hi, lenient)
	if !ok {
		p.errorf(bad, in.Name, w.list[0].text, p.word(w, 1))
	}
	return n, ok
}
