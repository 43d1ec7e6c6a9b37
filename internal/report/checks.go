package report

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
)

// checks is the part of the dump about single checks.
func (c Checker) checks(t *text) {
	first := true
	c.eachCheck(func(s *checker.ServiceState, srv *checker.ServerState, k *checker.CheckState) {
		if first {
			t.heading("Health checkers")
			first = false
		}
		t.line(" %s -> %s", s.Config, checker.ServerName(srv.Config.Addr, s.Config.Protocol))
		checkText(t, s, k)
	})
}

func checkText(t *text, s *checker.ServiceState, k *checker.CheckState) {
	sch := &k.Config.Schedule
	micro := func(d time.Duration) int64 { return d.Microseconds() }
	t.line("   Enabled = %s", yes(!s.Suspended))
	t.line("   Up = %s", yes(k.Up))
	t.line("   Has run = %s", yes(k.HasRun))
	t.line("   Current weight = %d", k.Weight)
	t.line("   Alpha = %s", yes(sch.Alpha))
	t.line("   Delay loop = %d us", micro(sch.DelayLoop))
	t.line("   Warmup = %d us", micro(sch.Warmup))
	t.line("   Retries = %d", sch.Retry)
	if sch.Retry > 0 {
		t.line("   Delay before retry = %d us", micro(sch.DelayBeforeRetry))
		t.line("   Retries iterations = %d", k.Failures)
	}
	t.line("   Default delay before retry = %d us", micro(defaultRetryDelay(k.Config)))
	t.line("   Log all failures = %s", yes(sch.LogAllFailures))
	if e := k.Config.Spec.Endpoint(); e != nil {
		t.line("   Connection")
		t.line("     Dest = [%s]:%d", e.To.Addr(), e.To.Port())
		t.lineIf(e.Bind.IsValid(), "     Bind to = [%s]:%d", e.Bind, e.BindPort)
		t.lineIf(e.Interface != "", "     Bind i/f = %s", e.Interface)
		t.lineIf(e.Mark != 0, "     Mark = %d", e.Mark)
		t.line("     Timeout = %f", e.Timeout.Seconds())
		if last := k.Stats.Last; last.Reason != checker.OK && last.Code != 0 && last.Reason.Local() {
			t.line("     Last errno = %d", last.Code)
		}
	}
	methodText(t, k)
}

func defaultRetryDelay(c *checker.CheckConfig) time.Duration {
	switch c.Spec.(type) {
	case checker.HTTPCheck:
		return 3 * time.Second
	case checker.DNSCheck:
		return c.Schedule.DelayLoop
	}
	return time.Second
}

// methodText has the lines that only one kind of check has.
func methodText(t *text, k *checker.CheckState) {
	switch c := k.Config.Spec.(type) {
	case checker.HTTPCheck:
		httpText(t, &c, k)
		return
	case checker.MiscCheck:
		t.line("   Keepalive method = MISC_CHECK")
		t.line("   script = %s", command(c.Script.Args))
		t.line("   timeout = %d", seconds(c.Timeout))
		t.line("   dynamic = %s", choose(c.Dynamic, "YES", "NO"))
		t.line("   uid:gid = %d:%d", c.Script.UID, c.Script.GID)
		t.line("   Last ran = %s", stamp(k.Stats.Last.Began))
		t.line("   Last status = %d", k.Stats.Last.Code)
		return
	}
	t.line("   Keepalive method = %s", k.Config.Spec.Keyword())
	switch c := k.Config.Spec.(type) {
	case checker.SMTPCheck:
		t.line("   helo = %s", c.Helo)
	case checker.DNSCheck:
		t.line("   Type = %s", c.Type)
		t.line("   Name = %s", c.Name)
	case checker.PingCheck:
		t.line("     ICMP seq no = %d", k.Stats.Runs)
	case checker.UDPCheck:
		t.lineIf(c.Payload != nil, "   Payload = %s", hex.EncodeToString(c.Payload))
		t.line("   Require reply = %s", yes(c.RequireReply))
		if c.Reply != nil {
			t.line("   Reply data = %s", hex.EncodeToString(c.Reply))
			t.line("   Min reply length = %d", c.MinReply)
			t.line("   Max reply length = %d", c.MaxReply)
		}
	case checker.FileCheck:
		t.line("   File = %s, weight %d%s", c.Name, c.Weight, choose(c.Reverse, " reverse", ""))
	case checker.BFDCheck:
		t.line("   Name = %s", c.Name)
		t.line("   Alpha is %s", onOff(k.Config.Schedule.Alpha))
	}
}

func httpText(t *text, c *checker.HTTPCheck, k *checker.CheckState) {
	set := func(ok bool) string { return choose(ok, "set", "unset") }
	t.line("   Keepalive method = %s, http protocol %s", c.Keyword(), c.Protocol)
	t.lineIf(c.VirtualHost != "", "   Virtualhost = %s", c.VirtualHost)
	t.line("   Enable SNI %s", set(c.SNI))
	t.line("   Fast recovery %s", set(c.FastRecovery))
	t.lineIf(c.TLS, "   tls_compliant %s", set(c.TLSCompliant))
	for _, u := range c.URLs {
		t.line("   Checked url = %s", u.Path)
		t.lineIf(u.Digest != nil, "     digest = %s", hex.EncodeToString(u.Digest))
		t.line("     tls_compliant %s", set(u.TLSCompliant))
		t.line("     HTTP Status Code(s)")
		for _, r := range u.Status {
			if r.First == r.Last {
				t.line("       %d", r.First)
			} else {
				t.line("       %d-%d", r.First, r.Last)
			}
		}
		t.lineIf(u.VirtualHost != "", "     Virtual host = %s", u.VirtualHost)
		if r := u.Regex; r != nil {
			t.line("     Regex = \"%s\"", r.Pattern)
			t.lineIf(len(r.Options) > 0, "     Regex options = %s", strings.Join(r.Options, " "))
			t.lineIf(r.NoMatch, "     Regex no match")
			t.lineIf(r.MinOffset != 0, "     Regex min offset = %d", r.MinOffset)
			t.lineIf(r.HasMax, "     Regex max offset = %d", r.MaxOffset)
		}
	}
	t.lineIf(!k.Up && k.HasRun, "   Failed URL = %s", c.URLs[min(k.URL, len(c.URLs)-1)].Path)
}

// files are the track files that FILE_CHECKs follow.
func (c Checker) files(t *text) {
	for i, f := range c.Config.CheckerFiles {
		if i == 0 {
			t.heading("Checker track files")
		}
		t.line(" Track file = %s", f.Name)
		t.line("   File = %s", f.Path)
		t.line("   Status = %d", c.Files[f.Name])
		t.line("   Weight = %d%s", f.Weight, choose(f.Reverse, " reverse", ""))
	}
}
