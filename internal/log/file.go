package log

import (
	"os"
	"strings"
	"syscall"
)

// lineBytes is where the original cuts a line on the console and in files;
// syslog gets lines whole.
const lineBytes = 510

// The original's strftime format %c in the C locale; files have nanoseconds.
const (
	consoleTime = "Mon Jan _2 15:04:05 2006"
	fileTime    = "Mon Jan _2 15:04:05.000000000 2006"
)

// lineWriter writes "time: text" lines to the console or a file.
type lineWriter struct {
	file  *os.File
	nanos bool
	owned bool // close the file at the end
	buf   []byte
}

func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

func (w *lineWriter) write(e entry) bool {
	format := consoleTime
	if w.nanos {
		format = fileTime
	}
	text := e.Text
	if len(text) > lineBytes {
		text = text[:lineBytes]
	}
	w.buf = e.Time.AppendFormat(w.buf[:0], format)
	w.buf = append(w.buf, ": "...)
	w.buf = append(w.buf, strings.ReplaceAll(text, "\n", " ")...)
	w.buf = append(w.buf, '\n')
	_, err := w.file.Write(w.buf)
	return err == nil
}

func (w *lineWriter) close() {
	if w.owned {
		w.file.Close()
	}
}
