package kernel

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Kernel reads and changes the network stack of one namespace through one
// rtnetlink socket. Its methods may be called from several goroutines; each
// call is one or more whole exchanges with the kernel and returns when they are
// done (some 5 µs per object; no call waits for a network).
//
// Setters take many objects at once and return nil when all went well, else one
// error per object in the same order, nil for those that succeeded.
type Kernel struct {
	conn *conn
	// deleted are the addresses whose deletion was asked for and whose notice
	// is still to come.
	deleted pendingAddrs
}

// Open connects to the network stack of the calling thread's namespace.
func Open() (*Kernel, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	return &Kernel{conn: c}, nil
}

// Close releases the socket. Nothing that was set is taken back.
func (k *Kernel) Close() error { return k.conn.close() }

// forgive turns the errors that mean "already so" into success: adding what is
// there, deleting what is not.
func forgive(errs []error, already ...unix.Errno) []error {
	left := false
	for i, err := range errs {
		if err != nil && slices.ContainsFunc(already, func(e unix.Errno) bool { return errors.Is(err, e) }) {
			errs[i] = nil
		}
		left = left || errs[i] != nil
	}
	if !left {
		return nil
	}
	return errs
}
