package configparse

import (
	"os"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Config is a whole configuration: plain values with names resolved and
// defaults inherited.
type Config struct {
	Global  Global
	VRRP    vrrp.Config
	Checker checker.Config
	BFD     []bfd.Config

	// CheckerFiles are the track files as the checker pass read them, for FILE_CHECK.
	CheckerFiles []vrrp.FileConfig

	// Which blocks were seen at all, good or bad: that decides which children
	// the daemon starts (grammar.md 1).
	HasVRRP, HasChecker, HasBFD bool

	// Failed says that the original gives a pass up: its process leaves with
	// status 2 and takes the daemon with it.
	Failed [passes]bool

	// NoNamespace: net_namespace names one that cannot be entered. The
	// original's run ends there, with status 0.
	NoNamespace bool

	// IncludeFailed: an include check that was switched on failed (status 6).
	IncludeFailed bool

	// Files are the names of the files that were read, in order, each as often
	// as it was.
	Files []string

	// Unused are the keywords that were accepted and have no effect yet, each
	// named once.
	Unused []Notice
}

// Notice is a remark that is no Problem: it changes neither what -t prints nor
// its status.
type Notice struct {
	File string
	Line int
	Text string
}

// Global is what stands in global_defs and in the keywords beside it. Zero
// values mean "not configured" unless the field says otherwise.
type Global struct {
	// Root keywords.
	NetNamespace       string // net_namespace, or option -s
	NetNamespaceIPVS   string // net_namespace_ipvs; "" with the next field: the daemon's own
	IPVSNamespaceSet   bool
	NamespaceIPSets    bool // namespace_with_ipsets
	Instance           string
	UsePIDDir          bool
	LinkbeatUsePolling bool
	ChildWait          time.Duration // child_wait_time, default 5 s

	// Names.
	ProcessName        string // process_name
	VRRPProcessName    string
	CheckerProcessName string
	BFDProcessName     string
	RouterID           string // default: the host name

	// Mail.
	EmailFrom      string
	Emails         []string
	SMTPServer     string // address; empty = no mail
	SMTPPort       uint16
	SMTPHelo       string
	SMTPTimeout    time.Duration // default 30 s where there is a server
	SMTPAlert      Tristate
	SMTPAlertVRRP  Tristate
	SMTPAlertCheck Tristate
	NoEmailFaults  bool
	NoCheckEmails  bool // no_checker_emails

	// Scripts of the parent, users, umask.
	Startup               *vrrp.Command
	StartupTimeout        time.Duration
	Shutdown              *vrrp.Command
	ShutdownTimeout       time.Duration
	ScriptUser            *vrrp.Command // UID, GID, Groups, User, Group of script_user; nil = none
	ScriptSecurity        bool          // enable_script_security
	noScriptUser          bool          // that the default user is missing was said
	scriptUserBad         bool          // script_user named nobody: scripts without a user are refused
	UseSymlinkPaths       bool
	SupplementaryGroups   bool // set_supplementary_groups
	Umask                 os.FileMode
	UmaskSet              bool
	RandomSeed            uint32
	RandomSeedSet         bool
	ReloadCheck           bool // reload_check_config
	ReloadCheckLog        string
	ReloadTimeFile        string
	ReloadRepeat          bool
	ReloadFile            bool
	ReloadFilePath        string // empty: the default name
	ConfigSaveDir         string
	TmpConfigDir          string
	DataUseInstance       bool
	JSONVersion           int // 1 or 2
	StateDumpFile         string
	StatsDumpFile         string
	JSONDumpFile          string
	IPRouteUsrDir         string
	IPRouteEtcDir         string
	MaxAutoPriority       int           // 0 = off, -1 = off and silent
	MinAutoPriorityDelay  time.Duration // default 1 s
	CheckerLogAllFailures bool

	// What a process sets on itself.
	VRRPProcess    ProcessOptions
	CheckerProcess ProcessOptions
	BFDProcess     ProcessOptions

	// Interfaces and VRRP defaults. Instances have them already inherited.
	DynamicInterfaces  bool
	AllowIfChanges     bool
	DefaultInterface   string // empty = eth0
	DisableLocalIGMP   bool
	RxBufsMTU          bool
	RxBufsAdvert       bool
	RxBufsSize         uint32
	RxBufsMultiplier   uint32 // default 3
	NotifyPriority     bool   // vrrp_notify_priority_changes
	VMACPrefix         string // default vrrp
	VMACAddrPrefix     string // default VMACPrefix
	VRRPDefaults       VRRPDefaults
	StrictDefault      bool
	UnicastSourceCheck bool // vrrp_check_unicast_src

	// LVS.
	LVSTimeouts      LVSTimeouts
	LVSFlush         bool
	LVSFlushOnStop   bool
	LVSFlushOnStopVS bool // only our own services
	RSInitNotifies   bool
	NFTablesIPVS     string // table; empty = off
	NFTablesIPVSPrio int    // default -1
	NFTablesIPVSMark uint32 // default 1000

	// FIFOs.
	FIFO, VRRPFIFO, LVSFIFO FIFO

	// SNMP and D-Bus.
	SNMPSocket         string
	Traps              bool
	SNMPVRRP           bool // enable_snmp_vrrp
	SNMPRFCv2          bool
	SNMPRFCv3          bool
	SNMPChecker        bool
	SNMPVSInterval     time.Duration // default 5 s
	SNMPRSInterval     time.Duration
	DBus               bool
	DBusServiceName    string
	DBusNoInterface    string // default none
	VRRPNetlinkCmd     NetlinkBuffer
	VRRPNetlinkMonitor NetlinkBuffer
	ProcessMonitor     NetlinkBuffer
	LVSNetlinkCmd      NetlinkBuffer
	LVSNetlinkMonitor  NetlinkBuffer
}

// Tristate is a boolean that may be left open.
type Tristate int8

// The values of a Tristate.
const (
	Unset Tristate = iota
	On
	Off
)

func tristate(b bool) Tristate {
	if b {
		return On
	}
	return Off
}

// Or is the value, or other when it is unset.
func (t Tristate) Or(other bool) bool {
	if t == Unset {
		return other
	}
	return t == On
}

// ProcessOptions are the *_priority, *_no_swap, *_rt_priority, *_cpu_affinity
// and *_rlimit_rttime keywords of one process.
type ProcessOptions struct {
	Priority    int // nice value
	PrioritySet bool
	NoSwap      bool
	RTPriority  int    // 1..99, 0 = off
	RTLimit     uint32 // RLIMIT_RTTIME, microseconds; 0 = default
	RTLimitSet  bool
	CPUs        []int // empty = all
}

// VRRPDefaults are the global keywords that instances inherit.
type VRRPDefaults struct {
	Version              uint8
	GARP                 vrrp.GARPConfig
	LowerPrioDelaySet    bool
	LowerPrioRepeatSet   bool
	MinGARP              bool
	DownTimerAdverts     int
	LowerPrioNoAdvert    bool
	HigherPrioSendAdvert bool
	SkipCheckAdvAddr     bool
	ChecksumAsV2         bool
	OwnerIgnoreAdverts   bool
}

// LVSTimeouts are the connection timeouts; 0 leaves the kernel's.
type LVSTimeouts struct {
	TCP, TCPFin, UDP time.Duration
}

// FIFO is a notify FIFO and the script that reads it.
type FIFO struct {
	Path   string
	User   string // as written; empty = default
	Group  string
	UID    uint32
	GID    uint32
	Script *vrrp.Command
}

// NetlinkBuffer is the receive buffer of a netlink socket.
type NetlinkBuffer struct {
	Size  uint32 // bytes, 0 = default
	Force bool
}
