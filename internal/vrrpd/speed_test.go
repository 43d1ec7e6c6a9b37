package vrrpd

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/nettest"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/vrrp"
)

// standing is a daemon without its loop and its kernel: n instances and the
// socket that they share, in the namespace of the calling thread.
func standing(t testing.TB, n int, priority uint8, source string, link int) *daemon {
	d := newDaemon(process.Child{})
	d.worker = &worker{}
	d.conf = &configparse.Config{}
	d.cfg = &vrrp.Config{Group4: netip.MustParseAddr("224.0.0.18")}
	for i := range n {
		d.cfg.Instances = append(d.cfg.Instances, vrrp.InstanceConfig{
			Name: fmt.Sprint("VI_", i), Version: 3, VRID: uint8(i + 1), Interface: "eth0",
			Priority: priority, AdvertInterval: 10 * time.Millisecond, DownTimerAdverts: 3,
			Source: netip.MustParseAddr(source), Destination: d.cfg.Group4,
			Addresses: []vrrp.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, 1, byte(i)}), 32)}},
		})
	}
	d.router = vrrp.New(vrrp.Options{})
	now := time.Now()
	d.router.LinkChanged(now, vrrp.Link{Name: "eth0", Index: link, Exists: true, Up: true})
	d.router.Reload(now, d.cfg)
	for _, e := range d.router.Drain() {
		sockets, ok := e.(vrrp.Sockets)
		if !ok {
			continue
		}
		for _, w := range sockets.Want {
			s, err := openSocket(w, socketOptions{ifindex: link, mtu: 1500})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.close)
			s.deliver = d.receive
			d.sockets[w.ID] = &socketSlot{want: w, open: s}
			d.socketOrder = append(d.socketOrder, w.ID)
		}
	}
	if len(d.socketOrder) != 1 {
		t.Fatalf("%d sockets, want one for all instances of an interface", len(d.socketOrder))
	}
	return d
}

// TestAdvertsCostNoMemory sends rounds of adverts through real sockets, from
// the deadline to the wire and from there into the peer: neither allocates.
// With 1000 instances and 10 ms that would be 100,000 pieces a second.
func TestAdvertsCostNoMemory(t *testing.T) {
	const instances = 8
	lan := nettest.LAN(t, 2)
	var a, b *daemon
	lan[0].Do(func() { a = standing(t, instances, 200, "10.99.0.1", lan[0].Index("eth0")) })
	lan[1].Do(func() { b = standing(t, instances, 100, "10.99.0.2", lan[1].Index("eth0")) })
	now := time.Now()
	round := func() {
		now = now.Add(10 * time.Millisecond)
		a.router.Tick(now)
		for _, e := range a.router.Drain() {
			if advert, ok := e.(*vrrp.SendAdvert); ok {
				a.out.add(a.sockets[advert.Socket].open, advert)
			}
		}
		a.out.flush(a.isDown)
	}
	for range 100 { // until all are master and nothing grows any more
		round()
	}
	if got := testing.AllocsPerRun(100, round); got != 0 {
		t.Errorf("%v allocations for %d adverts sent, want 0", got, instances)
	}
	in := b.sockets[b.socketOrder[0]].open
	var heard int
	in.deliver = func(now time.Time, p *vrrp.Packet) {
		heard++
		if age := now.Sub(p.Arrived); age < 0 || age > time.Minute {
			t.Fatalf("a packet arrived %v ago", age)
		}
		b.receive(now, p)
		b.router.Drain()
	}
	listen := func() {
		for b.in.receive(in) == 0 {
			b.in.deliver(time.Now(), in)
		}
	}
	listen()
	heard = 0
	round()
	nettest.Eventually(t, 5*time.Second, "every advert of a round is heard", func() bool {
		listen()
		return heard == instances
	})
	if got := testing.AllocsPerRun(20, func() { round(); listen() }); got != 0 {
		t.Errorf("%v allocations for %d adverts sent and heard, want 0", got, instances)
	}
}

func TestArrival(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct{ ago, want time.Duration }{
		{0, 0}, {3 * time.Millisecond, 3 * time.Millisecond}, {-time.Hour, 0},
	} {
		stamp := unix.NsecToTimespec(now.UnixNano() - int64(tt.ago))
		if got := now.Sub(arrival(now, &stamp)); got != tt.want {
			t.Errorf("a stamp of %v ago counts as %v ago, want %v", tt.ago, got, tt.want)
		}
	}
}

func TestLateness(t *testing.T) {
	var l lateness
	for _, late := range []time.Duration{0, 100 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond, 2 * time.Second} {
		l.add(late)
	}
	s := l.status()
	counts := map[string]uint64{}
	for _, b := range s.Histogram {
		if b.Count > 0 {
			counts[b.UpTo] = b.Count
		}
	}
	want := map[string]uint64{"100µs": 2, "5ms": 1, "50ms": 1, "": 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) || s.Count != 5 || s.Late != 2 || s.Worst != "2s" {
		t.Errorf("histogram %v of %d, %d late, worst %s; want %v of 5, 2 late, worst 2s", counts, s.Count, s.Late, s.Worst, want)
	}
}
