package checker

import (
	"encoding/binary"
	"strings"
)

// dnsHeader is the length of a DNS header, RFC 1035 section 4.1.1.
const dnsHeader = 12

// dnsDialog is DNS_CHECK: one question over UDP, answered without error.
type dnsDialog struct {
	query  []byte
	random func() uint16
}

// newDNSDialog; random gives the id of each query.
func newDNSDialog(c *DNSCheck, random func() uint16) *dnsDialog {
	return &dnsDialog{query: dnsQuery(c.Name, c.Type), random: random}
}

// dnsQuery has one question, class IN, recursion desired, no EDNS; the id is 0.
func dnsQuery(name string, t DNSType) []byte {
	q := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(strings.Trim(name, "."), ".") {
		if label == "" {
			break // the root
		}
		label = label[:min(len(label), 63)]
		q = append(q, byte(len(label)))
		q = append(q, label...)
	}
	q = append(q, 0)
	q = binary.BigEndian.AppendUint16(q, uint16(t))
	return binary.BigEndian.AppendUint16(q, 1)
}

func (d *dnsDialog) opened(*Result) ([]byte, bool) {
	binary.BigEndian.PutUint16(d.query, d.random())
	return d.query, false
}

// got passes over what is not the answer: other ids, short packets, queries.
// The answer section is not looked at.
func (d *dnsDialog) got(b []byte, r *Result) ([]byte, bool) {
	if len(b) < dnsHeader || b[0] != d.query[0] || b[1] != d.query[1] || b[2]&0x80 == 0 {
		return nil, false
	}
	if r.Code = int(b[3] & 0x0f); r.Code != 0 {
		r.Reason = BadRcode
	}
	return nil, true
}

func (d *dnsDialog) silence(r *Result) { r.Reason = ReadTimeout }
