package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/spare"
)

// The roles of the processes of one daemon.
const (
	RoleVRRP    = "vrrp"
	RoleChecker = "checker"
	RoleBFD     = "bfd"
)

// HandoverEnv is the environment variable in which a parent tells a process of
// its own binary what it is to be. It is removed at once, so that scripts never
// see it.
const HandoverEnv = "KEEPALIVED_GO_CHILD"

// Handover is what a parent says in HandoverEnv; the descriptors that go with
// it begin at 3, in the order of Descriptors.
type Handover struct {
	Role      string // RoleVRRP, RoleChecker or RoleBFD
	Title     string // what the log calls it: VRRP, Healthcheck, BFD
	PIDFile   string
	Ident     string // syslog ident
	LogFile   string // this process's own log file; empty: none
	Respawned bool   // the successor of a child that died
	Has       []bool // which of the descriptors are there
	Umask     int    // for a spare only: others have it from their parent
	Launched  int64  // CLOCK_MONOTONIC at the start of the daemon, ns; 0 if this is a later start
}

// Descriptors are the files that a child inherits; those that do not concern
// it are nil.
type Descriptors struct {
	Config       *os.File // memory file with the configuration archive
	Parent       *os.File // read end of a pipe that ends when the parent dies
	Ready        *os.File // write end: one byte each time the configuration was read
	State        *os.File // memory file for the child's successor
	Control      *os.File // the child's end of the operator's connection (internal/control)
	BFDIn        *os.File // VRRP, checker: BFD's events
	BFDToVRRP    *os.File // BFD: the other end of the VRRP child's BFDIn
	BFDToChecker *os.File // BFD: the other end of the checker's BFDIn
}

func (d *Descriptors) all() []**os.File {
	return []**os.File{&d.Config, &d.Parent, &d.Ready, &d.State, &d.Control, &d.BFDIn, &d.BFDToVRRP, &d.BFDToChecker}
}

// Env returns the environment entry and the extra files (exec.Cmd.ExtraFiles)
// that make Inherit in the new process return h and d.
func (h Handover) Env(d Descriptors) (env string, files []*os.File, err error) {
	text, files, err := h.encode(d)
	return HandoverEnv + "=" + string(text), files, err
}

func (h Handover) encode(d Descriptors) (text []byte, files []*os.File, err error) {
	h.Has = nil
	for _, f := range d.all() {
		h.Has = append(h.Has, *f != nil)
		if *f != nil {
			files = append(files, *f)
		}
	}
	if text, err = json.Marshal(h); err != nil {
		return nil, nil, fmt.Errorf("describe the child: %w", err)
	}
	return text, files, nil
}

// ToSpare makes the spare process, if there is one, the child that h and d
// describe, and returns its process id.
func (h Handover) ToSpare(d Descriptors) (pid int, ok bool) {
	// It was started before this process had set its own.
	h.Umask = unix.Umask(0)
	unix.Umask(h.Umask)
	text, files, err := h.encode(d)
	if err != nil {
		return 0, false
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	return spare.Hand(text, fds)
}

// Inherit collects what the parent of this process handed over. It reports
// false for a process that was not started by a parent of the same binary.
func Inherit(options Options) (Child, bool, error) {
	text, fds, wasSpare := spare.Handed()
	if !wasSpare {
		env, ok := os.LookupEnv(HandoverEnv)
		if !ok {
			return Child{}, false, nil
		}
		os.Unsetenv(HandoverEnv)
		text = []byte(env)
	}
	var h Handover
	if err := json.Unmarshal(text, &h); err != nil {
		return Child{}, true, fmt.Errorf("read %s: %w", HandoverEnv, err)
	}
	if wasSpare {
		unix.Umask(h.Umask)
	}
	var d Descriptors
	next := 0
	for i, f := range d.all() {
		if i >= len(h.Has) || !h.Has[i] {
			continue
		}
		fd := 3 + next
		if wasSpare {
			if next == len(fds) {
				break
			}
			fd = fds[next]
		}
		unix.CloseOnExec(fd)
		*f = os.NewFile(uintptr(fd), fmt.Sprintf("inherited %d", i))
		next++
	}
	if d.Config == nil || d.Parent == nil || d.Ready == nil {
		return Child{}, true, errors.New("descriptors of the parent process are missing")
	}
	return Child{Handover: h, Options: options, Descriptors: d}, true, nil
}

// Child is what a child process has from its parent.
type Child struct {
	Handover
	Descriptors
	Options Options
}

// Config reads the newest configuration archive (configparse.OpenArchive).
func (c Child) Config() ([]byte, error) { return readAll(c.Descriptors.Config) }

// Ready tells the parent that the configuration has been read, at the start and
// after each reload.
func (c Child) Ready() { _, _ = c.Descriptors.Ready.Write([]byte{c.Role[0]}) }

// readAll reads a memory file from its beginning, whatever others who share
// the descriptor have read.
func readAll(f *os.File) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the parent's configuration: %w", err)
	}
	b := make([]byte, st.Size())
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the parent's configuration: %w", err)
	}
	return b, nil
}

// MemoryFile makes a memory file with the given content.
func MemoryFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := RewriteMemoryFile(f, content); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// TemporaryFile makes a file without a name in dir (tmp_config_directory), for
// hosts where nothing may lie in memory only. It goes with its descriptor.
func TemporaryFile(dir string, content []byte) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create temporary file in %s: %w", dir, err)
	}
	f := os.NewFile(uintptr(fd), dir)
	if err := RewriteMemoryFile(f, content); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// RewriteMemoryFile replaces the content of a memory file. Nobody may be
// reading it: the parent waits until its children have read their configuration.
func RewriteMemoryFile(f *os.File, content []byte) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("empty memory file: %w", err)
	}
	if _, err := f.WriteAt(content, 0); err != nil {
		return fmt.Errorf("write memory file: %w", err)
	}
	return nil
}
