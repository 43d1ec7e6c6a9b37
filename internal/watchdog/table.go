package watchdog

import (
	"errors"
	"os"
	"strings"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// table lists the children in the order in which they are started
// (process.md 1.1), each with its names.
func (p *Parent) table() []*child {
	entry := func(role, title, ident, suffix, base, pidOption string) *child {
		c := &child{
			role: role, title: title, wanted: p.wants(role),
			ident:   "Keepalived" + ident + p.names.suffix,
			pidFile: p.names.pidFile(pidOption, base),
		}
		if p.options.LogFile != "" {
			c.logFile = logFile(p.options.LogFile, suffix+p.names.suffix)
		}
		return c
	}
	o := p.options
	return []*child{
		entry(process.RoleChecker, "Healthcheck", "_healthcheckers", "_check", "checkers", o.CheckersPIDFile),
		entry(process.RoleVRRP, "VRRP", "_vrrp", "_vrrp", "vrrp", o.VRRPPIDFile),
		entry(process.RoleBFD, "BFD", "_bfd", "_bfd", "bfd", o.BFDPIDFile),
	}
}

// wants tells whether the configuration has something for a child and the
// command line does not forbid it.
func (p *Parent) wants(role string) bool {
	c, o := p.reading.config, p.options
	switch role {
	case process.RoleChecker:
		return !o.NoChecker && (o.All || c.HasChecker)
	case process.RoleVRRP:
		return !o.NoVRRP && (o.All || c.HasVRRP)
	case process.RoleBFD:
		return !o.NoBFD && (o.All || c.HasBFD)
	}
	return false
}

// logFile puts a suffix before the extension of a log file's name.
func logFile(name, suffix string) string {
	slash := strings.LastIndexByte(name, '/')
	if dot := strings.LastIndexByte(name, '.'); dot > slash+1 {
		return name[:dot] + suffix + name[dot:]
	}
	return name + suffix
}

// claim opens and locks the pid files: the parent's for good, those of its
// children to see that no other daemon holds them. A file left by an earlier
// run of a child that is not to run now is removed.
func (p *Parent) claim() error {
	own, err := claimFile(p.names.pidFile(p.options.PIDFile, "keepalived"))
	if err != nil {
		return err
	}
	p.pids = append(p.pids, own)
	for _, c := range p.table() {
		f, err := claimFile(c.pidFile)
		switch {
		case errors.Is(err, process.ErrLocked) && !c.wanted:
			continue // another daemon's, and none of our business
		case err != nil:
			return err
		case c.wanted:
			f.Close()
		default:
			f.Remove()
		}
	}
	return own.Write(os.Getpid())
}

// claimFile opens and locks a pid file.
func claimFile(path string) (*process.PIDFile, error) {
	f, err := process.OpenPIDFile(path)
	if errors.Is(err, process.ErrLocked) {
		return nil, held{path}
	}
	return f, err
}

// held is the error of a pid file that another daemon has.
type held struct{ path string }

func (h held) Error() string { return "Another process has pid file " + h.path + " locked" }
func (h held) Unwrap() error { return process.ErrLocked }

// release gives up what the process holds when it ends.
func (p *Parent) release() {
	p.control.Close()
	for _, f := range p.pids {
		f.Remove()
	}
	if p.names.directory != "/run" {
		leave(p.reading.config.Global.NetNamespace)
		os.Remove(p.names.directory) // only if it is empty
	}
}

// warnings logs what an operator should know at the start.
func (p *Parent) warnings() {
	g := p.reading.config.Global
	if g.MaxAutoPriority == 0 {
		log.Info("NOTICE: setting config option max_auto_priority should result in better keepalived performance")
	}
	any := false
	for _, role := range []string{process.RoleChecker, process.RoleVRRP, process.RoleBFD} {
		any = any || p.wants(role)
	}
	if !any {
		log.Info("Warning - keepalived has no configuration to run")
	}
	for _, n := range p.reading.config.Unused {
		log.Info("(%s: Line %d) %s", n.File, n.Line, n.Text)
	}
}
