package notify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/keepalived-go/keepalived/internal/log"
)

const (
	dbusName    = "org.keepalived.Vrrp1"
	dbusVRRP    = "org.keepalived.Vrrp1.Vrrp"
	dbusInst    = "org.keepalived.Vrrp1.Instance"
	dbusQueue   = 1024 // signals that wait; more are lost and counted
	dbusTimeout = 5 * time.Second
	dbusRetry   = time.Second // first wait after a failure, doubled up to dbusMax
	dbusMax     = 30 * time.Second
)

// DBusState is the state of an instance as D-Bus shows it.
type DBusState uint32

// The states and their numbers.
const (
	DBusInit    DBusState = 0
	DBusBackup  DBusState = 1
	DBusMaster  DBusState = 2
	DBusFault   DBusState = 3
	DBusDeleted DBusState = 97
	DBusStop    DBusState = 98
)

// String is the word of the State property.
func (s DBusState) String() string {
	switch s {
	case DBusInit:
		return "Init"
	case DBusBackup:
		return "Backup"
	case DBusMaster:
		return "Master"
	case DBusFault:
		return "Fault"
	case DBusDeleted:
		return "Deleted"
	case DBusStop:
		return "Stop"
	}
	return "Unknown"
}

// DBusConfig is what global_defs says about D-Bus.
type DBusConfig struct {
	Name        string // dbus_service_name; empty: org.keepalived.Vrrp1
	NoInterface string // dbus_no_interface_name; empty: none
	Namespace   string // net_namespace: part of the object paths
	Instance    string // instance: part of the object paths
	Address     string // of the bus; empty: the system bus
}

// DBusInstance is a VRRP instance as an object.
type DBusInstance struct {
	Name      string
	Interface string // empty: none
	VRID      uint8
	Family    string // IPv4, IPv6 or None
	State     DBusState
}

// DBusRequests are what callers on the bus may ask for. They are called from
// goroutines and must only post.
type DBusRequests struct {
	PrintData, PrintStats, PrintStatsClear, Reload func()

	SendGARP func(instance string)
}

// DBus shows the instances on the system bus and sends signals there. Its
// methods never wait and may be called on a nil DBus, which does nothing. A bus
// that is away is tried again; signals of that time are lost, the properties
// are right as soon as it is back.
type DBus struct {
	cfg      DBusConfig
	requests DBusRequests
	root     string // of the object paths

	tree    atomic.Pointer[dbusTree]
	signals chan dbusSignal
	lost    atomic.Uint64
	stop    context.CancelFunc
	ended   chan struct{}

	mu        sync.Mutex // guards what follows
	instances []DBusInstance
	gone      []DBusInstance // removed by a reload; one signal more may come
}

type dbusSignal struct {
	path dbus.ObjectPath
	name string
	args []any
	last bool // the connection is closed after it
}

// NewDBus begins to connect to the bus.
func NewDBus(c DBusConfig, r DBusRequests) *DBus {
	if c.Name == "" {
		c.Name = dbusName
	}
	if c.NoInterface == "" {
		c.NoInterface = "none"
	}
	d := &DBus{cfg: c, requests: r, root: "/org/keepalived/Vrrp1", signals: make(chan dbusSignal, dbusQueue), ended: make(chan struct{})}
	for _, part := range []string{c.Namespace, c.Instance} {
		if part != "" {
			d.root += "/" + dbusWord(part)
		}
	}
	d.SetInstances(nil)
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go d.run(ctx)
	return d
}

// dbusWord makes a part of an object path: everything but letters and digits
// turns to _.
func dbusWord(s string) string {
	b := []byte(s)
	for i, c := range b {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			b[i] = '_'
		}
	}
	return string(b)
}

func (d *DBus) vrrpPath() string { return d.root + "/Vrrp" }

func (d *DBus) path(in *DBusInstance) string {
	link := in.Interface
	if link == "" {
		link = d.cfg.NoInterface
	}
	return fmt.Sprintf("%s/Instance/%s/%d/%s", d.root, dbusWord(link), in.VRID, in.Family)
}

// SetInstances replaces the objects, at start and at each reload.
func (d *DBus) SetInstances(instances []DBusInstance) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = nil
	for _, old := range d.instances {
		if !slices.ContainsFunc(instances, func(in DBusInstance) bool { return in.Name == old.Name }) {
			d.gone = append(d.gone, old)
		}
	}
	d.instances = slices.Clone(instances)
	d.tree.Store(d.newTree(d.instances))
}

// StateChanged changes an instance's State and sends the signal for it.
func (d *DBus) StateChanged(name string, s DBusState) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	signal := func(in *DBusInstance) {
		d.send(dbusSignal{path: dbus.ObjectPath(d.path(in)), name: dbusInst + ".VrrpStatusChange", args: []any{uint32(s)}})
	}
	named := func(in DBusInstance) bool { return in.Name == name }
	if i := slices.IndexFunc(d.instances, named); i >= 0 {
		d.instances[i].State = s
		d.tree.Store(d.newTree(d.instances))
		signal(&d.instances[i])
	} else if i := slices.IndexFunc(d.gone, named); i >= 0 {
		signal(&d.gone[i])
		d.gone = slices.Delete(d.gone, i, i+1)
	}
}

// Reloaded sends VrrpReloaded.
func (d *DBus) Reloaded() {
	if d != nil {
		d.send(dbusSignal{path: dbus.ObjectPath(d.vrrpPath()), name: dbusVRRP + ".VrrpReloaded"})
	}
}

// Close sends VrrpStopped and leaves the bus. It waits for that at most the
// given time.
func (d *DBus) Close(within time.Duration) {
	if d == nil {
		return
	}
	d.send(dbusSignal{path: dbus.ObjectPath(d.vrrpPath()), name: dbusVRRP + ".VrrpStopped", last: true})
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-d.ended:
	case <-timer.C:
	}
	d.stop()
}

// Lost returns how many signals were lost because the bus was away or slow.
func (d *DBus) Lost() uint64 {
	if d == nil {
		return 0
	}
	return d.lost.Load()
}

func (d *DBus) send(s dbusSignal) {
	select {
	case d.signals <- s:
	default:
		d.lost.Add(1)
	}
}

// run keeps a connection until Close.
func (d *DBus) run(ctx context.Context) {
	defer close(d.ended)
	wait := dbusRetry
	said := ""
	for {
		conn, err := d.connect(ctx)
		if err == nil {
			wait, said = dbusRetry, ""
			done := d.serve(ctx, conn)
			conn.Close()
			log.Info("Released DBus")
			if done {
				return
			}
		} else if text := err.Error(); text != said { // once per reason
			said = text
			log.Info("DBus: %v", err)
		}
		if !d.pause(ctx, wait) {
			return
		}
		wait = min(2*wait, dbusMax)
	}
}

// connect opens a connection and asks for the name.
func (d *DBus) connect(ctx context.Context) (*dbus.Conn, error) {
	opts := []dbus.ConnOption{dbus.WithContext(ctx), dbus.WithHandler(d)}
	dial := func() (*dbus.Conn, error) { return dbus.ConnectSystemBus(opts...) }
	if d.cfg.Address != "" {
		dial = func() (*dbus.Conn, error) { return dbus.Connect(d.cfg.Address, opts...) }
	}
	conn, err := dial()
	if err != nil {
		return nil, fmt.Errorf("connect to the system bus: %w", err)
	}
	log.Info("Acquired DBus bus %s", d.cfg.Name)
	ask, cancel := context.WithTimeout(ctx, dbusTimeout)
	defer cancel()
	var reply uint32
	err = conn.BusObject().CallWithContext(ask, "org.freedesktop.DBus.RequestName", 0, d.cfg.Name, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	if err == nil && dbus.RequestNameReply(reply) != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("somebody else has it")
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("acquire the name %s: %w", d.cfg.Name, err)
	}
	log.Info("Acquired the name %s on the session bus", d.cfg.Name) // it is the system bus; the text is the reference's
	return conn, nil
}

// serve sends signals until the connection ends (false) or Close (true).
func (d *DBus) serve(ctx context.Context, conn *dbus.Conn) (done bool) {
	_ = conn.Emit(dbus.ObjectPath(d.vrrpPath()), dbusVRRP+".VrrpStarted")
	for {
		select {
		case s := <-d.signals:
			if err := conn.Emit(s.path, s.name, s.args...); err != nil {
				d.lost.Add(1)
			}
			if s.last {
				return true
			}
		case <-conn.Context().Done():
			return ctx.Err() != nil
		}
	}
}

// pause waits, and drops the signals of that time. It reports false at Close.
func (d *DBus) pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case s := <-d.signals:
			if s.last {
				return false
			}
			d.lost.Add(1)
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
