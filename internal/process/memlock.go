package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockMemory keeps the process from being swapped out. Pages are locked as
// they are touched: without MCL_ONFAULT the whole reserved address space of
// the Go runtime would become resident.
func LockMemory() error {
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	// A process with CAP_IPC_LOCK needs no limit, so a refusal is no error.
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("lock memory: %w", err)
	}
	return nil
}

// UnlockMemory undoes LockMemory.
func UnlockMemory() error {
	if err := unix.Munlockall(); err != nil {
		return fmt.Errorf("unlock memory: %w", err)
	}
	return nil
}

// OOMScore returns what the kernel adds to this process's badness when memory
// runs out, -1000 to 1000. The original leaves it to the unit file.
func OOMScore() (int, error) {
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0, fmt.Errorf("read OOM score: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// SetOOMScore sets the value that OOMScore returns.
func SetOOMScore(score int) error {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(score)), 0); err != nil {
		return fmt.Errorf("set OOM score %d: %w", score, err)
	}
	return nil
}
