package configparse

import "strings"

// The lexical layer turns files into statements: the pieces of a line between
// braces, and the braces themselves. It runs twice, as the original's does:
// once over the files, for the parent, and once over what the parent recorded,
// for the three children. Only so do comments inside multi-line definitions
// and escaped comment characters mean the same in both.

// maxLine is how much of a line the original takes, with its newline.
const maxLine = 1023

// fileRef is one file being read, shared by all positions in it.
type fileRef struct {
	name     string // for messages
	dir      string // working directory while it is read
	included bool
}

type position struct {
	file   *fileRef
	line   int32
	column int32
}

type itemKind uint8

const (
	itemWords itemKind = iota
	itemOpen
	itemClose
	itemMessage // a lexical message, repeated by every pass that reads it
	itemKnown   // a virtual_server block that was read before (Reader)
)

// item is a statement or a message, in the order in which they were met.
type item struct {
	text  string
	at    position
	kind  itemKind
	class Class
	end   int32 // of an itemOpen: where its itemClose is, if known (matchBraces); of an itemKnown: which
}

// matchBraces notes for each block where it ends, unless it has messages, which
// every pass repeats.
func matchBraces(items []item) {
	var open []int32
	for i := range items {
		switch items[i].kind {
		case itemOpen:
			open = append(open, int32(i))
		case itemClose:
			if n := len(open); n > 0 {
				items[open[n-1]].end = int32(i)
				open = open[:n-1]
			}
		case itemMessage:
			open = open[:0]
		}
	}
}

// uncomment removes a comment and tells whether a double quote stays open.
// Quotes hide # and !, and inside them a backslash hides the quote; outside, a
// backslash protects a comment character and is dropped.
func uncomment(s string) (string, bool) {
	if !hasComment(s) {
		return s, false
	}
	var b []byte // only when something was dropped
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '\\' && i+1 < len(s) && (s[i+1] == '#' || s[i+1] == '!'):
			b = append(b, s[start:i]...)
			start = i + 1
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '#' || c == '!'):
			return string(append(b, s[start:i]...)), false
		}
	}
	return string(append(b, s[start:]...)), quoted
}

// hasComment tells whether there is anything in s that uncomment looks at.
func hasComment(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '"', '#', '!', '\\':
			return true
		}
	}
	return false
}

const blanks = " \t"

// trimBlanks removes blanks from the beginning: strings.TrimLeft costs a
// multiple for each line.
func trimBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// trimEnd removes blanks from the end of a line, also those before a final backslash.
func trimEnd(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	if strings.HasSuffix(s, "\\") {
		if body := strings.TrimRight(s[:len(s)-1], blanks); len(body) < len(s)-1 {
			return body + "\\"
		}
	}
	return s
}

// cut splits a line at the braces outside double quotes (grammar.md 4).
func (l *lexer) cut(s string) {
	if s == "" {
		return
	}
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			quoted = !quoted
		case '{', '}':
			if quoted {
				continue
			}
			l.statement(s, start, i)
			kind := itemOpen
			if s[i] == '}' {
				kind = itemClose
			}
			l.emit(item{text: s[i : i+1], kind: kind, at: l.column(i)})
			start = i + 1
		}
	}
	l.statement(s, start, len(s))
}

func (l *lexer) column(offset int) position {
	at := l.at
	at.column += int32(offset)
	return at
}

// statement emits the words of s[from:to], if there are any.
func (l *lexer) statement(s string, from, to int) {
	for from < to && isSpace(s[from]) {
		from++
	}
	for to > from && isSpace(s[to-1]) {
		to--
	}
	if from == to {
		return
	}
	text := s[from:to]
	// The parent is silent about these: it only copies the line.
	if l.child && strings.IndexByte(text, '"') >= 0 && unmatched(text) {
		l.message(UnmatchedQuote, "Unmatched quote: '%s'", text)
	}
	l.emit(item{text: text, kind: itemWords, at: l.column(from)})
}

// unmatched tells whether the last quoted word of a statement is not closed.
// The original says nothing where a script keyword has a word before the quote.
func unmatched(text string) bool {
	words, closed := split(text)
	if closed {
		return false
	}
	return len(words) < 2 || !scriptKeywords[words[0].text]
}

// scriptKeywords are split a second time by their own rule (grammar.md 3.2).
var scriptKeywords = map[string]bool{
	"notify": true, "notify_master": true, "notify_backup": true, "notify_fault": true,
	"notify_stop": true, "notify_deleted": true, "notify_master_rx_lower_pri": true,
	"script": true, "misc_path": true, "quorum_up": true, "quorum_down": true,
	"notify_up": true, "notify_down": true, "startup_script": true, "shutdown_script": true,
	"notify_fifo_script": true, "vrrp_notify_fifo_script": true, "lvs_notify_fifo_script": true,
}

func isSpace(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

// word is one word of a statement and where it starts in it.
type word struct {
	text   string
	offset int
}

// split cuts a statement into words by the plain rule (grammar.md 3.1). The
// result is false when a quote is not closed: that word and the rest are dropped.
func split(s string) ([]word, bool) { return appendSplit(nil, s) }

// appendSplit is split that appends to words, never more than maxWords(s).
func appendSplit(words []word, s string) ([]word, bool) {
	for i := 0; i < len(s); {
		switch {
		case isSpace(s[i]):
			i++
		case s[i] == '"':
			end := strings.IndexByte(s[i+1:], '"')
			if end < 0 {
				return words, false
			}
			words = append(words, word{s[i+1 : i+1+end], i + 1})
			i += end + 2
		default:
			start := i
			for i < len(s) && !isSpace(s[i]) && s[i] != '"' {
				i++
			}
			words = append(words, word{s[start:i], start})
		}
	}
	return words, true
}

func maxWords(s string) int { return len(s)/2 + 1 }

// quoteError tells why the script rule could not split a text.
type quoteError struct {
	missing byte // the quote that is not closed; 0: a backslash ends the text
}

// splitQuoted cuts by the script rule: both quotes, and parts that touch are
// one word. With resolve escapes are replaced, else they are kept.
func splitQuoted(s string, resolve bool) ([]word, *quoteError) {
	var words []word
	for i := 0; ; {
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		if i == len(s) {
			return words, nil
		}
		var b []byte
		start := i
		var quote byte
	scan:
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c == '\\' && i+1 == len(s):
				return nil, &quoteError{}
			case c == '\\' && !resolve:
				b = append(b, c, s[i+1])
				i++
			case c == '\\':
				b, i = escape(b, s, i+1)
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote == 0 && isSpace(c):
				break scan
			default:
				b = append(b, c)
			}
		}
		if quote != 0 {
			return nil, &quoteError{quote}
		}
		words = append(words, word{string(b), start})
	}
}

// escape appends what the escape at s[i:] (behind the backslash) stands for and
// gives the index of its last character.
func escape(b []byte, s string, i int) ([]byte, int) {
	const from, to = "abfnrtvE", "\a\b\f\n\r\t\v\x1b"
	c := s[i]
	if k := strings.IndexByte(from, c); k >= 0 {
		return append(b, to[k]), i
	}
	switch {
	case c >= '0' && c <= '7':
		n := 0
		for k := 0; k < 3 && i < len(s) && s[i] >= '0' && s[i] <= '7'; k++ {
			n = n<<3 | int(s[i]-'0')
			i++
		}
		return append(b, byte(n)), i - 1
	case c == 'x' && i+1 < len(s) && hexDigit(s[i+1]) >= 0:
		n := hexDigit(s[i+1])
		i++
		if i+1 < len(s) && hexDigit(s[i+1]) >= 0 {
			n = n<<4 | hexDigit(s[i+1])
			i++
		}
		return append(b, byte(n)), i
	case c == 'c' && i+1 < len(s):
		return append(b, s[i+1]&0x1f), i + 1
	}
	return append(b, c), i
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
