package configparse

import (
	"testing"
)

// noEffectYet is how many keywords nothing acts on: init_fail and random_seed,
// which do nothing in the original either, and namespace_with_ipsets, which
// allows ipsets where we use nftables. The number may only fall.
const noEffectYet = 3

// TestKeywords compares the table with the list of everything that 2.4.3 knows.
func TestKeywords(t *testing.T) {
	known := map[[2]string]Keyword{}
	for _, k := range Keywords() {
		known[[2]string{k.Path, k.Keyword}] = k
	}
	rows := 0
	for _, f := range readTable(t, "keywords.tsv") {
		rows++
		if _, ok := known[[2]string{f[0], f[1]}]; !ok {
			t.Errorf("%s %s is not in the table", f[0], f[1])
		}
	}
	if rows != 771 {
		t.Errorf("%d rows, want 771", rows)
	}
	waiting := 0
	for _, k := range known {
		if k.Acts == "" {
			waiting++
			t.Logf("no effect yet: %s %s", k.Path, k.Keyword)
		}
	}
	if waiting > noEffectYet {
		t.Errorf("%d keywords without effect, %d allowed", waiting, noEffectYet)
	}
}
