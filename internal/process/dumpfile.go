package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DumpDir is where dumps go: TMPDIR if it is absolute, else /tmp.
func DumpDir() string {
	if dir := os.Getenv("TMPDIR"); strings.HasPrefix(dir, "/") {
		return dir
	}
	return "/tmp"
}

// WriteDump replaces a file as a whole: it is written aside, renamed, and then
// closed, so that both who waits for a name to appear and who waits for a file
// to be closed sees it complete. A symbolic link in the way is replaced, not
// followed.
func WriteDump(name string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = tmp.Write(content)
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
