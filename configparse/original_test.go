package configparse_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// original is Debian's keepalived.
const original = "/usr/sbin/keepalived"

var place = regexp.MustCompile(`^\([^()]*Line \d+\) `)

// TestPrintBesideOriginal gives what Print writes to the original, which must
// have nothing to say of it that it did not say of the file itself. It may say
// less: what could not be used is not printed.
func TestPrintBesideOriginal(t *testing.T) {
	prints := configparse.CorpusPrints(t)
	nettest.Need(t, "ip", original)
	ns := nettest.New(t, "print")
	if out, _ := ns.TryRun(original, "--version"); !strings.HasPrefix(out, "Keepalived v2.2.7 ") {
		t.Skip("skipped: /usr/sbin/keepalived is not 2.2.7")
	}
	dir := t.TempDir()
	addLinks(t, ns, dir, prints)
	quiet := 0
	for _, p := range prints {
		path := filepath.Join(dir, p.Name)
		if err := os.WriteFile(path, []byte(p.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := ns.TryRun(original, "-t", "-f", path)
		complaints := 0
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			said := place.ReplaceAllString(line, "")
			if line == "" || expected(said) || slices.Contains(p.Said, said) {
				continue
			}
			complaints++
			t.Errorf("%s: %s", p.Name, line)
		}
		if complaints == 0 {
			quiet++
		}
	}
	t.Logf("%d of %d printed files without a new complaint", quiet, len(prints))
}

// expected are complaints that belong to the machine, or that name a value as
// it is written: a script that exists, default as 0.0.0.0/0.
func expected(said string) bool {
	return strings.HasPrefix(said, "SECURITY VIOLATION") || strings.HasPrefix(said, "Warning - cannot track route 0.0.0.0/0 ")
}

// addLinks makes the interfaces that the files name.
func addLinks(t *testing.T, ns *nettest.NS, dir string, prints []configparse.CorpusPrint) {
	t.Helper()
	var names []string
	for _, p := range prints {
		names = append(names, p.Interfaces...)
	}
	slices.Sort(names)
	var batch strings.Builder
	for _, name := range slices.Compact(append(names, "eth0")) {
		batch.WriteString("link add name " + name + " type veth peer name v" + name[:min(len(name), 13)] + "\n")
		batch.WriteString("link set " + name + " up\n")
	}
	path := filepath.Join(dir, "links")
	if err := os.WriteFile(path, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ns.TryRun("ip", "-force", "-batch", path)
}
