package configparse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Diagnostics beyond the original, for keepalived --check. The original's
// messages get a code, the place, what was expected and what was probably
// meant; then come findings that the original never makes, each with its
// reason. docs/diagnostics.md has a paragraph for every code.

// Severity of an Advice.
type Severity uint8

// The severities. Remark changes no exit status.
const (
	Remark Severity = iota
	Caution
	Failure
)

// String is the word of the text and JSON output.
func (s Severity) String() string {
	return [...]string{"info", "warning", "error"}[s]
}

// Advice is one finding.
type Advice struct {
	Code     string // stable, "KG" and three digits
	Severity Severity
	File     string // empty with Line 0: about the whole
	Line     int
	Column   int // from 1; 0: the whole line
	Text     string
	Why      string // the reason, where the text does not say it
	Expected string // what the keyword takes
	Nearest  string // known keyword that is spelt almost like the unknown one
	Block    string // block in which the keyword would be right
	Source   string // the line itself
}

// Checked is a configuration with everything Advise wants to know of it.
type Checked struct {
	Config   *Config
	Problems []Problem

	root  *node // statements as written, definitions replaced
	lines map[string][]string
}

// CheckFile reads a configuration for Advise.
func CheckFile(open Opener, pattern string, env Env) *Checked {
	env.Test = true
	c := &Checked{}
	rec := NewRecorder(open)
	c.Config, c.Problems = Load(rec, pattern, env)
	c.root = readTree(rec, pattern, env)
	c.lines = map[string][]string{}
	for _, f := range c.root.files() {
		if data, err := rec.Read(f.path); err == nil {
			c.lines[f.name] = strings.Split(data, "\n")
		}
	}
	return c
}

// Advise finds what there is to say about a configuration, and with peer, the
// configuration of the other node, about how the two fit. The order is that
// of the lines; what belongs to no line comes last.
func Advise(c, peer *Checked) []Advice {
	a := adviser{c: c}
	a.problems()
	a.unused()
	if !slices.ContainsFunc(c.Problems, func(p Problem) bool { return strings.HasPrefix(p.Text, "*** ") }) {
		a.instances()
		a.scripts()
		a.mail()
		a.services()
		a.sessions()
	}
	if peer != nil {
		a.compare(peer)
	}
	for i := range a.out {
		f := &a.out[i]
		if f.Source = c.source(f.File, f.Line); f.Source == "" && peer != nil {
			f.Source = peer.source(f.File, f.Line)
		}
		if f.Column == 0 && f.Source != "" {
			f.Column = 1 + len(f.Source) - len(strings.TrimLeft(f.Source, blanks))
		}
	}
	files := c.fileOrder()
	slices.SortStableFunc(a.out, func(x, y Advice) int {
		return cmp.Or(cmp.Compare(files(x), files(y)), cmp.Compare(x.Line, y.Line))
	})
	return a.out
}

// The exit statuses of keepalived --check.
const (
	CheckClean    = 0
	CheckWarnings = 1
	CheckErrors   = 2
	CheckUsage    = 64
)

// CheckStatus is the exit status for a list of findings.
func CheckStatus(all []Advice) int {
	status := CheckClean
	for _, a := range all {
		switch a.Severity {
		case Failure:
			return CheckErrors
		case Caution:
			status = CheckWarnings
		}
	}
	return status
}

// adviser collects findings.
type adviser struct {
	c    *Checked
	peer *Checked // of compare
	out  []Advice
}

// at makes a finding about a statement; n may be nil.
func (a *adviser) at(n *node, word int, code string, s Severity, why, format string, args ...any) {
	f := Advice{Code: code, Severity: s, Text: fmt.Sprintf(format, args...), Why: why}
	f.put(n, word)
	a.out = append(a.out, f)
}

// put places a finding at a word of a statement; n may be nil.
func (f *Advice) put(n *node, word int) {
	if n == nil || n.at.file == nil {
		return
	}
	f.File, f.Line, f.Column = n.at.file.name, int(n.at.line), n.column(word)
	if f.Column == 0 {
		f.Column = n.column(0)
	}
}

func (c *Checked) source(file string, line int) string {
	if lines := c.lines[file]; line >= 1 && line <= len(lines) {
		return strings.TrimRight(lines[line-1], "\r")
	}
	return ""
}

// fileOrder ranks findings by the order in which the files were read; what
// belongs to no file comes last.
func (c *Checked) fileOrder() func(Advice) int {
	order := map[string]int{}
	for i, f := range c.root.files() {
		order[f.name] = i
	}
	return func(a Advice) int {
		if i, ok := order[a.File]; ok && a.Line > 0 {
			return i
		}
		return len(order)
	}
}

// node is a statement with the block behind it. The tree is made from the
// braces alone, so it also shows what the parser refused.
type node struct {
	words  []word
	at     position
	block  bool
	closed bool // its closing brace is there
	below  []*node
	parent *node
}

// word is word i, or the empty word.
func (n *node) word(i int) string {
	if n == nil || i >= len(n.words) {
		return ""
	}
	return n.words[i].text
}

// column is where word i starts; 0 if there is no such word.
func (n *node) column(i int) int {
	if i < 0 || i >= len(n.words) || n.at.column == 0 {
		return 0
	}
	return int(n.at.column) + n.words[i].offset
}

// find gives the statements below n that begin with a keyword.
func (n *node) find(keyword string) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, b := range n.below {
		if b.word(0) == keyword {
			found = append(found, b)
		}
	}
	return found
}

// last is the last statement that begins with one of the keywords, or nil.
func (n *node) last(keywords ...string) *node {
	if n == nil {
		return nil
	}
	for _, b := range slices.Backward(n.below) {
		if slices.Contains(keywords, b.word(0)) {
			return b
		}
	}
	return nil
}

// named gives the block "keyword name", or nil.
func (n *node) named(keyword, name string) *node {
	for _, b := range n.find(keyword) {
		if b.word(1) == name {
			return b
		}
	}
	return nil
}

// path is the block path as Keywords has it.
func (n *node) path() string {
	if n == nil || n.parent == nil {
		return rootPath
	}
	above := n.parent.path()
	if above == rootPath {
		return n.word(0)
	}
	return above + "/" + n.word(0)
}

// each calls f for every statement below n.
func (n *node) each(f func(*node)) {
	for _, b := range n.below {
		f(b)
		b.each(f)
	}
}

type namedFile struct{ name, path string }

// files are the files that statements came from, in order.
func (n *node) files() []namedFile {
	var all []namedFile
	seen := map[string]bool{}
	n.each(func(b *node) {
		if f := b.at.file; f != nil && !seen[f.name] {
			seen[f.name] = true
			name := f.name
			if !strings.HasPrefix(name, "/") {
				name = f.dir + "/" + name[strings.LastIndexByte(name, '/')+1:]
			}
			all = append(all, namedFile{f.name, name})
		}
	})
	return all
}

// readTree reads the statements without looking at what they mean.
func readTree(open Opener, pattern string, env Env) *node {
	lex := newLexer(open, &env)
	lex.readMain(pattern)
	for {
		if _, ok := lex.next(); !ok {
			break
		}
	}
	root := &node{block: true}
	here, last := root, (*node)(nil)
	for _, it := range readRecording(lex) {
		switch it.kind {
		case itemWords:
			list, _ := split(it.text)
			if len(list) == 0 {
				continue
			}
			last = &node{words: list, at: it.at, parent: here}
			here.below = append(here.below, last)
		case itemOpen:
			if last == nil {
				last = &node{at: it.at, parent: here}
				here.below = append(here.below, last)
			}
			last.block = true
			here, last = last, nil
		case itemClose:
			if here.parent != nil {
				here.closed = true
				here = here.parent
			}
			last = nil
		}
	}
	return root
}
