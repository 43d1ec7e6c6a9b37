package checkd

import (
	"os"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// trafficSteps is how many verdicts testdata/traffic.sh gives.
const trafficSteps = 24

// TestTraffic sends real requests through the balancer: NAT and DR with two
// servers, checks of several kinds, persistence, the sorry server, and other
// people's changes. testdata/traffic.sh has the
// steps and judges each.
func TestTraffic(t *testing.T) {
	if os.Getenv("KEEPALIVED_VM") != "" {
		t.Skip("skipped: already in the virtual machine")
	}
	if !vmtest.All() {
		t.Skip("skipped: takes minutes in the virtual machine; VMTEST=all runs it")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vmtest.Steps(t, vmtest.Machine{
		Command:  "exec bash ./traffic.sh",
		Programs: map[string]string{"keepalived": buildKeepalived(t, t.TempDir()), "rsrv": self},
		Tools:    []string{"bash", "ip", "ipvsadm", "curl"},
		Trees: map[string]string{"traffic.sh": "testdata/traffic.sh", "cert.pem": "testdata/ipvs-golden/cert.pem",
			"key.pem": "testdata/ipvs-golden/key.pem"},
		Files:   map[string][]byte{"sorry": []byte("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsorry\n")},
		Timeout: 20 * time.Minute,
	}, trafficSteps)
}
