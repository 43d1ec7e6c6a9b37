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

// pieceBytes is how much is written at once. A pipe takes so much as one piece
// (PIPE_BUF), so that the lines of processes that share it do not mix.
const pieceBytes = 4096

// lineWriter writes "time: text" lines to the console or a file, many at once:
// each call may wake who reads them.
type lineWriter struct {
	file  *os.File
	nanos bool
	owned bool // close the file at the end
	buf   []byte
	held  int // lines in buf
}

func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

func (w *lineWriter) write(e entry) (lost int) {
	format := consoleTime
	if w.nanos {
		format = fileTime
	}
	text := e.Text
	if len(text) > lineBytes {
		text = text[:lineBytes]
	}
	if len(w.buf)+len(format)+len(text)+len(": \n") > pieceBytes {
		lost = w.flush()
	}
	w.buf = e.Time.AppendFormat(w.buf, format)
	w.buf = append(w.buf, ": "...)
	w.buf = append(w.buf, strings.ReplaceAll(text, "\n", " ")...)
	w.buf = append(w.buf, '\n')
	w.held++
	return lost
}

func (w *lineWriter) flush() (lost int) {
	if w.held > 0 {
		if _, err := w.file.Write(w.buf); err != nil {
			lost = w.held
		}
	}
	w.buf, w.held = w.buf[:0], 0
	return lost
}

func (w *lineWriter) close() {
	if w.owned {
		w.file.Close()
	}
}
