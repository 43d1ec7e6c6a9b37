package checker

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"hash"
	"net/netip"
	"strconv"
)

const (
	// headerLimit is how much of an answer may be header; keepalived reads into
	// 4096 bytes and keeps one for the end.
	headerLimit = 4095
	// requestLimit is where keepalived cuts a request.
	requestLimit = 2047
)

// HTTPRequest is the request of HTTP_GET, SSL_GET and genhash, byte for byte
// as keepalived sends it.
func HTTPRequest(p HTTPProtocol, path, host string) []byte {
	version, connection := "1.0", ""
	switch p {
	case HTTP10Close:
		connection = "Connection: close\r\n"
	case HTTP11:
		version, connection = "1.1", "Connection: close\r\n"
	}
	r := fmt.Appendf(nil, "GET %s HTTP/%s\r\nUser-Agent: KeepAliveClient\r\n%sHost: %s\r\n\r\n",
		path, version, connection, host)
	return r[:min(len(r), requestLimit)]
}

// HTTPHost is the Host header of a request without virtual host: always with
// port, an IPv6 address in brackets.
func HTTPHost(to netip.AddrPort) string {
	return netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()).String()
}

// httpDialog asks for one url and judges the answer.
type httpDialog struct {
	request []byte
	tls     bool
	status  []StatusRange
	digest  []byte
	match   *Matcher
	sum     hash.Hash // nil: no digest is wanted

	// The attempt under way.
	answer HTTPAnswer
	text   []byte // what match is to see
}

func newHTTPDialog(c *HTTPCheck, url int) *httpDialog {
	u := &c.URLs[url]
	host := u.VirtualHost
	if host == "" {
		host = c.VirtualHost
	}
	if host == "" {
		host = HTTPHost(c.Connection.To)
	}
	d := &httpDialog{request: HTTPRequest(c.Protocol, u.Path, host), tls: c.TLS, status: u.Status, digest: u.Digest}
	if len(d.digest) > 0 {
		d.sum = md5.New()
	}
	if u.Regex != nil {
		// The parser has refused what does not compile.
		d.match, _ = u.Regex.Compile()
	}
	return d
}

func (d *httpDialog) opened(*Result) ([]byte, bool) {
	d.answer.reset()
	d.text = nil
	if d.sum != nil {
		d.sum.Reset()
	}
	return d.request, false
}

func (d *httpDialog) got(b []byte, r *Result) ([]byte, bool) {
	if len(b) == 0 {
		d.judge(r)
		return nil, true
	}
	if d.match != nil {
		d.text = append(d.text, b[:min(len(b), max(0, subjectLimit-len(d.text)))]...)
	}
	body, ok := d.answer.Add(b)
	if !ok {
		r.Reason = NoData
		return nil, true
	}
	if d.sum != nil {
		d.sum.Write(body)
	}
	return nil, false
}

func (d *httpDialog) silence(r *Result) {
	if d.answer.Empty() {
		r.Reason = FirstByteTimeout
		return
	}
	r.Reason = ReadTimeout
}

// judge looks at the whole answer: status, then digest, then regex.
func (d *httpDialog) judge(r *Result) {
	a := &d.answer
	if !a.Complete() {
		r.Reason = NoData
		return
	}
	r.Code = a.Status
	if a.Length >= 0 && a.Length != a.Received {
		r.Announced, r.Received = a.Length, a.Received
	}
	if !inRanges(d.status, a.Status) {
		r.Reason, r.Text = BadStatus, fmt.Sprintf("%d", a.Status)
		return
	}
	r.Proof = ProofStatus
	if d.sum != nil {
		if got := d.sum.Sum(nil); !bytes.Equal(got, d.digest) {
			r.Reason, r.Text = BadDigest, fmt.Sprintf("%x", got)
			return
		}
		r.Proof = ProofDigest
	}
	if d.match != nil {
		text := d.text
		d.text = nil
		if !d.match.Passes(text) {
			r.Reason = NoMatch
			return
		}
		r.Proof = ProofRegex
	}
}

func inRanges(list []StatusRange, status int) bool {
	for _, s := range list {
		if int(s.First) <= status && status <= int(s.Last) {
			return true
		}
	}
	return false
}

// HTTPAnswer reads an answer piece by piece, as keepalived does: the header
// ends at the first empty line of CR LF, within 4095 bytes; the body goes on
// until the peer closes. Nothing is decoded.
type HTTPAnswer struct {
	// Valid once Complete. Status is 0 if the status line has no three digits
	// followed by a space; Length is Content-Length or -1.
	Status int
	Length int64
	// Received counts the bytes of the body so far.
	Received int64

	header   []byte // collected while it is not complete
	complete bool
	any      bool
	left     int64 // of Length
}

func (a *HTTPAnswer) reset() { *a = HTTPAnswer{header: a.header[:0]} }

// Complete reports whether the header has been received.
func (a *HTTPAnswer) Complete() bool { return a.complete }

// Empty reports whether nothing has been received.
func (a *HTTPAnswer) Empty() bool { return !a.any }

// Add takes the next piece and returns its part of the body that counts for
// the digest: what lies within Content-Length. False: there is no end of the
// header where one must be.
func (a *HTTPAnswer) Add(b []byte) (body []byte, ok bool) {
	a.any = true
	if !a.complete {
		head := b
		if len(a.header) > 0 {
			a.header = append(a.header, b...)
			head = a.header
		}
		end := bytes.Index(head[:min(len(head), headerLimit)], []byte("\r\n\r\n"))
		switch {
		case end < 0 && len(head) >= headerLimit:
			return nil, false
		case end < 0 && len(a.header) == 0:
			a.header = append(a.header, b...)
			return nil, true
		case end < 0:
			return nil, true
		}
		a.parse(head[:end+4])
		// The rest of this piece is body; head may be longer than b.
		b = b[end+4-(len(head)-len(b)):]
		a.header = nil
	}
	a.Received += int64(len(b))
	if a.Length >= 0 {
		b = b[:min(int64(len(b)), a.left)]
		a.left -= int64(len(b))
	}
	return b, true
}

// parse reads the status: exactly three digits and a space after the first
// space; and Content-Length, which keepalived looks up with these capitals.
func (a *HTTPAnswer) parse(head []byte) {
	a.complete, a.Length = true, -1
	if i := bytes.IndexByte(head, ' '); i >= 0 && len(head) > i+4 && head[i+4] == ' ' {
		n := 0
		for _, c := range head[i+1 : i+4] {
			if c < '0' || c > '9' {
				n = 0
				break
			}
			n = n*10 + int(c-'0')
		}
		a.Status = n
	}
	name := []byte("Content-Length:")
	i := bytes.Index(head, name)
	if i < 0 {
		return
	}
	v := bytes.TrimLeft(head[i+len(name):], " \t")
	digits := bytes.IndexFunc(v, func(c rune) bool { return c < '0' || c > '9' })
	// A number that nobody can mean announces nothing, nor does none.
	if n, err := strconv.ParseInt(string(v[:max(digits, 0)]), 10, 64); err == nil {
		a.Length, a.left = n, n
	}
}
