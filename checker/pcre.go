package checker

import (
	"regexp"
	"strings"
)

// translation rewrites what PCRE2 has and the libraries of Go lack, or read in
// another way, into what both of them understand: possessive quantifiers,
// POSIX classes, \h \v \N \R, \Q…\E, comments, \K, and \d \s \w, which are ASCII in
// PCRE2.
type translation struct {
	in, out  string
	extended bool
	ungreedy bool
	unicode  bool // ucp: \d, \s and \w go beyond ASCII

	atom   int   // where the last thing begins that a quantifier may follow
	groups []int // where the open groups begin
}

// outside and inside a bracketed class.
var (
	escapesOutside = map[byte]string{
		'h': `[\t \xa0]`, 'H': `[^\t \xa0]`, 'v': `[\n-\r\x85]`, 'V': `[^\n-\r\x85]`, 'N': `[^\n]`,
		'R': `(?:\r\n|[\n-\r\x85])`,
	}
	escapesInside = map[byte]string{'h': `\t \xa0`, 'v': `\n-\r\x85`}
	asciiOutside  = map[byte]string{
		'd': `[0-9]`, 'D': `[^0-9]`, 's': `[\t-\r ]`, 'S': `[^\t-\r ]`, 'w': `[0-9A-Za-z_]`, 'W': `[^0-9A-Za-z_]`,
	}
	asciiInside = map[byte]string{'d': `0-9`, 's': `\t-\r `, 'w': `0-9A-Za-z_`}

	posixClasses = map[string]string{
		"alnum": `0-9A-Za-z`, "alpha": `A-Za-z`, "ascii": `\x00-\x7f`, "blank": `\t `, "cntrl": `\x00-\x1f\x7f`,
		"digit": `0-9`, "graph": `!-~`, "lower": `a-z`, "print": ` -~`, "punct": "!-/:-@\\[-`{-~",
		"space": `\t-\r `, "upper": `A-Z`, "word": `0-9A-Za-z_`, "xdigit": `0-9A-Fa-f`,
	}

	groupOpening = regexp.MustCompile(`^\((?:\?(?:<[=!]|P?<|[=!:>|']|[a-zA-Z^-]*:?))?`)

	quantifier = regexp.MustCompile(`^(?:[*+?]|\{\d+(?:,\d*)?\})`)
	longEscape = regexp.MustCompile(`^\\(?:[pPxg]\{[^}]*\}|k(?:<[^>]*>|\{[^}]*\}|'[^']*')|x[0-9A-Fa-f]{1,2}|[0-9]+|[pPc].)`)
	posixClass = regexp.MustCompile(`^\[:([a-z]+):\]`)
)

func translate(r *Regex) string {
	t := translation{in: r.Pattern, extended: r.has("extended"), ungreedy: r.has("ungreedy"), unicode: r.has("ucp")}
	for t.in != "" {
		switch {
		case t.extended && t.in[0] == '#':
			end := strings.IndexByte(t.in, '\n')
			if end < 0 {
				end = len(t.in) - 1
			}
			t.in = t.in[end+1:]
		case strings.HasPrefix(t.in, `\K`) && !r.HasMax: // it moves the start of the match, which nothing asks for
			t.in = t.in[2:]
		case t.in[0] == '\\':
			t.begin()
			t.escape(escapesOutside, asciiOutside)
		case t.in[0] == '[':
			t.begin()
			t.class()
		case strings.HasPrefix(t.in, "(?#"):
			_, t.in, _ = strings.Cut(t.in, ")")
		case t.in[0] == '(':
			t.groups = append(t.groups, len(t.out))
			opening := groupOpening.FindString(t.in)
			t.out += strings.Replace(opening, "?P<", "?<", 1)
			t.in = t.in[len(opening):]
			t.begin()
		case t.in[0] == ')' && len(t.groups) > 0:
			t.take(1)
			t.atom, t.groups = t.groups[len(t.groups)-1], t.groups[:len(t.groups)-1]
		case quantifier.MatchString(t.in):
			t.quantify()
		default:
			t.begin()
			t.take(1)
		}
	}
	return t.out
}

func (t *translation) begin() { t.atom = len(t.out) }

// take copies n bytes.
func (t *translation) take(n int) {
	n = min(n, len(t.in))
	t.out, t.in = t.out+t.in[:n], t.in[n:]
}

// quantify copies a quantifier; a possessive one makes an atomic group.
func (t *translation) quantify() {
	t.take(len(quantifier.FindString(t.in)))
	switch {
	case strings.HasPrefix(t.in, "+"):
		t.out, t.in = t.out[:t.atom]+"(?>"+t.out[t.atom:]+")", t.in[1:]
	case strings.HasPrefix(t.in, "?") && t.ungreedy:
		t.in = t.in[1:]
	case strings.HasPrefix(t.in, "?"):
		t.take(1)
	case t.ungreedy:
		t.out += "?"
	}
}

// escape copies or replaces a backslash and what it stands before.
func (t *translation) escape(always, ascii map[byte]string) {
	if rest, ok := strings.CutPrefix(t.in, `\Q`); ok {
		text, behind, _ := strings.Cut(rest, `\E`)
		t.in = behind
		for _, c := range text { // the last character is what a quantifier repeats
			t.begin()
			t.out += regexp.QuoteMeta(string(c))
		}
		return
	}
	if len(t.in) > 1 {
		with, ok := always[t.in[1]]
		if !ok && !t.unicode {
			with, ok = ascii[t.in[1]]
		}
		if ok {
			t.out, t.in = t.out+with, t.in[2:]
			return
		}
	}
	t.take(max(2, len(longEscape.FindString(t.in))))
}

// class copies a bracketed class.
func (t *translation) class() {
	t.take(1)
	if strings.HasPrefix(t.in, "^") {
		t.take(1)
	}
	if strings.HasPrefix(t.in, "]") { // first, it is no end
		t.out, t.in = t.out+`\]`, t.in[1:]
	}
	for t.in != "" {
		name := posixClass.FindStringSubmatch(t.in)
		switch {
		case t.in[0] == ']':
			t.take(1)
			return
		case t.in[0] == '\\':
			t.escape(escapesInside, asciiInside)
		case name != nil && posixClasses[name[1]] != "":
			t.out, t.in = t.out+posixClasses[name[1]], t.in[len(name[0]):]
		case t.in[0] == '[': // both libraries could take it for more
			t.out, t.in = t.out+`\[`, t.in[1:]
		default:
			t.take(1)
		}
	}
}
