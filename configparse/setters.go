package configparse

import "strings"

// Setters for the rows that need no more than a field and a text.

// flag is a keyword without value.
func flag[T any](set func(*T)) func(*parser, *T, words) {
	return func(_ *parser, t *T, _ words) { set(t) }
}

// optionalBool is BOOL optional (bare = true). bad may hold one %s for the word.
func optionalBool[T any](bad string, set func(*T, bool)) func(*parser, *T, words) {
	return func(p *parser, t *T, w words) {
		v, ok := p.boolean(w, 1)
		if !ok {
			p.oneWord(bad, w)
			return
		}
		set(t, v)
	}
}

// oneWord reports format, which may hold one %s, with word 1.
func (p *parser) oneWord(format string, w words) {
	if strings.Contains(format, "%s") {
		p.errorf(format, p.opt(w, 1))
		return
	}
	p.errorf("%s", format)
}

// text is a keyword with one word; missing is said when there is none, or the
// run ends if missing is empty.
func text[T any](missing string, set func(*T, string)) func(*parser, *T, words) {
	return func(p *parser, t *T, w words) {
		if missing != "" && !w.has(1) {
			p.errorf("%s", missing)
			return
		}
		s := p.word(w, 1)
		if !p.ended {
			set(t, s)
		}
	}
}

// number is an unsigned number; bad may hold one %s for the word.
func number[T any](lo, hi uint64, class strictness, bad string, set func(*T, uint64)) func(*parser, *T, words) {
	return func(p *parser, t *T, w words) {
		n, ok := p.unsigned(w, 1, lo, hi, class)
		if !ok {
			p.oneWord(bad, w)
			return
		}
		set(t, n)
	}
}

// needs is number for a keyword that has its own message for a missing word.
func needs[T any](missing string, next func(*parser, *T, words)) func(*parser, *T, words) {
	return func(p *parser, t *T, w words) {
		if !w.has(1) {
			p.errorf("%s", missing)
			return
		}
		next(p, t, w)
	}
}

// deprecated says a text and goes on.
func deprecated[T any](class Class, text string, next func(*parser, *T, words)) func(*parser, *T, words) {
	return func(p *parser, t *T, w words) {
		p.classf(class, "%s", text)
		next(p, t, w)
	}
}
