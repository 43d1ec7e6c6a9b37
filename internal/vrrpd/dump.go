package vrrpd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
)

// dumpStats writes the statistics (SIGUSR2), and sets the counters to zero
// afterwards if asked to (signal 63). The text is made by the loop, the file
// is written by a goroutine: a slow disk delays nothing.
func (d *daemon) dumpStats(now time.Time, clear bool) {
	verb := "Printing"
	if clear {
		verb = "Printing and clearing"
	}
	log.Info("%s VRRP stats for process(%d) on signal", verb, os.Getpid())
	snap := d.router.Snapshot(now)
	if clear {
		d.router.ClearStats()
	}
	go func() {
		var b bytes.Buffer
		report.Stats(&b, &snap)
		writeDump(filepath.Join(dumpDir(), "keepalived.stats"), b.Bytes())
	}()
}

// dumpDir is where dumps go: TMPDIR if it is absolute, else /tmp.
func dumpDir() string {
	if dir := os.Getenv("TMPDIR"); strings.HasPrefix(dir, "/") {
		return dir
	}
	return "/tmp"
}

// writeDump replaces a file through a temporary name, so that a reader never
// sees half of it and a symbolic link in the way is not followed.
func writeDump(name string, content []byte) {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err == nil {
		_, err = tmp.Write(content)
		if cerr := tmp.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Rename(tmp.Name(), name)
		}
		if err != nil {
			os.Remove(tmp.Name())
		}
	}
	if err != nil {
		log.Info("Can't open dump file %s (%v)", name, err)
	}
}
