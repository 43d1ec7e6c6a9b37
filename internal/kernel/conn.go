package kernel

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// A batch is cut into sends of at most this many bytes and messages: the
	// kernel copies a send whole, and its answers must fit the receive buffer.
	batchBytes    = 48 << 10
	batchMessages = 256

	// The buffers asked for. An answer of an error costs about 1 KiB of the
	// receive buffer, so a whole batch of errors fits.
	sendBuffer    = 256 << 10
	receiveBuffer = 1 << 20

	// dumpTries bounds how often a dump that was interrupted by changes is
	// begun again.
	dumpTries = 10
)

// conn is a NETLINK_ROUTE socket for requests and their answers. It is joined
// to no group, so all it receives answers what it sent.
type conn struct {
	mu   sync.Mutex // guards fd's request-answer sequence and the fields below
	fd   int
	port uint32
	seq  uint32
	out  []byte
	in   []byte
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind rtnetlink socket: %w", err)
	}
	c := &conn{fd: fd, in: make([]byte, 64<<10)}
	if sa, err := unix.Getsockname(fd); err == nil {
		c.port = sa.(*unix.SockaddrNetlink).Pid
	}
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
	// Without these (kernels before 4.12 and 4.20) errors are bare numbers and
	// dumps are filtered here only.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return c, nil
}

// setBuffer sets a socket buffer beyond the system's limit if it may, else up
// to the limit.
func setBuffer(fd, force, normal, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, normal, size)
	}
}

// Buffer is a configured receive buffer (vrrp_netlink_cmd_rcv_bufs and so on).
type Buffer struct {
	Size  uint32 // bytes; 0: our usual size
	Force bool   // beyond the system's limit (net.core.rmem_max)
}

// set sets the receive buffer of a socket whose usual size is given.
func (b Buffer) set(fd, usual int) {
	switch {
	case b.Size == 0:
		setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, usual)
	case b.Force:
		setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, int(b.Size))
	default:
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, int(b.Size))
	}
}

// SetReceiveBuffer sets the receive buffer of the connection on which questions
// are asked.
func (k *Kernel) SetReceiveBuffer(b Buffer) { b.set(k.conn.fd, receiveBuffer) }

func (c *conn) close() error { return unix.Close(c.fd) }

// begin starts a message at the end of c.out and returns its offset.
func (c *conn) begin(typ, flags uint16) int {
	start := len(c.out)
	c.seq++
	c.out = native.AppendUint32(c.out, 0) // length, by end
	c.out = native.AppendUint16(c.out, typ)
	c.out = native.AppendUint16(c.out, flags|unix.NLM_F_REQUEST)
	c.out = native.AppendUint32(c.out, c.seq)
	c.out = native.AppendUint32(c.out, 0)
	return start
}

func (c *conn) end(start int) {
	native.PutUint32(c.out[start:], uint32(len(c.out)-start))
}

// batch sends n requests, of which encode appends the i-th body, and returns
// their outcomes: nil if all succeeded, else a slice of n. The requests are
// performed in order; one that fails does not stop the others.
func (c *conn) batch(typ, flags uint16, n int, encode func(b []byte, i int) []byte) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for done := 0; done < n; {
		c.out = c.out[:0]
		first, count, last := c.seq+1, 0, 0
		for done+count < n && count < batchMessages && len(c.out) < batchBytes {
			last = c.begin(typ, flags)
			c.out = encode(c.out, done+count)
			c.end(last)
			count++
		}
		// The kernel works through a send in order and answers every error, so
		// one acknowledgement, of the last request, ends the chunk.
		native.PutUint16(c.out[last+6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
		err := c.exchange(first, count, func(i int, e error) {
			if errs == nil {
				errs = make([]error, n)
			}
			errs[done+i] = e
		})
		if err != nil {
			if errs == nil {
				errs = make([]error, n)
			}
			for i := done; i < n; i++ {
				errs[i] = err
			}
			return errs
		}
		done += count
	}
	return errs
}

// exchange sends c.out and reads until the last of count requests, which are
// numbered from first, was answered.
func (c *conn) exchange(first uint32, count int, failed func(i int, err error)) error {
	if err := c.send(); err != nil {
		return err
	}
	for {
		b, err := c.receive()
		if err != nil {
			return err
		}
		for m, body := range messages(b) {
			i := int(m.Seq - first)
			if m.Type != unix.NLMSG_ERROR || i < 0 || i >= count {
				continue // an answer to something given up before
			}
			if err := parseError(m, body); err != nil {
				failed(i, err)
			}
			if i == count-1 {
				return nil
			}
		}
	}
}

// dump sends one request with body and hands every answer to each. It begins
// again, after restart, when the kernel says that the list changed meanwhile.
func (c *conn) dump(typ uint16, body []byte, restart func(), each func(typ uint16, body []byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range dumpTries {
		restart()
		c.out = c.out[:0]
		start := c.begin(typ, unix.NLM_F_DUMP)
		c.out = append(c.out, body...)
		c.end(start)
		if err := c.send(); err != nil {
			return err
		}
		interrupted, err := c.collect(each)
		if err != nil {
			return err
		}
		if !interrupted {
			return nil
		}
	}
	return fmt.Errorf("list changed during each of %d dumps", dumpTries)
}

// collect reads the answers of a dump to their end.
func (c *conn) collect(each func(typ uint16, body []byte) error) (interrupted bool, err error) {
	var first error
	for {
		b, err := c.receive()
		if err != nil {
			return false, err
		}
		for m, body := range messages(b) {
			if m.Seq != c.seq {
				continue
			}
			interrupted = interrupted || m.Flags&unix.NLM_F_DUMP_INTR != 0
			switch m.Type {
			case unix.NLMSG_DONE:
				return interrupted, first
			case unix.NLMSG_ERROR:
				return interrupted, parseError(m, body)
			default:
				// Read to the end even so: the socket is used again.
				if err := each(m.Type, body); err != nil && first == nil {
					first = err
				}
			}
		}
	}
}

// get sends one request that is answered by one message and hands that over.
func (c *conn) get(typ uint16, body []byte, each func(body []byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
	start := c.begin(typ, 0)
	c.out = append(c.out, body...)
	c.end(start)
	if err := c.send(); err != nil {
		return err
	}
	for {
		b, err := c.receive()
		if err != nil {
			return err
		}
		for m, body := range messages(b) {
			switch {
			case m.Seq != c.seq:
			case m.Type == unix.NLMSG_ERROR:
				return parseError(m, body)
			default:
				return each(body)
			}
		}
	}
}

func (c *conn) send() error {
	for {
		err := unix.Sendto(c.fd, c.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("send to rtnetlink: %w", err)
		}
	}
}

// receive reads one datagram. The kernel has answered before send returns, or
// continues a dump from within this call, so it does not wait for others.
func (c *conn) receive() ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(c.fd, c.in, 0)
		if err == nil {
			return c.in[:n], nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("receive from rtnetlink: %w", err)
		}
	}
}

// messages walks the messages of one datagram.
func messages(b []byte) func(func(unix.NlMsghdr, []byte) bool) {
	return func(yield func(unix.NlMsghdr, []byte) bool) {
		for len(b) >= nlmsgHeaderLen {
			m := unix.NlMsghdr{
				Len: native.Uint32(b), Type: native.Uint16(b[4:]), Flags: native.Uint16(b[6:]),
				Seq: native.Uint32(b[8:]), Pid: native.Uint32(b[12:]),
			}
			if m.Len < nlmsgHeaderLen || uint64(m.Len) > uint64(len(b)) {
				return
			}
			if !yield(m, b[nlmsgHeaderLen:m.Len]) {
				return
			}
			b = b[min(align4(int(m.Len)), len(b)):]
		}
	}
}

// RequestError is the kernel's refusal of a request.
type RequestError struct {
	Errno unix.Errno
	Type  uint16 // of the request: RTM_*
	Seq   uint32
	Text  string // the kernel's explanation, if it gave one
}

func (e *RequestError) Error() string {
	if e.Text == "" {
		return e.Errno.Error()
	}
	return fmt.Sprintf("%v (%s)", e.Errno, e.Text)
}

// Unwrap makes errors.Is find the errno.
func (e *RequestError) Unwrap() error { return e.Errno }

// TypeName is the name of the kind of request, as rtnetlink(7) has it.
func (e *RequestError) TypeName() string {
	switch e.Type {
	case unix.RTM_NEWLINK:
		return "RTM_NEWLINK"
	case unix.RTM_DELLINK:
		return "RTM_DELLINK"
	case unix.RTM_NEWADDR:
		return "RTM_NEWADDR"
	case unix.RTM_DELADDR:
		return "RTM_DELADDR"
	case unix.RTM_NEWROUTE:
		return "RTM_NEWROUTE"
	case unix.RTM_DELROUTE:
		return "RTM_DELROUTE"
	case unix.RTM_NEWRULE:
		return "RTM_NEWRULE"
	case unix.RTM_DELRULE:
		return "RTM_DELRULE"
	}
	return "RTM_?"
}

// parseError reads an NLMSG_ERROR: nil for an acknowledgement, else the errno
// with the kernel's explanation where it gives one.
func parseError(m unix.NlMsghdr, body []byte) error {
	if len(body) < 4 {
		return errMalformed
	}
	code := int32(native.Uint32(body))
	if code == 0 {
		return nil
	}
	e := &RequestError{Errno: unix.Errno(-code), Seq: m.Seq}
	// The request's header follows, and its body too unless it was capped.
	rest := body[4:]
	if len(rest) < nlmsgHeaderLen {
		return e
	}
	e.Type = native.Uint16(rest[4:])
	if m.Flags&unix.NLM_F_ACK_TLVS == 0 {
		return e
	}
	skip := nlmsgHeaderLen
	if m.Flags&unix.NLM_F_CAPPED == 0 {
		skip = align4(int(native.Uint32(rest)))
	}
	if skip < nlmsgHeaderLen || skip > len(rest) {
		return e
	}
	for typ, v := range attributes(rest[skip:]) {
		if typ == unix.NLMSGERR_ATTR_MSG {
			e.Text = cstring(v)
		}
	}
	return e
}
