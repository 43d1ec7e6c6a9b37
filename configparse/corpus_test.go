package configparse

import (
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpusFiles reads ../shared/corpus into a map below /c, so that no file of
// the machine that runs the test can matter. The files have many owners and
// are not copied into the repository.
func corpusFiles(t testing.TB) Files {
	t.Helper()
	files := Files{}
	root := corpusDir(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "dumps" {
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

// corpusRow is what 2.4.3 said about a file in one situation.
type corpusRow struct{ file, how, code, messages string }

// corpusRows reads what 2.4.3 said.
func corpusRows(t testing.TB) []corpusRow { return corpusRowsOf(t, "2.4.3") }

// corpusRowsOf reads verdicts.tsv and verdicts-more.tsv.
func corpusRowsOf(t testing.TB, version string) []corpusRow {
	t.Helper()
	var rows []corpusRow
	for _, name := range []string{"verdicts.tsv", "verdicts-more.tsv"} {
		data, err := os.ReadFile(filepath.Join(corpusDir(t), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n")[1:] {
			f := strings.Split(line, "\t")
			if f[1] != version {
				continue
			}
			r := corpusRow{file: f[0], code: f[len(f)-2], messages: f[len(f)-1]}
			if len(f) == 5 {
				r.how = f[2]
			}
			rows = append(rows, r)
		}
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
	for _, row := range corpusRows(t) {
		file, how := row.file, row.how
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
			if row.messages != "" {
				want = strings.Split(row.messages, " ;; ")
			}
			got, want = fold(got), fold(want)
			total++
			code := cfg.TestStatus(problems)
			if strconv.Itoa(code) == row.code {
				codes++
			} else {
				t.Errorf("exit %d, want %s", code, row.code)
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

// corpusDumps reads every dump and the file it is of.
func corpusDumps(t *testing.T) []CorpusDump {
	dumps, _ := filepath.Glob(filepath.Join(corpusDir(t), "dumps", "*.gz"))
	files, names := corpusFiles(t), readNames(t)
	var all []CorpusDump
	for _, dump := range dumps {
		d := CorpusDump{Name: strings.TrimSuffix(filepath.Base(dump), ".dump.gz"), Text: readGzip(t, dump)}
		file, id := dumpSource(files, filepath.Base(dump))
		env := corpusEnv(names[file], "STUBS=1")
		env.HostName, env.ConfigID = "", "testhost" // its name led to no address there
		if id != "" {
			env.ConfigID = id
		}
		env.Test = false
		env.Script = func(q ScriptQuery) ScriptState { return ScriptState{Missing: !stubbed(q.Path)} }
		d.Ours, _ = Load(files, "/c/"+file, env)
		all = append(all, d)
	}
	return all
}

func readGzip(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// dumpSource finds the file and the config id of a dump's name.
func dumpSource(files Files, dump string) (file, id string) {
	name := strings.TrimSuffix(dump, ".dump.gz")
	for {
		for _, candidate := range []string{name + ".conf", name + ".d/keepalived.conf"} {
			if _, ok := files["/c/"+candidate]; ok {
				return candidate, id
			}
		}
		i := strings.LastIndex(name, "-i")
		if i < 0 {
			return "", ""
		}
		name, id = name[:i], name[i+2:]+id
	}
}

// stubbed tells whether dump.sh made a script, which it did in the directories
// that it had to itself.
func stubbed(path string) bool {
	if strings.HasPrefix(path, "/dev/") { // "</dev/tcp/…" is no program
		return false
	}
	if slices.Contains(labPrograms, path) || slices.Contains(labPrograms, "/usr"+path) {
		return true
	}
	for _, dir := range []string{"/etc", "/usr", "/opt", "/var", "/root", "/home", "/srv"} {
		if strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// corpusPrints prints the files of which 2.2.7 said something that is not the
// end of its run. Files that need hundreds of interfaces are left out.
func corpusPrints(t *testing.T) []CorpusPrint {
	const mostLinks = 30
	place := regexp.MustCompile(`^\([^()]*Line \d+\) `)
	files, names := corpusFiles(t), readNames(t)
	var all []CorpusPrint
	for _, row := range corpusRowsOf(t, "2.2.7") {
		code, _ := strconv.Atoi(row.code)
		n := names[row.file]
		if row.how != "" || code == ExitMissing || code > ExitInsecure || len(n.links) > mostLinks || len(n.namespaces) > 0 {
			continue
		}
		p := CorpusPrint{Name: strings.ReplaceAll(row.file, "/", "-"), Interfaces: n.links}
		for _, m := range strings.Split(row.messages, " ;; ") {
			p.Said = append(p.Said, place.ReplaceAllString(m, ""))
		}
		cfg, _ := Load(files, "/c/"+row.file, corpusEnv(n, ""))
		if !cfg.Failed[VRRP] {
			p.Text = Print(cfg)
			all = append(all, p)
		}
	}
	return all
}
