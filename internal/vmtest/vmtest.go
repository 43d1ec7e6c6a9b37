package vmtest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

// All reports whether the long tests in the virtual machine are wanted, which
// take some minutes: make test sets VMTEST=all.
func All() bool { return os.Getenv("VMTEST") == "all" }

// Inside skips a test that is not in the virtual machine.
func Inside(t testing.TB) {
	t.Helper()
	if os.Getenv("KEEPALIVED_VM") == "" {
		t.Skip("skipped: runs in the virtual machine, from the test that calls vmtest.Rerun")
	}
}

// Run runs m and fails the test if it cannot; its lines go to the test's log
// unless m.Line is set. It returns the exit status of the command. Where there
// can be no virtual machine the test is skipped.
func Run(t testing.TB, m Machine) int {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short, and this boots a virtual machine")
	}
	if m.Line == nil {
		m.Line = func(l string) { t.Log(l) }
	}
	begin := time.Now()
	status, err := m.Run()
	if errors.Is(err, ErrUnavailable) {
		t.Skipf("skipped: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("virtual machine ran %.1f s", time.Since(begin).Seconds())
	return status
}

// Steps runs a machine whose command judges n steps, a line "ok …" or "FAIL …"
// for each.
func Steps(t testing.TB, m Machine, n int) {
	t.Helper()
	passed := 0
	m.Line = func(l string) {
		t.Log(l)
		switch {
		case strings.HasPrefix(l, "ok "):
			passed++
		case strings.HasPrefix(l, "FAIL "):
			t.Error(l)
		}
	}
	if status := Run(t, m); status != 0 && !t.Failed() {
		t.Errorf("the script ended with status %d", status)
	}
	if passed != n && !t.Failed() {
		t.Errorf("%d steps passed, want %d", passed, n)
	}
}

// Rerun runs the tests of this package whose names match pattern in the
// virtual machine, in their own binary, and fails if one fails or none runs.
// tools are programs of this machine that they call.
func Rerun(t *testing.T, pattern string, tools ...string) {
	t.Helper()
	RerunIn(t, Machine{Tools: tools}, pattern)
}

// RerunIn is Rerun in the given machine, whose own Command, if there is one, is
// run before the tests, in the same shell.
func RerunIn(t *testing.T, m Machine, pattern string) {
	t.Helper()
	if os.Getenv("KEEPALIVED_VM") != "" {
		t.Skip("skipped: already in the virtual machine")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	passed, failed := 0, 0
	m.Command += fmt.Sprintf("\nexec test.bin -test.v -test.run '%s' -test.skip '^%s$'", pattern, t.Name())
	m.Programs = maps.Clone(m.Programs)
	if m.Programs == nil {
		m.Programs = map[string]string{}
	}
	m.Programs["test.bin"] = self
	m.Line = func(l string) {
		switch s := strings.TrimSpace(l); {
		case strings.HasPrefix(s, "--- PASS"):
			passed++
		case strings.HasPrefix(s, "--- FAIL"):
			failed++
		}
		if testing.Verbose() {
			fmt.Println("vm: " + l) // at once; a hanging machine shows how far it came
		} else {
			t.Log(l)
		}
	}
	if _, err := os.Stat("testdata"); err == nil {
		m.Trees = map[string]string{"testdata": "testdata"}
	}
	if status := Run(t, m); status != 0 || failed > 0 {
		t.Errorf("tests in the virtual machine: status %d, %d failed", status, failed)
	} else if passed == 0 {
		t.Errorf("no test of %q ran in the virtual machine", pattern)
	}
}
