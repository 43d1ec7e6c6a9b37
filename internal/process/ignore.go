package process

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigRTMin is the first real-time signal of the C library. The Go runtime lets
// nobody catch it, and without a handler it would end the process.
const sigRTMin = 34

// IgnoreRTMin ignores SIGRTMIN as the original does. It stays ignored in
// scripts: none of the daemon's other signals does, for those are caught.
func IgnoreRTMin() {
	// struct sigaction with SIG_IGN: the handler comes first, the rest is zero.
	action := [8]uintptr{1}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, sigRTMin, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}
