package checker

import (
	"encoding/binary"
	"time"
)

// What a pool knows can be written out and taken up by a pool of another
// process that has the same configuration: a restart is a reload from a
// snapshot. Counters and the retries under way are not part of it, and what is
// told anew (addresses, files) is not either.

// stateVersion begins a written state; it changes with the form.
const stateVersion = 1

// Flags of a written service, server and check.
const (
	stateQuorum = 1 << iota
	stateSorry
)

const (
	stateUp = 1 << iota
	stateHasRun
	statePassed
)

// known is what is written of a check.
type known struct {
	up, hasRun, passed bool
	phase              httpPhase
	url, code          int
	weight             int64
}

func (c *check) known() known {
	return known{up: c.up, hasRun: c.hasRun, passed: c.http.passed, phase: c.http.phase, url: c.http.url,
		code: c.code, weight: c.weight}
}

// Revision changes whenever what AppendState writes may have changed.
func (p *Pool) Revision() uint64 { return p.revision }

// AppendState appends the state of every virtual server to b.
func (p *Pool) AppendState(b []byte) []byte {
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, uint64(len(p.services)))
	for _, s := range p.services {
		b = append(b, bitIf(s.quorum, stateQuorum)|bitIf(s.sorry, stateSorry))
		b = binary.AppendUvarint(b, uint64(len(s.servers)))
		for _, srv := range s.servers {
			b = append(b, bitIf(srv.alive, stateUp))
			b = binary.AppendUvarint(b, uint64(len(srv.checks)))
			for _, c := range srv.checks {
				b = c.known().append(b)
			}
		}
	}
	return b
}

func (k known) append(b []byte) []byte {
	b = append(b, bitIf(k.up, stateUp)|bitIf(k.hasRun, stateHasRun)|bitIf(k.passed, statePassed), byte(k.phase))
	b = binary.AppendUvarint(b, uint64(k.url))
	b = binary.AppendVarint(b, int64(k.code))
	return binary.AppendVarint(b, k.weight)
}

func bitIf(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

// Restore is Load in a process that takes over from one with the same
// configuration: state is what AppendState of that one wrote. Servers that were
// down stay down until a check succeeds, and nothing is announced again. It
// reports false, and does nothing, if the state does not belong to cfg. The pool
// must be new.
func (p *Pool) Restore(now time.Time, cfg *Config, opt Options, state []byte) bool {
	q := NewPool()
	q.addrs, q.files, q.bfd = p.addrs, p.files, p.bfd
	q.Load(now, cfg, opt)
	r := stateReader{b: state}
	if r.byte() != stateVersion || r.uint() != uint64(len(q.services)) {
		return false
	}
	for _, s := range q.services {
		flags := r.byte()
		s.quorum, s.sorry = flags&stateQuorum != 0, flags&stateSorry != 0 && s.cfg.Sorry != nil
		if r.uint() != uint64(len(s.servers)) {
			return false
		}
		for _, srv := range s.servers {
			srv.alive = r.byte()&stateUp != 0
			if r.uint() != uint64(len(srv.checks)) {
				return false
			}
			for _, c := range srv.checks {
				r.check(c)
			}
		}
	}
	if r.bad || len(r.b) != 0 {
		return false
	}
	q.effects = nil
	*p = *q
	p.Load(now, cfg, opt)
	return true
}

// stateReader takes a written state apart. After the first fault it gives
// zeros, and bad is set.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *stateReader) uint() uint64 { v, n := binary.Uvarint(r.b); r.skip(n); return v }
func (r *stateReader) int() int64   { v, n := binary.Varint(r.b); r.skip(n); return v }

func (r *stateReader) skip(n int) {
	if n <= 0 {
		r.b, r.bad = nil, true
		return
	}
	r.b = r.b[n:]
}

func (r *stateReader) check(c *check) {
	flags := r.byte()
	c.up, c.hasRun, c.http.passed = flags&stateUp != 0, flags&stateHasRun != 0, flags&statePassed != 0
	c.http.phase = httpPhase(r.byte())
	c.http.url, c.code, c.weight = int(r.uint()), int(r.int()), r.int()
	c.restart = true
	if c.hasRun {
		c.failures = 0 // all retries, as after a reload
	}
	urls := 1
	if spec, ok := c.cfg.Spec.(HTTPCheck); ok {
		urls = max(1, len(spec.URLs))
	}
	if c.http.phase > httpRecover || c.http.url < 0 || c.http.url >= urls {
		r.bad = true
	}
}
