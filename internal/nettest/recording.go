package nettest

import (
	"os"
	"path/filepath"
	"testing"
)

// Recordings is the folder with the recordings of real runs of the original.
// They are not part of the repository: they lie beside the clone, or where
// KEEPALIVED_SAMPLES says, and without them a test is skipped.
func Recordings(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("KEEPALIVED_SAMPLES")
	if dir == "" {
		dir = "../../../shared/reference/samples"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("skipped: the recordings are not beside the clone (../shared/reference/samples)")
	}
	return dir
}

// Recorded reads one of the recordings.
func Recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Recordings(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
