package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const fibRuleHdrLen = 12

// Rule is one routing policy rule. It is comparable with ==.
type Rule struct {
	IPv6     bool
	Priority uint32
	Not      bool // matches what the rest does not
	From, To netip.Prefix
	TOS      uint8
	// Mark and Mask select by firewall mark if HasMark.
	HasMark    bool
	Mark, Mask uint32
	IIF, OIF   string
	TunnelID   uint64
	// UID is the range of user ids if HasUID.
	HasUID       bool
	UIDLow       uint32
	UIDHigh      uint32
	IPProto      uint8
	SPort, DPort PortRange
	Protocol     uint8 // who installed the rule, RTPROT_*

	Action uint8  // FR_ACT_*; zero means FR_ACT_TO_TBL
	Table  uint32 // of FR_ACT_TO_TBL without L3MDev
	L3MDev bool   // look up in the table of the packet's VRF
	Goto   uint32 // priority of the rule that FR_ACT_GOTO goes on with
	Realms uint32 // from<<16 | to

	// SuppressPrefix rejects results with a prefix no longer than this if
	// HasSuppressPrefix, SuppressGroup those through that interface group.
	HasSuppressPrefix bool
	SuppressPrefix    uint32
	HasSuppressGroup  bool
	SuppressGroup     uint32
}

// PortRange is a range of ports, both ends included; zero means any.
type PortRange struct{ Low, High uint16 }

// normal fills in what the kernel takes for what is not given.
func (r Rule) normal() Rule {
	for _, p := range []*netip.Prefix{&r.From, &r.To} {
		if p.IsValid() {
			*p = p.Masked()
		}
		if p.Bits() == 0 {
			*p = netip.Prefix{} // "from all" is no condition
		}
	}
	if r.Action == 0 {
		r.Action = unix.FR_ACT_TO_TBL
	}
	if r.HasMark && r.Mask == 0 {
		r.Mask = ^uint32(0)
	}
	if r.Action != unix.FR_ACT_GOTO {
		r.Goto = 0
	}
	if r.L3MDev {
		r.Table = 0
	}
	return r
}

// Matches reports whether have, read from the kernel, is what r asks for.
func (r Rule) Matches(have Rule) bool { return r.normal() == have.normal() }

// String names the rule for messages.
func (r Rule) String() string {
	s := fmt.Sprintf("%d:", r.Priority)
	if r.Not {
		s += " not"
	}
	if r.From.IsValid() {
		s += " from " + r.From.String()
	}
	if r.To.IsValid() {
		s += " to " + r.To.String()
	}
	if r.Table != 0 {
		s += fmt.Sprintf(" table %d", r.Table)
	}
	return s
}

// appendBody writes the body of RTM_NEWRULE or RTM_DELRULE.
func (r Rule) appendBody(b []byte) []byte {
	r = r.normal()
	family := uint8(unix.AF_INET)
	if r.IPv6 {
		family = unix.AF_INET6
	}
	table := uint8(r.Table)
	if r.Table > 255 {
		table = unix.RT_TABLE_UNSPEC
	}
	b = append(b, family, uint8(max(r.To.Bits(), 0)), uint8(max(r.From.Bits(), 0)), r.TOS,
		table, 0, 0, r.Action)
	var flags uint32
	if r.Not {
		flags = unix.FIB_RULE_INVERT
	}
	b = native.AppendUint32(b, flags)

	b = appendU32(b, unix.FRA_PRIORITY, r.Priority)
	b = r.appendSelectors(b)
	if r.Protocol != 0 {
		b = appendU8(b, unix.FRA_PROTOCOL, r.Protocol)
	}
	switch {
	case r.L3MDev:
		b = appendU8(b, unix.FRA_L3MDEV, 1)
	case r.Table != 0:
		b = appendU32(b, unix.FRA_TABLE, r.Table)
	}
	if r.Action == unix.FR_ACT_GOTO {
		b = appendU32(b, unix.FRA_GOTO, r.Goto)
	}
	if r.Realms != 0 {
		b = appendU32(b, unix.FRA_FLOW, r.Realms)
	}
	if r.HasSuppressPrefix {
		b = appendU32(b, unix.FRA_SUPPRESS_PREFIXLEN, r.SuppressPrefix)
	}
	if r.HasSuppressGroup {
		b = appendU32(b, unix.FRA_SUPPRESS_IFGROUP, r.SuppressGroup)
	}
	return b
}

// appendSelectors writes which packets the rule is for.
func (r Rule) appendSelectors(b []byte) []byte {
	if r.To.IsValid() {
		b = appendIP(b, unix.FRA_DST, r.To.Addr())
	}
	if r.From.IsValid() {
		b = appendIP(b, unix.FRA_SRC, r.From.Addr())
	}
	if r.IIF != "" {
		b = appendString(b, unix.FRA_IIFNAME, r.IIF)
	}
	if r.OIF != "" {
		b = appendString(b, unix.FRA_OIFNAME, r.OIF)
	}
	if r.HasMark {
		b = appendU32(b, unix.FRA_FWMARK, r.Mark)
		b = appendU32(b, unix.FRA_FWMASK, r.Mask)
	}
	if r.TunnelID != 0 {
		b = appendBE64(b, unix.FRA_TUN_ID, r.TunnelID)
	}
	if r.HasUID {
		v := native.AppendUint32(nil, r.UIDLow)
		b = appendAttr(b, unix.FRA_UID_RANGE, native.AppendUint32(v, r.UIDHigh))
	}
	if r.IPProto != 0 {
		b = appendU8(b, unix.FRA_IP_PROTO, r.IPProto)
	}
	for _, p := range []struct {
		typ   uint16
		ports PortRange
	}{{unix.FRA_SPORT_RANGE, r.SPort}, {unix.FRA_DPORT_RANGE, r.DPort}} {
		if p.ports != (PortRange{}) {
			v := native.AppendUint16(nil, p.ports.Low)
			b = appendAttr(b, p.typ, native.AppendUint16(v, p.ports.High))
		}
	}
	return b
}

// parseRule reads the body of RTM_NEWRULE or RTM_DELRULE.
func parseRule(b []byte) (Rule, error) {
	if len(b) < fibRuleHdrLen || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return Rule{}, errMalformed
	}
	r := Rule{
		IPv6: b[0] == unix.AF_INET6, TOS: b[3], Table: uint32(b[4]), Action: b[7],
		Not: native.Uint32(b[8:])&unix.FIB_RULE_INVERT != 0,
	}
	for typ, v := range attributes(b[fibRuleHdrLen:]) {
		switch typ {
		case unix.FRA_DST:
			r.To = netip.PrefixFrom(ipAddr(v), int(b[1]))
		case unix.FRA_SRC:
			r.From = netip.PrefixFrom(ipAddr(v), int(b[2]))
		case unix.FRA_PRIORITY:
			r.Priority = u32(v)
		case unix.FRA_IIFNAME:
			r.IIF = cstring(v)
		case unix.FRA_OIFNAME:
			r.OIF = cstring(v)
		case unix.FRA_FWMARK:
			r.HasMark, r.Mark = true, u32(v)
		case unix.FRA_FWMASK:
			r.HasMark, r.Mask = true, u32(v)
		case unix.FRA_TUN_ID:
			r.TunnelID = be64(v)
		case unix.FRA_UID_RANGE:
			if len(v) >= 8 {
				r.HasUID, r.UIDLow, r.UIDHigh = true, u32(v), u32(v[4:])
			}
		case unix.FRA_IP_PROTO:
			r.IPProto = u8(v)
		case unix.FRA_SPORT_RANGE:
			r.SPort = parsePorts(v)
		case unix.FRA_DPORT_RANGE:
			r.DPort = parsePorts(v)
		case unix.FRA_PROTOCOL:
			r.Protocol = u8(v)
		default:
			r.parseAction(typ, v)
		}
	}
	for _, p := range []netip.Prefix{r.From, r.To} {
		if p != (netip.Prefix{}) && (!p.IsValid() || p.Addr().Is4() == r.IPv6) {
			return Rule{}, errMalformed
		}
	}
	return r, nil
}

func (r *Rule) parseAction(typ uint16, v []byte) {
	switch typ {
	case unix.FRA_TABLE:
		r.Table = u32(v)
	case unix.FRA_L3MDEV:
		r.L3MDev = u8(v) != 0
	case unix.FRA_GOTO:
		r.Goto = u32(v)
	case unix.FRA_FLOW:
		r.Realms = u32(v)
	case unix.FRA_SUPPRESS_PREFIXLEN: // -1 is the kernel's "no"
		r.HasSuppressPrefix = u32(v) != ^uint32(0)
		r.SuppressPrefix = u32(v)
		if !r.HasSuppressPrefix {
			r.SuppressPrefix = 0
		}
	case unix.FRA_SUPPRESS_IFGROUP:
		r.HasSuppressGroup = u32(v) != ^uint32(0)
		r.SuppressGroup = u32(v)
		if !r.HasSuppressGroup {
			r.SuppressGroup = 0
		}
	}
}

func parsePorts(v []byte) PortRange {
	if len(v) < 4 {
		return PortRange{}
	}
	return PortRange{u16(v), u16(v[2:])}
}

// AddRules adds rules in order. One that exists is left as it is.
func (k *Kernel) AddRules(rs []Rule) []error {
	errs := k.conn.batch(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, len(rs),
		func(b []byte, i int) []byte { return rs[i].appendBody(b) })
	return describeRules("add", forgive(errs, unix.EEXIST), rs)
}

// DelRules deletes rules in order. That one is gone already is no error.
func (k *Kernel) DelRules(rs []Rule) []error {
	errs := k.conn.batch(unix.RTM_DELRULE, 0, len(rs),
		func(b []byte, i int) []byte { return rs[i].appendBody(b) })
	return describeRules("delete", forgive(errs, unix.ENOENT, unix.ESRCH), rs)
}

func describeRules(verb string, errs []error, rs []Rule) []error {
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%s rule %v: %w", verb, rs[i], err)
		}
	}
	return errs
}

// Rules lists the rules of both families.
func (k *Kernel) Rules() ([]Rule, error) {
	var all []Rule
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		body := make([]byte, fibRuleHdrLen)
		body[0] = family
		before := len(all)
		err := k.conn.dump(unix.RTM_GETRULE, body, func() { all = all[:before] },
			func(typ uint16, body []byte) error {
				r, err := parseRule(body)
				if err == nil && typ == unix.RTM_NEWRULE {
					all = append(all, r)
				}
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
	}
	return all, nil
}
