package checkd

import (
	"sync"
	"time"

	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/ipvs"
)

// counting is the part of *ipvs.Kernel that tells what was counted.
type counting interface {
	ServiceCounters(ipvs.Key) (ipvs.Counters, error)
	ServerCounters(ipvs.Key) ([]ipvs.ServerCounters, error)
	Close()
}

// meter reads the kernel's counters when SNMP or an operator asks, on a
// connection of its own and never in the loop: a table of thousands takes its
// time.
type meter struct {
	dial func(netns string) (counting, error)

	mu    sync.Mutex // guards what follows
	k     counting   // nil: not connected
	netns string     // of k
	last  report.Counters
	at    time.Time // of last
}

func newMeter() *meter {
	return &meter{dial: func(netns string) (counting, error) { return ipvs.Open(netns) }}
}

// read returns the counters of the given services. A reading that is younger
// than age is returned again. Services that the kernel does not have are left
// out; nil means that there is no kernel to ask.
func (m *meter) read(netns string, keys []ipvs.Key, age time.Duration) report.Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last != nil && m.netns == netns && time.Since(m.at) < age {
		return m.last
	}
	m.last = nil
	if m.k != nil && m.netns != netns {
		m.drop()
	}
	if m.k == nil {
		k, err := m.dial(netns)
		if err != nil {
			return nil // the table says what is wrong
		}
		m.k, m.netns = k, netns
	}
	all := make(report.Counters, len(keys))
	failed := 0
	for _, key := range keys {
		n, err := m.k.ServiceCounters(key)
		if err != nil {
			failed++
			continue
		}
		servers, err := m.k.ServerCounters(key)
		if err != nil {
			failed++
			continue
		}
		all[key] = report.KernelCounters{Counters: n, Servers: servers}
	}
	if failed > 0 && len(all) == 0 {
		m.drop() // perhaps the connection is at fault
	}
	m.last, m.at = all, time.Now()
	return all
}

func (m *meter) drop() {
	m.k.Close()
	m.k = nil
}

func (m *meter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.k != nil {
		m.drop()
	}
}
