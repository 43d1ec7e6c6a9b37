package checker

import "time"

// httpState is where an HTTP_GET or SSL_GET stands in its round of urls.
type httpState struct {
	phase  httpPhase
	url    int  // the one in turn
	passed bool // every url has passed once
	// mismatch is the last difference between announced and received length
	// per url that was logged.
	mismatch []int64
}

// httpPhase is one of three ways through the urls.
type httpPhase uint8

const (
	httpRound   httpPhase = iota // one url after the other, again and again
	httpDown                     // the url that failed, alone
	httpRecover                  // all urls from the first, before it counts
)

// verdict applies the result of one attempt to a check, by its kind, and says
// when the next attempt is due.
func (p *Pool) verdict(now time.Time, c *check, res Result) Next {
	if res.Reason.Local() {
		p.localFault(now, c, res)
		return c.after(now, c.cfg.Schedule.DelayLoop)
	}
	c.fault = false
	switch spec := c.cfg.Spec.(type) {
	case HTTPCheck:
		return p.verdictHTTP(now, c, &spec, res)
	case SMTPCheck:
		return p.verdictSMTP(now, c, res)
	case MiscCheck:
		return p.verdictMisc(now, c, &spec, res)
	}
	return p.verdictPlain(now, c, res)
}

// verdictPlain: TCP_CHECK, UDP_CHECK, PING_CHECK, DNS_CHECK. Down needs
// retry+1 failures in a row, up one success.
func (p *Pool) verdictPlain(now time.Time, c *check, res Result) Next {
	s, first := &c.cfg.Schedule, !c.hasRun
	c.hasRun = true
	if res.Reason == OK {
		c.failures = 0
		if !c.up || first {
			p.log(textSuccess(c))
			p.transition(c, true, first, res)
		}
		return c.after(now, s.DelayLoop)
	}
	if !c.up && !first {
		return c.after(now, s.DelayLoop)
	}
	last := c.failures >= s.Retry
	if s.LogAllFailures && c.up {
		p.log(textAttempt(c, res, last && !first))
	}
	if !last {
		p.detail(textWhy(c, res))
		c.failures++
		return c.after(now, s.DelayBeforeRetry)
	}
	c.failures = 0
	if _, dns := c.cfg.Spec.(DNSCheck); !dns || !s.LogAllFailures || !c.up {
		p.log(textFailed(c, res, first))
	}
	p.gaveUp(c, res)
	p.transition(c, false, first, res)
	return c.after(now, s.DelayLoop)
}

// gaveUp says why an attempt that took its server down failed. Without -D only
// if the network or this host and not the server is to blame: a route that is
// missing here looks like a dead server otherwise.
func (p *Pool) gaveUp(c *check, res Result) {
	// What the firewall of this host drops counts, as in keepalived: it may be
	// meant so.
	const eperm = 1
	here := res.Reason == Unreachable || res.Reason == WriteFailed && res.Code == eperm
	p.emit(Log{Text: textWhy(c, res), Detail: !here})
}

// verdictSMTP: as plain, but each cycle makes all its attempts, also the first
// one after the start and those of a dead server.
func (p *Pool) verdictSMTP(now time.Time, c *check, res Result) Next {
	s, first := &c.cfg.Schedule, !c.hasRun
	if res.Reason == OK {
		c.failures, c.hasRun = 0, true
		if !c.up || first {
			p.log(textSuccess(c))
			p.transition(c, true, first, res)
		}
		return c.after(now, s.DelayLoop)
	}
	last := c.failures >= s.Retry
	if (c.up || first) && (last || s.LogAllFailures) {
		p.log(textSMTP(c, res))
	}
	if !last {
		p.detail(textWhy(c, res))
		c.failures++
		return c.after(now, s.DelayBeforeRetry)
	}
	c.failures, c.hasRun = 0, true
	if c.up || first {
		p.gaveUp(c, res)
		p.transition(c, false, first, res)
	}
	return c.after(now, s.DelayLoop)
}

// verdictMisc: as plain, counted from the start of the program; the exit status
// may set the weight.
func (p *Pool) verdictMisc(now time.Time, c *check, spec *MiscCheck, res Result) Next {
	s, first := &c.cfg.Schedule, !c.hasRun
	c.hasRun = true
	next := func(d time.Duration) Next {
		at := res.Began.Add(d)
		if at.Before(now) {
			at = now
		}
		return Next{At: at}
	}
	if res.Reason == OK {
		c.failures = 0
		if spec.Dynamic && res.Code != c.code {
			p.addWeight(c, dynamicWeight(res.Code, c.srv.base))
		}
		c.code = res.Code
		if !c.up || first {
			p.log(textSuccess(c))
			unchanged := first && c.up
			p.transition(c, true, first && !c.up, res)
			p.firstMail(c, unchanged, res)
		}
		return next(s.DelayLoop)
	}
	if !c.up && !first {
		return next(s.DelayLoop)
	}
	if c.failures < s.Retry {
		if s.LogAllFailures {
			p.log(textMisc(c, res, c.failures, false))
		}
		c.failures++
		return next(s.DelayBeforeRetry)
	}
	c.failures = 0
	p.log(textMisc(c, res, s.Retry, true))
	c.code, c.weight = 1, 0 // the share goes back silently; the server leaves anyway
	unchanged := first && !c.up
	p.transition(c, false, first, res)
	p.firstMail(c, unchanged, res)
	return next(s.DelayLoop)
}

// firstMail tells of the first verdict of a MISC_CHECK although it changes
// nothing. keepalived does so for no other check.
func (p *Pool) firstMail(c *check, unchanged bool, res Result) {
	if unchanged && !p.opt.NoCheckerEmails {
		p.checkMail(c, c.up, res)
	}
}

// dynamicWeight is what an exit status adds to the configured weight:
// keepalived makes the weight status-2, and the configured one for status 0.
func dynamicWeight(status int, configured uint32) int64 {
	if status == 0 {
		return 0
	}
	return int64(status) - 2 - int64(configured)
}

// verdictHTTP: one url per round. The failed url is tried alone until it
// passes, then all of them must pass before the server is back.
func (p *Pool) verdictHTTP(now time.Time, c *check, spec *HTTPCheck, res Result) Next {
	h, s := &c.http, &c.cfg.Schedule
	first := !h.passed
	c.hasRun = true
	if res.Reason.judged() {
		p.lengthMismatch(c, spec, res)
	}
	if res.Reason != OK {
		return p.failedHTTP(now, c, res)
	}
	if !first || h.url == len(spec.URLs)-1 {
		// Before, a failure of any url is the first failure of the server.
		c.failures = 0
	}
	pause := s.DelayLoop
	if spec.FastRecovery && (first || h.phase != httpRound) {
		pause = 0
	}
	switch h.phase {
	case httpDown:
		p.log(textURL(c, &spec.URLs[h.url], res))
		h.phase, h.url = httpRecover, 0
		return c.after(now, pause)
	case httpRecover:
		p.log(textURL(c, &spec.URLs[h.url], res))
	case httpRound:
		if !c.up { // alpha: it has been down from the start
			p.log(textURL(c, &spec.URLs[h.url], res))
		}
	}
	if h.url++; h.url < len(spec.URLs) {
		return c.after(now, pause)
	}
	h.url = 0
	if first || h.phase == httpRecover {
		h.phase, h.passed = httpRound, true
		p.log(textSuccess(c))
		p.transition(c, true, first, res)
	}
	return c.after(now, s.DelayLoop)
}

func (p *Pool) failedHTTP(now time.Time, c *check, res Result) Next {
	h, s := &c.http, &c.cfg.Schedule
	switch h.phase {
	case httpDown:
		return c.after(now, max(s.DelayBeforeRetry, s.DelayLoop))
	case httpRecover:
		return c.after(now, s.DelayBeforeRetry)
	}
	if s.LogAllFailures && (c.up || !h.passed) {
		p.log(textAttempt(c, res, false))
	}
	if c.failures++; c.failures <= s.Retry {
		p.detail(textWhy(c, res))
		return c.after(now, s.DelayBeforeRetry)
	}
	c.failures = 0
	p.log(textFailed(c, res, false))
	p.gaveUp(c, res)
	h.phase = httpDown
	p.transition(c, false, !h.passed, res)
	// Told once: a later success is no longer the first verdict, and comes
	// through the recovery.
	h.passed = true
	return c.after(now, max(s.DelayBeforeRetry, s.DelayLoop))
}

// lengthMismatch notes, once per difference and url, that the body was shorter
// or longer than announced. It is no failure by itself.
func (p *Pool) lengthMismatch(c *check, spec *HTTPCheck, res Result) {
	h := &c.http
	if h.mismatch == nil {
		if res.Received == res.Announced {
			return
		}
		h.mismatch = make([]int64, len(spec.URLs))
	}
	diff := res.Received - res.Announced
	if h.mismatch[h.url] == diff {
		return
	}
	h.mismatch[h.url] = diff
	if diff != 0 {
		p.log(textMismatch(c, &spec.URLs[h.url], res))
	}
}

// faultPause is how long a kind of local fault is not repeated in the log.
const faultPause = 10 * time.Second

// localFault notes an attempt that says nothing about the server. Thousands of
// checks meet such a fault together, so only one line in ten seconds is logged.
func (p *Pool) localFault(now time.Time, c *check, res Result) {
	c.fault = true
	f := &p.faults
	if f.said.IsZero() || now.Sub(f.said) >= faultPause || f.reason != res.Reason {
		p.log(textLocalFault(c, res))
		p.log(textNotCounted(c, res, f.silent))
		f.said, f.reason, f.silent = now, res.Reason, 0
		return
	}
	f.silent++
}

// localFaults is what localFault remembers.
type localFaults struct {
	said   time.Time
	reason Reason
	silent int // attempts since then that were not logged
}
