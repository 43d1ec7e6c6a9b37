package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
)

// How long a FIFO script has to end after each step: end of file (at a stop, and
// at a reload, when nothing waits for it), SIGTERM, SIGKILL.
const (
	fifoScriptEOF    = 200 * time.Millisecond
	fifoScriptReload = 2 * time.Second
	fifoScriptPoke   = 50 * time.Millisecond
	fifoScriptTerm   = time.Second
)

// FIFO is a named pipe to which one line is written per event. A nil FIFO
// writes nowhere. Its methods belong to one goroutine, the loop.
type FIFO struct {
	cfg     FIFOConfig
	made    bool // by us: removed when no longer used
	script  *runningScript
	leave   time.Duration // fifoScriptReload
	losing  uint64        // lines lost since one went through
	lost    atomic.Uint64 // in all
	failing bool          // an error other than a full pipe was logged

	// fd is the FIFO open both ways or, while a script is let go, for reading.
	mu      sync.Mutex // guards what follows: the next script's start takes it back
	fd      int
	letting bool
}

// runningScript is the FIFO's script from when it is wanted until it has ended.
type runningScript struct {
	end chan struct{} // closed when it has ended, or will never be started

	mu       sync.Mutex // guards what follows
	proc     *script.Process
	unwanted bool
}

// OpenFIFO makes the FIFO if it is missing, opens it and starts its script.
// The error's text is what the log is to say; there is no FIFO then.
func OpenFIFO(c FIFOConfig) (*FIFO, error) {
	f := &FIFO{cfg: c, leave: fifoScriptReload}
	if err := f.open(); err != nil {
		return nil, err
	}
	f.startScript(nil)
	return f, nil
}

// what is the beginning of messages: "", "vrrp " or "lvs ", then "notify fifo".
func (c FIFOConfig) what() string {
	if c.Kind == "" {
		return "notify fifo"
	}
	return c.Kind + " notify fifo"
}

func (f *FIFO) open() error {
	c := f.cfg
	switch err := unix.Mkfifo(c.Path, 0o644); {
	case err == nil:
		f.made = true
		if err := unix.Lchown(c.Path, int(c.Cred.UID), int(c.Cred.GID)); err != nil {
			log.Info("Failed to set uid:gid for fifo %s", c.Path)
		}
	case !errors.Is(err, unix.EEXIST):
		//lint:ignore ST1005 the reference's text
		return fmt.Errorf("Unable to create %s %s", c.what(), c.Path)
	}
	if info, err := os.Lstat(c.Path); err != nil || !f.ours(info) {
		return fmt.Errorf("%s %s is not a fifo we own - not using", c.what(), c.Path)
	}
	// Both ways, so that opening never waits for a reader and writing never
	// gets EPIPE.
	var err error
	if f.fd, err = openFIFO(c.Path, unix.O_RDWR); err != nil {
		//lint:ignore ST1005 the reference's text
		return fmt.Errorf("Unable to open %s %s - errno %d", c.what(), c.Path, err.(unix.Errno))
	}
	return nil
}

func openFIFO(path string, mode int) (fd int, err error) {
	return unix.Open(path, mode|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// again opens the FIFO once more. It fails if the file of that name is another
// one by now.
func (f *FIFO) again(mode int) (fd int, err error) {
	if fd, err = openFIFO(f.cfg.Path, mode); err != nil {
		return -1, err
	}
	var old, now unix.Stat_t
	if err = errors.Join(unix.Fstat(f.fd, &old), unix.Fstat(fd, &now)); err == nil && (old.Dev != now.Dev || old.Ino != now.Ino) {
		err = unix.ESTALE
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// letGo has the script see the end of the FIFO behind the last line, so that it
// ends by itself and in the middle of no line. What it leaves unread stays for
// the next one, because this process has the FIFO open, if only for reading.
func (f *FIFO) letGo() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.letting {
		return
	}
	if fd, err := f.again(unix.O_RDONLY); err == nil {
		unix.Close(f.fd)
		f.fd, f.letting = fd, true
	}
}

// poke wakes a script that came to open the FIFO after it was let go: it would
// wait there for somebody who writes.
func (f *FIFO) poke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.letting {
		if fd, err := f.again(unix.O_WRONLY); err == nil {
			unix.Close(fd)
		}
	}
}

// takeBack ends letGo: whoever reads from now on sees no end of the FIFO.
func (f *FIFO) takeBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.letting {
		return
	}
	if fd, err := f.again(unix.O_RDWR); err == nil {
		unix.Close(f.fd)
		f.fd, f.letting = fd, false
	}
}

// ours reports whether the file is a FIFO of this process's or the configured
// user.
func (f *FIFO) ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeNamedPipe != 0 &&
		(st.Uid == uint32(os.Geteuid()) || st.Uid == f.cfg.Cred.UID)
}

// startScript starts the script with the FIFO's path as last argument, once the
// one before has ended: two readers would share the lines between them, and
// what is written meanwhile stays in the FIFO. If it ends by itself it is
// started again only at the next reload.
func (f *FIFO) startScript(before *runningScript) {
	f.script = nil
	if f.cfg.Script != nil {
		f.script = &runningScript{end: make(chan struct{})}
	}
	if before == nil {
		f.script.start(f.cfg)
		return
	}
	before.signal(0) // not to be started any more, if it is still waiting
	f.letGo()
	go func(next *runningScript, c FIFOConfig) {
		for last := time.Now().Add(f.leave); !before.ended(fifoScriptPoke) && time.Now().Before(last); {
			f.poke()
		}
		before.stop()
		f.takeBack()
		next.start(c)
	}(f.script, f.cfg)
}

func (r *runningScript) start(c FIFOConfig) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unwanted {
		close(r.end)
		return
	}
	r.proc = script.Start(*c.Script, func(end script.Status) {
		complain(*c.Script, end)
		log.Info("%s script terminated", c.what())
		close(r.end)
	}, c.Path)
}

// signal signals the script, 0 for nothing, or sees that it is not started any
// more.
func (r *runningScript) signal(sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unwanted = true; r.proc != nil {
		r.proc.Signal(sig)
	}
}

// ended waits for the end of the script, but not longer than within.
func (r *runningScript) ended(within time.Duration) bool {
	select {
	case <-r.end:
		return true
	case <-time.After(within):
		return false
	}
}

// stop ends the script: it has seen the end of the FIFO, then gets SIGTERM,
// then SIGKILL. It takes up to two seconds and belongs to no loop.
func (r *runningScript) stop() {
	for _, step := range []struct {
		sig  syscall.Signal
		wait time.Duration
	}{{0, fifoScriptEOF}, {syscall.SIGTERM, fifoScriptTerm}, {syscall.SIGKILL, fifoScriptTerm}} {
		if step.sig != 0 {
			r.signal(step.sig)
		}
		if r.ended(step.wait) {
			return
		}
	}
}

// Write writes one line, without its newline, in one piece. A full FIFO loses
// the line; how many were lost is said when one goes through again.
func (f *FIFO) Write(line string) {
	if f == nil {
		return
	}
	err := f.write([]byte(line + "\n"))
	switch {
	case err == nil:
		if f.losing > 0 {
			log.Info("%s %s lost %d lines that nobody read", f.cfg.what(), f.cfg.Path, f.losing)
		}
		f.losing, f.failing = 0, false
	case errors.Is(err, unix.EAGAIN):
		f.losing++
		f.lost.Add(1)
	default:
		f.lost.Add(1)
		if !f.failing {
			log.Info("%s write error: %v", f.cfg.what(), err)
		}
		f.failing = true
	}
}

func (f *FIFO) write(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fd := f.fd
	if f.letting {
		var err error
		if fd, err = f.again(unix.O_WRONLY); err != nil {
			return err
		}
		defer unix.Close(fd)
	}
	_, err := unix.Write(fd, line)
	return err
}

// Lost returns how many lines did not go through so far.
func (f *FIFO) Lost() uint64 {
	if f == nil {
		return 0
	}
	return f.lost.Load()
}

// Reload makes the FIFO what a new configuration says, nil for none, and
// returns it. One with the same path and owner stays open, so readers go on
// reading; its script is started anew. An error means there is no FIFO now.
func (f *FIFO) Reload(c *FIFOConfig) (*FIFO, error) {
	switch {
	case f == nil && c == nil:
		return nil, nil
	case f == nil:
		return OpenFIFO(*c)
	case c == nil || c.Path != f.cfg.Path || c.Cred.UID != f.cfg.Cred.UID || c.Cred.GID != f.cfg.Cred.GID:
		go f.Close()
		if c == nil {
			return nil, nil
		}
		return OpenFIFO(*c)
	}
	f.cfg = *c
	f.startScript(f.script)
	return f, nil
}

// Close closes the FIFO, ends its script and removes the file if it was made
// here. What was written before can still be read. It can take two seconds, if
// the script does not want to end.
func (f *FIFO) Close() {
	if f == nil {
		return
	}
	if f.made {
		_ = os.Remove(f.cfg.Path)
	}
	f.mu.Lock()
	unix.Close(f.fd)
	f.fd, f.letting = -1, false
	f.mu.Unlock()
	if f.script != nil {
		f.script.stop()
	}
}
