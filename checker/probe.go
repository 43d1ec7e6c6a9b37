package checker

import (
	"context"
	"time"
)

// Prober performs one attempt of a check. Probe is called in a goroutine of
// its own and returns when ctx ends.
type Prober interface {
	Probe(ctx context.Context) Result
}

// Result is how one attempt ended.
type Result struct {
	Reason Reason
	// Began is when the attempt started; Took how long it lasted.
	Began time.Time
	Took  time.Duration
	// Code is the HTTP status, the rcode of a DNS answer, the exit status or
	// signal of a program, or the errno of a failed system call.
	Code int
	// Text says more about a failure, for the log: "Connection refused".
	Text string
	// Received is the length of an HTTP body if it differs from Announced,
	// its Content-Length; both zero otherwise.
	Received, Announced int64
	// Proof is what an HTTP url passed last.
	Proof Proof
}

// Proof is the strictest test that an HTTP answer passed.
type Proof uint8

// In the order they are made.
const (
	ProofStatus Proof = iota
	ProofDigest
	ProofRegex
)

// Reason says how an attempt ended. The list is closed: counters and log texts
// hang on it.
type Reason uint8

// The reasons. Those from NoSocket on are faults of this host: they say
// nothing about the server and are not counted.
const (
	OK Reason = iota

	// The connection.
	ConnectError   // connect refused at once
	ConnectFailed  // refused or reset by the other side
	ConnectTimeout // no answer
	Unreachable    // no route, network or host down
	TLSFailed      // handshake

	// The conversation.
	WriteFailed
	WriteTimeout
	FirstByteTimeout // HTTP: no byte of the answer
	ReadTimeout
	ReadFailed
	NoData // HTTP: no header

	// The answer.
	BadStatus   // HTTP status, Code
	BadDigest   // HTTP body
	NoMatch     // HTTP regex
	BadGreeting // SMTP
	BadHelo     // SMTP
	BadRcode    // DNS, Code
	BadReply    // UDP content

	// Programs and tracked objects.
	Exited        // status Code
	Signalled     // by signal Code
	ScriptTimeout // killed
	FileFault
	NeighbourDown

	// Faults of this host.
	NoSocket   // no descriptor, no buffer: Code is the errno
	BindFailed // source address or interface
	NoPort     // out of local ports, or connect failed in an unknown way
	NoProgram  // the program could not be started
	Abandoned  // the check was dropped while it ran

	reasons
)

// Local reports whether the attempt failed for a reason of this host, so that
// it says nothing about the server.
func (r Reason) Local() bool { return r >= NoSocket }

// judged reports whether an HTTP answer came to its end with a status that is
// wanted, so that its body was looked at.
func (r Reason) judged() bool { return r == OK || r == BadDigest || r == NoMatch }

// Next says when a check is to run again. The zero Next means: not by the
// clock.
type Next struct {
	At   time.Time
	Step int // which url
}
