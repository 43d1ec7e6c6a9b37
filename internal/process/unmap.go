package process

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// area is a range of addresses.
type area struct{ from, to uintptr }

// unmap takes pages out of the process that it can have again from a file. Start
// and configuration have touched many times what the rest of its life needs of
// its program. Memory that is locked stays.
func unmap(list []area) {
	for _, a := range list {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, a.from, a.to-a.from, unix.MADV_DONTNEED)
	}
}

// programAreas is where the program's file is mapped: code and constants.
func programAreas() []area {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	return readOnlyAreas(string(maps), exe)
}

// readOnlyAreas finds in a text like /proc/PID/maps what is mapped from a file
// and cannot be written: of what can, this process may have the only copy.
func readOnlyAreas(maps, file string) (list []area) {
	for line := range strings.Lines(maps) {
		place, rest, _ := strings.Cut(line, " ")
		access, rest, _ := strings.Cut(rest, " ")
		if access != "r-xp" && access != "r--p" || !strings.HasSuffix(rest, " "+file+"\n") {
			continue
		}
		first, last, _ := strings.Cut(place, "-")
		from, err := strconv.ParseUint(first, 16, 64)
		if err != nil {
			continue
		}
		to, err := strconv.ParseUint(last, 16, 64)
		if err != nil || to <= from {
			continue
		}
		list = append(list, area{uintptr(from), uintptr(to)})
	}
	return list
}
