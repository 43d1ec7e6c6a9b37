package track

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec Process
		comm string
		argv string // words
		want bool
	}{
		{"comm", Process{Path: "nginx"}, "nginx", "nginx: worker", true},
		{"comm-other", Process{Path: "nginx"}, "nginx2", "nginx", false},
		{"comm-15", Process{Path: "averyveryverylongname"}, "averyveryverylo", "", true},
		{"full", Process{Path: "/usr/sbin/nginx", FullCommand: true}, "nginx", "/usr/sbin/nginx -g x", true},
		{"full-other", Process{Path: "nginx", FullCommand: true}, "nginx", "/usr/sbin/nginx", false},
		{"full-no-command-line", Process{Path: "kworker", FullCommand: true}, "kworker", "", false},
		{"exact", Process{Path: "sleep", Params: []string{"1", "2"}}, "sleep", "sleep 1 2", true},
		{"exact-more", Process{Path: "sleep", Params: []string{"1"}}, "sleep", "sleep 1 2", false},
		{"exact-fewer", Process{Path: "sleep", Params: []string{"1", "2"}}, "sleep", "sleep 1", false},
		{"exact-none-allowed", Process{Path: "sleep", ParamMatch: ParamExact}, "sleep", "sleep 1", false},
		{"exact-none", Process{Path: "sleep", ParamMatch: ParamExact}, "sleep", "sleep", true},
		{"partial", Process{Path: "sleep", Params: []string{"1"}, ParamMatch: ParamPartial}, "sleep", "sleep 1 2", true},
		{"partial-prefix", Process{Path: "sleep", Params: []string{"1"}, ParamMatch: ParamPartial}, "sleep", "sleep 10", false},
		{"initial", Process{Path: "sleep", Params: []string{"5", "10"}, ParamMatch: ParamInitial}, "sleep", "sleep 5 1000 x", true},
		{"initial-not-last", Process{Path: "sleep", Params: []string{"5", "10"}, ParamMatch: ParamInitial}, "sleep", "sleep 50 10", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.spec.matches(tt.comm, strings.Fields(tt.argv)); got != tt.want {
				t.Errorf("matches(%q, %q) = %v, want %v", tt.comm, tt.argv, got, tt.want)
			}
		})
	}
}

// fakeProc lays out a /proc of processes.
type fakeProc struct {
	t   *testing.T
	dir string
}

func newFakeProc(t *testing.T) fakeProc { return fakeProc{t, t.TempDir()} }

func (p fakeProc) run(pid int, comm, argv, state string) {
	p.t.Helper()
	dir := fmt.Sprintf("%s/%d", p.dir, pid)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	cmdline := ""
	for _, word := range strings.Fields(argv) {
		cmdline += word + "\x00"
	}
	for name, text := range map[string]string{
		"comm": comm + "\n", "cmdline": cmdline, "stat": fmt.Sprintf("%d (%s) %s 1 1", pid, comm, state),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestTable(t *testing.T) {
	proc := newFakeProc(t)
	proc.run(1, "init", "/sbin/init", "S")
	proc.run(10, "web", "web -x", "S")
	proc.run(11, "web", "web -y", "S")
	proc.run(12, "web", "", "Z")
	proc.run(13, "we) R b", "web -x", "S")
	tab := newTable(procDir(proc.dir), []Process{{Path: "web"}, {Path: "web", Params: []string{"-x"}}})
	tab.scan()
	if diff := cmp.Diff([]int{2, 2}, tab.count); diff != "" {
		t.Fatalf("counts at the start (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name string
		do   func() []change
		want []change
	}{
		{"fork-of-a-stranger", func() []change { return tab.forked(1, 20) }, nil},
		{"fork", func() []change { return tab.forked(10, 21) }, []change{{0, 3, true, false}, {1, 3, true, false}}},
		{"fork-told-twice", func() []change { return tab.forked(10, 21) }, nil},
		{"child-runs-another", func() []change { proc.run(21, "cat", "cat", "S"); return tab.renamed(21) },
			[]change{{0, 2, false, true}, {1, 2, false, true}}},
		{"stranger-becomes-one", func() []change { proc.run(20, "web", "web", "S"); return tab.renamed(20) }, []change{{0, 3, false, false}}},
		{"renamed-the-same", func() []change { return tab.renamed(20) }, nil},
		{"end", func() []change { return tab.ended(20) }, []change{{0, 2, false, true}}},
		{"end-of-a-stranger", func() []change { return tab.ended(1) }, nil},
		{"scan-after-loss", func() []change { // 10 has ended, 22 has begun, and nobody said so
			os.RemoveAll(proc.dir + "/10")
			os.RemoveAll(proc.dir + "/20")
			proc.run(22, "web", "web", "S")
			return tab.scan()
		}, []change{{spec: 1, count: 1}}},
	} {
		if diff := cmp.Diff(tt.want, tt.do(), cmp.AllowUnexported(change{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestQuorumDelays tells a quorum of counts at times, and looks when it turns.
func TestQuorumDelays(t *testing.T) {
	type step struct {
		at     time.Duration
		count  int
		byFork bool
	}
	ms := time.Millisecond
	for _, tt := range []struct {
		name  string
		spec  Process
		steps []step
		want  string
	}{
		{"plain", Process{Quorum: 1, QuorumMax: -1}, []step{{0, 1, false}, {100 * ms, 0, false}}, "0s up, 100ms down"},
		{"quorum-two", Process{Quorum: 2, QuorumMax: -1}, []step{{0, 1, false}, {100 * ms, 2, false}, {200 * ms, 1, false}}, "100ms up, 200ms down"},
		{"too-many", Process{Quorum: 1, QuorumMax: 1}, []step{{0, 1, false}, {100 * ms, 2, false}, {200 * ms, 1, false}}, "0s up, 100ms down, 200ms up"},
		{"none-wanted", Process{Quorum: 0, QuorumMax: 0}, []step{{0, 1, false}, {100 * ms, 0, false}}, "0s down, 100ms up"},
		{"terminate-delay", Process{Quorum: 1, QuorumMax: -1, TerminateDelay: time.Second}, []step{{0, 1, false}, {100 * ms, 0, false}}, "0s up, 1.1s down"},
		{"regained", Process{Quorum: 1, QuorumMax: -1, TerminateDelay: time.Second}, []step{{0, 1, false}, {100 * ms, 0, false}, {600 * ms, 1, false}}, "0s up"},
		{"fork-delay", Process{Quorum: 2, QuorumMax: -1, ForkDelay: time.Second}, []step{{0, 1, false}, {100 * ms, 2, true}}, "1.1s up"},
		{"fork-then-exec", Process{Quorum: 1, QuorumMax: 1, ForkDelay: time.Second}, []step{{0, 1, false}, {100 * ms, 2, true}, {110 * ms, 1, false}}, "0s up"},
		{"exec-is-not-delayed", Process{Quorum: 1, QuorumMax: -1, ForkDelay: time.Second}, []step{{0, 1, false}}, "0s up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Unix(0, 0)
			var got []string
			p := NewProcesses(nil, func(now time.Time, e ProcessEvent) {
				side := "down"
				if e.Up {
					side = "up"
				}
				got = append(got, now.Sub(start).String()+" "+side)
			})
			q := &quorum{Process: tt.spec}
			q.up = q.holds()
			p.list = []*quorum{q}
			for _, st := range append(tt.steps, step{at: time.Hour, count: -1}) {
				for p.schedule(); !p.Next().IsZero() && !p.Next().After(start.Add(st.at)); {
					p.Tick(p.Next())
				}
				if st.count < 0 {
					break
				}
				now := start.Add(st.at)
				if q.counted(now, change{count: st.count, byFork: st.byFork, byEnd: st.count < q.count}) {
					p.turn(now, q)
				}
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("turned at %s, want %s", text, tt.want)
			}
		})
	}
}

// TestConnector watches a real process start and end. The kernel tells only
// privileged processes in the initial network namespace.
func TestConnector(t *testing.T) {
	c, err := openConnector()
	if err != nil {
		t.Skipf("skipped: no process events here: %v", err)
	}
	c.file.Close()
	b := newBench(t)
	p := NewProcesses(b.post, func(_ time.Time, e ProcessEvent) {
		b.events = append(b.events, fmt.Sprintf("%s up=%v", e.Name, e.Up))
	})
	defer p.Close()
	secs := fmt.Sprint(10000 + os.Getpid())
	states := p.Set(b.now, []Process{{Name: "sl", Path: "sleep", Params: []string{secs}, Quorum: 1, QuorumMax: -1}})
	if diff := cmp.Diff([]ProcessEvent{{"sl", false}}, states); diff != "" {
		t.Fatalf("at the start (-want +got):\n%s", diff)
	}
	cmd := exec.Command("sleep", secs)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.take()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	b.take()
	if diff := cmp.Diff([]string{"sl up=true", "sl up=false"}, b.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got, want := strings.ReplaceAll(b.log(), "proc_events has confirmed it is configured\n", ""),
		"Quorum gained for tracked process sl\nQuorum lost for tracked process sl"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
}

func TestProcEventParse(t *testing.T) {
	if got := parseProcEvents(subscription()); len(got) != 0 {
		t.Errorf("our own subscription was read as %v", got)
	}
}

func FuzzProcEvents(f *testing.F) {
	f.Add(subscription())
	f.Add(append(subscription()[:36], make([]byte, 40)...))
	f.Fuzz(func(_ *testing.T, b []byte) { parseProcEvents(b) })
}
