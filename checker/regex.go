package checker

import (
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

const (
	// subjectLimit is how much of an answer a regex sees. keepalived searches
	// all of it, but keeps no more than 4095 bytes of a match.
	subjectLimit = 1 << 20
	// regexTime bounds the search of patterns that need backtracking.
	regexTime = time.Second
)

// Matcher is a compiled regex block.
type Matcher struct {
	linear *regexp.Regexp  // what Go's library can do, in linear time
	back   *regexp2.Regexp // the rest: look-behind, atomic groups, offsets
	cfg    *Regex
	utf    bool
}

// Compile makes the pattern ready. PCRE2 features that neither library has
// (conditionals, recursion, \K beside a greatest offset) are an error.
func (r *Regex) Compile() (*Matcher, error) {
	m := &Matcher{cfg: r, utf: r.has("utf")}
	flags, opts := "", regexp2.RegexOptions(regexp2.None)
	for _, o := range []struct {
		name, flag string
		opt        regexp2.RegexOptions
	}{
		{"caseless", "i", regexp2.IgnoreCase}, {"multiline", "m", regexp2.Multiline}, {"dotall", "s", regexp2.Singleline},
		{"extended", "", regexp2.IgnorePatternWhitespace}, {"no_auto_capture", "", regexp2.ExplicitCapture},
	} {
		if r.has(o.name) {
			flags, opts = flags+o.flag, opts|o.opt
		}
	}
	translated := translate(r)
	if r.MinOffset == 0 && !r.has("extended") {
		pattern := translated
		if flags != "" {
			pattern = "(?" + flags + ")" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err == nil {
			m.linear = re
			return m, nil
		}
	}
	re, err := regexp2.Compile(translated, opts)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = regexTime
	m.back = re
	return m, nil
}

func (r *Regex) has(option string) bool { return slices.Contains(r.Options, option) }

// Slow reports whether a search may take long, so that it must not hold up
// other checks.
func (m *Matcher) Slow() bool { return m.back != nil }

// Passes reports whether an answer, header and body, is as wanted.
//
// keepalived: more data is assumed to follow, so what touches the end of the
// answer is never a match; "tail$" does not match. One byte appended and
// refused does the same.
func (m *Matcher) Passes(answer []byte) bool {
	first, end, found := m.find(append(answer, 0))
	found = found && end <= len(answer)
	if found && m.cfg.HasMax && uint64(first) > m.cfg.MaxOffset {
		found = false
	}
	if found && m.cfg.has("firstline") && slices.Contains(answer[:min(first, len(answer))], '\n') {
		found = false
	}
	return found != m.cfg.NoMatch
}

// find returns the first match that starts at MinOffset or later.
func (m *Matcher) find(subject []byte) (first, end int, found bool) {
	if m.linear != nil {
		loc := m.linear.FindIndex(subject)
		if loc == nil {
			return 0, 0, false
		}
		return loc[0], loc[1], true
	}
	if m.cfg.MinOffset > uint64(len(subject)) {
		return 0, 0, false
	}
	// Bytes are characters unless utf says otherwise.
	runes, start := make([]rune, 0, len(subject)), 0
	at := make([]int, 0, len(subject)+1) // byte offset of each rune
	for i := 0; i < len(subject); {
		c, n := rune(subject[i]), 1
		if m.utf {
			c, n = utf8.DecodeRune(subject[i:])
		}
		if uint64(i) < m.cfg.MinOffset {
			start++
		}
		runes, at = append(runes, c), append(at, i)
		i += n
	}
	at = append(at, len(subject))
	match, err := m.back.FindRunesMatchStartingAt(runes, start)
	if err != nil || match == nil {
		return 0, 0, false
	}
	return at[match.Index], at[match.Index+match.Length], true
}
