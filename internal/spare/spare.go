// Package spare starts a second process of this program before the first has
// made itself ready. A Go program needs some milliseconds from its start to
// main; the spare spends them while the parent reads the configuration, and
// then becomes the VRRP child: its first advert leaves that much earlier. Where
// there will be none it becomes the checker.
//
//	parent:  init ── fork ── packages ── main ── read ── Hand
//	                    └ spare: packages ── main ── Wait ──┴── VRRP child
//
// Nothing depends on it. A spare that is not wanted, or whose parent has ended,
// reads the end of its socket and exits; where there is none, a child is
// started as ever.
//
// The package imports nothing that takes time to initialise: so the runtime
// runs init here before that of nearly all others.
package spare

import (
	"syscall"
	"unsafe"
)

const (
	// variable tells a process that it is a spare. It is removed at once.
	variable = "KEEPALIVED_GO_SPARE"
	// ours begins the names of what processes of this program tell each other.
	ours = "KEEPALIVED_GO_"
	// socketFD is the spare's end of the socket.
	socketFD = 3

	maxMessage = 16 << 10
	maxFiles   = 16
)

var (
	pid    int  // of the spare; 0 = none
	socket int  // the parent's end
	spare  bool // this process is one

	handed      []byte // what it got
	handedFiles []int
)

// Launched is the reading of CLOCK_MONOTONIC, in nanoseconds, when this process
// began to run Go code other than the runtime's: as near to its start as a
// program can tell. 0 = not known.
var Launched = clock()

// clock asks the kernel itself: package time is not there yet.
func clock() int64 {
	const monotonic = 1
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return ts.Nano()
}

func init() {
	if _, spare = syscall.Getenv(variable); spare {
		for _, name := range ownVariables(syscall.Environ()) {
			syscall.Unsetenv(name)
		}
		return
	}
	args := commandLine()
	if runsHere(args) && len(ownVariables(syscall.Environ())) == 0 {
		start(args)
	}
}

// commandLine is what package os will know as Args, nil if it is very long.
func commandLine() []string {
	fd, err := syscall.Open("/proc/self/cmdline", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	var buf [4096]byte
	n, err := syscall.Read(fd, buf[:])
	if err != nil || n == len(buf) {
		return nil
	}
	var args []string
	for begin, i := 0, 0; i < n; i++ {
		if buf[i] == 0 {
			args, begin = append(args, string(buf[begin:i])), i+1
		}
	}
	return args
}

// runsHere guesses whether the command line asks for a daemon that stays in the
// foreground, as service managers do: the one that is started is the parent.
func runsHere(args []string) bool {
	stays := false
	for i, a := range args {
		switch {
		case i == 0:
		case a == "-n" || a == "--dont-fork":
			stays = true
		case len(a) < 2 || a[0] != '-':
		case a[1] == '-':
			switch word(a[2:]) {
			case "config-test", "version", "help", "genhash", "check", "signum", "keywords":
				return false
			}
		case a[1] == 't', a[1] == 'v', a[1] == 'h', a[1] == 'T', a[1] == 'C':
			return false
		}
	}
	return stays
}

// word is what stands before the equals sign.
func word(s string) string {
	for i := range len(s) {
		if s[i] == '=' {
			return s[:i]
		}
	}
	return s
}

// ownVariables are the names of the variables that another process of this
// program has set.
func ownVariables(env []string) (names []string) {
	for _, e := range env {
		if len(e) > len(ours) && e[:len(ours)] == ours {
			names = append(names, word(e))
		}
	}
	return names
}

func start(args []string) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	child, err := syscall.ForkExec(Program(), args, &syscall.ProcAttr{
		Env:   append(syscall.Environ(), variable+"=1"),
		Files: []uintptr{0, 1, 2, uintptr(pair[1])},
	})
	syscall.Close(pair[1])
	if err != nil {
		syscall.Close(pair[0])
		return
	}
	pid, socket = child, pair[0]
}

// Program is the file that runs now, even if a package upgrade has replaced it
// on disk. While it has not, its own name is given: threads are called after the
// name by which their program was started, in ps and top.
func Program() string {
	const link = "/proc/self/exe"
	var buf [4096]byte
	var here, there syscall.Stat_t
	n, err := syscall.Readlink(link, buf[:])
	if err != nil || n == len(buf) {
		return link
	}
	name := string(buf[:n])
	if syscall.Stat(link, &here) != nil || syscall.Stat(name, &there) != nil || here.Dev != there.Dev || here.Ino != there.Ino {
		return link
	}
	return name
}

// Hand gives a message and descriptors to the spare and returns its process id.
// It reports false when there is no spare.
func Hand(message []byte, files []int) (int, bool) {
	if pid == 0 {
		return 0, false
	}
	if len(message) > maxMessage || len(files) > maxFiles ||
		syscall.Sendmsg(socket, message, syscall.UnixRights(files...), nil, syscall.MSG_NOSIGNAL) != nil {
		Drop()
		return 0, false
	}
	child := pid
	syscall.Close(socket)
	pid = 0
	return child, true
}

// Drop lets a spare that is not wanted end, and waits until it has.
func Drop() {
	if pid == 0 {
		return
	}
	syscall.Close(socket)
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
			break
		}
	}
	pid = 0
}

// Wait waits in a spare for what its parent hands it. It reports false if that
// will not come, and the process should end; at once true in a process that is
// no spare.
func Wait() bool {
	if !spare {
		return true
	}
	defer syscall.Close(socketFD)
	syscall.CloseOnExec(socketFD)
	buf := make([]byte, maxMessage)
	control := make([]byte, syscall.CmsgSpace(4*maxFiles))
	n, controls, _, _, err := syscall.Recvmsg(socketFD, buf, control, syscall.MSG_CMSG_CLOEXEC)
	for err == syscall.EINTR {
		n, controls, _, _, err = syscall.Recvmsg(socketFD, buf, control, syscall.MSG_CMSG_CLOEXEC)
	}
	if err != nil || n == 0 {
		return false
	}
	list, err := syscall.ParseSocketControlMessage(control[:controls])
	for i := 0; err == nil && i < len(list); i++ {
		var fds []int
		fds, err = syscall.ParseUnixRights(&list[i])
		handedFiles = append(handedFiles, fds...)
	}
	handed = buf[:n]
	return err == nil
}

// Handed is what a spare got. It reports false in a process that is none.
func Handed() (message []byte, files []int, ok bool) { return handed, handedFiles, spare }
