package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/script"
)

func open(t testing.TB, c FIFOConfig) *FIFO {
	t.Helper()
	f, err := OpenFIFO(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// drain reads what is in the FIFO now.
func drain(t testing.TB, path string) string {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var all []byte
	buf := make([]byte, 65536)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 || err != nil {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

func TestFIFOLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	f := open(t, FIFOConfig{Kind: "vrrp", Path: path, Cred: script.Own()})
	f.Write(VRRPLine(false, "VI_1", "MASTER", 150))
	f.Write(VRRPLine(true, "VG_1", "MASTER", 0))
	f.Write(VRRPLine(false, "VI_1", "MASTER_RX_LOWER_PRI", 100))
	f.Write(VirtualServerLine("[192.0.2.100]:tcp:80", true))
	f.Write(VirtualServerLine("FWM 5", false))
	f.Write(RealServerLine("[192.0.2.13]:none:0", "FWM 5", false))
	want := `INSTANCE "VI_1" MASTER 150
GROUP "VG_1" MASTER 0
INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100
VS [192.0.2.100]:tcp:80 UP
VS FWM 5 DOWN
RS [192.0.2.13]:none:0 FWM 5 DOWN
`
	if got := drain(t, path); got != want {
		t.Errorf("FIFO holds\n%swant\n%s", got, want)
	}
	f.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("FIFO that we made still exists after Close: %v", err)
	}
}

func TestFIFOUnread(t *testing.T) { nettest.Play(t, 2*time.Second, fifoUnread) }

func fifoUnread(t testing.TB) {
	var logged []string
	defer log.Capture(func(l log.Line) { logged = append(logged, l.Text) })()
	path := filepath.Join(t.TempDir(), "fifo")
	f := open(t, FIFOConfig{Path: path, Cred: script.Own()})
	defer f.Close()
	line := strings.Repeat("x", 99)
	begin := time.Now()
	for range 1000 { // a pipe holds 64 KiB
		f.Write(line)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("1000 lines into an unread FIFO took %v", took)
	}
	if f.Lost() == 0 || len(logged) != 0 {
		t.Errorf("lost %d lines, logged %q; want some lost and silence", f.Lost(), logged)
	}
	drain(t, path)
	f.Write(line)
	if len(logged) != 1 || !strings.HasPrefix(logged[0], "notify fifo "+path+" lost ") {
		t.Errorf("logged %q after a line went through, want how many were lost", logged)
	}
}

func TestFIFORefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	real := filepath.Join(dir, "real")
	if err := unix.Mkfifo(real, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{file, "vrrp notify fifo " + file + " is not a fifo we own - not using"},
		{link, "vrrp notify fifo " + link + " is not a fifo we own - not using"},
		{dir + "/none/x", "Unable to create vrrp notify fifo " + dir + "/none/x"},
	} {
		if _, err := OpenFIFO(FIFOConfig{Kind: "vrrp", Path: tt.path, Cred: script.Own()}); err == nil || err.Error() != tt.want {
			t.Errorf("OpenFIFO(%s) = %v, want %s", tt.path, err, tt.want)
		}
	}
	f := open(t, FIFOConfig{Path: real, Cred: script.Own()})
	f.Close()
	if _, err := os.Stat(real); err != nil {
		t.Errorf("FIFO that we did not make is gone after Close: %v", err)
	}
}

// TestFIFOScript reads with a script, reloads, and closes: the script sees the
// lines of the stop, and the FIFO stays open over the reload.
func TestFIFOScript(t *testing.T) {
	dir := t.TempDir()
	path, out := filepath.Join(dir, "fifo"), filepath.Join(dir, "out")
	reader := &script.Command{Args: []string{"/bin/sh", "-c", "echo start >>" + out + `; while read -r line; do echo "$line" >>` + out + "; done <$0"}, Cred: script.Own()}
	c := FIFOConfig{Kind: "lvs", Path: path, Cred: script.Own(), Script: reader}
	f := open(t, c)
	content := func() string { b, _ := os.ReadFile(out); return string(b) }
	f.Write("one")
	nettest.Eventually(t, 20*time.Second, "the script reads one", func() bool { return content() == "start\none\n" })
	old := f.script
	before, _ := os.Stat(path)
	f, err := f.Reload(&c)
	if now, _ := os.Stat(path); err != nil || !os.SameFile(before, now) {
		t.Fatalf("reload of the same FIFO: %v, the file was %v, is %v", err, before, now)
	}
	nettest.Eventually(t, 20*time.Second, "the script is started again", func() bool { return content() == "start\none\nstart\n" })
	nettest.Eventually(t, 20*time.Second, "its predecessor to be gone, which would take part of the next line", func() bool { return old.proc.PID() == 0 })
	f.Write("stop")
	f.Close()
	if got, want := content(), "start\none\nstart\nstop\n"; got != want {
		t.Errorf("script saw %q, want %q", got, want)
	}
}

// TestFIFOReloadLosesNoLine reloads again and again while a slow script has
// lines before it: each line is read once, whole, and in order.
func TestFIFOReloadLosesNoLine(t *testing.T) {
	dir := t.TempDir()
	path, out := filepath.Join(dir, "fifo"), filepath.Join(dir, "out")
	reader := &script.Command{Args: []string{"/bin/sh", "-c", "while read -r line; do sleep 0.01; echo \"$line\" >>" + out + "; done <$0"}, Cred: script.Own()}
	c := FIFOConfig{Path: path, Cred: script.Own(), Script: reader}
	f := open(t, c)
	defer f.Close()
	f.leave = time.Minute
	var want strings.Builder
	for n := range 6 {
		for i := range 5 {
			line := fmt.Sprintf("reload %d line %d", n, i)
			want.WriteString(line + "\n")
			f.Write(line)
		}
		if _, err := f.Reload(&c); err != nil {
			t.Fatal(err)
		}
	}
	content := func() string { b, _ := os.ReadFile(out); return string(b) }
	nettest.Eventually(t, 50*time.Second, "the last line", func() bool { return strings.HasSuffix(content(), "reload 5 line 4\n") })
	if diff := cmp.Diff(want.String(), content()); diff != "" {
		t.Errorf("lines (-written +read):\n%s", diff)
	}
	if f.Lost() != 0 {
		t.Errorf("%d lines lost", f.Lost())
	}
}

// TestFIFOScriptsTakeTurns reloads while the script takes its time to end: the
// next one waits, for two readers would tear lines apart.
func TestFIFOScriptsTakeTurns(t *testing.T) {
	dir := t.TempDir()
	path, out := filepath.Join(dir, "fifo"), filepath.Join(dir, "out")
	slow := &script.Command{Args: []string{"/bin/sh", "-c",
		"trap 'sleep 0.1; echo end >>" + out + "; exit' TERM; echo start >>" + out + "; while :; do sleep 0.02; done"}, Cred: script.Own()}
	c := FIFOConfig{Path: path, Cred: script.Own(), Script: slow}
	f := open(t, c)
	content := func() string { b, _ := os.ReadFile(out); return string(b) }
	nettest.Eventually(t, 20*time.Second, "the script runs", func() bool { return content() == "start\n" })
	f, err := f.Reload(&c)
	if err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 20*time.Second, "the script is started again", func() bool { return strings.Count(content(), "start") == 2 })
	f.Close()
	if got, want := content(), "start\nend\nstart\nend\n"; got != want {
		t.Errorf("scripts wrote %q, want %q", got, want)
	}
}

func TestFIFOReload(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	var f *FIFO
	f, err := f.Reload(&FIFOConfig{Path: a, Cred: script.Own()})
	if err != nil || f == nil {
		t.Fatal("no FIFO after a reload that adds one:", err)
	}
	f, err = f.Reload(&FIFOConfig{Path: b, Cred: script.Own()})
	if err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 20*time.Second, "the old FIFO is removed", func() bool { _, err := os.Stat(a); return err != nil })
	f, err = f.Reload(nil)
	if f != nil || err != nil {
		t.Fatal("a FIFO after a reload that removes it:", err)
	}
	f.Write("nothing") // a nil FIFO
	nettest.Eventually(t, 20*time.Second, "the FIFO is removed", func() bool { _, err := os.Stat(b); return err != nil })
}

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	var s Scripts
	s.Run(nil, "x")
	s.RunLast(nil)
	s.Wait(0) // nothing to wait for
	out := filepath.Join(dir, "out")
	cmd := &script.Command{Args: []string{"/bin/sh", "-c", `echo "$@" >>` + out, "sh", "in"}, Cred: script.Own()}
	s.RunLast(cmd, VRRPArgs(false, "VI_1", "STOP", 150)...)
	s.Wait(10 * time.Second)
	if b, _ := os.ReadFile(out); string(b) != "in INSTANCE VI_1 STOP 150\n" {
		t.Errorf("arguments %q", b)
	}
	begin := time.Now()
	s.RunLast(&script.Command{Args: []string{"/bin/sleep", "1000"}, Cred: script.Own()})
	s.Wait(50 * time.Millisecond)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Wait took %v for a script that hangs", took)
	}
}
