package checkd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// reference is Debian's keepalived.
const reference = "/usr/sbin/keepalived"

// pastedTables are virtual servers with the mistakes that people really make,
// each with a server that answers and one that does not.
var pastedTables = map[string]string{
	"status-in-url":       pastedService("wlc", "HTTP_GET {\n url {\n path /\n status 200\n }\n nb_get_retry 1\n delay_before_retry 1\n }"),
	"two-algorithms":      pastedService("wlc lvs", "TCP_CHECK {\n connect_timeout 3\n }"),
	"nat-mask":            pastedService("rr", "TCP_CHECK {\n connect_timeout 3\n }", "nat_mask 255.255.255.0"),
	"bindto-address":      pastedService("rr", "TCP_CHECK {\n connect_port 80\n bindto 10.99.0.1\n }"),
	"brace-without-space": strings.ReplaceAll(pastedService("wrr", "TCP_CHECK {\n connect_timeout 3\n }"), " {", "{"),
	"chinese-comments": "! 主节点配置\n# 虚拟服务器\n" + strings.ReplaceAll(
		pastedService("sh", "TCP_CHECK {\n connect_timeout 3   # 超时，秒\n }", "persistence_timeout 50 #会话保持"), "weight 1", "weight 1   ! 权重"),
}

func pastedService(algorithm, check string, lines ...string) string {
	text := "virtual_server 10.99.0.100 80 {\n delay_loop 2\n lb_algo " + algorithm + "\n lb_kind NAT\n protocol TCP\n" +
		strings.Join(lines, "\n") + "\n"
	for _, addr := range []string{"10.99.0.7", "10.99.0.8"} {
		text += " real_server " + addr + " 80 {\n weight 1\n " + check + "\n }\n"
	}
	return text + "}\n"
}

// pastedRun has each program play each configuration, in network and process
// namespaces of its own, all at the same time. The table is read when the
// server that answers has been asked twice and the other one has left it. One
// that never does so shows in the table that is read in the end.
const pastedRun = `
for m in nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_wlc ip_vs_sh; do modprobe $m; done
cat > one <<'END'
mount -t tmpfs none /run; mkdir -p /run/keepalived; ip link set lo up
for a in 1 7 8 100; do ip addr add 10.99.0.$a/32 dev lo; done
printf 'HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n' > /run/answer
rsrv http 10.99.0.7:80 /run/answer /run/asked &
until grep -q 0700630A:0050 /proc/net/tcp; do sleep 0.1; done
asked() { awk '$1 == "Tcp:" && $2 ~ /^[0-9]/ { print $7 }' /proc/net/snmp; }
"$2" -n -l -D -G -f /lab/pasted/$1 -p /run/k -r /run/r -c /run/c -b /run/b > /out/$1.$3.log 2>&1 &
for i in $(seq 400); do
  ipvsadm -Sn > /run/now
  if grep -q 10.99.0.7 /run/now && ! grep -q 10.99.0.8 /run/now && [ $(asked) -ge 2 ]; then break; fi
  sleep 0.4
done
mv /run/now /out/$1.$3
kill $!; wait $!
END
for f in /lab/pasted/*; do
  for p in ours theirs; do unshare -m -n -p -f --mount-proc bash ./one ${f##*/} /lab/bin/$p $p & done
done
wait
`

// TestPastedTables: the kernel's table is what the original makes of such a
// file. (What is said of it internal/vrrpd compares.)
func TestPastedTables(t *testing.T) {
	if os.Getenv("KEEPALIVED_VM") != "" {
		t.Skip("skipped: already in the virtual machine")
	}
	if _, err := os.Stat(reference); err != nil {
		t.Skipf("skipped: no keepalived of Debian to compare with: %v", err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := vmtest.Machine{
		Programs: map[string]string{"ours": buildKeepalived(t, dir), "theirs": reference, "rsrv": self},
		Tools:    []string{"bash", "ip", "ipvsadm"},
		Files:    map[string][]byte{"run": []byte(pastedRun)},
		Command:  "exec bash ./run",
		Out:      filepath.Join(dir, "out"), MemoryMB: 1500, Timeout: 10 * time.Minute,
	}
	for name, conf := range pastedTables {
		m.Files["pasted/"+name] = []byte(conf)
	}
	if status := vmtest.Run(t, m); status != 0 {
		t.Errorf("the machine's script ended with status %d", status)
	}
	for name := range pastedTables {
		t.Run(name, func(t *testing.T) {
			read := func(who string) string {
				b, err := os.ReadFile(filepath.Join(m.Out, name+"."+who))
				if err != nil {
					t.Error(err)
				}
				return string(b)
			}
			ours, theirs := read("ours"), read("theirs")
			switch {
			case !strings.Contains(theirs, "10.99.0.7:80") || strings.Contains(theirs, "10.99.0.8:80"):
				t.Errorf("the original's table is not as expected:\n%s\n%s", theirs, read("theirs.log"))
			case ours != theirs:
				t.Errorf("table\n%s\nthe original's\n%s\nours said\n%s", ours, theirs, read("ours.log"))
			default:
				t.Logf("%q", ours)
			}
		})
	}
}
