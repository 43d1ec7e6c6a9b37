package watchdog

import (
	"net"
	"os"
	"strings"
)

// sdNotify sends one message to systemd, if systemd started this process
// (process.md 2.7): the parent's own parent is process 1, which is systemd.
func sdNotify(message string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" || os.Getppid() != 1 {
		return
	}
	if stat, err := os.ReadFile("/proc/1/stat"); err != nil || !strings.HasPrefix(string(stat), "1 (systemd) ") {
		return
	}
	if rest, abstract := strings.CutPrefix(socket, "@"); abstract {
		socket = "\x00" + rest
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(message))
}
