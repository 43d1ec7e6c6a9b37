package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// BFDEvent is what the BFD process tells VRRP and the checker over a pipe: the
// state of one session. It goes out at each change to or from up, for every
// session at start and reload, and again from time to time, so that a reader
// that was started anew learns the states.
type BFDEvent struct {
	Session string
	Up      bool
	Repeat  bool // nothing changed
	// Sent is when it was sent, on CLOCK_MONOTONIC; Delay makes use of it.
	Sent time.Duration
}

// State is the session's state in logs.
func (e BFDEvent) State() string {
	if e.Up {
		return "Up"
	}
	return "Down"
}

// Delay is how long ago the event was sent.
func (e BFDEvent) Delay() time.Duration { return max(Monotonic(time.Now())-e.Sent, 0) }

// Stamp returns the event as sent now.
func (e BFDEvent) Stamp() BFDEvent {
	e.Sent = Monotonic(time.Now())
	return e
}

// Append appends the event as one line, which fits into one write to a pipe.
func (e BFDEvent) Append(b []byte) []byte {
	return fmt.Appendf(b, "%s %t %d %q\n", e.State(), e.Repeat, int64(e.Sent), e.Session)
}

func parseBFDEvent(line string) (BFDEvent, bool) {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
	if len(f) != 4 || f[0] != "Up" && f[0] != "Down" {
		return BFDEvent{}, false
	}
	sent, err1 := strconv.ParseInt(f[2], 10, 64)
	name, err2 := strconv.Unquote(f[3])
	if err1 != nil || err2 != nil {
		return BFDEvent{}, false
	}
	return BFDEvent{Session: name, Up: f[0] == "Up", Repeat: f[1] == "true", Sent: time.Duration(sent)}, true
}

// ReadBFDEvents calls each for every event that comes over the pipe, until it
// ends. It belongs into a goroutine of its own. The remains of a line that a
// predecessor read half are passed over.
func ReadBFDEvents(pipe *os.File, each func(BFDEvent)) error {
	r := bufio.NewReader(pipe)
	for {
		line, err := r.ReadString('\n')
		if e, ok := parseBFDEvent(line); ok && err == nil {
			each(e)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read BFD events: %w", err)
		}
	}
}
