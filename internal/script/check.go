package script

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Security is what global_defs says about scripts.
type Security struct {
	Enabled      bool // enable_script_security
	SymlinkPaths bool // use_symlink_paths: execute the configured name, not what it resolves to
}

// Verdict is what became of a checked command.
type Verdict int

// The verdicts. Everything but Usable must not be run.
const (
	Usable        Verdict = iota
	Missing               // not found or not accessible: "since not found/accessible"
	NotExecutable         // found, but not for its user
	Insecure              // "due to insecure"
)

// Finding is the result of Check.
type Finding struct {
	Verdict Verdict
	// Unsafe says that somebody but root can change what runs as root. With
	// Security.Enabled the verdict is Insecure then.
	Unsafe bool
	// Found says that the file exists: such a script counts for the line
	// "SECURITY VIOLATION - scripts are being executed but …".
	Found bool
	// Lines are to be logged, in order.
	Lines []string
}

func (f *Finding) say(format string, args ...any) {
	f.Lines = append(f.Lines, fmt.Sprintf(format, args...))
}

// Check finds the file that the command executes and sets c.Path and c.Shell.
// It is done at start and at every reload.
func (c *Command) Check(sec Security) Finding {
	var f Finding
	c.Path, c.Shell = "", false
	if len(c.Args) == 0 {
		f.Verdict = Missing
		return f
	}
	if c.reads() {
		return f
	}
	name := c.Args[0]
	if !strings.Contains(name, "/") {
		if name = c.search(&f); name == "" {
			f.Verdict = Missing
			return f
		}
	}
	// The kernel resolves the name, not a lexical clean-up: a/../b needs a.
	real, err := filepath.EvalSymlinks(name)
	if err == nil {
		err = c.Cred.reach(real)
	}
	if err != nil {
		f.Verdict = Missing
		f.say("Script %s cannot be accessed - %s", c.Args[0], strerror(errnoOf(err)))
		return f
	}
	real = absolute(real)
	clean := absolute(filepath.Clean(name))
	f.Found = true
	info, err := os.Stat(real)
	if err != nil {
		f.Verdict = Missing
		f.say("Script %s cannot be accessed - %s", c.Args[0], strerror(errnoOf(err)))
		return f
	}
	if info.Mode().IsRegular() {
		if !c.Cred.may(info, 1) {
			f.Verdict = NotExecutable
			f.say("WARNING - script '%s' is not executable for uid:gid %d:%d - disabling.", clean, c.Cred.UID, c.Cred.GID)
			return f
		}
		if c.Shell = !executable(real); c.Shell {
			f.say("Please add a #! shebang to script %s", clean)
		}
	}
	c.Path = real
	if sec.SymlinkPaths {
		c.Path = clean
	}
	if c.Cred.UID == 0 || c.Cred.GID == 0 || setIDRoot(info) {
		f.secure(clean, real, sec)
	}
	return f
}

// secure walks the configured path and, if different, the real one.
func (f *Finding) secure(name, real string, sec Security) {
	paths := []string{name}
	if real != name {
		paths = append(paths, real)
	}
	for _, path := range paths {
		bad, why, wrongType := weakest(path)
		switch {
		case bad == "":
			continue
		case wrongType:
			f.Verdict = Insecure
			f.say("Wrong file type found in script path '%s'.", path)
			f.say("  %s %s", bad, why)
		case sec.Enabled:
			f.Verdict = Insecure
			f.Unsafe = true
			f.say("Unsafe permissions found for script '%s' - disabling.", path)
			f.say("  %s %s", bad, why)
		default:
			f.Unsafe = true
			f.say("Unsafe permissions found for script '%s'.", path)
			f.say("  %s %s", bad, why)
		}
		return
	}
}

// weakest returns the first component of the path that somebody but root could
// change, and what to do about it; empty if there is none. wrongType tells of a
// component that is no directory, or an end that is no file.
func weakest(path string) (bad, why string, wrongType bool) {
	end := 1
	for {
		part := path[:end]
		last := end == len(path)
		info, err := os.Lstat(part)
		if err != nil {
			return part, strerror(errnoOf(err)), true
		}
		switch mode := info.Mode(); {
		case last && !mode.IsRegular() && mode&fs.ModeSymlink == 0:
			return part, "is not a regular file", true
		case !last && mode&fs.ModeSymlink != 0:
			return part, "is a symbolic link: name the directory it leads to", true
		case !last && !mode.IsDir():
			return part, "is not a directory", true
		}
		if why := weakness(info); why != "" {
			return part, why, false
		}
		if last {
			return "", "", false
		}
		// path is clean: "/" is the first part, then up to each following slash.
		from := end
		if part != "/" {
			from++
		}
		if i := strings.IndexByte(path[from:], '/'); i >= 0 {
			end = from + i
		} else {
			end = len(path)
		}
	}
}

// weakness says how somebody but root can change this file or directory.
func weakness(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&fs.ModeSymlink != 0 {
		return "" // the mode of a link means nothing
	}
	perm := info.Mode().Perm()
	if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
		perm &^= 0o022 // others can add files, but not replace ours
	}
	switch {
	case st.Uid != 0:
		return fmt.Sprintf("belongs to uid %d: chown root %s", st.Uid, info.Name())
	case perm&0o002 != 0:
		return "is writable by everybody: chmod o-w " + info.Name()
	case perm&0o020 != 0 && st.Gid != 0:
		return fmt.Sprintf("is writable by group %d: chmod g-w %s", st.Gid, info.Name())
	}
	return ""
}

// search looks for the program along PATH as its user.
func (c *Command) search(f *Finding) string {
	denied := false
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if dir == "" {
			dir = "."
		}
		name := filepath.Join(dir, c.Args[0])
		info, err := os.Stat(name)
		if err != nil || info.IsDir() {
			continue
		}
		if c.Cred.reach(name) != nil || !c.Cred.may(info, 1) {
			denied = true
			continue
		}
		f.say("WARNING - script `%s` resolved by path search to `%s`. Please specify full path.", c.Args[0], name)
		return name
	}
	if denied {
		f.say("Permissions failure for script %s in path - disabling", c.Args[0])
	} else {
		f.say("Cannot find script %s in path - disabling", c.Args[0])
	}
	return ""
}

// reach reports whether the user may search every directory above the file.
func (c Credentials) reach(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !c.may(info, 1) {
			return syscall.EACCES
		}
		if dir == "/" || dir == "." {
			return nil
		}
	}
}

// may reports whether the mode bits let the user do what bit says (4 read, 2
// write, 1 execute or search). Root may search everything, but executes only
// what somebody may execute.
func (c Credentials) may(info fs.FileInfo, bit fs.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	perm := info.Mode().Perm()
	switch {
	case c.UID == 0:
		return bit != 1 || info.IsDir() || perm&0o111 != 0
	case c.UID == st.Uid:
		return perm&(bit<<6) != 0
	case c.member(st.Gid):
		return perm&(bit<<3) != 0
	}
	return perm&bit != 0
}

// executable reports whether the kernel can execute the file: a #! line or ELF.
// Other formats can be registered (binfmt_misc); the shell then fails as the
// kernel does without them.
func executable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true // unreadable, which is no reason against executing it
	}
	defer f.Close()
	var head [4]byte
	n, _ := f.Read(head[:])
	return strings.HasPrefix(string(head[:n]), "#!") || string(head[:n]) == "\x7fELF"
}

// setIDRoot reports whether the file runs as root whoever starts it.
func setIDRoot(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (info.Mode()&fs.ModeSetuid != 0 && st.Uid == 0 || info.Mode()&fs.ModeSetgid != 0 && st.Gid == 0)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// errnoOf digs the error number out of a path error.
func errnoOf(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
