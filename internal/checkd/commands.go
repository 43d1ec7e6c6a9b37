package checkd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
)

// commands holds what was found out about each program of a configuration when
// it was read: its file and whether it may be run.
type commands struct {
	checked map[*checker.Script]*script.Command
	misc    map[string]*script.Command          // of MISC_CHECKs, by programKey
	old     map[*checker.Script]*script.Command // of the configuration before, while a reload goes on
	fifo    map[*configparse.FIFO]*script.Command
	sec     script.Security
	who     script.Credentials // where the configuration names nobody

	// disabled says for the operator's status which programs are not run, and
	// found is what the last check said about its file.
	disabled []string
	found    []string
}

// command returns the checked form of a script; nil for none, and for one that
// must not be run.
func (c *commands) command(s *checker.Script) *script.Command {
	if s == nil {
		return nil
	}
	if cmd := c.checked[s]; cmd != nil {
		return cmd
	}
	return c.old[s]
}

// check looks at every program that something may run, says what is wrong with
// it, and takes away the checks that cannot be made.
func (c *commands) check(conf *configparse.Config) {
	g := &conf.Global
	*c = commands{
		checked: map[*checker.Script]*script.Command{}, old: c.checked,
		misc: map[string]*script.Command{},
		fifo: map[*configparse.FIFO]*script.Command{},
		sec:  script.Security{Enabled: g.ScriptSecurity, SymlinkPaths: g.UseSymlinkPaths},
		who:  script.Own(),
	}
	if u := g.ScriptUser; u != nil {
		c.who = script.Credentials{UID: u.UID, GID: u.GID}
	} else if cred, err := script.Lookup(script.DefaultUser, ""); err == nil {
		c.who = cred
	}
	found, unsafe := false, false
	one := func(s *checker.Script) (script.Verdict, *script.Command) {
		if s == nil || len(s.Args) == 0 {
			return script.Usable, nil
		}
		cmd := &script.Command{Args: slices.Clone(s.Args), Cred: c.credentials(s)}
		f := cmd.Check(c.sec)
		for _, l := range f.Lines {
			log.Info("%s", l)
		}
		found, unsafe = found || f.Found, unsafe || f.Unsafe
		c.found = f.Lines
		return f.Verdict, cmd
	}
	for i := range conf.Checker.Services {
		vs := &conf.Checker.Services[i]
		c.notify(one, vs.QuorumUp)
		c.notify(one, vs.QuorumDown)
		for j := range vs.Servers {
			rs := &vs.Servers[j]
			c.notify(one, rs.NotifyUp)
			c.notify(one, rs.NotifyDown)
			rs.Checks = slices.DeleteFunc(rs.Checks, func(check checker.CheckConfig) bool {
				misc, ok := check.Spec.(checker.MiscCheck)
				return ok && !c.usable(one, &misc.Script)
			})
		}
	}
	for _, f := range []*configparse.FIFO{&g.FIFO, &g.LVSFIFO} {
		if f.Script != nil {
			c.fifoScript(f)
		}
	}
	if found && !g.ScriptSecurity {
		more := ""
		if unsafe {
			more = " There are insecure scripts."
		}
		log.Info("SECURITY VIOLATION - check scripts are being executed but script_security not enabled.%s", more)
	}
}

// look checks one program and returns what to run.
type look = func(*checker.Script) (script.Verdict, *script.Command)

func (c *commands) notify(one look, s *checker.Script) {
	switch verdict, cmd := one(s); verdict {
	case script.Usable:
		c.checked[s] = cmd
	case script.Insecure:
		c.disable("notify script %s is disabled due to insecure", s.Args[0])
		log.Info("Disabling notify script %s due to insecure", s.Args[0])
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

// usable says whether the program of a MISC_CHECK can be run; the check falls
// away otherwise.
func (c *commands) usable(one look, s *checker.Script) bool {
	switch verdict, cmd := one(s); verdict {
	case script.Usable:
		c.misc[programKey(s)] = cmd
		return true
	case script.Insecure:
		c.disable("MISC_CHECK '%s' is disabled due to insecure", s.Text)
		log.Info("Disabling misc script '%s' due to insecure", s.Text)
	default:
		c.disable("MISC_CHECK '%s' is disabled since not found/accessible", s.Text)
		log.Info("Disabling misc script '%s' since not found/accessible", s.Text)
	}
	return false
}

// fifoScript checks the program that reads a FIFO.
func (c *commands) fifoScript(fifo *configparse.FIFO) {
	v := fifo.Script
	cmd := &script.Command{Args: slices.Clone(v.Argv), Cred: c.who}
	if v.UserSet {
		cmd.Cred = script.Credentials{UID: v.UID, GID: v.GID}
	}
	f := cmd.Check(c.sec)
	for _, l := range f.Lines {
		log.Info("%s", l)
	}
	if f.Verdict == script.Usable {
		c.fifo[fifo] = cmd
	}
}

// credentials are as whom a script runs.
func (c *commands) credentials(s *checker.Script) script.Credentials {
	if !s.Resolved {
		return c.who
	}
	cred := script.Credentials{UID: s.UID, GID: s.GID}
	if s.Supplementary {
		if full, err := script.Lookup(s.User, s.Group); err == nil {
			cred.Groups = full.Groups
		}
	}
	return cred
}
