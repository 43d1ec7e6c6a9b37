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

// Keywords gives every keyword of the grammar, sorted, from the parser's own tables.
func Keywords() []Keyword {
	all := rootBlock.rows(rootPath, nil)
	slices.SortFunc(all, func(a, b Keyword) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Keyword, b.Keyword))
	})
	return all
}
