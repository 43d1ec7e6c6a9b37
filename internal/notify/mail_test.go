package notify

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/nettest"
)

// server is an SMTP server that answers by the first word of a line.
type server struct {
	net.Listener
	answers map[string]string
	talks   chan string  // one transcript per connection
	pause   atomic.Int64 // nanoseconds before each answer
}

func newServer(t testing.TB, answers map[string]string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l, answers: answers, talks: make(chan string, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	return s
}

func (s *server) answer(word, normal string) string {
	if a, ok := s.answers[word]; ok {
		return a
	}
	return normal
}

func (s *server) talk(c net.Conn) {
	defer c.Close()
	var text strings.Builder
	say := func(line string) {
		if line == "" {
			select {} // a server that hangs
		}
		<-time.After(time.Duration(s.pause.Load()))
		fmt.Fprintf(&text, "S: %s\n", line)
		fmt.Fprintf(c, "%s\r\n", strings.ReplaceAll(line, "\n", "\r\n"))
	}
	say(s.answer("connect", "220 mx.example.net ESMTP"))
	in := bufio.NewScanner(c)
	in.Split(bufio.ScanLines)
	data := false
	for in.Scan() {
		line := in.Text()
		fmt.Fprintf(&text, "C: %s\n", line)
		word, _, _ := strings.Cut(line, " ")
		switch {
		case data && line == ".":
			data = false
			say(s.answer(".", "250 queued"))
		case data:
		case word == "DATA":
			data = true
			say(s.answer(word, "354 go ahead"))
		case word == "QUIT":
			say(s.answer(word, "221 bye"))
		default:
			say(s.answer(word, "250 ok"))
		}
	}
	s.talks <- text.String()
}

func (s *server) config() MailConfig {
	addr := s.Addr().(*net.TCPAddr)
	return MailConfig{
		Server: "127.0.0.1", Port: uint16(addr.Port), HELO: "lb1.example.net", RouterID: "lb1",
		From: "keepalived@lb1.example.net", To: []string{"root@example.net", "Ops Team <ops@example.net>"},
		ConnectTimeout: 5 * time.Second,
	}
}

// TestMailDialogue compares a whole dialogue with the one recorded from the
// reference.
func TestMailDialogue(t *testing.T) {
	_, sample, _ := strings.Cut(nettest.Recorded(t, "02-notify/smtp-dialogue.txt"), "=== connection 1\n")
	sample, _, _ = strings.Cut(sample, "-- client closed\n")
	s := newServer(t, nil)
	m := NewMail(s.config())
	m.SendVRRP(true, "VG_1", "BACKUP")
	m.SendVRRP(true, "VG_1", "BACKUP") // not again
	m.Close(10 * time.Second)
	date := regexp.MustCompile(`Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}`)
	got := date.ReplaceAllString(<-s.talks, "Date: DATE")
	want := date.ReplaceAllString(sample, "Date: DATE")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dialogue (-want +got):\n%s", diff)
	}
	select {
	case again := <-s.talks:
		t.Errorf("a second mail for the same state:\n%s", again)
	default:
	}
}

func TestMailErrors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers map[string]string
		want    string
	}{
		{"refused-recipient", map[string]string{"RCPT": "550 no such user"}, "Error processing RCPT cmd on SMTP server [127.0.0.1]:PORT. SMTP status code = 550"},
		{"busy", map[string]string{"connect": "421 busy"}, "Error processing connect cmd on SMTP server [127.0.0.1]:PORT. SMTP status code = 421"},
		{"no-smtp", map[string]string{"connect": "hello"}, "Error reading data from remote SMTP server [127.0.0.1]:PORT."},
		{"hangs", map[string]string{"MAIL": ""}, "Timeout reading data to remote SMTP server [127.0.0.1]:PORT."},
		{"bare-code", map[string]string{"HELO": "250"}, ""},
		{"two-codes", map[string]string{"HELO": "250-first\n550 last"}, "Error reading data from remote SMTP server [127.0.0.1]:PORT."},
		{"endless-line", map[string]string{"HELO": "250 " + strings.Repeat("x", 5000)}, "Error reading data from remote SMTP server [127.0.0.1]:PORT."},
		{"endless-lines", map[string]string{"HELO": strings.Repeat("250-more\n", 5000) + "250 ok"}, "Error reading data from remote SMTP server [127.0.0.1]:PORT."},
		{"several-lines", map[string]string{"HELO": "250-first\n250-second\n250 last"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, tt.answers)
			c := s.config()
			if tt.name == "hangs" {
				c.ConnectTimeout = 200 * time.Millisecond
			}
			var logged []string
			done := make(chan struct{})
			stop := log.Capture(func(l log.Line) { logged = append(logged, l.Text) })
			go func() { NewMail(c).deliverLogged(); close(done) }()
			<-done
			stop()
			got := strings.ReplaceAll(strings.Join(logged, "|"), fmt.Sprint(c.Port), "PORT")
			if got != tt.want {
				t.Errorf("logged %q, want %q", got, tt.want)
			}
		})
	}
}

// deliverLogged sends one letter and waits for it.
func (m *Mail) deliverLogged() {
	m.Send(VRRPLetter(false, "VI_1", "MASTER"))
	m.Close(20 * time.Second)
}

// TestMailNeverWaits fills the queue of a server that does not answer.
func TestMailNeverWaits(t *testing.T) { nettest.Play(t, time.Second, mailNeverWaits) }

func mailNeverWaits(t testing.TB) {
	s := newServer(t, map[string]string{"connect": ""})
	m := NewMail(s.config())
	begin := time.Now()
	for i := range mailQueue + mailSenders + 10 {
		m.Send(Letter{Subject: fmt.Sprint(i)})
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("Send took %v for all", took)
	}
	if m.Lost() == 0 {
		t.Error("no letter was counted as lost")
	}
	m.Close(50 * time.Millisecond)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("Close returned after %v, want about 50 ms", took)
	}
}

// TestMailAtStop: what is queued when the process ends is delivered by a slow
// server too, in order of its bounded connections, and no longer than allowed.
func TestMailAtStop(t *testing.T) {
	s := newServer(t, nil)
	s.pause.Store(int64(10 * time.Millisecond))
	const letters = 3 * mailSenders
	m := NewMail(s.config())
	for i := range letters {
		m.Send(Letter{Subject: fmt.Sprint("letter ", i, ".")})
	}
	m.Close(20 * time.Second)
	var all strings.Builder
	for range letters {
		select {
		case talk := <-s.talks:
			all.WriteString(talk)
		case <-time.After(20 * time.Second):
			t.Fatalf("not all letters came:\n%s", all.String())
		}
	}
	for i := range letters {
		if want := fmt.Sprint("Subject: [lb1] letter ", i, ".\n"); strings.Count(all.String(), want) != 1 {
			t.Errorf("%d times %q, want once", strings.Count(all.String(), want), want)
		}
	}
}

func TestMessage(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 22, 12, 0, time.UTC)
	c := MailConfig{RouterID: "lb1", From: "a@b", To: []string{"A.B. Ops <ab@example.com>", "x@y"}}
	got := RealServerLetter("[192.0.2.11]:tcp:80", "FWM 5", false, ".hidden").message(c, now)
	want := "Date: Sat, 21 Nov 2026 09:22:12 +0000\r\nFrom: a@b\r\n" +
		"Subject: [lb1] Realserver [192.0.2.11]:tcp:80 of virtual server FWM 5 - DOWN\r\n" +
		"X-Mailer: Keepalived\r\nTo: \"A.B. Ops\" <ab@example.com>,\r\n x@y\r\n\r\n=> .hidden <=\r\n\r\n."
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	long := Letter{Subject: strings.Repeat("s", 400), Body: ".dot\n" + strings.Repeat("b", 600)}.message(c, now)
	lines := strings.Split(long, "\r\n")
	if got := len(lines[2]) - len("Subject: "); got != maxSubject {
		t.Errorf("subject of %d bytes, want %d", got, maxSubject)
	}
	if !strings.Contains(long, "\r\n..dot\r\n") {
		t.Error("a line that begins with a dot was not stuffed")
	}
}

func TestVRRPLetters(t *testing.T) {
	var got strings.Builder
	for _, group := range []bool{false, true} {
		for _, state := range []string{"MASTER", "BACKUP", "FAULT", "STOP", "DELETED"} {
			if group && state == "DELETED" {
				continue
			}
			l := VRRPLetter(group, "N", state)
			fmt.Fprintf(&got, "%s | %s\n", l.Subject, l.Body)
		}
	}
	want := `VRRP Instance N - Entering MASTER state | => VRRP Instance is now owning VRRP VIPs <=
VRRP Instance N - Entering BACKUP state | => VRRP Instance is no longer owning VRRP VIPs <=
VRRP Instance N - Entering FAULT state | => VRRP Instance is no longer owning VRRP VIPs <=
VRRP Instance N - Stopping | => VRRP Instance stopping <=
VRRP Instance N - Deleted | => VRRP Deleted at reload <=
VRRP Group N - Entering MASTER state | => All VRRP group instances are now in MASTER state <=
VRRP Group N - Entering BACKUP state | => All VRRP group instances are now in BACKUP state <=
VRRP Group N - Entering FAULT state | => All VRRP group instances are now in FAULT state <=
VRRP Group N - Stopping | => All VRRP group instances are now stopping <=
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
}

// FuzzReply: whatever a server answers, reading comes to an end and gives a
// code of three digits or an error.
func FuzzReply(f *testing.F) {
	f.Add([]byte("220 mx.example.net ESMTP\r\n"))
	f.Add([]byte("250-first\r\n250 last\r\n"))
	f.Add([]byte("250-first\r\n550 last\r\n"))
	f.Add([]byte("250\n"))
	f.Add([]byte("hello\r\n"))
	f.Add(bytes.Repeat([]byte("2"), maxReplyLine+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(b)
		code, err := readReply(bufio.NewReaderSize(in, maxReplyLine))
		if err != nil {
			return
		}
		if code < 100 || code > 999 || !bytes.Contains(b, fmt.Append(nil, code)) {
			t.Errorf("%q gives code %d", b, code)
		}
	})
}
