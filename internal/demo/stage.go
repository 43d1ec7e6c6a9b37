package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stage is everything the demo makes, so that all of it can be removed.
type stage struct {
	dir       string
	prefix    string // of the names of the namespaces
	binary    string
	begin     time.Time
	patience  time.Duration // how long to wait for what an act is to show
	directors []*director
	servers   []*server
	client    *client
	asking    *exec.Cmd

	mu     sync.Mutex
	spaces []string
	procs  map[*exec.Cmd]bool
}

// newStage builds the network: a bridge in a namespace of its own and five
// hosts on it.
func newStage(binary string) (*stage, error) {
	for _, program := range []string{"ip", "haproxy", "nginx"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s is needed: apt-get install -y iproute2 haproxy nginx-light (make demo does it)", program)
		}
	}
	return emptyStage(binary)
}

func emptyStage(binary string) (*stage, error) {
	dir, err := os.MkdirTemp("", "keepalived-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{
		dir: dir, prefix: fmt.Sprintf("kademo%d-", os.Getpid()), binary: binary,
		begin: time.Now(), patience: 20 * time.Second, client: newClient(), procs: map[*exec.Cmd]bool{},
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if err := s.network(); err != nil {
		s.clear()
		return nil, err
	}
	return s, nil
}

func (s *stage) network() error {
	sw := s.prefix + "sw"
	if err := s.space(sw); err != nil {
		return err
	}
	if err := ip("-n", sw, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"); err != nil {
		return err
	}
	if err := ip("-n", sw, "link", "set", "br0", "up"); err != nil {
		return err
	}
	hosts := []struct{ name, addr string }{
		{"lb1", "10.77.0.1"}, {"lb2", "10.77.0.2"}, {"web1", "10.77.0.11"}, {"web2", "10.77.0.12"}, {"client", "10.77.0.50"},
	}
	for i, h := range hosts {
		ns := s.prefix + h.name
		if err := s.space(ns); err != nil {
			return err
		}
		port := fmt.Sprintf("p%d", i)
		for _, args := range [][]string{
			{"-n", sw, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns},
			{"-n", sw, "link", "set", port, "master", "br0", "up"},
			{"-n", ns, "addr", "add", h.addr + "/24", "dev", "eth0"},
			{"-n", ns, "link", "set", "eth0", "up"},
			{"-n", ns, "link", "set", "lo", "up"},
		} {
			if err := ip(args...); err != nil {
				return err
			}
		}
		switch {
		case strings.HasPrefix(h.name, "lb"):
			s.directors = append(s.directors, &director{stage: s, name: h.name, ns: ns, priority: 150 - 50*i})
		case strings.HasPrefix(h.name, "web"):
			s.servers = append(s.servers, &server{stage: s, name: h.name, ns: ns})
		}
	}
	return nil
}

func (s *stage) space(name string) error {
	s.mu.Lock()
	s.spaces = append(s.spaces, name)
	s.mu.Unlock()
	return ip("netns", "add", name)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// run starts a program in a namespace, in a process group of its own, and
// hands its output, line by line, to each.
func (s *stage) run(ns string, each func(string), args ...string) (*exec.Cmd, error) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	s.mu.Lock()
	s.procs[cmd] = true
	s.mu.Unlock()
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			each(lines.Text())
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	go func() { _ = cmd.Wait(); w.Close() }()
	return cmd, nil
}

// end sends a signal to a program's process group and waits until it is gone.
func (s *stage) end(cmd *exec.Cmd, sig syscall.Signal) error {
	if cmd == nil {
		return nil
	}
	s.mu.Lock()
	delete(s.procs, cmd)
	s.mu.Unlock()
	_ = syscall.Kill(-cmd.Process.Pid, sig)
	if !waitFor(10*time.Second, func() bool {
		return errors.Is(syscall.Kill(-cmd.Process.Pid, 0), syscall.ESRCH)
	}) {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	return nil
}

// clear removes everything.
func (s *stage) clear() {
	s.mu.Lock()
	procs := s.procs
	s.procs = map[*exec.Cmd]bool{}
	spaces := s.spaces
	s.spaces = nil
	s.mu.Unlock()
	for cmd := range procs {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if s.asking != nil {
		_ = s.asking.Process.Kill()
	}
	for _, ns := range spaces {
		_ = exec.Command("ip", "netns", "del", ns).Run()
	}
	os.RemoveAll(s.dir)
}

// say prints a line of the timeline.
func (s *stage) say(format string, args ...any) {
	fmt.Printf("%7.2f s  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

func (s *stage) summary() { s.say("%s", s.client.result()) }

// tail shows what the daemons said last, when something went wrong.
func (s *stage) tail() {
	for _, d := range s.directors {
		fmt.Printf("--- last words of %s\n%s\n", d.name, d.lastWords())
	}
}

func (s *stage) startServers() error {
	for _, w := range s.servers {
		if err := w.start(); err != nil {
			return err
		}
	}
	var err error
	s.asking, err = s.client.start(s.prefix + "client")
	return err
}

// write makes a file in the stage's directory and returns its name.
func (s *stage) write(name, content string) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(content), 0o644)
}
