package nettest

import (
	"bytes"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// output collects what a process writes. It is read from a socket that keeps
// writes apart and has the kernel note when each was made: a reader that gets
// the processor late does not make a line late.
type output struct {
	file *os.File
	done chan struct{} // closed at the end of what is read

	mu     sync.Mutex // guards all below: the reader writes, the test reads
	buf    bytes.Buffer
	writes []written
}

// written is when the output had grown to a length.
type written struct {
	end int
	at  time.Time
}

// openOutput starts collecting and returns the end for the process, which the
// caller closes when it has started.
func openOutput() (o *output, writer *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	writer = os.NewFile(uintptr(fds[1]), "output")
	err = unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if err == nil {
		err = unix.SetNonblock(fds[0], true)
	}
	o = &output{file: os.NewFile(uintptr(fds[0]), "output"), done: make(chan struct{})}
	if err != nil {
		o.file.Close()
		writer.Close()
		return nil, nil, err
	}
	go o.read()
	return o, writer, nil
}

func (o *output) read() {
	defer close(o.done)
	defer o.file.Close()
	raw, err := o.file.SyscallConn()
	if err != nil {
		return
	}
	buf, oob := make([]byte, 256<<10), make([]byte, 256)
	for {
		n, at, _, err := receive(raw, buf, oob)
		if err != nil || n == 0 {
			return
		}
		o.mu.Lock()
		o.buf.Write(buf[:n])
		o.writes = append(o.writes, written{o.buf.Len(), at})
		o.mu.Unlock()
	}
}

// finish waits until everything was read. A background child of the process
// may keep the other end open for ever.
func (o *output) finish() {
	_ = o.file.SetReadDeadline(time.Now().Add(time.Second))
	<-o.done
}

// lineAfter finds text in what was written after a moment; zero if it is not
// there.
func (o *output) lineAfter(text string, after time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	begin := 0
	for _, w := range o.writes {
		if !w.at.After(after) {
			begin = w.end
		}
	}
	i := bytes.Index(o.buf.Bytes()[begin:], []byte(text))
	if i < 0 {
		return time.Time{}
	}
	for _, w := range o.writes {
		if w.end >= begin+i+len(text) {
			return w.at
		}
	}
	return time.Time{}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
