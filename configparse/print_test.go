package configparse

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/vrrp"
)

// sameConfig compares values, not where and how they were written.
var sameConfig = cmp.Options{
	cmpopts.IgnoreFields(Config{}, "Files", "Unused", "NoNamespace", "HasVRRP", "HasChecker", "HasBFD"),
	cmpopts.IgnoreUnexported(Global{}),
	cmpopts.IgnoreFields(vrrp.InstanceConfig{}, "Line"),
	cmpopts.IgnoreFields(vrrp.Route{}, "Text"),
	cmpopts.IgnoreFields(vrrp.Rule{}, "Text", "AutoPrio"),
	cmpopts.IgnoreFields(vrrp.Command{}, "Text"),
	cmpopts.IgnoreFields(checker.Script{}, "Text"),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Line" }, cmp.Ignore()),
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}),
	cmpopts.EquateEmpty(),
}

// roundTrip prints a configuration and reads it again.
func roundTrip(t *testing.T, cfg *Config, env Env) {
	t.Helper()
	if cfg.Failed[VRRP] {
		return // what was read before the fatal finding is not completed
	}
	text := Print(cfg)
	for i, line := range strings.Split(text, "\n") {
		// A definition may have made a statement longer than a line can be.
		if len(line) >= maxLine && strings.HasPrefix(line, " ") {
			t.Errorf("line %d has %d characters and is still indented", i+1, len(line))
		}
	}
	again, problems := Load(Files{"FILE": text}, "FILE", env)
	if diff := cmp.Diff(cfg, again, sameConfig...); diff != "" {
		if len(diff) > 1500 {
			diff = diff[:1500]
		}
		t.Errorf("printed and read again (- first, + again):\n%s", diff)
		for i, m := range problems {
			if m.Class != ClassLog && i < 5 {
				lines := strings.Split(text, "\n")
				t.Logf("%s: %s", m, lines[max(m.Line-1, 0)])
			}
		}
	}
}

func TestPrintSeeds(t *testing.T) {
	for name, text := range seedFiles(t) {
		t.Run(name, func(t *testing.T) {
			cfg, problems := Load(Files{"FILE": text}, "FILE", labEnv())
			if ExitStatus(problems) == ExitMissing {
				t.Fatalf("ends early: %v", problems[len(problems)-1])
			}
			roundTrip(t, cfg, labEnv())
		})
	}
}

func TestPrintSnippets(t *testing.T) {
	for _, v := range readVerdicts(t) {
		t.Run(v.name, func(t *testing.T) {
			cfg, problems := Load(v.files, "FILE", v.env)
			if ExitStatus(problems) == ExitMissing || cfg.IncludeFailed || cfg.NoNamespace {
				return
			}
			roundTrip(t, cfg, v.env)
		})
	}
}

func TestPrintCorpus(t *testing.T) {
	files, names := corpusFiles(t), readNames(t)
	for _, row := range corpusRows(t) {
		t.Run(strings.TrimSpace(row.file+" "+row.how), func(t *testing.T) {
			env := corpusEnv(names[row.file], row.how)
			cfg, problems := Load(files, "/c/"+row.file, env)
			if ExitStatus(problems) == ExitMissing || cfg.NoNamespace {
				return
			}
			roundTrip(t, cfg, env)
		})
	}
}
