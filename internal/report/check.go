package report

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/ipvs"
)

// Checker is what the checker process shows in its data dump.
type Checker struct {
	Config   *configparse.Config
	Services []checker.ServiceState
	// Files are the values of tracked files by name.
	Files map[string]int64
	// Reload is when a timed reload is due; zero: none.
	Reload time.Time
	// Counters are what the kernel has counted; nil if it was not asked.
	Counters Counters
}

// Text is the data dump (process.md 3.3).
func (c Checker) Text() string {
	var t text
	t.WriteString(Global(c.Config, configparse.Checker, c.Reload))
	c.ssl(&t)
	if len(c.Services) > 0 {
		t.heading("LVS Topology")
		t.line(" System is compiled with LVS v1.2.1")
		for i := range c.Config.Checker.Groups {
			c.group(&t, &c.Config.Checker.Groups[i])
		}
		for i := range c.Services {
			serviceText(&t, &c.Services[i])
		}
	}
	c.checks(&t)
	c.files(&t)
	return t.String()
}

// eachCheck visits every check with the server and service it belongs to.
func (c Checker) eachCheck(f func(*checker.ServiceState, *checker.ServerState, *checker.CheckState)) {
	for i := range c.Services {
		for j := range c.Services[i].Servers {
			for k := range c.Services[i].Servers[j].Checks {
				f(&c.Services[i], &c.Services[i].Servers[j], &c.Services[i].Servers[j].Checks[k])
			}
		}
	}
}

func (c Checker) ssl(t *text) {
	used := false
	c.eachCheck(func(_ *checker.ServiceState, _ *checker.ServerState, k *checker.CheckState) {
		h, ok := k.Config.Spec.(checker.HTTPCheck)
		used = used || ok && h.TLS
	})
	s := c.Config.Checker.SSL
	if !used && s == nil {
		return
	}
	t.heading("SSL definitions")
	if s == nil {
		t.line(" Using autogen SSL context")
		return
	}
	t.lineIf(s.Password != "", " Password : %s", s.Password)
	t.lineIf(s.CA != "", " CA-file : %s", s.CA)
	t.lineIf(s.Certificate != "", " Certificate file : %s", s.Certificate)
	t.lineIf(s.Key != "", " Key file : %s", s.Key)
}

// group is one virtual_server_group. What keepalived calls alive are the servers
// in the entry's service, also those with weight 0 and the sorry server.
func (c Checker) group(t *text, g *checker.Group) {
	v4, v6 := g.Families()
	t.line(" ------< Virtual server group >------")
	t.line(" Virtual Server Group = %s, IPv4 = %s, IPv6 = %s", g.Name, yes(v4), yes(v6))
	alive := map[ipvs.Protocol]int{}
	family := map[ipvs.Family]int{}
	for i := range c.Services {
		s := &c.Services[i]
		if s.Config.Target == checker.ByGroup && s.Config.Group == g.Name {
			alive[s.Config.Protocol] += s.Listed()
			family[s.Config.Family] += s.Listed()
		}
	}
	for _, e := range g.Entries {
		switch {
		case e.IsMark():
			t.line("   FWMARK = %d%s", e.Mark, map[ipvs.Family]string{ipvs.IPv4: " IPv4", ipvs.IPv6: " IPv6"}[e.MarkFamily])
			t.line("     Alive: %d IPv4, %d IPv6", family[ipvs.IPv4], family[ipvs.IPv6])
		case e.First == e.Last:
			t.line("   VIP = %s, VPORT = %d", e.First, e.Port)
		default:
			t.line("   VIP Range = %s-%s, VPORT = %d", e.First, e.Last, e.Port)
		}
		t.lineIf(!e.IsMark(), "     Alive: %d tcp, %d udp, %d sctp", alive[ipvs.TCP], alive[ipvs.UDP], alive[ipvs.SCTP])
		t.line("     reloaded = False")
	}
}

func serviceText(t *text, s *checker.ServiceState) {
	c := s.Config
	t.line(" ------< Virtual server >------")
	switch c.Target {
	case checker.ByAddr:
		t.line(" VS VIP = %s, VPORT = %d", c.Addr.Addr(), c.Addr.Port())
	case checker.ByMark:
		t.line(" VS FWMARK = %d", c.Mark)
	case checker.ByGroup:
		t.line(" VS GROUP = %s", c)
	}
	t.lineIf(c.VirtualHost != "", "   VirtualHost = '%s'", c.VirtualHost)
	t.lineIf(c.SNMPName != "", "   SNMP name = %s", c.SNMPName)
	t.line("   Address family = %s", familyText(s))
	t.line("   connection timeout = %f", c.Timers.ConnectTimeout.Seconds())
	t.line("   delay_loop = %f", c.Timers.DelayLoop.Seconds())
	t.line("   lvs_sched = %s", c.Options.Scheduler)
	t.line("   Hashed = disabled")
	flagText(t, &c.Options)
	t.line("   One packet scheduling = %s", enabled(c.Options.Flags&ipvs.OnePacket != 0))
	persistenceText(t, c)
	t.line("   protocol = %s", protocolText(c.Protocol))
	t.line("   alpha is %s", onOff(c.Alpha))
	t.line("   omega is %s", onOff(c.Omega))
	timersText(t, c.Timers)
	t.line("   Inhibit on failure is %s", onOff(c.InhibitOnFailure))
	t.line("   quorum = %d, hysteresis = %d", c.Quorum, c.Hysteresis)
	scriptText(t, "Quorum up notify script", c.QuorumUp)
	scriptText(t, "Quorum down notify script", c.QuorumDown)
	t.lineIf(c.HASuspend, "   Using HA suspend")
	t.line("   Using smtp notification = %s", yes(c.SMTPAlert))
	t.line("   default forwarding method = %s", forwardText(c.Forward))
	if sorry := c.Sorry; sorry != nil {
		t.line("   sorry server = %s", checker.ServerName(sorry.Addr, c.Protocol))
		t.line("     forwarding method = %s", forwardText(sorry.Forward))
		t.line("     Inhibit on failure is %s", onOff(sorry.Inhibit))
		t.line("     set = %d", bit(s.SorrySet()))
		t.line("     alive = %d", bit(s.Sorry))
	}
	t.line("   VS alive = 1") // the virtual server, not one of its servers: it is in the kernel's table
	t.line("   quorum_state_up = %d", bit(s.Quorum))
	t.line("   reloaded = %d", bit(s.Kept))
	for i := range s.Servers {
		serverText(t, &s.Servers[i])
	}
}

func serverText(t *text, s *checker.ServerState) {
	c := s.Config
	t.line("   ------< Real server >------")
	t.line("   RIP = %s, RPORT = %d, WEIGHT = %d EFF WEIGHT = %d", c.Addr.Addr(), c.Addr.Port(), c.Weight, s.Weight)
	t.line("   forwarding method = %s", forwardText(c.Forward))
	t.line("   Alpha is %s", onOff(c.Alpha))
	t.line("   connection timeout = %f", c.Timers.ConnectTimeout.Seconds())
	t.line("   connection limit range = %d -> %d", c.LowerThreshold, c.UpperThreshold)
	t.line("   Delay loop = %f", c.Timers.DelayLoop.Seconds())
	timersText(t, c.Timers)
	t.line("   Inhibit on failure is %s", onOff(c.InhibitOnFailure))
	scriptText(t, "RS up notify script", c.NotifyUp)
	scriptText(t, "RS down notify script", c.NotifyDown)
	t.lineIf(c.VirtualHost != "", "    VirtualHost = '%s'", c.VirtualHost)
	t.lineIf(c.SNMPName != "", "   SNMP name = %s", c.SNMPName)
	t.line("   Using smtp notification = %s", yes(c.SMTPAlert))
	t.line("   initial weight = %d", c.Weight)
	t.line("   effective weight = %d", s.Weight)
	t.line("   previous effective_weight = %d", s.Before)
	t.line("   alive = %d", bit(s.Alive))
	t.line("   num failed checkers = %d", s.Failed)
	t.line("   RS set = %d", bit(s.Set))
	t.line("   reloaded = %d", bit(s.Kept))
}

func timersText(t *text, c checker.Timers) {
	t.lineIf(c.Retry != checker.Unset, "   Retry count = %d", c.Retry)
	t.lineIf(c.DelayBeforeRetry != checker.Unset, "   Retry delay = %f", c.DelayBeforeRetry.Seconds())
	t.lineIf(c.Warmup != checker.Unset, "   Warmup = %f", c.Warmup.Seconds())
}

// flagText names the flags as the scheduler does.
func flagText(t *text, o *ipvs.Options) {
	names := [3]string{"flag-1", "flag-2", "flag-3"}
	switch o.Scheduler {
	case "sh":
		names[0], names[1] = "sh-fallback", "sh-port"
	case "mh":
		names[0], names[1] = "mh-fallback", "mh-port"
	}
	for i, flag := range []ipvs.Flags{ipvs.SchedFlag1, ipvs.SchedFlag2, ipvs.SchedFlag3} {
		t.line("   %s = %s", names[i], enabled(o.Flags&flag != 0))
	}
}

func persistenceText(t *text, c *checker.ServiceConfig) {
	p := c.Options.Persistence
	if p.Timeout == 0 {
		return
	}
	t.line("   persistence timeout = %d", p.Timeout)
	switch {
	case p.Granularity == 0:
	case c.Family == ipvs.IPv6:
		t.line("   persistence granularity = %d", p.Granularity)
	default:
		g := p.Granularity
		t.line("   persistence granularity = %s", netip.AddrFrom4([4]byte{byte(g >> 24), byte(g >> 16), byte(g >> 8), byte(g)}))
	}
	t.lineIf(p.Engine != "", "   persistence engine = %s", p.Engine)
}

func scriptText(t *text, label string, s *checker.Script) {
	if s != nil {
		t.line("   %s = %s, uid:gid %d:%d", label, command(s.Args), s.UID, s.GID)
	}
}

func familyText(s *checker.ServiceState) string {
	if s.Group != nil {
		if v4, v6 := s.Group.Families(); v4 && v6 {
			return "IPv4 & IPv6"
		}
	}
	switch s.Config.Family {
	case ipvs.IPv4:
		return "inet"
	case ipvs.IPv6:
		return "inet6"
	}
	return "unknown"
}

func protocolText(p ipvs.Protocol) string {
	if p == ipvs.NoProtocol {
		return "none"
	}
	return strings.ToUpper(p.String())
}

func forwardText(f checker.Forwarding) string {
	s := f.Method.String()
	if f.Method != ipvs.TUN {
		return s
	}
	s += ", type = " + strings.ToUpper(f.Tunnel.Type.String())
	if f.Tunnel.Type == ipvs.GUE {
		s += fmt.Sprintf(", port = %d", f.Tunnel.Port)
	}
	switch f.Tunnel.Flags {
	case ipvs.Checksum:
		s += ", checksum"
	case ipvs.RemoteChecksum:
		s += ", remote checksum"
	}
	return s
}

func onOff(ok bool) string { return choose(ok, "ON", "OFF") }
