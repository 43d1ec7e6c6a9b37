package vmtest

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is one run of the virtual machine.
type Machine struct {
	// Command is shell text, run in /lab as root.
	Command string
	// Programs are copied with their libraries: guest name below /lab/bin to
	// path on this machine. Tools are programs of this machine by name.
	Programs map[string]string
	Tools    []string
	// Files: guest name (below /lab unless absolute) to content, not executable; Trees: guest
	// name to a file or folder of this machine.
	Files map[string][]byte
	Trees map[string]string
	// Out receives what the guest leaves in /out; empty: it is thrown away.
	Out string
	// Line is called with each line that the command prints; nil: none.
	Line func(string)
	// Timeout bounds the whole run; zero: five minutes. MemoryMB; zero: 1024.
	Timeout  time.Duration
	MemoryMB int
}

// ErrUnavailable says that this machine cannot run the virtual machine.
var ErrUnavailable = errors.New("no virtual machine")

// Run boots the machine, runs the command and returns its exit status.
func (m Machine) Run() (status int, err error) { return m.RunContext(context.Background()) }

// RunContext is Run that ends, with nothing left behind, when ctx does.
func (m Machine) RunContext(ctx context.Context) (status int, err error) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return -1, fmt.Errorf("%w: qemu-system-x86_64 is missing (package qemu-system-x86)", ErrUnavailable)
	}
	cache, err := cacheDir()
	if err != nil {
		return -1, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	image, modulesDir, err := kernel(cache)
	if err != nil {
		return -1, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	common, err := base(cache, modulesDir)
	if err != nil {
		return -1, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	tmp, err := os.MkdirTemp("", "vmtest.")
	if err != nil {
		return -1, err
	}
	defer os.RemoveAll(tmp)
	if err := m.writeInitrd(common, filepath.Join(tmp, "initrd")); err != nil {
		return -1, err
	}
	disk := filepath.Join(tmp, "disk")
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		return -1, err
	}
	if err := os.Truncate(disk, 128<<20); err != nil {
		return -1, err
	}
	status, err = m.boot(ctx, qemu, image, tmp)
	if err == nil && m.Out != "" {
		err = untar(disk, m.Out)
	}
	return status, err
}

// writeInitrd puts the common archive and that of this run into one file.
func (m Machine) writeInitrd(common, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := os.Open(common)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := io.Copy(f, b); err != nil {
		return err
	}
	a := newArchive(f)
	a.entry("lab/cmd", 0o100755, []byte(m.Command+"\n"))
	for _, name := range m.Tools {
		p, err := exec.LookPath(name)
		if err != nil {
			return fmt.Errorf("%w: program %s is missing", ErrUnavailable, name)
		}
		if p, err = filepath.EvalSymlinks(p); err != nil {
			return err
		}
		if err := a.program(p, "/lab/bin/"+name); err != nil {
			return err
		}
	}
	for name, p := range m.Programs {
		if err := a.program(p, "/lab/bin/"+name); err != nil {
			return err
		}
	}
	for name, b := range m.Files {
		a.entry(guestPath(name), 0o100644, b)
	}
	for name, p := range m.Trees {
		if err := a.add(p, guestPath(name)); err != nil {
			return err
		}
	}
	return a.close()
}

func guestPath(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return "/lab/" + name
}

// boot runs qemu to its end.
func (m Machine) boot(ctx context.Context, qemu, image, tmp string) (status int, err error) {
	if m.Timeout == 0 {
		m.Timeout = 5 * time.Minute
	}
	if m.MemoryMB == 0 {
		m.MemoryMB = 1024
	}
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu, "-accel", accelerator(), "-cpu", "qemu64", "-smp", "2",
		"-m", strconv.Itoa(m.MemoryMB), "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", image, "-initrd", filepath.Join(tmp, "initrd"),
		// Without no_timer_check the kernel panics when a busy host keeps its first
		// timer interrupts back.
		"-append", "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off tsc=reliable clocksource=tsc",
		"-drive", "file="+filepath.Join(tmp, "disk")+",if=virtio,format=raw,cache=unsafe")
	cmd.WaitDelay = time.Second
	// A test that is killed takes its machine along. The signal comes at the end
	// of the thread that started it, so the thread is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// It has a process group of its own: Ctrl-C is for the program that runs it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return -1, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("start %s: %w", qemu, err)
	}
	status, began := -1, false
	var console []string // before the command begins and after it ends
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := strings.TrimRight(lines.Text(), "\r")
		switch {
		case strings.HasPrefix(l, "@@begin"):
			began = true
		case strings.HasPrefix(l, "@@end "):
			status, _ = strconv.Atoi(strings.TrimPrefix(l, "@@end "))
			began = false
		case began && m.Line != nil:
			m.Line(l)
		case !began:
			console = append(console, l)
		}
	}
	waitErr := cmd.Wait()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return -1, ctx.Err()
	case ctx.Err() != nil:
		return -1, fmt.Errorf("virtual machine stopped after %s", m.Timeout)
	case status < 0:
		return -1, fmt.Errorf("virtual machine ended early (%v): %s", waitErr, strings.Join(console, "\n"))
	}
	return status, nil
}

// accelerator is emulation: half of the machines that offer /dev/kvm to a
// container hang in it, and a boot takes three seconds without. VMTEST_KVM=1
// asks for it.
func accelerator() string {
	if os.Getenv("VMTEST_KVM") != "" {
		return "kvm"
	}
	return "tcg,thread=multi"
}

// untar unpacks what the guest wrote to its disk.
func untar(disk, dir string) error {
	f, err := os.Open(disk)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the machine's files: %w", err)
		}
		to := filepath.Join(dir, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(to, 0o755)
		case tar.TypeReg:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, b, 0o644)
			}
		}
		if err != nil {
			return err
		}
	}
}
