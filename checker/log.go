package checker

import (
	"fmt"
	"net/netip"
)

// Every text that an operator may see from this package stands here, word for
// word as keepalived writes it where keepalived has it.

const textBFDReady = "Activating BFD healthchecker"

func textActivity(verb string, c *check) string {
	return fmt.Sprintf("%s healthchecker for service %s for VS %s", verb, c.srv.name, c.srv.svc.name)
}

func textServerUp(s *server) string {
	if s.cfg.InhibitOnFailure {
		return fmt.Sprintf("Enabling service %s of VS %s", s.name, s.svc.name)
	}
	return fmt.Sprintf("Adding service %s to VS %s", s.name, s.svc.name)
}

func textServerDown(s *server) string {
	if s.cfg.InhibitOnFailure {
		return fmt.Sprintf("Disabling service %s of VS %s", s.name, s.svc.name)
	}
	return fmt.Sprintf("Removing service %s from VS %s", s.name, s.svc.name)
}

func textServerRemoved(s *server) string {
	return fmt.Sprintf("Removing %sservice %s from VS %s", inhibited(s), s.name, s.svc.name)
}

func textShuttingDown(s *server) string {
	return fmt.Sprintf("Shutting down %sservice %s from VS %s", inhibited(s), s.name, s.svc.name)
}

func inhibited(s *server) string {
	if s.cfg.InhibitOnFailure && !s.alive {
		return "(inhibited) "
	}
	return ""
}

func textServerGone(s *server) string { return "service " + s.name + " no longer exist" }

func textServiceGone(s *service) string {
	if s.cfg.Target == ByGroup {
		return "Removing Virtual Server Group [" + s.cfg.Group + "]"
	}
	return "Removing Virtual Server " + s.name
}

func textWeight(s *server, from, to int64) string {
	state := "active"
	if !s.alive {
		state = "inactive"
	}
	return fmt.Sprintf("Changing weight from %d to %d for %s service %s of VS %s", from, to, state, s.name, s.svc.name)
}

func textGained(s *service, gain, sum uint64) string {
	return fmt.Sprintf("Gained quorum %d+%d=%d <= %d for VS %s", s.cfg.Quorum, s.cfg.Hysteresis, gain, sum, s.name)
}

func textLost(s *service, init bool, threshold, sum uint64) string {
	what := "Lost quorum"
	if init {
		what = "Starting with quorum down"
	}
	return fmt.Sprintf("%s %d-%d=%d > %d for VS %s", what, s.cfg.Quorum, s.cfg.Hysteresis, threshold, sum, s.name)
}

func sorryName(s *service, c *SorryServer) string { return ServerName(c.Addr, s.cfg.Protocol) }

func textSorryIn(s *service) string {
	verb := "Adding"
	if s.cfg.Sorry.Inhibit {
		verb = "Enabling"
	}
	return fmt.Sprintf("%s sorry server %s to VS %s", verb, sorryName(s, s.cfg.Sorry), s.name)
}

func textSorryOut(s *service) string {
	if !s.cfg.Sorry.Inhibit {
		return textSorryGone(s, s.cfg.Sorry)
	}
	return fmt.Sprintf("Disabling sorry server %s from VS %s", sorryName(s, s.cfg.Sorry), s.name)
}

func textSorryGone(s *service, c *SorryServer) string {
	return fmt.Sprintf("Removing sorry server %s from VS %s", sorryName(s, c), s.name)
}

func textAliveIn(s *service) string  { return "Adding alive servers to the pool for VS " + s.name }
func textAliveOut(s *service) string { return "Removing alive servers from the pool for VS " + s.name }

func textEntryGone(s *service, e GroupEntry) string {
	return fmt.Sprintf("VS [%s] in group %s no longer exists", entryName(s, e, ""), s.cfg.Group)
}

func textEntryNew(s *service, e GroupEntry) string {
	return fmt.Sprintf("VS [%s] added into group %s", entryName(s, e, "FWM "), s.cfg.Group)
}

func entryName(s *service, e GroupEntry, mark string) string {
	if e.IsMark() {
		return fmt.Sprintf("%s%d", mark, e.Mark)
	}
	name := ServerName(netip.AddrPortFrom(e.First, e.Port), s.cfg.Protocol)
	if e.Last != e.First {
		name += "-" + e.Last.String()
	}
	return name
}

// textSuccess is said when a check finds its server well for the first time or
// again; empty for DNS_CHECK, which keepalived lets pass in silence.
func textSuccess(c *check) string {
	rs := c.srv.name
	switch spec := c.cfg.Spec.(type) {
	case TCPCheck:
		return "TCP connection to " + rs + " success."
	case UDPCheck:
		return "UDP connection to " + rs + " success."
	case PingCheck:
		return "ICMP connection to " + rs + " success."
	case HTTPCheck:
		return "Remote Web server " + rs + " succeed on service."
	case SMTPCheck:
		return "Remote SMTP server " + rs + " succeed on service."
	case MiscCheck:
		return miscName(c, &spec) + " succeeded."
	}
	return ""
}

// textFailed is said when a check gives its server up. first: it had never run,
// so nothing was retried.
func textFailed(c *check, res Result, first bool) string {
	rs, retry := c.srv.name, c.cfg.Schedule.Retry
	after := fmt.Sprintf(" after %d retries", retry)
	if first || retry == 0 {
		after = ""
	}
	switch spec := c.cfg.Spec.(type) {
	case TCPCheck:
		return "TCP_CHECK on service " + rs + " failed" + after + "."
	case UDPCheck:
		return "UDP_CHECK on service " + rs + " failed" + after + "."
	case PingCheck:
		if after == "" {
			return "ICMP CHECK on service " + rs + " failed."
		}
		return "ICMP CHECK on service " + rs + " of " + c.srv.svc.name + " failed" + after + "."
	case DNSCheck:
		if !first { // also "after 0 retries"
			after = fmt.Sprintf(" after %d retries", retry)
		}
		return "DNS_CHECK (" + rs + ") " + dnsFailure(&spec, res) + after
	case HTTPCheck:
		kind := "HTTP_CHECK"
		if spec.TLS {
			kind = "SSL_CHECK"
		}
		return kind + " on service " + rs + " failed" + after + "."
	}
	return ""
}

// textAttempt is said of every failed attempt with log_all_failures.
func textAttempt(c *check, res Result, last bool) string {
	rs := c.srv.name
	timeout := res.Reason == ConnectTimeout || res.Reason == ReadTimeout
	switch spec := c.cfg.Spec.(type) {
	case TCPCheck:
		if timeout {
			return "TCP connection to " + rs + " timeout."
		}
		return "TCP connection to " + rs + " failed."
	case UDPCheck:
		if res.Reason == BadReply {
			return "UDP check to " + rs + " reply data mismatch."
		}
		return "UDP connection to " + rs + " failed."
	case PingCheck:
		if timeout {
			return "ICMP connection to address " + rs + " timeout."
		}
		return "ICMP connection to " + rs + " of " + c.srv.svc.name + " failed."
	case DNSCheck:
		return textFailed(c, res, !last)
	case HTTPCheck:
		return httpFailure(&spec, res) + " server " + rs + "."
	}
	return ""
}

// HTTPMessage is keepalived's text for a failed HTTP attempt, without the
// server; genhash prints it too.
func HTTPMessage(tls bool, r Reason) string {
	return httpFailure(&HTTPCheck{TLS: tls}, Result{Reason: r})
}

func httpFailure(spec *HTTPCheck, res Result) string {
	switch res.Reason {
	case ConnectError:
		return "Error connecting"
	case ConnectTimeout:
		return "Timeout connecting"
	case ConnectFailed:
		return "Connection failed"
	case Unreachable:
		return "HTTP/SSL_CHECK - network unreachable"
	case TLSFailed:
		return "SSL handshake/communication error connecting to"
	case WriteFailed, WriteTimeout:
		return "Cannot send get request to"
	case FirstByteTimeout:
		return "Timeout WEB read"
	case ReadTimeout:
		if spec.TLS {
			return "Timeout SSL read"
		}
		return "Timeout HTTP read"
	case ReadFailed:
		if spec.TLS {
			return "SSL read error from"
		}
		return "Read error with"
	case NoData:
		return "Read, no data received from "
	case BadStatus:
		return "HTTP status code error to"
	case BadDigest:
		return "MD5 digest error to"
	case NoMatch:
		return "Regex match failed"
	}
	return "Connection failed"
}

// textURL is said of every url that passes while its server is down.
func textURL(c *check, u *URL, res Result) string {
	what := [...]string{ProofStatus: "HTTP status code", ProofDigest: "MD5 digest", ProofRegex: "Regex match"}[res.Proof]
	return fmt.Sprintf("%s success to %s url(%s)", what, c.srv.name, u.Path)
}

func textMismatch(c *check, u *URL, res Result) string {
	return fmt.Sprintf("http_check for RS %s VS %s url %s%s: content_length (%d) does not match received bytes (%d)",
		c.srv.name, c.srv.svc.name, u.VirtualHost, u.Path, res.Announced, res.Received)
}

func textSMTP(c *check, res Result) string { return "SMTP_CHECK " + smtpFailure(c, res) }

func smtpFailure(c *check, res Result) string {
	to := fmt.Sprintf("[%s]:%d", c.cfg.Spec.Endpoint().To.Addr(), c.cfg.Spec.Endpoint().To.Port())
	switch res.Reason {
	case ConnectError:
		return "Error connecting to server " + to
	case ConnectTimeout:
		return "Connection timeout to server " + to
	case Unreachable:
		a := c.srv.cfg.Addr
		return fmt.Sprintf("Network unreachable for server %s - real server [%s]:%d",
			c.cfg.Spec.Endpoint().To.Addr(), a.Addr(), a.Port())
	case ReadTimeout, FirstByteTimeout:
		return "Read timeout from server " + to
	case ReadFailed, NoData:
		return "Read failure from server " + to
	case WriteTimeout:
		return "Write timeout to server " + to
	case WriteFailed:
		return "Write failure to server " + to
	case BadGreeting:
		return "Bad greeting banner from server " + to
	case BadHelo:
		return "Bad HELO response from server " + to
	}
	return "Could not connect to server " + to
}

func dnsFailure(spec *DNSCheck, res Result) string {
	switch res.Reason {
	case ReadTimeout, FirstByteTimeout:
		return "read timeout from socket"
	case ReadFailed:
		return fmt.Sprintf("failed to read socket; errno %d (%s)", res.Code, res.Text)
	case BadRcode:
		return fmt.Sprintf("read error occurred. (rcode = %d)", res.Code)
	case WriteFailed:
		return "failed to write socket."
	case WriteTimeout:
		return "write timeout to socket."
	case ConnectError:
		return "connection error."
	case ConnectTimeout:
		return "connection timeout."
	case Unreachable:
		return fmt.Sprintf("network unreachable for [%s]:%d", spec.Connection.To.Addr(), spec.Connection.To.Port())
	}
	return "connection failure."
}

func miscName(c *check, spec *MiscCheck) string {
	program := ""
	if len(spec.Script.Args) > 0 {
		program = spec.Script.Args[0]
	}
	return fmt.Sprintf("Misc check for [%s VS %s] by [%s]", c.srv.name, c.srv.svc.name, program)
}

// textMisc is said of a failed run: the last one, or with log_all_failures also
// those before it, of which done have been made.
func textMisc(c *check, res Result, done uint32, last bool) string {
	spec := c.cfg.Spec.(MiscCheck)
	retry := c.cfg.Schedule.Retry
	result, how := "failed", ""
	switch res.Reason {
	case ScriptTimeout:
		result = "timed out"
	case Signalled:
		how = fmt.Sprintf(" (due to signal %d)", res.Code)
	default:
		how = fmt.Sprintf(" (exited with status %d)", res.Code)
	}
	suffix := ""
	switch {
	case last && retry == 0:
		suffix = " with retry disabled"
	case last:
		suffix = fmt.Sprintf(" after %d %s", retry, retries(retry))
	case done == 0:
		suffix = fmt.Sprintf(", will do %d %s", retry, retries(retry))
	default:
		suffix = fmt.Sprintf(" on retry %d/%d", done, retry)
	}
	return miscName(c, &spec) + " " + result + suffix + how + "."
}

func retries(n uint32) string {
	if n == 1 {
		return "retry"
	}
	return "retries"
}

func textBFD(c *check, spec *BFDCheck, up bool) string {
	return fmt.Sprintf("BFD check of [%s] RS(%s) is %s", spec.Name, c.srv.name, upDown(up))
}

func textFile(c *check, spec *FileCheck, leaving bool) string {
	state := "now FAULT state"
	if leaving {
		state = "leaving FAULT state"
	}
	return fmt.Sprintf("(%s): tracked file %s %s", c.srv.name, spec.Name, state)
}

// textWhy says, with -D, what keepalived keeps to itself: why an attempt failed.
func textWhy(c *check, res Result) string {
	why := res.Reason.String()
	if res.Text != "" {
		why += ": " + res.Text
	}
	return fmt.Sprintf("%s of %s for VS %s: %s after %v", c.cfg.Spec.Keyword(), c.srv.name, c.srv.svc.name,
		why, res.Took.Round(100e3))
}

// textLocalFault is keepalived's line for an attempt that is not counted.
func textLocalFault(c *check, res Result) string {
	rs, bind := c.srv.name, res.Reason == BindFailed
	switch spec := c.cfg.Spec.(type) {
	case TCPCheck:
		if bind {
			return "TCP socket bind failed. Rescheduling."
		}
		return "TCP connect fail to create socket. Rescheduling."
	case HTTPCheck:
		if bind {
			return "WEB socket bind failed. Rescheduling"
		}
		return "WEB connection fail to create socket. Rescheduling."
	case SMTPCheck:
		if bind {
			return "SMTP_CHECK socket bind failed. Rescheduling."
		}
		return "SMTP_CHECK connection failed to create socket. Rescheduling."
	case DNSCheck:
		if bind {
			return "DNS_CHECK (" + rs + ") UDP socket bind failed. Rescheduling."
		}
		return "DNS_CHECK (" + rs + ") failed to create socket. Rescheduling."
	case UDPCheck:
		if bind {
			return "UDP socket bind failed. Rescheduling."
		}
		return "UDP connect fail to create socket. Rescheduling."
	case PingCheck:
		if spec.Connection.To.Addr().Is6() {
			return "ICMPv6 connect fail to create socket. Rescheduling."
		}
		return "ICMP connect fail to create socket. Rescheduling."
	case MiscCheck:
		return miscName(c, &spec) + " could not be started. Rescheduling."
	}
	return "Check of " + rs + " could not be made. Rescheduling."
}

// textNotCounted names the fault and how many attempts met it in silence.
func textNotCounted(c *check, res Result, silent int) string {
	text := fmt.Sprintf("Fault of this host, not of the server: %s of %s for VS %s not counted: %s",
		c.cfg.Spec.Keyword(), c.srv.name, c.srv.svc.name, res.Reason)
	if res.Text != "" {
		text += ": " + res.Text
	}
	if silent > 0 {
		text += fmt.Sprintf(" (and %d more since the last such line)", silent)
	}
	return text
}

// String says in a few words how an attempt ended.
func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "?"
}

var reasonTexts = [reasons]string{
	OK:               "ok",
	ConnectError:     "connect failed at once",
	ConnectFailed:    "connection failed",
	ConnectTimeout:   "no connection in time",
	Unreachable:      "network unreachable",
	TLSFailed:        "TLS handshake failed",
	WriteFailed:      "cannot send",
	WriteTimeout:     "cannot send in time",
	FirstByteTimeout: "connected, but no answer in time",
	ReadTimeout:      "answer not complete in time",
	ReadFailed:       "connection broke while reading",
	NoData:           "no header in the answer",
	BadStatus:        "unexpected status",
	BadDigest:        "digest of the body differs",
	NoMatch:          "body does not match",
	BadGreeting:      "unexpected greeting",
	BadHelo:          "unexpected answer to HELO",
	BadRcode:         "error code in the answer",
	BadReply:         "unexpected reply data",
	Exited:           "exited with failure",
	Signalled:        "ended by a signal",
	ScriptTimeout:    "took too long and was killed",
	FileFault:        "file says fault",
	NeighbourDown:    "neighbour down",
	NoSocket:         "no socket",
	BindFailed:       "source address or interface unusable",
	NoPort:           "connect failed on this side",
	NoProgram:        "program could not be started",
	Abandoned:        "abandoned",
}

func (p *Pool) serverSubject(s *server, up bool) string {
	return fmt.Sprintf("[%s] Realserver %s of virtual server %s - %s", p.opt.RouterID, s.name, s.svc.name, upDown(up))
}

func (p *Pool) serviceSubject(s *service, up bool) string {
	return fmt.Sprintf("[%s] Virtualserver %s - %s", p.opt.RouterID, s.name, upDown(up))
}

// quorumBody always has "+" and "<=", also for a loss.
func quorumBody(s *service, up, init bool, threshold, sum uint64) string {
	var text string
	switch {
	case init && up:
		text = "Starting with quorum up"
	case init:
		text = "Starting with quorum down"
	case up:
		text = "Gained quorum"
	default:
		text = "Lost quorum"
	}
	return fmt.Sprintf("=> %s %d+%d=%d <= %d <=", text, s.cfg.Quorum, s.cfg.Hysteresis, threshold, sum)
}

// mailBody is empty for checks that send no mail.
func mailBody(c *check, up bool, res Result) string {
	word := func(yes, no string) string {
		if up {
			return yes
		}
		return no
	}
	switch spec := c.cfg.Spec.(type) {
	case TCPCheck:
		return "=> TCP CHECK " + word("succeed", "failed") + " on service <="
	case UDPCheck:
		return "=> UDP CHECK " + word("succeed", "failed") + " on service <="
	case PingCheck:
		return "=> ICMP CHECK " + word("succeed", "failed") + " on service <="
	case DNSCheck:
		return "=> DNS_CHECK: " + word("succeed", "failed") + " on service <="
	case HTTPCheck:
		return "=> CHECK " + word("succeed on service", "failed on service : HTTP/SSL request failed") + " <="
	case SMTPCheck:
		if up {
			return "=> CHECK succeed on service <="
		}
		return "=> CHECK failed on service : " + smtpFailure(c, res) + " <="
	case MiscCheck:
		if res.Reason == ScriptTimeout {
			return "=> MISC CHECK timed out on service <="
		}
		return "=> MISC CHECK " + word("succeeded", "failed") + " on service <="
	case BFDCheck:
		return "=> BFD CHECK " + spec.Name + " " + word("succeeded", "failed") + " on service <="
	}
	return ""
}
