package checker

import (
	"errors"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// endpoint is a Connection made ready for the kernel.
type endpoint struct {
	kind   transport
	domain int
	to     []byte // as the kernel has it
	bind   []byte // nil: any
	device string
	mark   int
	port   bool // bind has a port
}

func newEndpoint(c *Connection, kind transport) endpoint {
	e := endpoint{kind: kind, domain: unix.AF_INET, device: c.Interface, mark: int(c.Mark)}
	if c.To.Addr().Is6() {
		e.domain = unix.AF_INET6
	}
	e.to = rawAddress(c.To)
	if kind == echo {
		e.to = rawAddress(netip.AddrPortFrom(c.To.Addr(), 0))
		e.mark = 0 // keepalived: fwmark does not apply to PING_CHECK
	}
	if c.Bind.IsValid() {
		e.port = c.BindPort != 0 && kind != echo
		port := c.BindPort
		if kind == echo {
			port = 0
		}
		e.bind = rawAddress(netip.AddrPortFrom(c.Bind, port))
	}
	return e
}

// zoneID is the number of an interface by name, or the number itself.
func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// open makes the socket and starts to connect: SO_MARK, SO_BINDTODEVICE, bind,
// connect, in this order. A reason other than OK ends the attempt; busy means
// that the connection is on its way.
func (e *endpoint) open() (fd int, busy bool, reason Reason, errno unix.Errno) {
	typ, proto := unix.SOCK_STREAM, unix.IPPROTO_TCP
	switch e.kind {
	case datagrams:
		typ, proto = unix.SOCK_DGRAM, unix.IPPROTO_UDP
	case echo:
		typ, proto = unix.SOCK_DGRAM, unix.IPPROTO_ICMP
		if e.domain == unix.AF_INET6 {
			proto = unix.IPPROTO_ICMPV6
		}
	}
	fd, err := unix.Socket(e.domain, typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return -1, false, NoSocket, errnoOf(err)
	}
	if err := e.prepare(fd); err != nil {
		closeSocket(fd)
		return -1, false, BindFailed, errnoOf(err)
	}
	switch err := toAddress(unix.SYS_CONNECT, fd, e.to); err {
	case nil:
		return fd, false, OK, 0
	case unix.EINPROGRESS:
		return fd, true, OK, 0
	default:
		closeSocket(fd)
		errno = errnoOf(err)
		return -1, false, connectReason(errno, true), errno
	}
}

func (e *endpoint) prepare(fd int) error {
	if e.mark != 0 {
		if err := setOption(fd, unix.SOL_SOCKET, unix.SO_MARK, e.mark); err != nil {
			return err
		}
	}
	if e.device != "" {
		if err := unix.BindToDevice(fd, e.device); err != nil {
			return err
		}
	}
	if e.kind == datagrams {
		e.wantErrors(fd)
	}
	if e.bind == nil {
		return nil
	}
	if e.port {
		// The last connection from this port may still be in TIME_WAIT.
		_ = setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	} else if e.kind == stream {
		// The port is chosen by connect, per destination: bind alone would run
		// out of ports after 28,000 checks a minute.
		_ = setOption(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	return toAddress(unix.SYS_BIND, fd, e.bind)
}

// wantErrors makes every ICMP error visible, not only "port unreachable".
func (e *endpoint) wantErrors(fd int) {
	if e.domain == unix.AF_INET6 {
		_ = setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		return
	}
	_ = setOption(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
}

// connectReason judges a failed connect: what speaks of the server or the way
// to it counts, everything else is a fault of this host.
func connectReason(errno unix.Errno, atOnce bool) Reason {
	switch errno {
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENETDOWN:
		return Unreachable
	case unix.ETIMEDOUT:
		return ConnectTimeout
	case unix.ECONNREFUSED, unix.ECONNRESET, unix.ECONNABORTED:
		if atOnce {
			return ConnectError
		}
		return ConnectFailed
	}
	if atOnce {
		return NoPort
	}
	return ConnectFailed
}

func errnoOf(err error) unix.Errno {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return unix.EIO
}

// describe puts an errno into a result, with the C library's text, which
// begins with a capital.
func (r *Result) describe(reason Reason, errno unix.Errno) {
	r.Reason, r.Code = reason, int(errno)
	text := []byte(errno.Error())
	if len(text) > 0 && 'a' <= text[0] && text[0] <= 'z' {
		text[0] -= 'a' - 'A'
	}
	r.Text = string(text)
}
