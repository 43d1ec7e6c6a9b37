package dropin

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cacheDir holds what both tests make once: Debian's root with systemd, and the
// original's package.
const cacheDir = "/var/tmp/keepalived-go-dropin"

// shell runs a script of the host in dir; its arguments are $1 and so on.
func shell(t *testing.T, dir, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"-euc", script, "bash"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// needRoot skips a test that cannot make a root file system, and fails it when
// a program is missing.
func needRoot(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: needs root to make a root file system")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is needed (packaging/deps installs it)", tool)
		}
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// debian makes root.tar in the cache, Debian with systemd and the original
// keepalived, and beside it the original's package.
func debian(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(cacheDir, "root.tar")); err != nil {
		shell(t, cacheDir, `mmdebstrap --variant=minbase --aptopt='Apt::Install-Recommends "false"' `+
			`--include=systemd,systemd-sysv,dbus,udev,iproute2,ipvsadm,curl,nginx-light,procps,kmod,`+
			`linux-image-cloud-amd64,keepalived,iputils-ping,python3-minimal bookworm root.tar.part && mv root.tar.part root.tar`)
	}
	if names, _ := filepath.Glob(filepath.Join(cacheDir, "keepalived_1%3a*_amd64.deb")); len(names) == 0 {
		shell(t, cacheDir, `apt-get download keepalived && ls keepalived_*.deb`)
	}
}

// chroot is a root file system to install packages in.
type chroot struct {
	t   *testing.T
	dir string
}

// try runs a shell command inside. It has a network, processes and mounts of
// its own, and everything it starts ends with it.
func (c chroot) try(command string) (string, error) {
	cmd := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
		"bash", "-euc", `mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1/dev" &&
			{ [ -c "$1/dev/null" ] || mknod -m 666 "$1/dev/null" c 1 3; }
			exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive sh -euc "$2" </dev/null`,
		"bash", c.dir, command)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try for a command that must succeed.
func (c chroot) run(command string) string {
	c.t.Helper()
	out, err := c.try(command)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

func (c chroot) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(c.dir, path))
	return err == nil
}

func (c chroot) write(path, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, path), []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// sums are the digests of files, to see that nobody has touched them.
func (c chroot) sums(paths ...string) string {
	c.t.Helper()
	var b strings.Builder
	for _, p := range paths {
		data, err := os.ReadFile(filepath.Join(c.dir, p))
		if err != nil {
			fmt.Fprintf(&b, "%s %v\n", p, err)
			continue
		}
		fmt.Fprintf(&b, "%s %x\n", p, sha256.Sum256(data))
	}
	return b.String()
}

// modes checks the type and permissions of what a package has installed:
// path to what fs.FileMode prints.
func (c chroot) modes(want map[string]string) {
	c.t.Helper()
	for path, mode := range want {
		st, err := os.Lstat(filepath.Join(c.dir, path))
		if err != nil {
			c.t.Errorf("%s is not installed: %v", path, err)
			continue
		}
		got := st.Mode().String()
		if st.Mode()&fs.ModeSymlink != 0 {
			got, _ = os.Readlink(filepath.Join(c.dir, path))
		}
		if got != mode {
			c.t.Errorf("%s is %s, want %s", path, got, mode)
		}
	}
}
