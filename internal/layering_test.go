// Package internal_test guards the shape of the tree: which package may import
// which, and where third-party modules may be used (docs/architecture.md).
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/keepalived-go/keepalived/"

// allowed lists, per package, which packages of this module it may import.
// The pure packages must stay free of everything that can act.
var allowed = map[string][]string{
	"vrrp":              {},
	"internal/bfd":      {},
	"ipvs":              {},
	"internal/log":      {},
	"internal/spare":    {},
	"internal/process":  {"internal/log", "internal/spare"},
	"checker":           {"ipvs"},
	"configparse":       {"vrrp", "internal/bfd", "ipvs", "checker"},
	"internal/kernel":   {"internal/process", "internal/log"},
	"internal/agentx":   {},
	"internal/script":   {"internal/process", "internal/log"},
	"internal/track":    {"internal/script", "internal/process", "internal/log"},
	"internal/notify":   {"internal/script", "internal/process", "internal/log"},
	"internal/control":  {"internal/process", "internal/log"},
	"internal/host":     {"configparse", "internal/kernel", "internal/script", "internal/process", "internal/log"},
	"internal/report":   {"internal/agentx", "vrrp", "internal/bfd", "ipvs", "checker", "configparse"},
	"internal/vrrpd":    {"internal/agentx", "internal/host", "vrrp", "ipvs", "configparse", "internal/kernel", "internal/script", "internal/track", "internal/notify", "internal/report", "internal/process", "internal/log", "internal/control"},
	"internal/checkd":   {"internal/agentx", "internal/host", "ipvs", "checker", "configparse", "internal/kernel", "internal/script", "internal/track", "internal/notify", "internal/report", "internal/process", "internal/log", "internal/control"},
	"internal/bfdd":     {"internal/host", "internal/bfd", "configparse", "internal/report", "internal/process", "internal/log", "internal/control"},
	"internal/watchdog": {"vrrp", "configparse", "internal/host", "internal/script", "internal/notify", "internal/process", "internal/log", "internal/control", "internal/report", "internal/spare"},
}

// confined lists the third-party modules that only the named packages may import.
var confined = map[string][]string{
	"github.com/vishvananda/netlink": {"internal/kernel", "internal/script", "internal/track", "internal/vrrpd"},
	"github.com/cloudflare/ipvs":     {"ipvs"},
	"github.com/mdlayher/genetlink":  {"ipvs"},
	"github.com/godbus/dbus/v5":      {"internal/notify"},
	"github.com/spf13/pflag":         {"cmd/keepalived", "cmd/keepalivedctl", "cmd/genhash"},
	"github.com/dlclark/regexp2":     {"checker", "configparse"},
	"crypto/tls":                     {"checker", "cmd/genhash"},
	"net/http":                       {"cmd/keepalivedctl"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Skipf("skipped: go list is needed and failed: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		ok, restricted := allowed[name]
		for _, imp := range p.Imports {
			inner, ours := strings.CutPrefix(imp, module)
			if ours && restricted && !slices.Contains(ok, inner) {
				t.Errorf("%s must not import %s: its layer allows only %v", name, inner, ok)
			}
			for mod, users := range confined {
				if (imp == mod || strings.HasPrefix(imp, mod+"/")) && !slices.Contains(users, name) && !strings.HasSuffix(name, "test") {
					t.Errorf("%s must not import %s: it is confined to %v", name, imp, users)
				}
			}
		}
	}
}
