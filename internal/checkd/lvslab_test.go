package checkd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/vmtest"
	"github.com/keepalived-go/keepalived/ipvs"
)

// The addresses of the lab. Servers are 10.0.0.1N for direct routing and
// 10.1.0.1N for NAT, whose answers go back through gateway.
const (
	clientAddr = "10.0.0.10"
	vipNAT     = "10.0.0.100"
	vipDR      = "10.0.0.101"
	gateway    = "10.1.0.254"
	// labWait is for what takes a second or two where the machine is not busy.
	labWait = 60 * time.Second
)

// lvsLab is a client, directors and real servers, each in a network namespace:
//
//	client 10.0.0.10 ── br0 ── director d 10.0.0.d, 10.1.0.d ── br1 ── server n 10.1.0.1n
//	                     └──── server n 10.0.0.1n, which has vipDR too
type lvsLab struct {
	t         *testing.T
	client    *nettest.NS
	directors []*nettest.NS
	servers   []*realServer
}

func newLVSLab(t *testing.T, directors int) *lvsLab {
	t.Helper()
	vmtest.Inside(t)
	l := &lvsLab{t: t, client: nettest.New(t, "client")}
	sw := nettest.New(t, "switch")
	sw.Bridge("br0")
	sw.Bridge("br1")
	join := func(ns *nettest.NS, link, bridge, addr string) {
		port := fmt.Sprintf("%s%s", addr[strings.LastIndexByte(addr, '.')+1:], link)
		sw.IP("link", "add", port, "type", "veth", "peer", "name", link, "netns", ns.Name)
		sw.IP("link", "set", port, "master", bridge, "up")
		ns.Up(link)
		ns.AddAddr(link, addr+"/24")
	}
	join(l.client, "eth0", "br0", clientAddr)
	for i := range directors {
		d := nettest.New(t, fmt.Sprintf("d%d", i+1))
		join(d, "eth0", "br0", fmt.Sprintf("10.0.0.%d", i+1))
		join(d, "eth1", "br1", fmt.Sprintf("10.1.0.%d", i+1))
		d.Sysctl("net/ipv4/ip_forward", "1")
		l.directors = append(l.directors, d)
	}
	for i := range 2 {
		s := &realServer{NS: nettest.New(t, fmt.Sprintf("r%d", i+1)), name: fmt.Sprintf("r%d", i+1)}
		join(s.NS, "eth0", "br0", fmt.Sprintf("10.0.0.1%d", i+1))
		join(s.NS, "eth1", "br1", fmt.Sprintf("10.1.0.1%d", i+1))
		s.IP("rule", "add", "from", "10.1.0.0/24", "lookup", "9")
		s.IP("route", "add", "default", "via", gateway, "table", "9")
		// Direct routing: the server has the address too and keeps quiet about it.
		for _, link := range []string{"all", "eth0"} {
			s.Sysctl("net/ipv4/conf/"+link+"/arp_ignore", "1")
			s.Sysctl("net/ipv4/conf/"+link+"/arp_announce", "2")
		}
		s.AddAddr("lo", vipDR+"/32")
		s.start(t)
		t.Cleanup(s.stop)
		l.servers = append(l.servers, s)
	}
	return l
}

// realServer answers HTTP requests with its name on port 80, and lines with the
// same line on port 7.
type realServer struct {
	*nettest.NS
	name      string
	listeners []net.Listener
	checked   atomic.Int64 // requests from directors
}

func (s *realServer) start(t *testing.T) {
	t.Helper()
	for port, answer := range map[int]func(net.Conn){80: s.http, 7: echo} {
		var l net.Listener
		var err error
		s.Do(func() { l, err = net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port)) })
		if err != nil {
			t.Fatal(err)
		}
		s.listeners = append(s.listeners, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go answer(c)
			}
		}()
	}
}

func (s *realServer) stop() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
}

func (s *realServer) http(c net.Conn) {
	defer c.Close()
	if from := c.RemoteAddr().String(); !strings.HasPrefix(from, clientAddr+":") {
		s.checked.Add(1)
	}
	for lines := bufio.NewScanner(c); lines.Scan() && lines.Text() != ""; {
	}
	fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(s.name), s.name)
}

// checked is how often the servers were asked by directors.
func (l *lvsLab) checked() int64 {
	n := int64(0)
	for _, s := range l.servers {
		n += s.checked.Load()
	}
	return n
}

func echo(c net.Conn) {
	defer c.Close()
	_, _ = io.Copy(c, c)
}

// get asks once; it is called on a thread in the client's namespace.
func get(addr string) (string, error) {
	c, err := net.DialTimeout("tcp4", addr+":80", labWait)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(labWait))
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil {
		return "", err
	}
	_, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return "", fmt.Errorf("answer %q", b)
	}
	return body, nil
}

// curls asks n times with curl and returns who answered.
func (l *lvsLab) curls(vip string, n int) []string {
	l.t.Helper()
	var who []string
	for range n {
		out, err := l.client.TryRun("curl", "-s", "-m", "20", "http://"+vip+"/")
		if err != nil {
			out = err.Error()
		}
		who = append(who, out)
	}
	return who
}

// alternates reports whether two servers answered in turn.
func alternates(who []string) bool {
	for i, w := range who {
		if w != "r1" && w != "r2" || i > 0 && w == who[i-1] {
			return false
		}
	}
	return len(who) > 1
}

// stream asks again and again until it is ended.
type stream struct {
	stop    chan struct{}
	done    chan struct{}
	mu      sync.Mutex // guards the following
	answers int
	run     int // since the last failure
	lost    []string
}

func (l *lvsLab) stream(vip string) *stream {
	s := &stream{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		l.client.Do(func() {
			pace := time.NewTicker(2 * time.Millisecond) // a steady stream, not all that the machine can do
			defer pace.Stop()
			for {
				select {
				case <-s.stop:
					return
				case <-pace.C:
				}
				begin := time.Now()
				who, err := get(vip)
				s.mu.Lock()
				if err == nil && (who == "r1" || who == "r2") {
					s.answers, s.run = s.answers+1, s.run+1
				} else {
					s.run = 0
					s.lost = append(s.lost, fmt.Sprintf("%s after %s: %q, %v", vip, time.Since(begin), who, err))
				}
				s.mu.Unlock()
			}
		})
	}()
	return s
}

// end ends it and fails the test if a request was lost.
func (s *stream) end(t *testing.T) (answers int) {
	t.Helper()
	close(s.stop)
	<-s.done
	for _, l := range s.lost {
		t.Errorf("lost: %s", l)
	}
	if s.answers == 0 {
		t.Error("the stream had no answers")
	}
	return s.answers
}

// dialogue is one long connection.
type dialogue struct {
	c net.Conn
	r *bufio.Reader
	n int
}

func (l *lvsLab) dialogue(vip string) *dialogue {
	l.t.Helper()
	var c net.Conn
	var err error
	l.client.Do(func() { c, err = net.DialTimeout("tcp4", vip+":7", labWait) })
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	return &dialogue{c: c, r: bufio.NewReader(c)}
}

// goesOn says a line and wants it back.
func (d *dialogue) goesOn() error {
	d.n++
	_ = d.c.SetDeadline(time.Now().Add(labWait))
	fmt.Fprintf(d.c, "line %d\n", d.n)
	got, err := d.r.ReadString('\n')
	if err == nil && got != fmt.Sprintf("line %d\n", d.n) {
		err = fmt.Errorf("answer %q to line %d", got, d.n)
	}
	return err
}

// director is a daemon on a director.
type director struct {
	*nettest.Proc
	t      *testing.T
	ns     *nettest.NS
	conf   string
	kernel *ipvs.Kernel
}

// direct starts the daemon with a configuration.
func (l *lvsLab) direct(i int, conf string) *director {
	l.t.Helper()
	d := &director{t: l.t, ns: l.directors[i], conf: filepath.Join(l.t.TempDir(), "keepalived.conf")}
	d.write(conf)
	var err error
	if d.kernel, err = ipvs.Open(d.ns.Name); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(d.kernel.Close)
	d.run()
	return d
}

func (d *director) run() {
	d.t.Helper()
	d.Proc = d.ns.StartWith([]nettest.ProcOption{nettest.PrivateRun()}, "keepalived", "-n", "-l", "-G", "-f", d.conf)
	d.WaitOutput(labWait, "Startup complete")
}

func (d *director) write(conf string) {
	d.t.Helper()
	if err := errors.Join(os.WriteFile(d.conf+".new", []byte(conf), 0o600), os.Rename(d.conf+".new", d.conf)); err != nil {
		d.t.Fatal(err)
	}
}

// reload takes a new configuration and waits until it is in force.
func (d *director) reload(conf string) {
	d.t.Helper()
	d.write(conf)
	before := strings.Count(d.Output(), "Reload complete")
	d.Signal(1)
	nettest.Eventually(d.t, labWait, "reload complete", func() bool {
		return strings.Count(d.Output(), "Reload complete") > before
	})
}

func (d *director) table() []ipvs.Service {
	d.t.Helper()
	list, err := d.kernel.Dump()
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// count is how many real servers the table has, and how many of them weigh
// something.
func (d *director) count() (servers, weighing int) {
	d.t.Helper()
	for _, s := range d.table() {
		for _, r := range s.Servers {
			servers++
			if r.Weight > 0 {
				weighing++
			}
		}
	}
	return servers, weighing
}

var childLine = regexp.MustCompile(`Starting Healthcheck child process, pid=(\d+)`)

// checker is the process id of the checker child.
func (d *director) checker() int {
	d.t.Helper()
	all := childLine.FindAllStringSubmatch(d.Output(), -1)
	if len(all) == 0 {
		d.t.Fatal("no checker child in the log")
	}
	pid, _ := strconv.Atoi(all[len(all)-1][1])
	return pid
}

// family are the process ids of the daemon and its children, which any of its
// threads may have started.
func (d *director) family() []int {
	d.t.Helper()
	pids := append([]int{d.PID()}, d.Children()...)
	if len(pids) < 2 {
		d.t.Fatalf("the daemon %d has no children", d.PID())
	}
	return pids
}

// virtualServer is a block with two real servers, each with an HTTP check.
func virtualServer(vip, kind string, port int, check string, weights ...int) string {
	net := map[string]string{"NAT": "10.1.0", "DR": "10.0.0"}[kind]
	b := &strings.Builder{}
	fmt.Fprintf(b, "virtual_server %s %d {\n delay_loop 1\n lb_algo rr\n lb_kind %s\n protocol TCP\n", vip, port, kind)
	for i, w := range weights {
		fmt.Fprintf(b, " real_server %s.1%d %d {\n  weight %d\n  %s\n }\n", net, i+1, port, w, check)
	}
	b.WriteString("}\n")
	return b.String()
}

const httpCheck = `HTTP_GET {
   url {
    path /
    status_code 200
   }
   connect_timeout 5
   retry 1
   delay_before_retry 1
  }`
