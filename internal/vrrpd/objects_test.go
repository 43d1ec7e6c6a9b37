package vrrpd

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestObjectsBesideOriginal runs one configuration with every kind of address,
// route and rule, static and virtual, under the original and under us:
// iproute2 must show the same, and nothing afterwards.
func TestObjectsBesideOriginal(t *testing.T) {
	needReference(t)
	conf, err := os.ReadFile("testdata/objects.conf")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, program := range []string{reference, bin} {
		t.Run(map[string]string{reference: "original", bin: "ours"}[program], func(t *testing.T) {
			host := nettest.LAN(t, 1)[0]
			before := objects(host)
			n := newNode(t, host, program, string(conf)).start()
			nettest.Eventually(t, 5*time.Second, "static addresses at the start", func() bool { return host.HasAddr("fd77::2") })
			if host.HasAddr("10.99.0.100") {
				t.Error("virtual addresses come with the static ones")
			}
			nettest.Eventually(t, 8*time.Second, "all virtual objects", func() bool {
				return strings.Contains(host.IP("-6", "rule"), "501:")
			})
			shown[program] = objects(host)
			n.stop()
			// The original leaves addresses with a peer behind.
			if after := objects(host); after != before && program == bin {
				t.Errorf("afterwards\n%s\nbefore\n%s", after, before)
			}
		})
	}
	if want, got := shown[reference], shown[bin]; want != got {
		t.Errorf("the original\n%s\nwe\n%s", want, got)
	}
}

// objects shows addresses, routes and rules without what runs down or is the
// kernel's own affair.
func objects(host *nettest.NS) string {
	var b strings.Builder
	for _, args := range [][]string{
		{"addr", "show", "dev", "eth0"}, {"-d", "route", "show", "table", "all"},
		{"-6", "-d", "route", "show", "table", "all"}, {"rule"}, {"-6", "rule"},
	} {
		for _, line := range strings.Split(host.IP(args...), "\n") {
			if strings.Contains(line, "proto kernel") || strings.Contains(line, "state UP") ||
				strings.Contains(line, "link/ether") {
				continue
			}
			line = strings.Join(strings.Fields(strings.Replace(line, "tentative", "", 1)), " ")
			b.WriteString(seconds.ReplaceAllString(line, "N sec") + "\n")
		}
	}
	return b.String()
}

var seconds = regexp.MustCompile(`\d+sec`)
