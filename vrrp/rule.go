package vrrp

import "net/netip"

// Rule is one line of virtual_rules or static_rules: every attribute of
// grammar.md section 11 as a plain value.
type Rule struct {
	IPv6     bool
	Not      bool
	From     netip.Prefix // zero = all
	To       netip.Prefix
	TOS      uint8
	Mark     uint32
	Mask     uint32
	HasMark  bool
	HasMask  bool
	IIF      string
	OIF      string
	TunnelID uint64
	UIDRange *Range
	IPProto  uint8
	SPort    *Range
	DPort    *Range

	Priority    uint32 // preference; always filled in
	AutoPrio    bool   // counted down from 16384 because none was given
	Protocol    uint8  // 18 = keepalived
	Realms      uint32
	SuppressLen int32 // suppress_prefixlength; -1 = none
	SuppressGrp int32 // suppress_ifgroup; -1 = none

	Action RuleAction
	Table  uint32 // of RuleTable
	Goto   uint32 // of RuleGoto

	NoTrack    bool
	TrackGroup string
	Text       string
}

// Range is an inclusive range of ports or users.
type Range struct{ Low, High uint32 }

// RuleAction is what a rule does, numbered as the kernel's FR_ACT_*.
type RuleAction uint8

// The actions; L3MDev is to-table with the l3mdev attribute.
const (
	RuleTable       RuleAction = 1
	RuleGoto        RuleAction = 2
	RuleNop         RuleAction = 3
	RuleBlackhole   RuleAction = 6
	RuleUnreachable RuleAction = 7
	RuleProhibit    RuleAction = 8
	RuleL3MDev      RuleAction = 255
)
