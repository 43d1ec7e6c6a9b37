package watchdog

import (
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// Version is what the start and stop lines name: the release whose behaviour
// this is, in the shape that programs look for.
const Version = "v2.4.3 (11/21,2026), keepalived-go 0.1.0"

// stop ends the daemon in order (process.md 1.6) with status 0.
func (p *Parent) stop() {
	if p.stopping {
		return
	}
	log.Info("Stopping")
	sdNotify("STOPPING=1")
	p.end(process.ExitOK)
}

// end stops the children, waits for them and ends the loop with status.
func (p *Parent) end(status int) {
	p.stopping, p.ended, p.status = true, true, status
	p.schedule.at = time.Time{}
	order := []string{process.RoleVRRP, process.RoleChecker, process.RoleBFD}
	for _, role := range order {
		p.child(role).signal(syscall.SIGTERM)
	}
	deadline := time.NewTimer(p.reading.childWait())
	defer deadline.Stop()
	for p.running() {
		select {
		case f := <-p.events:
			f()
		case <-deadline.C:
			for _, role := range order {
				if c := p.child(role); c.pid != 0 {
					log.Info("%s process failed to die - forcing termination", role)
					c.signal(syscall.SIGKILL)
				}
			}
			deadline.Reset(time.Hour)
		}
	}
	if status == process.ExitOK {
		p.shutdownScript()
	}
	farewell()
}

// farewell is the last that the daemon logs.
func farewell() {
	self, children := process.CPUTimes()
	log.Detailf("CPU usage (self/children) user: %d.%06d/%d.%06d system: %d.%06d/%d.%06d",
		self.Utime.Sec, self.Utime.Usec, children.Utime.Sec, children.Utime.Usec,
		self.Stime.Sec, self.Stime.Usec, children.Stime.Sec, children.Stime.Usec)
	log.Info("Stopped Keepalived %s", Version)
}

func (p *Parent) running() bool {
	for _, c := range p.children {
		if c.pid != 0 {
			return true
		}
	}
	return false
}

func (p *Parent) child(role string) *child {
	for _, c := range p.children {
		if c.role == role {
			return c
		}
	}
	panic("no child has the role " + role)
}
