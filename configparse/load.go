package configparse

import (
	"fmt"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// scratch is what one pass remembers while it reads and does not belong into
// the Config.
type scratch struct {
	noticed map[string]bool // keywords already in Config.Unused

	nameFiles     *nameFiles
	instances     []*instance
	instanceNames map[string]*instance
	groups        []*syncGroup
	groupNames    map[string]*syncGroup
	trackGroups   map[string]bool
	scripts       map[string]*vrrp.ScriptConfig
	files         map[string]*vrrp.FileConfig
	processes     map[string]*vrrp.ProcessConfig
	sessions      map[string]trackDefault // bfd_instances that may be tracked
	tracked       map[trackKey]bool
	addresses     map[addressKey]string
	rulePriority  [2]uint32       // next number for IPv4 and IPv6 rules without one
	paced         map[string]bool // interfaces in a garp_group
	paceGroups    int
	lvs           lvsDraft
	bfdNames      []string // bfd_instances that were accepted
}

func newScratch() scratch {
	return scratch{
		noticed: map[string]bool{}, instanceNames: map[string]*instance{}, groupNames: map[string]*syncGroup{},
		trackGroups: map[string]bool{}, scripts: map[string]*vrrp.ScriptConfig{}, files: map[string]*vrrp.FileConfig{},
		processes: map[string]*vrrp.ProcessConfig{}, sessions: map[string]trackDefault{}, tracked: map[trackKey]bool{},
		addresses: map[addressKey]string{}, paced: map[string]bool{},
	}
}

// newConfig holds the defaults of what nothing configures.
func newConfig(env *Env) *Config {
	c := &Config{}
	g := &c.Global
	g.ChildWait = 5 * time.Second
	g.RouterID = env.HostName
	g.NetNamespace = env.Namespace
	g.SMTPPort = 25
	g.StartupTimeout, g.ShutdownTimeout = 10*time.Second, 10*time.Second
	g.JSONVersion = 1
	g.MinAutoPriorityDelay = time.Second
	g.RxBufsMultiplier = 3
	g.NFTablesIPVSPrio, g.NFTablesIPVSMark = -1, 1000
	g.SNMPSocket = env.SNMPSocket
	g.SNMPVSInterval = 5 * time.Second
	g.DBusServiceName, g.DBusNoInterface = "org.keepalived.Vrrp1", "none"
	g.VRRPDefaults = VRRPDefaults{Version: 2, DownTimerAdverts: 3,
		GARP: vrrp.GARPConfig{Delay: defaultGARPDelay, Repeat: defaultGARPRepeat, RefreshRepeat: 1}}
	c.VRRP.Group4, c.VRRP.Group6 = defaultGroup4, defaultGroup6
	c.VRRP.Firewall.NFTablesPriority = -1
	return c
}

// Load reads the configuration that pattern names (option -f) and checks it.
// The problems come in the order in which the original prints them under -t:
// parent, checker, vrrp, bfd. A daemon's process prints those of its own pass.
func Load(open Opener, pattern string, env Env) (*Config, []Problem) {
	r := newReading(open, pattern, &env, nil)
	return r.cfg, r.problems
}

// reading is one run over the files.
type reading struct {
	cfg      *Config
	problems []Problem
	lex      *lexer
}

// newReading reads the files. What is known of an earlier reading is not read
// again, and what this one finds is remembered unless known is nil.
func newReading(open Opener, pattern string, env *Env, before *known) *reading {
	r := &reading{cfg: newConfig(env), lex: newLexer(open, env)}
	if before != nil {
		r.lex.before, r.lex.found = before, &known{}
	}
	start := func(pass Pass) *parser {
		return &parser{cfg: r.cfg, env: env, pass: pass, lex: r.lex, problems: &r.problems,
			scratch: newScratch()}
	}
	parent := start(Parent)
	r.lex.readMain(pattern)
	ok := runPass(parent)
	r.cfg.Files = r.lex.files
	r.cfg.IncludeFailed = slices.ContainsFunc(r.problems, func(m Problem) bool { return m.Class == FileNotFound })
	r.cfg.Failed[Parent] = !ok
	if !ok || r.cfg.IncludeFailed || !r.cfg.enterNamespace(env) {
		return r
	}
	items := readRecording(r.lex)
	for pass := Checker; pass < passes; pass++ {
		p := start(pass)
		p.items = items
		if runPass(p) {
			continue
		}
		// Under -t the run ends here; a daemon's processes each do their own pass.
		r.cfg.Failed[pass] = true
		if env.Test {
			break
		}
	}
	return r
}

// runPass reads everything once. False: a parameter was missing.
func runPass(p *parser) bool {
	for {
		p.atRoot = true
		it, ok := p.read()
		p.atRoot = false
		if !ok {
			break
		}
		p.statement(it)
		p.root(it)
	}
	if p.depth != 0 {
		p.checkf(MissingClose, "There are %d missing '}'s or extra '{'s", p.depth)
	}
	if p.ended {
		return false
	}
	if check := afterPass[p.pass]; check != nil {
		check(p)
	}
	return !p.ended
}

// root handles a statement outside of all blocks.
func (p *parser) root(it item) {
	if it.kind == itemClose {
		p.classf(UnknownKeyword, "Unknown keyword '}'")
		return
	}
	if it.kind == itemKnown {
		if p.pass == Checker {
			p.knownService(it)
		}
		return
	}
	if it.kind == itemWords {
		w := p.words(it)
		if w.len() == 0 {
			return
		}
		if r, ok := rootBlock[w.list[0].text]; ok && !slices.Contains(r.in, p.pass) {
			if r.opens {
				p.skipBlock()
			}
			return
		}
	}
	statement(p, rootBlock, p.cfg, it)
}

// readMain arranges for the files of option -f to be read.
func (l *lexer) readMain(pattern string) {
	names := l.match(pattern, l.checks)
	if len(names) > 1 {
		l.several = true
		l.message(MultipleFiles, "WARNING, multiple configuration file matches of %s, starting with %s", pattern, names[0])
	}
	l.readFiles(names, l.checks, false)
}

// noEffect notes a keyword that nothing acts on yet.
func (p *parser) noEffect(acts, keyword string) {
	if acts != "" || p.noticed[keyword] {
		return
	}
	p.noticed[keyword] = true
	n := Notice{Text: fmt.Sprintf("keyword '%s' is accepted and has no effect yet", keyword)}
	if p.at.file != nil {
		n.File, n.Line = p.at.file.name, int(p.at.line)
	}
	p.cfg.Unused = append(p.cfg.Unused, n)
}
