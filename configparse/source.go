package configparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Opener is how the parser sees the file system. Names are absolute or
// relative to Dir.
type Opener interface {
	Dir() string // working directory, absolute
	Stat(name string) (Info, error)
	List(dir string) ([]string, error) // names in a directory, without . and ..
	Read(name string) (string, error)  // contents of a regular file
}

// Info is what the parser wants to know of a file before it reads it.
type Info struct {
	Mode fs.FileMode
	Size int64
}

// maxFile bounds one file; a larger one is refused with a message.
const maxFile = 256 << 20

// System opens files of the running system.
type System struct{}

// Dir is the working directory of the process.
func (System) Dir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "/"
	}
	return dir
}

// Stat follows symbolic links.
func (System) Stat(name string) (Info, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return Info{Mode: st.Mode(), Size: st.Size()}, nil
}

// List gives the names in a directory.
func (System) List(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Read refuses what is not a regular file, so that no device or FIFO is waited
// for, and what is larger than any configuration.
func (System) Read(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", name)
	}
	if st.Size() > maxFile {
		return "", fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	var b strings.Builder
	b.Grow(int(st.Size()))
	if _, err := io.Copy(&b, io.LimitReader(f, maxFile+1)); err != nil { // it may grow meanwhile
		return "", err
	}
	if b.Len() > maxFile {
		return "", fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	return b.String(), nil
}

// Files is an Opener over a map from absolute or relative names to contents.
type Files map[string]string

// Dir is the root of the map.
func (Files) Dir() string { return "/" }

// Stat knows the files and the directories that their names imply.
func (f Files) Stat(name string) (Info, error) {
	name = f.clean(name)
	if s, ok := f.get(name); ok {
		return Info{Mode: 0o644, Size: int64(len(s))}, nil
	}
	if names, _ := f.List(name); len(names) > 0 || name == "/" {
		return Info{Mode: fs.ModeDir | 0o755}, nil
	}
	return Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// List gives the first path element of every file below dir.
func (f Files) List(dir string) ([]string, error) {
	dir = f.clean(dir)
	seen := map[string]bool{}
	for name := range f {
		rel, err := filepath.Rel(dir, f.clean(name))
		if err != nil || rel == "." || len(rel) > 1 && rel[:2] == ".." {
			continue
		}
		first, _, _ := strings.Cut(rel, "/")
		seen[first] = true
	}
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	return names, nil
}

// Read gives the contents.
func (f Files) Read(name string) (string, error) {
	if s, ok := f.get(f.clean(name)); ok {
		return s, nil
	}
	return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (f Files) clean(name string) string { return filepath.Join("/", name) }

func (f Files) get(clean string) (string, bool) {
	if s, ok := f[clean]; ok {
		return s, true
	}
	s, ok := f[clean[1:]]
	return s, ok
}

// Recorder passes everything on to Opener and remembers the answers, so that
// the children of the daemon can read exactly what the parent read.
type Recorder struct {
	Opener Opener

	mu      sync.Mutex
	answers map[request]answer
}

type request struct {
	op   byte // 's'tat, 'l'ist, 'r'ead
	name string
}

type answer struct {
	info  Info
	names []string
	data  string
	err   string
	errno int // of fs.ErrNotExist and the like: 0 other, 1 not there, 2 not allowed
}

func (a answer) equal(b answer) bool {
	return a.info == b.info && a.err == b.err && a.errno == b.errno && a.data == b.data && slices.Equal(a.names, b.names)
}

// NewRecorder records what is asked of open.
func NewRecorder(open Opener) *Recorder {
	return &Recorder{Opener: open, answers: map[request]answer{}}
}

func (r *Recorder) keep(op byte, name string, a answer, err error) {
	if err != nil {
		a.err = err.Error()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			a.errno = 1
		case errors.Is(err, fs.ErrPermission):
			a.errno = 2
		}
	}
	r.mu.Lock()
	r.answers[request{op, name}] = a
	r.mu.Unlock()
}

// Dir is the working directory of the recorded Opener.
func (r *Recorder) Dir() string { return r.Opener.Dir() }

// Stat asks and remembers.
func (r *Recorder) Stat(name string) (Info, error) {
	info, err := r.Opener.Stat(name)
	r.keep('s', name, answer{info: info}, err)
	return info, err
}

// List asks and remembers.
func (r *Recorder) List(dir string) ([]string, error) {
	names, err := r.Opener.List(dir)
	r.keep('l', dir, answer{names: names}, err)
	return names, err
}

// Read asks and remembers.
func (r *Recorder) Read(name string) (string, error) {
	data, err := r.Opener.Read(name)
	r.keep('r', name, answer{data: data}, err)
	return data, err
}

// Archive is a recording that can be asked again: an Opener that never
// touches the file system. What was not asked before is not there.
type Archive struct {
	// Seed is what _RANDOM was seeded with: every process must draw the same.
	Seed uint64

	dir     string
	answers map[request]answer
}

// Archive is what was recorded until now.
func (r *Recorder) Archive(seed uint64) *Archive {
	return &Archive{Seed: seed, dir: r.Dir(), answers: r.answers}
}

// Confirms reports whether every answer that r has is also in the archive: what
// was read through r is then what would be read from the archive.
func (a *Archive) Confirms(r *Recorder) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Dir() != a.dir {
		return false
	}
	for q, got := range r.answers {
		if was, ok := a.answers[q]; !ok || !got.equal(was) {
			return false
		}
	}
	return true
}

func (a *Archive) ask(op byte, name string) (answer, error) {
	got, ok := a.answers[request{op, name}]
	switch {
	case !ok || got.errno == 1:
		return got, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case got.errno == 2:
		return got, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case got.err != "":
		return got, errors.New(got.err)
	}
	return got, nil
}

// Dir is the working directory at the time of the recording.
func (a *Archive) Dir() string { return a.dir }

// Stat answers as it was.
func (a *Archive) Stat(name string) (Info, error) {
	got, err := a.ask('s', name)
	return got.info, err
}

// List answers as it was.
func (a *Archive) List(dir string) ([]string, error) {
	got, err := a.ask('l', dir)
	return got.names, err
}

// Read answers as it was.
func (a *Archive) Read(name string) (string, error) {
	got, err := a.ask('r', name)
	return got.data, err
}

// archiveMagic changes when the encoding does: parent and children are the
// same binary, but a binary may be replaced while the parent runs.
const archiveMagic = "keepalived-go archive 1\n"

// Encode gives the archive as bytes for DecodeArchive.
func (a *Archive) Encode() []byte {
	size := 1 << 10
	for q, got := range a.answers {
		size += len(q.name) + len(got.data) + 64*(1+len(got.names))
	}
	b := append(make([]byte, 0, size), archiveMagic...)
	b = binary.AppendUvarint(b, a.Seed)
	b = appendString(b, a.dir)
	b = binary.AppendUvarint(b, uint64(len(a.answers)))
	for q, got := range a.answers {
		b = appendString(append(b, q.op), q.name)
		b = binary.AppendUvarint(b, uint64(got.info.Mode))
		b = binary.AppendUvarint(b, uint64(got.info.Size))
		b = binary.AppendUvarint(b, uint64(got.errno))
		b = appendString(b, got.err)
		b = appendString(b, got.data)
		b = binary.AppendUvarint(b, uint64(len(got.names)))
		for _, n := range got.names {
			b = appendString(b, n)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ErrArchive says that bytes are not an archive of this version.
var ErrArchive = errors.New("not a configuration archive of this version")

// DecodeArchive is the reverse of Encode.
func DecodeArchive(b []byte) (*Archive, error) {
	if !bytes.HasPrefix(b, []byte(archiveMagic)) {
		return nil, ErrArchive
	}
	d := decoder{b: string(b[len(archiveMagic):])}
	a := &Archive{Seed: d.number(), dir: d.text(), answers: map[request]answer{}}
	for n := d.number(); n > 0 && !d.bad; n-- {
		q := request{op: d.byte()}
		q.name = d.text()
		var got answer
		got.info = Info{Mode: fs.FileMode(d.number()), Size: int64(d.number())}
		got.errno, got.err, got.data = int(d.number()), d.text(), d.text()
		for k := d.number(); k > 0 && !d.bad; k-- {
			got.names = append(got.names, d.text())
		}
		a.answers[q] = got
	}
	if d.bad {
		return nil, ErrArchive
	}
	return a, nil
}

// decoder takes values from the beginning of b, and gives parts of it.
type decoder struct {
	b   string
	bad bool
}

func (d *decoder) number() uint64 {
	n, k := binary.Uvarint([]byte(d.b[:min(len(d.b), binary.MaxVarintLen64)]))
	if k <= 0 {
		d.bad, d.b = true, ""
		return 0
	}
	d.b = d.b[k:]
	return n
}

func (d *decoder) text() string {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, ""
		return ""
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}
