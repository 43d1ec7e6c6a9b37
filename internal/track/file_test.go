package track

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

func TestLeadingInteger(t *testing.T) {
	for in, want := range map[string]int64{
		"": 0, "12": 12, "12\n": 12, " \t-7 x": -7, "+3": 3, "0x1F": 31, "0X1fz": 31, "010": 8, "019": 1,
		"0x": 0, "0xg": 0, "abc": 0, "-": 0, "1-2": 1, "99999999999999999999": 1<<63 - 1,
		"-99999999999999999999": -1 << 63, "4294967296": 1 << 32,
	} {
		if got := leadingInteger(in); got != want {
			t.Errorf("leadingInteger(%q) = %d, want %d", in, got, want)
		}
	}
}

func newFiles(t *testing.T, b *bench) *Files {
	t.Helper()
	f, err := NewFiles(b.post, func(_ time.Time, e FileEvent) {
		b.events = append(b.events, fmt.Sprintf("%s=%d", e.Name, e.Value))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestFileChanges(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	path, other := filepath.Join(dir, "tf"), filepath.Join(dir, "other")
	f := newFiles(t, b)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	values, missing := f.Set([]File{{Name: "tf", Path: path}, {Name: "lost", Path: "/nonexistent/x"}}, true)
	if diff := cmp.Diff([]FileEvent{{"tf", 0}}, values); diff != "" || !cmp.Equal(missing, []string{"lost"}) {
		t.Fatalf("missing %v, values (-want +got):\n%s", missing, diff)
	}
	for _, tt := range []struct {
		name  string
		do    func()
		posts int
		want  string
	}{
		{"written", func() { write(path, "5\n") }, 1, "tf=5"},
		{"same-again", func() { write(path, "5\n") }, 1, ""},
		{"another-file", func() { write(other, "9\n"); write(path, "-3") }, 1, "tf=-3"},
		{"renamed-over", func() { _ = os.Rename(other, path) }, 1, "tf=9"},
		{"too-big", func() {
			write(path, "9999999999")
			nettest.Eventually(t, 20*time.Second, "the number is refused", func() bool {
				return strings.Contains(b.log(), "Invalid number 9999999999 read from "+path+" - ignoring")
			})
			write(path, "8")
		}, 1, "tf=8"},
		{"moved-away", func() { _ = os.Rename(path, other) }, 1, "tf=0"},
		{"moved-back", func() { _ = os.Rename(other, path) }, 1, "tf=8"},
		{"deleted", func() { _ = os.Remove(path) }, 1, "tf=0"},
		{"no-number", func() { write(path, "x") }, 1, ""},
	} {
		b.events = nil
		tt.do()
		for range tt.posts {
			b.take()
		}
		if got := strings.Join(b.events, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFileInit(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	over := filepath.Join(dir, "over")
	if err := os.WriteFile(over, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := []File{
		{Name: "new", Path: dir + "/new", Create: true, Init: 5},
		{Name: "there", Path: there, Create: true, Init: 6},
		{Name: "over", Path: over, Create: true, Init: 7, Overwrite: true},
	}
	values, _ := newFiles(t, b).Set(files, true)
	if diff := cmp.Diff([]FileEvent{{"new", 5}, {"there", 1}, {"over", 7}}, values); diff != "" {
		t.Errorf("values at start (-want +got):\n%s", diff)
	}
	os.Remove(dir + "/new")
	values, _ = newFiles(t, b).Set(files, false)
	if diff := cmp.Diff([]FileEvent{{"new", 0}, {"there", 1}, {"over", 7}}, values); diff != "" {
		t.Errorf("values at a reload (-want +got):\n%s", diff)
	}
}

// TestFileReload drops one of two files in the same directory.
func TestFileReload(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	f := newFiles(t, b)
	f.Set([]File{{Name: "a", Path: dir + "/a"}, {Name: "b", Path: dir + "/b"}}, true)
	f.Set([]File{{Name: "b", Path: dir + "/b"}}, false)
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(dir+"/"+name, []byte("4"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.take()
	if diff := cmp.Diff([]string{"b=4"}, b.events); diff != "" {
		t.Errorf("events after a reload that dropped a (-want +got):\n%s", diff)
	}
	if f.Value("b") != 4 || f.Value("a") != 0 {
		t.Errorf("values a=%d b=%d, want 0 and 4", f.Value("a"), f.Value("b"))
	}
}
