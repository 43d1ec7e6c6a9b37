package watchdog

import (
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
	"github.com/keepalived-go/keepalived/vrrp"
)

// killAfter is how long a script that was asked to end may take.
const killAfter = 2 * time.Second

// startupScript runs the startup script before any child is started.
func (p *Parent) startupScript() {
	g := p.reading.config.Global
	if g.Startup != nil {
		p.launched = 0 // who has a script run first wants everything else after it
	}
	runScript("startup", g.Startup, g.StartupTimeout, g.ScriptSecurity, g.UseSymlinkPaths)
}

// shutdownScript runs the shutdown script after all children have gone.
func (p *Parent) shutdownScript() {
	g := p.reading.config.Global
	runScript("shutdown", g.Shutdown, g.ShutdownTimeout, g.ScriptSecurity, g.UseSymlinkPaths)
}

// runScript runs a script of the parent and waits for it: children start and
// the daemon ends when it has ended, whatever its result.
func runScript(kind string, c *vrrp.Command, timeout time.Duration, secure, symlinks bool) {
	if c == nil {
		return
	}
	cmd := script.Command{Args: c.Argv, Cred: script.Own()}
	if c.UserSet {
		group := c.Group
		if c.Groups && group == "" {
			group = ":"
		}
		if cred, err := script.Lookup(c.User, group); err == nil {
			cmd.Cred = cred
		} else {
			cmd.Cred = script.Credentials{UID: c.UID, GID: c.GID}
		}
	}
	finding := cmd.Check(script.Security{Enabled: secure, SymlinkPaths: symlinks})
	for _, line := range finding.Lines {
		log.Info("%s", line)
	}
	if finding.Verdict != script.Usable {
		return
	}
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	log.Detailf("Running %s script %s", kind, c.Argv[0])
	done := make(chan script.Status, 1)
	proc := script.Start(cmd, func(s script.Status) { done <- s })
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGKILL} {
		select {
		case status := <-done:
			switch {
			case sig != syscall.SIGTERM:
			case status.OK():
				log.Info("%s script script succeeded", kind)
			default:
				log.Info("%s script script failed, status %d", kind, status.Code)
			}
			return
		case <-timer.C:
			if sig == syscall.SIGTERM {
				log.Info("%s script timed out", kind)
			}
			proc.Signal(sig)
			timer.Reset(killAfter)
		}
	}
}
