package surface

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

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

// TestWhatIsNotMailed: no_email_faults keeps FAULT back, no_checker_emails the
// second check of a server that is down already.
func TestWhatIsNotMailed(t *testing.T) {
	nettest.Need(t, "unshare")
	s := newStage(t)
	mail := s.mailServer(s.lb, "127.0.0.1:2525")
	d := s.start(`global_defs {
    router_id lb1
    notification_email {
        root@example.net
    }
    smtp_server 127.0.0.1 2525
    smtp_alert
    no_email_faults
    no_checker_emails
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.2
    virtual_ipaddress {
        192.0.2.100/24
    }
}
virtual_server 192.0.2.100 80 {
    delay_loop 1
    protocol TCP
    real_server 192.0.2.2 81 {
        TCP_CHECK {
            connect_timeout 1
            retry 0
        }
        TCP_CHECK {
            connect_timeout 1
            retry 0
        }
    }
}
`)
	d.wait("(VI_1) Entering MASTER STATE")
	d.waitCount("TCP_CHECK on service [192.0.2.2]:tcp:81 failed", 2)
	s.lb.Down("eth0")
	d.wait("(VI_1) Entering FAULT STATE")
	s.lb.Up("eth0")
	d.waitCount("(VI_1) Entering MASTER STATE", 2)
	nettest.Eventually(t, patience, "the mail about the second mastership", func() bool { return strings.Count(mail(), "Entering MASTER state") == 2 })
	d.end()
	if all := mail(); strings.Count(all, "=> TCP CHECK failed on service <=") != 1 || strings.Contains(all, "FAULT") ||
		strings.Count(all, "VRRP Instance VI_1 - Stopping") != 1 {
		t.Errorf("mails:\n%s", all)
	}
}
