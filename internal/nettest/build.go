package nettest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Build builds the module's programs, as they are shipped, into a folder.
func Build(dir string) error {
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/",
		"github.com/keepalived-go/keepalived/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// Main runs a package's tests and returns their exit status. For root, the
// programs are built once before, and built is told their folder; everybody
// else's tests of the daemon skip themselves.
func Main(m *testing.M, built func(dir string)) int {
	if os.Geteuid() != 0 {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "keepalived-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	built(dir)
	return m.Run()
}
