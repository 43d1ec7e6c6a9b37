package configparse

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// definition is what $NAME= set: one line, or several.
type definition struct {
	text string
	rest []string // further lines of a multi-line definition
	many bool
}

// multiline is a definition whose line ended in a backslash.
type multiline struct {
	name  string
	lines []string
	bytes int
}

const maxDefinition = 16 << 20 // bytes of one multi-line definition

func (m *multiline) add(l *lexer, s string) {
	body, more := strings.CutSuffix(s, "\\")
	if len(m.lines) == 1 && m.lines[0] == "" {
		m.lines = m.lines[:0] // nothing stood behind the =
	}
	m.lines = append(m.lines, strings.TrimRight(body, blanks))
	m.bytes += len(body)
	if more && m.bytes < maxDefinition {
		return
	}
	l.defs[m.name] = definition{text: m.lines[0], rest: m.lines[1:], many: true}
	l.multi = nil
}

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isNameByte(c byte) bool { return isNameStart(c) || c >= '0' && c <= '9' }

// nameEnd gives the end of the name that starts at s[i], or i.
func nameEnd(s string, i int) int {
	if i >= len(s) || !isNameStart(s[i]) {
		return i
	}
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	return i
}

// condition drops a line that is for another configuration id. Our own name is
// an id that always holds, so that extensions hide from the original.
func (l *lexer) condition(s string) string {
	if first(s) != '@' {
		return s
	}
	id, rest, _ := strings.Cut(s[1:], " ")
	if i := strings.IndexByte(id, '\t'); i >= 0 {
		id, rest = s[1:1+i], s[2+i:]
	}
	id, negated := strings.CutPrefix(id, "^")
	holds := id == l.env.ConfigID || id == extensionID
	if holds == negated {
		return ""
	}
	return strings.TrimLeft(rest, blanks)
}

const extensionID = "keepalived-go"

// define handles $NAME=text.
func (l *lexer) define(s string) bool {
	if first(s) != '$' {
		return false
	}
	end := nameEnd(s, 1)
	if end == 1 || end == len(s) || s[end] != '=' {
		return false
	}
	name, text := s[1:end], strings.TrimLeft(s[end+1:], blanks)
	if body, more := strings.CutSuffix(text, "\\"); more {
		l.multi = &multiline{name: name, lines: []string{strings.TrimRight(body, blanks)}}
		return true
	}
	l.defs[name] = definition{text: text}
	return true
}

// reference is a use of a definition found in a line.
type reference struct {
	name   string
	params []string
	end    int
}

// refersAt reads ${NAME}, ${NAME params} or $NAME at s[i].
func refersAt(s string, i int) (reference, bool) {
	if i+1 < len(s) && s[i+1] == '{' {
		end := nameEnd(s, i+2)
		if end == i+2 || end == len(s) {
			return reference{}, false
		}
		r := reference{name: s[i+2 : end]}
		closing := strings.IndexByte(s[end:], '}')
		if closing < 0 {
			return reference{}, false
		}
		inside := s[end : end+closing]
		r.end = end + closing + 1
		if inside == "" {
			return r, true
		}
		if !strings.ContainsAny(inside[:1], blanks) || strings.ContainsAny(inside[len(inside)-1:], blanks) {
			return reference{}, false
		}
		r.params = strings.Fields(inside)
		for _, p := range r.params {
			for k := range len(p) {
				if !isNameByte(p[k]) {
					return reference{}, false
				}
			}
		}
		return r, true
	}
	end := nameEnd(s, i+1)
	if end == i+1 || end < len(s) && strings.IndexByte(" \t,)", s[end]) < 0 {
		return reference{}, false
	}
	return reference{name: s[i+1 : end], end: end}, true
}

// maxReplaced bounds the replacements in one line; a definition that is its own
// text would otherwise go round for ever.
const maxReplaced = 4096

// substitute replaces the definitions used in a line; their text is scanned
// again. The further lines of a multi-line definition are read next.
func (l *lexer) substitute(s string) (string, bool) {
	changed := false
	plainEnd := 0 // up to here the text came out of a definition of one line
	for i, n := 0, 0; n < maxReplaced && !l.stop; {
		k := strings.IndexByte(s[i:], '$')
		if k < 0 {
			break
		}
		i += k
		ref, ok := refersAt(s, i)
		if !ok {
			i++
			continue
		}
		// The original does not look for several lines in the text of one.
		text, rest, ok := l.value(ref, ref.end == len(s) && i >= plainEnd)
		if !ok {
			i++
			continue
		}
		if len(s)-(ref.end-i)+len(text) > maxLine {
			l.message(ClassLog, "Parameter substitution on line '%s' would exceed maximum line length", s)
			break
		}
		if rest != nil {
			l.push(&lines{text: rest, at: l.at})
		} else {
			plainEnd = max(plainEnd+len(text)-(ref.end-i), i+len(text))
		}
		s = s[:i] + text + s[ref.end:]
		changed = true
		n++
	}
	return s, changed
}

// value looks a reference up. last is true when it ends its line, which
// multi-line definitions must.
func (l *lexer) value(r reference, last bool) (text string, rest []string, ok bool) {
	if d, ok := l.defs[r.name]; ok {
		if r.params != nil || d.many && !last {
			return "", nil, false
		}
		return d.text, d.rest, true
	}
	switch r.name {
	case "_RANDOM":
		text, ok = l.randomNumber(r.params)
		return text, nil, ok
	case "_ENV":
		if len(r.params) != 1 { // the original crashes without a name
			l.parameters("_ENV", 1, 1, len(r.params))
			return "", nil, false
		}
		return l.env.getenv(r.params[0]), nil, true
	}
	if r.params != nil {
		return "", nil, false
	}
	switch r.name {
	case "_PWD":
		return l.dir, nil, true
	case "_INSTANCE":
		return l.env.ConfigID, nil, true
	case "_HASH":
		return "#", nil, true
	case "_BANG":
		return "!", nil, true
	}
	return "", nil, false
}

func (l *lexer) parameters(name string, lo, hi, got int) {
	l.message(GeneralError, "Definition %s requires between %d and %d parameters, %d specified.", name, lo, hi, got)
}

// randomMax is the largest number of _RANDOM without parameters.
const randomMax = 32767

func (l *lexer) randomNumber(params []string) (string, bool) {
	limits := [2]uint64{0, randomMax}
	if len(params) > 2 {
		l.parameters("_RANDOM", 0, 2, len(params))
		return "", false
	}
	for i, p := range params {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			l.message(GeneralError, "Definition %s requires numeric parameters only.", "_RANDOM")
			return "", false
		}
		limits[i] = n
	}
	if limits[0] > limits[1] {
		l.message(GeneralError, "${_RANDOM}: min %d exceeds max %d, using %d", limits[0], limits[1], limits[0])
		limits[1] = limits[0]
	}
	n := limits[0] + l.random(limits[1]-limits[0]+1)
	return strconv.FormatUint(n, 10), true
}

// newRandom draws the same numbers for the same seed, so that parent and
// children see one configuration. (In the original every pass draws anew.)
func newRandom(seed uint64) func(uint64) uint64 {
	return rand.New(rand.NewPCG(seed, 0)).Uint64N
}

// lines are the further lines of a multi-line definition, read where it is used.
type lines struct {
	text []string
	at   position
}

func (s *lines) next(l *lexer) (string, bool, bool) {
	if len(s.text) == 0 || !l.expand() {
		return "", false, false
	}
	text := s.text[0]
	s.text = s.text[1:]
	l.at = s.at
	return text, false, true
}

func (s *lines) close(l *lexer) { l.at = s.at }

// expand counts the lines that are not written in any file.
func (l *lexer) expand() bool {
	l.expanded++
	if l.expanded > maxExpanded && !l.stop {
		l.message(GeneralError, "configuration expands to more than %d lines - ignoring the rest", maxExpanded)
		l.stop = true
	}
	return !l.stop
}
