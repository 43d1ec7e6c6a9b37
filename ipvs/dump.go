package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A table of thousands of servers is looked at every few seconds (the guard of
// internal/checkd). Netlink's answer has two sets of counters for each server,
// and costs the kernel and the reader several times what the older socket
// option costs: that gives the servers of a service as one array. But it knows
// only IPv4 and nothing of tunnels. So services are read by netlink, which
// tells everything, and servers by socket option where that tells everything.

// Socket options and sizes of linux/ip_vs.h.
const (
	soBase        = 64 + 1024 + 64
	soGetInfo     = soBase + 1
	soGetServices = soBase + 2
	soGetDests    = soBase + 4

	infoBytes         = 12  // struct ip_vs_getinfo
	servicesHeadBytes = 8   // struct ip_vs_get_services: number, padding
	serviceEntryBytes = 104 // struct ip_vs_service_entry
	destsHeadBytes    = 24  // struct ip_vs_get_dests: key, number, padding
	destEntryBytes    = 96  // struct ip_vs_dest_entry
	forwardMask       = 7   // IP_VS_CONN_F_FWD_MASK
)

// errIncomplete says that the socket option does not tell all of a service.
var errIncomplete = errors.New("not all servers can be read by socket option")

// Dump reads the whole table, the servers of each service in the order in
// which they were added. An empty table is no error.
func (k *Kernel) Dump() ([]Service, error) {
	all, err := k.services()
	if err != nil {
		return nil, err
	}
	counts := k.counts(len(all))
	for i := range all {
		s := &all[i]
		n, counted := counts[s.Key]
		s.Servers, err = nil, errIncomplete
		if counted {
			s.Servers, err = k.serversByOption(s.Key, n)
		}
		if err != nil {
			s.Servers, err = k.servers(s.Key)
		}
		if err != nil {
			return nil, err
		}
		slices.Reverse(s.Servers) // the kernel puts a new one first
	}
	return all, nil
}

// services reads the services without their servers.
func (k *Kernel) services() ([]Service, error) {
	var all []Service
	k.c.begin(k.c.family, cmdGetService, unix.NLM_F_DUMP)
	k.c.end()
	err := k.c.exchange(func(p []byte) error {
		s, err := parseService(p)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list IPVS services: %w", err)
	}
	return all, nil
}

func (k *Kernel) servers(key Key) ([]Server, error) {
	var all []Server
	k.c.begin(k.c.family, cmdGetDest, unix.NLM_F_DUMP)
	k.c.out = appendNest(k.c.out, attrService, func(b []byte) []byte { return appendKey(b, key) })
	k.c.end()
	err := k.c.exchange(func(p []byte) error {
		s, err := parseServer(p, key.Family)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list IPVS servers of %s: %w", key, err)
	}
	return all, nil
}

// counts tells how many servers each IPv4 service has; nil where the kernel
// does not say.
func (k *Kernel) counts(services int) map[Key]int {
	if services == 0 {
		return nil
	}
	b, err := k.serviceEntries()
	if err != nil {
		return nil
	}
	counts := make(map[Key]int, len(b)/serviceEntryBytes)
	for e := range slices.Chunk(b, serviceEntryBytes) {
		counts[entryKey(e)] = entryCount(e)
	}
	return counts
}

// serviceEntries reads the IPv4 services as an array of struct
// ip_vs_service_entry. The next reading overwrites it.
func (k *Kernel) serviceEntries() ([]byte, error) {
	if runtime.GOARCH == "386" { // there the structures are shorter
		return nil, errIncomplete
	}
	info := k.buffer(infoBytes)
	if err := k.option(soGetInfo, info); err != nil {
		return nil, err
	}
	n := int(u32(info[8:]))
	b := k.buffer(servicesHeadBytes + n*serviceEntryBytes)
	binary.NativeEndian.PutUint32(b, uint32(n))
	if err := k.option(soGetServices, b); err != nil {
		return nil, err
	}
	return b[servicesHeadBytes:], nil
}

// entryCount reads the number of servers in a struct ip_vs_service_entry.
func entryCount(e []byte) int { return int(u32(e[44:])) }

// entryKey reads protocol, address, port and mark: the beginning of struct
// ip_vs_service_entry.
func entryKey(e []byte) Key {
	if mark := u32(e[12:]); mark != 0 {
		return MarkKey(IPv4, mark)
	}
	a := netip.AddrFrom4([4]byte(e[4:8]))
	return Key{Family: IPv4, Protocol: Protocol(binary.NativeEndian.Uint16(e)), Addr: a, Port: binary.BigEndian.Uint16(e[8:])}
}

// serversByOption reads the n servers of an IPv4 service. errIncomplete: there
// are others too, or the tunnels of some are not told.
func (k *Kernel) serversByOption(key Key, n int) ([]Server, error) {
	b, err := k.destEntries(key, n)
	if err != nil {
		return nil, err
	}
	all := make([]Server, 0, n)
	for e := range slices.Chunk(b, destEntryBytes) {
		s, whole := entryServer(e)
		if !whole {
			return nil, errIncomplete
		}
		all = append(all, s)
	}
	return all, nil
}

// destEntries reads n servers of an IPv4 service as an array of struct
// ip_vs_dest_entry, the newest first. The next reading overwrites it.
func (k *Kernel) destEntries(key Key, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := k.buffer(destsHeadBytes + n*destEntryBytes)
	if key.Mark != 0 {
		binary.NativeEndian.PutUint32(b[12:], key.Mark)
	} else {
		a := key.Addr.As4()
		binary.NativeEndian.PutUint16(b, uint16(key.Protocol))
		copy(b[4:], a[:])
		binary.BigEndian.PutUint16(b[8:], key.Port)
	}
	binary.NativeEndian.PutUint32(b[16:], uint32(n))
	if err := k.option(soGetDests, b); err != nil {
		return nil, err
	}
	return b[destsHeadBytes:], nil
}

// entryServer reads one struct ip_vs_dest_entry. It reports false for what is
// not all told: a server of the other family, a tunnel.
func entryServer(e []byte) (Server, bool) {
	addr, forward := [4]byte(e), Forward(u32(e[8:])&forwardMask)
	return Server{
		Addr:    netip.AddrPortFrom(netip.AddrFrom4(addr), binary.BigEndian.Uint16(e[4:])),
		Forward: forward, Weight: u32(e[12:]), Upper: u32(e[16:]), Lower: u32(e[20:]),
	}, addr != [4]byte{} && forward != TUN
}

// buffer gives n zero bytes, the same ones each time.
func (k *Kernel) buffer(n int) []byte {
	k.buf = slices.Grow(k.buf[:0], n)[:n]
	clear(k.buf)
	return k.buf
}

// option asks the kernel to fill b, whose length it checks.
func (k *Kernel) option(name int, b []byte) error {
	size := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(k.opt), unix.IPPROTO_IP, uintptr(name),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
