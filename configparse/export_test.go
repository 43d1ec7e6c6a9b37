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

// CorpusPrint is a file of the corpus, printed, and what 2.2.7 said of the
// file itself.
type CorpusPrint struct {
	Name       string
	Text       string
	Interfaces []string
	Said       []string // without place
}

// CorpusPrints prints every file of the corpus that 2.2.7 reads to its end.
func CorpusPrints(t *testing.T) []CorpusPrint { return corpusPrints(t) }
