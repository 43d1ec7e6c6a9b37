package track

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// maxComm is the length of the name that the kernel keeps for a process.
const maxComm = 15

// needsCommandLine reports whether the kernel's name of a process is not
// enough to recognise it.
func (p Process) needsCommandLine() bool {
	return p.FullCommand || len(p.Params) > 0 || p.ParamMatch != ParamNone
}

// matches reports whether a process with this kernel name and command line is
// a tracked one. argv may be nil if needsCommandLine is false.
func (p Process) matches(comm string, argv []string) bool {
	if !p.needsCommandLine() {
		name := p.Path
		if len(name) > maxComm {
			name = name[:maxComm]
		}
		return comm == name
	}
	if len(argv) == 0 || argv[0] != p.Path {
		return false
	}
	if len(p.Params) == 0 && p.ParamMatch == ParamNone {
		return true
	}
	return p.paramsMatch(argv[1:])
}

func (p Process) paramsMatch(params []string) bool {
	last := len(p.Params) - 1
	for i, want := range p.Params {
		switch {
		case i >= len(params):
			return false
		case params[i] == want:
		case p.ParamMatch == ParamInitial && i == last && strings.HasPrefix(params[i], want):
		default:
			return false
		}
	}
	return len(params) == len(p.Params) || p.ParamMatch == ParamPartial || p.ParamMatch == ParamInitial
}

// procDir reads what /proc says; a field so that tests can lay one out.
type procDir string

// comm returns the kernel's name of a process, empty if there is none.
func (d procDir) comm(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("%s/%d/comm", d, pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// argv returns a process's command line, nil for a zombie or kernel thread.
func (d procDir) argv(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("%s/%d/cmdline", d, pid))
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// zombie reports whether a process has ended and waits for its parent.
func (d procDir) zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", d, pid))
	if err != nil {
		return true
	}
	i := bytes.LastIndexByte(b, ')') // the name before it may hold anything
	return i < 0 || i+2 >= len(b) || b[i+2] == 'Z' || b[i+2] == 'X'
}

// pids lists the processes.
func (d procDir) pids() []int {
	f, err := os.Open(string(d))
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
