package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ipv6AddrGenNone is IN6_ADDR_GEN_MODE_NONE: no link-local address by itself.
const ipv6AddrGenNone = 1

// macvlanPrivate is MACVLAN_MODE_PRIVATE: no traffic between the links that
// stand on one base.
const macvlanPrivate = 1

// maxLinkName is the longest name of an interface, IFNAMSIZ without its end.
const maxLinkName = unix.IFNAMSIZ - 1

// VirtualMAC is the address of a virtual router: RFC 9568 section 7.3.
func VirtualMAC(vrid uint8, ipv6 bool) net.HardwareAddr {
	family := byte(1)
	if ipv6 {
		family = 2
	}
	return net.HardwareAddr{0x00, 0x00, 0x5e, 0x00, family, vrid}
}

// VMACName chooses the name of a virtual interface: prefix.VRID; if that is
// taken, IPv6 tries prefix6.VRID; then both prefix1.VRID, prefix2.VRID, …. A
// prefix that is too long is cut.
func VMACName(prefix string, vrid uint8, ipv6 bool, taken func(name string) bool) string {
	name := func(middle string) string {
		end := fmt.Sprintf("%s.%d", middle, vrid)
		return prefix[:min(len(prefix), maxLinkName-len(end))] + end
	}
	if n := name(""); !taken(n) {
		return n
	}
	if n := name("6"); ipv6 && !taken(n) {
		return n
	}
	for i := 1; ; i++ {
		if n := name(fmt.Sprint(i)); !taken(n) {
			return n
		}
	}
}

// FindVMAC looks for a link that is already what MakeVMAC would make: a private
// macvlan with this MAC on this base.
func FindVMAC(links []Link, base int, mac net.HardwareAddr) (Link, bool) {
	i := slices.IndexFunc(links, func(l Link) bool { return l.IsVMAC(base, mac) })
	if i < 0 {
		return Link{}, false
	}
	return links[i], true
}

// IsPrivateMacvlan reports whether a link is one that a VMAC may take over.
func (l Link) IsPrivateMacvlan() bool { return l.Kind == "macvlan" && l.Mode == macvlanPrivate }

// IsVMAC reports whether a link is a virtual interface with this MAC, or an
// ipvlan if there is none, on this base.
func (l Link) IsVMAC(base int, mac net.HardwareAddr) bool {
	if l.Parent != base || l.ParentElsewhere {
		return false
	}
	if mac == nil {
		return l.Kind == "ipvlan"
	}
	return l.IsPrivateMacvlan() && bytes.Equal(l.MAC, mac)
}

// VMAC is a virtual interface that carries a virtual router's addresses: a
// private macvlan with the router's MAC, or an ipvlan.
type VMAC struct {
	Name string
	Base Link
	MAC  net.HardwareAddr // of a macvlan; nil makes an ipvlan
	// IPVLANFlag is IPVLAN_F_*: 0 bridge, 1 private, 2 vepa.
	IPVLANFlag uint16
	// Group is the interface group; the caller takes it from the base or the
	// configuration.
	Group uint32
	// IPv6 says that the instance is one of IPv6; NeedIPv6 that the interface
	// carries IPv6 addresses although it is not.
	IPv6, NeedIPv6 bool
	// LinkLocal is given to the interface so that it can send IPv6 adverts;
	// zero for none.
	LinkLocal netip.Addr
}

// MakeVMAC makes the interface, sets it and its base up for their part and sets
// it up. have is the link found by FindVMAC, if any; only its settings are
// then renewed. Changes to the base's settings are recorded in s; those on the
// interface go with it.
func (k *Kernel) MakeVMAC(v VMAC, have *Link, s *Sysctls) (Link, error) {
	if have == nil {
		if err := k.addVMAC(v); err != nil {
			return Link{}, fmt.Errorf("make virtual interface %s on %s: %w", v.Name, v.Base.Name, err)
		}
		l, err := k.LinkByName(v.Name)
		if err != nil {
			return Link{}, err
		}
		have = &l
	}
	l := *have
	err := v.settings(l, s)
	if err == nil && l.AddrGenMode != ipv6AddrGenNone {
		err = k.setLink(l.Index, 0, 0, noLinkLocal)
		if errors.Is(err, unix.EAFNOSUPPORT) {
			err = nil // a kernel without IPv6
		}
	}
	if err == nil && l.Group != v.Group {
		err = k.SetLinkGroup(l.Index, v.Group)
	}
	if err == nil && v.Base.Master != l.Master && k.isVRF(v.Base.Master) {
		err = k.SetLinkMaster(l.Index, v.Base.Master)
	}
	if err == nil {
		err = k.SetLinkUp(l.Index, true)
	}
	if err == nil && v.LinkLocal.IsValid() {
		err = k.SetLinkLocal(l.Index, v.LinkLocal)
	}
	if err != nil {
		return l, fmt.Errorf("set up virtual interface %s: %w", l.Name, err)
	}
	return k.LinkByIndex(l.Index)
}

// SetLinkLocal gives a virtual interface the link-local address of its base.
func (k *Kernel) SetLinkLocal(index int, addr netip.Addr) error {
	errs := k.AddAddrs([]Address{{
		Link: index, Prefix: netip.PrefixFrom(addr, 64), Scope: unix.RT_SCOPE_LINK,
		Flags: unix.IFA_F_NODAD, Protocol: ProtocolKeepalived,
	}})
	if errs != nil {
		return errs[0]
	}
	return nil
}

// addVMAC creates the link, down.
func (k *Kernel) addVMAC(v VMAC) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr, attrs.Group = v.Name, v.Base.Index, v.MAC, v.Group
	var link netlink.Link = &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}
	if v.MAC == nil {
		link = &netlink.IPVlan{LinkAttrs: attrs, Mode: netlink.IPVLAN_MODE_L2, Flag: netlink.IPVlanFlag(v.IPVLANFlag)}
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.LinkAdd(link)
}

// isVRF reports whether a master is a VRF: a macvlan is not put into the bridge
// or bond of its base.
func (k *Kernel) isVRF(master int) bool {
	if master == 0 {
		return false
	}
	l, err := k.LinkByIndex(master)
	return err == nil && l.Kind == "vrf"
}

// noLinkLocal writes IFLA_AF_SPEC so that the kernel makes no link-local
// address of its own.
func noLinkLocal(b []byte) []byte {
	return appendNest(b, unix.IFLA_AF_SPEC, func(b []byte) []byte {
		return appendNest(b, unix.AF_INET6, func(b []byte) []byte {
			return appendU8(b, unix.IFLA_INET6_ADDR_GEN_MODE, ipv6AddrGenNone)
		})
	})
}

// settings sets the sysctls of vrrp.md 4.6: the virtual interface answers for
// its own addresses only, and takes packets that come from the base's.
func (v VMAC) settings(l Link, s *Sysctls) error {
	var errs []error
	set := func(link Link, key, value string) {
		if link.Index == l.Index {
			// These go with the interface, so nothing is remembered.
			errs = append(errs, writeSysctl(LinkSysctl("ipv4", link.Name, key), value))
			return
		}
		errs = append(errs, s.SetLink("ipv4", link, key, value))
	}
	if v.MAC != nil {
		set(l, "arp_ignore", "1")
		if !v.IPv6 {
			set(l, "accept_local", "1")
			set(l, "rp_filter", "0")
			set(l, "promote_secondaries", "1")
			set(v.Base, "arp_ignore", "1")
			set(v.Base, "arp_filter", "1")
		}
	}
	disable := "1"
	if v.IPv6 || v.NeedIPv6 {
		disable = "0"
	}
	if err := writeSysctl(LinkSysctl("ipv6", l.Name, "disable_ipv6"), disable); err != nil && (v.IPv6 || v.NeedIPv6) {
		errs = append(errs, err) // without IPv6 in the kernel there is nothing to disable
	}
	return errors.Join(errs...)
}

// LinkLocalFrom makes the link-local address of a MAC: RFC 4291 appendix A. A
// virtual interface whose base has none gets it from the base's MAC.
func LinkLocalFrom(mac net.HardwareAddr) netip.Addr {
	if len(mac) != etherAddrLen {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte{
		0: 0xfe, 1: 0x80,
		8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5],
	})
}
