package report

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keepalived-go/keepalived/configparse"
)

// TestDumpNames are the names of process.md 3.2 and 1.8.
func TestDumpNames(t *testing.T) {
	t.Setenv("TMPDIR", "/d/")
	tests := []struct {
		g      configparse.Global
		suffix string
		want   string
	}{
		{configparse.Global{}, "", "/d/keepalived.data"},
		{configparse.Global{}, "_parent", "/d/keepalived_parent.data"},
		{configparse.Global{StateDumpFile: "foo.txt"}, "_check", "/d/foo_check.txt"},
		{configparse.Global{StateDumpFile: "/x/foo.txt"}, "_bfd", "/x/foo_bfd.txt"},
		{configparse.Global{StateDumpFile: "/x/"}, "", "/x/keepalived.data"},
		{configparse.Global{StateDumpFile: "/x/foo"}, "_parent", "/x/foo_parent"},
		{configparse.Global{DataUseInstance: true}, "", "/d/keepalived.data"},
		{configparse.Global{DataUseInstance: true, Instance: "I"}, "_parent", "/d/keepalived_parent.I.data"},
		{configparse.Global{DataUseInstance: true, Instance: "I", NetNamespace: "N"}, "", "/d/keepalived.N_I.data"},
		{configparse.Global{Instance: "I"}, "", "/d/keepalived.data"},
	}
	for _, test := range tests {
		if got := DataFile(&test.g, test.suffix); got != test.want {
			t.Errorf("data%s: %s, want %s", test.suffix, got, test.want)
		}
	}
	for configured, want := range map[string][2]string{
		"": {"/d/keepalived.stats", "/d/keepalived.json"}, "x": {"/d/x", "/d/x"},
		"/x/": {"/x/keepalived.stats", "/x/keepalived.json"}, "/x/y": {"/x/y", "/x/y"},
	} {
		g := configparse.Global{StatsDumpFile: configured, JSONDumpFile: configured}
		if got := [2]string{StatsFile(&g), JSONFile(&g)}; got != want {
			t.Errorf("%q: %v, want %v", configured, got, want)
		}
	}
	t.Setenv("TMPDIR", "relative")
	if got := DataFile(&configparse.Global{}, ""); got != "/tmp/keepalived.data" {
		t.Errorf("with a relative TMPDIR: %s", got)
	}
}

// TestWriteFile replaces a symbolic link and does not follow it; what cannot be
// written leaves nothing behind.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "keepalived.data"), filepath.Join(dir, "other")
	if err := os.Symlink(other, path); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, "text"); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() || st.Mode().Perm() != 0o600 {
		t.Errorf("the dump: %v, %v, want a file of mode 0600", st, err)
	}
	if _, err := os.Lstat(other); err == nil {
		t.Error("the link was followed")
	}
	want := "Can't open dump file " + dir + "/none/x (2: "
	if err := WriteFile(dir+"/none/x", "text"); err == nil || err.Error()[:len(want)] != want {
		t.Errorf("without a directory: %v, want %s…", err, want)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("the directory holds %v", list)
	}
}
