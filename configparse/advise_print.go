package configparse

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Renderings of findings.

// WriteAdvice writes findings for people: the place, the line with a caret,
// and what helps.
func WriteAdvice(w io.Writer, all []Advice) error {
	var b strings.Builder
	count := [3]int{}
	for i := range all {
		a := &all[i]
		count[a.Severity]++
		if a.Line > 0 {
			fmt.Fprintf(&b, "%s:%d:", a.File, a.Line)
			if a.Column > 0 {
				fmt.Fprintf(&b, "%d:", a.Column)
			}
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s %s: %s\n", a.Severity, a.Code, a.Text)
		a.writeSource(&b)
		for _, extra := range []struct{ name, text string }{
			{"expected", a.Expected}, {"did you mean", a.Nearest}, {"belongs in", a.Block}, {"because", a.Why},
		} {
			if extra.text != "" {
				fmt.Fprintf(&b, "    %s: %s\n", extra.name, extra.text)
			}
		}
	}
	if count[Failure]+count[Caution] > 0 {
		fmt.Fprintf(&b, "%s, %s\n", plural(count[Failure], "error"), plural(count[Caution], "warning"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// writeSource shows the line and marks the word at the column. Tabs are kept
// so that the mark stands below the word.
func (a *Advice) writeSource(b *strings.Builder) {
	if a.Source == "" {
		return
	}
	number := fmt.Sprintf("%5d | ", a.Line)
	fmt.Fprintf(b, "%s%s\n", number, a.Source)
	if a.Column < 1 || a.Column > len(a.Source) {
		return
	}
	b.WriteString(strings.Repeat(" ", len(number)-2) + "| ")
	for _, c := range a.Source[:a.Column-1] {
		if c != '\t' {
			c = ' '
		}
		b.WriteRune(c)
	}
	rest := a.Source[a.Column-1:]
	length := strings.IndexAny(rest, " \t{}\"#!")
	if length < 0 {
		length = len(rest)
	}
	b.WriteString("^" + strings.Repeat("~", max(len([]rune(rest[:length]))-1, 0)) + "\n")
}

// DocumentVersion is the version of the JSON that WriteAdviceJSON writes;
// docs/check-schema.json describes it.
const DocumentVersion = 1

type adviceJSON struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Text     string `json:"text"`
	Why      string `json:"why,omitempty"`
	Expected string `json:"expected,omitempty"`
	Nearest  string `json:"nearest,omitempty"`
	Block    string `json:"block,omitempty"`
	Source   string `json:"source,omitempty"`
	Page     string `json:"page"`
}

// WriteAdviceJSON writes findings for programs.
func WriteAdviceJSON(w io.Writer, file, peer string, all []Advice) error {
	doc := struct {
		Version  int          `json:"version"`
		File     string       `json:"file"`
		Peer     string       `json:"peer,omitempty"`
		Exit     int          `json:"exit"`
		Errors   int          `json:"errors"`
		Warnings int          `json:"warnings"`
		Findings []adviceJSON `json:"findings"`
	}{Version: DocumentVersion, File: file, Peer: peer, Exit: CheckStatus(all), Findings: []adviceJSON{}}
	for _, a := range all {
		switch a.Severity {
		case Failure:
			doc.Errors++
		case Caution:
			doc.Warnings++
		}
		doc.Findings = append(doc.Findings, adviceJSON{Code: a.Code, Severity: a.Severity.String(),
			File: a.File, Line: a.Line, Column: a.Column, Text: a.Text, Why: a.Why, Expected: a.Expected,
			Nearest: a.Nearest, Block: a.Block, Source: a.Source,
			Page: "docs/diagnostics.md#" + strings.ToLower(a.Code)})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}
