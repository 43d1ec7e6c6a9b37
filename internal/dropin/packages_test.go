package dropin

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var (
	dist    = flag.String("dist", "", "folder of our packages; without it the tests of packages are skipped")
	version = flag.String("version", "", "their version")
)

// The administrator's own files, which no package may touch.
const (
	adminConf    = "/etc/keepalived/keepalived.conf"
	adminDefault = "/etc/default/keepalived"
)

const conf = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    priority 100\n" +
	"    virtual_ipaddress {\n        192.0.2.100/24\n    }\n}\n"

func needDist(t *testing.T) {
	t.Helper()
	if *dist == "" {
		t.Skip("skipped: installs packages in chroots for minutes; run `make test-packages`")
	}
	needRoot(t, "mmdebstrap", "unshare", "lintian", "rpm", "mandoc")
}

func debFile(dir, version string) string {
	return filepath.Join(dir, "keepalived_"+version+"-1_"+runtime.GOARCH+".deb")
}

// debianRoot unpacks Debian with the original installed and configured, and
// puts our packages, older and current, and the original's into /root.
func debianRoot(t *testing.T) chroot {
	t.Helper()
	debian(t)
	c := chroot{t, t.TempDir()}
	shell(t, cacheDir, `tar -C "$1" --exclude='./usr/lib/modules/*' --exclude='./boot/*' --exclude='./dev/*' -xf root.tar
cp keepalived_*2.2.7*.deb "$1/root/original.deb"
cp "$2" "$1/root/ours.deb"; cp "$3" "$1/root/older.deb"
printf '#!/bin/sh\nexit 101\n' > "$1/usr/sbin/policy-rc.d"; chmod +x "$1/usr/sbin/policy-rc.d"`,
		c.dir, debFile(*dist, *version), debFile(filepath.Join(*dist, "older"), "2.4.3+go0.0.1"))
	return c
}

func TestDebPackage(t *testing.T) {
	needDist(t)
	c := debianRoot(t)
	c.write(adminConf, conf)
	c.write(adminDefault, "# changed by the administrator\nDAEMON_ARGS=\"-D\"\n")
	before := c.sums(adminConf, adminDefault)
	install := func(what, file string) {
		t.Helper()
		out := c.run("dpkg -i /root/" + file)
		if strings.Contains(out, "onfiguration file") {
			t.Errorf("%s asks about a file:\n%s", what, out)
		}
		if left := c.run("dpkg --audit; dpkg --verify keepalived | grep -v '" + adminDefault + "$' || true"); left != "" {
			t.Errorf("%s leaves %s", what, left)
		}
		if now := c.sums(adminConf, adminDefault); now != before {
			t.Errorf("%s changed the administrator's files:\n%s", what, now)
		}
		if !c.exists("/etc/systemd/system/multi-user.target.wants/keepalived.service") {
			t.Errorf("%s: the service is not enabled", what)
		}
	}
	ours := func() bool { return strings.Contains(c.run("keepalived -v 2>&1"), "keepalived-go") }

	install("our package over the original", "older.deb")
	if !ours() {
		t.Error("the program is not ours")
	}
	install("an upgrade of our package", "ours.deb")
	if got := strings.TrimSpace(c.run("dpkg-query -W -f '${Version}' keepalived")); got != "1:"+*version+"-1" {
		t.Errorf("version = %s, want 1:%s-1", got, *version)
	}
	c.checkDeb()
	c.run("systemd-analyze verify --man=no keepalived.service")
	install("back to the original", "original.deb")
	if ours() {
		t.Error("the original's package installed our program")
	}
	install("our package again", "ours.deb")

	c.run("dpkg -r keepalived")
	if c.exists("/usr/sbin/keepalived") || c.sums(adminConf, adminDefault) != before {
		t.Error("a removal leaves the program or touches the administrator's files")
	}
	install("the package after its removal", "ours.deb")
	c.checkDeb()
	c.run("dpkg -P keepalived")
	if !c.exists(adminConf) {
		t.Error("a purge takes the administrator's configuration away")
	}
	left := c.run("find / -xdev -iname '*keepalived*' -not -path '/proc/*' -not -path '/root/*' -not -path '/var/lib/systemd/deb-systemd-helper-*' -not -path '/usr/share/lintian/*'")
	if got := strings.Join(strings.Fields(left), " "); got != "/etc/keepalived "+adminConf {
		t.Errorf("a purge leaves %s", got)
	}

	os.Remove(filepath.Join(c.dir, adminConf))
	out := c.run("dpkg -i /root/ours.deb")
	if !c.exists(adminDefault) || strings.Contains(out, "onfiguration file") {
		t.Errorf("a first installation lacks %s:\n%s", adminDefault, out)
	}
	c.checkDeb()
}

// checkDeb checks what the .deb has installed, path by path.
func (c chroot) checkDeb() {
	c.t.Helper()
	c.modes(map[string]string{
		"/usr/sbin/keepalived": "-rwxr-xr-x", "/usr/bin/genhash": "-rwxr-xr-x", "/usr/bin/keepalivedctl": "-rwxr-xr-x",
		"/lib/systemd/system/keepalived.service": "-rw-r--r--", "/etc/init.d/keepalived": "-rwxr-xr-x",
		"/etc/default/keepalived": "-rw-r--r--", "/etc/keepalived": "drwxr-xr-x", "/etc/keepalived/keepalived.conf.sample": "-rw-r--r--",
		"/etc/dbus-1/system.d/org.keepalived.Vrrp1.conf":                 "-rw-r--r--",
		"/usr/share/dbus-1/interfaces/org.keepalived.Vrrp1.Vrrp.xml":     "-rw-r--r--",
		"/usr/share/dbus-1/interfaces/org.keepalived.Vrrp1.Instance.xml": "-rw-r--r--",
		"/usr/share/bash-completion/completions/keepalived":              "-rw-r--r--",
		"/usr/share/bash-completion/completions/keepalivedctl":           "keepalived",
		"/etc/systemd/system/multi-user.target.wants/keepalived.service": "/lib/systemd/system/keepalived.service",
		"/usr/share/doc/keepalived/copyright":                            "-rw-r--r--",
		"/usr/share/doc/keepalived/changelog.Debian.gz":                  "-rw-r--r--",
		"/etc/rc2.d/" + c.startLink():                                    "../init.d/keepalived",
	})
}

// startLink is the name of the SysV start link, which has a number in it.
func (c chroot) startLink() string {
	names, _ := filepath.Glob(filepath.Join(c.dir, "/etc/rc2.d/S*keepalived"))
	if len(names) != 1 {
		c.t.Errorf("start links in rc2.d = %v, want one", names)
		return "S01keepalived"
	}
	return filepath.Base(names[0])
}

func TestPackageLintian(t *testing.T) {
	needDist(t)
	out, err := exec.Command("lintian", "--allow-root", "--tag-display-limit", "0", debFile(*dist, *version)).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

func TestRPMPackage(t *testing.T) {
	needDist(t)
	debian(t)
	c := chroot{t, t.TempDir()}
	shell(t, cacheDir, `tar -C "$1" --exclude='./usr/lib/modules/*' --exclude='./boot/*' --exclude='./dev/*' -xf root.tar`, c.dir)
	c.run("dpkg --force-all -P keepalived >/dev/null 2>&1; rm -rf /etc/default/keepalived /etc/keepalived; mkdir -p /etc/sysconfig")
	file := func(dir, version string) string {
		names, _ := filepath.Glob(filepath.Join(dir, "keepalived-"+version+"-1.*.rpm"))
		if len(names) != 1 {
			t.Fatalf("packages of version %s in %s: %v", version, dir, names)
		}
		return names[0]
	}
	rpm := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("rpm", append([]string{"--root", c.dir}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("rpm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	link := "/etc/systemd/system/multi-user.target.wants/keepalived.service"
	rpm("--initdb")
	rpm("-i", "--nodeps", file(filepath.Join(*dist, "older"), "2.4.3+go0.0.1"))
	if !c.exists(link) {
		t.Error("the first installation does not enable the service")
	}
	c.write(adminConf, conf)
	c.write("/etc/sysconfig/keepalived", "KEEPALIVED_OPTIONS=\"-D -P\"\n")
	before := c.sums(adminConf, "/etc/sysconfig/keepalived")
	rpm("-U", "--nodeps", file(*dist, *version))
	if now := c.sums(adminConf, "/etc/sysconfig/keepalived"); now != before {
		t.Errorf("an upgrade changed the administrator's files:\n%s", now)
	}
	if !c.exists(link) {
		t.Error("an upgrade disables the service")
	}
	c.modes(map[string]string{
		"/usr/sbin/keepalived": "-rwxr-xr-x", "/usr/bin/genhash": "-rwxr-xr-x", "/usr/bin/keepalivedctl": "-rwxr-xr-x",
		"/usr/lib/systemd/system/keepalived.service": "-rw-r--r--", "/etc/keepalived": "drwxr-xr-x",
		"/etc/keepalived/keepalived.conf.sample":         "-rw-r--r--",
		"/usr/share/licenses/keepalived/LICENSE":         "-rw-r--r--",
		"/etc/dbus-1/system.d/org.keepalived.Vrrp1.conf": "-rw-r--r--",
	})
	// The one file that differs from the package is the administrator's.
	out, _ := exec.Command("rpm", "--root", c.dir, "-V", "--nodeps", "keepalived").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "/etc/sysconfig/keepalived") {
			t.Errorf("rpm -V: %s", line)
		}
	}
	c.run("systemd-analyze verify --man=no keepalived.service && keepalived -v")
	rpm("-e", "keepalived")
	if c.exists("/usr/sbin/keepalived") || c.exists(link) || !c.exists(adminConf) || !c.exists("/etc/sysconfig/keepalived.rpmsave") {
		t.Error("after a removal: the program or its link stays, or the administrator's files do not")
	}
}

// An .apk is three compressed archives, one after the other: signature (ours
// has none), control, data. apk refuses it if its version is malformed or the
// data's digest is not that of the control file.
func TestAPKPackage(t *testing.T) {
	needDist(t)
	names, _ := filepath.Glob(filepath.Join(*dist, "keepalived_"+strings.Replace(*version, "+go", ".", 1)+"-r1_*.apk"))
	if len(names) != 1 {
		t.Fatalf("packages: %v", names)
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	in := bytes.NewReader(raw)
	buffered := bufio.NewReader(in)
	control := unpack(t, buffered, "")
	begin := len(raw) - in.Len() - buffered.Buffered()
	c := chroot{t, t.TempDir()}
	unpack(t, buffered, c.dir)

	info := string(control[".PKGINFO"])
	want := fmt.Sprintf("datahash = %x", sha256.Sum256(raw[begin:]))
	if !strings.Contains(info, want) {
		t.Errorf("control file lacks %q:\n%s", want, info)
	}
	if v := "pkgver = " + strings.Replace(*version, "+go", ".", 1) + "-r1\n"; !strings.Contains(info, v) {
		t.Errorf("control file lacks %q:\n%s", v, info)
	}
	c.modes(map[string]string{
		"/usr/sbin/keepalived": "-rwxr-xr-x", "/usr/bin/genhash": "-rwxr-xr-x", "/usr/bin/keepalivedctl": "-rwxr-xr-x",
		"/etc/init.d/keepalived": "-rwxr-xr-x", "/etc/conf.d/keepalived": "-rw-r--r--",
	})
	if out, err := exec.Command("chroot", c.dir, "/usr/sbin/keepalived", "-v").CombinedOutput(); err != nil {
		t.Errorf("the program in a root that has nothing else: %v\n%s", err, out)
	}
}

// unpack reads one compressed archive, into dir or, without one, into memory.
func unpack(t *testing.T, from *bufio.Reader, dir string) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(from)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // the control archive has no end mark: the data continues it
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = b
		if dir == "" || h.Typeflag == tar.TypeDir {
			continue
		}
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeSymlink {
			err = os.Symlink(h.Linkname, path)
		} else if err = os.WriteFile(path, b, 0o600); err == nil {
			err = os.Chmod(path, h.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, z); err != nil {
		t.Fatal(err)
	}
	return files
}

// The manual pages are what the checkers of both roff programs accept.
func TestPagesAreClean(t *testing.T) {
	needDist(t)
	pages, _ := filepath.Glob(filepath.Join(*dist, "man", "*.gz"))
	if len(pages) != 4 {
		t.Errorf("pages = %v, want 4", pages)
	}
	for _, page := range pages {
		out := shell(t, ".", `mandoc -T lint -W style "$1" 2>&1 || true
LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l "$1" 2>&1 >/dev/null`, page)
		if out != "" {
			t.Errorf("%s: %s", filepath.Base(page), out)
		}
	}
}
