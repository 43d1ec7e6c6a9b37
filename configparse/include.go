package configparse

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// includeCheck says which failures of an include end the run.
type includeCheck uint8

const (
	checkRead includeCheck = 1 << iota
	checkMatch
	checkWildcard
	checkBrace
	checkAll = checkRead | checkMatch | checkWildcard | checkBrace
)

// includeKinds are the letters behind include.
var includeKinds = map[byte]includeCheck{
	0: 0, 'r': checkRead, 'm': checkRead | checkMatch, 'w': checkRead | checkMatch | checkWildcard,
	'b': checkRead | checkBrace, 'a': checkAll,
}

// isInclude takes an include line apart. The pattern is verbatim.
func isInclude(s string) (includeCheck, string, bool) {
	rest, ok := strings.CutPrefix(s, "include")
	if !ok || rest == "" {
		return 0, "", false
	}
	var letter byte
	if !isSpace(rest[0]) {
		letter, rest = rest[0], rest[1:]
	}
	kind, ok := includeKinds[letter]
	if !ok || rest == "" || !isSpace(rest[0]) {
		return 0, "", false
	}
	rest = strings.TrimLeft(rest, " \t\r\v\f")
	return kind, rest, rest != ""
}

// include reads the files that match pattern, in order. A child does so only
// for an include that came out of an expansion: the others are in its copy.
func (l *lexer) include(kind includeCheck, pattern string) {
	if l.child && !l.insideExpansion() {
		return
	}
	names := l.match(pattern, l.checks|kind)
	l.readFiles(names, l.checks|kind, true)
}

// fail prints what went wrong with an include; when its check is on it ends the run.
func (l *lexer) fail(on bool, format string, args ...any) {
	if l.child {
		return
	}
	class := ClassNone
	if on {
		class = FileNotFound
	}
	l.message(class, format, args...)
}

// readFiles arranges for the files to be read now, the first one first.
func (l *lexer) readFiles(names []string, checks includeCheck, included bool) {
	for _, name := range slices.Backward(names) {
		l.push(&pendingFile{name: name, checks: checks, included: included, at: l.at})
	}
}

// pendingFile opens its file when it is its turn: an include_check in the file
// before it may matter.
type pendingFile struct {
	name     string
	checks   includeCheck
	included bool
	at       position
	opened   bool
}

func (p *pendingFile) next(l *lexer) (string, bool, bool) {
	if p.opened {
		return "", false, false
	}
	p.opened = true
	l.at = p.at
	if f := l.openFile(p); f != nil {
		l.push(f)
		if l.sources[len(l.sources)-1] == f {
			l.at, l.dir = position{file: f.ref}, f.ref.dir
		}
	}
	return "", false, true
}

func (p *pendingFile) close(l *lexer) { l.at = p.at }

func (l *lexer) openFile(p *pendingFile) *fileSource {
	on := p.checks&checkRead != 0
	full := l.resolve(p.name)
	info, err := l.open.Stat(full)
	var text string
	switch {
	case err == nil && info.Mode.IsDir():
		l.fail(on, "Configuration file '%s' is a directory - skipping", p.name)
		return nil
	case err == nil && (!info.Mode.IsRegular() || info.Mode&0o111 != 0):
		l.fail(on, "Configuration file '%s' is not a regular non-executable file - skipping", p.name)
		return nil
	case err == nil:
		text, err = l.open.Read(full)
	}
	l.opened++
	reason := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason = "No such file or directory"
	case errors.Is(err, fs.ErrPermission):
		reason = "Permission denied"
	case err != nil:
		reason = err.Error()
	case l.opened > maxOpened || len(l.sources) > maxDepth-2:
		reason = "Too many open files"
	}
	if reason != "" {
		l.fail(on, "Configuration file '%s' open problem (%s) - skipping", p.name, reason)
		return nil
	}
	dir := l.dir
	if strings.Contains(p.name, "/") {
		dir = path.Dir(full)
	}
	if !l.child {
		l.files = append(l.files, full)
	}
	if !l.child && !l.before.any() {
		lines := strings.Count(text, "\n")
		l.record = slices.Grow(l.record, lines)
		l.items = slices.Grow(l.items, lines+lines/2)
	}
	return &fileSource{ref: &fileRef{name: p.name, dir: dir, included: p.included}, text: text, data: text,
		back: l.at, dir: l.dir, checks: l.checks}
}

// match gives the files a pattern stands for and prints what is missing.
func (l *lexer) match(pattern string, checks includeCheck) []string {
	alternatives := braces(pattern)
	var names []string
	missing, wild := 0, false
	for _, alt := range alternatives {
		found := l.glob(alt)
		if strings.ContainsAny(alt, "*?[") {
			wild = true
		} else if len(found) == 0 {
			missing++
		}
		names = append(names, found...)
	}
	switch {
	case len(alternatives) == 1 && !wild && missing > 0:
		l.fail(checks&checkMatch != 0, "Config files missing '%s'.", pattern)
	case wild && len(names) == 0 && len(alternatives) == 1 && !l.directoryExists(pattern):
		l.fail(checks&checkMatch != 0, "Config files missing '%s'.", pattern)
	case wild && len(names) == 0:
		if checks&checkWildcard != 0 {
			l.fail(true, "No config files matched '%s'.", pattern)
		}
	case missing == len(alternatives):
		l.fail(checks&(checkBrace|checkMatch) != 0, "Config files missing '%s'.", pattern)
	case missing > 0:
		l.fail(checks&checkBrace != 0, "Some config files missing: \"%s\".", pattern)
		if checks&checkBrace != 0 {
			return nil
		}
	}
	return names
}

// directoryExists tells whether the part of a pattern before its first
// wildcard leads to a directory.
func (l *lexer) directoryExists(pattern string) bool {
	dir := pattern[:strings.IndexAny(pattern, "*?[")]
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	info, err := l.open.Stat(l.resolve(dir))
	return err == nil && info.Mode.IsDir()
}

// maxBraces bounds the alternatives of one pattern: {a,b}{a,b}... doubles.
const maxBraces = 1024

// braces gives the alternatives of {a,b}, in order; they may nest.
func braces(s string) []string {
	done := []string{}
	for todo := []string{s}; len(todo) > 0 && len(done)+len(todo) <= maxBraces; {
		s, todo = todo[0], todo[1:]
		open, parts, end := topBrace(s)
		if end < 0 {
			done = append(done, s)
			continue
		}
		var next []string
		for _, p := range parts {
			next = append(next, s[:open]+p+s[end+1:])
		}
		todo = append(next, todo...)
	}
	return done
}

// topBrace finds the first {...} and splits its inside at top-level commas.
func topBrace(s string) (open int, parts []string, end int) {
	open = strings.IndexByte(s, '{')
	if open < 0 {
		return 0, nil, -1
	}
	depth, start := 0, open+1
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case ',':
			if depth == 1 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		case '}':
			if depth--; depth == 0 {
				return open, append(parts, s[start:i]), i
			}
		}
	}
	return 0, nil, -1
}

// glob gives the names that match, sorted; directories end in a slash.
func (l *lexer) glob(pattern string) []string {
	prefix := ""
	if path.IsAbs(pattern) {
		prefix = "/"
	}
	names := []string{prefix}
	parts := strings.Split(strings.Trim(pattern, "/"), "/")
	for i, part := range parts {
		var next []string
		for _, base := range names {
			next = append(next, l.globPart(base, part)...)
		}
		slices.Sort(next)
		names = next
		for k := range names {
			if i < len(parts)-1 {
				names[k] += "/"
			}
		}
	}
	for k, name := range names {
		if info, err := l.open.Stat(l.resolve(name)); err == nil && info.Mode.IsDir() {
			names[k] += "/"
		}
	}
	return names
}

// globPart matches one path element below base.
func (l *lexer) globPart(base, part string) []string {
	if !strings.ContainsAny(part, "*?[") {
		if _, err := l.open.Stat(l.resolve(base + part)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil
		}
		return []string{base + part}
	}
	var found []string
	entries, _ := l.open.List(l.resolve(base))
	part = strings.ReplaceAll(part, "[!", "[^")
	for _, name := range entries {
		if name[0] == '.' && part[0] != '.' {
			continue
		}
		if ok, _ := path.Match(part, name); ok {
			found = append(found, base+name)
		}
	}
	return found
}
