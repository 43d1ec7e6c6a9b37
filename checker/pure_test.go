package checker

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pureFiles hold the half of the package that only decides: no goroutine, no
// channel, no clock, no system call, no order that differs between runs.
var pureFiles = []string{
	"config.go", "doc.go", "effect.go", "file.go", "handover.go", "log.go", "name.go", "pool.go", "quorum.go",
	"reload.go", "server.go", "stats.go", "verdict.go", "want.go",
	"dialog.go", "heap.go", "http.go", "smtp.go", "dns.go", "udp.go", "tcp.go",
}

var pureImports = []string{
	"bytes", "cmp", "crypto/md5", "encoding/binary", "errors", "fmt", "hash", "math", "net/netip", "reflect", "regexp",
	"slices", "strconv", "strings", "time", "golang.org/x/net/dns/dnsmessage",
	"github.com/keepalived-go/keepalived/ipvs",
}

func TestPure(t *testing.T) {
	set := token.NewFileSet()
	for _, name := range pureFiles {
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, imp := range f.Imports {
			if path, _ := strconv.Unquote(imp.Path.Value); !slices.Contains(pureImports, path) {
				t.Errorf("%s imports %s: a pure file may import only %s", set.Position(imp.Pos()), path, strings.Join(pureImports, " "))
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			what := ""
			switch x := n.(type) {
			case *ast.GoStmt:
				what = "go"
			case *ast.SelectStmt:
				what = "select"
			case *ast.ChanType, *ast.SendStmt:
				what = "a channel"
			case *ast.SelectorExpr:
				if id, ok := x.X.(*ast.Ident); ok && id.Name == "time" && slices.Contains([]string{
					"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, x.Sel.Name) {
					what = "time." + x.Sel.Name
				}
			}
			if what != "" {
				t.Errorf("%s: %s in a pure file", set.Position(n.Pos()), what)
			}
			return true
		})
	}
}
