package vrrpd

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// pasted are configurations with the mistakes that people really make. All of
// them still get something done.
var pasted = []struct {
	name, conf string
	vrrp       bool // its instance is to hold vip
}{
	{"status-in-url", lvs("wlc", "HTTP_GET {\n url {\n path /\n status 200\n }\n nb_get_retry 3\n }"), false},
	{"two-algorithms", lvs("wlc lvs", "TCP_CHECK {\n connect_timeout 3\n }"), false},
	{"nat-mask", lvs("rr", "TCP_CHECK {\n connect_timeout 3\n }", "nat_mask 255.255.255.0"), false},
	{"bindto-address", lvs("rr", "TCP_CHECK {\n connect_port 80\n bindto 10.99.0.1\n }"), false},
	{"track-script-at-top", "vrrp_script chk {\n script \"/usr/bin/true\"\n interval 2\n weight -20\n}\n" +
		instance(100) + "track_script {\n chk\n}\n", true},
	{"brace-without-space", strings.ReplaceAll(instance(100), " {", "{"), true},
	{"no-priority", strings.ReplaceAll(instance(100), "priority 100", ""), true},
	{"chinese-comments", "! 主节点配置\n# 路由标识\n" +
		strings.ReplaceAll(instance(100), "priority 100", "priority 100   # 主，优先级"), true},
}

// lvs is one virtual server with one real server.
func lvs(algorithm, check string, lines ...string) string {
	return "virtual_server 10.99.0.100 80 {\n delay_loop 6\n lb_algo " + algorithm + "\n lb_kind NAT\n protocol TCP\n" +
		strings.Join(lines, "\n") + "\n real_server 10.99.0.7 80 {\n weight 1\n " + check + "\n }\n}\n"
}

// TestPasted sees that such files get the original's complaints and its exit
// code, and that what can work with them does.
func TestPasted(t *testing.T) {
	needDaemon(t)
	for _, c := range pasted {
		t.Run(c.name, func(t *testing.T) {
			host := nettest.LAN(t, 1)[0]
			n := newNode(t, host, bin, c.conf)
			t.Run("complaints", func(t *testing.T) {
				needReference(t)
				ours, status := verdict(t, host, bin, n.conf)
				theirs, want := verdict(t, host, reference, n.conf)
				if status != want || !slices.Equal(ours, theirs) {
					t.Errorf("exit code %d, the original's %d\nours: %s\nthe original's: %s",
						status, want, strings.Join(ours, "\n      "), strings.Join(theirs, "\n      "))
				}
			})
			if !c.vrrp {
				return
			}
			n.start()
			nettest.Eventually(t, 8*time.Second, "the address is held", func() bool { return n.has(vip) })
		})
	}
}

// place is where a complaint begins. 2.2.7 leaves the file out in the process
// that reads the file first, 2.4.3 never does.
var place = regexp.MustCompile(`(?m)^\((?:[^ ()]*: )?Line (\d+)\)`)

// verdict is what -t says of a file, each line once, and its exit code.
func verdict(t testing.TB, host *nettest.NS, program, file string) ([]string, int) {
	t.Helper()
	var out []byte
	var err error
	host.Do(func() { out, err = exec.Command(program, "-t", "-f", file).CombinedOutput() })
	status := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(place.ReplaceAllString(string(out), "(Line $1)")), "\n")
	slices.Sort(lines)
	return slices.Compact(lines), status
}
