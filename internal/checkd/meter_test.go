package checkd

import (
	"errors"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/ipvs"
)

// fakeMeter counts how often it is asked.
type fakeMeter struct {
	asked, closed int
	broken        bool
}

func (k *fakeMeter) ServiceCounters(key ipvs.Key) (ipvs.Counters, error) {
	k.asked++
	if k.broken {
		return ipvs.Counters{}, errors.New("broken")
	}
	return ipvs.Counters{Connections: uint64(key.Port)}, nil
}

func (k *fakeMeter) ServerCounters(ipvs.Key) ([]ipvs.ServerCounters, error) { return nil, nil }
func (k *fakeMeter) Close()                                                 { k.closed++ }

// TestMeter asks the kernel once for questions that come together, again when
// the reading is old, on a new connection after a fault or in another namespace.
func TestMeter(t *testing.T) {
	k := &fakeMeter{}
	var dialled []string
	var failing error
	m := &meter{dial: func(netns string) (counting, error) { dialled = append(dialled, netns); return k, failing }}
	keys := []ipvs.Key{{Port: 80}, {Port: 443}}
	for _, s := range []struct {
		name                  string
		netns                 string
		age                   time.Duration
		broken                bool
		failing               error
		read                  int
		asked, dials, closing int // together so far
	}{
		{"first", "", time.Hour, false, nil, 2, 2, 1, 0},
		{"young enough", "", time.Hour, false, nil, 2, 2, 1, 0},
		{"too old", "", 0, false, nil, 2, 4, 1, 0},
		{"another namespace", "ns", time.Hour, false, nil, 2, 6, 2, 1},
		{"broken", "ns", 0, true, nil, 0, 8, 2, 2},
		{"mended", "ns", 0, false, nil, 2, 10, 3, 2},
		{"gone", "other", 0, false, errors.New("no IPVS"), 0, 10, 4, 3},
	} {
		k.broken, failing = s.broken, s.failing
		got := m.read(s.netns, keys, s.age)
		if len(got) != s.read || k.asked != s.asked || len(dialled) != s.dials || k.closed != s.closing {
			t.Errorf("%s: %d read, %d asked, %d dialled, %d closed; want %d, %d, %d, %d", s.name,
				len(got), k.asked, len(dialled), k.closed, s.read, s.asked, s.dials, s.closing)
		}
		if n := got[keys[1]]; s.read > 0 && n.Connections != 443 {
			t.Errorf("%s: %d connections, want 443", s.name, n.Connections)
		}
	}
}
