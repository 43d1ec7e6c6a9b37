package ipvs

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	cloudflare "github.com/cloudflare/ipvs"
	"golang.org/x/sys/unix"
)

// Kernel is a connection to the kernel's IPVS in one network namespace. It is
// for one goroutine at a time; a second reader opens its own.
//
// Changes and dumps are packed here, because the library has neither the
// persistence engine nor more than one change per system call; timeouts and
// counters are the library's, on a socket of its own.
type Kernel struct {
	c   *conn
	lib cloudflare.Client
	opt int    // socket for what socket options tell
	buf []byte // for their answers

	entries []byte // for Same
}

// ErrMissing says that the kernel has no IPVS and the module could not be
// loaded.
var ErrMissing = fmt.Errorf("the kernel has no IPVS and module ip_vs cannot be loaded: %w", unix.ENOENT)

// Open connects to IPVS and loads its module if need be. netns is the name of
// a namespace below /run/netns or a path; empty: the namespace of the process.
func Open(netns string) (*Kernel, error) {
	var k *Kernel
	err := inNamespace(netns, func() (err error) {
		k, err = open()
		if errors.Is(err, unix.ENOENT) {
			if mod := loadModule(); mod != nil {
				return fmt.Errorf("%w; %w", ErrMissing, mod)
			}
			if k, err = open(); errors.Is(err, unix.ENOENT) {
				return ErrMissing
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

func open() (*Kernel, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	if err := c.resolve(); err != nil {
		c.close()
		return nil, fmt.Errorf("find netlink family %s: %w", familyName, err)
	}
	// The kernel grants GET_INFO only to those who may change the table, so
	// this is also the test of permission.
	c.begin(c.family, cmdGetInfo, unix.NLM_F_ACK)
	c.end()
	if err := c.exchange(nil); err != nil {
		c.close()
		return nil, fmt.Errorf("ask for IPVS version: %w", err)
	}
	lib, err := cloudflare.New()
	if err != nil {
		c.close()
		return nil, fmt.Errorf("open IPVS library: %w", err)
	}
	opt, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		opt = -1 // netlink tells the same
	}
	return &Kernel{c: c, lib: lib, opt: opt}, nil
}

// Close ends the connection; the table stays.
func (k *Kernel) Close() {
	k.c.close()
	if k.opt >= 0 {
		unix.Close(k.opt)
	}
	if c, ok := k.lib.(interface{ Close() error }); ok {
		c.Close()
	}
}

// Do performs the operations in order, many in one system call. Each that the
// kernel refuses is given to failed with its index, and the others are done
// all the same. The error is that of the connection, after which nothing is
// known of the operations not yet answered.
func (k *Kernel) Do(ops []Op, failed func(i int, f *Fault)) error {
	for start := 0; start < len(ops); {
		k.c.out = k.c.out[:0]
		first, n := k.c.seq+1, 0
		for start+n < len(ops) && n < batchMessages && len(k.c.out) < batchBytes {
			at := k.c.add(k.c.family, 0, unix.NLM_F_ACK)
			cmd, out := appendOp(k.c.out, ops[start+n])
			k.c.out = out
			k.c.out[at+nlHeaderLen] = cmd
			k.c.endAt(at)
			n++
		}
		if err := k.c.send(); err != nil {
			return err
		}
		err := k.c.acknowledge(first, k.c.seq, func(i int, err error) {
			if err == nil {
				return
			}
			op := ops[start+i]
			var f *Fault
			if errors.As(k.fault(commandOf(op.Verb), op.Object(), err), &f) {
				failed(start+i, f)
			}
		})
		if err != nil {
			return err
		}
		start += n
	}
	return nil
}

// inNamespace runs f on a thread that is in the network namespace.
func inNamespace(netns string, f func() error) error {
	if netns == "" {
		return f()
	}
	path := netns
	if path[0] != '/' {
		path = "/run/netns/" + netns
	}
	there, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer there.Close()
	done := make(chan error)
	go func() {
		// The thread is never unlocked, so it ends with the goroutine and no
		// other goroutine finds itself in the foreign namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace %s: %w", netns, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// libKey translates a key for the library.
func libKey(k Key) cloudflare.Service {
	return cloudflare.Service{Address: k.Addr, Port: k.Port, FWMark: k.Mark,
		Family: cloudflare.AddressFamily(k.Family), Protocol: cloudflare.Protocol(k.Protocol)}
}

// libServer translates a server from the library.
func libServer(d cloudflare.Destination) Server {
	s := Server{
		Addr:    netip.AddrPortFrom(d.Address, d.Port),
		Forward: Forward(d.FwdMethod),
		Tunnel:  Tunnel{TunnelType(d.TunnelType), d.TunnelPort, TunnelFlags(d.TunnelFlags)},
		Weight:  d.Weight,
		Upper:   d.UpperThreshold,
		Lower:   d.LowerThreshold,
	}
	return s.normal()
}

func counters(s cloudflare.Stats) Counters {
	return Counters{
		Connections: s.Connections, PacketsIn: s.IncomingPackets, PacketsOut: s.OutgoingPackets,
		BytesIn: s.IncomingBytes, BytesOut: s.OutgoingBytes,
		ConnectionRate: s.ConnectionRate, PacketRateIn: s.IncomingPacketRate, PacketRateOut: s.OutgoingPacketRate,
		ByteRateIn: s.IncomingByteRate, ByteRateOut: s.OutgoingByteRate,
	}
}

// isEmpty says that the library means an empty list.
func isEmpty(err error) bool { return errors.Is(err, os.ErrNotExist) }
