package configparse

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The snippets of testdata/conf/config-verdicts.tsv were run through the
// original, which wrote down its messages and exit status. Here they are read
// in the environment that was there: see labEnv.

// verdict is one row.
type verdict struct {
	name     string
	files    labFiles
	env      Env
	code     int
	messages []string
}

// labFiles is a map of files with some modes.
type labFiles struct {
	Files
	modes map[string]fs.FileMode
}

func (f labFiles) Stat(name string) (Info, error) {
	info, err := f.Files.Stat(name)
	if mode, ok := f.modes[f.clean(name)]; ok && err == nil {
		info.Mode = mode
	}
	return info, err
}

// labEnv is the machine on which the verdicts were taken: lo, eth0, eth1, two
// CPUs, /bin a link to usr/bin, no user keepalived_script.
func labEnv() Env {
	links := map[string]Link{
		"lo": {Loopback: true, NoMulticast: true, MTU: 65536}, "eth0": {Ethernet: true, MTU: 1500}, "eth1": {Ethernet: true, MTU: 1500},
	}
	scripts := map[string]ScriptState{"/usr/bin/true": {}, "/usr/bin/false": {}, "/bin/true": {SymlinkDir: true}, "/bin/false": {SymlinkDir: true}}
	return Env{
		ConfigID: "lab", HostName: "lab", CPUs: 2, Test: true,
		Getenv: func(string) string { return "" },
		Link:   func(name string) (Link, bool) { l, ok := links[name]; return l, ok },
		User: func(name string) (User, bool) {
			u, ok := map[string]User{"root": {}, "nobody": {65534, 65534}}[name]
			return u, ok
		},
		Group: func(name string) (uint32, bool) {
			g, ok := map[string]uint32{"root": 0, "nogroup": 65534}[name]
			return g, ok
		},
		Script: func(q ScriptQuery) ScriptState {
			s, ok := scripts[q.Path]
			s.Missing = !ok
			return s
		},
		LookPath: func(name string) (string, bool) { _, ok := scripts["/usr/bin/"+name]; return "/usr/bin/" + name, ok },
		Resolve:  func(string) (string, bool) { return "", false },
		Enter:    func(string) bool { return false },
		SaveDir: func(dir string) string {
			if dir == "/etc/passwd" {
				return "config_save_dir /etc/passwd exists and is not a directory"
			}
			return ""
		},
		TrackDir: func(file, name string) string {
			switch {
			case strings.HasPrefix(file, "/nosuchdir/"):
				return "realpath() error 2 (No such file or directory) for " + name
			case strings.HasPrefix(file, "/proc/"):
				return "The filesystem of " + file + " is read only or cannot be monitored - ignoring"
			}
			return ""
		},
	}
}

var (
	remark   = regexp.MustCompile(`^\[(args|env|file) ?((?:[^\]\\]|\\.)*?)\] ?`)
	repeated = regexp.MustCompile(`<(.) x (\d+)>`)
	escapes  = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\f`, "\f", `\0`, "\x00")
)

func unescape(s string) string {
	s = escapes.Replace(s)
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		g := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(g[2])
		return strings.Repeat(g[1], n)
	})
}

// readVerdicts reads the rows for 2.4.3.
func readVerdicts(t *testing.T) []verdict {
	data, err := os.ReadFile("../testdata/conf/config-verdicts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []verdict
	for i, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 {
			continue
		}
		v := verdict{name: f[0], env: labEnv(), files: labFiles{Files{}, map[string]fs.FileMode{}}}
		v.code, err = strconv.Atoi(f[4])
		if err != nil {
			v.code = -1 // the original crashes
		}
		v.parse(f[1])
		if f[5] != "" {
			v.messages = strings.Split(unescape(f[5]), "\n")
		}
		all = append(all, v)
	}
	return all
}

// parse takes the remarks off a snippet.
func (v *verdict) parse(s string) {
	for {
		m := remark.FindStringSubmatch(s)
		if m == nil {
			break
		}
		s = s[len(m[0]):]
		switch body := m[2]; m[1] {
		case "args":
			args := strings.Fields(strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(body, ":")), " "))
			for i, a := range args {
				if a == "-i" {
					v.env.ConfigID = args[i+1]
				}
				v.env.IncludeChecks = v.env.IncludeChecks || a == "-e"
			}
		case "env":
			name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(body, ":")), "=")
			v.env.Getenv = func(n string) string {
				if n == name {
					return value
				}
				return ""
			}
		case "file":
			name, content, _ := strings.Cut(body, ": ")
			name, mode, given := strings.Cut(name, " mode ")
			v.files.Files[name] = unescape(content)
			if given {
				n, _ := strconv.ParseUint(mode, 8, 32)
				v.files.modes["/"+name] = fs.FileMode(n)
			}
		}
	}
	v.files.Files["FILE"] = unescape(s)
}

// fold makes messages of all passes the same: "once is as good as four times".
func fold(messages []string) []string {
	out := make([]string, 0, len(messages))
	for _, m := range messages {
		out = append(out, strings.Replace(m, "(FILE: Line", "(Line", 1))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func missingFrom(a, b []string) []string {
	var out []string
	for _, m := range a {
		if !slices.Contains(b, m) {
			out = append(out, m)
		}
	}
	return out
}

// otherwise are the rows where we differ from 2.4.3 on purpose; the reasons
// are in docs/differences.md.
var otherwise = map[string]bool{
	"rt-inet6-keyword": true, // inet and inet6 do not swallow the next word
	"rt-inet6-default": true,
	"ru-inet6":         true,
}

func TestVerdicts(t *testing.T) {
	same, codes, total := 0, 0, 0
	for _, v := range readVerdicts(t) {
		t.Run(v.name, func(t *testing.T) {
			cfg, problems := Load(v.files, "FILE", v.env)
			if v.code < 0 {
				return // a crash of the original: ours must only come back
			}
			total++
			var got []string
			for _, m := range problems {
				if m.Class != ClassLog {
					got = append(got, m.String())
				}
			}
			want := fold(v.messages)
			got = fold(got)
			code := cfg.TestStatus(problems)
			sameSet := slices.Equal(got, want)
			if code == v.code {
				codes++
			}
			if sameSet {
				same++
			}
			if otherwise[v.name] {
				if sameSet && code == v.code {
					t.Errorf("agrees, but is listed as different")
				}
				return
			}
			if code != v.code {
				t.Errorf("exit %d, want %d", code, v.code)
			}
			for _, m := range missingFrom(want, got) {
				t.Errorf("- %s", m)
			}
			for _, m := range missingFrom(got, want) {
				t.Errorf("+ %s", m)
			}
		})
	}
	t.Logf("%d rows: %d exit codes, %d sets of messages", total, codes, same)
}

func corpusDir(t testing.TB) string {
	dir, err := filepath.Abs("../../shared/corpus")
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err != nil {
		t.Skip("the corpus is not beside the clone (../shared/corpus)")
	}
	return dir
}
