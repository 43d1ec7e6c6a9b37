package bfdd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/internal/log"
)

// Ports of RFC 5881 section 4 and RFC 5883 section 5.
const (
	portSingle   = 3784
	portMultihop = 4784
	sourceLow    = 49152 // RFC 5881 section 4: source ports
	sourceHigh   = 65535
	fewPorts     = 1024 // if the kernel's range leaves fewer, it is ignored
	bindTries    = 64
	packetBuffer = 256 // longer ones are bogus anyway
)

// retryOpen is how often opening a sending socket is tried again.
const retryOpen = 60 * time.Second

// listener receives the packets of one port, for all sessions.
type listener struct {
	multihop bool
	fd       int
	file     *os.File
}

// listen opens the receiving sockets that the sessions want and closes the
// others. It reports false if none could be opened.
func (d *daemon) listen(configs []bfd.Config) bool {
	for _, multihop := range []bool{false, true} {
		want := slices.ContainsFunc(configs, func(c bfd.Config) bool { return c.Multihop == multihop })
		i := slices.IndexFunc(d.listeners, func(l *listener) bool { return l.multihop == multihop })
		switch {
		case want && i < 0:
			l, err := openListener(multihop)
			if err != nil {
				what := "listening"
				if multihop {
					what = "multihop listening"
				}
				log.Err("Unable to open %s socket: %v", what, err)
				continue
			}
			d.listeners = append(d.listeners, l)
			go l.read(d)
		case !want && i >= 0:
			d.listeners[i].close()
			d.listeners = slices.Delete(d.listeners, i, i+1)
		}
	}
	return len(configs) == 0 || len(d.listeners) > 0
}

// openListener opens a socket for both families, or for IPv4 where the kernel
// has no IPv6.
func openListener(multihop bool) (*listener, error) {
	port := portSingle
	if multihop {
		port = portMultihop
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	var addr unix.Sockaddr = &unix.SockaddrInet6{Port: port}
	if err == nil {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	} else {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
		addr = &unix.SockaddrInet4{Port: port}
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTTL, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	if err := unix.Bind(fd, addr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind to port %d: %w", port, err)
	}
	return &listener{multihop: multihop, fd: fd, file: os.NewFile(uintptr(fd), "bfd")}, nil
}

func (l *listener) close() { l.file.Close() }

// read is the goroutine that waits for packets and posts them.
func (l *listener) read(d *daemon) {
	conn, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		var in bfd.Received
		var got bool
		if conn.Read(func(fd uintptr) bool {
			in, got, err = l.receive(int(fd))
			return !errors.Is(err, unix.EAGAIN)
		}) != nil {
			return // closed
		}
		if !got {
			continue
		}
		if !d.loop.Post(func(now time.Time) { d.received(now, in) }) {
			return
		}
	}
}

// drain hears what waits in the socket, from the loop.
func (l *listener) drain(d *daemon) {
	for {
		in, got, err := l.receive(l.fd)
		if err != nil {
			return
		}
		if got {
			d.received(time.Now(), in)
		}
	}
}

func (d *daemon) received(now time.Time, in bfd.Received) {
	for name, s := range d.senders { // a packet is a reason to try at once
		if s.fd < 0 && s.cfg.Neighbor.WithZone("") == in.From.WithZone("") {
			d.openSender(now, name, s)
		}
	}
	d.router.Receive(now, in)
}

// receive reads one packet.
func (l *listener) receive(fd int) (in bfd.Received, got bool, err error) {
	buf := make([]byte, packetBuffer)
	oob := make([]byte, 128)
	n, oobn, _, from, err := unix.Recvmsg(fd, buf, oob, 0)
	if err != nil {
		return in, false, err
	}
	in = bfd.Received{TTL: -1, Multihop: l.multihop, Bytes: buf[:n]}
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		in.From = netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		in.From = netip.AddrFrom16(a.Addr).Unmap()
	default:
		return in, false, nil
	}
	readControl(oob[:oobn], &in)
	return in, true, nil
}

// readControl takes TTL and destination from the ancillary data. A socket for
// both families gets IPv4's destination twice, mapped and plain.
func readControl(oob []byte, in *bfd.Received) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL && len(m.Data) >= 4,
			m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4:
			in.TTL = int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			in.To = netip.AddrFrom16([16]byte(m.Data[:16])).Unmap()
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 12:
			in.To = netip.AddrFrom4([4]byte(m.Data[8:12]))
		}
	}
}

// sender is the sending socket of one session.
type sender struct {
	cfg     bfd.Config
	fd      int // -1: could not be opened
	to      unix.Sockaddr
	retryAt time.Time
}

// setSenders opens the sockets of new sessions, and anew those of sessions
// whose addresses changed; others stay.
func (d *daemon) setSenders(now time.Time, configs []bfd.Config) {
	old := d.senders
	d.senders = map[string]*sender{}
	for _, c := range configs {
		s, ok := old[c.Name]
		if ok && s.fd >= 0 && s.cfg.Neighbor == c.Neighbor && s.cfg.Source == c.Source &&
			s.cfg.TTL == c.TTL && s.cfg.Multihop == c.Multihop {
			s.cfg = c
			d.senders[c.Name] = s
			delete(old, c.Name)
			continue
		}
		s = &sender{cfg: c, fd: -1}
		d.senders[c.Name] = s
		d.openSender(now, c.Name, s)
	}
	for _, s := range old {
		if s.fd >= 0 {
			unix.Close(s.fd)
		}
	}
}

func (d *daemon) openSender(now time.Time, name string, s *sender) {
	fd, to, err := openSocket(s.cfg)
	if err != nil {
		log.Err("(%s) %v", name, err)
		log.Err("(%s) Unable to open output socket, disabling instance", name)
		s.retryAt = now.Add(retryOpen)
		return
	}
	s.fd, s.to, s.retryAt = fd, to, time.Time{}
	d.router.Enable(now, name)
}

func (d *daemon) nextRetry() time.Time {
	var next time.Time
	for _, s := range d.senders {
		if !s.retryAt.IsZero() && (next.IsZero() || s.retryAt.Before(next)) {
			next = s.retryAt
		}
	}
	return next
}

func (d *daemon) retrySenders(now time.Time) {
	for name, s := range d.senders {
		if !s.retryAt.IsZero() && !s.retryAt.After(now) {
			d.openSender(now, name, s)
		}
	}
}

// openSocket opens the sending socket of a session, bound to its source address
// and a port of the range that RFC 5881 section 4 asks for.
func openSocket(c bfd.Config) (fd int, to unix.Sockaddr, err error) {
	port := portSingle
	if c.Multihop {
		port = portMultihop
	}
	family := unix.AF_INET
	if c.Neighbor.Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, nil, fmt.Errorf("socket() error (%w)", err)
	}
	if c.Neighbor.Is6() {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, int(c.TTL))
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, int(c.TTL))
	}
	if err == nil {
		err = bindSource(fd, c)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, sockaddr(c.Neighbor, port), nil
}

// bindSource binds to the source address, or to any, and a random free port.
func bindSource(fd int, c bfd.Config) error {
	source := c.Source
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
		if c.Neighbor.Is6() {
			source = netip.IPv6Unspecified()
		}
	}
	low, high := sourcePorts()
	var err error
	for range bindTries {
		if err = unix.Bind(fd, sockaddr(source, low+rand.IntN(high-low+1))); !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bind() error (%w)", err)
	}
	return nil
}

// sourcePorts is the part of RFC 5881's range that the kernel uses too, unless
// that is too small.
func sourcePorts() (low, high int) {
	low, high = sourceLow, sourceHigh
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if f := strings.Fields(string(b)); err == nil && len(f) == 2 {
		from, err1 := strconv.Atoi(f[0])
		to, err2 := strconv.Atoi(f[1])
		if from, to = max(from, low), min(to, high); err1 == nil && err2 == nil && to-from+1 >= fewPorts {
			return from, to
		}
	}
	return low, high
}

func sockaddr(a netip.Addr, port int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: a.As4()}
	}
	s := &unix.SockaddrInet6{Port: port, Addr: a.As16()}
	if zone, err := strconv.Atoi(a.Zone()); err == nil {
		s.ZoneId = uint32(zone)
	}
	return s
}

// send sends a packet; failures are said once per run of them.
func (d *daemon) send(now time.Time, e *bfd.Send) {
	s := d.senders[e.Session]
	if s == nil || s.fd < 0 {
		d.router.Disable(now, e.Session)
		return
	}
	err := unix.Sendto(s.fd, e.Bytes[:], unix.MSG_DONTWAIT, s.to)
	if errors.Is(err, unix.ECONNREFUSED) {
		err = unix.Sendto(s.fd, e.Bytes[:], unix.MSG_DONTWAIT, s.to) // the error was the last packet's
	}
	if d.router.SendFailed(e.Session, err != nil) {
		log.Err("(%s) Error sending packet", e.Session)
		log.Err("sendto() error (%v)", err)
	}
}
