package configparse

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/checker"
)

// Defaults that depend on the kind of check, checkers.md 1.2.
const (
	defaultRetry     = 1
	defaultRetryDNS  = 3
	defaultRetryMisc = 0

	defaultDelayBeforeRetry     = time.Second
	defaultDelayBeforeRetryHTTP = 3 * time.Second
)

// complete makes the check of a draft; an SMTP_CHECK with old host blocks
// gives one for each of them.
func (k *checkDraft) complete(s *serviceDraft, r *serverDraft, outer timersDraft, defaults lvsDefaults) []checker.CheckConfig {
	timers := k.timers.or(outer)
	alpha := pickOr(s.cfg.Alpha, k.alpha, r.alpha)
	one := checker.CheckConfig{Schedule: k.schedule(timers, alpha, defaults)}
	conn := k.conn.complete(r, k.conn.timeout, outer)
	switch spec := k.spec.(type) {
	case *checker.TCPCheck:
		spec.Connection = conn
		one.Spec = *spec
	case *checker.PingCheck:
		spec.Connection = conn
		one.Spec = *spec
	case *checker.DNSCheck:
		spec.Connection = conn
		one.Spec = *spec
	case *checker.UDPCheck:
		spec.Connection = conn
		one.Spec = *spec
	case *checker.HTTPCheck:
		k.completeHTTP(spec, s, r)
		spec.Connection = conn
		one.Spec = *spec
	case *checker.MiscCheck:
		if spec.Timeout == 0 {
			spec.Timeout = pickOr(defaultDelayLoop, s.timers.delayLoop)
		}
		one.Spec = *spec
	case *checker.FileCheck:
		one = checker.CheckConfig{Spec: *spec}
	case *checker.BFDCheck:
		one = checker.CheckConfig{Spec: *spec, Schedule: checker.Schedule{Alpha: alpha}}
	case *checker.SMTPCheck:
		return k.completeSMTP(one, spec, r, outer)
	}
	return []checker.CheckConfig{one}
}

// completeSMTP gives the check itself and one for each host block. Without
// a connection keyword outside, the first host takes the check's place.
func (k *checkDraft) completeSMTP(one checker.CheckConfig, spec *checker.SMTPCheck, r *serverDraft, outer timersDraft) []checker.CheckConfig {
	targets := []*connDraft{&k.conn}
	if len(k.hosts) > 0 && !k.conn.mentioned {
		targets = nil
	}
	var all []checker.CheckConfig
	for _, c := range append(targets, k.hosts...) {
		spec.Connection = c.complete(r, pick(c.timeout, k.conn.timeout), outer)
		spec.Helo = cmp.Or(k.helo, checker.DefaultHelo)
		one.Spec = *spec
		all = append(all, one)
	}
	return all
}

// schedule resolves when the check runs.
func (k *checkDraft) schedule(timers timersDraft, alpha bool, defaults lvsDefaults) checker.Schedule {
	loop := pickOr(defaultDelayLoop, timers.delayLoop)
	retry, pause := uint32(defaultRetry), defaultDelayBeforeRetry
	switch k.spec.(type) {
	case *checker.MiscCheck:
		retry = defaultRetryMisc
	case *checker.DNSCheck:
		retry, pause = defaultRetryDNS, loop
	case *checker.HTTPCheck:
		pause = defaultDelayBeforeRetryHTTP
	}
	return checker.Schedule{
		DelayLoop:        loop,
		DelayBeforeRetry: pickOr(pause, timers.delayBeforeRetry),
		Warmup:           pickOr(loop, timers.warmup),
		Retry:            pickOr(retry, timers.retry),
		Alpha:            alpha,
		LogAllFailures:   pickOr(defaults.logAllFailure, k.logAll),
	}
}

// complete resolves where the check connects to.
func (c *connDraft) complete(r *serverDraft, timeout *time.Duration, outer timersDraft) checker.Connection {
	// keepalived checks the port that is written, also where it programs that
	// of the service; without any it would connect to port 0.
	addr, port := r.cfg.Addr.Addr(), cmp.Or(r.port, r.cfg.Addr.Port())
	if c.ip.IsValid() {
		addr = c.ip
	}
	if c.port != 0 {
		port = c.port
	}
	bind := c.bind
	if bind.Is4() != addr.Is4() {
		bind = netip.Addr{} // left over beside a bad connect_ip
	}
	return checker.Connection{
		To:        netip.AddrPortFrom(addr, port),
		Bind:      bind,
		BindPort:  c.bindPort,
		Interface: c.bindIf,
		Mark:      c.mark,
		Timeout:   pickOr(defaultConnectTimeout, timeout, outer.connectTimeout),
	}
}

// completeHTTP resolves names and the urls.
func (k *checkDraft) completeHTTP(spec *checker.HTTPCheck, s *serviceDraft, r *serverDraft) {
	spec.VirtualHost = cmp.Or(k.virtualHost, r.cfg.VirtualHost, s.cfg.VirtualHost)
	spec.SNIHost = cmp.Or(k.virtualHost, s.cfg.VirtualHost)
	spec.URLs = nil
	for _, u := range k.urls {
		url := u.cfg
		if url.Status = mergeStatus(url.Status); len(url.Status) == 0 {
			url.Status = []checker.StatusRange{{First: 200, Last: 299}}
		}
		url.TLSCompliant = pickOr(spec.TLSCompliant, u.compliant)
		spec.URLs = append(spec.URLs, url)
	}
}

// mergeStatus sorts ranges and joins those that overlap or touch.
func mergeStatus(ranges []checker.StatusRange) []checker.StatusRange {
	slices.SortFunc(ranges, func(a, b checker.StatusRange) int { return cmp.Compare(a.First, b.First) })
	var merged []checker.StatusRange
	for _, r := range ranges {
		if n := len(merged); n > 0 && r.First <= merged[n-1].Last+1 {
			merged[n-1].Last = max(merged[n-1].Last, r.Last)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}
