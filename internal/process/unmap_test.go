package process

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadOnlyAreas(t *testing.T) {
	const maps = `00400000-00996000 r-xp 00000000 08:01 77 /usr/sbin/keepalived
Size:                 10 kB
Anonymous:              0 kB
VmFlags: rd ex mr mw me 
00996000-00f1b000 r--p 00596000 08:01 77 /usr/sbin/keepalived
Size:                 10 kB
Anonymous:              0 kB
VmFlags: rd ex mr mw me 
00f1b000-00f64000 rw-p 00b1b000 08:01 77 /usr/sbin/keepalived
Size:                 10 kB
Anonymous:             44 kB
VmFlags: rd ex mr mw me 
00f64000-00fa7000 r--p 00b1b000 08:01 77 /usr/sbin/keepalived
Size:                 10 kB
Anonymous:            120 kB
VmFlags: rd ex mr mw me 
1e7d8cc00000-1e7d8fc00000 rw-p 00000000 00:00 0 
Size:                 10 kB
Anonymous:           3000 kB
VmFlags: rd ex mr mw me 
7f31463e0000-7f3146700000 r--p 00000000 08:01 78 /usr/lib/other
Size:                 10 kB
Anonymous:              0 kB
VmFlags: rd ex mr mw me 
7f3146700000-7f3146800000 r--p 00000000 08:01 79 /copy/of /usr/sbin/keepalived2
Size:                 10 kB
Anonymous:              0 kB
VmFlags: rd ex mr mw me 
nonsense r-xp 00000000 08:01 77 /usr/sbin/keepalived
Size:                 10 kB
Anonymous:              0 kB
VmFlags: rd ex mr mw me 
00500000-00400000 r-xp 00000000 08:01 77 /usr/sbin/keepalived
Size:                 10 kB
Anonymous:              0 kB
VmFlags: rd ex mr mw me 
`
	got := readOnlyAreas(maps, "/usr/sbin/keepalived")
	want := []area{{0x400000, 0x996000}, {0x996000, 0xf1b000}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(area{})); d != "" {
		t.Error(d)
	}
}

// TestUnmap: the pages of the program are out of the process afterwards, and
// come back when they are needed.
func TestUnmap(t *testing.T) {
	code := programAreas()
	if len(code) == 0 {
		t.Fatal("the program is not found among what is mapped")
	}
	for _, a := range code { // as start and configuration would
		touch(t, a)
	}
	before := residentFile(t)
	unmap(code)
	if after := residentFile(t); after > before/2 {
		t.Errorf("%d kB of files are resident, were %d before", after, before)
	}
}

func TestHeapAreas(t *testing.T) {
	const maps = `00400000-00996000 r-xp 00000000 08:01 77 /usr/sbin/keepalived
00f1b000-00f64000 rw-p 00b1b000 08:01 77 /usr/sbin/keepalived
00f64000-01fa7000 rw-p 00000000 00:00 0 
1e7d8cc00000-1e7d8fc00000 rw-p 00000000 00:00 0                          [anon: Go: heap]
1e7d8fc00000-1e7d90000000 ---p 00000000 00:00 0 
7f31463e0000-7f3146700000 rw-p 00000000 08:01 78 /usr/lib/other
7f3146700000-7f3146800000 rw-p 00000000 00:00 0 
7ffc00000000-7ffc00900000 rw-p 00000000 00:00 0                          [stack]
nonsense rw-p 00000000 00:00 0 
`
	got := heapAreas(maps)
	want := []area{{0xf64000, 0x1fa7000}, {0x1e7d8cc00000, 0x1e7d8fc00000}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(area{})); d != "" {
		t.Error(d)
	}
}

// TestKeepSmall: the kernel notes for the whole heap that it is to have no huge
// pages.
func TestKeepSmall(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skipf("skipped: this kernel makes no huge pages: %v", err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	list := heapAreas(read("/proc/self/maps"))
	if len(list) == 0 {
		t.Fatal("the heap is not found among what is mapped")
	}
	keepSmall(list)
	flags := map[area]string{}
	var a area
	for line := range strings.Lines(read("/proc/self/smaps")) {
		if v, ok := strings.CutPrefix(line, "VmFlags:"); ok {
			flags[a] = v
		} else if place, _, _ := strings.Cut(line, " "); strings.Contains(place, "-") {
			a, _ = parseArea(place)
		}
	}
	for _, want := range list {
		found := false
		for a, f := range flags { // what is alike side by side has become one
			found = found || a.from <= want.from && want.to <= a.to && slices.Contains(strings.Fields(f), "nh")
		}
		if !found {
			t.Errorf("area %x-%x is not marked", want.from, want.to)
		}
	}
}

// touch has the kernel map all of an area.
func touch(t *testing.T, a area) {
	t.Helper()
	f, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, a.to-a.from), int64(a.from)); err != nil {
		t.Fatal(err)
	}
}

func residentFile(t *testing.T) (kB int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "RssFile:"); ok {
			for _, c := range v {
				if '0' <= c && c <= '9' {
					kB = kB*10 + int(c-'0')
				}
			}
		}
	}
	return kB
}
