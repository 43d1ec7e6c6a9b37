package configparse

import (
	"strconv"
	"strings"
)

// sequence reads the rest of a ~SEQ or ~LST line once per value.
type sequence struct {
	vars  []string
	value func(n int64) []string
	n     int64
	count int64
	rest  string
	at    position
}

func (q *sequence) next(l *lexer) (string, bool, bool) {
	if q.n == q.count || !l.expand() {
		return "", false, false
	}
	values := q.value(q.n)
	for i, name := range q.vars {
		text := ""
		if i < len(values) {
			text = values[i]
		}
		l.defs[name] = definition{text: text}
	}
	q.n++
	l.at = q.at
	return q.rest, false, true
}

func (q *sequence) close(l *lexer) { l.at = q.at }

// repeat handles ~SEQ, ~SEQx and ~LST (grammar.md 6.5).
func (l *lexer) repeat(s string) bool {
	var q *sequence
	var kind string
	switch {
	case follows(s, "~SEQ"):
		kind, q = "~SEQ", l.seq(s, "~SEQ", 10)
	case follows(s, "~SEQx"):
		kind, q = "~SEQ", l.seq(s, "~SEQx", 16)
	case follows(s, "~LST"):
		kind, q = "~LST", l.lst(s)
	default:
		return false
	}
	if q == nil {
		l.message(GeneralError, "Invalid %s specification '%s'", kind, s)
		return true
	}
	q.at = l.at
	l.push(q)
	return true
}

// follows tells whether s is prefix, blanks and an opening parenthesis.
func follows(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && first(strings.TrimLeft(rest, blanks)) == '('
}

// maxSequence is how long the original's parameters may be.
const maxSequence = 62

func (l *lexer) seq(s, prefix string, base int) *sequence {
	end := strings.IndexByte(s, ')')
	if end < 0 {
		l.message(GeneralError, "~SEQ missing terminating ')' '%s'", s)
		return nil
	}
	spec := s[strings.IndexByte(s, '(')+1 : end]
	if strings.IndexByte(spec, '$') >= 0 {
		pushed := len(l.sources)
		spec, _ = l.substitute(spec)
		if len(l.sources) != pushed {
			l.sources = l.sources[:pushed]
			l.message(GeneralError, "~SEQ parameter is multiline definition '%s'", s)
			return nil
		}
	}
	if len(spec) > maxSequence {
		l.message(GeneralError, "~SEQ parameter strings too long '%s'", s)
		return nil
	}
	name, numbers, ok := sequenceSpec(spec)
	if !ok {
		l.message(GeneralError, "Invalid ~SEQ definition '%s'", s)
		return nil
	}
	start, step, last := sequenceRange(numbers)
	if step == 0 || step > 0 && start > last || step < 0 && start < last {
		l.message(GeneralError, "Invalid ~SEQ values '%s'", s)
		return nil
	}
	if base == 16 && (start < 0 || last < 0 || step < 0 && numbers[0] < 0) {
		l.message(GeneralError, "~SEQx is only valid for positive numbers '%s'", s)
		return nil
	}
	return &sequence{
		vars:  []string{name},
		count: (last-start)/step + 1,
		value: func(n int64) []string { return []string{strconv.FormatInt(start+n*step, base)} },
		rest:  strings.TrimLeft(s[end+1:], blanks),
	}
}

// sequenceSpec takes "VAR, N, N" apart.
func sequenceSpec(spec string) (string, []int64, bool) {
	fields := strings.Split(spec, ",")
	name := strings.Trim(fields[0], blanks)
	if name == "" || nameEnd(name, 0) != len(name) || len(fields) < 2 || len(fields) > 4 {
		return "", nil, false
	}
	var numbers []int64
	for _, f := range fields[1:] {
		f = strings.Trim(f, blanks)
		if f == "" {
			f = "0"
		}
		size, negative := strings.CutPrefix(f, "-")
		n, ok := cNumber(size)
		if !ok || n > maxUint32 {
			return "", nil, false
		}
		if negative {
			numbers = append(numbers, -int64(n))
		} else {
			numbers = append(numbers, int64(n))
		}
	}
	return name, numbers, true
}

// sequenceRange gives start, step and last of one, two or three numbers.
func sequenceRange(n []int64) (start, step, last int64) {
	switch len(n) {
	case 3:
		return n[0], n[1], n[2]
	case 2:
		start, last = n[0], n[1]
	default:
		start, last = 1, n[0]
		if last < 0 {
			start = -1
		}
	}
	if last < start {
		return start, -1, last
	}
	return start, 1, last
}

// lst reads "~LST(VAR,v,...)" and "~LST({A,B},{a,b},...)".
func (l *lexer) lst(s string) *sequence {
	p := listReader{s: s, i: strings.IndexByte(s, '(') + 1}
	var tuples [][]string
	for {
		tuple, ok := p.tuple()
		if !ok {
			return nil
		}
		tuples = append(tuples, tuple)
		if p.skip(); p.i >= len(s) {
			return nil
		}
		p.i++
		if s[p.i-1] == ')' {
			break
		}
		if s[p.i-1] != ',' {
			return nil
		}
	}
	vars := tuples[0]
	for _, v := range vars {
		if v == "" || nameEnd(v, 0) != len(v) {
			return nil
		}
	}
	for _, t := range tuples[1:] {
		if len(t) > len(vars) {
			l.message(GeneralError, "~LST specification has too many values '%s'", s)
			return nil
		}
	}
	if len(tuples) == 1 {
		return nil
	}
	return &sequence{vars: vars, count: int64(len(tuples) - 1), rest: strings.TrimLeft(s[p.i:], blanks),
		value: func(n int64) []string { return tuples[n+1] }}
}

type listReader struct {
	s string
	i int
}

func (p *listReader) skip() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t') {
		p.i++
	}
}

// tuple reads {a,b} or a single value.
func (p *listReader) tuple() ([]string, bool) {
	p.skip()
	if p.i >= len(p.s) || p.s[p.i] != '{' {
		return []string{p.value()}, p.i < len(p.s)
	}
	var t []string
	for p.i < len(p.s) && p.s[p.i] != '}' {
		p.i++
		p.skip()
		t = append(t, p.value())
		p.skip()
		if p.i < len(p.s) && p.s[p.i] != ',' && p.s[p.i] != '}' {
			return nil, false
		}
	}
	p.i++
	return t, p.i <= len(p.s)
}

func (p *listReader) value() string {
	start := p.i
	for p.i < len(p.s) && strings.IndexByte(" \t,)}", p.s[p.i]) < 0 {
		p.i++
	}
	return p.s[start:p.i]
}
