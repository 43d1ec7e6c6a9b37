package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/spf13/pflag"
)

// defaultConfig is where the configuration is without -f.
const defaultConfig = "/etc/keepalived/keepalived.conf"

// request is what the command line asks for beside running the daemon.
type request struct {
	process.Options
	facility int

	version, help bool
	signum        string
	keywords      bool
	unexpected    []string // words that are no options
}

// apply is an option's effect; options take effect in the order in which they
// are written, so that --all -P leaves the checker out again.
type apply struct {
	kind string // "switch" or "value"
	set  func(string) error
}

func (a apply) String() string     { return "" }
func (a apply) Type() string       { return a.kind }
func (a apply) Set(s string) error { return a.set(s) }

// parseOptions reads the command line (process.md 2.1 and 2.2). Every fault is
// written to stderr; ok is false if there was one.
func parseOptions(args []string, stderr io.Writer) (req request, ok bool) {
	req.ConfigFile = defaultConfig
	req.facility = log.FacilityDaemon
	fs := req.flags(stderr)
	opts, words, faults := normalise(fs, args)
	for _, err := range faults {
		fmt.Fprintln(stderr, err)
	}
	if err := fs.Parse(opts); err != nil {
		fmt.Fprintln(stderr, err)
		return req, false
	}
	req.unexpected = words
	if req.ConfigTest {
		req.DontRespawn, req.DontFork, req.NoSyslog = true, true, true
	}
	return req, len(faults) == 0
}

// flags lists every option of the original.
func (r *request) flags(stderr io.Writer) *pflag.FlagSet {
	fs := pflag.NewFlagSet("keepalived", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.SortFlags = false
	on := func(name, short, help string, do func()) {
		f := fs.VarPF(apply{"switch", func(string) error { do(); return nil }}, name, short, help)
		f.NoOptDefVal = "on"
	}
	value := func(name, short, help string, set func(string)) {
		fs.VarP(apply{"value", func(s string) error { set(s); return nil }}, name, short, help)
	}
	optional := func(name, short, help string, set func(string)) {
		f := fs.VarPF(apply{"value", func(s string) error { set(strings.TrimPrefix(s, absent)); return nil }}, name, short, help)
		f.NoOptDefVal = absent
	}
	text := func(name, short, help string, to *string) {
		value(name, short, help, func(s string) { *to = s })
	}

	text("use-file", "f", "FILE|Use the specified configuration file", &r.ConfigFile)
	on("vrrp", "P", "Only run with VRRP subsystem", func() { r.NoChecker = true })
	on("check", "C", "Only run with Health-checker subsystem", func() { r.NoVRRP = true })
	on("no_bfd", "B", "Don't run BFD subsystem", func() { r.NoBFD = true })
	on("all", "", "Run all child processes, even without configuration for them", func() {
		r.All, r.NoChecker, r.NoVRRP, r.NoBFD = true, false, false, false
	})
	on("log-console", "l", "Log messages to local console", func() { r.LogConsole = true })
	on("log-detail", "D", "Detailed log messages", func() { r.LogDetail++ })
	value("log-facility", "S", "0-7|Set syslog facility: LOG_LOCAL[0-7], local[0-7], user or daemon (default)", func(s string) {
		f, ok := facility(s)
		if !ok {
			fmt.Fprintf(stderr, "Invalid log facility '%s'\n", s)
			return
		}
		r.Facility, r.facility = s, f
	})
	optional("log-file", "g", "FILE|Also log to FILE (default /tmp/keepalived.log)", func(s string) {
		if r.LogFile = s; s == "" {
			r.LogFile = temporary() + "/keepalived.log"
		}
	})
	on("flush-log-file", "", "Flush log file on write", func() { r.LogFlush = true })
	on("no-syslog", "G", "Don't log via syslog", func() { r.NoSyslog = true })
	value("umask", "u", "MASK|umask for file creation (in numeric form)", func(s string) {
		n, err := strconv.ParseUint(s, 0, 32)
		if err != nil || n > 0o777 {
			fmt.Fprintf(stderr, "Invalid --umask option %s\n", s)
			return
		}
		r.Umask, r.UmaskSet = int(n), true
	})
	on("release-vips", "X", "Drop VIP on transition from signal (always so)", func() {})
	on("dont-release-vrrp", "V", "Don't remove VRRP VIPs and VROUTEs on daemon stop", func() { r.DontReleaseVRRP = true })
	on("dont-release-ipvs", "I", "Don't remove IPVS topology on daemon stop", func() { r.DontReleaseIPVS = true })
	on("dont-respawn", "R", "Don't respawn child processes", func() { r.DontRespawn = true })
	on("dont-fork", "n", "Don't fork the daemon process", func() { r.DontFork = true })
	on("dump-conf", "d", "Dump the configuration data", func() { r.DumpConf = true })
	text("pid", "p", "FILE|Use specified pidfile for parent process", &r.PIDFile)
	text("vrrp_pid", "r", "FILE|Use specified pidfile for VRRP child process", &r.VRRPPIDFile)
	on("genhash", "T", "Enter into genhash utility mode (this should be the first option used)", func() {
		fmt.Fprintln(stderr, "Warning -- `-T` not used as first option, previous options ignored")
	})
	text("checkers_pid", "c", "FILE|Use specified pidfile for checkers child process", &r.CheckersPIDFile)
	on("address-monitoring", "a", "Report all address additions/deletions notified via netlink", func() { r.AddressMonitoring = true })
	text("bfd_pid", "b", "FILE|Use specified pidfile for BFD child process", &r.BFDPIDFile)
	on("snmp", "x", "Enable SNMP subsystem", func() { r.SNMP = true })
	text("snmp-agent-socket", "A", "FILE|Use the specified socket for master agent", &r.SNMPSocket)
	text("namespace", "s", "NAME|Run in network namespace NAME (overrides config)", &r.Namespace)
	on("core-dump", "m", "Produce core dump if terminate abnormally", func() { r.CoreDump = true })
	optional("core-dump-pattern", "M", "PATN|Also set /proc/sys/kernel/core_pattern to PATN (default 'core')", func(s string) {
		if r.CoreDump, r.CorePattern = true, s; s == "" {
			r.CorePattern = "core"
		}
	})
	on("all-config", "e", "Error if any configuration file missing (same as includet)", func() { r.AllConfig = true })
	text("config-id", "i", "ID|Skip any configuration lines beginning '@' that don't match ID, or any lines beginning @^ that do; defaults to the node name", &r.ConfigID)
	on("ignore-sigint", "", "Ignore SIGINT (default means terminate)", func() { r.IgnoreSIGINT = true })
	text("signum", "", "SIGFUNC|Return signal number for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON", &r.signum)
	optional("config-test", "t", "FILE|Check the configuration for obvious errors, output to stderr or FILE", func(s string) {
		r.ConfigTest, r.ConfigTestFile = true, s
	})
	on("version", "v", "Display the version number", func() { r.version = true })
	on("help", "h", "Display this help message", func() { r.help = true })
	text("control-socket", "", "FILE|Where keepalivedctl asks (default /run/keepalived/control.sock, or beside the pid file of -p)", &r.ControlSocket)
	on("keywords", "", "List every configuration keyword and the part of the daemon that acts on it", func() { r.keywords = true })
	return fs
}

// absent stands for an optional argument that was not given. No file can have
// this name, for it holds a NUL.
const absent = "\x00"

// facilityUser is LOG_USER.
const facilityUser = 1

// facility reads the argument of -S.
func facility(s string) (int, bool) {
	switch s {
	case "user":
		return facilityUser, true
	case "daemon":
		return log.FacilityDaemon, true
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "local"))
	if err != nil || n < 0 || n > 7 {
		return 0, false
	}
	return log.FacilityLocal0 + n, true
}

// temporary is the directory of dumps and default log files (process.md 2.4).
func temporary() string {
	if dir := os.Getenv("TMPDIR"); strings.HasPrefix(dir, "/") {
		return strings.TrimRight(dir, "/")
	}
	return "/tmp"
}

// usage writes the help text.
func usage(w io.Writer) {
	var r request
	fmt.Fprintln(w, "Usage: keepalived [OPTION...]")
	r.flags(io.Discard).VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		arg, help, has := strings.Cut(f.Usage, "|")
		if !has {
			arg, help = "", f.Usage
		}
		name := "--" + f.Name
		switch {
		case arg != "" && f.NoOptDefVal != "":
			name += "[=" + arg + "]"
		case arg != "":
			name += "=" + arg
		}
		short := "    "
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		fmt.Fprintf(w, "  %s%-25s %s\n", short, name, help)
	})
	fmt.Fprint(w, `
  keepalived --check [--json] [-f FILE] [--peer FILE]
                                Diagnostics with columns, causes and advice
  keepalivedctl status          What the running daemon does and why
`)
}
