package configparse

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/ipvs"
)

// TestCheckerDumps compares what we understand of the corpus with what 2.4.3
// wrote into its dumps, field by field, for virtual servers, real servers and
// checks.
func TestCheckerDumps(t *testing.T) {
	compared := 0
	for _, d := range corpusDumps(t) {
		theirs := dumpLines(d.Text)
		if len(theirs) == 0 {
			continue
		}
		if diff := cmp.Diff(comparable(theirs), comparable(ourLines(&d.Ours.Checker))); diff != "" {
			t.Errorf("%s (-theirs +ours):\n%s", d.Name, diff)
		}
		compared += len(theirs)
	}
	t.Logf("%d fields compared", compared)
}

// dumpFields are the lines of a dump that are configuration, in every kind of
// section.
var dumpFields = []string{
	"VS VIP", "VS FWMARK", "VS GROUP", "connection timeout", "delay_loop", "lvs_sched", "One packet scheduling",
	"persistence timeout", "protocol", "quorum", "default forwarding method", "sorry server", "RIP", "forwarding method",
	"connection limit range", "Delay loop", "Retries", "Delay before retry", "Warmup", "Alpha", "Log all failures",
	"Dest", "Timeout", "Keepalive method", "digest",
}

// dumpLines keeps these lines of the checker's part of a dump.
func dumpLines(dump string) []string {
	_, dump, _ = strings.Cut(dump, "==> keepalived_check.data <==")
	dump, _, _ = strings.Cut(dump, "==> ")
	var lines []string
	section := ""
	for _, line := range strings.Split(dump, "\n") {
		s := strings.TrimSpace(line)
		if strings.HasPrefix(s, "------<") {
			section = strings.Trim(s, "-<> ")
			continue
		}
		if section != "Virtual server" && section != "Real server" && section != "Health checkers" {
			continue
		}
		if section == "Health checkers" && strings.Contains(s, " -> ") {
			lines = append(lines, "CHECK "+s)
			continue
		}
		field, _, _ := strings.Cut(s, " = ")
		for _, f := range dumpFields {
			if f == field {
				s, _, _ = strings.Cut(s, " EFF WEIGHT")
				s, _, _ = strings.Cut(s, " (inactive")
				lines = append(lines, s)
			}
		}
	}
	return lines
}

// comparable leaves out the checks without connection, of which the dump
// lacks those whose script was missing when it was made, and the port of the
// sorry server, which is 0 there where we take that of the service.
func comparable(lines []string) []string {
	var out []string
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "CHECK ") {
			line := lines[i]
			if strings.HasPrefix(line, "sorry server") {
				line = line[:strings.LastIndexByte(line, ':')]
			}
			out = append(out, line)
			continue
		}
		end := i + 1
		for end < len(lines) && !strings.HasPrefix(lines[end], "CHECK ") {
			end++
		}
		block := strings.Join(lines[i:end], "\n")
		if strings.Contains(block, "\nDest = ") {
			out = append(out, lines[i:end]...)
		}
		i = end - 1
	}
	return out
}

// ourLines writes the same lines from a configuration.
func ourLines(c *checker.Config) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i := range c.Services {
		s := &c.Services[i]
		switch s.Target {
		case checker.ByMark:
			add("VS FWMARK = %d", s.Mark)
		case checker.ByGroup:
			add("VS GROUP = %s", s)
		default:
			add("VS VIP = %s, VPORT = %d", s.Addr.Addr(), s.Addr.Port())
		}
		add("connection timeout = %.6f", s.Timers.ConnectTimeout.Seconds())
		add("delay_loop = %.6f", s.Timers.DelayLoop.Seconds())
		add("lvs_sched = %s", s.Options.Scheduler)
		add("One packet scheduling = %s", map[bool]string{true: "enabled", false: "disabled"}[s.Options.Flags&ipvs.OnePacket != 0])
		if s.Options.Persistence.Timeout > 0 {
			add("persistence timeout = %d", s.Options.Persistence.Timeout)
		}
		protocol := strings.ToUpper(s.Protocol.String())
		if s.Protocol == ipvs.NoProtocol {
			protocol = "none"
		}
		add("protocol = %s", protocol)
		if s.Timers.Warmup != checker.Unset {
			add("Warmup = %.6f", s.Timers.Warmup.Seconds())
		}
		add("quorum = %d, hysteresis = %d", s.Quorum, s.Hysteresis)
		add("default forwarding method = %s", forwardText(s.Forward))
		if s.Sorry != nil {
			add("sorry server = %s", checker.ServerName(s.Sorry.Addr, s.Protocol))
			add("forwarding method = %s", forwardText(s.Sorry.Forward))
		}
		for j := range s.Servers {
			r := &s.Servers[j]
			add("RIP = %s, RPORT = %d, WEIGHT = %d", r.Addr.Addr(), r.Addr.Port(), r.Weight)
			add("forwarding method = %s", forwardText(r.Forward))
			add("connection timeout = %.6f", r.Timers.ConnectTimeout.Seconds())
			add("connection limit range = %d -> %d", r.LowerThreshold, r.UpperThreshold)
			add("Delay loop = %.6f", r.Timers.DelayLoop.Seconds())
			if r.Timers.Warmup != checker.Unset {
				add("Warmup = %.6f", r.Timers.Warmup.Seconds())
			}
		}
	}
	for i := range c.Services {
		s := &c.Services[i]
		for j := range s.Servers {
			r := &s.Servers[j]
			for _, k := range r.Checks {
				out = checkLines(out, s, r, k)
			}
		}
	}
	return out
}

func forwardText(f checker.Forwarding) string {
	if f.Method != ipvs.TUN {
		return f.Method.String()
	}
	text := "TUN, type = " + strings.ToUpper(f.Tunnel.Type.String())
	if f.Tunnel.Port != 0 {
		text += fmt.Sprintf(", port = %d", f.Tunnel.Port)
	}
	return text
}

func checkLines(out []string, s *checker.ServiceConfig, r *checker.ServerConfig, k checker.CheckConfig) []string {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	add("CHECK %s -> %s", s, checker.ServerName(r.Addr, s.Protocol))
	yes := map[bool]string{true: "yes", false: "no"}
	sc := k.Schedule
	switch k.Spec.(type) {
	case checker.FileCheck, checker.BFDCheck: // without a schedule
		add("Keepalive method = %s", k.Spec.Keyword())
		return out
	}
	add("Alpha = %s", yes[sc.Alpha])
	add("Delay loop = %d us", sc.DelayLoop.Microseconds())
	add("Warmup = %d us", sc.Warmup.Microseconds())
	add("Retries = %d", sc.Retry)
	if sc.Retry > 0 {
		add("Delay before retry = %d us", sc.DelayBeforeRetry.Microseconds())
	}
	add("Log all failures = %s", yes[sc.LogAllFailures])
	if c := k.Spec.Endpoint(); c != nil {
		add("Dest = %s", destText(c.To))
		add("Timeout = %.6f", c.Timeout.Seconds())
	}
	method := k.Spec.Keyword()
	if h, ok := k.Spec.(checker.HTTPCheck); ok {
		method += ", http protocol " + h.Protocol.String()
	}
	add("Keepalive method = %s", method)
	if h, ok := k.Spec.(checker.HTTPCheck); ok {
		for _, u := range h.URLs {
			if u.Digest != nil {
				add("digest = %x", u.Digest)
			}
		}
	}
	return out
}

func destText(a netip.AddrPort) string { return fmt.Sprintf("[%s]:%d", a.Addr(), a.Port()) }
