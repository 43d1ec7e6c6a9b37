package vrrpd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/report"
)

// longestGap is the longest time between two adverts of a host.
func longestGap(c *nettest.Capture, from string) time.Duration {
	var longest time.Duration
	list := adverts(c, from)
	for i := range list[:max(len(list)-1, 0)] {
		longest = max(longest, list[i+1].At.Sub(list[i].At))
	}
	return longest
}

// TestReload changes the configuration of a running master.
func TestReload(t *testing.T) {
	const two = "virtual_ipaddress {\n 10.99.0.100\n 10.99.0.101\n }"
	play(t, "adds-an-address", 200*time.Millisecond, func(t testing.TB) {
		a, b := pair(t, instance(110), instance(100))
		c := b.ns.Capture("eth0")
		a.reload(instance(110, two))
		nettest.Eventually(t, 2*time.Second, "the new address is there", func() bool { return a.has("10.99.0.101") })
		nettest.Never(t, 500*time.Millisecond, "the peer takes over", func() bool { return b.has(vip) })
		if gap := longestGap(c, "10.99.0.1"); gap > 300*time.Millisecond {
			t.Errorf("adverts were missing for %v during the reload", gap)
		}
		for _, f := range c.Frames(nettest.ARP) {
			if f.Src.String() == "10.99.0.101" {
				return
			}
		}
		t.Error("the new address was not announced")
	})
	play(t, "removes-an-address", 200*time.Millisecond, func(t testing.TB) {
		a, _ := pair(t, instance(110, two), instance(100, two))
		a.reload(instance(110))
		nettest.Eventually(t, 2*time.Second, "the address is gone", func() bool { return !a.has("10.99.0.101") && a.has(vip) })
		a.waitLog("(VI_1) ip address 10.99.0.101/32 dev eth0, no longer exist")
	})
	for _, c := range []struct{ name, conf, log string }{
		{"unknown-keyword", instance(110) + "no_such_keyword 1\n", "Unknown keyword 'no_such_keyword'"},
		{"missing-brace", strings.TrimSuffix(instance(110), "}\n"), "missing '}'"},
		{"no-id", "vrrp_instance VI_2 {\n interface eth0\n}\n" + instance(110), "VI_2"},
	} {
		play(t, "broken-"+c.name, 200*time.Millisecond, func(t testing.TB) {
			a, b := pair(t, instance(110), instance(100))
			cap := b.ns.Capture("eth0")
			a.write(c.conf)
			a.proc.Signal(syscall.SIGHUP)
			nettest.Eventually(t, 3*time.Second, "the mistake is reported", func() bool { return a.logs(c.log) })
			nettest.Never(t, 500*time.Millisecond, "the address moves", func() bool { return b.has(vip) || !a.has(vip) })
			if gap := longestGap(cap, "10.99.0.1"); gap > 300*time.Millisecond {
				t.Errorf("adverts were missing for %v", gap)
			}
		})
	}
	play(t, "without-file", 200*time.Millisecond, func(t testing.TB) {
		a, b := pair(t, instance(110), instance(100))
		remove(t, a.conf)
		a.proc.Signal(syscall.SIGHUP)
		nettest.Never(t, 800*time.Millisecond, "the address moves", func() bool { return b.has(vip) || !a.has(vip) })
	})
	play(t, "missing-interface", 200*time.Millisecond, func(t testing.TB) {
		a, b := pair(t, instance(110), instance(100))
		a.write(instance(110) + strings.NewReplacer("VI_1", "VI_2", "eth0", "eth9", "51", "52").Replace(instance(100)))
		a.proc.Signal(syscall.SIGHUP)
		nettest.Never(t, 800*time.Millisecond, "the address moves", func() bool { return b.has(vip) || !a.has(vip) })
	})
}

// goroutines is how many the VRRP process says it has.
func (n *node) goroutines() int {
	n.t.Helper()
	c, err := control.Dial(fmt.Sprintf("/proc/%d/root/run/keepalived/control.sock", n.proc.PID()))
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	var status struct{ VRRP report.Status }
	b, err := c.Ask(control.Request{Get: "status"}, 10*time.Second)
	if err == nil {
		err = json.Unmarshal(b, &status)
	}
	if err != nil || status.VRRP.Goroutines == 0 {
		n.t.Fatalf("goroutines in the status: %v: %s", err, b)
	}
	return status.VRRP.Goroutines
}

// size is what a process holds.
type size struct{ files, threads, kilobytes int }

func sizeOf(t testing.TB, pid int) size {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	number := func(name string) int {
		m := regexp.MustCompile(name + `:\s+(\d+)`).FindSubmatch(status)
		if m == nil {
			return 0
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	return size{len(files), number("Threads"), number("RssAnon")}
}

// flat reports whether a process has not grown, but for what a garbage collector
// may keep.
func (s size) flat(before size) bool {
	return s.files <= before.files+2 && s.threads <= before.threads+4 && s.kilobytes <= before.kilobytes+6000
}

// TestReloadsLeaveNothing reloads 200 times, with changes back and forth.
func TestReloadsLeaveNothing(t *testing.T) {
	needDaemon(t)
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	a := newNode(t, lan(t, 1)[0], bin, instance(110))
	a.start()
	nettest.Eventually(t, 5*time.Second, "it is master", func() bool { return a.has(vip) })
	confs := []string{
		instance(110), instance(110, "virtual_ipaddress {\n 10.99.0.100\n 10.99.0.101\n }"),
		scripted(110, -10, filepath.Join(a.dir, "none")),
	}
	round := func(n int) {
		for i := range n {
			a.reload(confs[i%len(confs)])
		}
	}
	round(30) // until caches and free lists are warm
	a.reload(confs[0])
	child := a.child()
	before, parent, goroutines := sizeOf(t, child), sizeOf(t, a.proc.PID()), a.goroutines()
	round(198)
	a.reload(confs[0])
	var after, parentAfter size
	var goroutinesAfter int
	defer func() {
		t.Logf("VRRP process %+v, %d goroutines, after 200 reloads %+v, %d; parent %+v, %+v",
			before, goroutines, after, goroutinesAfter, parent, parentAfter)
	}()
	// What ends after a reload takes a moment to end, and what was read is
	// collected ten seconds later.
	nettest.Eventually(t, 40*time.Second, "files, threads, memory and goroutines are as before", func() bool {
		after, parentAfter, goroutinesAfter = sizeOf(t, child), sizeOf(t, a.proc.PID()), a.goroutines()
		return after.flat(before) && parentAfter.flat(parent) && goroutinesAfter <= goroutines
	})
	if a.child() != child {
		t.Error("the VRRP process was restarted")
	}
}
