package report

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

const (
	// oddFor is how long an oddity stays a warning after it was last seen.
	oddFor = 10 * time.Minute
	// rivalOften is how many adverts of another master it takes: one or two are
	// ordinary while it learns of us.
	rivalOften = 3
	// settled is how old a state must be before what the kernel shows is held
	// against it.
	settled = 2 * time.Second
)

// oddities puts into words what other routers do on our VRID.
func oddities(in *vrrp.InstanceSnapshot, now time.Time) []string {
	var list []string
	for _, o := range in.Oddities {
		age := now.Sub(o.Last)
		if age > oddFor || o.Kind == vrrp.OddRival && (o.Count < rivalOften || age > 3*in.Config.AdvertInterval) {
			continue
		}
		seen := fmt.Sprintf("(%d times, last %s ago)", o.Count, age.Round(100*time.Millisecond))
		switch o.Kind {
		case vrrp.OddRefused:
			list = append(list, fmt.Sprintf("%s: %s uses VRID %d too and its adverts are refused: %s %s",
				in.Name, addrOr(o.Source, "a router"), in.Config.VRID, o.Text, seen))
		default:
			list = append(list, fmt.Sprintf("%s: %s %s %s", in.Name, addrOr(o.Source, "a router"), o.Text, seen))
		}
	}
	if in.OldChecksum {
		list = append(list, fmt.Sprintf("%s: its peers compute unicast checksums the old way, and so does it now; "+
			"a newer keepalived there ends that", in.Name))
	}
	return list
}

// drift compares the addresses of the kernel with what the state asks for.
func (v VRRP) drift(in *vrrp.InstanceSnapshot, now time.Time) []string {
	if now.Sub(in.Since) < settled || in.State != vrrp.Master && in.State != vrrp.Backup {
		return nil
	}
	var list []string
	for _, a := range slices.Concat(in.Config.Addresses, in.Config.Excluded) {
		where := v.linksWith(a.Prefix.Addr())
		device := orDefault(orDefault(a.Interface, in.Config.Device), in.Config.Interface)
		switch {
		case in.Holding && !slices.Contains(where, device):
			list = append(list, fmt.Sprintf("%s: %s should be on %s and is not", in.Name, prefix(a.Prefix), device))
		case !in.Holding && slices.Contains(where, device) && !v.heldByOther(in, a.Prefix.Addr()):
			list = append(list, fmt.Sprintf("%s: %s is on %s although it is %s", in.Name, prefix(a.Prefix), device, in.State))
		}
	}
	return list
}

// linksWith names the interfaces that have an address.
func (v VRRP) linksWith(a netip.Addr) []string {
	var names []string
	for i := range v.Links {
		l := &v.Links[i]
		if slices.Contains(l.All, a) {
			names = append(names, l.Name)
		}
	}
	return names
}

// heldByOther tells whether another instance has put the address there, or the
// file says that it is always there.
func (v VRRP) heldByOther(in *vrrp.InstanceSnapshot, a netip.Addr) bool {
	has := func(list []vrrp.Address) bool {
		return slices.ContainsFunc(list, func(x vrrp.Address) bool { return x.Prefix.Addr() == a })
	}
	if has(v.Config.VRRP.StaticAddresses) {
		return true
	}
	for i := range v.Snapshot.Instances {
		o := &v.Snapshot.Instances[i]
		if o.ID != in.ID && o.Holding && (has(o.Config.Addresses) || has(o.Config.Excluded)) {
			return true
		}
	}
	return false
}
