package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/keepalived-go/keepalived/configparse"
)

// Directory is where dumps go: TMPDIR, if that is absolute, or /tmp.
func Directory() string {
	if dir := os.Getenv("TMPDIR"); strings.HasPrefix(dir, "/") {
		return strings.TrimRight(dir, "/")
	}
	return "/tmp"
}

// DataFile is the name of a process's data dump (process.md 3.2 and 1.8).
// suffix tells the processes apart: "", "_parent", "_check", "_bfd".
func DataFile(g *configparse.Global, suffix string) string {
	dir, base := Directory(), "keepalived.data"
	if f := g.StateDumpFile; f != "" {
		switch {
		case strings.HasSuffix(f, "/"):
			dir = f
		case strings.HasPrefix(f, "/"):
			dir, base = filepath.Split(f)
		default:
			base = f
		}
	}
	ext := filepath.Ext(base)
	name := strings.TrimSuffix(base, ext) + suffix
	if g.DataUseInstance {
		var parts []string
		for _, p := range []string{g.NetNamespace, g.Instance} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		if len(parts) > 0 {
			name += "." + strings.Join(parts, "_")
		}
	}
	return filepath.Join(dir, name+ext)
}

// StatsFile is the name of the statistics file.
func StatsFile(g *configparse.Global) string { return dumpFile(g.StatsDumpFile, "keepalived.stats") }

// JSONFile is the name of the JSON file.
func JSONFile(g *configparse.Global) string { return dumpFile(g.JSONDumpFile, "keepalived.json") }

// dumpFile applies stats_dump_file and json_dump_file, which the original
// accepts and ignores.
func dumpFile(configured, base string) string {
	switch {
	case configured == "":
		return filepath.Join(Directory(), base)
	case strings.HasSuffix(configured, "/"):
		return filepath.Join(configured, base)
	case strings.HasPrefix(configured, "/"):
		return configured
	}
	return filepath.Join(Directory(), configured)
}

// WriteFile replaces a dump: it is written aside, renamed, and then opened and
// closed under its final name for writing, so that both those who wait for the
// rename and those who wait for a close see it. A symbolic link in the way is
// replaced, not followed.
func WriteFile(path, content string) error {
	dir, base := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+base+".*")
	if err == nil {
		_, err = f.WriteString(content)
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		//lint:ignore ST1005 the original's text
		return fmt.Errorf("Can't open dump file %s (%d: %w)", path, int(errno), err)
	}
	if again, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW, 0); err == nil {
		again.Close()
	}
	return nil
}

// SavedFile is where a child process (vrrp, check, bfd) leaves its data before
// ("pre") and after ("post") its n-th reload; empty without config_save_dir.
func SavedFile(g *configparse.Global, process string, n int, when string) string {
	if g.ConfigSaveDir == "" {
		return ""
	}
	return fmt.Sprintf("%s/keepalived_%s.%d.%d.%s", g.ConfigSaveDir, process, os.Getpid(), n, when)
}
