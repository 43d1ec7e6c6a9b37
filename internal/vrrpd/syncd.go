package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/ipvs"
	"github.com/keepalived-go/keepalived/vrrp"
)

// syncDaemon runs the connection synchronisation daemon of IPVS in the role of
// the instance it is bound to. It belongs to the worker.
type syncDaemon struct {
	kernel  *ipvs.Kernel
	role    ipvs.SyncState  // 0 = not running
	now     ipvs.SyncDaemon // what runs, if role is not 0
	missing bool            // IPVS is not there: said once, VRRP goes on
}

// saySync says that the process uses IPVS too, as the checker process does.
func (d *daemon) saySync(first bool) {
	if _, ok := d.wantedSync(); !ok {
		return
	}
	if first {
		log.Debug("Initializing ipvs")
	} else {
		log.Debug("Reinitializing ipvs")
	}
}

func (d *daemon) syncRole(e vrrp.SyncRole) {
	if d.stopping {
		return // it ends with the process; a start just before that makes the kernel wait
	}
	role := ipvs.SyncBackup
	if e.Master {
		role = ipvs.SyncMaster
	}
	if want, ok := d.wantedSync(); ok {
		d.after(-1, func() { d.syncd.run(role, want) })
	}
}

// syncAgain follows a reload: the daemon is restarted in its role if a parameter
// has changed, and stopped if it is not configured any more.
func (d *daemon) syncAgain() {
	want, ok := d.wantedSync()
	d.after(-1, func() {
		switch s := &d.syncd; {
		case s.role == 0:
		case !ok:
			s.stop()
		default:
			s.run(s.role, want)
		}
	})
}

// wantedSync is the configured daemon of an instance.
func (d *daemon) wantedSync() (want ipvs.SyncDaemon, ok bool) {
	c := d.cfg.SyncDaemon
	if c == nil || c.Instance == "" {
		return want, false
	}
	want = ipvs.SyncDaemon{
		Interface: c.Interface, ID: c.ID, MaxLen: c.MaxLen, Group: c.Group, Port: c.Port, TTL: c.TTL,
	}
	if !c.IDSet {
		for i := range d.cfg.Instances {
			if in := &d.cfg.Instances[i]; in.Name == c.Instance {
				want.ID = in.VRID
			}
		}
	}
	return want, true
}

func (s *syncDaemon) run(role ipvs.SyncState, want ipvs.SyncDaemon) {
	if s.missing || s.role == role && s.now == want {
		return
	}
	if s.kernel == nil {
		k, err := ipvs.Open("")
		if err != nil {
			s.missing = true
			log.Info("IPVS sync daemon: %v", err)
			return
		}
		s.kernel = k
	}
	s.stop()
	if err := s.kernel.StartSync(role, want); err != nil {
		log.Info("IPVS sync daemon: %v", err)
		return
	}
	s.role, s.now = role, want
}

func (s *syncDaemon) stop() {
	if s.role == 0 {
		return
	}
	if err := s.kernel.StopSync(s.role, s.now.ID); err != nil {
		log.Info("IPVS sync daemon: %v", err)
	}
	s.role = 0
}

// stopSync ends the sync daemon with the process.
func (d *daemon) stopSync(time.Time) { d.after(-1, d.syncd.stop) }
