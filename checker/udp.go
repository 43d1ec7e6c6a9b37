package checker

// udpPayload is what UDP_CHECK sends unless the configuration says otherwise.
const udpPayload = "keepalived check - keepalived ch"

// udpDialog is UDP_CHECK: silence is well unless an answer is required; an ICMP
// error is a failure.
type udpDialog struct{ check *UDPCheck }

func newUDPDialog(c *UDPCheck) *udpDialog { return &udpDialog{check: c} }

func (d *udpDialog) opened(*Result) ([]byte, bool) {
	if d.check.Payload == nil {
		return []byte(udpPayload), false
	}
	return d.check.Payload, false
}

// got judges an answer. keepalived looks at length and content only if it was
// told what the answer begins with.
func (d *udpDialog) got(b []byte, r *Result) ([]byte, bool) {
	c := d.check
	if !c.RequireReply || len(c.Reply) == 0 {
		return nil, true
	}
	if len(b) < int(c.MinReply) || len(b) > int(c.MaxReply) {
		r.Reason = BadReply
		return nil, true
	}
	for i := range min(len(b), len(c.Reply)) {
		mask := byte(0xff)
		if i < len(c.ReplyMask) {
			mask = c.ReplyMask[i]
		}
		if (b[i]^c.Reply[i])&mask != 0 {
			r.Reason = BadReply
			return nil, true
		}
	}
	return nil, true
}

func (d *udpDialog) silence(r *Result) {
	if d.check.RequireReply {
		r.Reason = ReadTimeout
	}
}
