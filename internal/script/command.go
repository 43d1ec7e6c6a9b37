package script

import (
	"fmt"
	"strings"
	"syscall"
)

// Credentials say as whom a program runs.
type Credentials struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups; nil: only GID
}

// Command is a program of the configuration.
type Command struct {
	// Args are the program and its arguments as configured, quotes removed.
	Args []string
	Cred Credentials

	// Path is the file to execute. Check sets it; empty means Args[0] as it is.
	Path string
	// Shell is set by Check for a file that the kernel would refuse: no #! line
	// and no known binary format.
	Shell bool
}

// String returns the command line as log messages show it.
func (c Command) String() string { return strings.Join(c.Args, " ") }

// reads reports whether the command is of the form </path, which runs nothing
// and succeeds if the file can be opened.
func (c Command) reads() bool {
	return len(c.Args) > 0 && strings.HasPrefix(c.Args[0], "<")
}

// argv returns the file to execute and its argument list.
func (c Command) argv(extra []string) (path string, argv []string) {
	words := append(append([]string(nil), c.Args...), extra...)
	switch {
	case c.reads():
		words[0] = strings.TrimLeft(words[0][1:], " \t")
		if words[0] == "" && len(words) > 1 {
			words = words[1:]
		}
		return "/bin/sh", []string{"sh", "-c", "<" + quote(words[0])}
	case c.Shell:
		for i, w := range words {
			words[i] = quote(w)
		}
		return "/bin/sh", []string{"sh", "-c", strings.Join(words, " ")}
	case c.Path != "":
		return c.Path, words
	}
	return words[0], words
}

// quote makes one word of s for the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Status is how a program ended.
type Status struct {
	Code   int   // exit status; only if Signal is 0 and Err is nil
	Signal int   // the signal that ended it, or 0
	Err    error // it could not be started; nothing ran
}

// OK reports whether the program exited with status 0. A program that could
// not be started did not succeed; keepalived takes that for success.
func (s Status) OK() bool { return s.Err == nil && s.Signal == 0 && s.Code == 0 }

// String says how it ended in the words of the logs.
func (s Status) String() string {
	switch {
	case s.Err != nil:
		return "not started: " + s.Err.Error()
	case s.Signal != 0:
		return fmt.Sprintf("due to signal %d", s.Signal)
	}
	return fmt.Sprintf("exited with status %d", s.Code)
}

// ExecMessage is the log line for a program that could not be executed.
func ExecMessage(c Command, err error) string {
	errno, ok := err.(syscall.Errno)
	if !ok {
		return fmt.Sprintf("Error exec-ing command '%s': %v", c, err)
	}
	return fmt.Sprintf("Error exec-ing command '%s', error %d: %s", c, int(errno), strerror(errno))
}

// strerror is the C library's text for an error number, which begins with a
// capital letter.
func strerror(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
