package configparse

import (
	"math"
	"os"
	"strings"
)

// Env is what the parser knows of the world besides files. A nil callback
// means that the matter is not checked: then every interface and user exists.
type Env struct {
	ConfigID string // -i, else the host name up to the first dot
	HostName string // whole, for defaults
	Seed     uint64 // of _RANDOM
	CPUs     int    // online; 0 = not checked

	// Test is true for -t. Without it the daemon's leniency applies: some
	// numbers with trailing junk are used (grammar.md 7.1).
	Test bool

	IncludeChecks bool   // option -e: all include checks are on
	Namespace     string // option -s, which overrides net_namespace
	SNMPSocket    string // option -A, which counts as the first snmp_socket

	Getenv   func(name string) string
	Link     func(name string) (Link, bool)
	User     func(name string) (User, bool) // name or number
	Group    func(name string) (gid uint32, ok bool)
	Script   func(ScriptQuery) ScriptState
	LookPath func(name string) (string, bool)         // program in PATH
	Resolve  func(host string) (string, bool)         // smtp_server
	Enter    func(namespace string) bool              // can it be entered?
	SaveDir  func(dir string) (problem string)        // config_save_dir: make it, and what went wrong
	TrackDir func(file, name string) (problem string) // can a track file be watched?
	Writable func(path string) bool                   // access(2) for writing
	Mode     func(path string) (os.FileMode, bool)    // of a key file
}

// Link is what the grammar's checks need to know of an interface.
type Link struct {
	Index       int
	MTU         int
	Loopback    bool
	NoMulticast bool
	Ethernet    bool
	VRF         bool
	Table       uint32 // of a VRF
	Kind        string // "macvlan", "ipvlan", ... or ""
	Private     bool   // a macvlan in mode private
	Base        string // of a macvlan or ipvlan
}

// User is an account.
type User struct {
	UID, GID uint32
}

// ScriptQuery asks about the program of a script.
type ScriptQuery struct {
	Path     string
	UID, GID uint32
}

// ScriptState is what the check of grammar.md 12 found.
type ScriptState struct {
	Missing    bool     // not there or not executable
	Insecure   bool     // would run as root and a part of its path can be changed by others
	SymlinkDir bool     // would run as root and a directory of its path is a symbolic link
	Why        []string // which part of the path is to blame, and how to mend it
}

func (e *Env) includeChecks() includeCheck {
	if e.IncludeChecks {
		return checkAll
	}
	return 0
}

func (e *Env) getenv(name string) string {
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv(name)
}

// link looks an interface up; without a callback every one exists.
func (e *Env) link(name string) (Link, bool) {
	if e.Link == nil {
		return Link{Ethernet: true, MTU: 1500}, true
	}
	return e.Link(name)
}

// lastCPU is the highest CPU number.
func (e *Env) lastCPU() int64 {
	if e.CPUs == 0 {
		return math.MaxInt32
	}
	return int64(e.CPUs - 1)
}

// DefaultConfigID is the configuration id without option -i.
func DefaultConfigID(host string) string {
	id, _, _ := strings.Cut(host, ".")
	return id
}
