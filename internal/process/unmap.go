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

// hugePage is the size of the pages that the kernel makes of small ones.
const hugePage = 2 << 20

// keepSmall has the kernel make no huge pages of what is mapped from no file and
// may be written: of the heap. Where it makes them unasked, as Debian's does, it
// soon fills up again what a rest has given back.
func keepSmall(list []area) {
	for _, a := range list {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, a.from, a.to-a.from, unix.MADV_NOHUGEPAGE)
	}
}

// heapAreas finds in a text like /proc/PID/maps what a huge page has room in.
func heapAreas(maps string) (list []area) {
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) < 5 || f[1] != "rw-p" || f[4] != "0" || len(f) > 5 && !strings.HasPrefix(f[5], "[anon:") {
			continue
		}
		if a, ok := parseArea(f[0]); ok && a.to-a.from >= hugePage {
			list = append(list, a)
		}
	}
	return list
}

// programAreas is where the program's file is mapped: code and constants.
func programAreas() []area {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return nil
	}
	return readOnlyAreas(string(maps), exe)
}

// readOnlyAreas finds in a text like /proc/PID/smaps what is mapped from a file,
// cannot be written and never was: of what was, as the linker does with the
// constants of a position-independent program, this process has the only copy.
func readOnlyAreas(maps, file string) (list []area) {
	var a area
	var candidate bool
	for line := range strings.Lines(maps) {
		if name, value, _ := strings.Cut(line, ":"); name == "Anonymous" {
			if candidate && strings.Join(strings.Fields(value), " ") == "0 kB" {
				list = append(list, a)
			}
			continue
		}
		if place, rest, _ := strings.Cut(line, " "); strings.Contains(place, "-") {
			access, rest, _ := strings.Cut(rest, " ")
			var whole bool
			a, whole = parseArea(place)
			candidate = whole && (access == "r-xp" || access == "r--p") && strings.HasSuffix(rest, " "+file+"\n")
		}
	}
	return list
}

// parseArea reads "from-to".
func parseArea(place string) (area, bool) {
	first, last, _ := strings.Cut(place, "-")
	from, err1 := strconv.ParseUint(first, 16, 64)
	to, err2 := strconv.ParseUint(last, 16, 64)
	return area{uintptr(from), uintptr(to)}, err1 == nil && err2 == nil && from < to
}
