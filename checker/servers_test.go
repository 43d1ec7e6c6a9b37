package checker

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// realServer starts a program of the distribution in the foreground and waits
// until its port answers. The test is skipped if it is not installed.
func realServer(t testing.TB, port uint16, name string, args ...string) *os.Process {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: %s is not installed", name)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	for range 100 {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 100*time.Millisecond)
		if err == nil {
			c.Close()
			return cmd.Process
		}
		if cmd.ProcessState != nil {
			break
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	said, _ := os.ReadFile(log.Name())
	t.Skipf("skipped: %s does not serve here: %s", name, said)
	return nil
}

func local(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// verdicts checks a server as it is, stopped in the middle, going on, and dead:
// what the log says of it, and when.
func verdicts(t testing.TB, server *os.Process, spec Spec, stalled, dead string) {
	t.Helper()
	limit := 2 * spec.Endpoint().Timeout
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(-server.Pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, SchedulerOptions{}, spec)
	r.works(t)
	signal(syscall.SIGSTOP)
	r.goesDown(t, stalled, limit)
	signal(syscall.SIGCONT)
	r.comesBack(t, limit)
	signal(syscall.SIGKILL)
	r.goesDown(t, dead, limit)
}

func TestUnbound(t *testing.T) { nettest.Play(t, time.Second, unbound) }

func unbound(t testing.TB) {
	server, to := newUnbound(t)
	at := Connection{To: to, Timeout: time.Second}
	r := once(t, DNSCheck{at, DNSTypeA, "none.example.com"}, SchedulerOptions{})[0]
	if r.Reason != BadRcode || r.Code != 3 {
		t.Errorf("a name that does not exist: %v, rcode %d; want %v, rcode 3", r.Reason, r.Code, BadRcode)
	}
	verdicts(t, server, DNSCheck{at, DNSTypeA, "www.example.com"},
		"answer not complete in time", "connection broke while reading: Connection refused")
}

// newUnbound starts a real name server that knows www.example.com, and asks a
// server that never answers for names in example.net.
func newUnbound(t testing.TB) (server *os.Process, at netip.AddrPort) {
	t.Helper()
	at, dir := closedPort(t), t.TempDir()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	write(t, dir+"/unbound.conf", fmt.Appendf(nil, `
server:
  interface: 127.0.0.1
  port: %d
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "iterator"
  chroot: ""
  username: ""
  directory: "%[2]s"
  pidfile: "%[2]s/pid"
  use-syslog: no
  local-zone: "example.com." static
  local-data: "www.example.com. A 192.0.2.1"
remote-control:
  control-enable: no
forward-zone:
  name: "example.net."
  forward-addr: 127.0.0.1@%[3]d
`, at.Port(), dir, silent.LocalAddr().(*net.UDPAddr).Port))
	return realServer(t, at.Port(), "unbound", "-d", "-c", dir+"/unbound.conf"), at
}

func TestExim(t *testing.T) { nettest.Play(t, time.Second, exim) }

func exim(t testing.TB) {
	server, at, _ := newExim(t)
	check := SMTPCheck{Connection{To: at, Timeout: 2 * time.Second}, DefaultHelo}
	verdicts(t, server, check, "answer not complete in time", "connection failed: Connection refused")
}

// newExim starts a real mail server. While a file "slow" is in its folder it
// greets late, while there is "hesitant" it answers HELO late, and while there
// is "refuse" it wants no mail.
func newExim(t testing.TB) (server *os.Process, at netip.AddrPort, dir string) {
	t.Helper()
	at = closedPort(t)
	dir, err := os.MkdirTemp("", "exim") // exim runs as another user, who cannot pass t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write(t, dir+"/exim.conf", fmt.Appendf(nil, `primary_hostname = mx.example
spool_directory = %[1]s
log_file_path = %[1]s/%%s
daemon_smtp_ports = %[2]d
local_interfaces = 127.0.0.1
pid_file_path = %[1]s/pid
rfc1413_query_timeout = 0s
host_lookup =
keep_environment =
acl_smtp_connect = greet
acl_smtp_helo = meet
begin acl
greet:
 deny condition = ${if exists{%[1]s/refuse}}
  message = not today
 warn condition = ${if exists{%[1]s/slow}}
  delay = 3s
 accept
meet:
 warn condition = ${if exists{%[1]s/hesitant}}
  delay = 3s
 accept
begin routers
begin transports
`, dir, at.Port()))
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return realServer(t, at.Port(), "exim4", "-bdf", "-C", dir+"/exim.conf"), at, dir
}

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeCert(t testing.TB, dir, name string, c tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/"+name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
	write(t, dir+"/"+name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}
