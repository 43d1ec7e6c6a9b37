package configparse

import (
	"fmt"
	"slices"
)

// scratch is what one pass remembers while it reads and does not belong into
// the Config.
type scratch struct {
	noticed map[string]bool // keywords already in Config.Unused
}

// Load reads the configuration that pattern names (option -f) and checks it.
// The problems come in the order in which the original prints them under -t:
// parent, checker, vrrp, bfd. A daemon's process prints those of its own pass.
func Load(open Opener, pattern string, env Env) (*Config, []Problem) {
	cfg := &Config{}
	var problems []Problem
	lex := newLexer(open, &env)
	start := func(pass Pass) *parser {
		return &parser{cfg: cfg, env: &env, pass: pass, lex: lex, problems: &problems,
			scratch: scratch{noticed: map[string]bool{}}}
	}
	parent := start(Parent)
	parent.next = lex.next
	lex.readMain(pattern)
	ok := runPass(parent)
	cfg.IncludeFailed = slices.ContainsFunc(problems, func(m Problem) bool { return m.Class == FileNotFound })
	if !ok || cfg.IncludeFailed || !cfg.enterNamespace(&env) {
		return cfg, problems
	}
	items := readRecording(lex)
	for pass := Checker; pass < passes; pass++ {
		p := start(pass)
		n := 0
		p.next = func() (item, bool) {
			if n == len(items) {
				return item{}, false
			}
			n++
			return items[n-1], true
		}
		if !runPass(p) {
			break
		}
	}
	return cfg, problems
}

// runPass reads everything once. False: a parameter was missing.
func runPass(p *parser) bool {
	for {
		it, ok := p.read()
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
