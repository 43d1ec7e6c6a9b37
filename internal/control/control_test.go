package control

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAskThroughTheParent(t *testing.T) {
	parent, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	err = Serve(child, func(q Request) (any, error) {
		if q.Get != "status" {
			return nil, errors.New("unknown question")
		}
		return map[string]int{"instances": 2}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	toChild := NewConn(parent)
	path := filepath.Join(t.TempDir(), "control.sock")
	server, err := Listen(path, func(q Request) (any, error) { return toChild.Ask(q, 10*time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 3 {
		got, err := client.Ask(Request{Get: "status"}, 10*time.Second)
		if err != nil || string(got) != `{"instances":2}` {
			t.Fatalf("status = %s, %v", got, err)
		}
	}
	if _, err := client.Ask(Request{Get: "nonsense"}, 10*time.Second); err == nil || !strings.Contains(err.Error(), "unknown question") {
		t.Errorf("nonsense: error = %v", err)
	}
}

func TestABusyChildIsReportedAndItsLateAnswerDropped(t *testing.T) {
	parent, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan bool)
	n := 0
	if err := Serve(child, func(Request) (any, error) {
		if n++; n == 1 {
			<-release
		}
		return n, nil
	}); err != nil {
		t.Fatal(err)
	}
	c := NewConn(parent)
	if _, err := c.Ask(Request{Get: "a"}, 20*time.Millisecond); err == nil {
		t.Fatal("a child that does not answer was not reported")
	}
	if _, err := c.Ask(Request{Get: "b"}, 20*time.Millisecond); !errors.Is(err, ErrBusy) {
		t.Fatalf("second question: error = %v, want %v", err, ErrBusy)
	}
	close(release)
	got, err := c.Ask(Request{Get: "c"}, 10*time.Second)
	var k int
	if err != nil || json.Unmarshal(got, &k) != nil || k != 2 {
		t.Fatalf("after the late answer: %s, %v, want the second answer", got, err)
	}
}

func TestASecondDaemonDoesNotStealTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	nothing := func(Request) (any, error) { return nil, nil }
	s, err := Listen(path, nothing)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Listen(path, nothing); err == nil {
		t.Error("a second daemon took over the socket of a living one")
	}
}

func TestWhatIsToldLeavesNoAnswerBehind(t *testing.T) {
	parent, child, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 8)
	if err := Serve(child, func(q Request) (any, error) {
		heard <- q.Get
		return q.Get, nil
	}); err != nil {
		t.Fatal(err)
	}
	c := NewConn(parent)
	for range 2 {
		for _, q := range []string{"one", "two"} {
			c.Tell(Request{Get: q})
			if got := <-heard; got != q {
				t.Fatalf("told %s, heard %s", q, got)
			}
		}
		if got, err := c.Ask(Request{Get: "three"}, 10*time.Second); err != nil || string(got) != `"three"` {
			t.Fatalf("asked three: %s, %v", got, err)
		}
		<-heard
	}
}
