package vmtest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// modules are the parts of the kernel package that tests can need.
var modules = strings.Fields(`kernel/net/netfilter kernel/net/ipv4 kernel/net/ipv6 kernel/net/bridge
	kernel/net/8021q kernel/net/802 kernel/net/llc kernel/net/sched kernel/net/key kernel/net/xfrm
	kernel/net/packet kernel/net/unix kernel/net/core kernel/net/sctp kernel/net/mpls kernel/net/tls
	kernel/drivers/net/dummy.ko kernel/drivers/net/veth.ko kernel/drivers/net/macvlan.ko
	kernel/drivers/net/ipvlan kernel/drivers/net/vrf.ko kernel/drivers/net/bonding kernel/drivers/net/ifb.ko kernel/drivers/net/tun.ko
	kernel/drivers/virtio kernel/drivers/block/virtio_blk.ko kernel/lib kernel/crypto kernel/arch/x86/crypto`)

const cloudKernel = "linux-image-cloud-amd64"

// initScript is the first process of the machine. What the command prints
// goes to the console, what it leaves in /out to the disk.
const initScript = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/pts /dev/shm /out /run /tmp /var
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t tmpfs run /run
mkdir -p /run/netns /run/lock /usr/bin
/bin/busybox --install -s /usr/bin
export PATH=/lab/bin:/usr/sbin:/usr/bin HOME=/root TERM=linux KEEPALIVED_VM=1
ln -sf /run /var/run
mount -t devpts pts /dev/pts
ln -sf /proc/self/fd /dev/fd
hostname vmtest
ip link set lo up
stty -F /dev/ttyS0 raw
for m in virtio_pci virtio_blk ip_vs; do modprobe $m || echo "modprobe $m failed"; done
cd /lab
echo "@@begin"
setsid sh ./cmd < /dev/null 2>&1
echo "@@end $?"
cd /out && tar cf - . | dd of=/dev/vda bs=64k conv=fsync 2>/dev/null
poweroff -f
`

// cacheDir is where kernel and base archive are kept.
func cacheDir() (string, error) {
	dir := "/var/tmp/keepalived-go-vm"
	if x := os.Getenv("XDG_CACHE_HOME"); x != "" {
		dir = filepath.Join(x, "keepalived-go-vm")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// kernel finds Debian's cloud kernel on this machine or in the cache; it
// downloads and unpacks the package when neither has it.
func kernel(cache string) (image, modulesDir string, err error) {
	find := func(root string) bool {
		images, _ := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*cloud*"))
		for _, i := range slices.Backward(images) {
			m := filepath.Join(root, "lib/modules", strings.TrimPrefix(filepath.Base(i), "vmlinuz-"))
			if _, err := os.Stat(filepath.Join(m, "modules.order")); err == nil {
				image, modulesDir = i, m
				return true
			}
		}
		return false
	}
	if find("/") || find(filepath.Join(cache, "kernel")) {
		return image, modulesDir, nil
	}
	out, err := exec.Command("apt-cache", "depends", cloudKernel).Output()
	if err != nil {
		return "", "", fmt.Errorf("ask apt-cache for %s: %w", cloudKernel, err)
	}
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindSubmatch(out)
	if m == nil {
		return "", "", fmt.Errorf("package %s is unknown; run apt-get update", cloudKernel)
	}
	tmp, err := os.MkdirTemp(cache, "kernel.")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(tmp)
	get := exec.Command("apt-get", "-q", "download", string(m[1]))
	get.Dir = tmp
	if out, err := get.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("apt-get download %s: %w: %s", m[1], err, out)
	}
	debs, _ := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if len(debs) != 1 {
		return "", "", fmt.Errorf("apt-get download %s: no package file", m[1])
	}
	if out, err := exec.Command("dpkg", "-x", debs[0], filepath.Join(tmp, "x")).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("unpack %s: %w: %s", debs[0], err, out)
	}
	if err := os.Rename(filepath.Join(tmp, "x"), filepath.Join(cache, "kernel")); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", "", err
	}
	if !find(filepath.Join(cache, "kernel")) {
		return "", "", fmt.Errorf("package %s holds no kernel", m[1])
	}
	return image, modulesDir, nil
}

// base returns the archive that all machines share; it is made once per
// kernel and version of this file.
func base(cache, modulesDir string) (string, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", errors.New("busybox is missing (package busybox-static)")
	}
	key := sha256.Sum256([]byte(initScript + strings.Join(modules, " ") + modulesDir))
	file := filepath.Join(cache, fmt.Sprintf("base-%s-%x.cpio", filepath.Base(modulesDir), key[:6]))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	stage, err := os.MkdirTemp(cache, "stage.")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage)
	if err := stageModules(modulesDir, stage, busybox); err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(stage, "base"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := writeBase(newArchive(f), stage, busybox); err != nil {
		return "", fmt.Errorf("write base archive: %w", err)
	}
	return file, os.Rename(f.Name(), file)
}

// stageModules copies the wanted modules and makes their index.
func stageModules(modulesDir, stage, busybox string) error {
	version := filepath.Base(modulesDir)
	to := filepath.Join(stage, "lib/modules", version)
	want := append(slices.Clone(modules), "modules.builtin", "modules.order", "modules.builtin.modinfo")
	for _, m := range want {
		dst := filepath.Join(to, m)
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return err
		}
		src := filepath.Join(modulesDir, m)
		if _, err := os.Stat(src); err != nil {
			continue // this kernel has it built in, or does not have it
		}
		if out, err := exec.Command("cp", "-rL", src, dst).CombinedOutput(); err != nil {
			return fmt.Errorf("copy module %s: %w: %s", m, err, out)
		}
	}
	depmod := []string{"depmod"}
	if _, err := exec.LookPath("depmod"); err != nil {
		depmod = []string{busybox, "depmod"}
	}
	if out, err := exec.Command(depmod[0], append(depmod[1:], "-b", stage, version)...).CombinedOutput(); err != nil {
		return fmt.Errorf("depmod: %w: %s", err, out)
	}
	return nil
}

func writeBase(a *archive, stage, busybox string) error {
	for _, d := range strings.Fields("proc sys dev tmp run out root var/tmp lab/bin usr/bin usr/sbin usr/lib usr/lib64 etc") {
		a.entry(d, 0o040755, nil)
	}
	for _, l := range strings.Fields("bin sbin lib lib64") { // merged /usr, as Debian has it
		a.entry(l, 0o120777, []byte("usr/"+l))
	}
	a.entry("dev/console", 0o020600, nil, 5, 1)
	a.entry("dev/null", 0o020666, nil, 1, 3)
	if err := a.program(busybox, "/bin/busybox"); err != nil {
		return err
	}
	for _, p := range strings.Fields("modprobe insmod rmmod lsmod") {
		a.entry("sbin/"+p, 0o120777, []byte("../bin/busybox"))
	}
	for _, f := range strings.Fields("/etc/protocols /etc/services") {
		if _, err := os.Stat(f); err == nil {
			if err := a.add(f, f); err != nil {
				return err
			}
		}
	}
	a.entry("etc/passwd", 0o100644, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"))
	a.entry("etc/group", 0o100644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	a.entry("etc/hosts", 0o100644, []byte("127.0.0.1 localhost\n"))
	a.entry("etc/nsswitch.conf", 0o100644, []byte("passwd: files\ngroup: files\nhosts: files\n"))
	if err := a.add(filepath.Join(stage, "lib/modules"), "/usr/lib/modules"); err != nil {
		return err
	}
	a.entry("init", 0o100755, []byte(initScript))
	return a.close()
}
