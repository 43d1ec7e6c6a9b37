package ipvs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// How long modprobe may take; a hanging one must not stop the process.
const modprobeLimit = 10 * time.Second

// loadModule loads ip_vs with the program that the kernel itself would use.
func loadModule() error {
	program := "/sbin/modprobe"
	if b, err := os.ReadFile("/proc/sys/kernel/modprobe"); err == nil {
		program = strings.TrimSpace(string(b))
	}
	if program == "" {
		return fmt.Errorf("load module ip_vs: the kernel has no modprobe program")
	}
	ctx, cancel := context.WithTimeout(context.Background(), modprobeLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-q", "--", "ip_vs").CombinedOutput()
	if err != nil {
		return fmt.Errorf("load module ip_vs with %s: %w%s", program, err, tail(out))
	}
	return nil
}

// tail gives what a program said last, for the end of an error text.
func tail(out []byte) string {
	out = bytes.TrimSpace(out)
	if len(out) == 0 {
		return ""
	}
	return ": " + string(out[bytes.LastIndexByte(out, '\n')+1:])
}
