package checkd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/ipvs"
)

// lvsState is what the process has set in IPVS beside services: lvs_timeouts,
// and lvs_sync_daemon without a VRRP instance.
type lvsState struct {
	original ipvs.Timeouts // found before the first change
	changed  bool          // original is valid, and ours is in force
	sync     ipvs.SyncDaemon
	syncing  bool
}

// set makes timeouts and daemons those of the configuration.
func (l *lvsState) set(d *daemon) {
	if d.kernel == nil {
		return
	}
	l.setTimeouts(d)
	want, wanted := d.ownSync()
	if wanted == l.syncing && want == l.sync {
		return
	}
	if l.syncing {
		l.stopSync(d)
	}
	if wanted {
		l.startSync(d, want)
	}
}

// ownSync is lvs_sync_daemon, if it belongs to no VRRP instance.
func (d *daemon) ownSync() (want ipvs.SyncDaemon, wanted bool) {
	c := d.conf.VRRP.SyncDaemon
	if c == nil || c.Instance != "" || c.Interface == "" {
		return want, false
	}
	return ipvs.SyncDaemon{Interface: c.Interface, ID: c.ID, MaxLen: c.MaxLen, Group: c.Group, Port: c.Port, TTL: c.TTL}, true
}

// setTimeouts puts the original values back and changes those that are
// configured; the others stay the kernel's.
func (l *lvsState) setTimeouts(d *daemon) {
	c := d.conf.Global.LVSTimeouts
	want := ipvs.Timeouts{TCP: c.TCP, TCPFin: c.TCPFin, UDP: c.UDP}
	if want == (ipvs.Timeouts{}) {
		l.restoreTimeouts(d)
		return
	}
	if !l.changed {
		now, err := d.kernel.Timeouts()
		if err != nil {
			log.Info("Failed to set ipvs timeouts")
			log.Info("%v", err)
			return
		}
		l.original, l.changed = now, true
	}
	pick := func(want, original time.Duration) time.Duration {
		if want != 0 {
			return want
		}
		return original
	}
	err := d.kernel.SetTimeouts(ipvs.Timeouts{
		TCP:    pick(want.TCP, l.original.TCP),
		TCPFin: pick(want.TCPFin, l.original.TCPFin),
		UDP:    pick(want.UDP, l.original.UDP),
	})
	if err != nil {
		log.Info("%v", err)
		log.Info("Failed to set ipvs timeouts")
	}
}

func (l *lvsState) restoreTimeouts(d *daemon) {
	if !l.changed {
		return
	}
	l.changed = false
	if err := d.kernel.SetTimeouts(l.original); err != nil {
		log.Info("%v", err)
	}
}

// startSync starts both daemons. What an earlier process left running is
// stopped first.
func (l *lvsState) startSync(d *daemon, want ipvs.SyncDaemon) {
	running, err := d.kernel.SyncDaemons()
	if err != nil {
		log.Info("%v", err)
	}
	for _, r := range running {
		if err := d.kernel.StopSync(r.State, r.ID); err != nil {
			log.Info("%v", err)
		}
	}
	for _, state := range []ipvs.SyncState{ipvs.SyncMaster, ipvs.SyncBackup} {
		if err := d.kernel.StartSync(state, want); err != nil {
			log.Info("%v", err)
		}
	}
	l.sync, l.syncing = want, true
}

func (l *lvsState) stopSync(d *daemon) {
	for _, state := range []ipvs.SyncState{ipvs.SyncMaster, ipvs.SyncBackup} {
		if err := d.kernel.StopSync(state, l.sync.ID); err != nil {
			log.Info("%v", err)
		}
	}
	l.sync, l.syncing = ipvs.SyncDaemon{}, false
}

// stop undoes both.
func (l *lvsState) stop(d *daemon) {
	if d.kernel == nil {
		return
	}
	if l.syncing {
		l.stopSync(d)
	}
	l.restoreTimeouts(d)
}
