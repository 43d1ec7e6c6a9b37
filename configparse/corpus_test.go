package configparse

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpusFiles reads testdata/conf/corpus into a map below /c, so that no file
// of the machine that runs the test can matter.
func corpusFiles(t testing.TB) Files {
	t.Helper()
	files := Files{}
	root := "../testdata/conf/corpus"
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files["/c"+strings.TrimPrefix(path, root)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files["/etc/iproute2/rt_protos"] = "0 unspec\n1 redirect\n2 kernel\n3 boot\n4 static\n11 zebra\n12 bird\n18 keepalived\n"
	files["/etc/iproute2/rt_dsfield"] = "0x10 AF11\n0xb8 EF\n"
	return files
}

// corpusNames are the interfaces, namespaces and scripts that a file names.
type corpusNames struct{ links, namespaces, scripts []string }

func readTable(t testing.TB, name string) [][]string {
	t.Helper()
	data, err := os.ReadFile("../testdata/conf/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n")[1:] {
		rows = append(rows, strings.Split(line, "\t"))
	}
	return rows
}

func readNames(t testing.TB) map[string]corpusNames {
	names := map[string]corpusNames{}
	for _, f := range readTable(t, "corpus-names.tsv") {
		names[f[0]] = corpusNames{strings.Fields(f[1]), strings.Fields(f[2]), strings.Fields(f[3])}
	}
	return names
}

// corpusEnv is the machine on which a file was tried: the interfaces that it
// names, and with STUBS=1 the scripts.
func corpusEnv(n corpusNames, how string) Env {
	env := labEnv()
	env.Link = func(name string) (Link, bool) {
		ok := name == "eth0" || name == "lo" || slices.Contains(n.links, name)
		return Link{Ethernet: name != "lo", Loopback: name == "lo", MTU: 1500}, ok
	}
	script := env.Script
	env.Script = func(q ScriptQuery) ScriptState {
		if strings.Contains(how, "STUBS=1") && slices.Contains(n.scripts, q.Path) {
			return ScriptState{}
		}
		if slices.Contains(labPrograms, q.Path) {
			return ScriptState{}
		}
		if slices.Contains(labPrograms, "/usr"+q.Path) {
			return ScriptState{SymlinkDir: true}
		}
		return script(q)
	}
	env.LookPath = func(name string) (string, bool) {
		return "/usr/bin/" + name, slices.Contains(labPrograms, "/usr/bin/"+name)
	}
	env.TrackDir = func(file, name string) string {
		if dir := filepath.Dir(file); dir == "/tmp" || dir == "/run" || dir == "/etc" {
			return ""
		}
		return "realpath() error 2 (No such file or directory) for " + name
	}
	env.Resolve = func(host string) (string, bool) { return "127.0.0.1", host == "localhost" }
	env.Enter = func(name string) bool { return slices.Contains(n.namespaces, name) }
	if id, ok := strings.CutPrefix(how, "-i "); ok {
		env.ConfigID = id
	}
	return env
}

// labPrograms are programs that the machine had and that the files run.
var labPrograms = []string{"/usr/bin/killall", "/usr/bin/pgrep", "/usr/bin/pidof", "/usr/bin/bash", "/usr/bin/curl", "/usr/bin/sh", "/usr/bin/nc", "/usr/bin/test", "/usr/bin/pkill", "/usr/bin/systemctl", "/usr/bin/nft", "/usr/bin/echo", "/usr/bin/ps", "/usr/bin/sleep", "/usr/sbin/ip"}

func TestCorpus(t *testing.T) {
	files, names := corpusFiles(t), readNames(t)
	codes, sets, total := 0, 0, 0
	for _, f := range readTable(t, "corpus-verdicts.tsv") {
		file, how := f[0], f[1]
		t.Run(strings.TrimSpace(file+" "+how), func(t *testing.T) {
			path := "/c/" + file
			cfg, problems := Load(files, path, corpusEnv(names[file], how))
			var got []string
			for _, m := range problems {
				if m.Class != ClassLog {
					s := strings.ReplaceAll(strings.ReplaceAll(m.String(), path, "FILE"), filepath.Dir(path)+"/", "DIR/")
					got = append(got, strings.ReplaceAll(s, "\t", " "))
				}
			}
			var want []string
			if f[3] != "" {
				want = strings.Split(f[3], " ;; ")
			}
			got, want = fold(got), fold(want)
			total++
			code := cfg.TestStatus(problems)
			if strconv.Itoa(code) == f[2] {
				codes++
			} else {
				t.Errorf("exit %d, want %s", code, f[2])
			}
			minus, plus := missingFrom(want, got), missingFrom(got, want)
			if len(minus)+len(plus) == 0 {
				sets++
			}
			for _, m := range minus[:min(len(minus), 8)] {
				t.Errorf("- %s", m)
			}
			for _, m := range plus[:min(len(plus), 8)] {
				t.Errorf("+ %s", m)
			}
		})
	}
	t.Logf("%d rows: %d exit codes, %d sets of messages", total, codes, sets)
}
