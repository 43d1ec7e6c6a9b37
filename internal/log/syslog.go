package log

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reconnectAfter is how long a missing /dev/log is left alone.
const reconnectAfter = time.Second

// syslogWriter sends datagrams to the local syslog daemon in the format of
// the C library's syslog: "<pri>Mon _2 15:04:05 ident[pid]: text".
type syslogWriter struct {
	path  string
	conn  *os.File
	retry time.Time
	buf   []byte
}

func (w *syslogWriter) write(e entry) (lost int) {
	w.buf = append(w.buf[:0], '<')
	w.buf = strconv.AppendInt(w.buf, int64(e.facility<<3|int(e.Level)), 10)
	w.buf = append(w.buf, '>')
	w.buf = e.Time.AppendFormat(w.buf, time.Stamp)
	w.buf = append(w.buf, ' ')
	w.buf = append(w.buf, e.ident...)
	w.buf = append(w.buf, '[')
	w.buf = strconv.AppendInt(w.buf, int64(e.pid), 10)
	w.buf = append(w.buf, "]: "...)
	w.buf = append(w.buf, e.Text...)
	connected := w.conn != nil
	if w.send() {
		return 0
	}
	if connected { // the daemon was restarted: its new socket is another one
		w.close()
		w.retry = time.Time{}
		if w.send() {
			return 0
		}
	}
	return 1
}

// flush has nothing to do: each line is a datagram.
func (w *syslogWriter) flush() int { return 0 }

func (w *syslogWriter) send() bool {
	if w.conn == nil && !w.connect() {
		return false
	}
	_, err := w.conn.Write(w.buf)
	return err == nil
}

func (w *syslogWriter) connect() bool {
	if time.Now().Before(w.retry) {
		return false
	}
	w.retry = time.Now().Add(reconnectAfter)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: w.path}); err != nil {
		unix.Close(fd)
		return false
	}
	// Non-blocking, so the goroutine waits in the poller and not in a thread.
	w.conn = os.NewFile(uintptr(fd), w.path)
	return true
}

func (w *syslogWriter) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}
