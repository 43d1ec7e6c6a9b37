package configparse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seedFiles are whole configurations in the manner of the corpus, by name.
func seedFiles(t testing.TB) map[string]string {
	t.Helper()
	files := map[string]string{}
	names, _ := filepath.Glob("testdata/seeds/*.conf")
	if len(names) == 0 {
		t.Fatal("no testdata/seeds/*.conf")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(data)
	}
	return files
}

// addSeeds gives the fuzzer the snippets of the verdicts, whole files and
// inputs that were made to hurt.
func addSeeds(f *testing.F) {
	for _, row := range readTable(f, "config-verdicts.tsv") {
		f.Add(unescape(row[1]))
	}
	for _, text := range seedFiles(f) {
		f.Add(text)
	}
	for _, s := range hostile() {
		f.Add(s)
	}
}

// hostile are inputs that loop, grow or crash a careless reader.
func hostile() []string {
	return []string{
		"~SEQ(i, 1, 1, 2000000000) x ${i}\n",
		"~SEQ(i, -2000000000) ~SEQ(j, 2000000000)\n",
		"$A=${A}\nx ${A}\n", "$A=${B}${B}\n$B=${A}${A}\nx ${A}\n",
		"$M= \\\n $M \\\n $M\n$M\n", "$M= \\\n a \\\n $M\n$M\n",
		"include FILE\ninclude FILE\n", "include ./FILE\n", "include {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}\n",
		strings.Repeat("{", 5000), strings.Repeat("}\n", 5000), strings.Repeat("vrrp_instance a {\n", 2000),
		strings.Repeat("x", 100_000), strings.Repeat("$A=1\\\n", 2000),
		"v\x00r\x00r\x00p\x00\n", "\xff\xfev\x00r\x00\n\x00", "vrrp_instance a {\r\n interface eth0\r\n}\r\n",
		"bfd_instance {\n}\n", "virtual_server group {\n}\n", "virtual_server fwmark {\n}\n", "${_ENV}\n", "vrrp_script s {\n script \"\n}\n",
		"vrrp_script s {\n script \"\"\n}\n", "vrrp_script s {\n script \"\\\"\n}\n",
	}
}

// bounded loads text and fails if that takes longer than any input may.
func bounded(t *testing.T, text string) (*Config, []Problem, Env) {
	env := labEnv()
	start := time.Now()
	cfg, problems := Load(Files{"FILE": text}, "FILE", env)
	if d := time.Since(start); d > 30*time.Second {
		t.Fatalf("took %v", d)
	}
	if len(problems) > maxProblems+1 {
		t.Fatalf("%d problems", len(problems))
	}
	return cfg, problems, env
}

func TestHostile(t *testing.T) {
	for _, s := range hostile() {
		bounded(t, s)
	}
}

// FuzzLexer: lines, words and expansion come back, and every statement has its place.
func FuzzLexer(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		l := newLexer(Files{"FILE": text}, &Env{ConfigID: "foo"})
		l.readMain("FILE")
		for it, ok := l.next(); ok; it, ok = l.next() {
			if it.kind != itemMessage && (it.text == "" || it.at.line < 1 || it.at.column < 1) {
				t.Fatalf("statement %+v", it)
			}
		}
		readRecording(l)
	})
}

// FuzzWords: splitting by either rule loses nothing but blanks and quotes.
func FuzzWords(f *testing.F) {
	for _, s := range []string{`a "b c" d`, `a"b"c`, `notify "/x 'y z'" u`, `a \x41\101\cA`, "\"", "'\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, _ := split(s)
		for _, w := range words {
			if w.offset+len(w.text) > len(s) || s[w.offset:w.offset+len(w.text)] != w.text {
				t.Fatalf("%q: word %+v", s, w)
			}
		}
		splitQuoted(s, true)
		splitQuoted(s, false)
	})
}

// FuzzLoad: whole files come back in time, with a bounded number of messages.
func FuzzLoad(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) { bounded(t, text) })
}

// FuzzPrint: what was understood of a file prints as text that reads back to
// the same, and reading that again prints the same text, in lines that the
// original takes.
func FuzzPrint(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		cfg, problems, env := bounded(t, text)
		if ExitStatus(problems) == ExitMissing || cfg.IncludeFailed || cfg.NoNamespace || strings.ContainsAny(text, "\x00") {
			return
		}
		roundTrip(t, cfg, env)
	})
}

// FuzzArchive: bytes from a parent of another version are refused, not believed.
func FuzzArchive(f *testing.F) {
	r := NewRecorder(Files{"FILE": "include a*\n", "a": "x\n"})
	Load(r, "FILE", Env{})
	f.Add(r.Archive(7).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := DecodeArchive(b); err == nil {
			a.Encode()
		}
	})
}

// TestArchive: what is read from a recording is what was read from the files.
func TestArchive(t *testing.T) {
	files := Files{"FILE": "include d/*.conf\nvrrp_instance V {\n interface eth0\n virtual_router_id ${_RANDOM 1 200}\n foo\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
		"d/a.conf": "bar\n", "d/b.conf": "include missing.conf\n"}
	env := labEnv()
	env.Seed = 42
	r := NewRecorder(files)
	cfg, problems := Load(r, "FILE", env)
	a, err := DecodeArchive(r.Archive(env.Seed).Encode())
	if err != nil {
		t.Fatal(err)
	}
	env.Seed = a.Seed
	again, problems2 := Load(a, "FILE", env)
	if Print(cfg) != Print(again) || len(problems) == 0 || len(problems) != len(problems2) {
		t.Fatalf("%d problems, then %d:\n%s\n%s", len(problems), len(problems2), Print(cfg), Print(again))
	}
	for i := range problems {
		if problems[i] != problems2[i] {
			t.Errorf("%v, then %v", problems[i], problems2[i])
		}
	}
}
