package ipvs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// command is a kind of request as the log names it: keepalived keeps the
// names and numbers of the socket options that generic netlink replaced.
type command struct {
	name   string
	number int
}

var (
	startDaemon = command{"IP_VS_SO_SET_STARTDAEMON", 1163}
	stopDaemon  = command{"IP_VS_SO_SET_STOPDAEMON", 1164}
	setTimeout  = command{"IP_VS_SO_SET_TIMEOUT", 1162}

	commands = map[Verb]command{
		AddService:    {"IP_VS_SO_SET_ADD", 1154},
		EditService:   {"IP_VS_SO_SET_EDIT", 1155},
		DeleteService: {"IP_VS_SO_SET_DEL", 1156},
		Flush:         {"IP_VS_SO_SET_FLUSH", 1157},
		AddServer:     {"IP_VS_SO_SET_ADDDEST", 1159},
		DeleteServer:  {"IP_VS_SO_SET_DELDEST", 1160},
		EditServer:    {"IP_VS_SO_SET_EDITDEST", 1161},
	}
)

func commandOf(v Verb) command { return commands[v] }

// Fault is a refusal of the kernel. Its text is keepalived's log line.
type Fault struct {
	Errno  unix.Errno
	Object string // as Op.Object; empty for requests without one
	cmd    command
}

// fault wraps err; nil stays nil, an error that is no errno stays as it is.
func (k *Kernel) fault(c command, object string, err error) error {
	var errno unix.Errno
	if err == nil || !errors.As(err, &errno) {
		return err
	}
	return &Fault{Errno: errno, Object: object, cmd: c}
}

// Error gives the line of keepalived's log.
func (f *Fault) Error() string {
	// keepalived's netlink library knows one "not found": ESRCH, the kernel's
	// "no such service", reads as ENOENT.
	errno := f.Errno
	if errno == unix.ESRCH {
		errno = unix.ENOENT
	}
	s := fmt.Sprintf("IPVS cmd %s(%d) error: %s(%d)", f.cmd.name, f.cmd.number, f.text(errno), int(errno))
	if f.Object != "" {
		s += " (" + f.Object + ")"
	}
	return s
}

// Unwrap gives the errno.
func (f *Fault) Unwrap() error { return f.Errno }

// Moot says that the table is as the operation wanted it all the same: the
// entry to add is there, the entry to remove is gone.
func (f *Fault) Moot() bool {
	switch f.cmd {
	case commands[AddService], commands[AddServer], startDaemon:
		return f.Errno == unix.EEXIST
	case commands[DeleteService], commands[DeleteServer], stopDaemon:
		return f.Errno == unix.ENOENT || f.Errno == unix.ESRCH
	}
	return false
}

func (f *Fault) text(errno unix.Errno) string {
	switch errno {
	case unix.EEXIST:
		switch f.cmd {
		case commands[AddService]:
			return "Service already exists"
		case commands[AddServer]:
			return "Destination already exists"
		case startDaemon:
			return "Daemon has already run"
		}
	case unix.ENOENT:
		switch f.cmd {
		case commands[AddService], commands[EditService]:
			return "Scheduler or persistence engine not found"
		case commands[DeleteServer], commands[EditServer]:
			return "No such destination"
		case stopDaemon:
			return "No daemon is running"
		}
	case unix.EPERM:
		return "Permission denied (you must be root)"
	case unix.EINVAL:
		return "Invalid operation.  Possibly wrong module version, address not unicast, ..."
	case unix.ENOPROTOOPT:
		return "Protocol not available"
	case unix.ENOMEM:
		return "Memory allocation problem"
	case unix.EOPNOTSUPP:
		return "Operation not supported with IPv6"
	case unix.EAFNOSUPPORT:
		return "Operation not supported with specified address family"
	case unix.EMSGSIZE:
		return "Module is wrong version"
	}
	return strerror(errno)
}

// strerror is the C library's text, which begins with a capital.
func strerror(errno unix.Errno) string {
	s := []byte(errno.Error())
	if len(s) > 0 && 'a' <= s[0] && s[0] <= 'z' {
		s[0] -= 'a' - 'A'
	}
	return string(s)
}

// Reason is the text of err after "IPVS: Can't initialize ipvs: ", which in
// keepalived's log is that of an errno.
func Reason(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return strerror(errno)
	}
	return err.Error()
}

// NewFault is the refusal of op with errno, as Kernel.Do reports it.
func NewFault(op Op, errno unix.Errno) *Fault {
	return &Fault{Errno: errno, Object: op.Object(), cmd: commandOf(op.Verb)}
}
