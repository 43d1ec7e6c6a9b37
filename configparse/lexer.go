package configparse

import (
	"fmt"
	"path"
	"strings"
)

// Bounds against input that would never end. All are far above what a real
// configuration needs.
const (
	maxExpanded = 200_000 // lines out of ~SEQ, ~LST and multi-line definitions
	maxDepth    = 200     // files and expansions inside each other
	maxOpened   = 5_000   // files read
)

// lexer reads lines and yields items. See token.go for why there are two.
type lexer struct {
	env   *Env
	open  Opener
	child bool // reads the parent's recording

	sources  []source
	at       position // of the line being read; line 0 before the first and after the last
	dir      string
	defs     map[string]definition
	multi    *multiline // definition that goes on on the next line
	checks   includeCheck
	several  bool // the -f pattern matched several files
	opened   int
	files    []string // that were read
	expanded int
	random   func(n uint64) uint64

	queue  []item // statements of the current line that are not yet taken
	taken  int
	record []rawLine // what the children will read

	// items are all that next has given, and special says that the children's
	// reading may give others.
	items   []item
	special bool

	blocks

	// stop ends the reading: a bound was reached.
	stop bool
}

// rawLine is a line as the parent leaves it to the children: without comment,
// before definitions are replaced.
type rawLine struct {
	text string
	at   position
}

// source yields raw lines and knows where they are.
type source interface {
	// next gives the next line. raw is true for lines of files, which still
	// have their comments.
	next(l *lexer) (text string, raw, ok bool)
	close(l *lexer)
}

func newLexer(open Opener, env *Env) *lexer {
	return &lexer{env: env, open: open, dir: open.Dir(), defs: map[string]definition{},
		random: newRandom(env.Seed), checks: env.includeChecks()}
}

// next gives the next statement or message, and false at the end of the input.
func (l *lexer) next() (item, bool) {
	for l.taken == len(l.queue) {
		l.queue, l.taken = l.queue[:0], 0
		if !l.readLine() {
			break
		}
	}
	if l.taken == len(l.queue) {
		l.at = position{}
		return item{}, false
	}
	l.taken++
	it := l.queue[l.taken-1]
	if !l.child && !l.special {
		l.items = append(l.items, it)
	}
	return it, true
}

func (l *lexer) emit(it item) {
	if l.found != nil {
		l.watch(it)
	}
	l.queue = append(l.queue, it)
}

func (l *lexer) message(class Class, format string, args ...any) {
	l.special = true
	l.emit(item{kind: itemMessage, class: class, text: fmt.Sprintf(format, args...), at: l.at})
}

func (l *lexer) push(s source) {
	if len(l.sources) >= maxDepth {
		// It does not end by itself: a definition leads back to its own.
		if !l.stop {
			l.message(GeneralError, "definitions are nested more than %d deep - ignoring the rest", maxDepth)
		}
		l.stop = true
		return
	}
	l.sources = append(l.sources, s)
}

// readLine handles one raw line. False: there are no more.
func (l *lexer) readLine() bool {
	for len(l.sources) > 0 && !l.stop {
		top := l.sources[len(l.sources)-1]
		text, raw, ok := top.next(l)
		if ok {
			l.line(text, raw)
			return true
		}
		top.close(l)
		l.sources = l.sources[:len(l.sources)-1]
		if len(l.queue) > 0 {
			return true
		}
	}
	l.sources = nil
	return false
}

// line is the order of work of grammar.md 6.6.
func (l *lexer) line(s string, raw bool) {
	empty := s == ""
	if raw {
		s = l.trim(s)
		if l.atHead(s) {
			return
		}
		if !l.child && (s != "" || l.multi != nil) && l.fromFile() {
			l.record = append(l.record, rawLine{s, l.at})
		}
		l.special = l.special || !plain(s)
	}
	if l.multi != nil {
		if s != "" || empty || l.child {
			l.multi.add(l, s)
		}
		return
	}
	if strings.ContainsAny(s, "$@~") {
		l.unfollow()
	}
	if c := first(s); c == '@' || c == '$' || c == '~' {
		s = l.condition(s)
		if l.define(s) || l.repeat(s) {
			return
		}
	}
	if strings.IndexByte(s, '$') >= 0 {
		var changed bool
		if s, changed = l.substitute(s); changed {
			s = l.withoutComment(trimBlanks(s))
		}
	}
	if kind, pattern, ok := isInclude(s); ok {
		l.unfollow()
		l.include(kind, pattern)
		return
	}
	l.cut(s)
	l.followed()
}

// plain tells whether a line without its comment says the same in both
// readings: nothing in it is replaced, quoted or escaped.
func plain(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '$', '@', '~', '"', '\\', '#', '!':
			return false
		}
	}
	return true
}

// fromFile tells whether no expansion is being read: its lines are not
// recorded, since the children expand the line that led to them again.
func (l *lexer) fromFile() bool {
	_, ok := l.sources[len(l.sources)-1].(*fileSource)
	return ok && !l.insideExpansion()
}

func (l *lexer) insideExpansion() bool {
	for _, s := range l.sources {
		switch s.(type) {
		case *lines, *sequence:
			return true
		}
	}
	return false
}

// trim does what is done to a line of a file before anything else.
func (l *lexer) trim(s string) string {
	body := trimBlanks(s)
	l.at.column += int32(len(s) - len(body))
	return l.withoutComment(body)
}

func (l *lexer) withoutComment(s string) string {
	body, open := uncomment(s)
	if open {
		l.message(GeneralError, "Unterminated quote '%s'", strings.TrimRight(body, blanks))
	}
	return trimEnd(body)
}

// first is the first byte of s, or a blank.
func first(s string) byte {
	if s == "" {
		return ' '
	}
	return s[0]
}

// fileSource reads the bytes of a file as the C library's fgets would with the
// original's buffer.
type fileSource struct {
	ref  *fileRef
	text string // lines and words are parts of it: it is never copied
	data string // what is left of it
	from int    // where in text the last line begins
	line int32

	// What was in force outside, put back at the end.
	back   position
	dir    string
	checks includeCheck
}

func (f *fileSource) next(l *lexer) (string, bool, bool) {
	for len(f.data) > 0 {
		chunk := f.data[:min(len(f.data), maxLine)]
		end := strings.IndexByte(chunk, '\n')
		if end >= 0 {
			chunk = chunk[:end+1]
		}
		f.from = len(f.text) - len(f.data)
		f.data = f.data[len(chunk):]
		l.at = position{file: f.ref, line: f.line, column: 1}
		f.line++
		switch {
		case end < 0 && len(chunk) == maxLine:
			l.message(GeneralError, "line too long - ignoring")
		case strings.IndexByte(chunk, 0) >= 0:
			l.message(GeneralError, "configuration appears to have embedded NULs - ignoring line")
		default:
			l.at.line = f.line
			n := len(chunk)
			for n > 0 && (chunk[n-1] == '\n' || chunk[n-1] == '\r') {
				n--
			}
			return chunk[:n], true, true
		}
	}
	return "", false, false
}

func (f *fileSource) close(l *lexer) {
	l.at, l.dir, l.checks = f.back, f.dir, f.checks
}

// recording gives the children what the parent read.
type recording struct {
	lines []rawLine
	n     int
	first *lexer // that recorded it
}

func (r *recording) next(l *lexer) (string, bool, bool) {
	if r.n == len(r.lines) {
		return "", false, false
	}
	r.n++
	if known, ok := r.first.marks[r.n-1]; ok {
		r.first.doubtful = r.first.doubtful || l.multi != nil
		l.emit(item{kind: itemKnown, at: r.lines[r.n-1].at, end: known})
		return "", false, true
	}
	l.at, l.dir = r.lines[r.n-1].at, r.lines[r.n-1].at.file.dir
	return r.lines[r.n-1].text, true, true
}

func (r *recording) close(*lexer) {}

// readRecording gives the items of the second reading, which are those of the
// first if no line is special.
func readRecording(first *lexer) []item {
	if !first.special {
		matchBraces(first.items)
		return first.items
	}
	l := newLexer(first.open, first.env)
	l.child = true
	l.push(&recording{lines: first.record, first: first})
	items := make([]item, 0, 2*len(first.record)) // most lines have one, or two with a brace
	for {
		it, ok := l.next()
		if !ok {
			matchBraces(items)
			return items
		}
		items = append(items, it)
	}
}

// resolve makes a name absolute.
func (l *lexer) resolve(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(l.dir, name)
}
