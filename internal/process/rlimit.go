package process

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// ReserveFiles raises the limit on open files to at least want. It reports
// the limits in force and whether it had to change them. The Go runtime has
// already raised the soft limit to the hard one, and gives scripts the original
// one back as long as nothing is changed here.
func ReserveFiles(want uint64) (soft, hard uint64, changed bool, err error) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, 0, false, fmt.Errorf("read open file limit: %w", err)
	}
	if lim.Cur >= want {
		return lim.Cur, lim.Max, false, nil
	}
	lim.Cur, lim.Max = want, max(lim.Max, want)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, 0, false, fmt.Errorf("set open file limit to %d: %w", want, err)
	}
	return lim.Cur, lim.Max, true, nil
}

// SetCoreLimit allows core dumps of any size.
func SetCoreLimit() error {
	lim := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		return fmt.Errorf("set core file limit: %w", err)
	}
	return nil
}

// CPUTimes returns the user and system time used by this process and by its
// children that have ended, in seconds and microseconds as the kernel counts.
func CPUTimes() (self, children unix.Rusage) {
	_ = unix.Getrusage(unix.RUSAGE_SELF, &self)
	_ = unix.Getrusage(unix.RUSAGE_CHILDREN, &children)
	return self, children
}
