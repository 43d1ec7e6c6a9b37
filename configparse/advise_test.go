package configparse

import (
	"bytes"
	"encoding/json"
	goflag "flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = goflag.Bool("update", false, "rewrite expectations")

// TestAdvise reads testdata/check/*.txtar: the files "conf" and, if there is
// one, "peer" go in, "expect" is the text that comes out.
func TestAdvise(t *testing.T) {
	names, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := Files{}
			for _, f := range ar.Files {
				files[f.Name] = string(f.Data)
			}
			ours := CheckFile(files, "conf", Env{ConfigID: "one", HostName: "one"})
			var peer *Checked
			if _, ok := files["peer"]; ok {
				peer = CheckFile(files, "peer", Env{ConfigID: "two", HostName: "two"})
			}
			findings := Advise(ours, peer)
			var text, doc bytes.Buffer
			if err := WriteAdvice(&text, findings); err != nil {
				t.Fatal(err)
			}
			if err := WriteAdviceJSON(&doc, "conf", "", findings); err != nil {
				t.Fatal(err)
			}
			if !json.Valid(doc.Bytes()) {
				t.Errorf("not JSON: %s", &doc)
			}
			if *update {
				rewrite(t, name, ar, text.Bytes())
				return
			}
			if diff := cmp.Diff(files["expect"], text.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func rewrite(t *testing.T, name string, ar *txtar.Archive, expect []byte) {
	t.Helper()
	kept := ar.Files[:0]
	for _, f := range ar.Files {
		if f.Name != "expect" {
			kept = append(kept, f)
		}
	}
	ar.Files = append(kept, txtar.File{Name: "expect", Data: expect})
	if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCodesAreDocumented: every code in the sources has its heading in
// docs/diagnostics.md, and the other way round.
func TestCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/diagnostics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (KG\d+)$`).FindAllSubmatch(page, -1) {
		documented[string(m[1])] = true
	}
	used := map[string]bool{}
	names, _ := filepath.Glob("advise*.go")
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(KG\d+)"`).FindAllSubmatch(source, -1) {
			used[string(m[1])] = true
		}
	}
	for code := range used {
		if !documented[code] {
			t.Errorf("%s has no paragraph in docs/diagnostics.md", code)
		}
	}
	for code := range documented {
		if !used[code] {
			t.Errorf("%s is documented and never given", code)
		}
	}
}

func TestSuggest(t *testing.T) {
	tests := []struct{ word, path, nearest, block string }{
		{"prio", "vrrp_instance", "", ""},
		{"pirority", "vrrp_instance", "priority", ""},
		{"virtual_router_ID", "vrrp_instance", "virtual_router_id", ""},
		{"real_servr", "virtual_server", "real_server", ""},
		{"TCP_CHECK", "virtual_server", "", "virtual_server/real_server"},
		{"lb_algo", rootPath, "", "virtual_server"},
		{"vrrp_strict", "vrrp_instance", "", "global_defs"},
		{"nonsense_word_here", rootPath, "", ""},
	}
	for _, tt := range tests {
		nearest, block := suggest(tt.word, tt.path)
		if nearest != tt.nearest || block != tt.block {
			t.Errorf("suggest(%q, %q) = %q, %q, want %q, %q", tt.word, tt.path, nearest, block, tt.nearest, tt.block)
		}
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "xabc", 1},
		{"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"abc", "xyz", 3},
	}
	for _, tt := range tests {
		if got := editDistance(tt.a, tt.b, 9); got != tt.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
