package configparse

import (
	"fmt"
	"strings"
)

// printer writes canonical keepalived.conf: one statement a line, four blanks
// for each level. The blocks are in print.go and print_lvs.go.
type printer struct {
	b     strings.Builder
	depth int
}

// line writes one statement. Empty words are left out, so an optional value
// that is not there needs no branch; a value that may be empty is quoted.
func (o *printer) line(keyword string, rest ...string) {
	size := len(keyword)
	for _, w := range rest {
		size += 1 + len(w)
	}
	if size+4*o.depth < maxLine-1 { // else blanks would make the line too long to be read
		for range o.depth {
			o.b.WriteString("    ")
		}
	}
	o.b.WriteString(keyword)
	for _, w := range rest {
		if w != "" {
			o.b.WriteByte(' ')
			o.b.WriteString(w)
		}
	}
	o.b.WriteByte('\n')
}

// open begins a block, close ends it.
func (o *printer) open(keyword string, rest ...string) {
	o.line(keyword, append(rest, "{")...)
	o.depth++
}

func (o *printer) close() {
	o.depth--
	o.line("}")
}

// flag writes a keyword without value if it is on.
func (o *printer) flag(keyword string, on bool) {
	if on {
		o.line(keyword)
	}
}

// text writes a keyword with a free text unless that is empty.
func (o *printer) text(keyword, text string) {
	if text != "" {
		o.line(keyword, quote(text))
	}
}

// quote makes a word by the plain rule (grammar.md 3.1). Such a word can hold
// anything but a double quote, and never needs one: it came from such a word.
func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n\v\f\r#!{}'\\@~$") {
		return `"` + s + `"`
	}
	return s
}

// scriptWord writes a command as one word by the script rule (grammar.md 3.2).
// text is the command as it was written, args what became of it. Braces and
// comments are found before that rule is applied, and by double quotes only.
func scriptWord(text string, args []string) string {
	plain := strings.Count(text, `"`) == strings.Count(text, `\"`) && strings.Count(text, `"`)%2 == 0 &&
		!strings.ContainsAny(text, "{}#!")
	if text != "" && !strings.Contains(text, "\n") && (plain || !strings.Contains(text, `"`)) {
		return `"` + text + `"`
	}
	if !strings.ContainsAny(text, "'\n{}#!\\") && text != "" && strings.Count(text, `"`)%2 == 0 {
		return `'` + text + `'`
	}
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = `'` + escapeScript(a) + `'`
	}
	return `"` + strings.Join(words, " ") + `"`
}

// escapeScript writes a text so that the script rule, resolving escapes inside
// quotes of either kind, gives it back.
func escapeScript(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '\\':
			b.WriteString(`\\`)
		case c < ' ', c == '"', c == '\'', c == '$', c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
