package process

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// RoleEnv tells a process which role its parent gave it: one of the Role
// values. It is removed from the environment at once, so scripts never see it.
const RoleEnv = "KEEPALIVED_GO_ROLE"

// The roles of the processes of one daemon.
const (
	RoleVRRP    = "vrrp"
	RoleChecker = "checker"
	RoleBFD     = "bfd"
)

// Descriptors that the parent lets its children inherit.
const (
	fdConfig = 3 + iota // memory file with the configuration archive
	fdParent            // read end of a pipe: end of file means that the parent died
	fdReady             // write end of a pipe: one byte each time the configuration was read
	fdState             // memory file in which the child leaves what its successor needs
	fdBFD0              // VRRP, checker: read end of BFD's events; BFD: write end to VRRP
	fdBFD1              // BFD: write end to the checker
)

// Child is what the parent hands to a child process.
type Child struct {
	Role    string
	Options Options

	config *os.File
	ready  *os.File

	// Parent is at its end of file when the parent has died: the child then
	// stops in order.
	Parent *os.File

	// State is a memory file that outlives the process: what one child writes
	// there its successor finds. Empty after a first start.
	State *os.File

	// BFDIn delivers BFD events to the VRRP and checker children; BFDToVRRP and
	// BFDToChecker are the BFD child's ends. Nil where they do not belong.
	BFDIn, BFDToVRRP, BFDToChecker *os.File
}

// Inherit collects what the parent of this process handed over, for a process
// whose RoleEnv was role.
func Inherit(role string, options Options) (Child, error) {
	os.Unsetenv(RoleEnv)
	c := Child{Role: role, Options: options}
	open := func(fd uintptr, name string) *os.File {
		if _, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil {
			return nil
		}
		unix.CloseOnExec(int(fd))
		return os.NewFile(fd, name)
	}
	c.config = open(fdConfig, "configuration")
	c.Parent = open(fdParent, "parent")
	c.ready = open(fdReady, "ready")
	c.State = open(fdState, "state")
	switch role {
	case RoleVRRP, RoleChecker:
		c.BFDIn = open(fdBFD0, "bfd events")
	case RoleBFD:
		c.BFDToVRRP = open(fdBFD0, "bfd to vrrp")
		c.BFDToChecker = open(fdBFD1, "bfd to checker")
	default:
		return c, fmt.Errorf("unknown role %q in %s", role, RoleEnv)
	}
	if c.config == nil || c.Parent == nil || c.ready == nil {
		return c, errors.New("descriptors of the parent process are missing")
	}
	return c, nil
}

// Config reads the newest configuration archive (configparse.OpenArchive).
func (c Child) Config() ([]byte, error) {
	st, err := c.config.Stat()
	if err != nil {
		return nil, fmt.Errorf("read configuration from parent: %w", err)
	}
	b := make([]byte, st.Size())
	if _, err := c.config.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read configuration from parent: %w", err)
	}
	return b, nil
}

// Ready tells the parent that the configuration has been read, at the start and
// after each reload.
func (c Child) Ready() { _, _ = c.ready.Write([]byte{c.Role[0]}) }

// Descriptors lists what a parent must let a child inherit,
// in the order in which Inherit expects it from descriptor 3 on.
func Descriptors(config, parent, ready, state *os.File, bfd ...*os.File) []*os.File {
	return append([]*os.File{config, parent, ready, state}, bfd...)
}
