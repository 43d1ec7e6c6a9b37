package nettest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Kind says what a captured frame is.
type Kind string

// The kinds a capture tells apart.
const (
	VRRP  Kind = "vrrp" // IP protocol 112, or 51 (AH)
	ARP   Kind = "arp"
	NA    Kind = "na" // ICMPv6 neighbour advertisement
	Other Kind = "other"
)

// Frame is one captured Ethernet frame.
type Frame struct {
	At       time.Time // the kernel's receive time
	Link     int       // interface index
	Outgoing bool      // sent by this host, seen on its way out
	Raw      []byte    // whole frame from the Ethernet header

	Kind     Kind
	SrcMAC   net.HardwareAddr
	DstMAC   net.HardwareAddr
	Src, Dst netip.Addr // IP addresses; for ARP sender and target
	TTL      int        // or hop limit
	Protocol int        // of the IP header

	// For VRRP, from the PDU's fixed header.
	Version, VRID, Priority, Count int
	PDU                            []byte

	// For ARP the operation; for NA the flag byte and the target.
	Op     int
	Flags  byte
	Target netip.Addr
}

// String shows a frame in one line for test output.
func (f Frame) String() string {
	s := fmt.Sprintf("%s %v>%v %v>%v", f.Kind, f.SrcMAC, f.DstMAC, f.Src, f.Dst)
	switch f.Kind {
	case VRRP:
		s += fmt.Sprintf(" v%d vrid %d prio %d count %d ttl %d", f.Version, f.VRID, f.Priority, f.Count, f.TTL)
	case ARP:
		s += fmt.Sprintf(" op %d", f.Op)
	case NA:
		s += fmt.Sprintf(" target %v flags %#x", f.Target, f.Flags)
	}
	return s
}

// Capture records the frames of one interface, or of all for "".
type Capture struct {
	t    testing.TB
	file *os.File

	mu     sync.Mutex // guards frames
	frames []Frame
	done   chan struct{}
}

// Capture starts recording and returns when it is in force. It ends with the
// test, or with Close.
func (ns *NS) Capture(link string) *Capture {
	ns.t.Helper()
	index := 0
	if link != "" {
		index = ns.Index(link)
	}
	fd, err := -1, error(nil)
	ns.Do(func() { fd, err = openCapture(index) })
	if err != nil {
		ns.t.Fatalf("capture %s in %s: %v", link, ns.Name, err)
	}
	c := &Capture{t: ns.t, file: os.NewFile(uintptr(fd), "capture"), done: make(chan struct{})}
	go c.read()
	ns.t.Cleanup(c.Close)
	return c
}

func openCapture(index int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	const buffer = 8 << 20 // thousands of small frames while the test is slow
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	if err == nil {
		// Binding starts reception, so nothing arrives before the options.
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: index})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// htons gives the number whose memory image is big-endian.
func htons(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

func (c *Capture) read() {
	defer close(c.done)
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	buf, oob := make([]byte, 65536), make([]byte, 256)
	for {
		n, at, from, err := receive(raw, buf, oob)
		if err != nil {
			return
		}
		f := Frame{At: at, Raw: slices.Clone(buf[:n])}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok {
			f.Link, f.Outgoing = ll.Ifindex, ll.Pkttype == unix.PACKET_OUTGOING
		}
		f.parse()
		c.mu.Lock()
		c.frames = append(c.frames, f)
		c.mu.Unlock()
	}
}

// receive reads one message of a socket with SO_TIMESTAMPNS, and when the
// kernel took it in.
func receive(raw syscall.RawConn, buf, oob []byte) (n int, at time.Time, from unix.Sockaddr, err error) {
	var oobn int
	werr := raw.Read(func(fd uintptr) bool {
		n, oobn, _, from, err = unix.Recvmsg(int(fd), buf, oob, 0)
		return err != unix.EAGAIN
	})
	if werr != nil {
		err = werr
	}
	return n, timestamp(oob[:max(oobn, 0)]), from, err
}

func timestamp(oob []byte) time.Time {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Time{}
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			sec := binary.NativeEndian.Uint64(m.Data)
			nsec := binary.NativeEndian.Uint64(m.Data[8:])
			return time.Unix(int64(sec), int64(nsec))
		}
	}
	return time.Time{}
}

// Close ends the recording; what was recorded stays readable.
func (c *Capture) Close() {
	c.file.Close()
	<-c.done
}

// Frames returns what was recorded so far, all kinds or only those given.
func (c *Capture) Frames(kinds ...Kind) []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Frame
	for _, f := range c.frames {
		if len(kinds) == 0 || slices.Contains(kinds, f.Kind) {
			out = append(out, f)
		}
	}
	return out
}

// Wait waits until a frame that match accepts was recorded and returns the first.
func (c *Capture) Wait(within time.Duration, what string, match func(Frame) bool) Frame {
	c.t.Helper()
	var found Frame
	Eventually(c.t, within, "a frame: "+what, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.IndexFunc(c.frames, match)
		if i >= 0 {
			found = c.frames[i]
		}
		return i >= 0
	})
	return found
}

// parse fills the fields from Raw as far as it understands it.
func (f *Frame) parse() {
	f.Kind = Other
	b := f.Raw
	if len(b) < 14 {
		return
	}
	f.DstMAC, f.SrcMAC = net.HardwareAddr(b[0:6]), net.HardwareAddr(b[6:12])
	payload := b[14:]
	switch binary.BigEndian.Uint16(b[12:]) {
	case unix.ETH_P_ARP:
		f.parseARP(payload)
	case unix.ETH_P_IP:
		f.parseIPv4(payload)
	case unix.ETH_P_IPV6:
		f.parseIPv6(payload)
	}
}

func (f *Frame) parseARP(b []byte) {
	if len(b) < 28 || b[4] != 6 || b[5] != 4 {
		return
	}
	f.Kind, f.Op = ARP, int(binary.BigEndian.Uint16(b[6:]))
	f.Src = netip.AddrFrom4([4]byte(b[14:18]))
	f.Dst = netip.AddrFrom4([4]byte(b[24:28]))
}

func (f *Frame) parseIPv4(b []byte) {
	if len(b) < 20 {
		return
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > len(b) {
		return
	}
	f.TTL, f.Protocol = int(b[8]), int(b[9])
	f.Src, f.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	payload := b[header:total]
	if f.Protocol == unix.IPPROTO_AH && len(payload) >= 24 {
		payload = payload[24:]
	} else if f.Protocol != 112 {
		return
	}
	f.parseVRRP(payload)
}

func (f *Frame) parseIPv6(b []byte) {
	if len(b) < 40 {
		return
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	f.TTL, f.Protocol = int(b[7]), int(b[6])
	f.Src, f.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	payload := b[40:]
	if length > len(payload) {
		return
	}
	payload = payload[:length]
	switch {
	case f.Protocol == 112:
		f.parseVRRP(payload)
	case f.Protocol == unix.IPPROTO_ICMPV6 && len(payload) >= 24 && payload[0] == 136:
		f.Kind, f.Flags = NA, payload[4]
		f.Target = netip.AddrFrom16([16]byte(payload[8:24]))
	}
}

func (f *Frame) parseVRRP(b []byte) {
	if len(b) < 8 {
		return
	}
	f.Kind, f.PDU = VRRP, b
	f.Version, f.VRID, f.Priority, f.Count = int(b[0]>>4), int(b[1]), int(b[2]), int(b[3])
}
