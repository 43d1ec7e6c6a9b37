package watchdog

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/spare"
)

// enteredEnv tells a process that it already is in its network namespace.
const enteredEnv = "KEEPALIVED_GO_NAMESPACE"

// EnterNetwork is enter without a /run/keepalived of its own, for a program
// that only looks (-t). It reports false for a namespace that cannot be entered.
func EnterNetwork(name string) bool { return enterWith(name, func(string) error { return nil }) == nil }

// enter puts the whole process into a network namespace (net_namespace, -s).
// A namespace belongs to a thread, and this program has several: so one thread
// enters it and runs the program again in place, with the same process id.
// /run/keepalived becomes /run/keepalived/NAME of the outside, so that daemons
// of several namespaces do not share pid files.
func enter(name string) error { return enterWith(name, ownRun) }

func enterWith(name string, prepare func(name string) error) error {
	if name == "" || os.Getenv(enteredEnv) == name {
		os.Unsetenv(enteredEnv)
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f, err := os.Open("/run/netns/" + name)
	if err != nil {
		//lint:ignore ST1005 the original's text
		return fmt.Errorf("Failed to open /run/netns/%s", name)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", name, err)
	}
	if err := prepare(name); err != nil {
		return err
	}
	spare.Drop() // it is not in the namespace, and the next program would not know of it
	env := append(os.Environ(), enteredEnv+"="+name)
	return fmt.Errorf("start again in namespace %s: %w", name, syscall.Exec(spare.Program(), os.Args, env))
}

// inNamespace tells whether this process is the one that enter has started
// again in the namespace.
func inNamespace() bool { return os.Getenv(enteredEnv) != "" }

// leave undoes ownRun before the process ends, so that the outside keeps no
// empty directory. Without a namespace there is nothing to do.
func leave(name string) {
	if name == "" || unix.Unmount("/run/keepalived", unix.MNT_DETACH) != nil {
		return
	}
	os.Remove("/run/keepalived/" + name) // only if it is empty
}

// ownRun gives this thread's mount namespace a /run/keepalived of its own.
func ownRun(name string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare the mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep mounts to this process: %w", err)
	}
	dir := "/run/keepalived/" + name
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := unix.Mount(dir, "/run/keepalived", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}
