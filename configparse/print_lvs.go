package configparse

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/bfd"
	"github.com/keepalived-go/keepalived/ipvs"
)

// Canonical text of the checker's and BFD's blocks. Inherited values are
// written where they are used, so every block can be read alone.

func (o *printer) checker(c *checker.Config) {
	if s := c.SSL; s != nil {
		o.open("SSL")
		o.text("password", s.Password)
		o.text("ca", s.CA)
		o.text("certificate", s.Certificate)
		o.text("key", s.Key)
		o.close()
	}
	for i := range c.Groups {
		o.group(&c.Groups[i])
	}
	for i := range c.Services {
		o.service(c, &c.Services[i])
	}
}

func (o *printer) group(g *checker.Group) {
	o.open("virtual_server_group", quote(g.Name))
	for _, e := range g.Entries {
		switch {
		case e.IsMark():
			o.line("fwmark", strconv.FormatUint(uint64(e.Mark), 10), familyWord(e.MarkFamily))
		case e.First == e.Last:
			o.line(e.First.String(), portWord(e.Port))
		default:
			o.line(e.First.String()+"-"+e.Last.String(), portWord(e.Port))
		}
	}
	o.close()
}

func familyWord(f ipvs.Family) string {
	switch f {
	case ipvs.IPv4:
		return "inet"
	case ipvs.IPv6:
		return "inet6"
	}
	return ""
}

func portWord(port uint16) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(int(port))
}

func (o *printer) service(c *checker.Config, s *checker.ServiceConfig) {
	switch s.Target {
	case checker.ByMark:
		o.open("virtual_server", "fwmark", strconv.FormatUint(uint64(s.Mark), 10))
		o.line("ip_family", familyWord(s.Family))
	case checker.ByGroup:
		o.open("virtual_server", "group", quote(s.Group))
		if g := c.Group(s.Group); g != nil && s.Family != 0 {
			o.line("ip_family", familyWord(s.Family))
		}
	default:
		o.open("virtual_server", s.Addr.Addr().String(), portWord(s.Addr.Port()))
	}
	o.options(s)
	o.timers(s.Timers)
	o.line("lvs_method", forwardingWords(s.Forward))
	o.line("weight", strconv.FormatUint(uint64(s.Weight), 10))
	o.flag("alpha", s.Alpha)
	o.flag("omega", s.Omega)
	o.flag("inhibit_on_failure", s.InhibitOnFailure)
	o.flag("ha_suspend", s.HASuspend)
	if s.Quorum > 0 { // 0 and the hysteresis that goes with it come from weights of 0
		o.line("quorum", strconv.FormatUint(uint64(s.Quorum), 10))
		o.line("hysteresis", strconv.FormatUint(uint64(s.Hysteresis), 10))
	}
	o.script("quorum_up", s.QuorumUp)
	o.script("quorum_down", s.QuorumDown)
	o.line("smtp_alert", strconv.FormatBool(s.SMTPAlert))
	o.text("virtualhost", s.VirtualHost)
	o.text("snmp_name", s.SNMPName)
	if y := s.Sorry; y != nil {
		o.line("sorry_server", y.Addr.Addr().String(), portWord(y.Addr.Port()))
		o.line("sorry_server_lvs_method", forwardingWords(y.Forward))
		o.flag("sorry_server_inhibit", y.Inhibit)
	}
	for i := range s.Servers {
		o.server(s, &s.Servers[i])
	}
	o.close()
}

func (o *printer) options(s *checker.ServiceConfig) {
	if s.Protocol != ipvs.NoProtocol {
		o.line("protocol", strings.ToUpper(s.Protocol.String()))
	}
	o.line("lvs_sched", s.Options.Scheduler)
	for _, f := range []struct {
		word string
		flag ipvs.Flags
	}{{"flag-1", ipvs.SchedFlag1}, {"flag-2", ipvs.SchedFlag2}, {"flag-3", ipvs.SchedFlag3}, {"ops", ipvs.OnePacket}} {
		o.flag(f.word, s.Options.Flags&f.flag != 0)
	}
	p := s.Options.Persistence
	o.text("persistence_engine", p.Engine)
	if p.Timeout == 0 {
		return
	}
	o.line("persistence_timeout", strconv.FormatUint(uint64(p.Timeout), 10))
	switch {
	case p.Granularity == 0:
	case p.Granularity <= 128:
		o.line("persistence_granularity", strconv.FormatUint(uint64(p.Granularity), 10))
	default:
		m := p.Granularity
		o.line("persistence_granularity",
			netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String())
	}
}

// timers of a service or server: what is unset stays unset.
func (o *printer) timers(t checker.Timers) {
	o.line("delay_loop", secondsWord(t.DelayLoop))
	o.line("connect_timeout", secondsWord(t.ConnectTimeout))
	if t.Retry > 0 {
		o.line("retry", strconv.FormatInt(t.Retry, 10))
	}
	if t.DelayBeforeRetry != checker.Unset {
		o.line("delay_before_retry", secondsWord(t.DelayBeforeRetry))
	}
	if t.Warmup != checker.Unset {
		o.line("warmup", secondsWord(t.Warmup))
	}
}

// secondsWord writes seconds with as many decimals as are needed.
func secondsWord(d time.Duration) string {
	us := d.Microseconds()
	if us%1e6 == 0 {
		return strconv.FormatInt(us/1e6, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%06d", us/1e6, us%1e6), "0")
}

// forwardingWords are the words behind lvs_method.
func forwardingWords(f checker.Forwarding) string {
	words := f.Method.String()
	if f.Method != ipvs.TUN {
		return words
	}
	words += " type " + f.Tunnel.Type.String()
	if f.Tunnel.Port != 0 {
		words += " port " + strconv.Itoa(int(f.Tunnel.Port))
	}
	switch f.Tunnel.Flags {
	case ipvs.Checksum:
		words += " csum"
	case ipvs.RemoteChecksum:
		words += " remcsum"
	}
	return words
}

func (o *printer) server(s *checker.ServiceConfig, r *checker.ServerConfig) {
	o.open("real_server", r.Addr.Addr().String(), portWord(r.Addr.Port()))
	o.line("lvs_method", forwardingWords(r.Forward))
	o.line("weight", strconv.FormatUint(uint64(r.Weight), 10))
	if r.UpperThreshold != 0 {
		o.line("uthreshold", strconv.FormatUint(uint64(r.UpperThreshold), 10))
	}
	if r.LowerThreshold != 0 {
		o.line("lthreshold", strconv.FormatUint(uint64(r.LowerThreshold), 10))
	}
	o.timers(r.Timers)
	o.line("alpha", strconv.FormatBool(r.Alpha))
	o.line("inhibit_on_failure", strconv.FormatBool(r.InhibitOnFailure))
	o.line("smtp_alert", strconv.FormatBool(r.SMTPAlert))
	o.script("notify_up", r.NotifyUp)
	o.script("notify_down", r.NotifyDown)
	o.text("virtualhost", r.VirtualHost)
	o.text("snmp_name", r.SNMPName)
	for i := range r.Checks {
		o.check(s, r, &r.Checks[i])
	}
	o.close()
}

func (o *printer) check(s *checker.ServiceConfig, r *checker.ServerConfig, k *checker.CheckConfig) {
	o.open(k.Spec.Keyword())
	switch spec := k.Spec.(type) {
	case checker.FileCheck:
		o.line("track_file", quote(spec.Name))
		direction := "noreverse"
		if spec.Reverse {
			direction = "reverse"
		}
		o.line("weight", strconv.Itoa(int(spec.Weight)), direction)
		o.close()
		return
	case checker.BFDCheck:
		o.line("name", quote(spec.Name))
		o.line("alpha", strconv.FormatBool(k.Schedule.Alpha))
		o.close()
		return
	}
	o.schedule(&k.Schedule)
	if c := k.Spec.Endpoint(); c != nil {
		o.connection(r, c)
	}
	switch spec := k.Spec.(type) {
	case checker.SMTPCheck:
		o.text("helo_name", spec.Helo)
	case checker.DNSCheck:
		o.line("type", spec.Type.String())
		o.text("name", spec.Name)
	case checker.UDPCheck:
		o.udp(&spec)
	case checker.HTTPCheck:
		// A virtualhost that was inherited stays so: it decides the server name.
		if spec.VirtualHost == cmp.Or(r.VirtualHost, s.VirtualHost) && spec.SNIHost == s.VirtualHost {
			spec.VirtualHost = ""
		}
		o.http(&spec)
	case checker.MiscCheck:
		o.misc(&spec)
	}
	o.close()
}

func (o *printer) schedule(s *checker.Schedule) {
	o.line("delay_loop", secondsWord(s.DelayLoop))
	o.line("delay_before_retry", secondsWord(s.DelayBeforeRetry))
	o.line("warmup", secondsWord(s.Warmup))
	o.line("retry", strconv.FormatUint(uint64(s.Retry), 10))
	o.line("alpha", strconv.FormatBool(s.Alpha))
	o.line("log_all_failures", strconv.FormatBool(s.LogAllFailures))
}

func (o *printer) connection(r *checker.ServerConfig, c *checker.Connection) {
	if c.To.Addr() != r.Addr.Addr() {
		o.line("connect_ip", c.To.Addr().String())
	}
	if c.To.Port() != r.Addr.Port() && c.To.Port() != 0 {
		o.line("connect_port", portWord(c.To.Port()))
	}
	if c.Bind.IsValid() {
		o.line("bindto", c.Bind.String())
	}
	if c.BindPort != 0 {
		o.line("bind_port", portWord(c.BindPort))
	}
	o.text("bind_if", c.Interface)
	o.line("connect_timeout", secondsWord(c.Timeout))
	if c.Mark != 0 {
		o.line("fwmark", strconv.FormatUint(uint64(c.Mark), 10))
	}
}

func (o *printer) udp(u *checker.UDPCheck) {
	if u.Payload != nil {
		o.line("payload", hex.EncodeToString(u.Payload))
	}
	if u.RequireReply {
		o.line("require_reply", maskedHex(u.Reply, u.ReplyMask))
	}
	o.line("min_reply_length", strconv.Itoa(int(u.MinReply)))
	o.line("max_reply_length", strconv.Itoa(int(u.MaxReply)))
}

// maskedHex writes bytes with an x for a digit that is not compared.
func maskedHex(data, mask []byte) string {
	s := []byte(hex.EncodeToString(data))
	for i, m := range mask {
		if m&0xf0 == 0 {
			s[2*i] = 'x'
		}
		if m&0x0f == 0 {
			s[2*i+1] = 'x'
		}
	}
	return string(s)
}

func (o *printer) misc(m *checker.MiscCheck) {
	o.script("misc_path", &checker.Script{Args: m.Script.Args, Text: m.Script.Text})
	if m.Timeout <= 4294*time.Second && m.Timeout%time.Second == 0 {
		o.line("misc_timeout", strconv.FormatInt(int64(m.Timeout/time.Second), 10))
	}
	o.flag("misc_dynamic", m.Dynamic)
	if m.Script.User != "" {
		o.line("user", quote(m.Script.User), quote(m.Script.Group))
	}
}

func (o *printer) http(h *checker.HTTPCheck) {
	o.line("http_protocol", h.Protocol.String())
	o.text("virtualhost", h.VirtualHost)
	o.line("enable_sni", strconv.FormatBool(h.SNI))
	o.line("fast_recovery", strconv.FormatBool(h.FastRecovery))
	o.flag("tls_compliant", h.TLS && h.TLSCompliant)
	for i := range h.URLs {
		o.url(h, &h.URLs[i])
	}
}

func (o *printer) url(h *checker.HTTPCheck, u *checker.URL) {
	o.open("url")
	o.line("path", quote(u.Path))
	if u.Digest != nil {
		o.line("digest", hex.EncodeToString(u.Digest))
	}
	var codes []string
	for _, r := range u.Status {
		if r.First == r.Last {
			codes = append(codes, strconv.Itoa(int(r.First)))
			continue
		}
		codes = append(codes, fmt.Sprintf("%d-%d", r.First, r.Last))
	}
	o.line("status_code", codes...)
	o.text("virtualhost", u.VirtualHost)
	if h.TLS && u.TLSCompliant != h.TLSCompliant { // else as the check
		o.line("tls_compliant", strconv.FormatBool(u.TLSCompliant))
	}
	if r := u.Regex; r != nil {
		o.regex(r)
	}
	o.close()
}

func (o *printer) regex(r *checker.Regex) {
	o.line("regex", `"`+escapeScript(r.Pattern)+`"`)
	if len(r.Options) > 0 {
		o.line("regex_options", r.Options...)
	}
	o.flag("regex_no_match", r.NoMatch)
	if r.MinOffset != 0 {
		o.line("regex_min_offset", strconv.FormatUint(r.MinOffset, 10))
	}
	if r.HasMax {
		o.line("regex_max_offset", strconv.FormatUint(r.MaxOffset, 10))
	}
	if r.StackStart != 0 || r.StackMax != 0 {
		o.line("regex_stack", strconv.FormatUint(r.StackStart, 10), strconv.FormatUint(r.StackMax, 10))
	}
}

// script writes a command with the user that the file names for it.
func (o *printer) script(keyword string, s *checker.Script) {
	if s == nil {
		return
	}
	words := []string{scriptWord(s.Text, s.Args)}
	if s.User != "" {
		words = append(words, quote(s.User))
		if s.Group != "" {
			words = append(words, quote(s.Group))
		}
	}
	o.line(keyword, words...)
}

func (o *printer) bfd(sessions []bfd.Config) {
	for _, s := range sessions {
		o.open("bfd_instance", quote(s.Name))
		o.line("neighbor_ip", s.Neighbor.String())
		if s.Source.IsValid() {
			o.line("source_ip", s.Source.String())
		}
		o.line("min_rx", millisecondsWord(s.MinRX))
		o.line("min_tx", millisecondsWord(s.MinTX))
		o.line("idle_tx", millisecondsWord(s.IdleTX))
		o.line("multiplier", strconv.Itoa(int(s.Multiplier)))
		o.line("ttl", strconv.Itoa(int(s.TTL)))
		o.line("max_hops", strconv.Itoa(s.MaxHops))
		o.flag("passive", s.Passive)
		if s.Multihop {
			o.line("multihop", "true")
		}
		o.flag("vrrp", s.ToVRRP && !s.ToChecker)
		o.flag("checker", s.ToChecker && !s.ToVRRP)
		if s.Weight != 0 || s.Reverse {
			direction := ""
			if s.Reverse {
				direction = "reverse"
			}
			o.line("weight", strconv.Itoa(s.Weight), direction)
		}
		o.close()
	}
}

func millisecondsWord(d time.Duration) string {
	us := d.Microseconds()
	if us%1000 == 0 {
		return strconv.FormatInt(us/1000, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%03d", us/1000, us%1000), "0")
}
