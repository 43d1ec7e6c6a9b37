package configparse

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What no input may do: last long, allocate without bound, wait for a device.
const (
	mostTime  = 20 * time.Second // on a busy machine
	mostBytes = 1 << 30          // allocated in all, mostly garbage
)

// within runs load and fails if it takes too long or too much.
func within(t *testing.T, load func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	load()
	if d := time.Since(start); d > mostTime {
		t.Errorf("took %v", d)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > mostBytes {
		t.Errorf("allocated %d MiB", n>>20)
	}
}

// TestSafety: every kind of hostile text gives a clear message, of which want
// is a part; it is empty where the text is harmless.
func TestSafety(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"sequence", "~SEQ(i, 1, 1, 2000000000) x ${i}\n", "too many messages - the rest is not shown"},
		{"sequences", "~SEQ(i, 2000000000) ~SEQ(j, 2000000000) $A=${i}${j}\n", "configuration expands to more than"},
		{"own-definition", "$A=${A}${A}\nx ${A}\n", "Unknown keyword 'x'"},
		{"growing-definitions", "$A=xx\n" + strings.Repeat("$B=${A}${A}\n$A=${B}${B}\n", 100) + "y ${A}\n", "Unknown keyword 'y'"},
		{"include-itself", "include FILE\n", "open problem (Too many open files) - skipping"},
		{"include-tree", strings.Repeat("include FILE\n", 50), "open problem (Too many open files) - skipping"},
		{"braces-in-pattern", "include {" + strings.Repeat("a,", 200) + "b}{" + strings.Repeat("a,", 200) + "b}\n", "Config files missing"},
		{"long-line", strings.Repeat("x", 20<<20), "line too long - ignoring"},
		{"deep-nesting", strings.Repeat("vrrp_instance a {\n", 100_000), "There are 100000 missing '}'s or extra '{'s"},
		{"closing", strings.Repeat("}\n", 200_000), "Extra '}' found"},
		{"nul", "vrrp_instance\x00 a {\n", "configuration appears to have embedded NULs - ignoring line"},
		{"crlf", "vrrp_instance a {\r\n interface eth0\r\n virtual_router_id 1\r\n virtual_ipaddress {\r\n 10.0.0.1\r\n }\r\n}\r\n", ""},
		{"utf-16", "\xff\xfeg\x00l\x00o\x00b\x00a\x00l\x00_\x00d\x00e\x00f\x00s\x00 \x00{\x00\n\x00}\x00\n\x00", "embedded NULs"},
		{"byte-order-mark", "\xef\xbb\xbfglobal_defs {\n}\n", "Unknown keyword '\xef\xbb\xbfglobal_defs'"},

		// What crashes the original (grammar.md 17).
		{"bfd-without-name", "bfd_instance {\n}\n", "is missing a parameter"},
		{"group-without-name", "virtual_server group {\n}\n", "is missing a parameter"},
		{"mark-without-number", "virtual_server fwmark {\n}\n", "is missing a parameter"},
		{"script-open-quote", "vrrp_script s {\n script \"/usr/bin/true\n}\n", "missing terminating"},
		{"script-empty", "vrrp_script s {\n script \"\"\n}\n", "script s"},
		{"env-without-name", "${_ENV}\n", "_ENV"},
		{"http-without-url", "virtual_server 10.0.0.1 80 {\n real_server 10.0.0.2 80 {\n HTTP_GET {\n }\n }\n}\n", "has no urls specified"},
		{"notify-other-user", "vrrp_instance a {\n interface eth0\n virtual_router_id 1\n notify /usr/bin/true nobody\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n", "SECURITY VIOLATION"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var problems []Problem
			within(t, func() { _, problems = Load(Files{"FILE": tt.text}, "FILE", labEnv()) })
			if len(problems) > maxProblems+1 {
				t.Errorf("%d problems", len(problems))
			}
			var said []string
			for _, p := range problems {
				if p.Class != ClassLog {
					said = append(said, p.Text)
				}
			}
			switch {
			case tt.want == "" && len(said) > 0:
				t.Errorf("said %.300s", strings.Join(said, "; "))
			case tt.want != "" && !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, tt.want) }):
				t.Errorf("nobody said %q; said was %.300s", tt.want, strings.Join(said, "; "))
			}
		})
	}
}

// TestSafetyOfFiles: devices, pipes and files larger than any configuration
// are refused with a message, as main file and as include.
func TestSafetyOfFiles(t *testing.T) {
	dir := t.TempDir()
	fifo, huge := filepath.Join(dir, "fifo"), filepath.Join(dir, "huge")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<30); err != nil { // one line of NULs, without a block on the disk
		t.Skipf("skipped: no file of 1 GiB here: %v", err)
	}
	for _, name := range []string{fifo, huge, "/dev/zero", dir} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, err := os.Stat(name); err != nil {
				t.Skipf("skipped: %v", err)
			}
			main := filepath.Join(t.TempDir(), "main.conf")
			if err := os.WriteFile(main, []byte("include "+name+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{name, main} {
				var problems []Problem
				within(t, func() { _, problems = Load(System{}, file, Env{}) })
				if len(problems) == 0 {
					t.Errorf("%s: no message", file)
				}
				for _, p := range problems {
					if !strings.Contains(p.Text, name) {
						t.Errorf("%s: %s", file, p)
					}
				}
			}
		})
	}
}
