package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve answers every request with the parts, each written by itself, and
// keeps the requests.
func serve(t *testing.T, parts ...string) (port string, requests chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	requests = make(chan string, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var b strings.Builder
			for r := bufio.NewReader(c); ; {
				line, err := r.ReadString('\n')
				b.WriteString(line)
				if err != nil || line == "\r\n" {
					break
				}
			}
			requests <- b.String()
			for _, p := range parts {
				io.WriteString(c, p)
			}
			c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, requests
}

var usageText = fmt.Sprintf(usage, "genhash")

const pageText = "HTTP/1.0 200 OK\r\nContent-Length: 39\r\n\r\nhello world, this is the body of a page\n"

// TestVerbose compares with what the original (2.2.7) printed for this page.
func TestVerbose(t *testing.T) {
	port, requests := serve(t, pageText)
	var out, errs bytes.Buffer
	if rc := run("genhash", []string{"-v", "-s", "127.0.0.1", "-p", port, "-u", "/x"}, &out, &errs); rc != 0 {
		t.Errorf("status %d: %s", rc, errs.String())
	}
	want, err := os.ReadFile("testdata/verbose.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`= \d+ usecs`).ReplaceAllString(out.String(), "= N usecs")
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if got, want := <-requests, "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1:"+port+"\r\n\r\n"; got != want {
		t.Errorf("request %q, want %q", got, want)
	}
}

func TestRun(t *testing.T) {
	page, _ := serve(t, pageText)
	pieces, _ := serve(t, "HTTP/1.0 404 No\r", "\n\r\nhello ", "world")
	empty, _ := serve(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, closed, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	for _, tt := range []struct {
		name, args, out, err string
		rc                   int
	}{
		{"page", "-s 127.0.0.1 -u /x -p " + page, "f52cfa87e97c337a86000978f6fa3655\n", "", 0},
		{"long", "--server=127.0.0.1 --url /x --port " + page, "f52cfa87e97c337a86000978f6fa3655\n", "", 0},
		{"status-is-not-looked-at", "-s 127.0.0.1 -u /x -p " + pieces, "5eb63bbbe01eeed093cb22bb8f5acdc3\n", "", 0},
		{"no-answer", "-s 127.0.0.1 -u /x -p " + empty, "", "no data received from remote webserver\n", 0},
		{"closed", "-s 127.0.0.1 -u /x -p " + closed, "Connection failed\n", "", 0},
		{"nothing", "", "", usageText, 1},
		{"help", "-h", "", usageText, 1},
		{"missing-url", "-s 127.0.0.1 -p 80", "", usageText, 1},
		{"name", "-s foo -p 80 -u /", "", "server should be an IP, not foo\n" + usageText, 1},
		{"port", "-s 127.0.0.1 -p 99999 -u /", "", "invalid port number '99999'\n" + usageText, 1},
		{"mark", "-s 127.0.0.1 -p 80 -u / -m xx", "", "invalid fwmark 'xx'\n" + usageText, 1},
		{"timeout", "-s 127.0.0.1 -p 80 -u / -t xx", "", "invalid timeout 'xx'\n" + usageText, 1},
		{"protocol", "-s 127.0.0.1 -p 80 -u / -P 2.0", "", "invalid HTTP protocol version '2.0'\n" + usageText, 1},
		{"extra", "-s 127.0.0.1 -p 80 -u / extra", "", "Unexpected argument(s): extra\n" + usageText, 1},
		{"unknown", "-Z", "", "Unknown option -Z\n" + usageText, 1},
		{"no-value", "-s", "", "Missing parameter for option -s\n" + usageText, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			rc := run("genhash", strings.Fields(tt.args), &out, &errs)
			if rc != tt.rc || out.String() != tt.out || errs.String() != tt.err {
				t.Errorf("genhash %s: status %d, out %q, err %q; want %d, %q, %q",
					tt.args, rc, out.String(), errs.String(), tt.rc, tt.out, tt.err)
			}
		})
	}
}
