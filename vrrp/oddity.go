package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// OddityKind says what is odd about another router's adverts.
type OddityKind uint8

// The kinds of oddities.
const (
	// OddRefused: they failed a check and are not used. Either a stranger has
	// our VRID, or a peer is configured differently.
	OddRefused OddityKind = iota
	// OddAddresses: they are used, but their addresses are not ours.
	OddAddresses
	// OddRival: a router goes on as master with a lower priority: it does not
	// hear us.
	OddRival
)

// Oddity is what another router on our VRID does that an operator should know.
type Oddity struct {
	Kind        OddityKind
	Drop        Drop // of OddRefused
	Source      netip.Addr
	Text        string // in words, of the latest that was put into words
	Count       uint64
	First, Last time.Time

	said time.Time // when Text was made
}

const (
	// maxOddities bounds what is remembered of an instance: sources can be forged.
	maxOddities = 8
	// oddTextEvery is how long a text stands, so that a flood makes no work.
	oddTextEvery = time.Second
)

// odd remembers an oddity. Where there is no room, the one that was not seen
// for the longest time makes place.
func (in *instance) odd(now time.Time, kind OddityKind, d Drop, src netip.Addr, text func() string) {
	i := slices.IndexFunc(in.oddities, func(o Oddity) bool { return o.Kind == kind && o.Drop == d && o.Source == src })
	if i < 0 {
		o := Oddity{Kind: kind, Drop: d, Source: src, First: now}
		if i = len(in.oddities); i < maxOddities {
			in.oddities = append(in.oddities, o)
		} else {
			i = 0
			for j := range in.oddities {
				if in.oddities[j].Last.Before(in.oddities[i].Last) {
					i = j
				}
			}
			in.oddities[i] = o
		}
	}
	o := &in.oddities[i]
	o.Count++
	o.Last = now
	if o.said.IsZero() || now.Sub(o.said) >= oddTextEvery {
		o.Text, o.said = text(), now
	}
}

// notOdd forgets an oddity that a source has ended.
func (in *instance) notOdd(kind OddityKind, src netip.Addr) {
	if len(in.oddities) > 0 {
		in.oddities = slices.DeleteFunc(in.oddities, func(o Oddity) bool { return o.Kind == kind && o.Source == src })
	}
}
