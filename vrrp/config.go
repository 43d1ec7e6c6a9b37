package vrrp

import (
	"net/netip"
	"time"
)

// Config is everything a Router runs: plain values, names resolved, defaults
// inherited, checks of the grammar done. configparse fills it; internal/vrrpd
// then resolves what only the kernel knows (the fields that say so).
type Config struct {
	Instances []InstanceConfig // in the order of the file
	Groups    []GroupConfig

	Scripts   []ScriptConfig
	Files     []FileConfig
	Processes []ProcessConfig
	BFD       []string // names of the BFD sessions that VRRP may track

	StaticAddresses []Address
	StaticRoutes    []Route
	StaticRules     []Rule
	TrackGroups     []TrackGroup

	PaceGroups []PaceGroup     // garp_group blocks
	Pace       Pace            // vrrp_garp_interval, vrrp_gna_interval
	Debounce   []LinkDebounce  // interface_up_down_delays
	LinkBeat   []LinkBeat      // linkbeat_interfaces
	SyncDaemon *SyncDaemon     // lvs_sync_daemon, nil = none
	Group4     netip.Addr      // vrrp_mcast_group4, also the old unicast checksum's destination
	Group6     netip.Addr      // vrrp_mcast_group6
	Startup    StartupDelay    // vrrp_startup_delay, vrrp_delay_after_boot
	Firewall   FirewallOptions // nftables, vrrp_iptables, vrrp_ipsets

	DynamicInterfaces bool // dynamic_interfaces: interfaces may come later
	LogUnknownVRIDs   bool // log_unknown_vrids
	DisableLocalIGMP  bool // disable_local_igmp
	// StatesOnReload is fifo_write_vrrp_states_on_reload: a reload writes a
	// FIFO line for every instance and group.
	StatesOnReload bool
}

// StartupDelay holds a process back after its start.
type StartupDelay struct {
	Start     time.Duration // vrrp_startup_delay
	AfterBoot time.Duration // vrrp_delay_after_boot: counted from the boot
}

// State is where an instance or group is. The numbers are those of the
// KEEPALIVED-MIB.
type State uint8

// The states; Stopped and Deleted are only told to the outside.
const (
	Init    State = 0
	Backup  State = 1
	Master  State = 2
	Fault   State = 3
	Stopped State = 5
	Deleted State = 6
)

// String returns the word that scripts and FIFO readers get.
func (s State) String() string {
	switch s {
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	case Stopped:
		return "STOP"
	case Deleted:
		return "DELETED"
	}
	return "INIT"
}

// InstanceConfig is one vrrp_instance block with its defaults resolved.
type InstanceConfig struct {
	Name string
	Line string // "FILE:LINE" of the block, for messages; may be empty

	// Identity and wire.
	Version   uint8 // 2 or 3
	IPv6      bool
	VRID      uint8  // 1..255
	Interface string // configured interface; empty only for unicast without one
	VRF       string // vrf: only for unicast without an interface
	Strict    bool   // strict_mode or vrrp_strict

	// Election.
	Priority         uint8         // 1..255, 255 = address owner
	WantMaster       bool          // state MASTER (or priority 255 without a state)
	AdvertInterval   time.Duration // version 2: whole seconds, 3: 10 ms to 40.95 s
	DownTimerAdverts int           // 1..100
	NoPreempt        bool
	PreemptDelay     time.Duration
	// TimerExpiredBackup is timer_expired_backup's highest priority of the
	// others, 1..254; 0 = off.
	TimerExpiredBackup   uint8
	LowerPrioNoAdvert    bool
	HigherPrioSendAdvert bool
	OwnerIgnoreAdverts   bool

	// Where adverts come from and go to.
	Source      netip.Addr // mcast_src_ip or unicast_src_ip; zero = the interface's address
	TrackSource bool       // track_src_ip
	Destination netip.Addr // multicast group; ignored when Unicast
	Unicast     bool       // Peers count, or unicast_fault_no_peer left none
	Peers       []Peer
	UnicastTTL  int // unicast_ttl 1..255; 0 = default (IPv4 255, IPv6 the kernel's)

	// Checks of received adverts.
	CheckUnicastSource bool // check_unicast_src or its global form
	SkipCheckAdvAddr   bool // skip_check_adv_addr
	ChecksumAsV2       bool // v3_checksum_as_v2
	OldChecksum        OldChecksum

	Auth AuthConfig
	HMAC *HMACConfig // auth_hmac, nil = none

	// What the master holds.
	Addresses    []Address // virtual_ipaddress: advertised
	Excluded     []Address // virtual_ipaddress_excluded: held, not advertised
	Routes       []Route
	Rules        []Rule
	NoAddresses  bool // no_virtual_ipaddress
	NoAccept     bool // no_accept, or strict and not owner: firewall drops
	PromoteAddrs bool // promote_secondaries
	GARP         GARPConfig

	VMAC             *VMACConfig // use_vmac or use_ipvlan, nil = none
	DontTrackPrimary bool        // dont_track_primary
	LinkBeat         bool        // linkbeat_use_polling on the instance
	RxBuffer         uint32      // kernel_rx_buf_size in bytes, 0 = the policy's
	Debug            int

	// What it follows. A weight of 0 means: a failure is a fault.
	TrackInterfaces []Track
	TrackScripts    []Track
	TrackFiles      []Track
	TrackProcesses  []Track
	TrackBFD        []Track

	Notify NotifyConfig

	// ConfigFault, when not empty, keeps the instance in FAULT for good; it is
	// the reason as logged (unicast_fault_no_peer, unsuitable interface, …).
	// configparse and internal/vrrpd may set it.
	ConfigFault string

	// Resolved by internal/vrrpd from the kernel before Reload.
	//
	// Device is the interface that carries adverts and the VIPs without dev of
	// the instance's family: the VMAC, else Interface. With VMAC.XmitBase the
	// adverts use Interface instead. Empty = Interface.
	Device string
	MTU    int // of Interface; 0 = 1500
}

// Peer is one line of unicast_peer.
type Peer struct {
	Addr   netip.Addr
	MinTTL uint8 // min_ttl, default 0
	MaxTTL uint8 // max_ttl, default 255; configparse always sets it
	// TTLGiven tells that either limit was written: any such peer turns the
	// source check on for the whole instance.
	TTLGiven bool
}

// OldChecksum is how the IPv4 VRRPv3 checksum of unicast adverts treats the
// destination (old_unicast_checksum).
type OldChecksum uint8

// The modes of old_unicast_checksum.
const (
	OldChecksumAuto   OldChecksum = iota // real destination; old style is detected
	OldChecksumAlways                    // old_unicast_checksum
	OldChecksumNever                     // old_unicast_checksum never
)

// AuthType is the authentication field of VRRPv2 (RFC 2338 section 5.3.6).
type AuthType uint8

// The authentication types on the wire.
const (
	AuthNone AuthType = 0
	AuthPass AuthType = 1
	AuthAH   AuthType = 2
)

// AuthConfig is the authentication block.
type AuthConfig struct {
	Type     AuthType
	Password [8]byte // zero padded
}

// HMACMode is auth_hmac's mode.
type HMACMode uint8

// The modes of auth_hmac.
const (
	HMACEnforce HMACMode = iota
	HMACPermissive
	HMACReceiveOnly
)

// HMACConfig is the auth_hmac block.
type HMACConfig struct {
	Keys      []HMACKey // unique ids
	Active    uint8     // id used for sending
	Mode      HMACMode
	Monotonic bool          // anti_replay monotonic; else time
	Window    time.Duration // time_window, default filled in: 1 s..300 s
}

// HMACKey is one key of auth_hmac, 32 to 64 bytes.
type HMACKey struct {
	ID  uint8
	Key []byte
}

// Address is one line of virtual_ipaddress, virtual_ipaddress_excluded or
// static_ipaddress.
type Address struct {
	Prefix    netip.Prefix // address as written, with its length; not masked
	Interface string       // dev; empty = the instance's Device (same family) or Interface
	Scope     uint8        // kernel number; 0 = global
	Broadcast netip.Addr   // brd, computed for + and -; zero = none
	Label     string       // at most 15 characters
	Peer      netip.Prefix // peer; zero = none

	Home            bool   // home
	DAD             bool   // -nodad: let the kernel do duplicate address detection
	ManageTemp      bool   // mngtmpaddr
	NoPrefixRoute   bool   // noprefixroute
	AutoJoin        bool   // autojoin
	NoTrack         bool   // no_track
	UseVMAC         bool   // use_vmac on the address
	PreferredSet    bool   // preferred_lft given (or defaulted to 0 for IPv6 /128)
	PreferredLft    uint32 // seconds; ForeverLft = forever; counts only when PreferredSet
	TrackGroup      string // static addresses only
	InterfaceByUser bool   // dev was written
}

// ForeverLft is the lifetime that never ends.
const ForeverLft = 0xffffffff

// GARPConfig is how the master announces its addresses.
type GARPConfig struct {
	Delay           time.Duration // garp_master_delay: second block, 0 = none
	Repeat          int           // garp_master_repeat: rounds of a block
	Refresh         time.Duration // garp_master_refresh, 0 = off
	RefreshRepeat   int
	LowerPrioDelay  time.Duration
	LowerPrioRepeat int           // 0 = no announcement after a lower advert
	ExtraInterval   time.Duration // garp_extra_if, 0 = off
	ExtraAll        bool          // garp_extra_if all
}

// Pace is how far apart announcements on one physical interface are.
type Pace struct {
	GARP time.Duration // between gratuitous ARPs, 0 = no limit
	GNA  time.Duration // between unsolicited neighbour advertisements
}

// PaceGroup is one garp_group block: interfaces that share one limit.
type PaceGroup struct {
	Pace
	Interfaces []string
}

// VMACConfig is use_vmac or use_ipvlan.
type VMACConfig struct {
	IPVLAN     bool
	Name       string  // given name, empty = vrrp.VRID by prefix
	MAC        [6]byte // given address; zero = the RFC's
	NotifyMsg  bool    // netlink_notify_msg
	Group      uint32  // link group
	GroupSet   bool
	XmitBase   bool // vmac_xmit_base
	AllAddrs   bool // use_vmac_addr
	IPVLANMode IPVLANMode
	Address    netip.Prefix // ipvlan's own address, the source of adverts
	// AddrsOnly: no use_vmac on the instance itself; only AllAddrs is wanted.
	AddrsOnly bool
}

// IPVLANMode is the flag of an ipvlan interface.
type IPVLANMode uint8

// The flags of use_ipvlan.
const (
	IPVLANBridge IPVLANMode = iota
	IPVLANPrivate
	IPVLANVEPA
)

// Track says that an instance or group follows an interface, script, file,
// process or BFD session.
type Track struct {
	Name    string
	Weight  int  // 0 = a failure is a fault
	Reverse bool // the weight counts the other way round
}

// NotifyConfig is who is told about changes.
type NotifyConfig struct {
	Master, Backup, Fault, Stop *Command
	Deleted                     *Command // notify_deleted's script
	DeletedSet                  bool     // notify_deleted given: state DELETED instead of FAULT
	Any                         *Command // notify
	RxLowerPrio                 *Command // notify_master_rx_lower_pri
	SMTPAlert                   bool
	PriorityChanges             bool
}

// Command is a script to run and as whom.
type Command struct {
	Argv   []string // program and arguments, split as the grammar says
	Text   string   // as written, for dumps
	UID    uint32
	GID    uint32
	Groups bool // take the user's supplementary groups
	// UserSet: a user was given or inherited; else the daemon's own.
	UserSet bool
	User    string // name as written, for dumps
	Group   string
}

// GroupConfig is one vrrp_sync_group.
type GroupConfig struct {
	Name    string
	Members []string // names of instances, in order

	// TrackWeights is sync_group_tracking_weight.
	TrackWeights    bool
	TrackInterfaces []Track
	TrackScripts    []Track
	TrackFiles      []Track
	TrackProcesses  []Track
	TrackBFD        []Track

	Notify NotifyConfig
}

// TrackGroup names instances that follow the interfaces of static entries.
type TrackGroup struct {
	Name    string
	Members []string
}

// ScriptConfig is one vrrp_script.
type ScriptConfig struct {
	Name     string
	Command  Command
	Interval time.Duration // ms resolution
	Timeout  time.Duration // 0 = not given: the interval
	Rise     int
	Fall     int
	Weight   int
	Reverse  bool
	InitFail bool
}

// FileConfig is one track_file.
type FileConfig struct {
	Name      string
	Path      string
	Weight    int // default 1
	Reverse   bool
	Init      bool // init_file given
	InitValue int
	Overwrite bool
}

// ParamMatch is how vrrp_track_process compares parameters.
type ParamMatch uint8

// The ways of param_match.
const (
	MatchNone    ParamMatch = iota // not given
	MatchExact                     // param_match without a word
	MatchInitial                   // initial
	MatchPartial                   // partial
)

// ProcessConfig is one vrrp_track_process.
type ProcessConfig struct {
	Name           string
	Path           string   // process name or path as written
	Params         []string // parameters as written
	Match          ParamMatch
	FullCommand    bool
	Weight         int
	Reverse        bool
	Quorum         int
	QuorumMax      int // -1 = no limit
	TerminateDelay time.Duration
	ForkDelay      time.Duration
}

// LinkDebounce is one line of interface_up_down_delays.
type LinkDebounce struct {
	Interface string
	Down, Up  time.Duration
}

// LinkBeat is one line of linkbeat_interfaces.
type LinkBeat struct {
	Interface string
	Method    string // "", MII, ETHTOOL or IOCTL
}

// SyncDaemon is lvs_sync_daemon: the IPVS connection synchronisation.
type SyncDaemon struct {
	Interface string
	Instance  string // empty = runs all the time in both roles
	ID        uint8
	IDSet     bool // id was given; else the VRID of the instance is used
	MaxLen    uint16
	Port      uint16
	TTL       uint8
	Group     netip.Addr
}

// FirewallOptions are the globals of accept mode and VMAC filtering.
type FirewallOptions struct {
	NFTables         string // table name; empty = not configured
	NFTablesPriority int
	NFTablesCounters bool
	NFTablesIfIndex  bool
	IPTables         bool // vrrp_iptables
	IPTablesIn       string
	IPTablesOut      string
	IPSets           []string // vrrp_ipsets names
	IPSetsOff        bool     // vrrp_ipsets without a name
}
