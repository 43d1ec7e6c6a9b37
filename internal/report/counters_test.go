package report

import (
	"net/netip"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/agentx"
	"github.com/keepalived-go/keepalived/ipvs"
)

// TestCounterColumns puts a different number into each counter and finds it in
// its column of KEEPALIVED-MIB; a group's services are added up.
func TestCounterColumns(t *testing.T) {
	conf := `virtual_server_group G {
  10.0.0.1-2 80
}
virtual_server group G {
  protocol TCP
  lvs_method DR
  real_server 10.1.0.1 8080 {
  }
}
`
	cfg, _ := configparse.Load(configparse.Files{"/k.conf": conf}, "/k.conf", configparse.Env{HostName: "host"})
	p := checker.NewPool()
	p.Load(time.Unix(1000, 0), &cfg.Checker, checker.Options{})
	c := Checker{Config: cfg, Services: p.Snapshot(), Counters: Counters{}}
	if len(c.Services) != 1 || len(c.Services[0].Keys) != 2 {
		t.Fatalf("services %+v, want one with two keys", c.Services)
	}
	n := ipvs.Counters{
		Connections: 1<<33 | 1, PacketsIn: 1<<34 | 2, PacketsOut: 3, BytesIn: 4, BytesOut: 5,
		ConnectionRate: 6, PacketRateIn: 1<<35 | 7, PacketRateOut: 8, ByteRateIn: 9, ByteRateOut: 10,
	}
	for _, k := range c.Services[0].Keys {
		srv := n
		srv.Active, srv.Inactive, srv.Persistent = 11, 12, 13
		// The kernel's entry has the port of the service, not of the file.
		c.Counters[k] = KernelCounters{n, []ipvs.ServerCounters{{
			Server: ipvs.Server{Addr: netip.MustParseAddrPort("10.1.0.1:80")}, Counters: srv}}}
	}
	view := c.MIB()
	column := func(table, col uint32) agentx.Value {
		oid := checkTable(table).Append(1, col, 1)
		if table == 4 {
			oid = oid.Append(1)
		}
		return view.Get(oid).Value
	}
	for _, tt := range []struct {
		service, server uint32 // columns
		want            agentx.Value
	}{
		{27, 14, agentx.Gauge(2)}, {28, 18, agentx.Counter(4)}, {29, 19, agentx.Counter(6)},
		{30, 20, agentx.Counter64(8)}, {31, 21, agentx.Counter64(10)},
		{32, 22, agentx.Gauge(12)}, {33, 23, agentx.Gauge(uint32(1<<32 - 1))}, {34, 24, agentx.Gauge(16)},
		{35, 25, agentx.Gauge(18)}, {36, 26, agentx.Gauge(20)},
		{38, 27, agentx.Counter64(1<<34 | 2)}, {39, 28, agentx.Counter64(1<<35 | 4)}, {40, 29, agentx.Counter64(6)},
		{41, 30, agentx.Gauge(12)}, {42, 31, agentx.Gauge(0)}, {43, 32, agentx.Gauge(14)}, {44, 33, agentx.Gauge(16)},
		{45, 34, agentx.Gauge(16)}, {47, 36, agentx.Gauge(18)}, {49, 38, agentx.Gauge(20)},
		{74, 58, agentx.Counter64(12)}, {75, 59, agentx.Counter64(1<<36 | 14)}, {76, 60, agentx.Counter64(16)},
		{77, 61, agentx.Counter64(18)}, {78, 62, agentx.Counter64(20)},
		{0, 15, agentx.Gauge(22)}, {0, 16, agentx.Gauge(24)}, {0, 17, agentx.Gauge(26)},
	} {
		if got := column(3, tt.service); tt.service != 0 && (got.Kind != tt.want.Kind || got.Number != tt.want.Number) {
			t.Errorf("virtualServerTable column %d = %+v, want %+v", tt.service, got, tt.want)
		}
		if got := column(4, tt.server); got.Kind != tt.want.Kind || got.Number != tt.want.Number {
			t.Errorf("realServerTable column %d = %+v, want %+v", tt.server, got, tt.want)
		}
	}
}
