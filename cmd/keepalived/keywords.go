package main

import (
	"fmt"
	"io"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/process"
)

// listKeywords prints every configuration keyword, the block it stands in and
// the part of the daemon that acts on it, one a line, separated by tabs.
func listKeywords(w io.Writer) int {
	for _, k := range configparse.Keywords() {
		acts := k.Acts
		if acts == "" {
			acts = "no effect yet"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.Path, k.Keyword, acts)
	}
	return process.ExitOK
}
