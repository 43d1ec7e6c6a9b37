package nettest

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stall is a time in which the machine itself stood still: a processor did not
// run what has precedence over everything, or the clocks were set.
type stall struct {
	end    time.Time
	length time.Duration
}

// stallMeter is a process of its own, whose threads nothing else holds up: one
// for each processor, of the highest precedence, wakes every tick and says how
// late. The load of the machine does not show there; the pause of a virtual
// machine does, and a processor that its host lends to others.
type stallMeter struct {
	ask     io.Writer
	answers chan []stall
}

// meterEnv in the environment makes any test binary a stall meter.
const meterEnv = "NETTEST_STALL_METER"

// theMeter is nil where the privilege for a real-time thread is missing.
var theMeter = sync.OnceValue(func() *stallMeter {
	ready := make(chan *stallMeter)
	go func() {
		defer close(ready)
		runtime.LockOSThread() // never unlocked: the meter dies with this thread
		if realTime(meterPriority) != nil {
			return
		}
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), meterEnv+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		in, inErr := cmd.StdinPipe()
		out, outErr := cmd.StdoutPipe()
		if inErr != nil || outErr != nil || cmd.Start() != nil {
			return
		}
		m := &stallMeter{in, make(chan []stall)}
		if first := (report{}); first.read(out) == nil { // it measures
			ready <- m
			m.collect(out)
		}
		_ = cmd.Wait()
	}()
	return <-ready
})

func (m *stallMeter) collect(out io.Reader) {
	defer close(m.answers)
	var all []stall
	for r := (report{}); r.read(out) == nil; {
		if end, length := r.parts(); length > 0 {
			all = append(all, stall{time.Unix(0, end), time.Duration(length)})
		} else {
			m.answers <- slices.Clone(all)
		}
	}
}

// report is what the meter writes: the end of a stall on the wall clock and its
// length, in nanoseconds, or zeroes as the answer to a question. It costs the
// test no memory, which some tests count.
type report [16]byte

func (r *report) read(from io.Reader) error {
	_, err := io.ReadFull(from, r[:])
	return err
}

func (r *report) parts() (end, length int64) {
	return int64(binary.NativeEndian.Uint64(r[:])), int64(binary.NativeEndian.Uint64(r[8:]))
}

func write(end, length int64) {
	var r report
	binary.NativeEndian.PutUint64(r[:], uint64(end))
	binary.NativeEndian.PutUint64(r[8:], uint64(length))
	_, _ = os.Stdout.Write(r[:])
}

// longestStall returns the longest time that the machine stood still since a
// moment.
func (m *stallMeter) longestStall(since time.Time) (longest time.Duration) {
	if m == nil {
		return 0
	}
	if _, err := io.WriteString(m.ask, "?"); err != nil {
		return 0
	}
	for _, s := range <-m.answers {
		if s.end.After(since) {
			longest = max(longest, s.length)
		}
	}
	return longest
}

const (
	meterTick  = 2 * time.Millisecond
	leastStall = 2 * time.Millisecond // less is not worth a report
)

// A test binary started with meterEnv measures until its standard input ends.
func init() {
	if os.Getenv(meterEnv) == "" {
		return
	}
	debug.SetGCPercent(-1) // next to nothing is allocated
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		os.Exit(1)
	}
	ticks := make([]atomic.Uint64, cpus.Count())
	for i, cpu := 0, 0; i < len(ticks); cpu++ {
		if cpus.IsSet(cpu) {
			go measure(cpu, &ticks[i])
			i++
		}
	}
	answer := func() {
		for i := range ticks { // what has not ticked may have a stall to report
			for from := ticks[i].Load(); ticks[i].Load() < from+2; {
				time.Sleep(meterTick)
			}
		}
		write(0, 0)
	}
	answer()
	for b := make([]byte, 1); ; answer() {
		if n, err := os.Stdin.Read(b); n == 0 || err != nil {
			os.Exit(0)
		}
	}
}

// measure ticks on one processor and reports each stall.
func measure(cpu int, ticks *atomic.Uint64) {
	runtime.LockOSThread()
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		os.Exit(1)
	}
	clocks := [...]int32{unix.CLOCK_REALTIME, unix.CLOCK_BOOTTIME}
	var last [len(clocks)]time.Duration
	for i, clock := range clocks {
		last[i] = offset(clock)
	}
	next := read(unix.CLOCK_MONOTONIC)
	for ; ; ticks.Add(1) {
		next += meterTick
		at := unix.NsecToTimespec(int64(next))
		for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
			continue // the runtime signals its threads; to wake early would hide what comes
		}
		length := read(unix.CLOCK_MONOTONIC) - next
		for i, clock := range clocks {
			now := offset(clock)
			length = max(length, (now - last[i]).Abs())
			last[i] = now
		}
		if length >= leastStall {
			write(time.Now().UnixNano(), int64(length))
			next = read(unix.CLOCK_MONOTONIC)
		}
	}
}

func read(clock int32) time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(clock, &ts)
	return time.Duration(ts.Nano())
}

// offset is how far a clock is ahead of the one that is never set. A thread
// that is held up between the two readings does not make it more: the least of
// three counts.
func offset(clock int32) time.Duration {
	least := time.Duration(1<<63 - 1)
	for range 3 {
		mono := read(unix.CLOCK_MONOTONIC)
		least = min(least, read(clock)-mono)
	}
	return least
}
