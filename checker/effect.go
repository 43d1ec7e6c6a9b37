package checker

import "time"

// CheckID names a check for as long as the process lives; never reused.
type CheckID uint32

// Effect is something that a Pool wants done: Log, Changed, Start, Pause,
// Forget, ServerNotice, QuorumNotice or Mail. Effects are carried out in the
// order they came.
type Effect interface{ effect() }

// Log is a line for the operator, level INFO.
type Log struct {
	Text   string
	Detail bool // only with -D
}

// Changed says that what the kernel should have for one virtual server is
// different now: call WantFor(Service) and do the difference. Several Changed
// of one service may be taken together.
type Changed struct{ Service ServiceID }

// Start asks for a check to run first at At and then as Report says. For an
// ID that is already known it replaces the time and the specification.
type Start struct {
	ID   CheckID
	Spec Spec
	At   time.Time
	Step int // the url to begin with
}

// Pause asks for no further runs of a check; a run that is under way is still
// reported. A later Start ends the pause.
type Pause struct{ ID CheckID }

// Forget drops a check and abandons a run that is under way.
type Forget struct{ ID CheckID }

// ServerNotice tells the outside that a real server came up or went down:
// notify script, FIFO line, SNMP trap, in this order of effects.
type ServerNotice struct {
	Service *ServiceConfig
	Server  *ServerConfig
	Up      bool
	// TrapOnly: at a shutdown without omega only the SNMP trap is sent.
	TrapOnly bool
	// For the trap: servers of the virtual server that are alive, and all.
	Alive, Total int
}

// Script is the program to run, or nil.
func (n ServerNotice) Script() *Script {
	switch {
	case n.TrapOnly:
		return nil
	case n.Up:
		return n.Server.NotifyUp
	}
	return n.Server.NotifyDown
}

// FIFO is the line for the notify FIFOs with its line feed, or empty.
func (n ServerNotice) FIFO() string {
	if n.TrapOnly {
		return ""
	}
	return "RS " + ServerName(n.Server.Addr, n.Service.Protocol) + " " + n.Service.String() + " " + upDown(n.Up) + "\n"
}

// QuorumNotice tells the outside that a virtual server gained or lost its
// quorum, or is being stopped.
type QuorumNotice struct {
	Service  *ServiceConfig
	Up       bool
	Stopping bool // the trap says "stopping"; Up is false
	TrapOnly bool // as in ServerNotice

	Alive, Total int // as in ServerNotice
}

// Script is the program to run, or nil.
func (n QuorumNotice) Script() *Script {
	switch {
	case n.TrapOnly:
		return nil
	case n.Up:
		return n.Service.QuorumUp
	}
	return n.Service.QuorumDown
}

// FIFO is the line for the notify FIFOs with its line feed, or empty.
func (n QuorumNotice) FIFO() string {
	if n.TrapOnly {
		return ""
	}
	return "VS " + n.Service.String() + " " + upDown(n.Up) + "\n"
}

// Mail is a message to notification_email. smtp_alert and the defaults for it
// are applied; whether mail is configured at all is not known here.
type Mail struct {
	Subject string // without "Subject: "
	Body    string // one line, without its line end
}

func (Log) effect()          {}
func (Changed) effect()      {}
func (Start) effect()        {}
func (Pause) effect()        {}
func (Forget) effect()       {}
func (ServerNotice) effect() {}
func (QuorumNotice) effect() {}
func (Mail) effect()         {}

func upDown(up bool) string {
	if up {
		return "UP"
	}
	return "DOWN"
}
