package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

const ifinfomsgLen = 16

// ErrNoLink is returned where a link that was named does not exist.
var ErrNoLink = errors.New("no such link")

// Link is one network interface as the kernel describes it.
type Link struct {
	Index int
	Name  string
	// Flags are IFF_* (unix.IFF_UP and so on).
	Flags uint32
	// Type is ARPHRD_* (unix.ARPHRD_ETHER and so on).
	Type uint16
	MTU  int
	// MAC and Broadcast are hardware addresses: 6 bytes for Ethernet, 20 for
	// InfiniBand, none for a tunnel.
	MAC, Broadcast net.HardwareAddr
	// Kind is the driver's name, "macvlan", "vrf", "bond", …; empty for hardware.
	Kind string
	// Parent is the index of the link this one stands on (macvlan, VLAN), zero
	// if none; ParentElsewhere says that it is in another network namespace.
	Parent          int
	ParentElsewhere bool
	// Master is the index of the bridge, bond or VRF this link belongs to.
	Master int
	// Group is the interface group (ip link … group).
	Group uint32
	// Mode is the macvlan mode (MACVLAN_MODE_*) or the ipvlan mode, VRFTable
	// the table of a VRF device.
	Mode     uint32
	VRFTable uint32
	// AddrGenMode says how IPv6 link-local addresses are made (IN6_ADDR_GEN_MODE_*).
	AddrGenMode uint8
}

// Up reports whether the link is administratively up and has carrier. VRRP
// counts nothing else as up.
func (l Link) Up() bool { return l.Flags&unix.IFF_UP != 0 && l.Flags&unix.IFF_RUNNING != 0 }

// Multicast reports whether the link can send to groups.
func (l Link) Multicast() bool { return l.Flags&unix.IFF_MULTICAST != 0 }

// NoARP reports whether the link resolves no addresses, so that announcing them
// makes no sense.
func (l Link) NoARP() bool { return l.Flags&unix.IFF_NOARP != 0 }

// Equal reports whether nothing of what Link holds differs.
func (l Link) Equal(m Link) bool {
	if !bytes.Equal(l.MAC, m.MAC) || !bytes.Equal(l.Broadcast, m.Broadcast) {
		return false
	}
	a, b := l, m
	a.MAC, a.Broadcast, b.MAC, b.Broadcast = nil, nil, nil, nil
	return a.Index == b.Index && a.Name == b.Name && a.Flags == b.Flags && a.Type == b.Type &&
		a.MTU == b.MTU && a.Kind == b.Kind && a.Parent == b.Parent &&
		a.ParentElsewhere == b.ParentElsewhere && a.Master == b.Master && a.Group == b.Group &&
		a.Mode == b.Mode && a.VRFTable == b.VRFTable && a.AddrGenMode == b.AddrGenMode
}

// parseLink reads the body of RTM_NEWLINK or RTM_DELLINK.
func parseLink(b []byte) (Link, error) {
	if len(b) < ifinfomsgLen {
		return Link{}, errMalformed
	}
	l := Link{Type: native.Uint16(b[2:]), Index: int(int32(native.Uint32(b[4:]))), Flags: native.Uint32(b[8:])}
	for typ, v := range attributes(b[ifinfomsgLen:]) {
		switch typ {
		case unix.IFLA_IFNAME:
			l.Name = cstring(v)
		case unix.IFLA_MTU:
			l.MTU = int(u32(v))
		case unix.IFLA_ADDRESS:
			l.MAC = bytes.Clone(v)
		case unix.IFLA_BROADCAST:
			l.Broadcast = bytes.Clone(v)
		case unix.IFLA_LINK:
			l.Parent = int(u32(v))
		case unix.IFLA_LINK_NETNSID:
			l.ParentElsewhere = true
		case unix.IFLA_MASTER:
			l.Master = int(u32(v))
		case unix.IFLA_GROUP:
			l.Group = u32(v)
		case unix.IFLA_LINKINFO:
			l.parseInfo(v)
		case unix.IFLA_AF_SPEC:
			l.parseFamilies(v)
		}
	}
	return l, nil
}

func (l *Link) parseInfo(b []byte) {
	var data []byte
	for typ, v := range attributes(b) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			l.Kind = cstring(v)
		case unix.IFLA_INFO_DATA:
			data = v
		}
	}
	for typ, v := range attributes(data) {
		switch {
		case l.Kind == "macvlan" && typ == unix.IFLA_MACVLAN_MODE:
			l.Mode = u32(v)
		case l.Kind == "ipvlan" && typ == unix.IFLA_IPVLAN_MODE:
			l.Mode = uint32(u16(v))
		case l.Kind == "vrf" && typ == unix.IFLA_VRF_TABLE:
			l.VRFTable = u32(v)
		}
	}
}

func (l *Link) parseFamilies(b []byte) {
	for family, v := range attributes(b) {
		if family != unix.AF_INET6 {
			continue
		}
		for typ, v := range attributes(v) {
			if typ == unix.IFLA_INET6_ADDR_GEN_MODE {
				l.AddrGenMode = u8(v)
			}
		}
	}
}

// Links lists all links.
func (k *Kernel) Links() ([]Link, error) {
	var all []Link
	err := k.conn.dump(unix.RTM_GETLINK, make([]byte, ifinfomsgLen), func() { all = all[:0] },
		func(typ uint16, body []byte) error {
			if typ != unix.RTM_NEWLINK {
				return nil
			}
			l, err := parseLink(body)
			all = append(all, l)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return all, nil
}

// LinkByName reads one link. The error is ErrNoLink if it does not exist.
func (k *Kernel) LinkByName(name string) (Link, error) {
	l, err := k.getLink(appendString(make([]byte, ifinfomsgLen), unix.IFLA_IFNAME, name))
	if err != nil {
		return Link{}, fmt.Errorf("link %s: %w", name, err)
	}
	return l, nil
}

// LinkByIndex reads one link. The error is ErrNoLink if it does not exist.
func (k *Kernel) LinkByIndex(index int) (Link, error) {
	body := make([]byte, ifinfomsgLen)
	native.PutUint32(body[4:], uint32(index))
	l, err := k.getLink(body)
	if err != nil {
		return Link{}, fmt.Errorf("link %d: %w", index, err)
	}
	return l, nil
}

func (k *Kernel) getLink(body []byte) (Link, error) {
	var l Link
	err := k.conn.get(unix.RTM_GETLINK, body, func(body []byte) (err error) {
		l, err = parseLink(body)
		return err
	})
	if errors.Is(err, unix.ENODEV) {
		err = ErrNoLink
	}
	return l, err
}

// setLink sends one RTM_NEWLINK that changes an existing link.
func (k *Kernel) setLink(index int, flags, change uint32, attrs func(b []byte) []byte) error {
	errs := k.conn.batch(unix.RTM_NEWLINK, 0, 1, func(b []byte, _ int) []byte {
		b = append(b, unix.AF_UNSPEC, 0, 0, 0)
		b = native.AppendUint32(b, uint32(index))
		b = native.AppendUint32(b, flags)
		b = native.AppendUint32(b, change)
		if attrs != nil {
			b = attrs(b)
		}
		return b
	})
	if errs == nil {
		return nil
	}
	if errors.Is(errs[0], unix.ENODEV) {
		return ErrNoLink
	}
	return errs[0]
}

// SetLinkUp sets a link administratively up or down.
func (k *Kernel) SetLinkUp(index int, up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	if err := k.setLink(index, flags, unix.IFF_UP, nil); err != nil {
		return fmt.Errorf("set link %d up %v: %w", index, up, err)
	}
	return nil
}

// SetLinkMaster puts a link into a VRF, bridge or bond; zero takes it out.
func (k *Kernel) SetLinkMaster(index, master int) error {
	err := k.setLink(index, 0, 0, func(b []byte) []byte {
		return appendU32(b, unix.IFLA_MASTER, uint32(master))
	})
	if err != nil {
		return fmt.Errorf("set master of link %d to %d: %w", index, master, err)
	}
	return nil
}

// SetLinkGroup sets the interface group. Setting the group it has makes the
// kernel report the link to every Watcher, which is what netlink_notify_msg
// wants.
func (k *Kernel) SetLinkGroup(index int, group uint32) error {
	err := k.setLink(index, 0, 0, func(b []byte) []byte {
		return appendU32(b, unix.IFLA_GROUP, group)
	})
	if err != nil {
		return fmt.Errorf("set group of link %d to %d: %w", index, group, err)
	}
	return nil
}

// RenameLink gives a link another name, which kernels before 6.2 do only while
// it is down.
func (k *Kernel) RenameLink(index int, name string) error {
	rename := func() error {
		return k.setLink(index, 0, 0, func(b []byte) []byte { return appendString(b, unix.IFLA_IFNAME, name) })
	}
	err := rename()
	if errors.Is(err, unix.EBUSY) {
		if err = k.SetLinkUp(index, false); err == nil {
			err = errors.Join(rename(), k.SetLinkUp(index, true))
		}
	}
	if err != nil {
		return fmt.Errorf("rename link %d to %s: %w", index, name, err)
	}
	return nil
}

// DelLink deletes a virtual link. That it is gone already is no error.
func (k *Kernel) DelLink(index int) error {
	errs := k.conn.batch(unix.RTM_DELLINK, 0, 1, func(b []byte, _ int) []byte {
		b = append(b, make([]byte, 4)...)
		b = native.AppendUint32(b, uint32(index))
		return append(b, make([]byte, 8)...)
	})
	if errs = forgive(errs, unix.ENODEV); errs != nil {
		return fmt.Errorf("delete link %d: %w", index, errs[0])
	}
	return nil
}
