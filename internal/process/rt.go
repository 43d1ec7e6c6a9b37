package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// schedParam is struct sched_param.
type schedParam struct{ priority int32 }

func setScheduler(tid, policy, priority int) error {
	p := schedParam{int32(priority)}
	if _, _, e := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), uintptr(policy), uintptr(unsafe.Pointer(&p))); e != 0 {
		return e
	}
	return nil
}

func getScheduler(tid int) (policy, priority int) {
	r, _, e := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0)
	if e != 0 {
		return 0, 0
	}
	var p schedParam
	unix.Syscall(unix.SYS_SCHED_GETPARAM, uintptr(tid), uintptr(unsafe.Pointer(&p)), 0)
	return int(r) &^ unix.SCHED_RESET_ON_FORK, int(p.priority)
}

// eachThread calls set for every thread of the process until a listing shows
// no thread that was not set yet. New threads inherit from the one that makes
// them, so after that all threads to come have the setting too.
func eachThread(set func(tid int) error) error {
	seen := map[int]bool{}
	for {
		dir, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		fresh := false
		for _, d := range dir {
			tid, err := strconv.Atoi(d.Name())
			if err != nil || seen[tid] {
				continue
			}
			seen[tid], fresh = true, true
			if err := set(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if !fresh {
			return nil
		}
	}
}

// What the process was started with, for example by CPUSchedulingPolicy= of
// systemd: without a keyword it stays, as in the original.
var inheritedPolicy, inheritedPriority = getScheduler(0)

// SetRealtime puts every thread under SCHED_RR with the priority (1 to 99), or
// with 0 back under what the process was started with. One real-time thread
// among others would wait for those, so it is all or none. SCHED_RESET_ON_FORK,
// which the original uses, would take it from new threads; package script
// resets what it starts instead.
func SetRealtime(priority int) error {
	policy := unix.SCHED_RR
	if priority <= 0 {
		policy, priority = inheritedPolicy, inheritedPriority
	}
	err := eachThread(func(tid int) error { return setScheduler(tid, policy, priority) })
	if err != nil {
		return fmt.Errorf("set scheduling policy to real-time priority %d: %w", priority, err)
	}
	return nil
}

// Realtime returns the real-time priority in force, 0 for none.
func Realtime() int {
	if policy, priority := getScheduler(0); policy == unix.SCHED_RR || policy == unix.SCHED_FIFO {
		return priority
	}
	return 0
}

// SetNice sets the nice value of every thread (-20 to 19).
func SetNice(nice int) error {
	err := eachThread(func(tid int) error { return unix.Setpriority(unix.PRIO_PROCESS, tid, nice) })
	if err != nil {
		return fmt.Errorf("set nice value %d: %w", nice, err)
	}
	return nil
}

// SetAffinity binds every thread to the given processors; none means all.
func SetAffinity(cpus []int) error {
	set := cpuSet(cpus)
	err := eachThread(func(tid int) error { return unix.SchedSetaffinity(tid, &set) })
	if err != nil {
		return fmt.Errorf("set CPU affinity to %v: %w", cpus, err)
	}
	return nil
}

func cpuSet(cpus []int) unix.CPUSet {
	var set unix.CPUSet
	if len(cpus) == 0 {
		for cpu := range len(set) * 64 {
			set.Set(cpu)
		}
	}
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return set
}

// unlimited is RLIM_INFINITY.
const unlimited = math.MaxUint64

// SetRealtimeLimit limits how long a real-time thread may run without
// sleeping, in microseconds: SIGXCPU at half of it, SIGKILL at the whole.
func SetRealtimeLimit(microseconds uint64) error {
	lim := unix.Rlimit{Cur: microseconds / 2, Max: microseconds}
	if microseconds == unlimited {
		lim.Cur = unlimited
	}
	if err := setLimit(unix.RLIMIT_RTTIME, lim); err != nil {
		return fmt.Errorf("limit real-time CPU time to %d µs: %w", microseconds, err)
	}
	return nil
}

// Start starts a child that is to have everything from this process, such as a
// real-time policy from systemd, but the limits: they are put back for the
// moment of the start, so that the child's scripts get those with which the
// daemon began. The child gets files as its descriptors from 0 on.
// It is waited for with Wait.
//
// Package os would first try on a process of its own what the kernel can do;
// that time the child needs for its first advert.
func Start(path string, args, env []string, files []*os.File) (pid int, err error) {
	attr := &syscall.ProcAttr{Env: env}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	WithOriginalLimits(func() { pid, err = syscall.ForkExec(path, args, attr) })
	return pid, err
}

// Wait waits for a child's end and returns how it came about.
func Wait(pid int) (status syscall.WaitStatus) {
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err != syscall.EINTR {
			return status
		}
	}
}

// SetName sets the name that ps shows for the process (at most 15 bytes).
func SetName(name string) error {
	if len(name) > 15 {
		name = name[:15]
	}
	if err := os.WriteFile("/proc/self/comm", []byte(name), 0); err != nil {
		return fmt.Errorf("set process name %q: %w", name, err)
	}
	return nil
}

// Name returns the name that ps shows for the process.
func Name() string {
	b, _ := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(b))
}
