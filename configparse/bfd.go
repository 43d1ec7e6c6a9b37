package configparse

import (
	"slices"
	"strconv"
	"time"

	"github.com/keepalived-go/keepalived/internal/bfd"
)

// The block bfd_instance. Three passes read it, and each takes its part: the
// BFD process runs the session, the others need to know its name.

const (
	actsBFD    = "bfd"
	maxBFDName = bfd.MaxName
)

// bfdDraft is a bfd_instance block while it is read.
type bfdDraft struct {
	bfd.Config
	hops    int // max_hops as written
	refused bool
}

// readBFD reads a bfd_instance block for the process of this pass.
func readBFD(p *parser, cfg *Config, w words) {
	cfg.HasBFD = true
	name := p.word(w, 1)
	if p.ended || !p.acceptBFD(name) {
		p.refuseBlock()
		return
	}
	d := &bfdDraft{Config: bfd.DefaultConfig(name)}
	readBlock(p, bfdBlock, d)
	if p.pass == BFD {
		p.finishBFD(cfg, d)
		return
	}
	p.bfdNames = append(p.bfdNames, name)
	both := !d.ToVRRP && !d.ToChecker
	if both || p.pass == VRRP && d.ToVRRP || p.pass == Checker && d.ToChecker {
		p.sessions[name] = trackDefault{d.Weight, d.Reverse}
		if p.pass == VRRP {
			cfg.VRRP.BFD = append(cfg.VRRP.BFD, name)
		}
	}
}

// acceptBFD checks the name, with the words of each process.
func (p *parser) acceptBFD(name string) bool {
	long, again := len(name) > maxBFDName, slices.Contains(p.bfdNames, name)
	switch {
	case p.pass == BFD && long:
		p.errorf("Configuration error: BFD instance %s name too long (maximum length is %d characters) - ignoring",
			name, maxBFDName)
	case p.pass == BFD && again:
		p.errorf("Configuration error: BFD instance %s already configured - ignoring", name)
	case p.pass == VRRP && long:
		p.errorf("BFD name %s too long", name)
	case long: // the checker refuses it without a word
	case again:
		p.errorf("BFD %s already specified", name)
	default:
		return true
	}
	return false
}

// finishBFD checks a whole block. What is refused leaves its name free.
func (p *parser) finishBFD(cfg *Config, d *bfdDraft) {
	twin := slices.IndexFunc(cfg.BFD, func(o bfd.Config) bool {
		return o.Neighbor == d.Neighbor && o.Multihop == d.Multihop && (!o.Source.IsValid() || !d.Source.IsValid() || o.Source == d.Source)
	})
	switch {
	case d.refused || p.ended:
		return
	case !d.Neighbor.IsValid():
		p.errorf("Configuration error: BFD instance %s has no neighbor address set, disabling instance", d.Name)
		return
	case d.Source.IsValid() && d.Source.Is4() != d.Neighbor.Is4():
		// keepalived shows the source twice.
		p.errorf("Configuration error: BFD instance %s source address %s and neighbor address %s are not of the same family, disabling instance",
			d.Name, d.Source, d.Source)
		return
	case twin >= 0 && d.Source.IsValid():
		p.errorf("Configuration error: BFD instance %s has duplicate source/neighbor address %s/%s, ignoring instance",
			d.Name, d.Source, d.Neighbor)
		return
	case twin >= 0:
		p.errorf("Configuration error: BFD instance %s has duplicate neighbor address %s, ignoring instance",
			d.Name, d.Neighbor)
		return
	}
	// keepalived keeps max_hops in 8 bits: -1, unchecked, is 255 there.
	d.MaxHops = d.hops
	if d.hops < 0 {
		d.MaxHops = 255
	}
	if d.Complete() {
		p.errorf("BFD instance %s: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit", d.Name)
	}
	p.bfdNames = append(p.bfdNames, d.Name)
	cfg.BFD = append(cfg.BFD, d.Config)
}

// bfdRow is a keyword that only some passes act on; all know it.
func bfdRow(takes, help string, set func(*parser, *bfdDraft, words), in ...Pass) row[bfdDraft] {
	return row[bfdDraft]{takes: takes, help: help, acts: actsBFD,
		set: func(p *parser, d *bfdDraft, w words) {
			if slices.Contains(in, p.pass) {
				set(p, d, w)
			}
		}}
}

var bfdBlock = block[bfdDraft]{
	"source_ip": bfdRow("IPADDR", "local address", func(p *parser, d *bfdDraft, w words) {
		ip, ok := p.rangeStart(p.word(w, 1))
		if !ok {
			p.errorf("Configuration error: BFD instance %s has malformed source address %s, ignoring", d.Name, p.opt(w, 1))
			return
		}
		d.Source = ip
	}, BFD),
	"neighbor_ip":  bfdRow("IPADDR", "address of the neighbour", setNeighbor, BFD),
	"neighbour_ip": bfdRow("IPADDR", "address of the neighbour", setNeighbor, BFD),
	"min_rx": bfdInterval("min_rx", "receive interval wanted, milliseconds", 1,
		func(d *bfdDraft) *time.Duration { return &d.MinRX }),
	"min_tx": bfdInterval("min_tx", "transmit interval wanted, milliseconds", 1,
		func(d *bfdDraft) *time.Duration { return &d.MinTX }),
	"idle_tx": bfdInterval("idle_tx", "transmit interval while down, milliseconds", 1000,
		func(d *bfdDraft) *time.Duration { return &d.IdleTX }),
	"multiplier": bfdRow("INT 1..255", "packets missed before the session is down", func(p *parser, d *bfdDraft, w words) {
		n, ok := p.unsigned(w, 1, 1, 255, strict)
		if !ok {
			p.errorf("Configuration error: BFD instance %s multiplier value %s not valid (must be in range [1-255]), ignoring",
				d.Name, p.opt(w, 1))
			return
		}
		if n > bfd.SensibleMult {
			p.logf("Configuration warning: BFD instance %s multiplier value %d is larger than max sensible (%d)",
				d.Name, n, bfd.SensibleMult)
		}
		d.Multiplier = uint8(n)
	}, BFD),
	"passive":  bfdRow("", "wait for the neighbour to start", func(_ *parser, d *bfdDraft, _ words) { d.Passive = true }, BFD),
	"ttl":      bfdRow("INT 1..255", "TTL of packets", setTTL, BFD),
	"hoplimit": bfdRow("INT 1..255", "hop limit of packets", setTTL, BFD),
	"max_hops": bfdRow("INT -1..255", "how far away the neighbour may be", func(p *parser, d *bfdDraft, w words) {
		n, ok := p.signed(w, 1, -1, 255, strict)
		if !ok {
			p.errorf("Configuration error: BFD instance %s max_hops value %s not valid (must be in range [-1-255]), ignoring",
				d.Name, p.opt(w, 1))
			return
		}
		d.hops = int(n)
	}, BFD),
	"multihop": bfdRow("BOOL optional (bare = true)", "use the port of multihop sessions", func(p *parser, d *bfdDraft, w words) {
		on, ok := p.boolean(w, 1)
		if !ok {
			p.errorf("Configuration error: BFD instance %s multihop setting not valid - %s", d.Name, p.opt(w, 1))
			return
		}
		d.Multihop = on
	}, BFD),
	"weight":  bfdRow("INT -253..253 [reverse]", "default priority change", setBFDWeight, VRRP, BFD),
	"vrrp":    bfdRow("", "tell VRRP", func(_ *parser, d *bfdDraft, _ words) { d.ToVRRP = true }, Checker, VRRP, BFD),
	"checker": bfdRow("", "tell the checker", func(_ *parser, d *bfdDraft, _ words) { d.ToChecker = true }, Checker, VRRP, BFD),
}

// setNeighbor refuses the whole block for a bad address: what follows is not
// looked at.
func setNeighbor(p *parser, d *bfdDraft, w words) {
	ip, ok := p.rangeStart(p.word(w, 1))
	if !ok {
		p.errorf("Configuration error: BFD instance %s has malformed neighbor address %s, ignoring instance",
			d.Name, p.opt(w, 1))
		d.refused = true
		p.skipRest()
		return
	}
	d.Neighbor = ip
}

// skipRest passes over what is left of the block that is being read.
func (p *parser) skipRest() {
	for depth := 0; ; {
		it, ok := p.read()
		switch {
		case !ok:
			return
		case it.kind == itemOpen:
			depth++
		case it.kind == itemClose && depth == 0:
			p.unread(it)
			return
		case it.kind == itemClose:
			depth--
		}
	}
}

// bfdInterval is a row for milliseconds with three decimals.
func bfdInterval(name, help string, least uint64, field func(*bfdDraft) *time.Duration) row[bfdDraft] {
	takes := "DECIMAL " + strconv.FormatUint(least, 10) + "..4294967 (3 decimals)"
	return bfdRow(takes, help, func(p *parser, d *bfdDraft, w words) {
		us, ok := p.decimal(w, 1, decimalSpec{lo: least * 1000, hi: 4294967 * 1000, places: 3, class: strict})
		if !ok {
			p.errorf("Configuration error: BFD instance %s %s value %s is not valid (must be in range [%d-4294967]), ignoring",
				d.Name, name, p.opt(w, 1), least)
			return
		}
		v := time.Duration(us) * time.Microsecond
		if v > bfd.SensibleInterval {
			p.logf("Configuration warning: BFD instance %s %s value %s is larger than max sensible (%d)",
				d.Name, name, p.opt(w, 1), bfd.SensibleInterval.Milliseconds())
		}
		*field(d) = v
	}, BFD)
}

func setTTL(p *parser, d *bfdDraft, w words) {
	n, ok := p.unsigned(w, 1, 1, 255, strict)
	if !ok {
		p.errorf("Configuration error: BFD instance %s ttl/hoplimit value %s not valid (must be in range [1-255]), ignoring",
			d.Name, p.opt(w, 1))
		return
	}
	d.TTL = uint8(n)
}

// setBFDWeight: only VRRP speaks about it, but the BFD process shows it.
func setBFDWeight(p *parser, d *bfdDraft, w words) {
	if p.pass == BFD {
		if n, err := strconv.Atoi(w.optional(1)); err == nil && n >= -253 && n <= 253 {
			d.Weight, d.Reverse = n, w.optional(2) == "reverse"
		}
		return
	}
	if n, ok := p.signed(w, 1, -253, 253, lenient); ok {
		d.Weight, d.Reverse = int(n), false
	} else {
		p.errorf("Configuration error: BFD instance %s weight value %s not valid (must be in range [-253-253]), ignoring",
			d.Name, p.opt(w, 1))
	}
	if !w.has(2) {
		return
	}
	if p.word(w, 2) != "reverse" {
		p.errorf("Configuration error: BFD instance %s unknown weight option %s", d.Name, p.word(w, 2))
		return
	}
	d.Reverse = true
}
