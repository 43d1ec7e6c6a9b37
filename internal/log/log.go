// Package log writes the daemon's messages to syslog, the console and a file.
//
// A call never blocks and never fails: it formats the line, puts it on one
// bounded queue per destination and returns. A goroutine per destination does
// the writing, so an unread pipe or a stuck syslog daemon delays neither an
// advertisement nor the other destinations. What does not fit is counted, and
// said as soon as the destination takes lines again.
//
//	Info ──> queue ──> goroutine ──> /dev/log
//	   └───> queue ──> goroutine ──> stderr
//	   └───> queue ──> goroutine ──> file
package log

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Level is a syslog severity.
type Level int

// The severities in use, with syslog's numbers (RFC 3164 section 4.1.1).
const (
	LevelAlert   Level = 1
	LevelErr     Level = 3
	LevelWarning Level = 4
	LevelNotice  Level = 5
	LevelInfo    Level = 6
	LevelDebug   Level = 7
)

// FacilityDaemon is LOG_DAEMON, the default facility (option -S changes it).
const FacilityDaemon = 3

// Facility numbers for local0 to local7 begin here.
const FacilityLocal0 = 16

// Options says where messages go. The zero value writes nowhere.
type Options struct {
	Ident    string // syslog ident, for example "Keepalived_vrrp"
	Facility int    // syslog facility number, not shifted; see FacilityDaemon
	Syslog   bool   // write to /dev/log
	Console  bool   // write to standard error with a time stamp (-l)
	File     string // append to this file (-g); empty: none
	Detail   int    // how often -D was given
}

// Line is one message as it was logged.
type Line struct {
	Time  time.Time
	Level Level
	Text  string
}

// output is the set of destinations in force. It is replaced as a whole, so
// that logging needs no lock.
type output struct {
	opt     Options
	pid     int
	sinks   []*sink
	capture func(Line)
}

var current atomic.Pointer[output]

// Open directs messages as o says. Destinations that were open before are
// flushed and closed, waiting at most a second.
func Open(o Options) {
	next := &output{opt: o, pid: os.Getpid()}
	if old := current.Load(); old != nil {
		next.capture = old.capture
	}
	if o.Syslog {
		next.sinks = append(next.sinks, startSink(&syslogWriter{path: "/dev/log"}))
	}
	if o.Console {
		next.sinks = append(next.sinks, startSink(&lineWriter{file: os.Stderr}))
	}
	var openErr error
	if o.File != "" {
		var f *os.File
		if f, openErr = openFile(o.File); openErr == nil {
			next.sinks = append(next.sinks, startSink(&lineWriter{file: f, nanos: true, owned: true}))
		}
	}
	old := current.Swap(next)
	if old != nil {
		old.close(time.Second)
	}
	if openErr != nil {
		var errno syscall.Errno
		errors.As(openErr, &errno)
		write(LevelInfo, "Unable to open '%s' - errno %d (%s)", o.File, int(errno), sentence(errno.Error()))
	}
}

// sentence begins with a capital letter, as the C library's texts do.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// SetIdent changes the syslog ident, as happens once the configuration has
// named an instance or a network namespace.
func SetIdent(ident string) {
	if old := current.Load(); old != nil {
		next := *old
		next.opt.Ident = ident
		current.Store(&next)
	}
}

// Close flushes every destination and closes it. It returns after timeout even
// if a destination still does not take lines.
func Close(timeout time.Duration) {
	if old := current.Swap(nil); old != nil {
		old.close(timeout)
	}
}

// Flush waits until every queued line was written, at most for timeout.
func Flush(timeout time.Duration) {
	if o := current.Load(); o != nil {
		deadline := time.Now().Add(timeout)
		for _, s := range o.sinks {
			s.flush(time.Until(deadline))
		}
	}
}

// Dropped returns how many lines were lost so far because a destination did
// not take them.
func Dropped() uint64 {
	var n uint64
	if o := current.Load(); o != nil {
		for _, s := range o.sinks {
			n += s.dropped.Load()
		}
	}
	return n
}

// held is how many callers of Hold have not released yet.
var held atomic.Int32

// Hold keeps lines in their queues until the returned function is called: to
// wake those who write them takes a while, in which something more urgent could
// be done. Lines keep their times and their order.
func Hold() func() {
	held.Add(1)
	return letGo
}

func letGo() {
	if held.Add(-1) > 0 {
		return
	}
	if o := current.Load(); o != nil {
		for _, s := range o.sinks {
			s.start()
		}
	}
}

// Capture hands every later message to f as well, for tests. f must be safe
// for use by several goroutines. The returned function ends it.
func Capture(f func(Line)) (stop func()) {
	set := func(f func(Line)) {
		next := output{}
		if old := current.Load(); old != nil {
			next = *old
		}
		next.capture = f
		current.Store(&next)
	}
	set(f)
	return func() { set(nil) }
}

// Detail reports whether detailed messages are wanted (-D).
func Detail() bool { return DetailLevel() > 0 }

// DetailLevel is how often -D was given.
func DetailLevel() int {
	if o := current.Load(); o != nil {
		return o.opt.Detail
	}
	return 0
}

// Info logs at LOG_INFO, the severity of nearly every message.
func Info(format string, args ...any) { write(LevelInfo, format, args...) }

// Notice logs at LOG_NOTICE.
func Notice(format string, args ...any) { write(LevelNotice, format, args...) }

// Warning logs at LOG_WARNING.
func Warning(format string, args ...any) { write(LevelWarning, format, args...) }

// Err logs at LOG_ERR.
func Err(format string, args ...any) { write(LevelErr, format, args...) }

// Alert logs at LOG_ALERT: a child process has died.
func Alert(format string, args ...any) { write(LevelAlert, format, args...) }

// Debug logs at LOG_DEBUG.
func Debug(format string, args ...any) { write(LevelDebug, format, args...) }

// Detailf logs at LOG_INFO if detailed messages are wanted (-D).
func Detailf(format string, args ...any) {
	if Detail() {
		write(LevelInfo, format, args...)
	}
}

// Lines logs every line of a text as a message of its own (-d).
func Lines(text string) {
	for l := range strings.Lines(text) {
		Info("%s", strings.TrimSuffix(l, "\n"))
	}
}

func write(level Level, format string, args ...any) {
	o := current.Load()
	if o == nil || len(o.sinks) == 0 && o.capture == nil {
		return
	}
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	line := Line{time.Now(), level, text}
	if o.capture != nil {
		o.capture(line)
	}
	for _, s := range o.sinks {
		s.put(entry{line, o.opt.Facility, o.pid, o.opt.Ident})
	}
}

func (o *output) close(timeout time.Duration) {
	deadline := time.Now().Add(timeout)
	for _, s := range o.sinks {
		s.close(time.Until(deadline))
	}
}
