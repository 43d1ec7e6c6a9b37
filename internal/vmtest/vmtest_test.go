package vmtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRunBringsStatusLinesAndFilesBack(t *testing.T) {
	var lines []string
	m := Machine{
		Command: "echo hello; cat given; grep -q ^ip_vs /proc/modules && echo has ip_vs; mkdir /out/d; echo kept > /out/d/file; exit 7",
		Files:   map[string][]byte{"given": []byte("from outside\n")},
		Out:     t.TempDir(), Timeout: 60 * time.Second,
		Line: func(l string) { lines = append(lines, l) },
	}
	status := Run(t, m)
	if want := []string{"hello", "from outside", "has ip_vs"}; status != 7 || !slices.Equal(lines, want) {
		t.Errorf("status %d, lines %q, want 7, %q", status, lines, want)
	}
	if b, err := os.ReadFile(filepath.Join(m.Out, "d/file")); err != nil || string(b) != "kept\n" {
		t.Errorf("file from the machine: %q, %v", b, err)
	}
}

func TestArchiveMakesFoldersOnce(t *testing.T) {
	var b strings.Builder
	a := newArchive(&b)
	a.entry("/lib/a/b", 0o100644, []byte("x"))
	a.entry("lib/a/c", 0o100644, nil)
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"usr\x00": 1, "usr/lib\x00": 1, "usr/lib/a\x00": 1, "usr/lib/a/b\x00": 1, "usr/lib/a/c\x00": 1} {
		if got := strings.Count(b.String(), name); got != n {
			t.Errorf("%q is %d times in the archive, want %d", name, got, n)
		}
	}
	if len(b.String())%512 != 0 {
		t.Errorf("archive has %d bytes, want a multiple of 512", len(b.String()))
	}
}
