// Package host tells the configuration reader what only the running system
// knows: interfaces, users, programs. The parser itself asks nothing, so that
// the language can be tested without a kernel.
package host

import (
	"context"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/script"
	"golang.org/x/sys/unix"
)

// Env is the environment of a configuration that is read now, in the network
// namespace of the calling process. Interfaces are looked up once, at the
// first question.
func Env(configID string, seed uint64) configparse.Env {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	if configID == "" {
		configID = configparse.DefaultConfigID(name)
	}
	return configparse.Env{
		ConfigID: configID,
		HostName: name,
		Seed:     seed,
		CPUs:     cpus(),
		Getenv:   os.Getenv,
		Link:     links(),
		User:     account,
		Group:    group,
		Script:   scriptState,
		LookPath: lookPath,
		Resolve:  resolve,
		Enter:    canEnter,
		SaveDir:  saveDir,
		TrackDir: trackDir,
		Writable: func(path string) bool { return unix.Access(path, unix.W_OK) == nil },
		Mode: func(path string) (os.FileMode, bool) {
			st, err := os.Stat(path)
			if err != nil {
				return 0, false
			}
			return st.Mode(), true
		},
	}
}

// cpus is how many processors the system has online, not how many this
// process may use.
func cpus() int {
	b, _ := os.ReadFile("/sys/devices/system/cpu/online")
	if n := countCPUs(strings.TrimSpace(string(b))); n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// countCPUs counts what the kernel lists as in "0-3,6"; 0 if it is no list.
func countCPUs(list string) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || to < from {
			return 0
		}
		n += to - from + 1
	}
	return n
}

// links looks interfaces up in one dump.
func links() func(string) (configparse.Link, bool) {
	var known map[string]configparse.Link
	return func(name string) (configparse.Link, bool) {
		if known == nil {
			known = dumpLinks()
		}
		l, ok := known[name]
		return l, ok
	}
}

func dumpLinks() map[string]configparse.Link {
	known := map[string]configparse.Link{}
	k, err := kernel.Open()
	if err != nil {
		return known
	}
	defer k.Close()
	all, err := k.Links()
	if err != nil {
		return known
	}
	names := map[int]string{}
	for _, l := range all {
		names[l.Index] = l.Name
	}
	for _, l := range all {
		known[l.Name] = Link(l, names[l.Parent])
	}
	return known
}

// Link is an interface as the parser sees it. parent is the name of the one
// that it is on.
func Link(l kernel.Link, parent string) configparse.Link {
	c := configparse.Link{
		Index: l.Index, MTU: l.MTU, Kind: l.Kind,
		Loopback:    l.Flags&unix.IFF_LOOPBACK != 0,
		NoMulticast: !l.Multicast(),
		Ethernet:    l.Type == unix.ARPHRD_ETHER,
		VRF:         l.Kind == "vrf",
		Table:       l.VRFTable,
	}
	c.Private = l.IsPrivateMacvlan()
	if l.Kind == "macvlan" || l.Kind == "ipvlan" {
		c.Base = parent
	}
	return c
}

// account finds a user by name. Numbers are no names: keepalived refuses them
// (seen with 2.2.7), although they would do.
func account(name string) (configparse.User, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return configparse.User{}, false
	}
	c, err := script.Lookup(u.Username, "")
	return configparse.User{UID: c.UID, GID: c.GID}, err == nil
}

func group(name string) (uint32, bool) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid), err == nil
}

// scriptState asks internal/script, which also runs the programs, so that what
// is tested is what would happen.
func scriptState(q configparse.ScriptQuery) configparse.ScriptState {
	c := script.Command{Args: []string{q.Path}, Cred: script.Credentials{UID: q.UID, GID: q.GID}}
	f := c.Check(script.Security{Enabled: true}) // without, an unsafe path is told and run
	return configparse.ScriptState{
		Why:        f.Lines,
		Missing:    f.Verdict == script.Missing || f.Verdict == script.NotExecutable,
		Insecure:   f.Unsafe,
		SymlinkDir: f.Verdict == script.Insecure && !f.Unsafe,
	}
}

func lookPath(name string) (string, bool) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path, true
		}
	}
	return "", false
}

// resolve finds the address of smtp_server. A name server that does not answer
// must not hold up the start for long.
func resolve(host string) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil || len(addrs) == 0 {
		return "", false
	}
	return addrs[0], true
}

// canEnter tells whether a network namespace of that name is there and may be
// opened.
func canEnter(namespace string) bool {
	f, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// saveDir makes the directory of config_save_dir and says in the original's
// words what is wrong with it; empty if nothing is.
func saveDir(dir string) string {
	switch st, err := os.Stat(dir); {
	case err == nil && !st.IsDir():
		return "config_save_dir " + dir + " exists and is not a directory"
	case err == nil:
		return ""
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		errno := errnoOf(err)
		return "Unable to create config_save_dir " + dir + " (error " + strconv.Itoa(int(errno)) + " - " + errnoText(errno) + ")"
	}
	return ""
}

func errnoOf(err error) unix.Errno {
	if e, ok := rootCause(err).(unix.Errno); ok {
		return e
	}
	return unix.ENOENT
}

// unwatched are the magic numbers of filesystems whose files change without
// a sign.
var unwatched = []int64{unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC}

// trackDir says what is wrong with the directory of the file of a track_file
// block called name, in the original's words; empty if it can be watched.
func trackDir(file, name string) string {
	real, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		errno := errnoOf(err)
		return "realpath() error " + strconv.Itoa(int(errno)) + " (" + errnoText(errno) + ") for " + name
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(real, &fs); err == nil &&
		(fs.Flags&unix.ST_RDONLY != 0 || slices.Contains(unwatched, int64(fs.Type))) {
		return "The filesystem of " + file + " is read only or cannot be monitored - ignoring"
	}
	return ""
}
