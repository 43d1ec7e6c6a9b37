package checker

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// Unset marks a timer or retry count that neither the object nor the one
// around it configures, so that every kind of check applies its own default.
// It occurs in Timers only, never in Schedule.
const Unset = -1

// Config is what the configuration says about load balancing. Defaults are
// applied, values inherited (check from real server from virtual server),
// names resolved, and the findings of the validity checks carried out.
type Config struct {
	// Services in file order; every one has at least one real server.
	Services []ServiceConfig
	// Groups in file order; none is empty. A group may be used by several
	// services, of different protocols or families, or by none.
	Groups []Group
	// SSL is the client's TLS material for SSL_GET; nil without an SSL block.
	SSL *SSL
}

// Group finds a virtual_server_group; the first of a repeated name wins, as
// in keepalived.
func (c *Config) Group(name string) *Group {
	for i := range c.Groups {
		if c.Groups[i].Name == name {
			return &c.Groups[i]
		}
	}
	return nil
}

// Target says how a virtual server is addressed.
type Target uint8

// The three forms of the virtual_server line.
const (
	ByAddr  Target = iota // virtual_server ADDR [PORT]
	ByMark                // virtual_server fwmark N
	ByGroup               // virtual_server group NAME
)

// ServiceConfig is one virtual_server block.
type ServiceConfig struct {
	Line string // "FILE:LINE" of the block, for messages; may be empty

	// Identity: which of Addr, Mark and Group holds is told by Target.
	Target Target
	Addr   netip.AddrPort // port 0: any port, persistent services only
	Mark   uint32
	Group  string
	// Ordinal counts, from 0 in file order, the services that use Group. It
	// is part of the name and of the identity at reload.
	Ordinal int

	// Family of the service: of Addr, or for marks from ip_family or the
	// servers. Zero for a group whose entries have both families.
	Family ipvs.Family
	// Protocol is ipvs.NoProtocol for a mark, and for a group that has only
	// marks.
	Protocol ipvs.Protocol

	Options ipvs.Options // scheduler, flags, persistence; never without a scheduler

	// Forward is the method of servers that name none, and what dumps show.
	Forward Forwarding
	Timers  Timers
	// Weight is the default of the real servers.
	Weight           uint32
	Alpha, Omega     bool
	InhibitOnFailure bool
	// HASuspend: check only while the address is on this host. Never with
	// Target ByMark.
	HASuspend bool

	// Quorum and Hysteresis are sums of weights. The quorum is held from
	// Quorum+Hysteresis, lost below Quorum-Hysteresis. Quorum is at most the
	// sum of the configured weights and Hysteresis below Quorum, except that
	// with all weights zero Quorum is 0 and Hysteresis 4294967295.
	Quorum     uint32
	Hysteresis uint32
	QuorumUp   *Script // nil: none
	QuorumDown *Script

	SMTPAlert   bool // mail on quorum changes; global defaults are applied
	VirtualHost string
	SNMPName    string

	Sorry   *SorryServer // nil: none
	Servers []ServerConfig
}

// String is the form that messages, notifications and FIFO lines use:
// "[10.0.0.1]:tcp:80", "FWM 7", "[G1]:0".
func (s *ServiceConfig) String() string {
	switch s.Target {
	case ByMark:
		return fmt.Sprintf("FWM %d", s.Mark)
	case ByGroup:
		return fmt.Sprintf("[%s]:%d", s.Group, s.Ordinal)
	}
	return ServerName(s.Addr, s.Protocol)
}

// ServerName is the form of a real, sorry or virtual server in messages:
// "[10.0.0.1]:tcp:80". The protocol is that of the virtual server.
func ServerName(a netip.AddrPort, p ipvs.Protocol) string {
	var room [64]byte
	b := a.Addr().AppendTo(append(room[:0], '['))
	b = append(append(append(b, "]:"...), p.String()...), ':')
	return string(strconv.AppendUint(b, uint64(a.Port()), 10))
}

// Timers are settings that a virtual server hands down to its real servers
// and these to their checks. Retry, DelayBeforeRetry and Warmup may be Unset.
type Timers struct {
	DelayLoop        time.Duration // between two checks; at least 1 µs
	ConnectTimeout   time.Duration // 1 µs to 4294.967295 s
	Retry            int64         // 0 to 4294967295, or Unset
	DelayBeforeRetry time.Duration // 0 or more, or Unset
	Warmup           time.Duration // 0: none, or Unset
}

// Forwarding is how packets reach a server.
type Forwarding struct {
	Method ipvs.Forward // NAT, TUN or DR
	Tunnel ipvs.Tunnel
}

// SorryServer takes over while the quorum is lost. It is never checked.
type SorryServer struct {
	// Addr has the port that is programmed: as ServerConfig.Addr.
	Addr    netip.AddrPort
	Forward Forwarding
	// Inhibit: it stays in the table all the time and only its weight changes.
	Inhibit bool
}

// ServerConfig is one real_server block.
type ServerConfig struct {
	// Addr has the port that is programmed: that of the line, of the virtual
	// server where the line has none, or where forwarding is not NAT. For a
	// mark without port and in a group it may be 0 (in a group with DR or TUN
	// the port of each entry is taken).
	Addr    netip.AddrPort
	Forward Forwarding
	Weight  uint32 // 0 to ipvs.MaxWeight
	// UpperThreshold and LowerThreshold are numbers of connections, 0: none.
	UpperThreshold, LowerThreshold uint32

	Timers           Timers
	Alpha            bool
	InhibitOnFailure bool
	SMTPAlert        bool
	NotifyUp         *Script // nil: none
	NotifyDown       *Script
	VirtualHost      string // that of the real_server block only; HTTPCheck has the inherited one
	SNMPName         string

	// Checks in file order. A server without checks is always up.
	Checks []CheckConfig
}

// Script is a program to run as a user.
type Script struct {
	// Args is the argument vector; Args[0] is the program. A program without
	// a slash is looked up in PATH at run time.
	Args []string
	Text string // as written, for dumps
	// User and Group as configured; empty: the default user of scripts
	// (script_user, else keepalived_script, else the daemon's own).
	User, Group string
	// UID and GID are set if Resolved: they were looked up when the
	// configuration was read.
	UID, GID uint32
	Resolved bool
	// Supplementary: group ":" or ":NAME", the user's other groups too.
	Supplementary bool
}

// SSL is the root SSL block. Files are named, not read.
type SSL struct {
	Password    string
	CA          string
	Certificate string
	Key         string
}

// Group is a virtual_server_group: every address of every range becomes a
// service of its own, and so does every mark.
type Group struct {
	Name    string
	Entries []GroupEntry // in file order, at least one
}

// Families says which address families the entries have. A mark without
// family has none.
func (g *Group) Families() (v4, v6 bool) {
	for _, e := range g.Entries {
		switch e.Family() {
		case ipvs.IPv4:
			v4 = true
		case ipvs.IPv6:
			v6 = true
		}
	}
	return v4, v6
}

// OnlyMarks reports whether the group has no address.
func (g *Group) OnlyMarks() bool {
	for _, e := range g.Entries {
		if !e.IsMark() {
			return false
		}
	}
	return true
}

// GroupEntry is one line of a group: a range of addresses, or a mark.
type GroupEntry struct {
	// First and Last are equal for a single address, and invalid for a mark.
	First, Last netip.Addr
	Port        uint16 // 0: any
	Mark        uint32
	// MarkFamily is zero where the line names none: the servers decide.
	MarkFamily ipvs.Family
}

// IsMark reports whether the entry is a firewall mark.
func (e GroupEntry) IsMark() bool { return !e.First.IsValid() }

// Family of the addresses or of the mark; zero for a mark without family.
func (e GroupEntry) Family() ipvs.Family {
	if e.IsMark() {
		return e.MarkFamily
	}
	return ipvs.FamilyOf(e.First)
}

// CheckConfig is one health check of a real server: when to run, and what.
type CheckConfig struct {
	Schedule Schedule
	Spec     Spec
}

// Schedule says when a check runs and how its results count. Every value is
// resolved: check, else real server, else virtual server, else the default of
// the kind. FILE_CHECK and BFD_CHECK use only Alpha.
type Schedule struct {
	DelayLoop        time.Duration
	DelayBeforeRetry time.Duration
	Warmup           time.Duration // the first run is 1 s + a random part of this after the start
	Retry            uint32        // additional attempts after the first failure
	Alpha            bool          // starts as failed
	LogAllFailures   bool          // checker_log_all_failures is applied
}

// Spec is what a check does: one of TCPCheck, HTTPCheck, SMTPCheck, DNSCheck,
// UDPCheck, PingCheck, MiscCheck, FileCheck, BFDCheck, always by value.
type Spec interface {
	// Keyword names the block: "TCP_CHECK", "SSL_GET".
	Keyword() string
	// Endpoint is where the check connects, nil for kinds that do not.
	Endpoint() *Connection

	spec()
}

// Connection is where a check connects to and from.
type Connection struct {
	// To is connect_ip and connect_port, else address and port of the real
	// server as written (ServerConfig.Addr may have the service's port).
	// Messages name the real server, not this.
	To        netip.AddrPort
	Bind      netip.Addr    // source address; invalid: any. Same family as To
	BindPort  uint16        // 0: any; without Bind it has no effect in keepalived
	Interface string        // bind_if; empty: any
	Timeout   time.Duration // connect_timeout, also the wait for answers
	Mark      uint32        // SO_MARK; 0: none
}

// TCPCheck is TCP_CHECK: a connection opens.
type TCPCheck struct{ Connection Connection }

// PingCheck is PING_CHECK: an ICMP echo is answered. Ports have no meaning.
type PingCheck struct{ Connection Connection }

// SMTPCheck is SMTP_CHECK: greeting, HELO, QUIT.
type SMTPCheck struct {
	Connection Connection
	Helo       string // never empty: "smtpchecker.keepalived.org" by default
}

// DefaultHelo is the name SMTP_CHECK greets with unless helo_name is given.
const DefaultHelo = "smtpchecker.keepalived.org"

// DNSCheck is DNS_CHECK: a query over UDP is answered without error.
type DNSCheck struct {
	Connection Connection
	Type       DNSType
	Name       string // "." is the root
}

// DNSType is the number of a record type.
type DNSType uint16

// The record types that DNS_CHECK may ask for.
const (
	DNSTypeA      DNSType = 1
	DNSTypeNS     DNSType = 2
	DNSTypeCNAME  DNSType = 5
	DNSTypeSOA    DNSType = 6
	DNSTypeMX     DNSType = 15
	DNSTypeTXT    DNSType = 16
	DNSTypeAAAA   DNSType = 28
	DNSTypeRRSIG  DNSType = 46
	DNSTypeDNSKEY DNSType = 48
)

// DNSTypes lists the types with the names that configuration uses.
var DNSTypes = []struct {
	Name string
	Type DNSType
}{
	{"A", DNSTypeA}, {"NS", DNSTypeNS}, {"CNAME", DNSTypeCNAME}, {"SOA", DNSTypeSOA},
	{"MX", DNSTypeMX}, {"TXT", DNSTypeTXT}, {"AAAA", DNSTypeAAAA},
	{"RRSIG", DNSTypeRRSIG}, {"DNSKEY", DNSTypeDNSKEY},
}

// String gives the name that configuration uses.
func (t DNSType) String() string {
	for _, n := range DNSTypes {
		if n.Type == t {
			return n.Name
		}
	}
	return fmt.Sprintf("TYPE%d", uint16(t))
}

// UDPCheck is UDP_CHECK: no ICMP error comes back, or a certain answer comes.
type UDPCheck struct {
	Connection Connection
	// Payload to send; nil: 32 bytes "keepalived check - keepalived ch".
	Payload []byte
	// RequireReply: silence is a failure.
	RequireReply bool
	// Reply is the beginning the answer must have; nil: anything. A bit that
	// is zero in ReplyMask, which is as long, is not compared (wildcards).
	Reply, ReplyMask []byte
	// MinReply and MaxReply bound the length of the answer, 0 to 65535 bytes.
	MinReply, MaxReply uint16
}

// HTTPCheck is HTTP_GET or SSL_GET: every url answers as expected.
type HTTPCheck struct {
	Connection Connection
	TLS        bool // SSL_GET
	// Protocol is the request's version and connection header.
	Protocol HTTPProtocol
	// VirtualHost for the Host header of urls that have none: the check's, else
	// the real server's, else the virtual server's. Empty: the target itself.
	VirtualHost string
	// SNI: a server name is sent: SNIName, else the url's virtualhost, else
	// SNIHost. None of them: none is sent.
	SNI     bool
	SNIName string
	// SNIHost is the check's or the virtual server's virtualhost; keepalived
	// leaves out the real server's.
	SNIHost string
	// FastRecovery: no delay between urls while the check recovers.
	FastRecovery bool
	// TLSCompliant: close_notify is sent at the end.
	TLSCompliant bool
	URLs         []URL // at least one
}

// HTTPProtocol is a value of http_protocol.
type HTTPProtocol uint8

// The request versions: 1.0, 1.0 with "Connection: close", 1.1.
const (
	HTTP10 HTTPProtocol = iota
	HTTP10Close
	HTTP11
)

// String gives the configuration's word.
func (p HTTPProtocol) String() string {
	switch p {
	case HTTP10Close:
		return "1.0C"
	case HTTP11:
		return "1.1"
	}
	return "1.0"
}

// URL is a url block.
type URL struct {
	Path string // verbatim
	// Digest is the MD5 of the body, 16 bytes; nil: not compared.
	Digest []byte
	// Status lists the status codes accepted; never empty, sorted, and
	// without overlap. Default: 200-299.
	Status       []StatusRange
	VirtualHost  string // of this block only
	TLSCompliant bool   // that of the check or of the url
	Regex        *Regex // nil: none
}

// StatusRange is a range of HTTP status codes, both ends included, 100 to 599.
type StatusRange struct{ First, Last uint16 }

// Regex is what the regex keywords of a url block say.
type Regex struct {
	Pattern string
	// Options are PCRE2 option names without prefix, in lower case, known
	// ones only, each once, in the order of RegexOptions.
	Options []string
	NoMatch bool // the pattern must not be found
	// MinOffset is the earliest start of a match; MaxOffset the latest,
	// included, if HasMax. They count from the start of the response header.
	MinOffset, MaxOffset uint64
	HasMax               bool
	// StackStart and StackMax are the JIT stack's sizes in bytes; 0: default.
	StackStart, StackMax uint64
}

// RegexOptions are the words that regex_options knows.
var RegexOptions = []string{
	"allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall",
	"dupnames", "extended", "firstline", "match_unset_backref", "multiline", "never_ucp",
	"never_utf", "no_auto_capture", "no_auto_possess", "no_dotstar_anchor",
	"no_start_optimize", "ucp", "ungreedy", "utf", "never_backslash_c", "alt_circumflex",
	"alt_verbnames", "use_offset_limit",
}

// MiscCheck is MISC_CHECK: a program says how the server is.
type MiscCheck struct {
	Script Script
	// Timeout after which the program is killed: misc_timeout, else the
	// virtual server's delay_loop.
	Timeout time.Duration
	Dynamic bool // the exit status sets the weight
}

// FileCheck is FILE_CHECK: the number in a file sets the weight.
type FileCheck struct {
	Name string // of the track_file block
	Path string // the file
	// Weight multiplies the number; 0: not 0 means failed. Default: that of
	// the track_file.
	Weight  int32
	Reverse bool
}

// BFDCheck is BFD_CHECK: the server is up while a BFD session is.
type BFDCheck struct {
	Name string // of the bfd_instance
}

// Keyword implements Spec.
func (TCPCheck) Keyword() string { return "TCP_CHECK" }

// Keyword implements Spec.
func (PingCheck) Keyword() string { return "PING_CHECK" }

// Keyword implements Spec.
func (SMTPCheck) Keyword() string { return "SMTP_CHECK" }

// Keyword implements Spec.
func (DNSCheck) Keyword() string { return "DNS_CHECK" }

// Keyword implements Spec.
func (UDPCheck) Keyword() string { return "UDP_CHECK" }

// Keyword implements Spec.
func (c HTTPCheck) Keyword() string {
	if c.TLS {
		return "SSL_GET"
	}
	return "HTTP_GET"
}

// Keyword implements Spec.
func (MiscCheck) Keyword() string { return "MISC_CHECK" }

// Keyword implements Spec.
func (FileCheck) Keyword() string { return "FILE_CHECK" }

// Keyword implements Spec.
func (BFDCheck) Keyword() string { return "BFD_CHECK" }

// Endpoint implements Spec.
func (c TCPCheck) Endpoint() *Connection { return &c.Connection }

// Endpoint implements Spec.
func (c PingCheck) Endpoint() *Connection { return &c.Connection }

// Endpoint implements Spec.
func (c SMTPCheck) Endpoint() *Connection { return &c.Connection }

// Endpoint implements Spec.
func (c DNSCheck) Endpoint() *Connection { return &c.Connection }

// Endpoint implements Spec.
func (c UDPCheck) Endpoint() *Connection { return &c.Connection }

// Endpoint implements Spec.
func (c HTTPCheck) Endpoint() *Connection { return &c.Connection }

// Endpoint implements Spec.
func (MiscCheck) Endpoint() *Connection { return nil }

// Endpoint implements Spec.
func (FileCheck) Endpoint() *Connection { return nil }

// Endpoint implements Spec.
func (BFDCheck) Endpoint() *Connection { return nil }

func (TCPCheck) spec()  {}
func (PingCheck) spec() {}
func (SMTPCheck) spec() {}
func (DNSCheck) spec()  {}
func (UDPCheck) spec()  {}
func (HTTPCheck) spec() {}
func (MiscCheck) spec() {}
func (FileCheck) spec() {}
func (BFDCheck) spec()  {}
