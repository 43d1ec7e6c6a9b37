package configparse

import (
	"strings"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Scripts of virtual servers, real servers and MISC_CHECK (grammar.md 12).

// checkerScript reads a notify or quorum script; the first one wins. The
// message names the group of the service, and "(null)" where it has none.
func (p *parser) checkerScript(w words, to **vrrp.Command, s *serviceDraft) {
	group := s.cfg.Group
	if group == "" {
		group = "(null)"
	}
	*to = p.firstNotify(*to, w, "(%s) "+w.list[0].text+" script already specified - ignoring %s", group)
}

// setMiscPath reads the command; the last one wins.
func setMiscPath(p *parser, k *checkDraft, w words) {
	q, ok := p.quoted(w)
	if !ok || !q.has(1) {
		return
	}
	if c, ok := p.command(q, 1); ok {
		k.misc.Text, k.misc.Argv = c.Text, c.Argv
	}
}

// setMiscUser reads the account; an unknown one refuses the check.
func setMiscUser(p *parser, k *checkDraft, w words) {
	if !w.has(1) {
		p.errorf("No user specified for misc checker script %s", commandText(&k.misc))
		return
	}
	if !p.setUser(&k.misc, p.word(w, 1), p.opt(w, 2)) {
		p.errorf("Failed to set uid/gid for misc checker script %s - removing", commandText(&k.misc))
		k.dropped = true
	}
}

func finishMisc(p *parser, k *checkDraft) {
	switch {
	case len(k.misc.Argv) == 0:
		p.errorf("No script path has been specified for MISC_CHECKER - skipping")
		k.dropped = true
	case !k.misc.UserSet && !p.defaultUser(&k.misc):
		p.errorf("Unable to set default user for misc script %s - removing", commandText(&k.misc))
		k.dropped = true
	}
}

// commandText is how messages show a command: every word in single quotes.
func commandText(c *vrrp.Command) string {
	if len(c.Argv) == 0 {
		return ""
	}
	return "'" + strings.Join(c.Argv, "' '") + "'"
}

// examineScripts removes the scripts and checks that cannot be run.
func (d *lvsDraft) examineScripts(p *parser) {
	var found scriptCheck
	if len(d.services) > 0 {
		p.examineNotify(&p.cfg.Global.FIFO.Script, &found)
		p.examineNotify(&p.cfg.Global.LVSFIFO.Script, &found)
	}
	for _, s := range d.services {
		p.examineNotify(&s.quorumUp, &found)
		p.examineNotify(&s.quorumDown, &found)
		for _, r := range s.servers {
			p.examineNotify(&r.notifyUp, &found)
			p.examineNotify(&r.notifyDown, &found)
		}
	}
	for _, s := range d.services {
		for _, r := range s.servers {
			kept := r.checks[:0]
			for _, k := range r.checks {
				if p.examineMisc(k, &found) {
					kept = append(kept, k)
				}
			}
			r.checks = kept
		}
		for _, k := range s.orphans {
			p.examineMisc(k, &found)
		}
	}
	p.violation(found, "check ")
}

// examineMisc reports whether a check stays.
func (p *parser) examineMisc(k *checkDraft, found *scriptCheck) bool {
	spec, ok := k.spec.(*checker.MiscCheck)
	if !ok {
		return true
	}
	switch p.examine(&k.misc, found) {
	case scriptMissing:
		p.checkf(ClassLog, "Disabling misc script %s since not found/accessible", commandText(&k.misc))
		return false
	case scriptInsecure:
		p.checkf(ClassLog, "Disabling misc script %s due to insecure", commandText(&k.misc))
		return false
	}
	spec.Script = *checkerCommand(&k.misc)
	return true
}

// checkerCommand is a command as the checker has it.
func checkerCommand(c *vrrp.Command) *checker.Script {
	if c == nil {
		return nil
	}
	return &checker.Script{Args: c.Argv, Text: c.Text, User: c.User, Group: c.Group,
		UID: c.UID, GID: c.GID, Resolved: c.UserSet, Supplementary: c.Groups}
}

// completeLVS is what follows the reading of the checker pass.
func completeLVS(p *parser) {
	g := &p.cfg.Global
	defaults := lvsDefaults{alert: alertDefault(g.SMTPAlertCheck, g.SMTPAlert), logAllFailure: g.CheckerLogAllFailures}
	p.cfg.Checker = p.lvs.complete(defaults, p.checkf, func() { p.lvs.examineScripts(p) })
	p.lex.remember(p.lvs.services, p.cfg.Checker.Services, defaults)
}

// alertDefault is what smtp_alert_checker says, else smtp_alert.
func alertDefault(settings ...Tristate) *bool {
	for _, t := range settings {
		if t != Unset {
			return ref(t.Or(false))
		}
	}
	return nil
}
