package ipvs

import (
	"fmt"
	"time"

	cloudflare "github.com/cloudflare/ipvs"
	"golang.org/x/sys/unix"
)

// Attributes of a synchronisation daemon, linux/ip_vs.h.
const (
	daemonState  = 1
	daemonIfname = 2
	daemonID     = 3
	daemonMaxLen = 4
	daemonGroup4 = 5
	daemonGroup6 = 6
	daemonPort   = 7
	daemonTTL    = 8
)

// StartSync starts a synchronisation daemon.
func (k *Kernel) StartSync(state SyncState, d SyncDaemon) error {
	k.c.begin(k.c.family, cmdNewDaemon, unix.NLM_F_ACK)
	k.c.out = appendNest(k.c.out, attrDaemon, func(b []byte) []byte {
		b = appendU32(b, daemonState, uint32(state))
		b = appendString(b, daemonIfname, d.Interface)
		b = appendU32(b, daemonID, uint32(d.ID))
		if d.MaxLen != 0 {
			b = appendU16(b, daemonMaxLen, d.MaxLen)
		}
		if d.Port != 0 {
			b = appendU16(b, daemonPort, d.Port)
		}
		if d.TTL != 0 {
			b = appendU8(b, daemonTTL, d.TTL)
		}
		switch {
		case d.Group.Is4():
			b = appendAttr(b, daemonGroup4, d.Group.AsSlice())
		case d.Group.Is6():
			b = appendAttr(b, daemonGroup6, d.Group.AsSlice())
		}
		return b
	})
	k.c.end()
	return k.fault(startDaemon, "", k.c.exchange(nil))
}

// StopSync stops a synchronisation daemon.
func (k *Kernel) StopSync(state SyncState, id uint8) error {
	k.c.begin(k.c.family, cmdDelDaemon, unix.NLM_F_ACK)
	k.c.out = appendNest(k.c.out, attrDaemon, func(b []byte) []byte {
		b = appendU32(b, daemonState, uint32(state))
		return appendU32(b, daemonID, uint32(id))
	})
	k.c.end()
	return k.fault(stopDaemon, "", k.c.exchange(nil))
}

// SyncDaemons lists the running synchronisation daemons.
func (k *Kernel) SyncDaemons() ([]RunningDaemon, error) {
	var all []RunningDaemon
	k.c.begin(k.c.family, cmdGetDaemon, unix.NLM_F_DUMP)
	k.c.end()
	err := k.c.exchange(func(p []byte) error {
		d, err := parseDaemon(p)
		all = append(all, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list IPVS sync daemons: %w", err)
	}
	return all, nil
}

// Zero sets the counters of one service and its servers to zero; with the
// zero Key those of all services.
func (k *Kernel) Zero(key Key) error {
	k.c.begin(k.c.family, cmdZero, unix.NLM_F_ACK)
	if key != (Key{}) {
		k.c.out = appendNest(k.c.out, attrService, func(b []byte) []byte { return appendKey(b, key) })
	}
	k.c.end()
	if err := k.c.exchange(nil); err != nil {
		return fmt.Errorf("zero IPVS counters: %w", err)
	}
	return nil
}

// Timeouts reads the idle limits of connections.
func (k *Kernel) Timeouts() (Timeouts, error) {
	c, err := k.lib.Config()
	if err != nil {
		return Timeouts{}, fmt.Errorf("read IPVS timeouts: %w", err)
	}
	s := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	return Timeouts{s(c.TCPTimeout), s(c.TCPFinTimeout), s(c.UDPTimeout)}, nil
}

// SetTimeouts changes the idle limits of connections; the kernel takes zero
// as "leave it".
func (k *Kernel) SetTimeouts(t Timeouts) error {
	s := func(d time.Duration) uint32 { return uint32(d / time.Second) }
	err := k.lib.SetConfig(cloudflare.Config{TCPTimeout: s(t.TCP), TCPFinTimeout: s(t.TCPFin), UDPTimeout: s(t.UDP)})
	return k.fault(setTimeout, "", err)
}

// Counters are the statistics of a service or server since its creation or
// the last Zero, and the kernel's estimate of the present rates per second.
type Counters struct {
	Connections, PacketsIn, PacketsOut, BytesIn, BytesOut uint64

	ConnectionRate, PacketRateIn, PacketRateOut, ByteRateIn, ByteRateOut uint64

	// Servers only.
	Active, Inactive, Persistent uint32
}

// ServerCounters are the counters of one server of a service.
type ServerCounters struct {
	Server Server
	Counters
}

// ServiceCounters reads the counters of one service.
func (k *Kernel) ServiceCounters(key Key) (Counters, error) {
	s, err := k.lib.Service(libKey(key))
	if err != nil {
		return Counters{}, fmt.Errorf("read counters of %s: %w", key, err)
	}
	return counters(s.Stats64), nil
}

// ServerCounters reads the counters of all servers of one service.
func (k *Kernel) ServerCounters(key Key) ([]ServerCounters, error) {
	var all []ServerCounters
	dests, err := k.lib.Destinations(libKey(key))
	if err != nil && !isEmpty(err) {
		return nil, fmt.Errorf("read counters of servers of %s: %w", key, err)
	}
	for _, d := range dests {
		c := counters(d.Stats64)
		c.Active, c.Inactive, c.Persistent = d.ActiveConnections, d.InactiveConnections, d.PersistentConnections
		all = append(all, ServerCounters{libServer(d.Destination), c})
	}
	return all, nil
}
