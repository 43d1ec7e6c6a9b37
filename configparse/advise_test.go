package configparse

import (
	"bytes"
	"encoding/json"
	goflag "flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	schema := readSchema(t)
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
			var value any
			if err := json.Unmarshal(doc.Bytes(), &value); err != nil {
				t.Fatalf("not JSON: %v\n%s", err, &doc)
			}
			if err := conforms(schema, value); err != nil {
				t.Errorf("docs/check-schema.json: %v", err)
			}
			for _, f := range findings {
				if f.Line == 0 || f.Column == 0 {
					t.Errorf("%s has no place: line %d, column %d: %s", f.Code, f.Line, f.Column, f.Text)
				}
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

func readSchema(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile("../docs/check-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// conforms checks a value against those parts of JSON Schema that
// docs/check-schema.json uses; another part is an error.
func conforms(schema map[string]any, value any) error {
	for key, rule := range schema {
		ok := true
		switch key {
		case "$schema", "$id", "title", "description":
		case "const":
			ok = value == rule
		case "enum":
			ok = slices.Contains(rule.([]any), value)
		case "type":
			ok = hasType(rule.(string), value)
		case "minimum":
			ok = value.(float64) >= rule.(float64)
		case "pattern":
			ok = regexp.MustCompile(rule.(string)).MatchString(value.(string))
		case "required":
			for _, name := range rule.([]any) {
				_, has := value.(map[string]any)[name.(string)]
				ok = ok && has
			}
		case "additionalProperties":
			for name := range value.(map[string]any) {
				_, known := schema["properties"].(map[string]any)[name]
				ok = ok && (known || rule == true)
			}
		case "properties":
			for name, sub := range rule.(map[string]any) {
				v, has := value.(map[string]any)[name]
				if !has {
					continue
				}
				if err := conforms(sub.(map[string]any), v); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		case "items":
			for i, v := range value.([]any) {
				if err := conforms(rule.(map[string]any), v); err != nil {
					return fmt.Errorf("%d: %w", i, err)
				}
			}
		default:
			return fmt.Errorf("the test does not know %q", key)
		}
		if !ok {
			return fmt.Errorf("%v breaks %s %v", value, key, rule)
		}
	}
	return nil
}

func hasType(name string, value any) bool {
	switch v := value.(type) {
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case bool:
		return name == "boolean"
	}
	return false
}

func TestSchemaCheckBites(t *testing.T) {
	schema := readSchema(t)
	for _, doc := range []string{
		`{}`, `{"version":2,"file":"","exit":0,"errors":0,"warnings":0,"findings":[]}`,
		`{"version":1,"file":"","exit":3,"errors":0,"warnings":0,"findings":[]}`,
		`{"version":1,"file":"","exit":0,"errors":0,"warnings":0,"findings":[{"code":"X","severity":"info","text":"","page":""}]}`,
		`{"version":1,"file":"","exit":0,"errors":0.5,"warnings":0,"findings":[]}`,
		`{"version":1,"file":"","exit":0,"errors":0,"warnings":0,"findings":[],"more":1}`,
	} {
		var value any
		if err := json.Unmarshal([]byte(doc), &value); err != nil {
			t.Fatal(err)
		}
		if conforms(schema, value) == nil {
			t.Errorf("%s conforms", doc)
		}
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
