package watchdog

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// reload reads the files again and lets the children take them over. A file
// that is broken changes nothing: what runs goes on, and the log says where the
// file is wrong (the original loses its addresses or ends).
func (p *Parent) reload() {
	if p.stopping {
		return
	}
	if p.waiting != "" {
		p.queued = true
		log.Detailf("Reload already in progress, request queued")
		return
	}
	checked := p.reading.config.Global.ReloadCheck
	if checked {
		log.Detailf("validate conf before Reload")
	} else {
		log.Info("Reloading ...")
	}
	sdNotify("RELOADING=1")
	remove := p.reloadFile()
	defer remove()
	p.heap.Read()
	seed := newSeed()
	for _, c := range p.children {
		c.readAhead(seed)
	}
	next := p.read(seed)
	if !checked {
		next.sayFiles(p.options)
	}
	if why := p.refuse(next); why != nil {
		for _, line := range why {
			log.Err("%s", line)
		}
		log.Err("Reload refused - the running configuration stays in force")
		sdNotify(fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid()))
		p.heap.Rest()
		return
	}
	if checked {
		log.Info("Reloading ...")
	}
	next.say()
	if err := process.RewriteMemoryFile(p.archive, next.archive); err != nil {
		log.Err("Reload refused - %v", err)
		p.heap.Rest()
		return
	}
	p.reading = next
	p.saveConfig()
	p.reading.archive = nil // the children's file has it
	p.waiting = "Reload complete"
	p.tellChildren()
	p.settle()
	p.planReload()
}

// tellChildren has every running child reload and starts those that the new
// configuration is the first to want. One that it no longer wants goes on with
// nothing to do.
func (p *Parent) tellChildren() {
	for _, c := range p.children {
		c.wanted = c.wanted || p.wants(c.role)
		switch {
		case c.pid != 0:
			c.busy = true
			c.signal(syscall.SIGHUP)
		case c.wanted:
			p.start(c)
		}
	}
}

// broken are the classes of mistakes that no file was written for on purpose.
var broken = []configparse.Class{
	configparse.UnknownKeyword, configparse.UnexpectedOpen, configparse.MissingOpen,
	configparse.UnexpectedClose, configparse.MissingClose, configparse.UnmatchedQuote,
	configparse.MissingParameter, configparse.InvalidNumber,
}

// refuse tells why the new configuration must not replace the running one; nil
// if it may.
//
// Without reload_check_config a file is refused if it cannot be read, if a
// pass fails as a whole, or if it has a mistake of syntax that the running
// configuration does not have: sites that live with an old warning can go on
// reloading. With the keyword any message refuses, as in the original.
func (p *Parent) refuse(next reading) []string {
	if err := next.usable(p.options); err != nil {
		return append(messages(next.problems, nil), err.Error())
	}
	if why := p.fixed(next); why != nil {
		return why
	}
	if p.reading.config.Global.ReloadCheck || next.config.Global.ReloadCheck {
		if configparse.ExitStatus(next.problems) != configparse.ExitOK {
			return p.failedCheck(next)
		}
		return nil
	}
	for pass, failed := range next.config.Failed {
		if failed && p.passRuns(configparse.Pass(pass)) {
			return messages(next.problems, nil)
		}
	}
	if next.ended() {
		return messages(next.problems, nil)
	}
	old := map[string]bool{}
	for _, m := range p.reading.problems {
		old[m.Text] = true
	}
	fresh := func(m configparse.Problem) bool { return slices.Contains(broken, m.Class) && !old[m.Text] }
	if slices.ContainsFunc(next.problems, fresh) {
		return messages(next.problems, fresh)
	}
	return nil
}

// passRuns tells whether a child would act on that pass.
func (p *Parent) passRuns(pass configparse.Pass) bool {
	return pass == configparse.Parent || p.wants(pass.String()) || p.child(pass.String()).wanted
}

// messages renders problems, each once, with file, line and column; only those
// that keep accepts.
func messages(problems []configparse.Problem, keep func(configparse.Problem) bool) []string {
	var lines []string
	for _, m := range configparse.Fold(problems) {
		if keep == nil || keep(m) {
			lines = append(lines, locate(m))
		}
	}
	return lines
}

// locate is the original's message with the column put behind it.
func locate(m configparse.Problem) string {
	if m.Line == 0 {
		return m.Text
	}
	if m.Column == 0 {
		return fmt.Sprintf("(%s: Line %d) %s", m.File, m.Line, m.Text)
	}
	return fmt.Sprintf("(%s: Line %d) %s (column %d)", m.File, m.Line, m.Text, m.Column)
}

// failedCheck writes the messages to the file of reload_check_config, where
// operators' scripts look for them.
func (p *Parent) failedCheck(next reading) []string {
	lines := messages(next.problems, nil)
	path := p.reading.config.Global.ReloadCheckLog
	if path == "" {
		return append(lines, "New config failed validation")
	}
	text := ""
	for _, m := range configparse.Fold(next.problems) {
		text += m.String() + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		lines = append(lines, err.Error())
	}
	return append(lines, fmt.Sprintf("New config failed validation, see %s for details", path))
}

// fixed lists what a reload cannot change (process.md 1.7).
func (p *Parent) fixed(next reading) []string {
	old, now := p.reading.config.Global, next.config.Global
	for _, change := range []struct {
		what    string
		changed bool
	}{
		{"network namespace", old.NetNamespace != now.NetNamespace},
		{"IPVS network namespace", old.NetNamespaceIPVS != now.NetNamespaceIPVS || old.IPVSNamespaceSet != now.IPVSNamespaceSet},
		{"instance name", old.Instance != now.Instance},
		{"IPVS nftables table name", old.NFTablesIPVS != now.NFTablesIPVS && old.NFTablesIPVS != "" && now.NFTablesIPVS != ""},
		{"config_directory", old.TmpConfigDir != now.TmpConfigDir},
		{"disable_local_igmp", old.DisableLocalIGMP != now.DisableLocalIGMP},
	} {
		if change.changed {
			return []string{fmt.Sprintf("Cannot change %s at a reload - please restart keepalived", change.what)}
		}
	}
	return nil
}

// reloadFile makes the file of reload_file, which exists while the files are
// being read, and returns what removes it.
func (p *Parent) reloadFile() (remove func()) {
	g := p.reading.config.Global
	if !g.ReloadFile {
		return func() {}
	}
	path := p.names.reloadFile(g)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		log.Info("Unable to create reload file %s - %v", path, err)
		return func() {}
	}
	_ = f.Chmod(0o644)
	f.Close()
	return func() { os.Remove(path) }
}

// saveConfig keeps a copy of what was read in config_save_dir.
func (p *Parent) saveConfig() {
	dir := p.reading.config.Global.ConfigSaveDir
	if dir == "" {
		return
	}
	var text []byte
	archive, err := configparse.DecodeArchive(p.reading.archive)
	if err != nil {
		log.Info("Unable to save configuration: %v", err)
		return
	}
	for _, name := range p.reading.config.Files {
		b, err := archive.Read(name)
		if err != nil {
			continue
		}
		text = append(text, "# "+name+"\n"...)
		text = append(text, b...)
	}
	path := fmt.Sprintf("%s/keepalived.conf.%d.%d", dir, os.Getpid(), p.saved)
	p.saved++
	if err := os.WriteFile(path, text, 0o600); err != nil {
		log.Info("Unable to save configuration: %v", err)
	}
}
