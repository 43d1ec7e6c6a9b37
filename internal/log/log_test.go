package log

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func line(text string) entry {
	return entry{Line{time.Date(2026, 11, 21, 9, 20, 56, 1813293, time.Local), LevelInfo, text}, FacilityDaemon, 123, "Keepalived_vrrp"}
}

func TestSyslogFormatAndReconnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen := func() *net.UnixConn {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	read := func(c *net.UnixConn) string {
		b := make([]byte, 1000)
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	daemon := listen()
	w := &syslogWriter{path: path}
	defer w.close()
	for _, text := range []string{"one", "two"} {
		if w.write(line(text)) > 0 {
			t.Fatalf("%s not written", text)
		}
		if got, want := read(daemon), "<30>Nov 21 09:20:56 Keepalived_vrrp[123]: "+text; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		// A restarted daemon makes a new socket under the same name.
		daemon.Close()
		os.Remove(path)
		daemon = listen()
	}
	daemon.Close()
	os.Remove(path)
	if w.write(line("three")) == 0 {
		t.Error("a line without a daemon was reported as written")
	}
}

func TestFileFormat(t *testing.T) {
	name := filepath.Join(t.TempDir(), "k.log")
	Open(Options{File: name, Ident: "x"})
	Info("(%s) Entering MASTER STATE", "VI_1")
	Detailf("not without -D")
	Info("%s", strings.Repeat("x", 600))
	Close(time.Second)
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	first := regexp.MustCompile(`^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{9} \d{4}: \(VI_1\) Entering MASTER STATE$`)
	if len(lines) != 2 || !first.MatchString(lines[0]) {
		t.Fatalf("got %q", lines)
	}
	if want := len("Sat Nov 21 09:53:11.001813293 2026: ") + lineBytes; len(lines[1]) != want {
		t.Errorf("long line has %d bytes, want %d", len(lines[1]), want)
	}
}

func TestHold(t *testing.T) {
	name := filepath.Join(t.TempDir(), "k.log")
	Open(Options{File: name})
	defer Close(time.Second)
	s := current.Load().sinks[0]
	queued := func() int {
		for range 1000 {
			runtime.Gosched()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.lines)
	}
	Info("zero")
	Flush(5 * time.Second) // now the writer waits
	outer, inner := Hold(), Hold()
	Info("one")
	Info("two")
	if n := queued(); n != 2 {
		t.Errorf("%d of 2 lines wait while held", n)
	}
	inner()
	if n := queued(); n != 2 {
		t.Errorf("%d of 2 lines wait while held once more", n)
	}
	outer()
	Flush(5 * time.Second)
	again := Hold()
	defer again()
	for range heldLines + 1 {
		Info("many")
	}
	Flush(5 * time.Second) // does not wait for the release
	got, err := os.ReadFile(name)
	if lines := strings.Fields(string(got)); err != nil || strings.Count(string(got), "many") != heldLines+1 ||
		len(lines) < 6 || lines[5] != "zero" {
		t.Errorf("got %q, error %v", got, err)
	}
}

// Lines that come together go out together, in pieces that a pipe takes whole.
func TestLinesGoOutTogether(t *testing.T) {
	fds := [2]int{}
	if err := unix.Pipe2(fds[:], unix.O_DIRECT|unix.O_CLOEXEC); err != nil { // each write is read alone
		t.Fatal(err)
	}
	r, out := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	defer out.Close()
	w := &lineWriter{file: out}
	want := ""
	for i := range 100 {
		text := strings.Repeat("z", i)
		if w.write(line(text)) > 0 {
			t.Fatal("a line is lost")
		}
		want += text + "\n"
	}
	if w.flush() > 0 {
		t.Fatal("a line is lost")
	}
	got := ""
	buf := make([]byte, 2*pieceBytes)
	for pieces := 1; strings.Count(got, "\n") < 100; pieces++ {
		n, err := r.Read(buf)
		if err != nil || n > pieceBytes || pieces > 3 || buf[n-1] != '\n' {
			t.Fatalf("piece %d of %d bytes: %v", pieces, n, err)
		}
		got += string(buf[:n])
	}
	if got = regexp.MustCompile(`(?m)^.*2026: `).ReplaceAllString(got, ""); got != want {
		t.Errorf("got %q", got)
	}
	out.Close()
	if w.write(line("x")); w.flush() != 1 {
		t.Error("the loss of a line is not told")
	}
}

// An output that nobody reads must not hold up a caller, and what was lost is
// said when it is read again.
func TestUnreadOutputNeverBlocks(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := startSink(&lineWriter{file: w, owned: true})
	start := time.Now()
	const more = 2 * queueLines // one batch may already be with the writer
	for range queueLines + more {
		s.put(line(strings.Repeat("y", 100)))
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Fatalf("putting lines took %v", d)
	}
	if s.dropped.Load() == 0 {
		t.Fatal("nothing was dropped although nothing was read")
	}
	read := make(chan string)
	go func() {
		var all strings.Builder
		b := make([]byte, 65536)
		for {
			n, err := r.Read(b)
			all.Write(b[:n])
			if err != nil {
				break
			}
		}
		read <- all.String()
	}()
	s.flush(5 * time.Second)
	s.put(line("after"))
	s.close(5 * time.Second)
	out := <-read
	if !strings.Contains(out, "log messages lost") || !strings.Contains(out, "after") {
		t.Errorf("the loss was not reported: %q", out[max(0, len(out)-300):])
	}
}
