package checkd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/ipvs"
)

// TestLVSReloads makes many reloads with small random edits while requests and
// two long connections go through NAT and direct routing: weights, also to zero,
// other servers, checks, and everything of other virtual servers. After each the kernel's
// table is what the configuration says; no request is lost, no connection ends,
// and neither descriptors nor memory grow.
func TestLVSReloads(t *testing.T) {
	reloads := 60
	if n, err := strconv.Atoi(os.Getenv("LVS_RELOADS")); err == nil {
		reloads = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("LVS_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("%d reloads, LVS_SEED=%d", reloads, seed)
	l := newLVSLab(t, 1)
	l.directors[0].AddAddr("eth1", gateway+"/24")
	l.directors[0].AddAddr("eth0", vipNAT+"/32")
	l.directors[0].AddAddr("eth0", vipDR+"/32")
	e := newEditor(seed)
	d := l.direct(0, e.conf())
	d.isAsWanted(t, e)
	talks := []*dialogue{l.dialogue(vipNAT), l.dialogue(vipDR)}
	streams := []*stream{l.stream(vipNAT), l.stream(vipDR)}
	var early usage
	for i := range reloads {
		edit := e.edit()
		d.reload(e.conf())
		if !d.isAsWanted(t, e) {
			t.Fatalf("after reload %d: %s", i+1, edit)
		}
		for _, talk := range talks {
			if err := talk.goesOn(); err != nil {
				t.Fatalf("after reload %d (%s) a connection ended: %v", i+1, edit, err)
			}
		}
		if i == reloads/5 {
			early = d.usage(t)
		}
	}
	late := d.usage(t)
	t.Logf("after %d reloads %s; after %d %s", reloads/5+1, early, reloads, late)
	if late.files > early.files+10 { // checks under way have sockets
		t.Errorf("descriptors grow: %d, then %d", early.files, late.files)
	}
	if late.memoryKB > early.memoryKB*5/4+4096 {
		t.Errorf("memory grows: %d kB, then %d kB", early.memoryKB, late.memoryKB)
	}
	t.Logf("%d answers through NAT, %d through DR", streams[0].end(t), streams[1].end(t))
}

// isAsWanted compares the kernel's table with what the configuration says.
func (d *director) isAsWanted(t *testing.T, e *editor) bool {
	t.Helper()
	conf, problems := configparse.Load(configparse.Files{"/k.conf": e.conf()}, "/k.conf", configparse.Env{HostName: "lb"})
	if conf.Failed[configparse.Checker] {
		t.Fatalf("the configuration: %v", problems)
	}
	pool := checker.NewPool()
	pool.Load(time.Now(), &conf.Checker, checker.Options{})
	ops := ipvs.Plan(d.table(), pool.Want())
	for _, op := range ops {
		t.Errorf("the table lacks: %d %s", op.Verb, op.Object())
	}
	return len(ops) == 0
}

// usage is what the processes of a daemon hold.
type usage struct{ files, memoryKB int }

func (u usage) String() string { return fmt.Sprintf("%d descriptors and %d kB", u.files, u.memoryKB) }

func (d *director) usage(t *testing.T) usage {
	t.Helper()
	var u usage
	for _, pid := range d.family() {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		u.files += len(fds)
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rss, _ := strings.Cut(string(b), "VmRSS:")
		if f := strings.Fields(rss); len(f) > 0 {
			n, _ := strconv.Atoi(f[0])
			u.memoryKB += n
		}
	}
	return u
}

// editor changes a configuration a little at a time. The virtual servers with
// the traffic always keep server r2, and their scheduler: while the kernel
// changes it, it refuses new connections for some milliseconds.
type editor struct {
	rand    *rand.Rand
	weight  map[string]int  // of r1, less 1, by service
	extra   map[string]bool // a server of weight 0 besides
	others  map[int]string  // virtual servers without traffic
	checked bool            // the servers with the traffic have checks
}

func newEditor(seed uint64) *editor {
	return &editor{rand: rand.New(rand.NewPCG(seed, 0)), weight: map[string]int{},
		extra: map[string]bool{}, others: map[int]string{}}
}

var streets = []struct {
	vip, kind string
	port      int
}{{vipNAT, "NAT", 80}, {vipDR, "DR", 80}, {vipNAT, "NAT", 7}, {vipDR, "DR", 7}}

func (e *editor) conf() string {
	b := &strings.Builder{}
	b.WriteString("global_defs {\n router_id lb\n}\n")
	for _, s := range streets {
		name := fmt.Sprintf("%s:%d", s.vip, s.port)
		check := ""
		if e.checked {
			check = "TCP_CHECK {\n   connect_timeout 20\n   retry 5\n  }"
		}
		vs := virtualServer(s.vip, s.kind, s.port, check, 1+e.weight[name], 2)
		vs = strings.Replace(vs, "lb_algo rr", "lb_algo wrr", 1)
		if e.extra[name] {
			vs = vs[:len(vs)-2] + fmt.Sprintf(" real_server 10.0.0.77 %d {\n  weight 0\n }\n}\n", s.port)
		}
		b.WriteString(vs)
	}
	for i := range 8 {
		b.WriteString(e.others[i])
	}
	return b.String()
}

// edit makes one to three changes and says which.
func (e *editor) edit() string {
	var said []string
	for range 1 + e.rand.IntN(3) {
		s := streets[e.rand.IntN(len(streets))]
		name := fmt.Sprintf("%s:%d", s.vip, s.port)
		switch e.rand.IntN(5) {
		case 0:
			e.weight[name] = e.rand.IntN(5) - 1
			said = append(said, fmt.Sprintf("%s: weight of r1 %d", name, 1+e.weight[name]))
		case 1:
			e.extra[name] = !e.extra[name]
			said = append(said, fmt.Sprintf("%s: one more server %v", name, e.extra[name]))
		case 2:
			e.checked = !e.checked
			said = append(said, fmt.Sprintf("checks %v", e.checked))
		default:
			i := e.rand.IntN(8)
			if e.others[i] = e.other(i); e.rand.IntN(3) == 0 {
				delete(e.others, i)
			}
			said = append(said, fmt.Sprintf("other virtual server %d: %q", i, e.others[i]))
		}
	}
	return strings.Join(said, "; ")
}

// other is virtual server i in some form.
func (e *editor) other(i int) string {
	pick := func(list ...string) string { return list[e.rand.IntN(len(list))] }
	b := &strings.Builder{}
	head := fmt.Sprintf("10.0.9.%d 80", i+1)
	if i >= 6 {
		head = fmt.Sprintf("fwmark %d", i+1)
	}
	kind := pick("NAT", "DR", "TUN")
	fmt.Fprintf(b, "virtual_server %s {\n lb_algo %s\n lb_kind %s\n", head, pick("rr", "wrr", "lc", "wlc"), kind)
	if i < 6 {
		fmt.Fprintf(b, " protocol %s\n", pick("TCP", "UDP"))
	}
	if e.rand.IntN(3) == 0 {
		fmt.Fprintf(b, " persistence_timeout %d\n", 1+e.rand.IntN(300))
	}
	port := ""
	if i < 6 {
		port = " 80"
	}
	if e.rand.IntN(3) == 0 {
		fmt.Fprintf(b, " sorry_server 10.0.9.99%s\n", port)
	}
	for n := range 1 + e.rand.IntN(4) {
		fmt.Fprintf(b, " real_server 10.0.8.%d%s {\n  weight %d\n  uthreshold %d\n }\n", n+1, port, e.rand.IntN(4), e.rand.IntN(3)*100)
	}
	b.WriteString("}\n")
	return b.String()
}
