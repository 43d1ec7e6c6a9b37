package vrrpd

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/vrrp"
)

// start brings the process to where the loop takes over. It returns -1, or the
// exit status of a process that cannot start.
func (d *daemon) start() int {
	if err := d.openKernel(); err != nil {
		log.Err("%v", err)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return process.ExitPermission
		}
		return process.ExitFatal
	}
	var err error
	if d.loop, err = process.NewLoop(d); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	d.worker = newWorker(d.setAddrs)
	d.router = vrrp.New(vrrp.Options{Detail: log.Detail(), Uptime: uptime(), Launched: launched(d.child)})
	if err := d.readNetwork(time.Now()); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	conf, status := d.load()
	if status >= 0 {
		return status
	}
	d.kernel.SetReceiveBuffer(kernel.Buffer(conf.Global.VRRPNetlinkCmd))
	d.watch.SetReceiveBuffer(kernel.Buffer(conf.Global.VRRPNetlinkMonitor))
	if err := d.track.open(d); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	now := time.Now()
	// Before there is something to undo; but it takes a millisecond, and that is
	// no reason to send the first advert later.
	d.signals = d.child.CatchSignals()
	d.adopt(now, conf, true)
	d.sched.set(d)
	d.answerOperator()
	return -1
}

// launched is when the daemon was started, if this process starts with it.
func launched(c process.Child) time.Time {
	if c.Launched == 0 {
		return time.Time{}
	}
	now := time.Now()
	return now.Add(time.Duration(c.Launched) - process.Monotonic(now))
}

// openKernel connects to the network stack and begins to watch it. Watching
// comes first, so that nothing between it and the listing is missed.
func (d *daemon) openKernel() error {
	k, err := kernel.Open()
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	d.kernel = k
	log.Detailf("Registering Kernel netlink reflector")
	log.Detailf("Registering Kernel netlink command channel")
	if err := d.openRaw(); err != nil {
		return err
	}
	return nil
}

// openRaw finds out at once whether the process may open raw sockets.
func (d *daemon) openRaw() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 112)
	if err != nil {
		return fmt.Errorf("open a raw socket (is the process root, or has CAP_NET_RAW?): %w", err)
	}
	return unix.Close(fd)
}

// load parses the parent's copy of the configuration. It returns -1, or the
// exit status of a process that cannot go on with it.
func (d *daemon) load() (*configparse.Config, int) {
	debug.SetGCPercent(readingGC) // until it settles
	conf, _, status := d.source.Load(nil)
	return conf, status
}

// adaptEnv has the parser see the links that this process knows.
func (d *daemon) adaptEnv(env *configparse.Env) {
	env.Link = func(name string) (configparse.Link, bool) {
		l, ok := d.links.named(name)
		return host.Link(l, d.links.byIndex[l.Parent].Name), ok
	}
}

// readNetwork tells the core all links and addresses there are.
func (d *daemon) readNetwork(now time.Time) error {
	w, err := d.kernel.Watch(kernel.WatchOptions{Routes: true, Rules: true}, func(events []kernel.Event) {
		d.loop.Post(func(now time.Time) { d.kernelEvents(now, events) })
	})
	if err != nil {
		return err
	}
	d.watch = w
	links, err := d.kernel.Links()
	if err != nil {
		return err
	}
	for _, l := range links {
		d.links.set(l)
	}
	for _, l := range links {
		d.linkState(now, d.links.view(l, true))
	}
	addrs, err := d.kernel.Addrs()
	if err != nil {
		return err
	}
	for _, a := range addrs {
		d.addrEvent(now, a, false, false)
	}
	return nil
}

// adopt makes a configuration the one in force: at the start, and at each
// reload.
func (d *daemon) adopt(now time.Time, conf *configparse.Config, first bool) {
	d.conf, d.cfg = conf, &conf.VRRP
	for _, n := range conf.Unused {
		log.Detailf("(%s: Line %d) %s", n.File, n.Line, n.Text)
	}
	if name := processName(&conf.Global); name != "" {
		if err := process.SetName(name); err != nil {
			log.Info("%v", err)
		}
	}
	d.cmds.check(conf)
	if first {
		d.wall.configure(&d.cfg.Firewall, d.cfg.DisableLocalIGMP)
	}
	d.resolve()
	d.vmacs.resolve(d, now)
	d.vmacs.settings(d)
	d.beat.set(d)
	if first {
		d.tell.set(d)
	}
	d.track.set(d, now, first)
	d.openAnnouncer()
	if first {
		d.restore(now)
	}
	d.child.Ready()
	d.saySync(first)
	d.router.Reload(now, d.cfg)
	if first {
		d.dumpConf(now)
	}
	d.Apply(now)
	d.vmacs.adopted(d, now)
	d.statics.set(d, d.cfg, first && !d.restored)
	if !first {
		d.syncAgain()
		d.tell.set(d)
	}
	d.setBus(now)
	d.setSNMP()
	d.settle()
	if !first {
		d.tell.bus.Reloaded()
	}
}

// processName is what ps is to show, empty to leave it.
func processName(g *configparse.Global) string { return g.VRRPProcessName }

// resolve fills in what only the kernel knows.
func (d *daemon) resolve() {
	for i := range d.cfg.Instances {
		in := &d.cfg.Instances[i]
		if l, ok := d.links.named(in.Interface); ok {
			in.MTU = l.MTU
		}
	}
}

// rxPolicy is the receive buffer for one instance by vrrp_rx_bufs_policy, in
// bytes; 0 = not configured.
func (d *daemon) rxPolicy(mtu int) int {
	g := &d.conf.Global
	multiplier := max(int(g.RxBufsMultiplier), 1)
	switch {
	case g.RxBufsSize > 0:
		return int(g.RxBufsSize)
	case g.RxBufsMTU:
		return mtu * multiplier
	case g.RxBufsAdvert:
		return advertBytes * multiplier
	}
	return 0
}

// advertBytes is what an advert of an instance with a few addresses takes in a
// receive buffer: the packet and the kernel's own structure.
const advertBytes = 1024

// uptime is how long the machine has been up.
func uptime() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
