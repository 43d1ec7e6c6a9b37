package configparse

import "testing"

// What the tests of package configparse_test need: they use internal/report,
// which imports this package.

// CorpusDump is a dump of 2.4.3 and what we read of the same file.
type CorpusDump struct {
	Name string
	Text string // as 2.4.3 wrote it
	Ours *Config
}

// CorpusDumps reads the dumps beside the corpus and the files they are of, on
// the machine of dump.sh: every interface, script and namespace is there.
func CorpusDumps(t *testing.T) []CorpusDump { return corpusDumps(t) }
