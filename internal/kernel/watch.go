package kernel

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// watchBuffer holds some thousands of notices: each costs the kernel about
	// 1 to 2 KiB until it is read.
	watchBuffer = 4 << 20
	// deliverMax bounds how many events are handed over in one call.
	deliverMax = 512
)

// Event is one change in the kernel: LinkEvent, AddrEvent, RouteEvent,
// RuleEvent or Resync.
type Event interface{ isEvent() }

// LinkEvent says that a link is new, has changed, or is gone. A rename shows as
// a changed name under the same index.
type LinkEvent struct {
	Link    Link
	Deleted bool
}

// AddrEvent says that an address is new, has changed, or is gone. Own is true
// if the Kernel that the Watcher was opened on asked for it itself.
type AddrEvent struct {
	Address Address
	Deleted bool
	Own     bool
}

// RouteEvent says that a route is new or gone.
type RouteEvent struct {
	Route   Route
	Deleted bool
	Own     bool
}

// RuleEvent says that a routing rule is new or gone.
type RuleEvent struct {
	Rule    Rule
	Deleted bool
	Own     bool
}

// Resync says that events were lost (the receive buffer overran): whatever is
// known must be read again. Events after it are complete again.
type Resync struct{}

func (LinkEvent) isEvent()  {}
func (AddrEvent) isEvent()  {}
func (RouteEvent) isEvent() {}
func (RuleEvent) isEvent()  {}
func (Resync) isEvent()     {}

// WatchOptions says what is watched besides links and addresses.
type WatchOptions struct {
	// Routes watches routes of RouteProtocol; zero means ProtocolKeepalived.
	// Other routes never leave the kernel, so a router with a full table of the
	// Internet costs nothing.
	Routes        bool
	RouteProtocol uint8
	// Rules watches routing rules.
	Rules bool
}

// Watcher delivers the changes of the network stack as one ordered stream.
type Watcher struct {
	file    *os.File
	port    uint32 // of the Kernel, whose own changes are marked
	deleted *pendingAddrs
	done    chan struct{}
	deliver func([]Event)
	buf     []byte
}

// Watch joins the notification groups and hands events, in the kernel's order,
// to deliver on a goroutine of its own, as many at a time as were there. To
// miss nothing, first Watch, then list. deliver keeps the slice; it may block,
// which delays reading and in the end costs a Resync.
func (k *Kernel) Watch(opts WatchOptions, deliver func([]Event)) (*Watcher, error) {
	fd, err := openWatch(opts)
	if err != nil {
		return nil, fmt.Errorf("watch the network stack: %w", err)
	}
	w := &Watcher{
		file: os.NewFile(uintptr(fd), "rtnetlink"), port: k.conn.port, deleted: &k.deleted,
		done: make(chan struct{}), deliver: deliver, buf: make([]byte, 64<<10),
	}
	go w.run()
	return w, nil
}

// SetReceiveBuffer sets the receive buffer of the stream of changes.
func (w *Watcher) SetReceiveBuffer(b Buffer) {
	if raw, err := w.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { b.set(int(fd), watchBuffer) })
	}
}

func openWatch(opts WatchOptions) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, err
	}
	Buffer{}.set(fd, watchBuffer)
	groups := []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR}
	if opts.Routes {
		groups = append(groups, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
		err = onlyRoutesOf(fd, opts.RouteProtocol)
	}
	if opts.Rules {
		groups = append(groups, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	for _, g := range groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// onlyRoutesOf lets the kernel drop route notices of other protocols before
// they are queued.
func onlyRoutesOf(fd int, protocol uint8) error {
	if protocol == 0 {
		protocol = ProtocolKeepalived
	}
	// A filter reads 16 bits as big-endian; netlink writes host order.
	hostOrder := func(v uint16) uint32 { return uint32(networkOrder(v)) }
	const all = 1 << 20
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 2}, // nlmsg_type
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: hostOrder(unix.RTM_NEWROUTE), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: hostOrder(unix.RTM_DELROUTE), SkipTrue: 3},
		bpf.LoadAbsolute{Off: nlmsgHeaderLen + 5, Size: 1}, // rtm_protocol
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(protocol), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: all},
	})
	if err != nil {
		return err
	}
	return attachFilter(fd, prog)
}

func attachFilter(fd int, prog []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// Close ends the stream; deliver is not called after it returns. It must not be
// called from deliver.
func (w *Watcher) Close() error {
	err := w.file.Close()
	<-w.done
	return err
}

func (w *Watcher) run() {
	defer close(w.done)
	raw, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		var events []Event
		err := raw.Read(func(fd uintptr) bool {
			events = w.drain(int(fd))
			return len(events) > 0
		})
		if err != nil {
			return // closed
		}
		w.deliver(events)
	}
}

// drain reads what is there, up to deliverMax events.
func (w *Watcher) drain(fd int) []Event {
	var events []Event
	for len(events) < deliverMax {
		n, _, err := unix.Recvfrom(fd, w.buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return events
		case err != nil:
			// ENOBUFS: the kernel dropped notices. It is reported once, then
			// reading goes on with what comes after.
			events = append(events, Resync{})
			w.deleted.forget()
			if !errors.Is(err, unix.ENOBUFS) {
				return events
			}
		default:
			for m, body := range messages(w.buf[:n]) {
				e := parseEvent(m.Type, body, m.Pid == w.port)
				if a, ok := e.(AddrEvent); ok && a.Deleted {
					a.Own = w.deleted.take(a.Address)
					e = a
				}
				if e != nil {
					events = append(events, e)
				}
			}
		}
	}
	return events
}

// parseEvent gives nil for what is not of interest.
func parseEvent(typ uint16, body []byte, own bool) Event {
	switch typ {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		// A bridge reports its ports as links of family AF_BRIDGE, and a port
		// that leaves it as a deleted link.
		if l, err := parseLink(body); err == nil && body[0] == unix.AF_UNSPEC {
			return LinkEvent{l, typ == unix.RTM_DELLINK}
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if a, err := parseAddress(body); err == nil {
			return AddrEvent{a, typ == unix.RTM_DELADDR, own}
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if r, err := parseRoute(body); err == nil {
			return RouteEvent{r, typ == unix.RTM_DELROUTE, own}
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		if r, err := parseRule(body); err == nil {
			return RuleEvent{r, typ == unix.RTM_DELRULE, own}
		}
	}
	return nil
}
