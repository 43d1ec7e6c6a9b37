package checker

import "math/rand/v2"

// steps makes what a specification describes ready to run: one step, or one
// per url. FILE_CHECK and BFD_CHECK have none: they are told, not run.
func steps(spec Spec, opt SchedulerOptions) []step {
	talk := func(c *Connection, kind transport, d dialog) []step {
		e := newEndpoint(c, kind)
		return []step{{end: &e, timeout: c.Timeout, talk: d}}
	}
	switch c := spec.(type) {
	case TCPCheck:
		return talk(&c.Connection, stream, tcpDialog{})
	case SMTPCheck:
		return talk(&c.Connection, stream, newSMTPDialog(c.Helo))
	case DNSCheck:
		return talk(&c.Connection, datagrams, newDNSDialog(&c, func() uint16 { return uint16(rand.Uint32()) }))
	case UDPCheck:
		return talk(&c.Connection, datagrams, newUDPDialog(&c))
	case PingCheck:
		return talk(&c.Connection, echo, newPingDialog(c.Connection.To.Addr().Is6()))
	case MiscCheck:
		return []step{{prober: &miscProber{check: c, runner: opt.Runner}}}
	case HTTPCheck:
		list := make([]step, len(c.URLs))
		e := newEndpoint(&c.Connection, stream)
		for i := range c.URLs {
			d := newHTTPDialog(&c, i)
			if c.TLS || d.match != nil && d.match.Slow() {
				list[i].prober = newHTTPProber(&c, i, opt.TLS)
				continue
			}
			list[i] = step{end: &e, timeout: c.Connection.Timeout, talk: d}
		}
		return list
	}
	return nil
}
