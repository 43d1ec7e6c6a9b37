package checker_test

import (
	"bufio"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/google/go-cmp/cmp"
	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
)

var update = flag.Bool("update", false, "rewrite the expectations of stories")

// memory serves configuration files from a map.
type memory map[string][]byte

func (memory) Dir() string { return "/" }

func (m memory) Stat(name string) (configparse.Info, error) {
	b, ok := m[name]
	if !ok {
		return configparse.Info{}, fs.ErrNotExist
	}
	return configparse.Info{Mode: 0o644, Size: int64(len(b))}, nil
}

func (m memory) List(string) ([]string, error) { return nil, fs.ErrNotExist }

func (m memory) Read(name string) (string, error) { return string(m[name]), nil }

// TestStories plays testdata/check/*.txtar: the first line says the point, the
// commands follow, then configuration files and what must have come out.
//
//	load FILE                     start, or reload
//	ok SERVER[#N] [K=V…]          a check of the server succeeded: code=, proof=, got=, want=
//	fail SERVER[#N] REASON [K=V…] it failed
//	addr ADDRESS up|down          an address came or went
//	file NAME VALUE, bfd NAME up|down, wait DURATION, table, stop
//
// SERVER is address:port, N which check of it (from 1), "@VS" behind it which
// virtual server.
func TestStories(t *testing.T) {
	files, _ := filepath.Glob("../testdata/check/*.txtar")
	if len(files) == 0 {
		t.Fatal("no stories in ../testdata/check")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &story{t: t, files: memory{}, pool: checker.NewPool(), now: time.Unix(1_000_000, 0).UTC()}
			s.began = s.now
			expect := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == "expect" })
			for _, f := range ar.Files {
				s.files["/"+f.Name] = f.Data
			}
			for sc := bufio.NewScanner(strings.NewReader(string(ar.Comment))); sc.Scan(); {
				if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
					fmt.Fprintf(&s.out, "> %s\n", line)
					s.do(strings.Fields(line))
				}
			}
			if *update {
				if expect < 0 {
					ar.Files = append(ar.Files, txtar.File{Name: "expect"})
					expect = len(ar.Files) - 1
				}
				ar.Files[expect].Data = []byte(s.out.String())
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if expect < 0 {
				t.Fatal("no expect section: run with -update and read what it says")
			}
			if diff := cmp.Diff(string(ar.Files[expect].Data), s.out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

type story struct {
	t          testing.TB
	files      memory
	pool       *checker.Pool
	now, began time.Time
	out        strings.Builder
}

func (s *story) do(f []string) {
	s.t.Helper()
	switch f[0] {
	case "load":
		s.load(f[1])
	case "ok", "fail":
		s.report(f)
	case "addr":
		s.pool.Address(s.now, netip.MustParseAddr(f[1]), f[2] == "up")
	case "file":
		v, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		s.pool.File(s.now, f[1], v)
	case "bfd":
		s.pool.BFD(s.now, f[1], f[2] == "up")
	case "wait":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "table":
		s.table()
	case "stop":
		s.pool.Stop()
	default:
		s.t.Fatalf("unknown command %q", f[0])
	}
	s.effects()
}

func (s *story) load(name string) {
	s.t.Helper()
	env := configparse.Env{Script: func(configparse.ScriptQuery) configparse.ScriptState { return configparse.ScriptState{} }}
	cfg, problems := configparse.Load(s.files, "/"+name, env)
	for _, p := range problems {
		if p.Pass == configparse.Checker {
			fmt.Fprintf(&s.out, "  problem: %s\n", p.Text)
		}
	}
	g := &cfg.Global
	opt := checker.Options{RouterID: "LVS1", InitNotifies: g.RSInitNotifies, NoCheckerEmails: g.NoCheckEmails}
	switch {
	case g.LVSFlushOnStopVS:
		opt.FlushOnStop = checker.FlushServices
	case g.LVSFlushOnStop:
		opt.FlushOnStop = checker.FlushAll
	}
	s.pool.Load(s.now, &cfg.Checker, opt)
}

func (s *story) report(f []string) {
	s.t.Helper()
	id := s.find(f[1])
	r := checker.Result{Began: s.now}
	rest := f[2:]
	if f[0] == "fail" {
		for reason := checker.OK; reason.String() != "?"; reason++ {
			if strings.ReplaceAll(reason.String(), " ", "-") == f[2] {
				r.Reason = reason
			}
		}
		if r.Reason == checker.OK {
			s.t.Fatalf("unknown reason %q", f[2])
		}
		rest = f[3:]
	}
	for _, kv := range rest {
		k, v, _ := strings.Cut(kv, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "code":
			r.Code = n
		case "proof":
			r.Proof = checker.Proof(n)
		case "got":
			r.Received = int64(n)
		case "want":
			r.Announced = int64(n)
		case "text":
			r.Text = strings.ReplaceAll(v, "_", " ")
		default:
			s.t.Fatalf("unknown %q", kv)
		}
	}
	next := s.pool.Report(s.now, id, r)
	s.effects()
	if next.At.IsZero() {
		fmt.Fprintln(&s.out, "  next: none")
		return
	}
	fmt.Fprintf(&s.out, "  next: %v", next.At.Sub(s.now))
	if next.Step > 0 {
		fmt.Fprintf(&s.out, " url %d", next.Step+1)
	}
	fmt.Fprintln(&s.out)
}

// find looks for a check by "address:port[#n][@virtual server]".
func (s *story) find(name string) checker.CheckID {
	s.t.Helper()
	name, vs, _ := strings.Cut(name, "@")
	name, ordinal, _ := strings.Cut(name, "#")
	n, _ := strconv.Atoi(ordinal)
	for _, svc := range s.pool.Snapshot() {
		if vs != "" && svc.Config.String() != vs {
			continue
		}
		for _, srv := range svc.Servers {
			if srv.Config.Addr.String() == name {
				return srv.Checks[max(n, 1)-1].ID
			}
		}
	}
	s.t.Fatalf("no check for %s", name)
	return 0
}

func (s *story) table() {
	for _, svc := range s.pool.Want() {
		fmt.Fprintf(&s.out, "  %s %s\n", svc.Key, svc.Scheduler)
		for _, r := range svc.Servers {
			fmt.Fprintf(&s.out, "    -> %s %s %d\n", r.Addr, r.Forward, r.Weight)
		}
	}
}

// effects prints what the pool wants done: the operator's lines as they are,
// the rest by one word in front.
func (s *story) effects() {
	for _, e := range s.pool.Drain() {
		switch e := e.(type) {
		case checker.Log:
			if e.Detail {
				fmt.Fprintf(&s.out, "  -D %s\n", e.Text)
			} else {
				fmt.Fprintf(&s.out, "  %s\n", e.Text)
			}
		case checker.ServerNotice:
			fmt.Fprintf(&s.out, "  notice: %s%s\n", notice(e.FIFO(), e.TrapOnly), script(e.Script()))
		case checker.QuorumNotice:
			fmt.Fprintf(&s.out, "  notice: %s%s\n", notice(e.FIFO(), e.TrapOnly), script(e.Script()))
		case checker.Mail:
			fmt.Fprintf(&s.out, "  mail: %s: %s\n", e.Subject, e.Body)
		case checker.Start:
			fmt.Fprintf(&s.out, "  start: %d %s in %v\n", e.ID, e.Spec.Keyword(), e.At.Sub(s.now))
		case checker.Pause:
			fmt.Fprintf(&s.out, "  pause: %d\n", e.ID)
		case checker.Forget:
			fmt.Fprintf(&s.out, "  forget: %d\n", e.ID)
		case checker.Changed: // the table command shows it
		default:
			s.t.Fatalf("unknown effect %T", e)
		}
	}
}

func notice(fifo string, trapOnly bool) string {
	if trapOnly {
		return "trap only"
	}
	return strings.TrimSuffix(fifo, "\n")
}

func script(c *checker.Script) string {
	if c == nil {
		return ""
	}
	return " and run " + strings.Join(c.Args, " ")
}
