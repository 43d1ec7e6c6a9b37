package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const procSys = "/proc/sys/"

// Names for Sysctls and ReadSysctl, below /proc/sys.
const (
	// LocalIGMPReports is what disable_local_igmp sets to 0.
	LocalIGMPReports = "net/ipv4/igmp_link_local_mcast_reports"
)

// LinkSysctl names a setting of one interface: family is "ipv4" or "ipv6", link
// an interface name, "all" or "default". Names with dots need no escape, this
// is a path.
func LinkSysctl(family, link, key string) string {
	return "net/" + family + "/conf/" + link + "/" + key
}

// ReadSysctl reads a setting of the calling thread's namespace.
func ReadSysctl(name string) (string, error) {
	b, err := os.ReadFile(procSys + name)
	if err != nil {
		return "", fmt.Errorf("read sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func writeSysctl(name, value string) error {
	f, err := os.OpenFile(procSys+name, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("set sysctl %s to %s: %w", name, value, err)
	}
	return nil
}

// Forwards reports whether the interface forwards IPv6, which is the router
// flag of its neighbour advertisements.
func Forwards(link string) bool {
	v, err := ReadSysctl(LinkSysctl("ipv6", link, "forwarding"))
	return err == nil && v != "0"
}

// Sysctls sets kernel settings and puts back what was there. It belongs to one
// goroutine.
type Sysctls struct {
	k     *Kernel
	saved []saved
}

// saved is one setting that was changed.
type saved struct {
	link     int    // index of the interface that name is about, zero if none
	family   string // with link
	key      string // with link; else the whole name
	old, set string
}

// SysctlChange says what was changed, for the log.
type SysctlChange struct{ Name, Old, New string }

// Global reports whether the change is about all interfaces, present or future:
// keepalived logs these and no others.
func (c SysctlChange) Global() bool {
	return strings.Contains(c.Name, "/conf/all/") || strings.Contains(c.Name, "/conf/default/")
}

// Dotted is the setting's name as sysctl(8) writes it.
func (c SysctlChange) Dotted() string { return strings.ReplaceAll(c.Name, "/", ".") }

// Sysctls returns an empty record of changes.
func (k *Kernel) Sysctls() *Sysctls { return &Sysctls{k: k} }

// Set sets a setting that is about no interface that may go, and remembers its
// first value.
func (s *Sysctls) Set(name, value string) error {
	return s.set(saved{key: name, set: value}, name)
}

// SetLink sets a setting of a link. It is found again by the link's index, so
// that a renamed link gets its old value back.
func (s *Sysctls) SetLink(family string, l Link, key, value string) error {
	return s.set(saved{link: l.Index, family: family, key: key, set: value}, LinkSysctl(family, l.Name, key))
}

func (s *Sysctls) set(v saved, name string) error {
	old, err := ReadSysctl(name)
	if err != nil {
		return err
	}
	if i := s.index(v); i >= 0 {
		s.saved[i].set = v.set
	} else if old != v.set {
		v.old = old
		s.saved = append(s.saved, v)
	}
	if old == v.set {
		return nil
	}
	return writeSysctl(name, v.set)
}

func (s *Sysctls) index(v saved) int {
	for i, o := range s.saved {
		if o.link == v.link && o.family == v.family && o.key == v.key {
			return i
		}
	}
	return -1
}

// RestoreLink puts back everything that was set on one link.
func (s *Sysctls) RestoreLink(index int) ([]SysctlChange, error) {
	return s.restore(func(v saved) bool { return v.link == index })
}

// Restore puts back one setting that Set changed.
func (s *Sysctls) Restore(name string) ([]SysctlChange, error) {
	return s.restore(func(v saved) bool { return v.link == 0 && v.key == name })
}

// RestoreAll puts back everything, last first.
func (s *Sysctls) RestoreAll() ([]SysctlChange, error) {
	return s.restore(func(saved) bool { return true })
}

// restore leaves alone what somebody else has changed since, and links that
// are gone.
func (s *Sysctls) restore(which func(saved) bool) ([]SysctlChange, error) {
	var kept []saved
	var changes []SysctlChange
	var errs []error
	for i := len(s.saved) - 1; i >= 0; i-- {
		v := s.saved[i]
		if !which(v) {
			kept = append([]saved{v}, kept...)
			continue
		}
		name := v.key
		if v.link != 0 {
			l, err := s.k.LinkByIndex(v.link)
			if err != nil {
				continue
			}
			name = LinkSysctl(v.family, l.Name, v.key)
		}
		now, err := ReadSysctl(name)
		if err != nil || now != v.set {
			continue
		}
		if err := writeSysctl(name, v.old); err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, SysctlChange{name, v.set, v.old})
	}
	s.saved = kept
	return changes, errors.Join(errs...)
}

// LoosenReversePath makes room for virtual MAC interfaces, which need
// rp_filter 0 on themselves: the value in force on an interface is the higher
// one of its own and that of "all", so the value of "all" is moved to
// "default" and to every interface. Nothing is done, and the result is empty,
// when "all" is 0.
func (s *Sysctls) LoosenReversePath() ([]SysctlChange, error) {
	all := LinkSysctl("ipv4", "all", "rp_filter")
	value, err := ReadSysctl(all)
	if err != nil || value == "0" {
		return nil, err
	}
	var changes []SysctlChange
	raise := func(name string, set func() error) error {
		old, err := ReadSysctl(name)
		if err != nil || number(old) >= number(value) {
			return nil // gone meanwhile, or strict enough
		}
		changes = append(changes, SysctlChange{name, old, value})
		return set()
	}
	def := LinkSysctl("ipv4", "default", "rp_filter")
	if err := raise(def, func() error { return s.Set(def, value) }); err != nil {
		return changes, err
	}
	links, err := s.k.Links()
	if err != nil {
		return changes, err
	}
	for _, l := range links {
		if l.Flags&unix.IFF_LOOPBACK != 0 {
			continue // the kernel does not filter there
		}
		err := raise(LinkSysctl("ipv4", l.Name, "rp_filter"), func() error {
			return s.SetLink("ipv4", l, "rp_filter", value)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return changes, err
		}
	}
	changes = append(changes, SysctlChange{all, value, "0"})
	return changes, s.Set(all, "0")
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
