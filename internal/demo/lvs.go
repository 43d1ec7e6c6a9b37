package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/vmtest"
)

// lvs plays the act with IPVS, in a small virtual machine: not every kernel has
// IPVS, and this way none is changed. Where there can be no such machine it says
// so and how to have one.
func lvs(ctx context.Context, binary string) error {
	fmt.Print("\nACT 5  The same with LVS: the kernel balances (IPVS, direct routing), keepalived checks.\n" +
		"       This act is played in a virtual machine, which is started now.\n")
	err := lvsMachine(ctx, binary, func(l string) { fmt.Println(l) })
	switch {
	case errors.Is(err, vmtest.ErrUnavailable):
		fmt.Printf("\nThe LVS act is skipped: %v.\nTo see it: apt-get install -y qemu-system-x86 busybox-static kmod ipvsadm, and make demo again.\n", err)
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return fmt.Errorf("the LVS act: %w", err)
	}
	return nil
}

// lvsMachine plays the act and gives each line of it to line. Nothing is left
// behind when ctx ends early.
func lvsMachine(ctx context.Context, binary string, line func(string)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	status, err := vmtest.Machine{
		Command: "for m in bridge veth ip_vs_rr; do modprobe $m; done\n" +
			"mkdir -p /var/log/nginx /var/lib/nginx\nexec demo -lvs -keepalived /lab/bin/keepalived",
		Programs: map[string]string{"keepalived": binary, "demo": self},
		Tools:    []string{"ip", "nginx", "ipvsadm"},
		Timeout:  4 * time.Minute,
		Line:     line,
	}.RunContext(ctx)
	if err == nil && status != 0 {
		err = fmt.Errorf("it ended with status %d", status)
	}
	return err
}

const lvsConf = `
global_defs {
    router_id lb1
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        %[1]s/24
    }
}
virtual_server %[1]s 80 {
    delay_loop 1
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.77.0.11 80 {
        %[2]s
    }
    real_server 10.77.0.12 80 {
        %[2]s
    }
}
`

const lvsCheck = `HTTP_GET {
            url {
                path /
                status_code 200
            }
            connect_timeout 3
            retry 1
            delay_before_retry 1
        }`

// playLVS is the act, inside the machine.
func playLVS(binary string) error {
	s, err := emptyStage(binary)
	if err != nil {
		return err
	}
	defer s.clear()
	s.patience = time.Minute // an emulated machine is slow
	s.client.patience = 2 * time.Second
	fmt.Printf(`
        client (asks http://%s/ every 50 ms)
           |
   ========+============  one Ethernet; the answers go straight to the client
     |         |       |
    lb1       web1    web2
  (IPVS)     nginx   nginx

`, vip)
	s.say("starting two nginx servers, and keepalived on the director")
	for _, w := range s.servers {
		// Direct routing: each server has the address too, and keeps quiet about it.
		for _, args := range [][]string{
			{"netns", "exec", w.ns, "sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"},
			{"-n", w.ns, "addr", "add", vip + "/32", "dev", "lo"},
		} {
			if err := ip(args...); err != nil {
				return err
			}
		}
	}
	if err := s.startServers(); err != nil {
		return err
	}
	lb1, web2 := s.directors[0], s.servers[1]
	if err := lb1.startLVS(); err != nil {
		return err
	}
	return s.play([]act{
		{"", nil, func() bool { return lb1.master() && s.client.answeredBy(2) && lb1.showTable(2) }},
		{"       web2 is stopped: two failed checks, and it is out of the kernel's table", web2.stop,
			func() bool { return s.client.only("web1", time.Second) && lb1.showTable(1) }},
		{"       … and is started again: it comes back by itself", web2.start,
			func() bool { return s.client.answeredBy(2) && lb1.showTable(2) }},
	})
}

// startLVS starts the daemon with virtual servers in place of HAProxy.
func (d *director) startLVS() error {
	conf, err := d.stage.write(d.name+".conf", fmt.Sprintf(lvsConf, vip, lvsCheck))
	if err != nil {
		return err
	}
	d.daemon, err = d.stage.run(d.ns, d.read, d.stage.binary, "-n", "-l", "-G", "-f", conf)
	return err
}

// showTable prints the kernel's table if it has n real servers, and reports
// whether it has.
func (d *director) showTable(n int) bool {
	out, err := exec.Command("ip", "netns", "exec", d.ns, "ipvsadm", "-Ln").Output()
	if err != nil || strings.Count(string(out), "  -> 10.") != n {
		return false
	}
	for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		d.stage.say("         | %s", strings.TrimRight(l, " "))
	}
	return true
}
