package surface

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// serveHTTP is the real server of the virtual machine's script: it answers
// every request with its own address until it is killed.
func serveHTTP(addr string) int {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, addr) }))
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// ipvsSteps is how many verdicts testdata/ipvs.sh gives.
const ipvsSteps = 13

// TestIPVS needs a kernel with IPVS: what SNMP, the status command and the dump
// show of real connections, the weight that SNMP may set, and the traps of real
// servers. testdata/ipvs.sh has the steps and judges each.
func TestIPVS(t *testing.T) {
	if !vmtest.All() {
		t.Skip("skipped: takes minutes in the virtual machine; VMTEST=all runs it")
	}
	if programs == "" {
		t.Skip("skipped: needs root, as which the programs are built")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vmtest.Steps(t, vmtest.Machine{
		Command: "exec bash ./ipvs.sh",
		Programs: map[string]string{"keepalived": filepath.Join(programs, "keepalived"),
			"keepalivedctl": filepath.Join(programs, "keepalivedctl"), "serve": self},
		Tools:   []string{"bash", "ip", "ipvsadm", "curl", "snmpd", "snmpwalk", "snmpget", "snmpset", "snmptrapd"},
		Trees:   map[string]string{"ipvs.sh": "testdata/ipvs.sh"},
		Timeout: 8 * time.Minute,
	}, ipvsSteps)
}
