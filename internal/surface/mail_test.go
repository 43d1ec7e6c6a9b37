package surface

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// mailServer takes mails on a host and returns what was said, a connection after
// the other.
func (s *stage) mailServer(ns *nettest.NS, addr string) (said func() string) {
	s.t.Helper()
	var l net.Listener
	var err error
	ns.Do(func() { l, err = net.Listen("tcp", addr) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var all []string
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				text := converse(c)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, text)
			}()
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(all, "")
	}
}

// converse is one SMTP connection, written down as the samples have it.
func converse(c net.Conn) string {
	defer c.Close()
	var text strings.Builder
	say := func(line string) {
		fmt.Fprintf(&text, "S: %s\n", line)
		fmt.Fprintf(c, "%s\r\n", line)
	}
	say("220 mx.example.net ESMTP")
	data := false
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		fmt.Fprintf(&text, "C: %s\n", line)
		switch {
		case data && line == ".":
			data = false
			say("250 queued")
		case data:
		case line == "DATA":
			data = true
			say("354 go ahead")
		case line == "QUIT":
			say("221 bye")
		default:
			say("250 ok")
		}
	}
	text.WriteString("-- client closed\n")
	return text.String()
}

// letters are the conversations of a dialogue, one a line, sorted: connections
// overlap, and their numbers say nothing.
func letters(dialogue string) string {
	var list, now []string
	for _, line := range strings.Split(dialogue, "\n") {
		switch {
		case strings.HasPrefix(line, "=== connection"):
		case strings.HasPrefix(line, "-- client closed"):
			list = append(list, strings.Join(now, " | "))
			now = nil
		case strings.HasPrefix(line, "C: Date:"):
		case line != "":
			now = append(now, line)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}
