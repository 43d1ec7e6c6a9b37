package configparse

import (
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Scripts come in two families (grammar.md 12): notify scripts, whose line may
// name a user and group, and check scripts, whose block has a user keyword.

// quoted splits the statement by the script rule. It reports what is wrong
// with the quotes and is then false: the script is dropped.
func (p *parser) quoted(w words) (words, bool) {
	list, ok := p.splitScript(w.raw, false)
	return words{list: list, at: w.at, raw: w.raw}, ok
}

func (p *parser) splitScript(s string, resolve bool) ([]word, bool) {
	list, bad := splitQuoted(s, resolve)
	switch {
	case bad == nil:
		return list, true
	case bad.missing == 0:
		p.logf("Missing escape char at end: '%s'", s)
	default:
		p.classf(UnmatchedQuote, "String '%s': missing terminating %c", s, bad.missing)
	}
	return nil, false
}

// command makes word i of a statement that quoted gave into a command.
func (p *parser) command(w words, i int) (vrrp.Command, bool) {
	text := p.word(w, i)
	list, ok := p.splitScript(text, true)
	if !ok || len(list) == 0 || p.ended {
		return vrrp.Command{}, false
	}
	c := vrrp.Command{Text: text}
	for _, a := range list {
		c.Argv = append(c.Argv, a.text)
	}
	return c, true
}

// notifyScript reads KEYWORD COMMAND [USER [GROUP]]. A nil command was dropped;
// what has to be said was said.
func (p *parser) notifyScript(w words) *vrrp.Command {
	q, ok := p.quoted(w)
	if !ok {
		return nil
	}
	c, ok := p.command(q, 1)
	if !ok {
		return nil
	}
	if !q.has(2) {
		if !p.defaultUser(&c) {
			p.logf("Failed to set default user for %s script %s - ignoring", scriptKind(w), c.Argv[0])
			return nil
		}
		return &c
	}
	if !p.setUser(&c, q.list[2].text, q.optional(3)) {
		p.logf("Invalid user/group for %s script %s - ignoring", scriptKind(w), c.Argv[0])
		return nil
	}
	return &c
}

// scriptKind is how messages call the script of a statement: "vrrp_notify_fifo"
// for vrrp_notify_fifo_script, "startup", "quorum", "notify".
func scriptKind(w words) string {
	keyword := w.list[0].text
	if kind, ok := strings.CutSuffix(keyword, "_script"); ok {
		return kind
	}
	if strings.HasPrefix(keyword, "quorum") {
		return "quorum"
	}
	return "notify"
}

// optional is word i or the empty word; unlike opt it leaves the column alone.
func (w words) optional(i int) string {
	if !w.has(i) {
		return ""
	}
	return w.list[i].text
}

// firstNotify reads a notify script unless old is set: then it reports with
// format, whose arguments are args and the command, and keeps old.
func (p *parser) firstNotify(old *vrrp.Command, w words, format string, args ...any) *vrrp.Command {
	if old == nil {
		return p.notifyScript(w)
	}
	q, ok := p.quoted(w)
	if ok {
		p.errorf(format, append(args, p.word(q, 1))...)
	}
	return old
}

// setUser fills in user and group as written. It is false for an unknown one.
func (p *parser) setUser(c *vrrp.Command, user, group string) bool {
	c.User, c.Group, c.UserSet = user, group, true
	if p.env.User != nil {
		u, ok := p.env.User(user)
		if !ok {
			p.logf("Script user '%s' does not exist", user)
			return false
		}
		c.UID, c.GID = u.UID, u.GID
	}
	name, all := strings.CutPrefix(group, ":")
	c.Groups = all || p.cfg.Global.SupplementaryGroups
	if name == "" || p.env.Group == nil {
		return true
	}
	gid, ok := p.env.Group(name)
	if !ok {
		p.logf("Script group '%s' does not exist", name)
	}
	c.GID = gid
	return ok
}

// ScriptUser is the account of scripts that name none, if it exists.
const ScriptUser = "keepalived_script"

// defaultUser gives a command the user of scripts that name none: script_user,
// else keepalived_script, else the daemon's own unless scripts must be secure.
func (p *parser) defaultUser(c *vrrp.Command) bool {
	g := &p.cfg.Global
	switch {
	case g.scriptUserBad:
		return false
	case g.ScriptUser != nil:
		u := g.ScriptUser
		c.UID, c.GID, c.Groups, c.UserSet = u.UID, u.GID, u.Groups, true
		return true
	}
	if p.env.User != nil {
		if u, ok := p.env.User(ScriptUser); ok {
			c.UID, c.GID, c.UserSet, c.Groups = u.UID, u.GID, true, g.SupplementaryGroups
			return true
		}
		if g.ScriptSecurity {
			if !g.noScriptUser { // said once
				p.errorf("Unable to set default user %s for script", ScriptUser)
			}
			g.noScriptUser = true
			return false
		}
	}
	return true
}

// scriptCheck is what the checks of a pass found over all its scripts.
type scriptCheck struct {
	any      bool // a script will be run
	insecure bool
}

// verdict of one script.
type scriptVerdict uint8

const (
	scriptFine scriptVerdict = iota
	scriptMissing
	scriptInsecure
)

// examine looks at the program of a script, finds it in PATH if its name has no
// slash, and remembers what the message at the end will say.
func (p *parser) examine(c *vrrp.Command, s *scriptCheck) scriptVerdict {
	if p.env.Script == nil || strings.HasPrefix(c.Text, "<") {
		return scriptFine
	}
	path := c.Argv[0]
	if !strings.Contains(path, "/") && p.env.LookPath != nil {
		found, ok := p.env.LookPath(path)
		if !ok {
			return scriptMissing
		}
		path = found
	}
	state := p.env.Script(ScriptQuery{Path: path, UID: c.UID, GID: c.GID})
	if state.Missing {
		return scriptMissing
	}
	s.any = true
	s.insecure = s.insecure || state.Insecure
	if state.SymlinkDir || state.Insecure && p.cfg.Global.ScriptSecurity {
		for _, line := range state.Why {
			p.checkf(ClassLog, "%s", line)
		}
		return scriptInsecure
	}
	return scriptFine
}

// examineNotify drops a notify script that cannot be run; only the log says so.
func (p *parser) examineNotify(c **vrrp.Command, s *scriptCheck) {
	if *c == nil {
		return
	}
	switch p.examine(*c, s) {
	case scriptMissing:
		p.checkf(ClassLog, "WARNING - script `%s` is not executable for uid:gid %d:%d - disabling.",
			(*c).Argv[0], (*c).UID, (*c).GID)
		*c = nil
	case scriptInsecure:
		p.checkf(ClassLog, "Disabling notify script %s due to insecure", (*c).Text)
		*c = nil
	}
}

// violation ends the script checks of a pass. which is "", "check ", or
// "start/shutdown ".
func (p *parser) violation(s scriptCheck, which string) {
	if !s.any || p.cfg.Global.ScriptSecurity {
		return
	}
	insecure := ""
	if s.insecure {
		insecure = " There are insecure scripts."
	}
	p.checkf(Security, "SECURITY VIOLATION - %sscripts are being executed but script_security not enabled.%s",
		which, insecure)
}
