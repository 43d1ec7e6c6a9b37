// Command manual prints the manual page keepalived.conf(5). Its keyword
// reference comes from the parser's own tables, so it cannot miss one.
package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/keepalived-go/keepalived/configparse"
)

//go:embed intro.roff
var intro string

//go:embed outro.roff
var outro string

func main() {
	w := bufio.NewWriter(os.Stdout)
	page(w)
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// page writes the whole page: the language, every block with its keywords, the
// end.
func page(w io.Writer) {
	fmt.Fprint(w, intro)
	block := ""
	for _, k := range configparse.Keywords() {
		if k.Path != block {
			block = k.Path
			fmt.Fprintf(w, ".SH %s\n", title(block))
		}
		fmt.Fprintf(w, ".TP\n.B %s\n", quote(strings.TrimSpace(k.Keyword+" "+arguments(k.Takes))))
		help := k.Help
		if help == "" {
			help = "See the description of the block."
		}
		fmt.Fprintln(w, quote(sentence(help)))
		if k.Acts == "" {
			fmt.Fprintln(w, "Accepted; has no effect yet.")
		}
	}
	fmt.Fprint(w, outro)
}

func title(path string) string {
	if path == "(root)" {
		return "TOP LEVEL"
	}
	return quote(strings.ReplaceAll(path, "/", " / "))
}

// arguments turns the table's notation into the reader's.
func arguments(takes string) string {
	if takes == "none" || takes == "" {
		return ""
	}
	return takes
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// quote protects what roff would take for a request or an escape.
func quote(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
