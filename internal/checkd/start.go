package checkd

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/notify"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/script"
	"github.com/keepalived-go/keepalived/internal/track"
	"github.com/keepalived-go/keepalived/ipvs"
)

// start brings the process to where the loop takes over. It returns -1, or the
// exit status of a process that cannot start.
func (d *daemon) start() int {
	conf, status := d.load()
	if status >= 0 {
		return status
	}
	var err error
	if d.loop, err = process.NewLoop(d); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	if d.files, err = track.NewFiles(d.loop.Post, func(now time.Time, e track.FileEvent) {
		d.pool.File(now, e.Name, int64(e.Value))
	}); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	d.sched = checker.NewScheduler(checker.SchedulerOptions{Post: d.loop.Post, Report: d.pool.Report, Runner: &d.programs})
	d.table = newTable(d.openKernel)
	d.guard = newGuard(dialGuard, d.loop.Post)
	d.guard.seen = d.seen
	go d.guard.run()
	d.adopt(time.Now(), conf, true)
	return -1
}

// load parses the parent's copy of the configuration. It prints the problems
// of the checker pass. It returns -1, or the exit status of a process that
// cannot go on with it.
func (d *daemon) load() (*configparse.Config, int) {
	d.heap.Read()
	b, err := d.child.Config()
	if err != nil {
		log.Err("%v", err)
		return nil, process.ExitFatal
	}
	archive, err := configparse.DecodeArchive(b)
	if err != nil {
		log.Err("read the configuration: %v", err)
		return nil, process.ExitFatal
	}
	conf, problems := configparse.Load(archive, d.child.Options.ConfigFile, d.environment(archive.Seed))
	for _, p := range problems {
		if p.Pass == configparse.Checker {
			log.Info("%v", p)
		}
	}
	if conf.Failed[configparse.Checker] {
		return conf, process.ExitConfig
	}
	d.state.file, d.state.conf = d.child.State, fingerprint(b)
	return conf, -1
}

// environment is what the parser may ask the system in this process.
func (d *daemon) environment(seed uint64) configparse.Env {
	host, _ := os.Hostname()
	id := d.child.Options.ConfigID
	if id == "" {
		id = configparse.DefaultConfigID(host)
	}
	return configparse.Env{
		ConfigID: id, HostName: notify.CanonicalHost(host), Seed: seed, CPUs: runtime.NumCPU(),
		IncludeChecks: d.child.Options.AllConfig, Namespace: d.child.Options.Namespace,
		SNMPSocket: d.child.Options.SNMPSocket, Getenv: os.Getenv,
		Link: knownLinks(),
		User: func(name string) (configparse.User, bool) {
			c, err := script.Lookup(name, "")
			return configparse.User{UID: c.UID, GID: c.GID}, err == nil
		},
	}
}

// knownLinks answers for the interfaces there are now; nil if they cannot be
// read.
func knownLinks() func(name string) (configparse.Link, bool) {
	k, err := kernel.Open()
	if err != nil {
		return nil
	}
	defer k.Close()
	list, err := k.Links()
	if err != nil {
		return nil
	}
	links := map[string]configparse.Link{}
	for _, l := range list {
		links[l.Name] = configparse.Link{
			Index: l.Index, MTU: l.MTU, Loopback: l.Flags&unix.IFF_LOOPBACK != 0, NoMulticast: !l.Multicast(),
			Ethernet: l.Type == unix.ARPHRD_ETHER, VRF: l.Kind == "vrf", Table: l.VRFTable, Kind: l.Kind,
		}
	}
	return func(name string) (configparse.Link, bool) { l, ok := links[name]; return l, ok }
}

// ipvsNamespace is the network namespace whose table is ours; empty: that of
// this process.
func (d *daemon) ipvsNamespace() string {
	g := &d.conf.Global
	if !g.IPVSNamespaceSet {
		return ""
	}
	if g.NetNamespaceIPVS != "" {
		return g.NetNamespaceIPVS
	}
	// The namespace that the daemon was started in: only the threads of its
	// children are moved.
	return fmt.Sprintf("/proc/%d/ns/net", os.Getppid())
}

// openKernel connects the table.
func (d *daemon) openKernel() (balancer, error) {
	k, err := ipvs.Open(d.ipvsNamespace())
	if err != nil {
		return nil, err
	}
	d.kernel = k
	return k, nil
}

// dialGuard connects the guard, on its own goroutine.
func dialGuard(netns string) (balancer, error) { return ipvs.Open(netns) }
