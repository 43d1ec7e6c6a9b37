package process

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigRTMin is the first real-time signal of the C library. The Go runtime lets
// nobody catch it, and without a handler it would end the process.
const sigRTMin = syscall.Signal(34)

// IgnoreRTMin ignores SIGRTMIN as the original does. It stays ignored in
// scripts: none of the daemon's other signals does, for those are caught.
func IgnoreRTMin() { setHandler(sigRTMin, 1) }

// setHandler sets what the kernel does with a signal: 0 is SIG_DFL, 1 SIG_IGN.
func setHandler(sig syscall.Signal, handler uintptr) {
	// struct sigaction: the handler comes first, the rest is zero.
	action := [8]uintptr{handler}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// dieOfFaults ends the process by the signal where somebody sends one that means
// a fault: the Go runtime would spend seconds on the stacks of all threads. The
// program's own faults are panics and do not come here.
func dieOfFaults() {
	sent := make(chan os.Signal, 1)
	signal.Notify(sent, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL)
	go func() {
		sig := (<-sent).(syscall.Signal)
		setHandler(sig, 0)
		_ = unix.Kill(os.Getpid(), sig)
	}()
}
