package vrrpd

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/notify"
	"github.com/keepalived-go/keepalived/vrrp"
)

// setBus connects to D-Bus or leaves it, as the configuration in force wants,
// and shows the instances there.
func (d *daemon) setBus(now time.Time) {
	g := &d.conf.Global
	if !g.DBus {
		if bus := d.tell.bus; bus != nil {
			d.tell.bus = nil
			go bus.Close(stopWait)
		}
		return
	}
	if d.tell.bus == nil {
		d.tell.bus = notify.NewDBus(notify.DBusConfig{
			Name: g.DBusServiceName, NoInterface: g.DBusNoInterface, Namespace: g.NetNamespace, Instance: g.Instance,
		}, notify.DBusRequests{
			PrintData:       func() { d.post(d.writeData) },
			PrintStats:      func() { d.post(func(now time.Time) { d.writeStats(now, false) }) },
			PrintStatsClear: func() { d.post(func(now time.Time) { d.writeStats(now, true) }) },
			Reload:          func() { _ = unix.Kill(os.Getppid(), unix.SIGHUP) },
			SendGARP: func(name string) {
				d.post(func(now time.Time) { d.router.AnnounceNow(now, name) })
			},
		})
	}
	var list []notify.DBusInstance
	snap := d.router.Snapshot(now)
	for i := range snap.Instances {
		in := &snap.Instances[i]
		family := "IPv4"
		if in.Identity.IPv6 {
			family = "IPv6"
		}
		list = append(list, notify.DBusInstance{
			Name: in.Name, Interface: in.Config.Interface, VRID: in.Identity.VRID, Family: family, State: busState(in.State),
		})
	}
	d.tell.bus.SetInstances(list)
}

func busState(s vrrp.State) notify.DBusState {
	switch s {
	case vrrp.Backup:
		return notify.DBusBackup
	case vrrp.Master:
		return notify.DBusMaster
	case vrrp.Fault:
		return notify.DBusFault
	case vrrp.Stopped:
		return notify.DBusStop
	case vrrp.Deleted:
		return notify.DBusDeleted
	}
	return notify.DBusInit
}
