package notify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
)

const (
	mailQueue   = 256 // letters that wait; more are lost and counted
	mailSenders = 4   // connections at a time
	mailTimeout = 30 * time.Second
	mailPort    = 25
	maxSubject  = 255 // bytes, as the reference
	maxBody     = 511

	maxReplyLine  = 1024 // bytes; RFC 5321 section 4.5.3.1.5 allows 512
	maxReplyLines = 100
)

// Mail sends letters by SMTP: one connection each, HELO, no TLS and no
// authentication, no second try. Send and Close may be called from any
// goroutine.
type Mail struct {
	cfg    MailConfig
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	queue   []Letter
	senders int
	idle    chan struct{} // closed when nothing is left while Close waits
	lost    atomic.Uint64

	// What was mailed last, by subject; the loop's.
	states map[string]string
}

// NewMail returns a sender, or nil if the configuration has no server or no
// recipient; a nil Mail sends nothing.
func NewMail(c MailConfig) *Mail {
	if c.Server == "" || len(c.To) == 0 {
		return nil
	}
	if c.Port == 0 {
		c.Port = mailPort
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = mailTimeout
	}
	host := hostName()
	if c.RouterID == "" {
		c.RouterID = host
	}
	if c.From == "" {
		c.From = "root@" + host
		if u, err := user.Current(); err == nil {
			c.From = u.Username + "@" + host
		}
	}
	if c.HELO == "" {
		c.HELO = CanonicalHost(host)
	}
	if c.HELO == "" {
		c.HELO = "localhost"
	}
	m := &Mail{cfg: c, states: map[string]string{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// hostName is the machine's name, with its domain if /etc/hosts knows it: the
// first name on a line that has the short one. DNS is not asked, it may not
// answer.
func hostName() string {
	host, _ := os.Hostname()
	if strings.Contains(host, ".") {
		return host
	}
	hosts, _ := os.ReadFile("/etc/hosts")
	for line := range strings.Lines(string(hosts)) {
		line, _, _ = strings.Cut(line, "#")
		if f := strings.Fields(line); len(f) > 2 && slices.Contains(f[2:], host) && strings.Contains(f[1], ".") {
			return f[1]
		}
	}
	return host
}

// Send queues a letter. It never waits; a full queue loses it.
func (m *Mail) Send(l Letter) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) >= mailQueue {
		if m.lost.Add(1) == 1 {
			log.Info("SMTP alert lost: %d already wait for %s", mailQueue, m.cfg.Server)
		}
		return
	}
	m.queue = append(m.queue, l)
	if m.senders < mailSenders {
		m.senders++
		go m.sender()
	}
}

// Lost returns how many letters found the queue full.
func (m *Mail) Lost() uint64 {
	if m == nil {
		return 0
	}
	return m.lost.Load()
}

// Close waits until every letter has been sent, at most for the given time,
// then gives up on the rest.
func (m *Mail) Close(within time.Duration) {
	if m == nil {
		return
	}
	defer m.cancel()
	m.mu.Lock()
	if m.senders == 0 {
		m.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	m.idle = idle
	m.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		m.mu.Lock()
		m.queue = nil
		m.mu.Unlock()
	}
}

// sender sends letters until none is left.
func (m *Mail) sender() {
	for {
		m.mu.Lock()
		if len(m.queue) == 0 {
			m.senders--
			if m.senders == 0 && m.idle != nil {
				close(m.idle)
				m.idle = nil
			}
			m.mu.Unlock()
			return
		}
		l := m.queue[0]
		m.queue = m.queue[1:]
		m.mu.Unlock()
		if text := m.deliver(l, time.Now()); text != "" {
			log.Info("%s", text)
		}
	}
}

// deliver sends one letter and returns what is to be logged if it fails.
func (m *Mail) deliver(l Letter, now time.Time) string {
	server := net.JoinHostPort(m.cfg.Server, strconv.Itoa(int(m.cfg.Port)))
	d := net.Dialer{Timeout: m.cfg.ConnectTimeout}
	raw, err := d.DialContext(m.ctx, "tcp", server)
	if err != nil {
		if timedOut(err) {
			return fmt.Sprintf("Timeout connecting SMTP server [%s]:%d.", m.cfg.Server, m.cfg.Port)
		}
		return fmt.Sprintf("SMTP connection ERROR to [%s]:%d. (%v)", m.cfg.Server, m.cfg.Port, err)
	}
	defer raw.Close()
	stop := context.AfterFunc(m.ctx, func() { raw.Close() })
	defer stop()
	to := raw.RemoteAddr().(*net.TCPAddr)
	s := session{raw: raw, in: bufio.NewReaderSize(raw, maxReplyLine), timeout: m.cfg.ConnectTimeout, peer: fmt.Sprintf("[%s]:%d", to.IP, to.Port)}
	log.Detailf("Remote SMTP server %s connected.", s.peer)
	if text := s.send(m.cfg, l.message(m.cfg, now)); text != "" {
		return text
	}
	log.Detailf("SMTP alert successfully sent.")
	return ""
}

// session is one connection to the server.
type session struct {
	raw     net.Conn
	in      *bufio.Reader
	timeout time.Duration
	peer    string
}

// send goes through the whole dialogue and returns what is to be logged.
func (s session) send(c MailConfig, message string) string {
	type step struct {
		name, line string
		code       int
	}
	steps := []step{
		{"connect", "", 220},
		{"HELO", "HELO " + c.HELO, 250},
		{"MAIL", "MAIL FROM:<" + bare(c.From) + ">", 250},
	}
	for _, to := range c.To {
		steps = append(steps, step{"RCPT", "RCPT TO:<" + bare(to) + ">", 250})
	}
	steps = append(steps, step{"DATA", "DATA", 354}, step{"BODY", message, 250}, step{"QUIT", "QUIT", 221})
	for _, st := range steps {
		code, text := s.command(st.line)
		if text != "" {
			return text
		}
		if code != st.code {
			if st.name != "QUIT" {
				s.command("QUIT")
			}
			return fmt.Sprintf("Error processing %s cmd on SMTP server %s. SMTP status code = %d", st.name, s.peer, code)
		}
	}
	return ""
}

// command sends a line, unless empty, and reads the answer's code. text is what
// is to be logged if that fails.
func (s session) command(line string) (code int, text string) {
	_ = s.raw.SetDeadline(time.Now().Add(s.timeout))
	if line != "" {
		if _, err := io.WriteString(s.raw, line+"\r\n"); err != nil {
			return 0, fmt.Sprintf("Cannot send data to remote SMTP server %s.", s.peer)
		}
	}
	code, err := readReply(s.in)
	switch {
	case err == nil:
		return code, ""
	case timedOut(err):
		return 0, fmt.Sprintf("Timeout reading data to remote SMTP server %s.", s.peer)
	case errors.Is(err, errReply):
		return 0, fmt.Sprintf("Error reading data from remote SMTP server %s.", s.peer)
	}
	return 0, fmt.Sprintf("Remote SMTP server %s has closed the connection.", s.peer)
}

// errReply is an answer that is none of RFC 5321.
var errReply = errors.New("malformed reply")

// readReply reads an answer of one line or of several, RFC 5321 section 4.2.1,
// and returns its code. A server that never comes to an end costs no memory.
func readReply(r *bufio.Reader) (code int, err error) {
	for range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, errReply
		}
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return 0, errReply
		}
		n, err := strconv.ParseUint(string(line[:3]), 10, 16)
		if err != nil || n < 100 || code != 0 && int(n) != code {
			return 0, errReply
		}
		code = int(n)
		if len(line) == 3 || line[3] == ' ' {
			return code, nil
		}
		if line[3] != '-' {
			return 0, errReply
		}
	}
	return 0, errReply
}

func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// message returns headers and body up to and with the final dot, less the last
// line end.
func (l Letter) message(c MailConfig, now time.Time) string {
	to := make([]string, len(c.To))
	for i, addr := range c.To {
		to[i] = displayed(addr)
	}
	lines := []string{
		"Date: " + now.Format("Mon, 02 Jan 2006 15:04:05 -0700"),
		"From: " + c.From,
		"Subject: " + cut("["+c.RouterID+"] "+l.Subject, maxSubject),
		"X-Mailer: Keepalived",
		"To: " + strings.Join(to, ",\r\n "),
		"",
	}
	for _, line := range strings.Split(cut(l.Body, maxBody), "\n") {
		if strings.HasPrefix(line, ".") {
			line = "." + line // RFC 5321 section 4.5.2
		}
		lines = append(lines, strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(append(lines, "", "."), "\r\n")
}

// bare returns the address within <…>, or the whole word.
func bare(addr string) string {
	if _, rest, ok := strings.Cut(addr, "<"); ok {
		if inner, _, ok := strings.Cut(rest, ">"); ok {
			return inner
		}
	}
	return addr
}

// displayed quotes a display name that has characters which RFC 5322 does not
// allow in a bare phrase.
func displayed(addr string) string {
	name, rest, ok := strings.Cut(addr, "<")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.HasPrefix(name, `"`) || !strings.ContainsAny(name, `().,:;@[]\`) {
		return addr
	}
	return `"` + strings.ReplaceAll(name, `\`, `\\`) + `" <` + rest
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// CanonicalHost is the first name on the line of /etc/hosts that has the host,
// which is what the C library calls the canonical name.
func CanonicalHost(host string) string {
	b, err := os.ReadFile("/etc/hosts")
	if err != nil {
		return host
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if f := strings.Fields(line); len(f) > 1 && slices.Contains(f[1:], host) {
			return f[1]
		}
	}
	return host
}
