package checker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// ClientTLS is what SSL_GET presents to servers: the root SSL block.
type ClientTLS struct {
	certificates []tls.Certificate
}

// LoadClientTLS reads the files of an SSL block; nil has none. The texts of
// errors begin as keepalived's: "SSL error : Cant load key file...".
func LoadClientTLS(s *SSL) (*ClientTLS, error) {
	if s == nil {
		return &ClientTLS{}, nil
	}
	if s.CA != "" {
		// Servers are never verified; the file must be readable all the same.
		b, err := os.ReadFile(s.CA)
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(b) {
			err = errors.New("no certificate in it")
		}
		if err != nil {
			return nil, fmt.Errorf("SSL error : Cant load CA file... %w", err)
		}
	}
	c := &ClientTLS{}
	if s.Certificate == "" {
		return c, nil
	}
	chain, err := os.ReadFile(s.Certificate)
	if err != nil {
		return nil, fmt.Errorf("SSL error : Cant load certificate file... %w", err)
	}
	key, err := os.ReadFile(s.Key)
	if err != nil {
		return nil, fmt.Errorf("SSL error : Cant load key file... %w", err)
	}
	if key, err = decrypt(key, s.Password); err != nil {
		return nil, fmt.Errorf("SSL error : Cant load key file... %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("SSL error : Cant load certificate file... %w", err)
	}
	c.certificates = []tls.Certificate{pair}
	return c, nil
}

// decrypt undoes the old encryption of PEM keys (RFC 1421), which is what a
// password in an SSL block is for.
func decrypt(key []byte, password string) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil || block.Headers["DEK-Info"] == "" {
		return key, nil
	}
	//lint:ignore SA1019 the only form of encrypted key that the configuration can mean
	der, err := x509.DecryptPEMBlock(block, []byte(password))
	if err != nil {
		return nil, fmt.Errorf("decrypt key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
}

// suites are all that crypto/tls can do: a check asks whether a server
// answers, not whether it answers safely.
var suites = func() []uint16 {
	var list []uint16
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		list = append(list, s.ID)
	}
	return list
}()

// config never verifies the server, offers TLS 1.0 to 1.3 and no ALPN.
func (c *ClientTLS) config(sni string) *tls.Config {
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: sni, MinVersion: tls.VersionTLS10, CipherSuites: suites}
	if c != nil {
		cfg.Certificates = c.certificates
	}
	return cfg
}

// serverName is the SNI of a url, or empty: sni_name, else the url's
// virtualhost, else the check's or virtual server's.
func serverName(c *HTTPCheck, u *URL) string {
	if !c.SNI {
		return ""
	}
	for _, name := range []string{c.SNIName, u.VirtualHost, c.SNIHost} {
		if name != "" {
			return name
		}
	}
	return ""
}

// connProber holds a conversation over a connection of package net, in a
// goroutine of its own: over TLS, and where judging the answer may take long.
type connProber struct {
	at   Connection
	talk dialog
	tls  *tls.Config // nil: plain
	// polite: close_notify is sent at the end.
	polite bool
}

// newHTTPProber asks for one url.
func newHTTPProber(c *HTTPCheck, url int, client *ClientTLS) *connProber {
	u := &c.URLs[url]
	p := &connProber{at: c.Connection, talk: newHTTPDialog(c, url), polite: c.TLSCompliant || u.TLSCompliant}
	if c.TLS {
		p.tls = client.config(serverName(c, u))
	}
	return p
}

// Probe implements Prober. connect_timeout covers connect and handshake
// together, then the wait for the first byte, then over TLS the whole rest, and
// otherwise every further read.
func (p *connProber) Probe(ctx context.Context) (r Result) {
	began := time.Now()
	dial, cancel := context.WithDeadline(ctx, began.Add(p.at.Timeout))
	defer cancel()
	raw, err := p.dial(dial)
	if err != nil {
		return dialResult(err)
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn := raw
	if p.tls != nil {
		t := tls.Client(raw, p.tls)
		if err := t.HandshakeContext(dial); err != nil {
			if dial.Err() != nil || timedOut(err) {
				return Result{Reason: ConnectTimeout, Text: "TLS handshake"}
			}
			return Result{Reason: TLSFailed, Text: err.Error()}
		}
		if p.polite {
			defer t.CloseWrite()
		}
		conn = t
	}
	p.converse(conn, &r)
	return r
}

// converse runs the dialog to its end.
func (p *connProber) converse(conn net.Conn, r *Result) {
	send, over := p.talk.opened(r)
	buf := make([]byte, headerLimit) // as keepalived reads: genhash -v shows the pieces
	now := time.Now()
	limit := now.Add(patience * p.at.Timeout)
	_ = conn.SetDeadline(now.Add(p.at.Timeout))
	for first := true; !over; {
		if len(send) > 0 {
			if _, err := conn.Write(send); err != nil {
				r.Reason, r.Text = WriteFailed, err.Error()
				return
			}
		}
		n, err := conn.Read(buf)
		if n > 0 {
			if first || p.tls == nil {
				first = false
				_ = conn.SetDeadline(earlier(time.Now().Add(p.at.Timeout), limit))
			}
			send, over = p.talk.got(buf[:n], r)
			continue
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			p.talk.got(nil, r)
		case timedOut(err):
			p.talk.silence(r)
		default:
			r.Reason, r.Text = ReadFailed, err.Error()
		}
		return
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func timedOut(err error) bool {
	var t net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// dial connects with the options of the check, in keepalived's order: mark,
// interface, source address.
func (p *connProber) dial(ctx context.Context) (net.Conn, error) {
	end := newEndpoint(&p.at, stream)
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = end.prepare(int(fd)) }); e != nil {
			return e
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errPrepare, err)
		}
		return nil
	}}
	return d.DialContext(ctx, "tcp", p.at.To.String())
}

// errPrepare marks what failed before connect.
var errPrepare = errors.New("prepare socket")

func dialResult(err error) (r Result) {
	var call *os.SyscallError
	switch {
	case errors.Is(err, context.Canceled):
		r.Reason = Abandoned
	case timedOut(err):
		r.Reason = ConnectTimeout
	case errors.Is(err, errPrepare):
		r.describe(BindFailed, errnoOf(err))
	case errors.As(err, &call) && call.Syscall == "socket":
		r.describe(NoSocket, errnoOf(err))
	default:
		errno := errnoOf(err)
		reason := connectReason(errno, true)
		if reason == ConnectError {
			reason = ConnectFailed // package net does not tell when it failed
		}
		r.describe(reason, errno)
	}
	return r
}
