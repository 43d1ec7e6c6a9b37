package track

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/script"
)

// Post hands a function to the loop that owns the caller's state
// (process.Loop.Post). It reports false once the loop has ended.
type Post func(func(now time.Time)) bool

// Script is one vrrp_script as the runner needs it.
type Script struct {
	Name     string
	Command  script.Command
	Interval time.Duration // 0 means a second
	Timeout  time.Duration // 0 means Interval
	Rise     int           // successes to go up, at least 1
	Fall     int           // failures to go down, at least 1
}

// ScriptEvent reports that a script changed side. The first result of a new
// script is always reported.
type ScriptEvent struct {
	Name string
	Up   bool
}

// File is one track_file. Weights are the tracking side's.
type File struct {
	Name string
	Path string

	// init_file: written with Init at start, only if the file is missing unless
	// Overwrite.
	Create    bool
	Init      int64
	Overwrite bool
}

// FileEvent reports a new value of a tracked file; 0 if it is missing, empty or
// not a number.
type FileEvent struct {
	Name  string
	Value int32
}

// ParamMatch is how a tracked process's arguments are compared.
type ParamMatch int

// The values of param_match, numbered as vrrp.ParamMatch.
const (
	ParamNone    ParamMatch = iota // not given: with Params as ParamExact
	ParamExact                     // all must be equal
	ParamInitial                   // as partial, the last given one may be a prefix
	ParamPartial                   // the first ones must be equal, more may follow
)

// Process is one vrrp_track_process.
type Process struct {
	Name   string   // of the block
	Path   string   // process: comm, or with FullCommand argv[0]
	Params []string // process: further words

	FullCommand bool // implied by Params or ParamMatch
	ParamMatch  ParamMatch

	Quorum    int // up from this many; default 1
	QuorumMax int // down above this many; negative means no limit

	ForkDelay      time.Duration // a gain by fork is reported this much later
	TerminateDelay time.Duration // a loss is reported this much later
}

// ProcessEvent reports that the quorum of a tracked process was gained or lost.
type ProcessEvent struct {
	Name string
	Up   bool
}
