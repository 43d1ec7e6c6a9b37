package watchdog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// What concerns the whole machine runs in the virtual one: net_namespace and
// -s, names per namespace and instance with a real syslog, the pattern of core
// files. The script prints what it sees; the test compares.
const namespaceScript = `
ip() { /lab/bin/ip "$@"; } # busybox prefers its own
# what syslogd writes is read in place: a datagram socket, one line each
syslogd -O /out/syslog -S; ip netns add ns1; ip netns add ns2
ip link add eth0 netns ns1 type veth peer name eth0 netns ns2
for n in 1 2; do ip -n ns$n addr add 192.0.2.$n/24 dev eth0; ip -n ns$n link set eth0 up; ip -n ns$n link set lo up; done
mkdir -p /etc/keepalived
{ echo net_namespace ns1; echo instance inst1; cat conf; } > /etc/keepalived/keepalived.conf
wait_for() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 300 ] || { echo "in vain: $1"; return 1; }; sleep 0.1; done; }

keepalived -t && echo "the test looks into the namespace"
keepalived -n -D -g/out/sub.log -M/tmp/core.%p &
pid=$!
wait_for "ip -n ns1 addr show dev eth0 | grep -q 192.0.2.100" && echo "master in ns1"
ip addr | grep -q 192.0.2.100 && echo "the address is outside"
[ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ] && echo "the parent stayed outside"
echo "core $(cat /proc/sys/kernel/core_pattern)"
echo "name $(cat /proc/$pid/comm)"
echo "outside: $(cd /run/keepalived && find . -type f | sort | tr '\n' ' ')"
echo "inside: $(cd /proc/$pid/root/run/keepalived && find . -type f | sort | tr '\n' ' ')"
kill -USR1 $pid; kill -USR2 $pid
wait_for "[ -s /tmp/keepalived.ns1_inst1.data ] && [ -s /tmp/keepalived_parent.ns1_inst1.data ] && [ -s /tmp/keepalived.stats ]" && echo "dumps"

# a second daemon in another namespace takes the same file, by -s
keepalived -n -D -G -l -s ns2 2>/out/second &
second=$!
wait_for "grep -q 'Startup complete' /out/second" && echo "second is up"
wait_for "grep -q 'Entering BACKUP STATE (init)' /out/second" && echo "second hears the first"
grep -o "Overriding config.*" /out/second
ls /run/keepalived/ns2 | sort | tr '\n' ' '; echo
kill $second; wait $second; echo "second ends with $?"
old=$(cat /run/keepalived/ns1/vrrp_inst1.pid); kill -9 $old
wait_for '[ "$(cat /run/keepalived/ns1/vrrp_inst1.pid)" != $old ] && [ $(grep -c "Starting VRRP" /out/sub_ns1_inst1.log) = 2 ]'
[ "$(readlink /proc/$(cat /run/keepalived/ns1/vrrp_inst1.pid)/ns/net)" = "$(readlink /proc/$pid/ns/net)" ] && echo "a successor in the namespace"
kill $pid; wait $pid; echo "first ends with $?"
echo "core $(cat /proc/sys/kernel/core_pattern)"
echo "left: $(find /run/keepalived 2>/dev/null | sort | tr '\n' ' ')"

keepalived -n -D -G -l -s nosuch 2>/out/nosuch; echo "nosuch ends with $?"
sed 's/^.\{25\}//' /out/nosuch | grep -v 'Running on\|CPU usage\|Command line'
# detached: the process that was started ends, the daemon has its name
keepalived -D -G
wait_for "[ -s /run/keepalived/ns1/keepalived_inst1.pid ]"
pid=$(cat /run/keepalived/ns1/keepalived_inst1.pid)
echo "detached: $(cat /proc/$pid/comm), $(tr '\0' ' ' < /proc/$pid/cmdline)"
kill $pid; wait_for "! kill -0 $pid 2>/dev/null"
sleep 1
`

func TestNamespacesInVM(t *testing.T) {
	if !vmtest.All() {
		t.Skip("skipped: boots a virtual machine; make test does, or VMTEST=all")
	}
	if binary == "" {
		t.Skip("skipped: the daemon is built for root only")
	}
	out := t.TempDir()
	var lines []string
	m := vmtest.Machine{
		Command:  namespaceScript,
		Programs: map[string]string{"keepalived": binary},
		Tools:    []string{"ip"},
		Files:    map[string][]byte{"conf": []byte(strings.ReplaceAll(strings.Replace(conf, "router_id lb1", "router_id lb1\n    data_use_instance", 1), "10.99.0.100", "192.0.2.100"))},
		Out:      out, Timeout: 4 * time.Minute,
		Line: func(l string) { lines = append(lines, strings.TrimSpace(l)); t.Log(l) },
	}
	vmtest.Run(t, m)
	pids := "./keepalived_inst1.pid ./vrrp_inst1.pid"
	for _, want := range []string{
		"the test looks into the namespace", "master in ns1", "core /tmp/core.%p", "core core", "name keepalived",
		"outside: ./ns1/keepalived_inst1.pid ./ns1/vrrp_inst1.pid", "inside: " + pids, "dumps", "second is up", "second hears the first",
		"Overriding config net_namespace 'ns1' with command line namespace 'ns2'", "keepalived_inst1.pid keepalived_inst1.sock vrrp_inst1.pid",
		"second ends with 0", "a successor in the namespace", "first ends with 0", "left:", "nosuch ends with 0",
		"Changing syslog ident to Keepalived_nosuch_inst1", "Failed to open /run/netns/nosuch",
		"Unable to set network namespace nosuch - exiting", "detached: keepalived, keepalived -D -G",
	} {
		found := false
		for _, l := range lines {
			found = found || l == want || strings.HasSuffix(l, ": "+want)
		}
		if !found {
			t.Errorf("the machine did not say %q", want)
		}
	}
	for _, l := range lines {
		if strings.Contains(l, "outside") && !strings.HasPrefix(l, "outside:") || strings.HasPrefix(l, "in vain") {
			t.Errorf("the machine said %q", l)
		}
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	syslog := read("syslog")
	for _, want := range []string{
		"Keepalived[", "Changing syslog ident to Keepalived_ns1_inst1", "Keepalived_ns1_inst1[", "Keepalived_vrrp_ns1_inst1[",
	} {
		if !strings.Contains(syslog, want) {
			t.Errorf("syslog lacks %q:\n%s", want, syslog)
		}
	}
	if n := strings.Count(syslog, "-M/tmp/core.%p"); n != 1 {
		t.Errorf("the daemon greets %d times, want once", n)
	}
	// The parent's lines before the configuration was read, after it, the child's.
	for name, want := range map[string]string{
		"sub.log": "Starting Keepalived", "sub_ns1_inst1.log": "Startup complete", "sub_vrrp_ns1_inst1.log": "Entering MASTER STATE",
	} {
		if !strings.Contains(read(name), want) {
			t.Errorf("%s lacks %q", name, want)
		}
	}
}
