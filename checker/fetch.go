package checker

import (
	"context"
	"net/netip"
	"time"
)

// Fetch asks a server for one page exactly as HTTP_GET and SSL_GET do, and
// shows every piece of the answer as it comes. genhash is made of it.
type Fetch struct {
	To      netip.AddrPort
	TLS     bool
	SNI     string // empty: none is sent
	Mark    uint32 // SO_MARK
	Timeout time.Duration
	Request []byte
}

// Do performs it; see is called with each piece.
func (f Fetch) Do(ctx context.Context, see func([]byte)) Result {
	p := &connProber{at: Connection{To: f.To, Timeout: f.Timeout, Mark: f.Mark}, talk: &fetchDialog{f.Request, see, false}}
	if f.TLS {
		p.tls = (*ClientTLS)(nil).config(f.SNI)
	}
	began := time.Now()
	r := p.Probe(ctx)
	r.Began, r.Took = began, time.Since(began)
	return r
}

// fetchDialog passes on what it gets.
type fetchDialog struct {
	request []byte
	see     func([]byte)
	any     bool
}

func (d *fetchDialog) opened(*Result) ([]byte, bool) { return d.request, false }

func (d *fetchDialog) got(b []byte, _ *Result) ([]byte, bool) {
	d.any = true
	if len(b) > 0 {
		d.see(b)
	}
	return nil, len(b) == 0
}

func (d *fetchDialog) silence(r *Result) {
	r.Reason = ReadTimeout
	if !d.any {
		r.Reason = FirstByteTimeout
	}
}
