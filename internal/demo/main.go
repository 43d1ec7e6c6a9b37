// Command demo shows a failover with real programs: two directors that run
// keepalived and HAProxy share one address, two nginx servers stand behind
// them, and a client asks every 50 ms. It kills the master, stops a server,
// brings both back, and prints what happened and when.
//
// Everything runs in network namespaces of its own, which it removes at the
// end, also on Ctrl-C. It needs root, iproute2, haproxy and nginx.
package main

import (
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
	asking := flag.Bool("ask", false, "internal: be the client")
	flag.Parse()
	if *asking {
		ask()
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
	stage, err := newStage(binary)
	if err != nil {
		return err
	}
	defer stage.clear()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- play(stage) }()
	select {
	case err := <-done:
		return err
	case <-interrupted:
		return errors.New("interrupted; everything is being removed")
	}
}

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
	acts := []struct {
		title string
		do    func() error
		until func() bool
	}{
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
	for _, act := range acts {
		if act.title != "" {
			fmt.Println()
			s.say("%s", act.title)
		}
		s.client.newAct()
		if act.do != nil {
			if err := act.do(); err != nil {
				return err
			}
		}
		if !waitFor(20*time.Second, act.until) {
			s.tail()
			return fmt.Errorf("waited 20 s in vain during: %s", act.title)
		}
		s.summary()
	}
	lvs()
	fmt.Println("\nThat was it. All namespaces, processes and files of the demo are gone.")
	return nil
}

// lvs says how to see the second half of the product.
func lvs() {
	fmt.Println()
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		fmt.Println("This kernel has IPVS. `make test` plays the LVS cases on it.")
		return
	}
	fmt.Println("The LVS act (IPVS in the kernel in place of HAProxy) is skipped: this kernel has no ip_vs.")
	fmt.Println("See it in a small virtual machine with: go test ./internal/checkd -v   (qemu needed; make test installs it)")
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
