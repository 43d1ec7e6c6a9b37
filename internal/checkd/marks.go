package checkd

import (
	"slices"

	"github.com/keepalived-go/keepalived/internal/kernel"
	"github.com/keepalived-go/keepalived/internal/log"
)

// marks keeps the nftables tables of nftables_ipvs: packets to the addresses of
// a group get one mark, so that the group needs one service in the kernel.
type marks struct {
	opts   kernel.MarkOptions
	marker *kernel.Marker
}

// set makes the tables what the pool wants. The table's name and shape follow
// a reload by making it anew.
func (m *marks) set(d *daemon) {
	g := &d.conf.Global
	opts := kernel.MarkOptions{Table: g.NFTablesIPVS, Priority: int32(g.NFTablesIPVSPrio), Counters: d.conf.VRRP.Firewall.NFTablesCounters}
	if m.marker != nil && opts != m.opts {
		m.close()
	}
	groups := d.pool.MarkedGroups()
	if m.marker == nil && len(groups) == 0 {
		return
	}
	if m.marker == nil {
		var err error
		if m.marker, err = kernel.OpenMarker(opts); err != nil {
			log.Err("nftables_ipvs: %v", err)
			return
		}
		m.opts = opts
	}
	var ranges []kernel.MarkRange
	for _, mg := range groups {
		for _, e := range mg.Group.Entries {
			ranges = append(ranges, kernel.MarkRange{First: e.First, Last: e.Last, Port: e.Port,
				Protocol: uint8(mg.Protocol), Mark: mg.Mark})
		}
	}
	if err := m.marker.Set(slices.Compact(ranges)); err != nil {
		log.Err("nftables_ipvs: %v", err)
	}
}

// close removes the tables.
func (m *marks) close() {
	if m.marker == nil {
		return
	}
	if err := m.marker.Remove(); err != nil {
		log.Err("nftables_ipvs: %v", err)
	}
	m.marker.Close()
	m.marker = nil
}
