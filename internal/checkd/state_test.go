package checkd

import (
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/process"
)

// stateFiles are the files of a process and of its successor.
func stateFiles(t *testing.T) (old, next *stateFile) {
	t.Helper()
	f, err := process.MemoryFile("state", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &stateFile{file: f, conf: 7}, &stateFile{file: f, conf: 7}
}

func says(text string) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, text...) }
}

func TestStateReachesTheSuccessorOnce(t *testing.T) {
	old, next := stateFiles(t)
	if b := next.read(); b != nil {
		t.Errorf("a new file gives %q", b)
	}
	old.save(start, 1, says("a longer first state"))
	old.save(start.Add(time.Second), 2, says("second"))
	if b := next.read(); string(b) != "second" {
		t.Errorf("the successor reads %q, want %q", b, "second")
	}
	if b := next.read(); b != nil {
		t.Errorf("it reads again: %q", b)
	}
}

func TestStateIsOnlyForTheSameConfiguration(t *testing.T) {
	old, next := stateFiles(t)
	old.save(start, 1, says("x"))
	next.conf = 8
	if b := next.read(); b != nil {
		t.Errorf("it reads %q", b)
	}
}

func TestStateOfAnOrderlyEndIsEmpty(t *testing.T) {
	old, next := stateFiles(t)
	old.save(start, 1, says("x"))
	old.clear()
	if b := next.read(); b != nil {
		t.Errorf("it reads %q", b)
	}
}

func TestStateTooOldIsNotRead(t *testing.T) {
	old, next := stateFiles(t)
	old.save(start, 1, says("x"))
	old.write(make([]byte, 8), 8) // it said last that it lived when the machine started
	if uptime() < uint64(staleAfter) {
		t.Skip("skipped: this machine has just started")
	}
	if b := next.read(); b != nil {
		t.Errorf("it reads %q", b)
	}
}

func TestStateIsSavedAtOnceThenNotTooOften(t *testing.T) {
	old, next := stateFiles(t)
	old.save(start, 1, says("first"))
	old.save(start.Add(saveEvery/2), 2, says("too soon"))
	if at := old.next(2); at.Sub(start) != saveEvery {
		t.Errorf("it wants to save after %v, want %v", at.Sub(start), saveEvery)
	}
	old.save(old.next(2), 2, says("later"))
	if at := old.next(2); !at.IsZero() {
		t.Errorf("it wants to save again after %v", at.Sub(start))
	}
	if b := next.read(); string(b) != "later" {
		t.Errorf("the successor reads %q, want %q", b, "later")
	}
}
