package nettest

import (
	"os"
	"os/exec"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The real-time priorities in use: what a test observes is above what the
// harness does, and the meter, which must see all else held up, above both.
const (
	commandPriority = 1
	daemonPriority  = 10
	meterPriority   = 90
)

// RealTime runs the process, and what it starts, with real-time priority: the
// times it keeps then say something about it, and not about how busy the
// machine is. Where that is refused (a control group without a share of
// real-time), it gets the most of the processors that an ordinary process can.
func RealTime() ProcOption { return func(o *procOptions) { o.realTime = true } }

// realTime puts the calling thread under SCHED_RR. What is started from it
// inherits that, so the thread must be locked and end with its goroutine.
func realTime(priority int32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_RR, uintptr(unsafe.Pointer(&priority)))
	if errno != 0 {
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), leastNice)
		return errno
	}
	return nil
}

// leastNice has precedence over all other ordinary processes.
const leastNice = -20

// command runs one of the harness's own programs to its end: soon, also on a
// machine that is busy with other things.
func command(cmd *exec.Cmd) (out []byte, err error) {
	onThrowawayThread(func() {
		_ = realTime(commandPriority)
		out, err = cmd.CombinedOutput()
	})
	return out, err
}

// Hurry gives the test process, and what it starts, the most of the processors
// that ordinary processes can have. It is for tests that keep time themselves
// and are too busy for a real-time priority; TestMain calls it.
func Hurry() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		if tid, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, leastNice)
		}
	}
}
