package kernel

import (
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const soon = 20 * time.Second

// stream collects what a Watcher delivers.
type stream struct {
	mu     sync.Mutex // guards events
	events []Event
}

func (s *stream) add(es []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, es...)
}

func (s *stream) all() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// index waits for the first event after position from that match accepts.
func (s *stream) index(t *testing.T, from int, what string, match func(Event) bool) int {
	t.Helper()
	at := -1
	nettest.Eventually(t, soon, what, func() bool {
		es := s.all()
		if i := slices.IndexFunc(es[min(from, len(es)):], match); i >= 0 {
			at = from + i
		}
		return at >= 0
	})
	return at
}

func watch(t *testing.T, ns *nettest.NS, k *Kernel, opts WatchOptions) *stream {
	t.Helper()
	var s stream
	var w *Watcher
	var err error
	ns.Do(func() { w, err = k.Watch(opts, s.add) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return &s
}

// TestWatchOrder makes changes of different kinds, by this Kernel and by
// iproute2, and finds them in one stream in the order they were made.
func TestWatchOrder(t *testing.T) {
	ns, k, link := open(t)
	s := watch(t, ns, k, WatchOptions{Routes: true, Rules: true})

	a := Address{Link: link, Prefix: prefix("10.99.0.100/24")}
	noErrors(t, k.AddAddrs([]Address{a}))
	noErrors(t, k.AddRoutes([]Route{{Dst: prefix("10.1.0.0/16"), Gateway: addr("10.99.0.2"), Protocol: ProtocolKeepalived}}))
	ns.IP("route", "add", "10.2.0.0/16", "via", "10.99.0.2", "proto", "static") // not ours: filtered
	ns.IP("rule", "add", "from", "10.3.0.0/16", "lookup", "100", "priority", "500")
	ns.IP("route", "del", "10.1.0.0/16")
	ns.IP("addr", "del", "10.99.0.100/24", "dev", "v0")
	ns.Down("v1")

	at := -1
	for _, step := range []struct {
		what  string
		match func(Event) bool
	}{
		{"own address", func(e Event) bool {
			x, ok := e.(AddrEvent)
			return ok && !x.Deleted && x.Own && x.Address.Same(a)
		}},
		{"own route", func(e Event) bool {
			x, ok := e.(RouteEvent)
			return ok && !x.Deleted && x.Own && x.Route.Dst == prefix("10.1.0.0/16")
		}},
		{"rule of another", func(e Event) bool {
			x, ok := e.(RuleEvent)
			return ok && !x.Deleted && !x.Own && x.Rule.Priority == 500 && x.Rule.Table == 100
		}},
		{"route deleted by another", func(e Event) bool {
			x, ok := e.(RouteEvent)
			return ok && x.Deleted && !x.Own && x.Route.Dst == prefix("10.1.0.0/16")
		}},
		{"address deleted by another", func(e Event) bool {
			x, ok := e.(AddrEvent)
			return ok && x.Deleted && !x.Own && x.Address.Same(a)
		}},
		{"carrier lost", func(e Event) bool {
			x, ok := e.(LinkEvent)
			return ok && x.Link.Name == "v0" && !x.Link.Up()
		}},
	} {
		at = s.index(t, at+1, step.what, step.match)
	}
	for _, e := range s.all() {
		if x, ok := e.(RouteEvent); ok && x.Route.Protocol != ProtocolKeepalived {
			t.Errorf("a route of protocol %d came through", x.Route.Protocol)
		}
	}
}

// TestWatchLinks renames a link, deletes it and makes it again.
func TestWatchLinks(t *testing.T) {
	ns, k, link := open(t)
	s := watch(t, ns, k, WatchOptions{})
	named := func(name string, deleted bool) func(Event) bool {
		return func(e Event) bool {
			x, ok := e.(LinkEvent)
			return ok && x.Link.Name == name && x.Deleted == deleted
		}
	}
	ns.IP("link", "set", "v0", "down")
	ns.IP("link", "set", "v0", "name", "other")
	at := s.index(t, 0, "renamed", named("other", false))
	if got := s.all()[at].(LinkEvent).Link.Index; got != link {
		t.Errorf("renamed link has index %d, want %d", got, link)
	}
	ns.IP("link", "set", "other", "address", "02:00:00:00:00:42", "mtu", "1400")
	at = s.index(t, at, "MAC and MTU changed", func(e Event) bool {
		x, ok := e.(LinkEvent)
		return ok && x.Link.MAC.String() == "02:00:00:00:00:42" && x.Link.MTU == 1400
	})
	ns.IP("link", "del", "other")
	at = s.index(t, at, "deleted", named("other", true))
	nettest.Veth(ns, "v0", ns, "v1")
	at = s.index(t, at, "made again", named("v0", false))
	l, err := k.LinkByName("v0")
	if got := s.all()[at].(LinkEvent).Link.Index; err != nil || got != l.Index || got == link {
		t.Errorf("new link has index %d in the event, %d by name (%v)", got, l.Index, err)
	}
}

// TestWatchBridgePort takes a port out of a bridge: the bridge reports the port
// as deleted, which it is not.
func TestWatchBridgePort(t *testing.T) {
	ns, k, _ := open(t)
	ns.Bridge("br0")
	ns.IP("link", "set", "v0", "master", "br0")
	s := watch(t, ns, k, WatchOptions{})
	ns.IP("link", "set", "v0", "nomaster")
	s.index(t, 0, "left the bridge", func(e Event) bool {
		x, ok := e.(LinkEvent)
		return ok && x.Link.Name == "v0" && x.Link.Master == 0
	})
	ns.Down("v0")
	s.index(t, 0, "down", func(e Event) bool {
		x, ok := e.(LinkEvent)
		return ok && x.Link.Name == "v0" && x.Link.Flags&unix.IFF_UP == 0
	})
	for _, e := range s.all() {
		if x, ok := e.(LinkEvent); ok && x.Deleted {
			t.Errorf("%s reported as deleted", x.Link.Name)
		}
	}
}

// TestWatchOverrun blocks the reader until the kernel has dropped notices: one
// Resync comes, and what happens later comes again.
func TestWatchOverrun(t *testing.T) {
	ns, k, link := open(t)
	var s stream
	gate := make(chan struct{})
	var w *Watcher
	var err error
	ns.Do(func() {
		w, err = k.Watch(WatchOptions{}, func(es []Event) { <-gate; s.add(es) })
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	raw, _ := w.file.SyscallConn()
	_ = raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
	})
	if err != nil {
		t.Fatal(err)
	}
	as := manyAddresses(link, 300)
	noErrors(t, k.AddAddrs(as))
	close(gate)
	at := s.index(t, 0, "resync", func(e Event) bool { return e == Resync{} })
	last := Address{Link: link, Prefix: prefix("10.77.0.1/24")}
	noErrors(t, k.AddAddrs([]Address{last}))
	s.index(t, at, "address after the resync", func(e Event) bool {
		x, ok := e.(AddrEvent)
		return ok && x.Address.Same(last)
	})
}

func TestLinks(t *testing.T) {
	ns, k, link := open(t)
	ns.IP("link", "set", "v0", "group", "7", "address", "02:00:00:00:00:0a")
	l, err := k.LinkByIndex(link)
	if err != nil {
		t.Fatal(err)
	}
	if l.Name != "v0" || l.Kind != "veth" || l.Group != 7 || l.MAC.String() != "02:00:00:00:00:0a" ||
		l.Type != unix.ARPHRD_ETHER || l.MTU != 1500 || !l.Up() || !l.Multicast() || l.NoARP() ||
		l.Parent != ns.Index("v1") || l.ParentElsewhere {
		t.Errorf("v0 reads as %+v", l)
	}
	all, err := k.Links()
	if err != nil || len(all) != 3 || !slices.ContainsFunc(all, l.Equal) {
		t.Errorf("links %+v, %v", all, err)
	}
	if _, err := k.LinkByName("nothing"); !isNoLink(err) {
		t.Errorf("error for a link that is not there: %v", err)
	}
	if _, err := k.LinkByIndex(9999); !isNoLink(err) {
		t.Errorf("error for a link that is not there: %v", err)
	}
	if err := k.SetLinkUp(link, false); err != nil {
		t.Error(err)
	}
	if err := k.DelLink(link); err != nil {
		t.Error(err)
	}
	if err := k.DelLink(link); err != nil {
		t.Errorf("deleting twice: %v", err)
	}
}
