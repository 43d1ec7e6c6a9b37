package vrrpd

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const frrDir = "/usr/lib/frr"

// frrScript runs zebra and vrrpd with sockets and files below a /run of their
// own, since they run as FRR's user, and ends vrrpd first.
const frrScript = `set -e
mkdir -p /run/frr; cp $1/*.conf /run/frr; chown -R frr:frr /run/frr
` + frrDir + `/zebra -f /run/frr/zebra.conf -z /run/frr/zserv.api -i /run/frr/zebra.pid --vty_socket /run/frr -A 127.0.0.1 -P 0 --log stdout &
zebra=$!
while ! [ -S /run/frr/zserv.api ]; do sleep 0.02; done
` + frrDir + `/vrrpd -f /run/frr/vrrpd.conf -z /run/frr/zserv.api -i /run/frr/vrrpd.pid --vty_socket /run/frr -A 127.0.0.1 -P 0 --log stdout &
vrrpd=$!
trap 'kill -TERM $vrrpd; wait $vrrpd || :; kill -TERM $zebra; wait $zebra || :; exit 0' TERM
wait $vrrpd
`

// frrRouter is FRR's vrrpd on a host. It keeps the address on a macvlan with
// the virtual MAC, which it sets and takes back by "protodown".
type frrRouter struct {
	t    testing.TB
	ns   *nettest.NS
	dir  string
	proc *nettest.Proc
}

func newFRR(t testing.TB, ns *nettest.NS, w wire, priority int) *frrRouter {
	t.Helper()
	r := &frrRouter{t: t, ns: ns, dir: t.TempDir()}
	mac, family := "00:00:5e:00:01:33", "ip"
	addrs := []string{w.vip}
	if w.ipv6 {
		mac, family = "00:00:5e:00:02:33", "ipv6"
		addrs = []string{"fe80::100", w.vip}
	}
	conf := fmt.Sprintf("interface eth0\n vrrp 51 version %d\n vrrp 51 priority %d\n vrrp 51 advertisement-interval %d\n",
		w.version, priority, w.interval.Milliseconds())
	ns.IP("link", "add", "vrrp51", "link", "eth0", "type", "macvlan", "mode", "bridge")
	ns.IP("link", "set", "vrrp51", "address", mac)
	ns.Up("vrrp51")
	for _, a := range addrs {
		conf += fmt.Sprintf(" vrrp 51 %s %s\n", family, a)
		if w.ipv6 {
			a += "/64"
		} else {
			a += "/24"
		}
		ns.AddAddr("vrrp51", a)
	}
	for name, text := range map[string]string{"zebra.conf": "\n", "vrrpd.conf": conf, "run": frrScript} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *frrRouter) begin() {
	r.t.Helper()
	r.proc = r.ns.StartWith([]nettest.ProcOption{nettest.PrivateRun(), nettest.RealTime()}, "sh", filepath.Join(r.dir, "run"), r.dir)
}

func (r *frrRouter) stop() {
	r.t.Helper()
	r.proc.Signal(syscall.SIGTERM)
	r.proc.Exited(10 * time.Second)
}

func (r *frrRouter) crash() { r.proc.KillAll() }

func (r *frrRouter) holds(string) (has, ok bool) { return false, false }

func (r *frrRouter) output() string { return r.proc.Output() }

// TestInteropFRR runs beside FRR's vrrpd, which knows multicast without
// authentication only, in both roles.
func TestInteropFRR(t *testing.T) {
	needDaemon(t)
	if _, err := os.Stat(filepath.Join(frrDir, "vrrpd")); err != nil {
		t.Skipf("skipped: no FRR as peer: %v", err)
	}
	for _, w := range wires() {
		if w.unicast || w.more != nil || w.version == 2 && w.ipv6 {
			continue
		}
		for _, oursFirst := range []bool{true, false} {
			t.Run(w.name+roleName(oursFirst), func(t *testing.T) {
				t.Parallel()
				p := newInterop(t, w)
				ours, peer := 0, 1
				if !oursFirst {
					ours, peer = 1, 0
				}
				p.routers[ours] = newNode(t, p.hosts[ours], bin, w.conf(ours, 110-10*ours))
				p.routers[peer] = newFRR(t, p.hosts[peer], w, 110-10*peer)
				p.play()
				p.uncomplaining(peer, "nvalid", "iscard", "ismatch")
			})
		}
	}
}
