package dropin

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const top = "../.."

// Every file that the container recipe and the packages take is in the tree, or
// made by the Makefile.
func TestRecipesNameWhatIsThere(t *testing.T) {
	var sources []string
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(top, "packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for line := range strings.Lines(read("Containerfile")) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "COPY" && !strings.HasPrefix(words[1], "--from") {
			sources = append(sources, words[1:len(words)-1]...)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)\{src: ([^,]+), dst: [^,]+, (?:type: (\S+?)[,}])?`).FindAllStringSubmatch(read("nfpm.yaml"), -1) {
		if m[2] != "symlink" {
			sources = append(sources, m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:post|pre)\w+: (\S+)`).FindAllStringSubmatch(read("nfpm.yaml"), -1) {
		sources = append(sources, m[1])
	}
	if len(sources) < 20 {
		t.Fatalf("only %d sources found: %v", len(sources), sources)
	}
	made := func(name string) bool {
		if program, ok := strings.CutPrefix(name, "bin/"); ok {
			_, err := os.Stat(filepath.Join(top, "cmd", program))
			return err == nil
		}
		return strings.HasPrefix(name, "dist/")
	}
	for _, name := range sources {
		if _, err := os.Stat(filepath.Join(top, name)); err != nil && !made(name) {
			t.Errorf("%s is not there", name)
		}
	}
}

// The copyright file names every module that is linked into the programs.
func TestCopyrightNamesEveryModule(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/...")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("skipped: go list is needed and failed: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(top, "packaging/deb/copyright"))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(text))
	for _, module := range strings.Fields(string(out)) {
		if !slices.Contains(words, module) {
			t.Errorf("packaging/deb/copyright does not name %s", module)
		}
	}
}
