package process

// Options is the parsed command line (process.md 2.1). The same options reach
// every process, for each parses the same argument list.
type Options struct {
	ConfigFile string // -f; a file name or a glob pattern
	ConfigID   string // -i; the value of lines beginning @ID
	AllConfig  bool   // -e; missing include files are errors

	NoChecker bool // -P
	NoVRRP    bool // -C
	NoBFD     bool // -B
	All       bool // --all; start every child whatever the configuration has

	LogConsole bool   // -l
	LogDetail  int    // how often -D was given
	Facility   string // -S; as written
	LogFile    string // -g; empty: none
	LogFlush   bool   // --flush-log-file
	NoSyslog   bool   // -G

	Umask    int  // -u; meaningful if UmaskSet
	UmaskSet bool // -u was given and wins over the keyword

	DontReleaseVRRP bool // -V
	DontReleaseIPVS bool // -I
	DontRespawn     bool // -R
	DontFork        bool // -n
	DumpConf        bool // -d

	PIDFile         string // -p
	VRRPPIDFile     string // -r
	CheckersPIDFile string // -c
	BFDPIDFile      string // -b

	AddressMonitoring bool   // -a
	SNMP              bool   // -x
	SNMPSocket        string // -A
	Namespace         string // -s

	ControlSocket string // --control-socket; where keepalivedctl asks

	CoreDump       bool   // -m, -M
	CorePattern    string // -M
	IgnoreSIGINT   bool   // --ignore-sigint
	ConfigTest     bool   // -t
	ConfigTestFile string // -tFILE
}
