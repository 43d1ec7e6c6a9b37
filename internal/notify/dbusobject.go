package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/keepalived-go/keepalived/internal/log"
)

// dbusTree is every object there is. It never changes; SetInstances and
// StateChanged put another in its place.
type dbusTree struct {
	objects  map[string]*dbusObject
	children map[string][]string // names of the nodes below each path
}

// dbusObject is one object: its own interface beside the standard ones.
type dbusObject struct {
	iface   string
	methods []string
	about   string // the rest of the interface's description
	props   []dbusProperty
	call    func(method string)
}

type dbusProperty struct {
	name  string
	value dbus.Variant
}

// The values of the properties. Name is described as a string and returned as a
// structure of one: clients exist that take it so.
type (
	dbusNameValue  struct{ Name string }
	dbusStateValue struct {
		Number uint32
		Word   string
	}
)

func (d *DBus) newTree(instances []DBusInstance) *dbusTree {
	t := &dbusTree{objects: map[string]*dbusObject{}, children: map[string][]string{}}
	t.add(d.vrrpPath(), &dbusObject{
		iface:   dbusVRRP,
		methods: []string{"PrintData", "PrintStats", "PrintStatsClear", "ReloadConfig"},
		about:   `<signal name="VrrpStarted"/><signal name="VrrpReloaded"/><signal name="VrrpStopped"/>`,
		call:    d.called,
	})
	for i := range instances {
		in := instances[i]
		t.add(d.path(&in), &dbusObject{
			iface:   dbusInst,
			methods: []string{"SendGarp"},
			about: `<signal name="VrrpStatusChange"><arg type="u" name="status"/></signal>` +
				`<property type="s" name="Name" access="read"/><property type="(us)" name="State" access="read"/>`,
			props: []dbusProperty{
				{"Name", dbus.MakeVariant(dbusNameValue{in.Name})},
				{"State", dbus.MakeVariant(dbusStateValue{uint32(in.State), in.State.String()})},
			},
			call: func(string) {
				log.Info("Sending garps on %s on DBus request", in.Name)
				if d.requests.SendGARP != nil {
					d.requests.SendGARP(in.Name)
				}
			},
		})
	}
	return t
}

// add puts an object into the tree, with the nodes above it.
func (t *dbusTree) add(path string, o *dbusObject) {
	t.objects[path] = o
	for path != "/" {
		i := strings.LastIndexByte(path, '/')
		above, name := path[:i], path[i+1:]
		if above == "" {
			above = "/"
		}
		if !slices.Contains(t.children[above], name) {
			t.children[above] = append(t.children[above], name)
		}
		path = above
	}
}

// called does what a caller of the general object asks for.
func (d *DBus) called(method string) {
	ask := func(f func()) {
		if f != nil {
			f()
		}
	}
	switch method {
	case "PrintData":
		log.Info("Printing VRRP data on DBus request")
		ask(d.requests.PrintData)
	case "PrintStats":
		log.Info("Printing VRRP stats on DBus request")
		ask(d.requests.PrintStats)
	case "PrintStatsClear":
		log.Info("Printing and clearing VRRP stats on DBus request")
		ask(d.requests.PrintStatsClear)
	case "ReloadConfig":
		ask(d.requests.Reload)
	}
}

// LookupObject implements dbus.Handler: an object, or a node above one.
func (d *DBus) LookupObject(path dbus.ObjectPath) (dbus.ServerObject, bool) {
	t := d.tree.Load()
	o, isObject := t.objects[string(path)]
	below, isNode := t.children[string(path)]
	return &dbusNode{o, below}, isObject || isNode
}

// dbusNode is what a call is made on. object is nil for a node that only leads
// to others.
type dbusNode struct {
	object   *dbusObject
	children []string
}

// LookupInterface implements dbus.ServerObject.
func (n *dbusNode) LookupInterface(name string) (dbus.Interface, bool) {
	return dbusCall{node: n, iface: name}, true
}

// dbusCall is a call on its way: interface, then method, then arguments.
type dbusCall struct {
	node          *dbusNode
	iface, method string
}

// LookupMethod implements dbus.Interface.
func (c dbusCall) LookupMethod(name string) (dbus.Method, bool) {
	c.method = name
	return c, true
}

// DecodeArguments implements dbus.ArgumentDecoder: they are taken as they come.
func (c dbusCall) DecodeArguments(_ *dbus.Conn, _ string, _ *dbus.Message, args []any) ([]any, error) {
	return args, nil
}

// NumArguments and the following implement dbus.Method; with an
// ArgumentDecoder nobody asks.
func (c dbusCall) NumArguments() int     { return 0 }
func (c dbusCall) NumReturns() int       { return 0 }
func (c dbusCall) ArgumentValue(int) any { return nil }
func (c dbusCall) ReturnValue(int) any   { return nil }

// Call implements dbus.Method.
func (c dbusCall) Call(args ...any) ([]any, error) {
	o := c.node.object
	switch {
	case c.is("org.freedesktop.DBus.Introspectable", "Introspect"):
		return []any{c.node.describe()}, nil
	case o != nil && c.is("org.freedesktop.DBus.Properties", "Get"):
		p, err := o.property(args, 2)
		if err != nil {
			return nil, err
		}
		return []any{p.value}, nil
	case o != nil && c.is("org.freedesktop.DBus.Properties", "GetAll"):
		all := map[string]dbus.Variant{}
		if len(args) == 1 && args[0] == o.iface {
			for _, p := range o.props {
				all[p.name] = p.value
			}
		}
		return []any{all}, nil
	case o != nil && c.is("org.freedesktop.DBus.Properties", "Set"):
		p, err := o.property(args, 3)
		if err != nil {
			return nil, err
		}
		return nil, dbusError("InvalidArgs", "Property “%s” is not writable", p.name)
	case o != nil && (c.iface == o.iface || c.iface == "") && slices.Contains(o.methods, c.method):
		o.call(c.method)
		return nil, nil
	}
	return nil, dbusError("UnknownMethod", "No such method “%s”", c.method)
}

// is reports whether the call is of that method; the interface may be left out.
func (c dbusCall) is(iface, method string) bool {
	return c.method == method && (c.iface == iface || c.iface == "")
}

// property finds what Get and Set name: interface, property.
func (o *dbusObject) property(args []any, want int) (dbusProperty, error) {
	if len(args) == want {
		for _, p := range o.props {
			if args[0] == o.iface && args[1] == p.name {
				return p, nil
			}
		}
		return dbusProperty{}, dbusError("InvalidArgs", "No such property “%v”", args[1])
	}
	return dbusProperty{}, dbusError("InvalidArgs", "Invalid type / number of args")
}

func dbusError(name, format string, args ...any) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error."+name, []any{fmt.Sprintf(format, args...)})
}

// dbusStandard are the interfaces that every object has.
const dbusStandard = `<interface name="org.freedesktop.DBus.Properties">` +
	`<method name="Get"><arg type="s" name="interface_name" direction="in"/><arg type="s" name="property_name" direction="in"/>` +
	`<arg type="v" name="value" direction="out"/></method>` +
	`<method name="GetAll"><arg type="s" name="interface_name" direction="in"/><arg type="a{sv}" name="properties" direction="out"/></method>` +
	`<method name="Set"><arg type="s" name="interface_name" direction="in"/><arg type="s" name="property_name" direction="in"/>` +
	`<arg type="v" name="value" direction="in"/></method>` +
	`<signal name="PropertiesChanged"><arg type="s" name="interface_name"/><arg type="a{sv}" name="changed_properties"/>` +
	`<arg type="as" name="invalidated_properties"/></signal></interface>` +
	`<interface name="org.freedesktop.DBus.Introspectable"><method name="Introspect"><arg type="s" name="xml_data" direction="out"/></method></interface>` +
	`<interface name="org.freedesktop.DBus.Peer"><method name="Ping"/><method name="GetMachineId"><arg type="s" name="machine_uuid" direction="out"/></method></interface>`

// describe is the answer of Introspect.
func (n *dbusNode) describe() string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN" ` +
		`"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">` + "\n<node>\n")
	if o := n.object; o != nil {
		fmt.Fprintf(&b, "%s\n<interface name=%q>", dbusStandard, o.iface)
		for _, m := range o.methods {
			fmt.Fprintf(&b, "<method name=%q/>", m)
		}
		b.WriteString(o.about + "</interface>\n")
	}
	for _, child := range n.children {
		fmt.Fprintf(&b, "<node name=%q/>\n", child)
	}
	b.WriteString("</node>\n")
	return b.String()
}
