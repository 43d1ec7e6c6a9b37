package configparse

import (
	"fmt"
)

// maxProblems bounds what one Load reports.
const maxProblems = 50_000

// parser is one pass over the statements: it knows the pass, where it is, and
// the configuration that it fills.
type parser struct {
	cfg  *Config
	env  *Env
	pass Pass
	lex  *lexer // of the parent's pass, which has it read

	items []item // of the other passes
	taken int    // how many of them
	space []word // for the words of the next statements

	back     item // one statement given back
	hasBack  bool
	at       position // of the statement last read
	column   int32    // of the word last looked at
	depth    int      // braces open
	atRoot   bool     // the next statement is one outside of all blocks
	problems *[]Problem

	// ended: a parameter was missing. Nothing is read or reported any more.
	ended bool

	// failed: what was found makes the original give this pass up after it
	// was read (grammar.md 14.1).
	missingInterface bool

	scratch
}

// report adds a message at the statement last read.
func (p *parser) report(class Class, at position, text string) {
	if p.ended || len(*p.problems) > maxProblems {
		return
	}
	if len(*p.problems) == maxProblems {
		text = "too many messages - the rest is not shown"
	}
	m := Problem{Text: text, Class: class, Pass: p.pass}
	if at.file != nil && at.line > 0 {
		m.File, m.Line, m.Column = at.file.name, int(at.line), int(at.column)
		m.bare = p.pass == Parent && !at.file.included && !p.lex.several
	}
	*p.problems = append(*p.problems, m)
}

// errorf reports a message of the ordinary class at the word last looked at.
func (p *parser) errorf(format string, args ...any) {
	p.classf(GeneralError, format, args...)
}

// classf reports a message of another class.
func (p *parser) classf(class Class, format string, args ...any) {
	at := p.at
	if p.column > 0 {
		at.column = p.column
	}
	p.report(class, at, fmt.Sprintf(format, args...))
}

// logf is for what the original only logs: -t does not show it.
func (p *parser) logf(format string, args ...any) {
	p.classf(ClassLog, format, args...)
}

// checkf reports a message that belongs to no line: a check after parsing.
func (p *parser) checkf(class Class, format string, args ...any) {
	p.report(class, position{}, fmt.Sprintf(format, args...))
}

// next gives the next statement or message.
func (p *parser) next() (item, bool) {
	if p.pass == Parent {
		return p.lex.next()
	}
	if p.taken == len(p.items) {
		return item{}, false
	}
	p.taken++
	return p.items[p.taken-1], true
}

// read gives the next statement, and false at the end or when the pass has ended.
func (p *parser) read() (item, bool) {
	if p.ended {
		return item{}, false
	}
	if p.hasBack {
		p.hasBack = false
		p.at, p.column = p.back.at, 0
		p.brace(p.back)
		return p.back, true
	}
	for {
		it, ok := p.next()
		p.at, p.column = it.at, 0
		if !ok {
			return it, false
		}
		switch {
		case it.kind == itemMessage:
			p.report(it.class, it.at, it.text)
		case it.kind == itemKnown && !p.atRoot:
			p.lex.doubtful = true
		default:
			p.brace(it)
			return it, true
		}
	}
}

// unread gives a statement back; the position stays, as the original's does.
func (p *parser) unread(it item) {
	switch it.kind {
	case itemOpen:
		p.depth--
	case itemClose:
		p.depth++
	}
	p.back, p.hasBack = it, true
}

// brace keeps the balance over the whole input.
func (p *parser) brace(it item) {
	switch it.kind {
	case itemOpen:
		p.depth++
	case itemClose:
		if p.depth == 0 {
			p.classf(UnexpectedClose, "Extra '}' found")
			return
		}
		p.depth--
	}
}

// skipBlock passes over a block that is another pass's business.
func (p *parser) skipBlock() {
	it, ok := p.read()
	switch {
	case !ok:
	case it.kind != itemOpen:
		p.unread(it)
	case it.end > 0: // nothing in it to report
		p.taken = int(it.end) + 1
		p.at, p.depth = p.items[it.end].at, p.depth-1
	default:
		p.skipBody()
	}
}

// refuseBlock passes over a block whose beginning was not accepted. Without
// the brace its lines are passed over all the same.
func (p *parser) refuseBlock() {
	it, ok := p.read()
	if !ok {
		return
	}
	if it.kind != itemOpen {
		p.classf(MissingOpen, "Missing '{' at beginning of configuration block")
	}
	if it.kind != itemClose {
		p.skipBody()
	}
}

// skipBody reads up to the end of the block that is open.
func (p *parser) skipBody() {
	for depth := 1; depth > 0; {
		it, ok := p.read()
		if !ok {
			return
		}
		switch it.kind {
		case itemOpen:
			depth++
		case itemClose:
			depth--
		}
	}
}

// words are the words of a statement. w[0] is the keyword, or in a data line
// the first word.
type words struct {
	list []word
	at   position // of the statement
	raw  string   // its text
}

func (p *parser) words(it item) words {
	if cap(p.space)-len(p.space) < maxWords(it.text) {
		p.space = make([]word, 0, max(manyWords, maxWords(it.text)))
	}
	start := len(p.space)
	p.space, _ = appendSplit(p.space, it.text)
	return words{list: p.space[start:len(p.space):len(p.space)], at: it.at, raw: it.text}
}

// manyWords is for how many words there is room at a time.
const manyWords = 512

// len is the number of words, keyword included.
func (w words) len() int { return len(w.list) }

// block is the table of the keywords that a kind of block may hold.
type block[T any] map[string]row[T]

// row is one keyword.
type row[T any] struct {
	takes string // its words, as keywords.tsv writes them
	help  string // what it does, in a line
	acts  string // package that acts on it; empty: accepted, no effect yet

	// set takes the words of the statement. For a keyword that opens a block it
	// must read or skip that block (readBlock, readValues, skipBlock).
	set func(p *parser, t *T, w words)

	// sub are the keywords of the block it opens, or the words of its data
	// lines: for Keywords and diagnostics only.
	sub table

	// in are the passes that take a root keyword; empty inside blocks.
	in []Pass
	// unreleased keywords came after 2.4.3: they are unknown keywords, as there.
	unreleased bool
	// opens tells that the keyword opens a block, so that passes that do not
	// take it know what to skip.
	opens bool
}

// readBlock reads a keyword block into t: an opening brace, statements, a
// closing brace.
func readBlock[T any](p *parser, b block[T], t *T) {
	it, ok := p.read()
	if !ok {
		return
	}
	if it.kind != itemOpen {
		p.classf(MissingOpen, "Missing '{' at beginning of configuration block")
		p.unread(it)
	}
	for {
		it, ok := p.read()
		if !ok || it.kind == itemClose {
			return
		}
		p.statement(it)
		statement(p, b, t, it)
	}
}

func statement[T any](p *parser, b block[T], t *T, it item) {
	if it.kind == itemOpen {
		p.classf(UnexpectedOpen, "Unexpected '{' - ignoring")
		return
	}
	w := p.words(it)
	if w.len() == 0 {
		return
	}
	r, ok := b[w.list[0].text]
	if !ok || r.unreleased {
		p.classf(UnknownKeyword, "Unknown keyword '%s'", w.list[0].text)
		return
	}
	p.noEffect(r.acts, w.list[0].text)
	r.set(p, t, w)
}

func (p *parser) statement(it item) { p.column = it.at.column }

// readValues reads a value block: each is called for every data line. taken is
// how many words of w belong to the keyword; more are reported.
func (p *parser) readValues(w words, taken int, each func(w words)) {
	if w.len() > taken {
		p.errorf("Block %s has extra parameters %s ...", w.list[0].text, w.list[taken].text)
	}
	it, ok := p.read()
	if ok && it.kind != itemOpen {
		p.logf("'{' missing from beginning of block %s", w.list[0].text)
		p.unread(it)
	}
	for {
		it, ok := p.read()
		if !ok || it.kind == itemClose {
			return
		}
		if line := p.words(it); line.len() > 0 {
			each(line)
		}
	}
}
