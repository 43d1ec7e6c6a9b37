package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Attribute and command numbers of linux/ip_vs.h.
const (
	familyName    = "IPVS"
	familyVersion = 1

	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdNewDaemon  = 9
	cmdDelDaemon  = 10
	cmdGetDaemon  = 11
	cmdGetInfo    = 15
	cmdZero       = 16
	cmdFlush      = 17

	attrService = 1
	attrDest    = 2
	attrDaemon  = 3
)

// Generic netlink's own numbers, linux/genetlink.h.
const (
	ctrlID            = 0x10
	ctrlGetFamily     = 3
	ctrlAttrFamilyID  = 1
	ctrlAttrFamName   = 2
	nlHeaderLen       = 16
	genlHeaderLen     = 4
	recvBufferBytes   = 64 << 10 // the kernel's dump chunks are at most 32 kB
	batchMessages     = 64       // answers of one batch must fit the socket's receive buffer
	batchBytes        = 16 << 10
	sockReceiveWindow = 1 << 20
)

// errTruncated says that the kernel's answer ends in the middle.
var errTruncated = errors.New("truncated netlink message")

// conn is a generic netlink socket for one user at a time. Calls are plain
// blocking system calls: the kernel handles a request within sendto, so its
// answer is there at once.
type conn struct {
	fd     int
	family uint16
	seq    uint32
	out    []byte
	in     []byte
}

// dial opens a socket in the network namespace of the calling thread.
func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	c := &conn{fd: fd, in: make([]byte, recvBufferBytes)}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		c.close()
		return nil, fmt.Errorf("bind netlink socket: %w", err)
	}
	// Short acknowledgements; a kernel without the option only answers longer.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, sockReceiveWindow)
	// An answer that never comes must not hang the process.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	return c, nil
}

func (c *conn) close() { unix.Close(c.fd) }

// resolve asks the kernel for the number of the IPVS family; unix.ENOENT
// means that ip_vs is not there.
func (c *conn) resolve() error {
	c.begin(ctrlID, ctrlGetFamily, unix.NLM_F_ACK)
	c.out = appendString(c.out, ctrlAttrFamName, familyName)
	c.end()
	var id uint16
	err := c.exchange(func(p []byte) error {
		return eachAttr(p, func(typ uint16, v []byte) {
			if typ == ctrlAttrFamilyID && len(v) >= 2 {
				id = binary.NativeEndian.Uint16(v)
			}
		})
	})
	if err != nil {
		return err
	}
	if id == 0 {
		return unix.ENOENT
	}
	c.family = id
	return nil
}

// begin starts one message, alone in the buffer.
func (c *conn) begin(family uint16, cmd uint8, flags uint16) {
	c.out = c.out[:0]
	c.add(family, cmd, flags)
}

// add appends the headers of one more message and returns where it starts;
// its length is written by endAt.
func (c *conn) add(family uint16, cmd uint8, flags uint16) int {
	start := len(c.out)
	c.seq++
	c.out = append(c.out, 0, 0, 0, 0)
	c.out = binary.NativeEndian.AppendUint16(c.out, family)
	c.out = binary.NativeEndian.AppendUint16(c.out, unix.NLM_F_REQUEST|flags)
	c.out = binary.NativeEndian.AppendUint32(c.out, c.seq)
	c.out = binary.NativeEndian.AppendUint32(c.out, 0)
	c.out = append(c.out, cmd, familyVersion, 0, 0)
	return start
}

func (c *conn) end() { c.endAt(0) }

func (c *conn) endAt(start int) {
	binary.NativeEndian.PutUint32(c.out[start:], uint32(len(c.out)-start))
}

func (c *conn) send() error {
	err := unix.Sendto(c.fd, c.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return fmt.Errorf("send netlink request: %w", err)
	}
	return nil
}

// receive calls f for each message of one datagram.
func (c *conn) receive(f func(typ uint16, seq uint32, payload []byte) error) error {
	n, _, err := unix.Recvfrom(c.fd, c.in, 0)
	for errors.Is(err, unix.EINTR) {
		n, _, err = unix.Recvfrom(c.fd, c.in, 0)
	}
	if err != nil {
		return fmt.Errorf("receive netlink answer: %w", err)
	}
	return eachMessage(c.in[:n], f)
}

// exchange sends what is in the buffer, one message, and gives each payload
// of the answer to f, without its generic netlink header. It returns the
// kernel's errno as it is.
func (c *conn) exchange(f func(payload []byte) error) error {
	if err := c.send(); err != nil {
		return err
	}
	want := c.seq
	for {
		done := false
		var bad error // the first; the datagram is read to its end
		err := c.receive(func(typ uint16, seq uint32, p []byte) error {
			switch {
			case seq != want: // left over from a request that was given up
			case typ == unix.NLMSG_ERROR, typ == unix.NLMSG_DONE:
				done = true
				bad = errors.Join(bad, errnoOf(p))
			case len(p) >= genlHeaderLen && f != nil && bad == nil:
				bad = f(p[genlHeaderLen:])
			}
			return nil
		})
		if err != nil {
			return err
		}
		if done {
			return single(bad)
		}
	}
}

// single unwraps a join of one, so that an errno stays comparable and short.
func single(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok && len(j.Unwrap()) == 1 {
		return j.Unwrap()[0]
	}
	return err
}

// acknowledge collects the answers of a batch whose messages have the
// sequence numbers first to last; each answer goes to f.
func (c *conn) acknowledge(first, last uint32, f func(i int, err error)) error {
	for left := int(last - first + 1); left > 0; {
		err := c.receive(func(typ uint16, seq uint32, p []byte) error {
			if typ == unix.NLMSG_ERROR && seq-first <= last-first {
				left--
				f(int(seq-first), errnoOf(p))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// errnoOf reads the error of an acknowledgement or the end of a dump.
func errnoOf(p []byte) error {
	if len(p) < 4 {
		return nil // an old kernel's empty end of dump
	}
	if e := int32(binary.NativeEndian.Uint32(p)); e < 0 {
		return unix.Errno(-e)
	}
	return nil
}

// eachMessage splits one datagram.
func eachMessage(b []byte, f func(typ uint16, seq uint32, payload []byte) error) error {
	for len(b) >= nlHeaderLen {
		n := int(binary.NativeEndian.Uint32(b))
		if n < nlHeaderLen || n > len(b) {
			return errTruncated
		}
		typ := binary.NativeEndian.Uint16(b[4:])
		seq := binary.NativeEndian.Uint32(b[8:])
		if err := f(typ, seq, b[nlHeaderLen:n]); err != nil {
			return err
		}
		b = b[min(align(n), len(b)):]
	}
	if len(b) > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// eachAttr calls f for each attribute of b; v is the part of b that is its
// value.
func eachAttr(b []byte, f func(typ uint16, v []byte)) error {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		typ := binary.NativeEndian.Uint16(b[2:]) & 0x3fff // without the nested and byte order bits
		if n < 4 || n > len(b) {
			return errTruncated
		}
		f(typ, b[4:n])
		b = b[min(align(n), len(b)):]
	}
	return nil
}

func align(n int) int { return (n + 3) &^ 3 }

func appendAttr(b []byte, typ uint16, v []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(v)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, v...)
	return append(b, 0, 0, 0)[:align(len(b))]
}

func appendString(b []byte, typ uint16, s string) []byte {
	return appendAttr(b, typ, append([]byte(s), 0))
}

func appendU8(b []byte, typ uint16, v uint8) []byte { return appendAttr(b, typ, []byte{v}) }

func appendU16(b []byte, typ, v uint16) []byte {
	var x [2]byte
	binary.NativeEndian.PutUint16(x[:], v)
	return appendAttr(b, typ, x[:])
}

func appendU32(b []byte, typ uint16, v uint32) []byte {
	var x [4]byte
	binary.NativeEndian.PutUint32(x[:], v)
	return appendAttr(b, typ, x[:])
}

// appendPort writes a port, which is in network order on the wire.
func appendPort(b []byte, typ, port uint16) []byte {
	return appendAttr(b, typ, []byte{byte(port >> 8), byte(port)})
}

// appendAddr writes an address in the kernel's 16 bytes; an IPv4 address is in
// the first four.
func appendAddr(b []byte, typ uint16, a netip.Addr) []byte {
	var x [16]byte
	copy(x[:], a.AsSlice())
	return appendAttr(b, typ, x[:])
}

// appendNest writes an attribute whose value fill appends.
func appendNest(b []byte, typ uint16, fill func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = fill(b)
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	binary.NativeEndian.PutUint16(b[start+2:], typ|unix.NLA_F_NESTED)
	return b
}
