package process

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// start is one instant on both clocks: Go's, which each process counts from its
// own start, and the kernel's.
var start = bothClocks()

type instant struct {
	here   time.Time
	kernel time.Duration
}

func bothClocks() instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("read the monotonic clock: %v", err)) // no valid argument fails
	}
	return instant{time.Now(), time.Duration(ts.Nano())}
}

// Monotonic is the reading of CLOCK_MONOTONIC, which all processes of a machine
// share, at t; t must come from time.Now. It asks the kernel nothing.
func Monotonic(t time.Time) time.Duration { return start.kernel + t.Sub(start.here) }
