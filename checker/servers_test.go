package checker

import (
	"crypto/md5"
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
)

// realServer starts a program of the distribution in the foreground and waits
// until its port answers. The test is skipped if it is not installed.
func realServer(t *testing.T, port uint16, name string, args ...string) *os.Process {
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

// verdicts checks a server as it is, stopped in the middle, going on, and dead.
func verdicts(t *testing.T, server *os.Process, spec Spec, stalled, dead Reason) {
	t.Helper()
	at := func(state string, want Reason) {
		t.Helper()
		r := once(t, spec, SchedulerOptions{})[0]
		if r.Reason != want {
			t.Errorf("%s: %v (%s), want %v", state, r.Reason, r.Text, want)
		}
		if limit := spec.Endpoint().Timeout*2 + time.Second; r.Took > limit {
			t.Errorf("%s: the verdict took %v, want no more than %v", state, r.Took, limit)
		}
	}
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(-server.Pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	at("running", OK)
	signal(syscall.SIGSTOP)
	at("stopped", stalled)
	signal(syscall.SIGCONT)
	at("going on", OK)
	signal(syscall.SIGKILL)
	_, _ = server.Wait()
	at("dead", dead)
}

func TestNginx(t *testing.T) {
	plain, tls12, tls13 := closedPort(t).Port(), closedPort(t).Port(), closedPort(t).Port()
	dir := t.TempDir()
	page := []byte("a page for the digest\n")
	write(t, dir+"/page.html", page)
	writeCert(t, dir, selfSigned(t))
	write(t, dir+"/nginx.conf", fmt.Appendf(nil, `
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events { worker_connections 64; }
http {
  access_log off; root %[1]s;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen 127.0.0.1:%[2]d; location /slow { limit_rate 1; } location /moved { return 302 /; } }
  server { listen 127.0.0.1:%[3]d ssl; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_protocols TLSv1.2; }
  server { listen 127.0.0.1:%[4]d ssl; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_protocols TLSv1.3; }
}
`, dir, plain, tls12, tls13))
	sum := md5.Sum(page)
	ask := func(port uint16, change func(*HTTPCheck)) HTTPCheck {
		c := httpCheck(local(port), func(u *URL) { u.Path, u.Digest = "/page.html", sum[:] })
		c.Connection.Timeout = 3 * time.Second
		if change != nil {
			change(&c)
		}
		return c
	}
	for _, tt := range []struct {
		name    string
		check   HTTPCheck
		stalled Reason
	}{
		{"http10", ask(plain, nil), FirstByteTimeout},
		{"http11", ask(plain, func(c *HTTPCheck) { c.Protocol = HTTP11 }), FirstByteTimeout},
		{"tls12", ask(tls12, func(c *HTTPCheck) { c.TLS = true }), ConnectTimeout},
		{"tls13", ask(tls13, func(c *HTTPCheck) { c.TLS, c.TLSCompliant = true, true }), ConnectTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			verdicts(t, realServer(t, plain, "nginx", "-c", dir+"/nginx.conf"), tt.check, tt.stalled, ConnectFailed)
		})
	}
	t.Run("answers", func(t *testing.T) {
		realServer(t, plain, "nginx", "-c", dir+"/nginx.conf")
		for path, want := range map[string]Reason{"/moved": BadStatus, "/none": BadStatus, "/page.html": OK} {
			c := httpCheck(local(plain), func(u *URL) { u.Path = path })
			c.Connection.Timeout = 5 * time.Second
			if r := once(t, c, SchedulerOptions{})[0]; r.Reason != want {
				t.Errorf("%s: %v (%s), want %v", path, r.Reason, r.Text, want)
			}
		}
	})
}

func TestUnbound(t *testing.T) {
	port, dir := closedPort(t).Port(), t.TempDir()
	write(t, dir+"/unbound.conf", fmt.Appendf(nil, `
server:
  interface: 127.0.0.1
  port: %d
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "%[2]s"
  pidfile: "%[2]s/pid"
  use-syslog: no
  local-zone: "example.com." static
  local-data: "www.example.com. A 192.0.2.1"
remote-control:
  control-enable: no
`, port, dir))
	server := realServer(t, port, "unbound", "-d", "-c", dir+"/unbound.conf")
	at := Connection{To: local(port), Timeout: time.Second}
	r := once(t, DNSCheck{at, DNSTypeA, "none.example.com"}, SchedulerOptions{})[0]
	if r.Reason != BadRcode || r.Code != 3 {
		t.Errorf("a name that does not exist: %v, rcode %d; want %v, rcode 3", r.Reason, r.Code, BadRcode)
	}
	verdicts(t, server, DNSCheck{at, DNSTypeA, "www.example.com"}, ReadTimeout, ReadFailed)
}

func TestExim(t *testing.T) {
	port := closedPort(t).Port()
	dir, err := os.MkdirTemp("", "exim") // exim runs as another user, who cannot pass t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write(t, dir+"/exim.conf", fmt.Appendf(nil, "primary_hostname = mx.example\nspool_directory = %[1]s\nlog_file_path = %[1]s/%%s\n"+
		"daemon_smtp_ports = %[2]d\nlocal_interfaces = 127.0.0.1\npid_file_path = %[1]s/pid\nrfc1413_query_timeout = 0s\nhost_lookup =\nkeep_environment =\n"+
		"begin acl\nbegin routers\nbegin transports\n", dir, port))
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	server := realServer(t, port, "exim4", "-bdf", "-C", dir+"/exim.conf")
	check := SMTPCheck{Connection{To: local(port), Timeout: 5 * time.Second}, DefaultHelo}
	verdicts(t, server, check, ReadTimeout, ConnectFailed)
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeCert(t *testing.T, dir string, c tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
	write(t, dir+"/key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}
