package process

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked means that a living process holds the pid file: the lock decides,
// not the number in the file (process.md 1.4).
var ErrLocked = errors.New("locked by another process")

// PIDFile is a pid file that is open and locked for as long as its process runs.
type PIDFile struct {
	file *os.File
	path string
}

// OpenPIDFile opens and locks path without writing it, so that every pid file
// can be tested before anything is started. A symbolic link is refused.
func OpenPIDFile(path string) (*PIDFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open pid file: %w", err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("pid file %s: %w", path, ErrLocked)
		}
		return nil, fmt.Errorf("lock pid file %s: %w", path, err)
	}
	return &PIDFile{file: f, path: path}, nil
}

// Write replaces the content by pid. The mode is 0644 whatever the umask.
func (p *PIDFile) Write(pid int) error {
	if err := p.file.Truncate(0); err != nil {
		return fmt.Errorf("write pid file %s: %w", p.path, err)
	}
	if _, err := p.file.WriteAt(fmt.Appendf(nil, "%d\n", pid), 0); err != nil {
		return fmt.Errorf("write pid file %s: %w", p.path, err)
	}
	return p.file.Chmod(0o644)
}

// Remove deletes the file and gives up the lock.
func (p *PIDFile) Remove() {
	os.Remove(p.path)
	p.file.Close()
}

// Close gives up the lock and leaves the file.
func (p *PIDFile) Close() { p.file.Close() }
