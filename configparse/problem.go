package configparse

import "fmt"

// Class tells how grave a message is. The order is the original's and not by
// gravity: the exit status of -t follows from the highest class that was met
// (grammar.md 16.3).
type Class uint8

// The classes, in the order in which the original compares them.
const (
	ClassLog     Class = iota // for the log only: never shown by -t
	ClassNone                 // shown, but does not change the exit status
	FileNotFound              // an include check that was switched on failed
	BadInterface
	Fatal
	MultipleFiles
	UnknownKeyword
	UnexpectedOpen
	MissingOpen
	UnexpectedClose
	MissingClose
	UnmatchedQuote
	MissingParameter
	InvalidNumber
	GeneralError
	Warning
	Deprecated
	Security
)

// Pass names the part of the daemon that reads and prints something.
type Pass uint8

// The passes in the order in which -t runs them (grammar.md 1).
const (
	Parent Pass = iota
	Checker
	VRRP
	BFD
	passes
)

func (p Pass) String() string {
	return [...]string{"parent", "checker", "vrrp", "bfd"}[p]
}

// Problem is one message about the configuration.
//
// The same mistake met by several passes gives one Problem for each of them,
// so that every process can print its own; Fold leaves one of each.
type Problem struct {
	File   string // as named by -f or produced by the include's pattern
	Line   int    // from 1; 0 when the message belongs to no line
	Column int    // from 1, of the word concerned; 0 when unknown
	Text   string // the original's text without its "(FILE: Line N) " prefix
	Class  Class
	Pass   Pass

	// The parent leaves the name out while only one file is in use.
	bare bool
}

// String is the message as the original prints it.
func (p Problem) String() string {
	switch {
	case p.Line == 0:
		return p.Text
	case p.bare:
		return fmt.Sprintf("(Line %d) %s", p.Line, p.Text)
	}
	return fmt.Sprintf("(%s: Line %d) %s", p.File, p.Line, p.Text)
}

// Fold drops the messages that are for the log only and leaves one of those
// that several passes gave for the same line.
func Fold(problems []Problem) []Problem {
	type key struct {
		file, text string
		line       int
	}
	seen := make(map[key]bool, len(problems))
	var folded []Problem
	for _, p := range problems {
		k := key{p.File, p.Text, p.Line}
		if p.Line == 0 {
			k.file = ""
		}
		if p.Class == ClassLog || seen[k] {
			continue
		}
		seen[k] = true
		folded = append(folded, p)
	}
	return folded
}

// The exit statuses of -t and, for some reasons, of the daemon (grammar.md 16.3, 16.5).
const (
	ExitOK        = 0
	ExitMissing   = 2 // a keyword lacks its parameter: the run ends at once
	ExitNotThere  = 4
	ExitProblems  = 5
	ExitInsecure  = 6
	ExitInclude   = 6 // an include check failed, a main file is missing (daemon)
	ExitVRRPFatal = 2 // the VRRP pass failed (daemon)
)

// ExitStatus is the status of -t for the problems of a Load.
func ExitStatus(problems []Problem) int {
	worst := ClassLog
	for _, p := range problems {
		worst = max(worst, p.Class)
		switch {
		case p.Class == MissingParameter:
			return ExitMissing // ends the run at once
		case p.Class == FileNotFound && p.Line > 0:
			return ExitInclude // ends the run after the parent's pass
		}
	}
	switch {
	case worst <= ClassNone:
		return ExitOK
	case worst <= Fatal:
		return ExitNotThere
	case worst < Security:
		return ExitProblems
	}
	return ExitInsecure
}
