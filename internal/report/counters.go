package report

import (
	"net/netip"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/ipvs"
)

// Counters are what the kernel has counted, for each of its services. A virtual
// server with a group has several of them, and shows their sums.
type Counters map[ipvs.Key]KernelCounters

// KernelCounters are the counters of one service of the kernel and its servers.
type KernelCounters struct {
	ipvs.Counters
	Servers []ipvs.ServerCounters
}

// Service sums up the counters of a virtual server; false if the kernel told
// nothing about it.
func (c Counters) Service(s *checker.ServiceState) (sum ipvs.Counters, ok bool) {
	for _, k := range s.Keys {
		if n, there := c[k]; there {
			addCounters(&sum, &n.Counters)
			ok = true
		}
	}
	return sum, ok
}

// Server sums up the counters of one real server of a virtual server.
func (c Counters) Server(s *checker.ServiceState, addr netip.AddrPort) (sum ipvs.Counters, ok bool) {
	for _, k := range s.Keys {
		n, there := c[k]
		if !there {
			continue
		}
		for i := range n.Servers {
			at := n.Servers[i].Server.Addr
			// In a group the kernel's entry may have the port of the service.
			if at.Addr() == addr.Addr() && (at.Port() == addr.Port() || at.Port() == k.Port) {
				addCounters(&sum, &n.Servers[i].Counters)
				ok = true
				break
			}
		}
	}
	return sum, ok
}

func addCounters(sum, n *ipvs.Counters) {
	sum.Connections += n.Connections
	sum.PacketsIn += n.PacketsIn
	sum.PacketsOut += n.PacketsOut
	sum.BytesIn += n.BytesIn
	sum.BytesOut += n.BytesOut
	sum.ConnectionRate += n.ConnectionRate
	sum.PacketRateIn += n.PacketRateIn
	sum.PacketRateOut += n.PacketRateOut
	sum.ByteRateIn += n.ByteRateIn
	sum.ByteRateOut += n.ByteRateOut
	sum.Active += n.Active
	sum.Inactive += n.Inactive
	sum.Persistent += n.Persistent
}

// counterColumns are the columns of counters, which differ between the tables:
// the first of five counts (connections, packets in and out, bytes in and out),
// of five rates, of three wide counts, of five pairs of low and high halves of
// rates, and of five wide rates.
type counterColumns struct{ counts, rates, wide, halves, wideRates uint32 }

var (
	serviceCounters = counterColumns{27, 32, 38, 41, 74}
	serverCounters  = counterColumns{14, 22, 27, 30, 58}
)

// put adds the columns. A server's table has its connection gauges between the
// first count and the others.
func (at counterColumns) put(r row, n *ipvs.Counters) {
	next := at.counts
	r.put(next, agentx.Gauge(uint32(n.Connections)))
	next++
	if at == serverCounters {
		next = 18
	}
	r.put(next, agentx.Counter(n.PacketsIn))
	r.put(next+1, agentx.Counter(n.PacketsOut))
	r.put(next+2, agentx.Counter64(n.BytesIn))
	r.put(next+3, agentx.Counter64(n.BytesOut))
	for i, v := range []uint64{n.Connections, n.PacketsIn, n.PacketsOut} {
		r.put(at.wide+uint32(i), agentx.Counter64(v))
	}
	for i, v := range []uint64{n.ConnectionRate, n.PacketRateIn, n.PacketRateOut, n.ByteRateIn, n.ByteRateOut} {
		i := uint32(i)
		r.put(at.rates+i, agentx.Gauge(uint32(min(v, 1<<32-1))))
		r.put(at.halves+2*i, agentx.Gauge(uint32(v)))
		r.put(at.halves+2*i+1, agentx.Gauge(uint32(v>>32)))
		r.put(at.wideRates+i, agentx.Counter64(v))
	}
}
