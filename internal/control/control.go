// Package control is the operator's socket: one JSON object a line as the
// question, one as the answer, read only.
//
//	keepalivedctl ──control.sock──> parent ──socket pair──> VRRP, checker, BFD child
//
// The parent listens and asks its children over a socket pair that each of
// them inherits. A child answers from a goroutine of its own with a snapshot
// that its loop made, so no reader can delay an election: a child that is too
// busy is reported as not answering.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxRequest bounds one line of a question.
const maxRequest = 4096

// Request is a question.
type Request struct {
	Get string `json:"get"` // Status, or from a parent to its child ReadAhead

	// Seed, with ReadAhead, is what the parent reads the configuration with.
	Seed uint64 `json:"seed,omitempty"`
}

// What may be asked.
const (
	// Status is what the process is doing.
	Status = "status"
	// ReadAhead asks a child to read the configuration while its parent does, and
	// to wait for the parent's word.
	ReadAhead = "read-ahead"
)

// Answer is what comes back: Data, or Error.
type Answer struct {
	Data  json.RawMessage `json:"data,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Pair makes the two ends of a connection between a parent and a child.
func Pair() (parent net.Conn, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a control connection: %w", err)
	}
	ours := os.NewFile(uintptr(fds[0]), "control")
	defer ours.Close()
	child = os.NewFile(uintptr(fds[1]), "control")
	if parent, err = net.FileConn(ours); err != nil {
		child.Close()
		return nil, nil, fmt.Errorf("make a control connection: %w", err)
	}
	return parent, child, nil
}

// Serve answers what comes over a child's end until it is closed. It returns
// at once; answer is called from another goroutine, one question at a time,
// and must not wait for long.
func Serve(f *os.File, answer func(Request) (any, error)) error {
	if f == nil {
		return nil
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("use the control connection: %w", err)
	}
	f.Close()
	go serve(conn, answer)
	return nil
}

func serve(conn net.Conn, answer func(Request) (any, error)) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 256), maxRequest)
	for lines.Scan() {
		if err := reply(conn, lines.Bytes(), answer); err != nil {
			return
		}
	}
}

func reply(conn net.Conn, line []byte, answer func(Request) (any, error)) error {
	var q Request
	var a Answer
	data, err := any(nil), json.Unmarshal(line, &q)
	if err == nil {
		data, err = answer(q)
	}
	if err == nil {
		a.Data, err = json.Marshal(data)
	}
	if err != nil {
		a = Answer{Error: err.Error()}
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = conn.Write(append(b, '\n'))
	return err
}

// ErrBusy says that an earlier question has not been answered yet.
var ErrBusy = errors.New("has not answered the question before")

// Conn asks over one connection, one question at a time.
type Conn struct {
	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
	lost bool // an answer is overdue: the next line would belong to an older question
}

// NewConn asks over c.
func NewConn(c net.Conn) *Conn { return &Conn{conn: c, in: bufio.NewReader(c)} }

// Dial connects to the socket of a running daemon.
func Dial(path string) (*Conn, error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("no keepalived answers at %s: %w", path, err)
	}
	return NewConn(c), nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Ask asks and waits for the answer at most for within.
func (c *Conn) Ask(q Request, within time.Duration) (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	if c.lost {
		if _, err := c.in.ReadBytes('\n'); err != nil {
			return nil, ErrBusy
		}
		c.lost = false
	}
	b, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(append(b, '\n')); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	line, err := c.in.ReadBytes('\n')
	if err != nil {
		c.lost = true
		return nil, fmt.Errorf("did not answer within %v: %w", within, err)
	}
	var a Answer
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, fmt.Errorf("understand the answer: %w", err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a.Data, nil
}

// tellWithin bounds how long Tell may hold up who calls it.
const tellWithin = 10 * time.Millisecond

// Tell asks and waits for no answer; the next question passes over it. What
// cannot be said at once is not said.
func (c *Conn) Tell(q Request) {
	b, err := json.Marshal(q)
	if err != nil || !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if c.conn.SetDeadline(time.Now().Add(tellWithin)) != nil {
		return
	}
	if c.lost {
		if _, err := c.in.ReadBytes('\n'); err != nil {
			return
		}
		c.lost = false
	}
	if _, err := c.conn.Write(append(b, '\n')); err == nil {
		c.lost = true
	}
}

// Server listens for operators.
type Server struct {
	listener *net.UnixListener
	path     string
}

// ListenIn is Listen in a directory that is made if it is not there.
func ListenIn(dir, path string, answer func(Request) (any, error)) (*Server, error) {
	old := unix.Umask(0o022)
	err := os.MkdirAll(dir, 0o755)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("make the directory of the control socket: %w", err)
	}
	return Listen(path, answer)
}

// Listen opens the socket at path with mode 0600. A socket that a dead daemon
// left there is replaced.
func Listen(path string, answer func(Request) (any, error)) (*Server, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("control socket %s: another daemon listens there", path)
	}
	os.Remove(path)
	old := unix.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	s := &Server{listener: l, path: path}
	go s.accept(answer)
	return s, nil
}

func (s *Server) accept(answer func(Request) (any, error)) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go serve(conn, answer)
	}
}

// Close ends listening and removes the socket.
func (s *Server) Close() {
	if s != nil {
		s.listener.Close()
	}
}
