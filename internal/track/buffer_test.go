package track

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestReceiveBufferOfProcessEvents(t *testing.T) {
	c, err := openConnector()
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	defer c.file.Close()
	for _, test := range []struct {
		size  int
		force bool
	}{{40000, false}, {50000, true}} {
		c.setBuffer(test.size, test.force)
		raw, err := c.file.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if err := raw.Control(func(fd uintptr) { got, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) }); err != nil {
			t.Fatal(err)
		}
		if got != 2*test.size { // the kernel counts its own use too
			t.Errorf("buffer of %d, force %t: %d bytes, want twice as much", test.size, test.force, got)
		}
	}
}
