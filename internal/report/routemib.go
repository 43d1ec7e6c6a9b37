package report

import (
	"net/netip"
	"strconv"

	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/vrrp"
)

// metricColumns are the columns of a route's metrics (RTAX_*), with that of
// the lock; 0: it has none.
var metricColumns = map[uint16][2]uint32{
	2: {22, 23}, 3: {33, 0}, 4: {27, 28}, 5: {29, 30}, 6: {36, 37}, 7: {34, 35}, 8: {25, 26},
	9: {31, 32}, 10: {24, 0}, 11: {40, 0}, 13: {38, 39}, 14: {41, 0},
}

// Metrics that are no numbers in the MIB.
const (
	rtaxFeatures = 12
	rtaxQuickAck = 15
	rtaxFastOpen = 17
	featureECN   = 1
)

func (v VRRP) routeRow(m *mib, index, n uint32, c *vrrp.Route, set bool) {
	r := m.row(vrrpTable(7), index, n)
	dst := c.Dst
	r.put(2, addressType(dst.Addr().Is6()))
	r.address(3, dst.Addr())
	r.put(4, agentx.Gauge(dst.Bits()))
	r.address(5, c.Via)
	r.address(7, c.Source)
	r.put(8, agentx.Gauge(c.Metric))
	r.put(9, scopeNumber(c.Scope))
	r.put(10, agentx.Integer(routeType(c)))
	if c.Interface != "" {
		r.put(11, agentx.Integer(int(v.ifIndex(c.Interface))))
		r.text(12, c.Interface)
	}
	table := c.Table
	if table == 0 {
		table = 254 // main
	}
	r.put(13, agentx.Gauge(table))
	r.put(14, truth(set))
	if c.From.IsValid() {
		r.address(15, c.From.Addr())
		r.put(16, agentx.Gauge(c.From.Bits()))
	}
	if c.TOS != 0 {
		r.put(17, agentx.Gauge(c.TOS))
	}
	r.put(18, agentx.Integer(int(c.Protocol)+1)) // the reference counts from 1
	if c.HasExpiry {
		r.put(21, agentx.Integer(int(c.Expires)))
	}
	routeMetrics(r, c)
	r.text(42, c.Congestion)
	if c.PrefSet {
		r.put(43, agentx.Integer([]int{2, 3, 2, 1}[c.Pref&3])) // RFC 4191: 0 medium, 1 high, 3 low
	}
	realms(r, 44, 45, c.Realms)
	encap(r, 46, c.Encap)
	for i := range c.NextHops {
		v.nextHopRow(m.row(vrrpTable(11), index, n, uint32(i+1)), &c.NextHops[i])
	}
}

// routeType is RouteType; several next hops are ecmp.
func routeType(c *vrrp.Route) int {
	if len(c.NextHops) > 0 {
		return 2
	}
	if n, ok := map[uint8]int{6: 3, 4: 4, 5: 5, 3: 6, 7: 7, 8: 8, 9: 9, 10: 10, 11: 11}[c.Type]; ok {
		return n
	}
	return 1
}

func routeMetrics(r row, c *vrrp.Route) {
	ecn, quick := false, false
	for _, x := range c.Metrics {
		switch x.Kind {
		case rtaxFeatures:
			ecn = x.Value&featureECN != 0
		case rtaxQuickAck:
			quick = x.Value != 0
		case rtaxFastOpen:
			r.put(55, truth(x.Value != 0))
		}
		if columns, ok := metricColumns[x.Kind]; ok {
			r.put(columns[0], agentx.Gauge(x.Value))
			if columns[1] != 0 {
				r.put(columns[1], truth(x.Lock))
			}
		}
	}
	r.put(19, truth(ecn))
	r.put(20, truth(quick))
}

func realms(r row, dst, src uint32, realms uint32) {
	r.number(dst, realms&0xffff)
	r.number(src, realms>>16)
}

// encap adds the columns of a light-weight tunnel; the type's column is the
// first.
func encap(r row, first uint32, e *vrrp.Encap) {
	if e == nil {
		return
	}
	r.put(first, agentx.Integer(map[vrrp.EncapType]int{vrrp.EncapMPLS: 1, vrrp.EncapIP: 2, vrrp.EncapILA: 3, vrrp.EncapIP6: 4}[e.Type]))
	labels := ""
	for i, l := range e.Labels {
		if i > 0 {
			labels += "/"
		}
		labels += strconv.FormatUint(uint64(l), 10)
	}
	r.text(first+1, labels)
	if e.HasID {
		r.put(first+2, agentx.Counter64(e.ID))
	}
	r.address(first+3, e.Dst)
	r.address(first+4, e.Src)
	r.number(first+5, uint32(e.TOS))
	r.number(first+6, uint32(e.TTL))
	r.number(first+7, uint32(e.Flags))
	if e.Type == vrrp.EncapILA {
		r.put(first+8, agentx.Counter64(e.ILA))
	}
}

func (v VRRP) nextHopRow(r row, h *vrrp.NextHop) {
	if h.Via.IsValid() {
		r.put(2, addressType(h.Via.Is6()))
		r.address(3, h.Via)
	}
	if h.Interface != "" {
		r.put(4, agentx.Integer(int(v.ifIndex(h.Interface))))
		r.text(5, h.Interface)
	}
	r.put(6, agentx.Gauge(max(h.Weight, 1)))
	r.put(7, truth(h.OnLink))
	realms(r, 8, 9, h.Realms)
	encap(r, 10, h.Encap)
}

func ruleRow(m *mib, index, n uint32, c *vrrp.Rule, set bool) {
	r := m.row(vrrpTable(8), index, n)
	// Columns 2 to 5 are the obsolete form, with one address.
	prefix, direction := c.From, "from"
	if !prefix.IsValid() && c.To.IsValid() {
		prefix, direction = c.To, "to"
	}
	if prefix.IsValid() {
		r.text(2, direction)
		ruleAddress(r, 3, prefix)
	}
	r.put(6, agentx.Gauge(c.Table))
	r.put(7, truth(set))
	r.put(8, truth(c.Not))
	ruleAddress(r, 9, c.To)
	ruleAddress(r, 12, c.From)
	r.put(15, agentx.Gauge(c.TOS))
	if c.HasMark {
		r.put(16, agentx.Gauge(c.Mark))
	}
	if c.HasMask {
		r.put(17, agentx.Gauge(c.Mask))
	}
	realms(r, 18, 19, c.Realms)
	r.text(20, c.IIF)
	r.text(21, c.OIF)
	r.number(22, c.Goto)
	r.put(23, agentx.Integer(int(c.Action)))
	r.put(24, agentx.Gauge(c.Table))
	r.put(25, agentx.Gauge(c.Priority))
	if c.SuppressLen >= 0 {
		r.put(26, agentx.Gauge(c.SuppressLen))
	}
	if c.SuppressGrp >= 0 {
		r.text(27, strconv.Itoa(int(c.SuppressGrp)))
	}
	if c.TunnelID != 0 {
		r.put(28, agentx.Gauge(c.TunnelID>>32))
		r.put(29, agentx.Gauge(c.TunnelID&0xffffffff))
	}
	ruleRange(r, 30, c.UIDRange)
	r.number(34, uint32(c.IPProto))
	ruleRange(r, 35, c.SPort)
	ruleRange(r, 37, c.DPort)
}

// ruleAddress adds type, address and length of a prefix.
func ruleAddress(r row, first uint32, p netip.Prefix) {
	if p.IsValid() {
		r.put(first, addressType(p.Addr().Is6()))
		r.address(first+1, p.Addr())
		r.put(first+2, agentx.Gauge(p.Bits()))
	}
}

func ruleRange(r row, first uint32, x *vrrp.Range) {
	if x != nil {
		r.put(first, agentx.Gauge(x.Low))
		r.put(first+1, agentx.Gauge(x.High))
	}
}
