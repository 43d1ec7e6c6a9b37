package dropin

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const vip = "10.88.0.100"

var (
	deb   = flag.String("deb", "", "our package; without it the test is skipped")
	table = flag.String("table", "", "write the outcome as a table to this file")
)

// row is one step of the replacement as the client saw it.
type row struct {
	step           string
	master         string
	asked, lost    int
	longest        time.Duration
	took           time.Duration
	releases       [2]string
	unchangedFiles bool
}

func TestDropIn(t *testing.T) {
	if *deb == "" {
		t.Skip("skipped: takes minutes; run `make test-dropin`")
	}
	needRoot(t, "mmdebstrap", "qemu-system-x86_64", "mke2fs")
	path, err := filepath.Abs(*deb)
	if err != nil {
		t.Fatal(err)
	}
	image(t, path)
	port := 20000 + os.Getpid()%20000
	lb1 := boot(t, "lb1", fmt.Sprintf("socket,id=n0,listen=127.0.0.1:%d", port), 1)
	lb2 := boot(t, "lb2", fmt.Sprintf("socket,id=n0,connect=127.0.0.1:%d", port), 2)
	lb1.run("/root/network 1")
	lb2.run("/root/network 2")
	p := &play{t: t, lb1: lb1, lb2: lb2}
	p.sums = [2]string{lb1.run("sha256sum /etc/keepalived/keepalived.conf"), lb2.run("sha256sum /etc/keepalived/keepalived.conf")}
	lb1.run("systemctl enable --now keepalived")
	lb2.run("systemctl enable --now keepalived")
	lb1.await(time.Minute, "the address on lb1", func() bool { return lb1.master() && !lb2.master() })
	lb2.run("systemd-run --unit=client ip netns exec client /root/client")
	lb2.await(time.Minute, "answers", func() bool { return p.goodFor(3) })

	ours, original := "dpkg -i /root/ours.deb", "dpkg -i --force-downgrade /root/original.deb"
	p.step("both run the original", nil, "", lb1)
	p.step("our package on the backup lb2", lb2, ours, lb1)
	p.step("our package on the master lb1", lb1, ours, lb1)
	p.step("systemctl reload on lb1", lb1, "systemctl reload keepalived", lb1)
	p.step("systemctl restart on lb1", lb1, "systemctl restart keepalived", lb1)
	p.step("systemctl stop on lb1", lb1, "systemctl stop keepalived", lb2)
	p.step("systemctl enable --now on lb1", lb1, "systemctl enable --now keepalived", lb1)
	p.step("back to the original on the master lb1", lb1, original, lb1)
	p.step("back to the original on lb2", lb2, original, lb1)
	p.report()
}

// play is the course of the test.
type play struct {
	t        *testing.T
	lb1, lb2 *guest
	sums     [2]string
	rows     []row
}

// step does one thing and waits until want is master and the client has had
// answers from both servers for a while.
func (p *play) step(name string, on *guest, command string, want *guest) {
	p.t.Helper()
	from := p.lines()
	begin := time.Now()
	if on != nil {
		on.run(command)
	}
	other := p.lb1
	if want == p.lb1 {
		other = p.lb2
	}
	want.await(2*time.Minute, "«"+name+"»: the address on "+want.name+" alone", func() bool { return want.master() && !other.master() })
	want.await(time.Minute, "«"+name+"»: answers", func() bool { return p.goodFor(3) })
	if on != nil && !strings.Contains(command, "stop") {
		on.await(time.Minute, "«"+name+"»: a running service", func() bool {
			out, _, err := on.try(time.Minute, "systemctl is-active keepalived")
			return err == nil && strings.TrimSpace(out) == "active"
		})
	}
	r := row{step: name, master: want.name, took: time.Since(begin)}
	r.asked, r.lost, r.longest = p.client(from)
	for i, g := range []*guest{p.lb1, p.lb2} {
		r.releases[i] = strings.TrimSpace(g.run("keepalived -v 2>&1 | sed -n '1s/^Keepalived v\\([^ ]*\\).*keepalived-go.*/ours/p;1s/^Keepalived v\\([^ ]*\\).*/\\1/p' | head -n 1"))
	}
	r.unchangedFiles = p.lb1.run("sha256sum /etc/keepalived/keepalived.conf") == p.sums[0] &&
		p.lb2.run("sha256sum /etc/keepalived/keepalived.conf") == p.sums[1]
	if !r.unchangedFiles {
		p.t.Errorf("%s: the configuration file was changed", name)
	}
	if table := want.run("ipvsadm -Ln"); !strings.Contains(table, "10.88.0.11:80") || !strings.Contains(table, "10.88.0.12:80") {
		p.t.Errorf("%s: the IPVS table of %s lacks a server:\n%s", name, want.name, table)
	}
	p.rows = append(p.rows, r)
	p.t.Logf("%-42s master %s, %d asked, %d lost, longest gap %.1fs, on lb1 %s, on lb2 %s",
		r.step, r.master, r.asked, r.lost, r.longest.Seconds(), r.releases[0], r.releases[1])
}

func (p *play) lines() int {
	n, err := strconv.Atoi(strings.TrimSpace(p.lb2.run("wc -l < /run/client.log 2>/dev/null || echo 0")))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// client sums up what the client saw since line from.
func (p *play) client(from int) (asked, lost int, longest time.Duration) {
	last := 0.0
	for _, line := range strings.Split(p.lb2.run(fmt.Sprintf("tail -n +%d /run/client.log", from+1)), "\n") {
		at, who, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		seconds, err := strconv.ParseFloat(at, 64)
		if err != nil {
			continue
		}
		asked++
		if who == "-" {
			lost++
			continue
		}
		if last > 0 {
			longest = max(longest, time.Duration((seconds-last)*float64(time.Second)))
		}
		last = seconds
	}
	return asked, lost, longest
}

// goodFor tells whether the last answers came without a loss and from both servers.
func (p *play) goodFor(seconds int) bool {
	out, _, err := p.lb2.try(time.Minute, fmt.Sprintf("tail -n %d /run/client.log", seconds*5))
	return err == nil && strings.Contains(out, "web1") && strings.Contains(out, "web2") && !strings.Contains(out, " -")
}

// report writes the outcome for docs/.
func (p *play) report() {
	if *table == "" {
		return
	}
	var b strings.Builder
	b.WriteString("# Drop-in replacement on real machines\n\nWritten by `make test-dropin`: two virtual machines with Debian 12 and systemd,\n" +
		"a VRRP and LVS (DR) configuration, real nginx servers, a client that asks ten times a second\n" +
		"(emulated processors: times are slower than life). Each release runs under the unit file of\n" +
		"its own package.\n\n")
	b.WriteString("| step | on lb1 | on lb2 | master after it | asked | lost | longest gap |\n|---|---|---|---|---|---|---|\n")
	for _, r := range p.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %d | %.1f s |\n", r.step, r.releases[0], r.releases[1], r.master, r.asked, r.lost, r.longest.Seconds())
	}
	b.WriteString("\nThe configuration files were the same after every step, byte for byte.\n")
	if err := os.WriteFile(*table, []byte(b.String()), 0o644); err != nil {
		p.t.Error(err)
	}
}
