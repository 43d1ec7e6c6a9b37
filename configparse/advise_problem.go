package configparse

import (
	"strings"
)

// What the original says, explained.

// problemCode is a kind of message of the original.
type problemCode struct {
	code     string
	severity Severity
	class    Class  // 0: any
	contains string // of the text
	why      string
}

// problemCodes are looked through in order; the first that fits is taken.
var problemCodes = []problemCode{
	{"KG110", Failure, UnknownKeyword, "", ""},
	{"KG120", Failure, MissingOpen, "", "the keyword before it opens a block"},
	{"KG121", Failure, UnexpectedOpen, "", "the keyword before it opens no block; its lines are read as lines of the block around it"},
	{"KG122", Failure, UnexpectedClose, "", "every block is closed already"},
	{"KG123", Failure, MissingClose, "", "a block is not closed, or an opening brace stands where none belongs"},
	{"KG124", Failure, UnmatchedQuote, "", "the rest of the line is lost"},
	{"KG130", Failure, MissingParameter, "", "the daemon refuses to start with this line"},
	{"KG131", Failure, InvalidNumber, "", ""},
	{"KG140", Caution, Security, "", "whoever can change such a script runs programs as the user of the script; set enable_script_security"},
	{"KG141", Failure, FileNotFound, "", ""},
	{"KG142", Failure, BadInterface, "", "the VRRP process refuses to start; dynamic_interfaces allows interfaces that come later"},
	{"KG143", Failure, Fatal, "", "the daemon cannot work with this"},
	{"KG144", Caution, MultipleFiles, "", "the files are read one after the other as one configuration"},

	{"KG207", Caution, 0, "Truncating auth_pass", "only the first 8 characters are compared, so passwords that differ later are equal"},
	{"KG208", Caution, 0, "VRRP version 3 does not support authentication", "RFC 5798 removed it: packets of this instance carry no password, and a version 2 peer with one discards them"},
	{"KG209", Caution, Deprecated, "without any unicast peers", "the instance falls back to multicast, which unicast was probably chosen to avoid"},
	{"KG206", Caution, 0, "excess moved to eVIPs", "the surplus addresses are set but not advertised, and a peer with another limit sees a different list"},
	{"KG202", Caution, 0, "nopreempt will not work with initial state MASTER", "a node that starts as MASTER takes over at every start; set state BACKUP on both nodes"},
	{"KG205", Failure, 0, "both use VRID", "two routers with one VRID on a link take each other's adverts for their own peer's; the daemon refuses to start"},
	{"KG205", Failure, 0, "duplicate VRID conflict", "two routers with one VRID on a link take each other's adverts for their own peer's; the daemon refuses to start"},
	{"KG153", Failure, 0, "specified in sync group", "the group has no such member"},
	{"KG142", Failure, 0, "doesn't exist", "the VRRP process refuses to start without the interface; dynamic_interfaces allows interfaces that come later"},
	{"KG150", Caution, 0, "is deprecated", "it still works, but may not in a later version"},
	{"KG150", Caution, Deprecated, "", "it still works, but may not in a later version"},
	{"KG151", Caution, 0, "Duplicate", "only one of them is used"},
	{"KG151", Caution, 0, "already specified", "only one of them is used"},
	{"KG152", Caution, Warning, "", ""},
	{"KG152", Caution, 0, "defaulting to", ""},
	{"KG152", Caution, 0, "setting default", ""},
	{"KG152", Caution, 0, "resetting", ""},
	{"KG152", Caution, 0, "setting hysteresis", ""},
	{"KG141", Failure, 0, "Config files missing", ""},
	{"KG152", Caution, 0, "WARNING", ""},
	{"KG152", Caution, 0, "Warning", ""},
	{"KG153", Failure, 0, "not found", "what is used here must be defined earlier in the file"},
	{"KG153", Failure, 0, "since not found/accessible", "the script does not exist or cannot be executed"},
	{"KG132", Failure, 0, "", ""},
}

// problems turns the original's messages into findings. A number message is
// joined with the keyword's own that follows it.
func (a *adviser) problems() {
	var previous *Advice
	for _, p := range Fold(a.c.Problems) {
		kind := problemKind(p)
		if previous != nil && previous.Code == "KG131" && kind.code == "KG132" &&
			previous.File == p.File && previous.Line == p.Line && p.Line > 0 {
			previous.Text = p.Text + ": " + previous.Text
			previous = nil
			continue
		}
		f := Advice{Code: kind.code, Severity: kind.severity, File: p.File, Line: p.Line, Column: p.Column,
			Text: p.Text, Why: kind.why}
		if f.Line == 0 {
			f.put(a.place(p), 0)
		} else if f.Column == 0 {
			f.put(a.c.root.statementAt(p.File, p.Line, 0), 0)
		}
		a.explain(&f, p)
		a.out = append(a.out, f)
		previous = &a.out[len(a.out)-1]
	}
}

func problemKind(p Problem) problemCode {
	for _, k := range problemCodes {
		if (k.class == 0 || k.class == p.Class) && strings.Contains(p.Text, k.contains) {
			return k
		}
	}
	panic("the last row fits everything")
}

// explain adds what was expected, what was meant and where it belongs.
func (a *adviser) explain(f *Advice, p Problem) {
	n := a.c.root.statementAt(p.File, p.Line, p.Column)
	if n == nil {
		return
	}
	keyword, path := n.word(0), n.parent.path()
	if p.Class == UnknownKeyword {
		quoted, _, _ := strings.Cut(strings.TrimPrefix(p.Text, "Unknown keyword '"), "'")
		if keyword = quoted; keyword == "}" {
			f.Code = "KG122"
			f.Why = "an earlier line was not understood as the start of a block, or a brace is too many"
			return
		}
		f.Nearest, f.Block = suggest(keyword, path)
		if f.Block != "" {
			f.Code = "KG111"
		}
		return
	}
	for _, k := range Keywords() {
		if k.Path == path && k.Keyword == keyword && k.Takes != "" {
			f.Expected = strings.TrimSuffix(keyword+" "+k.Takes, " none")
			return
		}
	}
}

// statementAt finds the statement on a line: the one that starts last at or
// before the column.
func (n *node) statementAt(file string, line, column int) *node {
	var found *node
	n.each(func(b *node) {
		if b.at.file == nil || b.at.file.name != file || int(b.at.line) != line || len(b.words) == 0 {
			return
		}
		if found == nil || column == 0 || int(b.at.column) <= column {
			found = b
		}
	})
	return found
}

// suggest gives the known keyword nearest to an unknown one, and the block in
// which the keyword is right as it is written.
func suggest(keyword, path string) (nearest, block string) {
	best := 1 + max(1, len(keyword)/3)
	for _, k := range Keywords() {
		if strings.HasPrefix(k.Keyword, "(") {
			continue
		}
		if k.Keyword == keyword && (block == "" || strings.HasPrefix(path, k.Path) || len(k.Path) < len(block) && !strings.HasPrefix(path, block)) {
			block = k.Path
		}
		if k.Path != path {
			continue
		}
		if d := editDistance(keyword, k.Keyword, best); d < best {
			best, nearest = d, k.Keyword
		}
	}
	if block == rootPath {
		block = "outside of all blocks"
	}
	return nearest, block
}

// editDistance counts insertions, deletions, changes and swaps of neighbours
// between two words, up to limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	older, old, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(old[j]+1, now[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], older[j-2]+1)
			}
		}
		older, old, now = old, now, older
	}
	return min(old[len(b)], limit)
}

// unused tells of keywords that nothing acts on yet.
func (a *adviser) unused() {
	for _, u := range a.c.Config.Unused {
		f := Advice{Code: "KG160", Severity: Remark, File: u.File, Line: u.Line, Text: u.Text}
		f.put(a.c.root.statementAt(u.File, u.Line, 0), 0)
		a.out = append(a.out, f)
	}
}
