package vmtest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// archive writes the kernel's initramfs format, cpio "newc". Several archives
// may stand one after the other in one file.
type archive struct {
	w    io.Writer
	n    int64
	ino  int
	seen map[string]bool
	err  error
}

func newArchive(w io.Writer) *archive { return &archive{w: w, seen: map[string]bool{}} }

var mergedUsr = regexp.MustCompile(`^(bin|sbin|lib|lib64)/`)

// entry writes one file, folder, link or device with its mode bits as in
// stat; folders above it are made. A name that is there stays as it is.
func (a *archive) entry(name string, mode uint32, data []byte, rdev ...int) {
	name = mergedUsr.ReplaceAllString(strings.TrimLeft(name, "/"), "usr/$1/")
	if name == "" || name == "." || a.seen[name] {
		return
	}
	if dir := path.Dir(name); dir != "." {
		a.entry(dir, 0o040755, nil)
	}
	a.seen[name] = true
	a.ino++
	major, minor := 0, 0
	if len(rdev) == 2 {
		major, minor = rdev[0], rdev[1]
	}
	h := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", a.ino, mode, 0, 0, 1, 0,
		len(data), 0, 0, major, minor, len(name)+1, 0)
	a.write([]byte(h + name + "\x00"))
	a.pad(4)
	a.write(data)
	a.pad(4)
}

func (a *archive) write(b []byte) {
	if a.err == nil {
		var n int
		n, a.err = a.w.Write(b)
		a.n += int64(n)
	}
}

func (a *archive) pad(to int64) {
	if r := a.n % to; r != 0 {
		a.write(bytes.Repeat([]byte{0}, int(to-r)))
	}
}

func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	a.pad(512)
	return a.err
}

// add copies a file of this machine, or a folder with all that is in it; a
// link is followed.
func (a *archive) add(src, dst string) error {
	return filepath.WalkDir(src, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Stat(p)
		if err != nil || st.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		to := dst
		if rel, _ := filepath.Rel(src, p); rel != "." {
			to = path.Join(dst, rel)
		}
		a.entry(to, 0o100000|uint32(st.Mode().Perm()), b)
		return a.err
	})
}

var libraryLine = regexp.MustCompile(`(/[^ )]+) \(0x`)

// program copies an executable and the libraries that it is linked with.
func (a *archive) program(src, dst string) error {
	b, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	a.entry(dst, 0o100755, b)
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil // a script
	}
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) == 0 {
		return err
	}
	out, err := exec.Command("ldd", src).Output()
	if err != nil {
		return fmt.Errorf("ldd %s: %w", src, err)
	}
	for _, m := range libraryLine.FindAllStringSubmatch(string(out), -1) {
		if err := a.add(m[1], m[1]); err != nil {
			return err
		}
	}
	return a.err
}
