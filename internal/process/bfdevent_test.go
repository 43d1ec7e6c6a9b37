package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBFDEvents(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	want := []BFDEvent{BFDEvent{Session: "bfd1", Up: true}.Stamp(), BFDEvent{Session: `a "b` + "\n", Repeat: true}.Stamp()}
	b := []byte("f a broken line\n")
	for _, e := range want {
		b = e.Append(b)
	}
	if _, err := w.Write(append(b, "Up false"...)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var got []BFDEvent
	if err := ReadBFDEvents(r, func(e BFDEvent) { got = append(got, e) }); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if d := got[0].Delay(); d <= 0 {
		t.Errorf("delivered in %v", d)
	}
}

func TestWriteDump(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "dump")
	if err := os.Symlink(precious, name); err != nil {
		t.Fatal(err)
	}
	if err := WriteDump(name, []byte("text")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(name); string(b) != "text" {
		t.Errorf("dump holds %q", b)
	}
	if b, _ := os.ReadFile(precious); string(b) != "keep" {
		t.Errorf("the file behind the link holds %q", b)
	}
	if left, _ := filepath.Glob(name + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := WriteDump("/nonexistent/dump", nil); err == nil {
		t.Error("no error for a directory that does not exist")
	}
}
