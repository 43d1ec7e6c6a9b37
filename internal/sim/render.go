package sim

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/keepalived-go/keepalived/vrrp"
)

// observe writes an effect as a line of the story.
func (s *story) observe(n *Node, e vrrp.Effect) {
	kind, text := Render(e)
	if a, ok := e.(*vrrp.SendAdvert); ok && s.show["bytes"] {
		for _, p := range a.Packets {
			s.say(n, "bytes %x", p.Bytes)
		}
	}
	if kind == "" || !s.show[kind] {
		return
	}
	s.say(n, "%s", text)
}

// Render is an effect in words, with the kind that a story shows or hides.
func Render(e vrrp.Effect) (kind, text string) {
	switch e := e.(type) {
	case *vrrp.SendAdvert:
		var to []string
		for _, p := range e.Packets {
			to = append(to, p.To.String())
		}
		return "adverts", fmt.Sprintf("advert %s %d to %s", e.Name, e.Priority, strings.Join(to, " "))
	case vrrp.Sockets:
		var list []string
		for _, w := range e.Want {
			list = append(list, fmt.Sprintf("%d:%s:%d:%v", w.ID, w.Key.Interface, w.Key.Protocol, w.Key.Addr))
		}
		return "sockets", "sockets " + strings.Join(list, " ")
	case vrrp.HoldAddrs:
		force := ""
		if e.Force {
			force = "!"
		}
		return "hold", "addrs" + force + signed(e.Drop, "-", heldText) + signed(e.Add, "+", heldText)
	case vrrp.HoldRoutes:
		return "hold", "routes" + signed(e.Drop, "-", func(r vrrp.Route) string { return r.Dst.String() }) +
			signed(e.Add, "+", func(r vrrp.Route) string { return r.Dst.String() })
	case vrrp.HoldRules:
		return "hold", "rules" + signed(e.Drop, "-", func(r vrrp.Rule) string { return r.From.String() }) +
			signed(e.Add, "+", func(r vrrp.Rule) string { return r.From.String() })
	case vrrp.Filter:
		return "filter", "filter" + signed(e.Drop, "-", heldText) + signed(e.Add, "+", heldText)
	case vrrp.Announce:
		var list []string
		for _, t := range e.Targets {
			list = append(list, t.Addr.String()+"@"+t.Interface)
		}
		return "announce", fmt.Sprintf("announce %dx %s", e.Rounds, strings.Join(list, " "))
	case vrrp.Entered:
		fifo := ""
		if e.FIFOOnly {
			fifo = " (FIFO only)"
		}
		return "entered", fmt.Sprintf("entered %s %s %d%s", e.Name, e.State, e.Priority, fifo)
	case vrrp.PriorityChanged:
		return "event", fmt.Sprintf("priority %s %s %d", e.Name, e.State, e.Priority)
	case vrrp.RxLowerPrio:
		return "event", fmt.Sprintf("rx-lower %s %d", e.Name, e.Priority)
	case vrrp.Rejected:
		return "event", fmt.Sprintf("rejected %s from %v", e.Name, e.Source)
	case vrrp.SyncRole:
		return "event", fmt.Sprintf("sync daemon master=%v", e.Master)
	case vrrp.Log:
		if e.Detail {
			return "detail", "D " + e.Text
		}
		return "log", "L " + e.Text
	}
	return "", ""
}

func heldText(h vrrp.Held) string { return h.Prefix.String() + "@" + h.Interface }

func signed[T any](list []T, sign string, text func(T) string) string {
	var b strings.Builder
	for _, x := range list {
		b.WriteString(" " + sign + text(x))
	}
	return b.String()
}

// statsText lists the counters that are not 0.
func statsText(s vrrp.Stats) string {
	var list []string
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if n := v.Field(i).Uint(); n != 0 {
			list = append(list, fmt.Sprintf("%s=%d", v.Type().Field(i).Name, n))
		}
	}
	if list == nil {
		return "all 0"
	}
	return strings.Join(list, " ")
}
