package track

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The process connector, include/uapi/linux/connector.h and cn_proc.h: a
// netlink group that says when processes fork, execute and end. It speaks in
// the initial network namespace only; elsewhere subscribing is refused.
const (
	cnIdxProc       = 1
	cnValProc       = 1
	procListen      = 1 // PROC_CN_MCAST_LISTEN
	procNone        = 0 // the confirmation of a subscription
	procFork        = 0x1
	procExec        = 0x2
	procComm        = 0x200
	procExit        = 0x80000000
	cnHeaderLen     = 20
	procEventHeader = 16 // what, cpu, timestamp
)

// procEvent is one event; only whole processes, not threads.
type procEvent struct {
	what   uint32
	pid    int
	parent int // of procFork
}

// connector is the subscription to process events.
type connector struct {
	file *os.File
	conn interface {
		Read(func(fd uintptr) bool) error
	}
	buf []byte
}

// openConnector subscribes. The error holds an errno.
func openConnector() (*connector, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("open process connector: %w", err)
	}
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}
	if err := unix.Bind(fd, to); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind process connector: %w", err)
	}
	if err := unix.Sendto(fd, subscription(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to process events: %w", err)
	}
	c := &connector{file: os.NewFile(uintptr(fd), "process connector"), buf: make([]byte, 64*1024)}
	if c.conn, err = c.file.SyscallConn(); err != nil {
		c.file.Close()
		return nil, fmt.Errorf("process connector: %w", err)
	}
	return c, nil
}

// setBuffer sets the receive buffer, beyond the system's limit if force is set
// and this process may.
func (c *connector) setBuffer(size int, force bool) {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if !force || unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size)
		}
	})
}

// subscription is nlmsghdr, cn_msg and the operation.
func subscription() []byte {
	const length = unix.SizeofNlMsghdr + cnHeaderLen + 4
	b := make([]byte, 0, length)
	b = binary.NativeEndian.AppendUint32(b, length)
	b = binary.NativeEndian.AppendUint16(b, unix.NLMSG_DONE)
	b = append(b, make([]byte, unix.SizeofNlMsghdr-6)...)
	b = binary.NativeEndian.AppendUint32(b, cnIdxProc)
	b = binary.NativeEndian.AppendUint32(b, cnValProc)
	b = append(b, make([]byte, 8)...) // sequence, acknowledgement
	b = binary.NativeEndian.AppendUint16(b, 4)
	b = append(b, 0, 0) // flags
	return binary.NativeEndian.AppendUint32(b, procListen)
}

// errOverrun says that events were lost.
var errOverrun = errors.New("process events were lost")

// next waits for a datagram and returns its events.
func (c *connector) next() ([]procEvent, error) {
	var n int
	var err error
	if waitErr := c.conn.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), c.buf, 0)
		return !errors.Is(err, unix.EAGAIN)
	}); waitErr != nil {
		return nil, waitErr
	}
	if errors.Is(err, unix.ENOBUFS) {
		return nil, errOverrun
	}
	if err != nil {
		return nil, err
	}
	return parseProcEvents(c.buf[:n]), nil
}

// enlarge doubles the receive buffer.
func (c *connector) enlarge() {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if size, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
			// The kernel doubles what it is told and reports the double.
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
		}
	})
}

// parseProcEvents reads netlink messages with a cn_msg and a proc_event each.
func parseProcEvents(b []byte) []procEvent {
	var out []procEvent
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return out
		}
		if e, ok := parseProcEvent(b[unix.SizeofNlMsghdr:length]); ok {
			out = append(out, e)
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return out
}

func parseProcEvent(b []byte) (procEvent, bool) {
	if len(b) < cnHeaderLen+procEventHeader || binary.NativeEndian.Uint32(b) != cnIdxProc {
		return procEvent{}, false
	}
	b = b[cnHeaderLen:]
	what := binary.NativeEndian.Uint32(b)
	ids := b[procEventHeader:]
	id := func(i int) int {
		if len(ids) < 4*i+4 {
			return 0
		}
		return int(binary.NativeEndian.Uint32(ids[4*i:]))
	}
	switch what {
	case procNone:
		return procEvent{what: what}, true
	case procFork: // parent thread, parent, child thread, child
		return procEvent{what, id(3), id(1)}, id(2) == id(3)
	case procExec, procComm, procExit: // thread, process
		return procEvent{what: what, pid: id(1)}, what == procExec || id(0) == id(1)
	}
	return procEvent{}, false
}
