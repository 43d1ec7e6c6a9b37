package checkd

import (
	"fmt"
	"os"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/notify"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/track"
	"github.com/keepalived-go/keepalived/ipvs"
)

// aheadFor is how long a configuration that was read ahead is kept for the
// parent's word.
const aheadFor = 10 * time.Second

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
	d.sched = checker.NewScheduler(checker.SchedulerOptions{Post: d.loop.Post, Watch: d.loop.Watch, Report: d.pool.Report, Runner: &d.programs})
	d.table = newTable(d.openKernel)
	d.guard = newGuard(dialGuard, d.loop.Post)
	d.guard.seen = d.seen
	go d.guard.run()
	d.adopt(time.Now(), conf, true)
	return -1
}

// load parses the parent's copy of the configuration. It returns -1, or the
// exit status of a process that cannot go on with it.
func (d *daemon) load() (*configparse.Config, int) {
	d.heap.Read()
	conf, seed, status := d.source.Load(d.ahead.Swap(nil))
	if status < 0 {
		d.state.file, d.state.conf = d.child.State, seed
	}
	return conf, status
}

func adaptEnv(env *configparse.Env) { env.HostName = notify.CanonicalHost(env.HostName) }

// readAhead begins to read the configuration that the parent reads now. It may
// be called by any goroutine: the loop's would be one thread more to wake.
func (d *daemon) readAhead(seed uint64) {
	d.heap.Read()
	ahead := d.source.ReadAhead(seed)
	d.ahead.Store(ahead)
	// The parent may refuse what it reads, and does not say so.
	time.AfterFunc(aheadFor, func() {
		if d.ahead.CompareAndSwap(ahead, nil) {
			d.heap.Rest()
		}
	})
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
func dialGuard(netns string) (onlooker, error) { return ipvs.Open(netns) }
