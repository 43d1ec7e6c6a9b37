package track

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
)

// maxFile is how much of a tracked file is read.
const maxFile = 127

// What is watched in a file's directory, and what of it means that the file
// has a new content.
const (
	fileGone    = unix.IN_DELETE | unix.IN_MOVED_FROM
	fileWritten = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO
	fileEvents  = fileGone | fileWritten | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
)

// Files watches tracked files by inotify on their directories, so that a file
// may come, go and be replaced by a rename. Its methods belong to the loop; one
// goroutine reads events and files, and posts.
type Files struct {
	post   Post
	report func(now time.Time, e FileEvent)
	inotif *os.File

	values map[string]int32 // by name; the loop's

	mu      sync.Mutex // guards what the reader looks up
	watches map[int][]watchedFile
}

// watchedFile is a tracked file below one watched directory.
type watchedFile struct {
	File
	base string
}

// NewFiles returns a watcher without files. report is called from the loop
// each time a file's value changes.
func NewFiles(post Post, report func(now time.Time, e FileEvent)) (*Files, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	f := &Files{
		post: post, report: report, inotif: os.NewFile(uintptr(fd), "inotify"),
		values: map[string]int32{}, watches: map[int][]watchedFile{},
	}
	go f.read()
	return f, nil
}

// Set replaces the files and returns the value of each that is watched, in the
// same order. At the start files with Create are written first. missing names
// files whose directory does not exist: they are not tracked.
func (f *Files) Set(files []File, start bool) (values []FileEvent, missing []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.watches
	f.watches = map[int][]watchedFile{}
	before := f.values
	f.values = map[string]int32{}
	for _, file := range files {
		if start && file.Create {
			file.write()
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(file.Path))
		if err != nil {
			missing = append(missing, file.Name)
			continue
		}
		wd, err := unix.InotifyAddWatch(int(f.inotif.Fd()), dir, fileEvents)
		if err != nil {
			missing = append(missing, file.Name)
			continue
		}
		f.watches[wd] = append(f.watches[wd], watchedFile{file, filepath.Base(file.Path)})
		value, ok := file.read()
		if !ok {
			value = before[file.Name]
		}
		f.values[file.Name] = value
		values = append(values, FileEvent{file.Name, value})
	}
	for wd := range old {
		if _, ok := f.watches[wd]; !ok {
			_, _ = unix.InotifyRmWatch(int(f.inotif.Fd()), uint32(wd))
		}
	}
	return values, missing
}

// Value returns the last value of a tracked file.
func (f *Files) Value(name string) int32 { return f.values[name] }

// Close ends the watching.
func (f *Files) Close() { f.inotif.Close() }

// write makes the file with its first value, unless it is there already.
func (f File) write() {
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if f.Overwrite {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(f.Path, how, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(file, "%d\n", f.Init)
		err = errors.Join(err, file.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		log.Info("Unable to initialise tracked file %s: %v", f.Path, err)
	}
}

// read returns the file's value. A file that cannot be read has the value 0;
// ok is false for a number that does not fit, which changes nothing.
func (f File) read() (value int32, ok bool) {
	// Without O_NONBLOCK a FIFO in the file's place would hold us up.
	fd, err := unix.Open(f.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, true
	}
	defer unix.Close(fd)
	buf := make([]byte, maxFile)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return 0, true
	}
	number := leadingInteger(string(buf[:n]))
	if number < math.MinInt32 || number > math.MaxInt32 {
		log.Info("Invalid number %d read from %s - ignoring", number, f.Path)
		return 0, false
	}
	return int32(number), true
}

// leadingInteger reads a number as strtol does with base 0: white space, sign,
// 0x for hexadecimal, 0 for octal, and the end at the first other character.
func leadingInteger(s string) int64 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	base, digits := 10, "0123456789"
	switch {
	case len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && isHex(s[2]):
		base, digits, s = 16, "0123456789abcdefABCDEF", s[2:]
	case strings.HasPrefix(s, "0"):
		base, digits = 8, "01234567"
	}
	end := 0
	for end < len(s) && strings.IndexByte(digits, s[end]) >= 0 {
		end++
	}
	n, _ := strconv.ParseInt(sign+s[:end], base, 64) // out of range gives the limit
	return n
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// read is the goroutine that waits for changes.
func (f *Files) read() {
	buf := make([]byte, 64*1024)
	for {
		n, err := f.inotif.Read(buf)
		if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Info("Reading changes of tracked files: %v", err)
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			// struct inotify_event: wd, mask, cookie, len, name.
			wd := int(int32(binary.NativeEndian.Uint32(b)))
			mask := binary.NativeEndian.Uint32(b[4:])
			length := int(binary.NativeEndian.Uint32(b[12:]))
			end := min(unix.SizeofInotifyEvent+length, len(b))
			name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")
			b = b[end:]
			f.happened(wd, mask, name)
		}
	}
}

// happened reads again what an event may have changed, and posts it.
func (f *Files) happened(wd int, mask uint32, name string) {
	f.mu.Lock()
	var again []watchedFile
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0: // events were lost: look at everything
		for _, files := range f.watches {
			again = append(again, files...)
		}
	case mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF) != 0:
		again = f.watches[wd]
	case mask&(fileGone|fileWritten) != 0:
		for _, file := range f.watches[wd] {
			if file.base == name {
				again = append(again, file)
			}
		}
	}
	f.mu.Unlock()
	for _, file := range again {
		value, ok := file.read()
		if !ok {
			continue
		}
		f.post(func(now time.Time) { f.changed(now, file.Name, value) })
	}
}

func (f *Files) changed(now time.Time, name string, value int32) {
	if before, ok := f.values[name]; !ok || before == value {
		return
	}
	f.values[name] = value
	f.report(now, FileEvent{name, value})
}
