package configparse

import (
	"cmp"
	"slices"
)

// Keyword is one row of the grammar.
type Keyword struct {
	Path    string // block path from the root, "(root)" for the root
	Keyword string
	Takes   string
	Help    string
	Acts    string // package that acts on it; empty: no effect yet
}

// table is a block of any type, as Keywords sees it.
type table interface {
	rows(path string, out []Keyword) []Keyword
}

func (b block[T]) rows(path string, out []Keyword) []Keyword {
	for name, r := range b {
		out = append(out, Keyword{Path: path, Keyword: name, Takes: r.takes, Help: r.help, Acts: r.acts})
		if r.sub == nil {
			continue
		}
		below := name
		if path != rootPath {
			below = path + "/" + name
		}
		out = r.sub.rows(below, out)
	}
	return out
}

const rootPath = "(root)"

// lexical are the forms that are handled before words are split.
var lexical = []Keyword{
	{Keyword: "include", Takes: "PATTERN", Help: "read files here"},
	{Keyword: "includer", Takes: "PATTERN", Help: "include; files that cannot be read end the run"},
	{Keyword: "includem", Takes: "PATTERN", Help: "includer; and files that are not there"},
	{Keyword: "includew", Takes: "PATTERN", Help: "includem; and patterns without match"},
	{Keyword: "includeb", Takes: "PATTERN", Help: "includer; and alternatives that are not there"},
	{Keyword: "includea", Takes: "PATTERN", Help: "include with all checks"},
	{Keyword: "$NAME=", Takes: "TEXT", Help: "define NAME"},
	{Keyword: "${NAME}", Takes: "", Help: "use NAME"},
	{Keyword: "@ID", Takes: "LINE", Help: "the line counts if the configuration id is ID"},
	{Keyword: "@^ID", Takes: "LINE", Help: "the line counts if it is not"},
	{Keyword: "~SEQ(...)", Takes: "LINE", Help: "the line once for each number"},
	{Keyword: "~SEQx(...)", Takes: "LINE", Help: "the same, in hexadecimal"},
	{Keyword: "~LST(...)", Takes: "LINE", Help: "the line once for each value"},
}

// Keywords gives every keyword of the grammar, sorted, from the parser's own tables.
func Keywords() []Keyword {
	all := rootBlock.rows(rootPath, nil)
	for _, k := range lexical {
		k.Path, k.Acts = "(lexical)", "configparse"
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Keyword) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Keyword, b.Keyword))
	})
	return all
}
