package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// usecs is what differs from run to run.
var usecs = regexp.MustCompile(`= \d+ usecs`)

// outcome is everything that a caller of genhash sees.
type outcome struct {
	Out, Err string
	Status   int
	Request  string
}

// TestBesideOriginal runs every command line with Debian's genhash and with
// ours against the same server.
func TestBesideOriginal(t *testing.T) {
	original, err := exec.LookPath("genhash")
	if err != nil {
		t.Skip("skipped: Debian's genhash is not installed")
	}
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	const ok = "HTTP/1.0 200 OK\r\n"
	pages := map[string][]string{
		"page":        {pageText},
		"pieces":      {"HTTP/1.0 404 No\r", "\n\r\nhello ", "world"},
		"binary":      {ok + "\r\n" + string(binary)},
		"cut":         {ok + "Content-Length: 5\r\n\r\nhello, world"},
		"announced":   {ok + "Content-Length: 500\r\n\r\nhello"},
		"no-body":     {ok + "Content-Length: 0\r\n\r\n"},
		"large":       {ok + "\r\n" + strings.Repeat("0123456789abcdef", 700)},
		"large-cut":   {ok + "Content-Length: 9000\r\n\r\n" + strings.Repeat("0123456789abcdef", 700)},
		"bare":        {"HTTP/1.0 200 OK\n\nbody"},
		"half":        {"HTTP/1.0 200 OK\r\nServer: x"},
		"long-header": {ok + "X: " + strings.Repeat("x", 5000) + "\r\n\r\nbody"},
		"nothing":     {},
		"garbage":     {"\x00\x01\xff no HTTP at all"},
		"empty-lines": {"\r\n\r\nbody"},
		"chunked":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	}
	type row struct{ name, args, page string }
	rows := []row{
		{"nothing", "", ""}, {"help", "-h", ""}, {"long-help", "--help", ""},
		{"missing-url", "-s 127.0.0.1 -p 80", ""}, {"missing-port", "-s 127.0.0.1 -u /", ""}, {"missing-server", "-p 80 -u /", ""},
		{"name", "-s foo -p 80 -u /", ""}, {"bad-port", "-s 127.0.0.1 -p 99999 -u /", ""}, {"port-0", "-s 127.0.0.1 -p 0 -u /", ""},
		{"port-word", "-s 127.0.0.1 -p http -u /", ""}, {"port-junk", "-s 127.0.0.1 -p 80x -u /", ""}, {"port-minus", "-s 127.0.0.1 -p -1 -u /", ""},
		{"mark", "-s 127.0.0.1 -p 80 -u / -m xx", ""}, {"mark-minus", "-s 127.0.0.1 -p 80 -u / -m -1", ""},
		{"timeout-word", "-s 127.0.0.1 -p 80 -u / -t xx", ""},
		{"protocol", "-s 127.0.0.1 -p 80 -u / -P 2.0", ""}, {"protocol-1.0K", "-s 127.0.0.1 -p 80 -u / -P 1.0K", ""},
		// 2.2.7 does not say what is wrong with -Z and with an -s without value; 2.4.3 does (checkers.md 5).
		{"extra", "-s 127.0.0.1 -p 80 -u / extra more", ""}, {"unknown-long", "--foo x", ""}, {"two-faults", "-s foo -p 99999 -u /", ""},
		{"ambiguous", "--use -s 127.0.0.1", ""},
		{"closed", "-s 127.0.0.1 -p CLOSED -u /", ""}, {"closed-verbose", "-v -s 127.0.0.1 -p CLOSED -u /x", ""},
		{"long-options", "--server 127.0.0.1 --port PORT --url /x --protocol 1.1 --use-virtualhost www.example.com", "page"},
		{"abbreviated", "--serv 127.0.0.1 --por PORT --ur /x", "page"},
		{"equals", "--server=127.0.0.1 --port=PORT --url=/x", "page"},
		{"joined", "-s127.0.0.1 -pPORT -u/x", "page"},
		{"1.0c", "-s 127.0.0.1 -p PORT -u /x -P 1.0c", "page"}, {"1.0C", "-s 127.0.0.1 -p PORT -u /x -P 1.0C", "page"},
		{"1.1", "-s 127.0.0.1 -p PORT -u /x?y=%20z -P 1.1", "page"},
		{"virtualhost", "-s 127.0.0.1 -p PORT -u /x -V www.example.com:8080", "page"},
		{"tls-refused", "-S -s 127.0.0.1 -p PORT -u /x", "garbage"},
		{"tls", "-S -v -s 127.0.0.1 -p TLS -u /x", "page"}, {"tls-sni", "-S -I -V www.example.com -s 127.0.0.1 -p TLS -u /x", "page"},
		{"timeout", "-t 1 -s 127.0.0.1 -p PORT -u /x", "silent"}, {"timeout-verbose", "-v -t 1 -s 127.0.0.1 -p PORT -u /x", "silent"},
		{"timeout-half", "-t 1 -s 127.0.0.1 -p PORT -u /x", "half-then-silent"},
	}
	for name := range pages {
		rows = append(rows, row{"plain-" + name, "-s 127.0.0.1 -p PORT -u /x", name}, row{"verbose-" + name, "-v -s 127.0.0.1 -p PORT -u /x", name})
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ports, requests := hashServer(t, tt.page, pages[tt.page])
			args := strings.Fields(strings.NewReplacer(ports...).Replace(tt.args))
			see := func(f func(out, errs io.Writer) int) outcome {
				var out, errs bytes.Buffer
				rc := f(&out, &errs)
				return outcome{usecs.ReplaceAllString(out.String(), "= N usecs"), errs.String(), rc, requests()}
			}
			want := see(func(out, errs io.Writer) int {
				cmd := exec.Command(original, args...)
				cmd.Args[0] = "genhash" // the usage names it as it was called
				cmd.Stdout, cmd.Stderr = out, errs
				var exit *exec.ExitError
				if err := cmd.Run(); errors.As(err, &exit) {
					return exit.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				return 0
			})
			got := see(func(out, errs io.Writer) int { return run("genhash", args, out, errs) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("genhash %s (-original +ours):\n%s", tt.args, diff)
			}
		})
	}
}

// waitTaken waits until the client at the other end, on this machine, has read
// what was sent: what comes next is then another read, for every client.
func waitTaken(t *testing.T, c net.Conn) {
	client := c.RemoteAddr().(*net.TCPAddr)
	// The kernel's own table: sl, local_address, rem_address, st, tx_queue:rx_queue.
	queue := regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: 0100007F:%04X \S+ \S+ [0-9A-F]{8}:([0-9A-F]{8}) `, client.Port))
	if !nettest.Within(5*time.Second, func() bool {
		table, err := os.ReadFile("/proc/net/tcp")
		m := queue.FindSubmatch(table)
		return err == nil && (m == nil || string(m[1]) == "00000000")
	}) {
		t.Error("a client has not read what was sent")
	}
}

// hashServer serves a page, plain and over TLS, to one client after the other.
// It returns what to put for PORT, TLS and CLOSED, and a function that gives
// what the last client asked.
func hashServer(t *testing.T, name string, parts []string) (ports []string, last func() string) {
	t.Helper()
	asked := make(chan string, 4)
	port := func(l net.Listener) string {
		_, p, _ := net.SplitHostPort(l.Addr().String())
		return p
	}
	open := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	serve := func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				n, _ := c.Read(b)
				asked <- string(b[:n])
				for _, p := range parts {
					io.WriteString(c, p)
					waitTaken(t, c)
				}
				switch name {
				case "half-then-silent":
					io.WriteString(c, "HTTP/1.0 200 OK\r\n")
					fallthrough
				case "silent":
					io.Copy(io.Discard, c)
				}
			}()
		}
	}
	plain, secret, closed := open(), open(), open()
	go serve(plain)
	go serve(tls.NewListener(secret, &tls.Config{Certificates: []tls.Certificate{certificate(t)}}))
	closed.Close()
	return []string{"PORT", port(plain), "TLS", port(secret), "CLOSED", port(closed)}, func() string {
		select {
		case s := <-asked:
			if !strings.HasPrefix(s, "GET ") {
				return "not HTTP" // a TLS hello, which differs
			}
			return s
		default:
			return ""
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
