package watchdog

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/log"
)

// patience is how long a child may take to answer an operator's question.
const patience = 2 * time.Second

// Status is the answer to "status": the parent's own part and, as they gave
// it, the children's.
type Status struct {
	Version  string        `json:"version"`
	PID      int           `json:"pid"`
	Since    time.Time     `json:"since"`
	Config   string        `json:"config"`
	Problems []Problem     `json:"problems,omitempty"`
	Children []ChildStatus `json:"children"`

	VRRP    json.RawMessage `json:"vrrp,omitempty"`
	Checker json.RawMessage `json:"checker,omitempty"`
	BFD     json.RawMessage `json:"bfd,omitempty"`
}

// Problem is a message about the configuration that runs.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`
}

// ChildStatus is one child process.
type ChildStatus struct {
	Role   string    `json:"role"`
	PID    int       `json:"pid,omitempty"` // absent: not running
	Since  time.Time `json:"since,omitzero"`
	Starts int       `json:"starts"`          // more than one: it has died
	Error  string    `json:"error,omitempty"` // why it does not answer
}

// SocketPath is where a daemon listens for operators: beside its pid file.
func SocketPath(pidFile string) string {
	switch pidFile {
	case "", "/run/keepalived.pid", "/run/keepalived/keepalived.pid":
		return "/run/keepalived/control.sock"
	}
	return strings.TrimSuffix(pidFile, ".pid") + ".sock"
}

// listenControl opens the operator's socket. The daemon runs without one if
// that fails.
func (p *Parent) listenControl() {
	path := p.options.ControlSocket
	if path == "" {
		path = SocketPath(p.names.pidFile(p.options.PIDFile, "keepalived"))
	}
	server, err := control.ListenIn(filepath.Dir(path), path, p.answer)
	if err != nil {
		log.Info("no status will be available: %v", err)
		return
	}
	p.control = server
}

// answer answers an operator. It runs outside of the parent's loop and asks
// the loop only for what it knows at once.
func (p *Parent) answer(q control.Request) (any, error) {
	if q.Get != control.Status {
		return nil, errors.New("the only question is status")
	}
	type part struct {
		status ChildStatus
		ask    *control.Conn
	}
	var s Status
	var parts []part
	known := make(chan bool, 1)
	p.post(func() {
		s = p.snapshot()
		for _, c := range p.children {
			if c.wanted {
				parts = append(parts, part{ChildStatus{
					Role: c.role, PID: c.pid, Since: c.started, Starts: c.starts}, c.ask})
			}
		}
		known <- true
	})
	select {
	case <-known:
	case <-time.After(patience):
		return nil, errors.New("the parent process is busy")
	}
	for _, part := range parts {
		if part.ask == nil {
			part.status.Error = "not running"
		} else if data, err := part.ask.Ask(q, patience); err != nil {
			part.status.Error = err.Error()
		} else {
			*s.of(part.status.Role) = data
		}
		s.Children = append(s.Children, part.status)
	}
	return s, nil
}

func (s *Status) of(role string) *json.RawMessage {
	switch role {
	case configparse.VRRP.String():
		return &s.VRRP
	case configparse.Checker.String():
		return &s.Checker
	}
	return &s.BFD
}

// snapshot is the parent's own part of the status.
func (p *Parent) snapshot() Status {
	s := Status{Version: Version, PID: p.pid, Since: p.began, Config: p.options.ConfigFile}
	for _, m := range configparse.Fold(p.reading.problems) {
		s.Problems = append(s.Problems, Problem{m.File, m.Line, m.Column, m.Text})
	}
	return s
}
