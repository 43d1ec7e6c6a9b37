package process

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/keepalived-go/keepalived/internal/log"
	"golang.org/x/sys/unix"
)

// ReserveFiles raises the limit on open files to at least want. It reports
// the limits in force and whether it had to change them. The Go runtime has
// already raised the soft limit to the hard one, and gives scripts the original
// one back as long as the change is not made through package syscall.
func ReserveFiles(want uint64) (soft, hard uint64, changed bool, err error) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, 0, false, fmt.Errorf("read open file limit: %w", err)
	}
	if lim.Cur >= want {
		return lim.Cur, lim.Max, false, nil
	}
	lim.Cur, lim.Max = want, max(lim.Max, want)
	if _, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&lim)), 0, 0, 0); e != 0 {
		return 0, 0, false, fmt.Errorf("set open file limit to %d: %w", want, e)
	}
	return lim.Cur, lim.Max, true, nil
}

// limits are those that this process changes for itself: resource to what it
// was at the start. Its scripts and, for core files, its children begin with
// that again.
var limits = func() map[int]unix.Rlimit {
	m := map[int]unix.Rlimit{}
	for _, resource := range []int{unix.RLIMIT_CORE, unix.RLIMIT_RTTIME} {
		var lim unix.Rlimit
		_ = unix.Getrlimit(resource, &lim)
		m[resource] = lim
	}
	return m
}()

// changed are the limits in force where they are not the original ones. The
// mutex keeps a change from falling into the moment of a start.
var (
	limitMutex sync.Mutex
	changed    = map[int]unix.Rlimit{}
)

func setLimit(resource int, lim unix.Rlimit) error {
	limitMutex.Lock()
	defer limitMutex.Unlock()
	if err := unix.Setrlimit(resource, &lim); err != nil {
		return err
	}
	changed[resource] = lim
	if lim == limits[resource] {
		delete(changed, resource)
	}
	return nil
}

// WithOriginalLimits runs start, which starts a program, while the limits are
// what they were when this process began.
func WithOriginalLimits(start func()) {
	limitMutex.Lock()
	defer limitMutex.Unlock()
	for resource, now := range changed {
		lim := limits[resource]
		if unix.Setrlimit(resource, &lim) != nil { // CAP_SYS_RESOURCE is needed to raise the hard one
			lim = unix.Rlimit{Cur: min(lim.Cur, now.Max), Max: now.Max}
			_ = unix.Setrlimit(resource, &lim)
		}
	}
	start()
	for resource, lim := range changed {
		_ = unix.Setrlimit(resource, &lim)
	}
}

// AllowCores does -m for this process: core files of any size, and a fault in
// the program aborts it, which otherwise ends with a trace and no core file.
func AllowCores(o Options) error {
	if !o.CoreDump {
		return nil
	}
	debug.SetTraceback("crash")
	return SetCoreLimit()
}

// SetCoreLimit allows core dumps of any size.
func SetCoreLimit() error {
	lim := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := setLimit(unix.RLIMIT_CORE, lim); err != nil {
		return fmt.Errorf("set core file limit: %w", err)
	}
	return nil
}

// corePattern is where the kernel keeps the name of core files, for the whole
// machine.
const corePattern = "/proc/sys/kernel/core_pattern"

// SetCorePattern sets the name of core files (-M) and returns what puts the old
// one back.
func SetCorePattern(pattern string) (restore func(), err error) {
	old, err := os.ReadFile(corePattern)
	if err == nil {
		err = os.WriteFile(corePattern, []byte(pattern), 0)
	}
	if err != nil {
		return func() {}, fmt.Errorf("set the pattern of core files: %w", err)
	}
	return func() {
		// Somebody else's setting since then stays.
		if now, err := os.ReadFile(corePattern); err == nil && strings.TrimSpace(string(now)) == pattern {
			_ = os.WriteFile(corePattern, old, 0)
		}
	}, nil
}

// CPUTimes returns the user and system time used by this process and by its
// children that have ended, in seconds and microseconds as the kernel counts.
func CPUTimes() (self, children unix.Rusage) {
	_ = unix.Getrusage(unix.RUSAGE_SELF, &self)
	_ = unix.Getrusage(unix.RUSAGE_CHILDREN, &children)
	return self, children
}

// LogStopped is a child's last line: with -D, what it has used.
func LogStopped() {
	if !log.Detail() {
		log.Info("Stopped")
		return
	}
	self, children := CPUTimes()
	if children.Utime.Nano()+children.Stime.Nano() == 0 {
		log.Info("Stopped - used %d.%06d user time, %d.%06d system time",
			self.Utime.Sec, self.Utime.Usec, self.Stime.Sec, self.Stime.Usec)
		return
	}
	log.Info("Stopped - used (self/children) %d.%06d/%d.%06d user time, %d.%06d/%d.%06d system time",
		self.Utime.Sec, self.Utime.Usec, children.Utime.Sec, children.Utime.Usec,
		self.Stime.Sec, self.Stime.Usec, children.Stime.Sec, children.Stime.Usec)
}
