// Command demo shows a failover with real programs: two directors that run
// keepalived and HAProxy share one address, two nginx servers stand behind
// them, and a client asks every 50 ms. It kills the master, stops a server,
// brings both back, and prints what happened and when. A last act shows the same
// with IPVS, in a virtual machine where there can be one.
//
// Everything else runs in network namespaces of its own. Nothing is left at the
// end, also on Ctrl-C. It needs root, iproute2, haproxy and nginx.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const vip = "10.77.0.100"

func main() {
	binary := flag.String("keepalived", "bin/keepalived", "the daemon to show")
	asking := flag.Duration("ask", 0, "internal: be the client, which waits so long for an answer")
	inside := flag.Bool("lvs", false, "internal: play the LVS act, in the virtual machine")
	flag.Parse()
	switch {
	case *asking > 0:
		ask(*asking)
		return
	case *inside:
		if err := playLVS(*binary); err != nil {
			fmt.Println("demo:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*binary); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(binary string) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root for network namespaces: sudo make demo")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("build the daemon first (make): %w", err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	stage, err := newStage(binary)
	if err != nil {
		return err
	}
	defer stage.clear()
	done := make(chan error, 1)
	go func() { done <- play(stage) }()
	select {
	case err := <-done:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return errInterrupted
	}
	stage.clear()
	if err := lvs(ctx, binary); err != nil {
		return err
	}
	fmt.Println("\nThat was it. All namespaces, processes and files of the demo are gone.")
	return nil
}

var errInterrupted = errors.New("interrupted; everything is being removed")

// play is the story. Each act waits for what it wants to show, not for a time.
func play(s *stage) error {
	fmt.Printf(`
        client (asks http://%s/ every 50 ms)
           |
   ========+=====================  one Ethernet
     |        |        |       |
    lb1      lb2      web1    web2
  prio 150  prio 100  nginx   nginx
  (haproxy) (haproxy)

`, vip)
	s.say("starting two nginx servers, and HAProxy and keepalived on both directors")
	if err := s.startServers(); err != nil {
		return err
	}
	lb1, lb2 := s.directors[0], s.directors[1]
	for _, d := range s.directors {
		if err := d.start(); err != nil {
			return err
		}
	}
	acts := []act{
		{"", nil, func() bool { return lb1.master() && s.client.answeredBy(2) }},
		{"ACT 1  lb1 loses its link and kill -9 ends its keepalived: no goodbye, nothing cleaned up", lb1.cut,
			func() bool { return lb2.master() && s.client.goodFor(time.Second) }},
		{"ACT 2  lb1 comes back and, having the higher priority, takes over again", lb1.repair,
			func() bool { return lb1.master() && !lb2.master() && s.client.goodFor(time.Second) }},
		{"ACT 3  lb1 is stopped in order (systemctl stop): it says goodbye", lb1.stop,
			func() bool { return lb2.master() && s.client.goodFor(time.Second) }},
		{"       … and is started again", lb1.start,
			func() bool { return lb1.master() && !lb2.master() && s.client.goodFor(time.Second) }},
		{"ACT 4  the web server web1 is stopped", s.servers[0].stop,
			func() bool { return s.client.only("web2", time.Second) }},
		{"       … and brought back", s.servers[0].start,
			func() bool { return s.client.answeredBy(2) }},
	}
	return s.play(acts)
}

// act is one thing that happens, and what the client must see before the next.
type act struct {
	title string
	do    func() error
	until func() bool
}

func (s *stage) play(acts []act) error {
	for _, a := range acts {
		if a.title != "" {
			fmt.Println()
			s.say("%s", a.title)
		}
		s.client.newAct()
		if a.do != nil {
			if err := a.do(); err != nil {
				return err
			}
		}
		if !waitFor(s.patience, a.until) {
			s.tail()
			return fmt.Errorf("waited %s in vain during: %s", s.patience, a.title)
		}
		s.summary()
	}
	return nil
}

func waitFor(within time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
	return false
}
