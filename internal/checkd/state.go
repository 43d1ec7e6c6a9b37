package checkd

import (
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
)

const (
	// saveEvery is the least time between two snapshots of what the checks have
	// found. One of 10,000 checks takes less than a millisecond.
	saveEvery = 100 * time.Millisecond
	// beatEvery is how often the process says that it lives.
	beatEvery = time.Second
	// staleAfter is how long a process may have been away for its successor to
	// believe what it left. Too old a state costs little: the first check of a
	// server, a second after the start, corrects it.
	staleAfter = 30 * time.Second
)

// stateFile is where a successor finds what this process knew when it was
// killed: the parent keeps the file.
//
//	0      8      16              24
//	| size | beat | seed of the   | state of the pool …
//	|      |      | configuration |
type stateFile struct {
	file *os.File
	conf uint64 // the seed of the configuration in force, which no other reading has

	saved    uint64 // revision of the pool that is in the file
	savedAt  time.Time
	beatAt   time.Time
	buf      []byte
	reported bool // a failure was logged
}

const stateHead = 24

// uptime is CLOCK_BOOTTIME, which all processes share.
func uptime() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return uint64(ts.Nano())
}

// read returns what a predecessor that was killed left, if its configuration
// was the one in force now. The file is empty afterwards: a state that kills its
// reader is not read twice.
func (s *stateFile) read() []byte {
	if s.file == nil {
		return nil
	}
	head := make([]byte, stateHead)
	if _, err := s.file.ReadAt(head, 0); err != nil {
		return nil // nothing was left
	}
	n := binary.NativeEndian.Uint64(head)
	away := uptime() - binary.NativeEndian.Uint64(head[8:])
	if n == 0 || n > 64<<20 || away > uint64(staleAfter) || binary.NativeEndian.Uint64(head[16:]) != s.conf {
		return nil
	}
	b := make([]byte, n)
	if _, err := s.file.ReadAt(b, stateHead); err != nil {
		return nil
	}
	s.clear()
	return b
}

// next is when save wants to be called although nothing happens.
func (s *stateFile) next(revision uint64) time.Time {
	if s.file == nil || revision == s.saved {
		return time.Time{}
	}
	return s.savedAt.Add(saveEvery)
}

// save writes the state if it has changed, and not too often.
func (s *stateFile) save(now time.Time, revision uint64, state func([]byte) []byte) {
	if s.file == nil {
		return
	}
	if revision == s.saved || now.Sub(s.savedAt) < saveEvery {
		if now.Sub(s.beatAt) >= beatEvery {
			s.beatAt = now
			s.write(binary.NativeEndian.AppendUint64(nil, uptime()), 8)
		}
		return
	}
	s.saved, s.savedAt, s.beatAt = revision, now, now
	s.buf = append(s.buf[:0], make([]byte, stateHead)...)
	binary.NativeEndian.PutUint64(s.buf[16:], s.conf)
	s.buf = state(s.buf)
	binary.NativeEndian.PutUint64(s.buf[8:], uptime())
	// The size comes last: a process that is killed in between leaves nothing
	// that looks whole.
	s.write(s.buf, 0)
	s.write(binary.NativeEndian.AppendUint64(nil, uint64(len(s.buf)-stateHead)), 0)
}

// clear leaves nothing to take over.
func (s *stateFile) clear() {
	if s.file != nil {
		s.write(make([]byte, 8), 0)
	}
}

func (s *stateFile) write(b []byte, at int64) {
	if _, err := s.file.WriteAt(b, at); err != nil && !s.reported {
		s.reported = true
		log.Info("State for a process that takes over cannot be kept: %v", err)
	}
}

// takeOver carries on where a predecessor was killed; false: there is nothing
// to carry on.
func (d *daemon) takeOver(now time.Time) bool {
	if !d.child.Respawned {
		return false
	}
	b := d.state.read()
	if b == nil || !d.pool.Restore(now, &d.conf.Checker, d.poolOptions(), b) {
		return false
	}
	alive, total := 0, 0
	for _, s := range d.pool.Snapshot() {
		alive, total = alive+s.Alive, total+len(s.Servers)
	}
	log.Info("Carrying on with what the process before had found: %d of %d real servers are alive", alive, total)
	return true
}
