package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// director is a host with keepalived and HAProxy.
type director struct {
	stage    *stage
	name, ns string
	priority int

	daemon, haproxy *exec.Cmd
	extra           string // a script block for the configuration
	track           string // and its use in the instance

	mu    sync.Mutex
	state string
	lines []string
}

const directorConf = `
global_defs {
    router_id %s
}
%s
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority %d
    advert_int 1
    virtual_ipaddress {
        %s/24
    }
    %s
}
`

// haproxyConf binds to the address although the backup does not have it.
const haproxyConf = `
defaults
    mode http
    timeout connect 100ms
    timeout client 2s
    timeout server 2s
    option redispatch
    retries 2
listen web
    bind %s:80 transparent
    balance roundrobin
    server web1 10.77.0.11:80 check inter 200ms fall 2 rise 1
    server web2 10.77.0.12:80 check inter 200ms fall 2 rise 1
`

func (d *director) start() error {
	if d.haproxy == nil {
		if err := d.startHAProxy(); err != nil {
			return err
		}
	}
	conf, err := d.stage.write(d.name+".conf", fmt.Sprintf(directorConf, d.name, d.extra, d.priority, vip, d.track))
	if err != nil {
		return err
	}
	pid := func(role string) string { return d.stage.dir + "/" + d.name + role + ".pid" }
	d.daemon, err = d.stage.run(d.ns, d.read, d.stage.binary, "-n", "-l", "-G", "-f", conf,
		"-p", pid(""), "-r", pid("_vrrp"), "-c", pid("_check"), "-b", pid("_bfd"))
	return err
}

func (d *director) startHAProxy() error {
	conf, err := d.stage.write(d.name+".haproxy", fmt.Sprintf(haproxyConf, vip))
	if err != nil {
		return err
	}
	d.haproxy, err = d.stage.run(d.ns, func(string) {}, "haproxy", "-db", "-f", conf)
	return err
}

func (d *director) stopHAProxy() error { return d.stage.end(d.haproxy, syscall.SIGTERM) }

// read follows the daemon's log and tells of every change of state.
func (d *director) read(line string) {
	d.mu.Lock()
	d.lines = append(d.lines[max(0, len(d.lines)-20):], line)
	_, state, found := strings.Cut(line, "(VI_1) Entering ")
	if found {
		d.state, _, _ = strings.Cut(state, " ")
	}
	state = d.state
	d.mu.Unlock()
	if found {
		d.stage.say("         %s is now %s", d.name, state)
	}
}

func (d *director) master() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == "MASTER"
}

func (d *director) lastWords() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}

func (d *director) forget() {
	d.mu.Lock()
	d.state = ""
	d.mu.Unlock()
}

// cut is a power cut: the link goes, and every process with it. The address
// stays on the interface, as after any crash that the host survives.
func (d *director) cut() error {
	d.forget()
	if err := ip("-n", d.ns, "link", "set", "eth0", "down"); err != nil {
		return err
	}
	return d.stage.end(d.daemon, syscall.SIGKILL)
}

// repair brings the link back and starts the daemon, which finds its own
// address left over and must not use it before it is master.
func (d *director) repair() error {
	if err := d.start(); err != nil {
		return err
	}
	return ip("-n", d.ns, "link", "set", "eth0", "up")
}

func (d *director) stop() error {
	d.forget()
	return d.stage.end(d.daemon, syscall.SIGTERM)
}

// server is a host with nginx.
type server struct {
	stage    *stage
	name, ns string
	nginx    *exec.Cmd
}

const nginxConf = `
daemon off;
worker_processes 1;
error_log stderr crit;
pid %[1]s/%[2]s.pid;
events { worker_connections 128; }
http {
    access_log off;
    client_body_temp_path %[1]s/%[2]s-body;
    proxy_temp_path %[1]s/%[2]s-proxy;
    fastcgi_temp_path %[1]s/%[2]s-fastcgi;
    uwsgi_temp_path %[1]s/%[2]s-uwsgi;
    scgi_temp_path %[1]s/%[2]s-scgi;
    server { listen 80; location / { return 200 "%[2]s\n"; } }
}
`

func (w *server) start() error {
	conf, err := w.stage.write(w.name+".nginx", fmt.Sprintf(nginxConf, w.stage.dir, w.name))
	if err != nil {
		return err
	}
	w.nginx, err = w.stage.run(w.ns, func(line string) { fmt.Fprintln(os.Stderr, w.name+": "+line) },
		"nginx", "-c", conf, "-p", w.stage.dir)
	return err
}

func (w *server) stop() error { return w.stage.end(w.nginx, syscall.SIGTERM) }
