package configparse

import (
	"net/netip"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/vrrp"
)

// A draft is a block while it is read: what the file says and nothing else.
// Fields that are nil or zero were not given. complete turns drafts into
// checker.Config when the whole file is known (grammar.md 14.4).

// lvsDraft collects the blocks of the checker pass.
type lvsDraft struct {
	groups   []checker.Group
	services []*serviceDraft
	ssl      *checker.SSL
}

// serviceDraft is a virtual_server block.
type serviceDraft struct {
	cfg     checker.ServiceConfig // what needs no default, and the identity
	forward *checker.Forwarding
	timers  timersDraft
	weight  *uint32
	quorum  *uint32
	alert   *bool
	sorry   *sorryDraft
	servers []*serverDraft
	// portsSet: the port of some server was changed to that of the service.
	portsSet bool

	quorumUp, quorumDown *vrrp.Command

	// Checks of servers that were refused: the original still looks at their
	// scripts.
	orphans []*checkDraft

	block *knownBlock // its text, if it may be remembered
	known bool        // nothing was read: block says it all
}

// serverDraft is a real_server block.
type serverDraft struct {
	cfg     checker.ServerConfig
	forward *checker.Forwarding
	timers  timersDraft
	weight  *uint32
	alpha   *bool
	inhibit *bool
	alert   *bool
	checks  []*checkDraft

	notifyUp, notifyDown *vrrp.Command
	service              *serviceDraft
	port                 uint16 // as written
}

type sorryDraft struct {
	addr    netip.AddrPort
	forward *checker.Forwarding
	inhibit bool
}

// timersDraft has the settings that are inherited block by block.
type timersDraft struct {
	delayLoop, connectTimeout, delayBeforeRetry, warmup *time.Duration
	retry                                               *uint32
}

// or fills in from the enclosing block what t does not say.
func (t timersDraft) or(outer timersDraft) timersDraft {
	return timersDraft{
		delayLoop:        pick(t.delayLoop, outer.delayLoop),
		connectTimeout:   pick(t.connectTimeout, outer.connectTimeout),
		delayBeforeRetry: pick(t.delayBeforeRetry, outer.delayBeforeRetry),
		warmup:           pick(t.warmup, outer.warmup),
		retry:            pick(t.retry, outer.retry),
	}
}

// checkDraft is the block of one check, of any kind. spec points to the
// checker's configuration and holds what has no default.
type checkDraft struct {
	spec    checkSpec
	server  *serverDraft
	timers  timersDraft
	alpha   *bool
	logAll  *bool
	conn    connDraft
	hosts   []*connDraft // SMTP_CHECK: old host blocks
	host    *connDraft   // the one being read
	dropped bool         // a keyword refused the whole check

	helo        string // SMTP_CHECK
	virtualHost string // HTTP_GET, SSL_GET
	urls        []*urlDraft
	fileWeight  bool         // FILE_CHECK: weight was given
	misc        vrrp.Command // MISC_CHECK: as configured, until it is examined
}

// connDraft is where a check connects to and from.
type connDraft struct {
	ip        netip.Addr
	port      uint16
	bind      netip.Addr
	bindPort  uint16
	bindIf    string
	mark      uint32
	timeout   *time.Duration
	mentioned bool // a connection keyword occurred
	spoiled   bool // the last connect_ip was bad: keepalived then takes bindto of either family
}

// checkSpec is a pointer to one of the checker's kinds.
type checkSpec interface{ Keyword() string }

// pick returns the first pointer that is set.
func pick[T any](options ...*T) *T {
	for _, p := range options {
		if p != nil {
			return p
		}
	}
	return nil
}

// pickOr is the value of the first pointer that is set, else def.
func pickOr[T any](def T, options ...*T) T {
	if p := pick(options...); p != nil {
		return *p
	}
	return def
}
