package sim

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// instance adds an instance, or settings to one.
func (s *story) instance(a []string) error {
	nodes := s.nodes(a[0])
	if nodes == nil {
		return fmt.Errorf("no node %s", a[0])
	}
	for _, n := range nodes {
		c := s.raw[n]
		i := slices.IndexFunc(c.Instances, func(in vrrp.InstanceConfig) bool { return in.Name == a[1] })
		if i < 0 {
			if slices.Contains(a[2:], "none") {
				return fmt.Errorf("no instance %s", a[1])
			}
			i = len(c.Instances)
			c.Instances = append(c.Instances, newInstance(a[1]))
		}
		if slices.Contains(a[2:], "none") {
			c.Instances = slices.Delete(slices.Clone(c.Instances), i, i+1)
			continue
		}
		in := &c.Instances[i]
		for _, word := range a[2:] {
			if err := setInstance(in, word); err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
		}
		finish(in, c)
	}
	return nil
}

// newInstance has keepalived's defaults.
func newInstance(name string) vrrp.InstanceConfig {
	return vrrp.InstanceConfig{
		Name: name, Version: 2, VRID: 51, Interface: "eth0", Priority: 100,
		AdvertInterval: time.Second, DownTimerAdverts: 3,
		GARP: vrrp.GARPConfig{Delay: 5 * time.Second, Repeat: 5, RefreshRepeat: 1,
			LowerPrioDelay: 5 * time.Second, LowerPrioRepeat: 5},
	}
}

// finish derives what the parser would.
func finish(in *vrrp.InstanceConfig, c *vrrp.Config) {
	if len(in.Addresses) > 0 {
		in.IPv6 = in.Addresses[0].Prefix.Addr().Is6()
	}
	if in.IPv6 {
		in.Version = 3
	}
	if in.Version == 3 {
		in.Auth = vrrp.AuthConfig{}
		in.AdvertInterval = min(in.AdvertInterval, 40950*time.Millisecond)
	}
	if !in.Destination.IsValid() || in.Destination == c.Group4 || in.Destination == c.Group6 {
		in.Destination = c.Group4
		if in.IPv6 {
			in.Destination = c.Group6
		}
	}
	if in.Priority == 255 {
		in.WantMaster = true
	}
}

// setInstance does one KEY=VALUE of a vi line.
func setInstance(in *vrrp.InstanceConfig, word string) (err error) {
	k, v, _ := strings.Cut(word, "=")
	num := func() int {
		n, e := strconv.Atoi(v)
		if e != nil {
			err = e
		}
		return n
	}
	dur := func() time.Duration {
		d, e := time.ParseDuration(v)
		if e != nil {
			err = e
		}
		return d
	}
	on := v != "false"
	switch k {
	case "name":
		in.Name = v
	case "vrid":
		in.VRID = uint8(num())
	case "dev":
		in.Interface = v
	case "prio":
		in.Priority = uint8(num())
	case "int":
		in.AdvertInterval = dur()
	case "v":
		in.Version = uint8(num())
	case "state":
		in.WantMaster = v == "MASTER"
	case "down":
		in.DownTimerAdverts = num()
	case "nopreempt":
		in.NoPreempt = on
	case "preempt_delay":
		in.PreemptDelay = dur()
	case "expired":
		in.TimerExpiredBackup = uint8(num())
	case "lower_no_advert":
		in.LowerPrioNoAdvert = on
	case "higher_advert":
		in.HigherPrioSendAdvert = on
	case "owner_ignore":
		in.OwnerIgnoreAdverts = on
	case "no_accept":
		in.NoAccept = on
	case "skip_addr":
		in.SkipCheckAdvAddr = on
	case "check_src":
		in.CheckUnicastSource = on
	case "v2sum":
		in.ChecksumAsV2 = on
	case "oldsum":
		in.OldChecksum = map[string]vrrp.OldChecksum{"never": vrrp.OldChecksumNever, "auto": vrrp.OldChecksumAuto, "": vrrp.OldChecksumAlways}[v]
	case "dont_track_primary":
		in.DontTrackPrimary = on
	case "track_src":
		in.TrackSource = on
	case "src":
		in.Source, err = netip.ParseAddr(v)
	case "dst":
		in.Destination, err = netip.ParseAddr(v)
	case "prionotify":
		in.Notify.PriorityChanges = on
	case "deleted":
		in.Notify.DeletedSet = on
	case "fault":
		in.ConfigFault = v
	default:
		return setInstanceMore(in, k, v)
	}
	return err
}

// setInstanceMore does the settings that are lists.
func setInstanceMore(in *vrrp.InstanceConfig, k, v string) (err error) {
	switch k {
	case "vip", "evip":
		list, e := addresses(v)
		if k == "vip" {
			in.Addresses = list
		} else {
			in.Excluded = list
		}
		return e
	case "peer":
		in.Unicast, in.Peers = true, nil
		for _, w := range strings.Split(v, ",") {
			a, lo, hi := w, 0, 255
			if i := strings.Index(w, "["); i >= 0 {
				a = w[:i]
				if _, err := fmt.Sscanf(w[i:], "[%d-%d]", &lo, &hi); err != nil {
					return err
				}
			}
			ip, e := netip.ParseAddr(a)
			if e != nil {
				return e
			}
			in.Peers = append(in.Peers, vrrp.Peer{Addr: ip, MinTTL: uint8(lo), MaxTTL: uint8(hi), TTLGiven: a != w})
		}
	case "multicast":
		in.Unicast, in.Peers = false, nil
	case "auth":
		if v != "none" {
			return fmt.Errorf("unknown setting")
		}
		in.Auth, in.HMAC = vrrp.AuthConfig{}, nil
	case "pass":
		in.Auth = vrrp.AuthConfig{Type: vrrp.AuthPass}
		copy(in.Auth.Password[:], v)
	case "ah":
		in.Auth = vrrp.AuthConfig{Type: vrrp.AuthAH}
		copy(in.Auth.Password[:], v)
	case "hmac":
		key := []byte(strings.Repeat(v, 32))[:32]
		in.HMAC = &vrrp.HMACConfig{Keys: []vrrp.HMACKey{{ID: 1, Key: key}}, Active: 1, Window: 5 * time.Second}
	case "hmacmode":
		h := *in.HMAC
		h.Mode = map[string]vrrp.HMACMode{"enforce": vrrp.HMACEnforce, "permissive": vrrp.HMACPermissive, "receive-only": vrrp.HMACReceiveOnly}[v]
		in.HMAC = &h
	case "route":
		in.Routes = nil
		for _, w := range strings.Split(v, ",") {
			p, e := netip.ParsePrefix(w)
			if e != nil {
				return e
			}
			in.Routes = append(in.Routes, vrrp.Route{Dst: p, Type: 1, Protocol: 18})
		}
	case "rule":
		in.Rules = nil
		for _, w := range strings.Split(v, ",") {
			p, e := netip.ParsePrefix(w)
			if e != nil {
				return e
			}
			in.Rules = append(in.Rules, vrrp.Rule{From: p, Priority: 16384, Action: vrrp.RuleTable, Table: 100})
		}
	default:
		return setTracks(k, v, trackLists{&in.TrackInterfaces, &in.TrackScripts, &in.TrackFiles, &in.TrackProcesses, &in.TrackBFD}, &in.GARP)
	}
	return err
}

type trackLists struct{ iface, script, file, process, bfd *[]vrrp.Track }

// setTracks does the trackers, NAME[:WEIGHT[:reverse]], and the GARP settings.
func setTracks(k, v string, l trackLists, g *vrrp.GARPConfig) (err error) {
	lists := map[string]*[]vrrp.Track{"iface": l.iface, "script": l.script, "file": l.file, "process": l.process, "bfd": l.bfd}
	if list := lists[k]; list != nil {
		*list = nil
		if v == "-" {
			return nil
		}
		for _, w := range strings.Split(v, ",") {
			f := strings.Split(w, ":")
			t := vrrp.Track{Name: f[0], Reverse: len(f) > 2}
			if len(f) > 1 {
				if t.Weight, err = strconv.Atoi(f[1]); err != nil {
					return err
				}
			}
			*list = append(*list, t)
		}
		return nil
	}
	if g == nil {
		return fmt.Errorf("unknown setting")
	}
	times := map[string]*time.Duration{"garp_delay": &g.Delay, "garp_refresh": &g.Refresh,
		"garp_lower_delay": &g.LowerPrioDelay, "garp_extra": &g.ExtraInterval}
	counts := map[string]*int{"garp_repeat": &g.Repeat, "garp_refresh_repeat": &g.RefreshRepeat, "garp_lower_repeat": &g.LowerPrioRepeat}
	switch {
	case times[k] != nil:
		*times[k], err = time.ParseDuration(v)
	case counts[k] != nil:
		*counts[k], err = strconv.Atoi(v)
	default:
		return fmt.Errorf("unknown setting")
	}
	return err
}

// addresses reads ADDR[/LEN][@DEV], separated by commas; a minus is none.
func addresses(v string) (list []vrrp.Address, err error) {
	if v == "-" {
		return nil, nil
	}
	for _, w := range strings.Split(v, ",") {
		w, dev, _ := strings.Cut(w, "@")
		w, track, _ := strings.Cut(w, "!")
		p, err := netip.ParsePrefix(w)
		if err != nil {
			ip, err := netip.ParseAddr(w)
			if err != nil {
				return nil, err
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		list = append(list, vrrp.Address{Prefix: p, Interface: dev, NoTrack: track == "notrack"})
	}
	return list, nil
}

// group adds or replaces a sync group.
func (s *story) group(a []string) error {
	for _, n := range s.nodes(a[0]) {
		g := vrrp.GroupConfig{Name: a[1]}
		for _, w := range a[2:] {
			k, v, is := strings.Cut(w, "=")
			if !is {
				g.Members = append(g.Members, w)
				continue
			}
			err := setTracks(k, v, trackLists{&g.TrackInterfaces, &g.TrackScripts, &g.TrackFiles, &g.TrackProcesses, &g.TrackBFD}, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", w, err)
			}
		}
		c := s.raw[n]
		c.Groups = slices.DeleteFunc(slices.Clone(c.Groups), func(o vrrp.GroupConfig) bool { return o.Name == g.Name })
		if len(g.Members) > 0 && g.Members[0] != "none" {
			c.Groups = append(c.Groups, g)
		}
	}
	return nil
}

// set changes globals of a node.
func (s *story) set(n *Node, a []string) (err error) {
	c := s.raw[n]
	for _, word := range a {
		k, v, _ := strings.Cut(word, "=")
		switch k {
		case "startup":
			c.Startup.Start, err = time.ParseDuration(v)
		case "garp_interval":
			c.Pace.GARP, err = time.ParseDuration(v)
		case "gna_interval":
			c.Pace.GNA, err = time.ParseDuration(v)
		case "pace": // IF,IF=INTERVAL
			names, every, _ := strings.Cut(v, "=")
			g := vrrp.PaceGroup{Interfaces: strings.Split(names, ",")}
			g.GARP, err = time.ParseDuration(every)
			c.PaceGroups = append(c.PaceGroups, g)
		case "debounce": // IF,DOWN,UP
			f := strings.Split(v, ",")
			d := vrrp.LinkDebounce{Interface: f[0]}
			if d.Down, err = time.ParseDuration(f[1]); err == nil {
				d.Up, err = time.ParseDuration(f[2])
			}
			c.Debounce = []vrrp.LinkDebounce{d}
		case "log_unknown":
			c.LogUnknownVRIDs = true
		case "states_on_reload":
			c.StatesOnReload = true
		case "sync_daemon":
			c.SyncDaemon = &vrrp.SyncDaemon{Interface: "eth0", Instance: v}
		default:
			err = fmt.Errorf("unknown setting %s", k)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inject delivers one packet to an instance. It looks like an advert of a
// router configured alike, changed by: from= to= prio= ttl= vrid= v= type=
// int= pass= ah vip= sum=bad cut=N pad=N auth=N raw=HEX.
func (s *story) inject(n *Node, a []string) error {
	i := slices.IndexFunc(n.Config.Instances, func(in vrrp.InstanceConfig) bool { return in.Name == a[0] })
	if i < 0 {
		return fmt.Errorf("no instance %s", a[0])
	}
	c := n.Config.Instances[i]
	socket := vrrp.SocketID(-1)
	for _, want := range n.sockets {
		if want.Key.IPv6 == c.IPv6 && want.Key.Unicast == c.Unicast && (want.Key.Interface == c.Interface) {
			socket = want.ID
		}
	}
	p := forged{cfg: c, prio: c.Priority, ttl: 255, kind: -1, auth: -1, to: c.Destination}
	p.from, _ = netip.ParseAddr("10.99.0.9")
	if c.IPv6 {
		p.from, _ = netip.ParseAddr("fe80::9")
	}
	if c.Unicast {
		p.to = n.Link(c.Interface).Addrs[0].Addr()
	}
	for _, word := range a[1:] {
		if err := p.set(word); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	in := vrrp.Packet{Socket: socket, Bytes: p.bytes(), HopLimit: -1}
	if c.IPv6 {
		in.Source, in.To, in.HopLimit = p.from, p.to, p.ttl
	}
	n.Do(func(r *vrrp.Router, now time.Time) { r.Receive(now, &in) })
	return nil
}

// forged is a packet to inject.
type forged struct {
	cfg            vrrp.InstanceConfig
	from, to       netip.Addr
	prio           uint8
	ttl            int
	kind, auth     int
	cut, pad       int
	badSum, withAH bool
	raw            []byte
}

func (p *forged) set(word string) (err error) {
	k, v, _ := strings.Cut(word, "=")
	n, _ := strconv.Atoi(v)
	switch k {
	case "from":
		p.from, err = netip.ParseAddr(v)
	case "to":
		p.to, err = netip.ParseAddr(v)
	case "prio":
		p.prio = uint8(n)
	case "ttl":
		p.ttl = n
	case "type":
		p.kind = n
	case "auth":
		p.auth = n
	case "cut":
		p.cut = n
	case "pad":
		p.pad = n
	case "sum":
		p.badSum = true
	case "ah":
		p.withAH = true
	case "raw":
		p.raw, err = hex.DecodeString(v)
	default:
		err = setInstance(&p.cfg, word)
	}
	return err
}

func (p *forged) bytes() []byte {
	if p.raw != nil {
		return p.raw
	}
	c := p.cfg
	c.HMAC = nil
	if !p.withAH && c.Auth.Type == vrrp.AuthAH {
		c.Auth.Type = vrrp.AuthNone
	}
	b := vrrp.AppendPacket(nil, &c, p.from, p.to, p.prio)
	pdu := b
	if !c.IPv6 {
		b[8] = byte(p.ttl)
		pdu = b[20:]
		if p.withAH {
			pdu = b[44:]
		}
	}
	patch := func(at int, to byte) { // keeping the sum right
		old := pdu[at]
		pdu[at] = to
		if c.IPv6 {
			return
		}
		sum := uint32(^(uint16(pdu[6])<<8 | uint16(pdu[7])))
		if at%2 == 0 {
			sum += uint32(to)<<8 + uint32(^(uint16(old) << 8))
		} else {
			sum += uint32(to) + uint32(^uint16(old))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		pdu[6], pdu[7] = byte(^sum>>8), byte(^sum)
	}
	if p.kind >= 0 {
		patch(0, pdu[0]&0xf0|byte(p.kind))
	}
	if p.auth >= 0 {
		patch(4, byte(p.auth))
	}
	if p.badSum {
		pdu[7] ^= 0x55
	}
	b = b[:len(b)-p.cut]
	b = append(b, make([]byte, p.pad)...)
	if !c.IPv6 {
		// Padding is not in the total length, as in an Ethernet frame.
		b[2], b[3] = byte((len(b)-p.pad)>>8), byte(len(b)-p.pad)
	}
	return b
}
