package vrrpd

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
	"github.com/keepalived-go/keepalived/vrrp"
)

// commands holds what was found out about each command of a configuration when
// it was read: its file and whether it may be run.
type commands struct {
	checked map[*vrrp.Command]*script.Command
	old     map[*vrrp.Command]*script.Command // of the configuration before: what a reload removes is told by it
	sec     script.Security
	who     func() script.Credentials // where a command names nobody
	unsafe  bool

	// disabled says for the operator's status which programs are not run, and
	// found is what the last check said about its file.
	disabled []string
	found    []string
}

// command returns the checked form of a command. It reports false for none,
// and for one that must not be run.
func (c *commands) command(v *vrrp.Command) (*script.Command, bool) {
	if v == nil {
		return nil, false
	}
	cmd := c.checked[v]
	if cmd == nil {
		cmd = c.old[v]
	}
	return cmd, cmd != nil
}

// check looks at every command that something may run and says what is wrong
// with it.
func (c *commands) check(conf *configparse.Config) {
	g := &conf.Global
	*c = commands{
		checked: map[*vrrp.Command]*script.Command{},
		old:     c.checked,
		sec:     script.Security{Enabled: g.ScriptSecurity, SymlinkPaths: g.UseSymlinkPaths},
		who:     sync.OnceValue(func() script.Credentials { return scriptUser(g.ScriptUser) }),
	}
	cfg := &conf.VRRP
	used := usedTracks(cfg)
	for i := range cfg.Scripts {
		s := &cfg.Scripts[i]
		if !used[trackKey{vrrp.TrackedScript, s.Name}] {
			log.Info("Warning - script %s is not used", s.Name)
			continue
		}
		if why := c.one(&s.Command); why != "" {
			c.disable("track script %s is disabled %s", s.Name, why)
			log.Info("Disabling track script %s %s", s.Name, why)
		}
	}
	for i := range cfg.Instances {
		c.notifiers(&cfg.Instances[i].Notify)
	}
	for i := range cfg.Groups {
		c.notifiers(&cfg.Groups[i].Notify)
	}
	c.one(g.FIFO.Script)
	c.one(g.VRRPFIFO.Script)
	if !g.ScriptSecurity && len(c.checked) > 0 {
		more := ""
		if c.unsafe {
			more = " There are insecure scripts."
		}
		log.Info("SECURITY VIOLATION - scripts are being executed but script_security not enabled.%s", more)
	}
}

func (c *commands) notifiers(n *vrrp.NotifyConfig) {
	for _, v := range []*vrrp.Command{n.Master, n.Backup, n.Fault, n.Stop, n.Deleted, n.Any, n.RxLowerPrio} {
		if why := c.one(v); why != "" {
			c.disable("notify script %s is disabled %s", v.Argv[0], why)
			log.Info("Disabling notify script %s %s", v.Argv[0], why)
		}
	}
}

// disable remembers for the operator's status that a program is not run.
func (c *commands) disable(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(c.found) > 0 {
		text += ": " + strings.Join(c.found, "; ")
	}
	c.disabled = append(c.disabled, text)
}

// one checks a command and returns why it is not used.
func (c *commands) one(v *vrrp.Command) (why string) {
	if v == nil || len(v.Argv) == 0 {
		return ""
	}
	cmd := &script.Command{Args: slices.Clone(v.Argv), Cred: credentials(v, c.who)}
	f := cmd.Check(c.sec)
	c.found = f.Lines
	for _, l := range f.Lines {
		log.Info("%s", l)
	}
	c.unsafe = c.unsafe || f.Unsafe
	switch f.Verdict {
	case script.Usable:
		c.checked[v] = cmd
		return ""
	case script.Insecure:
		return "due to insecure"
	case script.NotExecutable:
		return "since not executable"
	}
	return "since not found/accessible"
}

// scriptUser is script_user, else the user that the original looks for. Without
// any command nobody needs to know, and the files of users are not read.
func scriptUser(c *vrrp.Command) script.Credentials {
	if c != nil {
		return credentials(c, script.Own)
	}
	if cred, err := script.Lookup(script.DefaultUser, ""); err == nil {
		return cred
	}
	return script.Own()
}

// credentials are as whom a command runs.
func credentials(c *vrrp.Command, fallback func() script.Credentials) script.Credentials {
	if !c.UserSet {
		return fallback()
	}
	cred := script.Credentials{UID: c.UID, GID: c.GID}
	if c.Groups {
		if full, err := script.Lookup(c.User, c.Group); err == nil {
			cred.Groups = full.Groups
		}
	}
	return cred
}
