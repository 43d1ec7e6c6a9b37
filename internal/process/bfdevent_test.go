package process

import (
	"os"
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
