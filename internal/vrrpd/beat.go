package vrrpd

import (
	"sync"
	"time"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
)

// pollEvery is how often linkbeat asks a driver.
const pollEvery = time.Second

// linkBeat asks drivers for carrier instead of believing the kernel's events
// (linkbeat_use_polling, linkbeat_interfaces). The asking is a goroutine's; what
// it found belongs to the loop.
type linkBeat struct {
	state map[string]bool // of the links that are polled
	stop  chan struct{}
	done  sync.WaitGroup
}

// covers reports whether polling speaks for a link.
func (b *linkBeat) covers(name string) bool { _, ok := b.state[name]; return ok }

var beatMethods = map[string]kernel.Beat{
	"MII": kernel.BeatMII, "ETHTOOL": kernel.BeatEthtool, "IOCTL": kernel.BeatIOCTL,
}

// set begins to poll what the configuration names, and ends what it did before.
func (b *linkBeat) set(d *daemon) {
	b.close()
	how := map[string]kernel.Beat{}
	for _, l := range d.cfg.LinkBeat {
		how[l.Interface] = beatMethods[l.Method]
	}
	for i := range d.cfg.Instances {
		in := &d.cfg.Instances[i]
		if _, ok := how[in.Interface]; !ok && in.Interface != "" && (in.LinkBeat || d.conf.Global.LinkbeatUsePolling) {
			how[in.Interface] = 0
		}
	}
	b.state = map[string]bool{}
	if len(how) == 0 {
		return
	}
	for name := range how {
		l, ok := d.links.named(name)
		b.state[name] = ok && l.Up()
	}
	log.Detailf("Using MII-BMSR/ETHTOOL NIC polling thread(s)...")
	b.stop = make(chan struct{})
	b.done.Add(1)
	go b.poll(d, b.stop, how)
}

func (b *linkBeat) poll(d *daemon, stop chan struct{}, how map[string]kernel.Beat) {
	defer b.done.Done()
	p, err := kernel.OpenLinkPoller()
	if err != nil {
		log.Info("linkbeat: %v", err)
		return
	}
	defer p.Close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		for name, method := range how {
			up, _, err := p.Up(name, method)
			d.loop.TryPost(func(now time.Time) { d.beat.heard(d, now, name, up && err == nil) })
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// heard takes in what a driver said.
func (b *linkBeat) heard(d *daemon, now time.Time, name string, up bool) {
	was, ok := b.state[name]
	if !ok || was == up {
		return
	}
	b.state[name] = up
	word := "down"
	if up {
		word = "up"
	}
	log.Info("Linkbeat reports %s %s", name, word)
	if l, ok := d.links.named(name); ok {
		d.linkState(now, d.links.view(l, true))
	}
}

func (b *linkBeat) close() {
	if b.stop != nil {
		close(b.stop)
		b.stop = nil
	}
}
