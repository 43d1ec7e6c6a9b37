package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// ask is what the client process does in its namespace: a request every 50 ms,
// a line with the answer, or a dash when none came in time.
func ask(patience time.Duration) {
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		who := "-"
		if conn, err := net.DialTimeout("tcp", vip+":80", patience); err == nil {
			_ = conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
			if reply, err := io.ReadAll(conn); err == nil && strings.HasPrefix(string(reply), "HTTP/1.1 200") {
				who = strings.TrimSpace(string(reply[strings.LastIndex(string(reply), "\r\n\r\n")+4:]))
			}
			conn.Close()
		}
		if _, err := fmt.Println(who); err != nil {
			return
		}
	}
}

// client keeps what the asking process saw.
type client struct {
	patience time.Duration // for one answer

	mu      sync.Mutex
	act     time.Time
	answers map[string]int // since the act began
	last    map[string]time.Time
	good    time.Time // the last answer
	since   time.Time // answers without a gap since
	gap     time.Duration
	lost    int
}

func newClient() *client {
	return &client{patience: 200 * time.Millisecond, answers: map[string]int{}, last: map[string]time.Time{}}
}

// follow reads the answers until the asking process ends.
func (c *client) follow(r io.Reader) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		c.saw(strings.TrimSpace(lines.Text()), time.Now())
	}
}

func (c *client) saw(who string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !strings.HasPrefix(who, "web") {
		c.lost++
		c.since = time.Time{}
		return
	}
	if !c.good.IsZero() {
		c.gap = max(c.gap, now.Sub(c.good))
	}
	if c.since.IsZero() {
		c.since = now
	}
	c.good = now
	c.answers[who]++
	c.last[who] = now
}

func (c *client) newAct() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.act, c.gap, c.lost, c.since = time.Now(), 0, 0, time.Time{}
	c.answers = map[string]int{}
}

// answeredBy tells whether n servers have answered since the act began.
func (c *client) answeredBy(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answers) >= n
}

// goodFor tells whether the client had answers without a loss for a while.
func (c *client) goodFor(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero() && time.Since(c.since) >= d && time.Since(c.good) < d/2
}

// only tells whether nobody but one server has answered for a while.
func (c *client) only(name string, d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for who, at := range c.last {
		if who != name && time.Since(at) < d {
			return false
		}
	}
	return time.Since(c.act) > d && time.Since(c.last[name]) < d
}

// result is the act in one line.
func (c *client) result() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	total, parts := 0, []string{}
	for _, name := range []string{"web1", "web2"} {
		total += c.answers[name]
		parts = append(parts, fmt.Sprintf("%s %d", name, c.answers[name]))
	}
	return fmt.Sprintf("client: %d answers (%s), %d requests lost, longest wait for an answer %.2f s",
		total, strings.Join(parts, ", "), c.lost, c.gap.Seconds())
}

func (c *client) start(ns string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("ip", "netns", "exec", ns, self, "-ask", c.patience.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the client: %w", err)
	}
	go c.follow(out)
	return cmd, nil
}
