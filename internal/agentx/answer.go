package agentx

import "time"

// answer answers a request of the master.
func (a *Agent) answer(m *master, p packet) error {
	r := reader{b: p.payload, order: p.order()}
	if p.flags&flagContext != 0 {
		r.string() // every context shows the same
	}
	var vars []Variable
	status, index := NoError, 0
	switch p.kind {
	case pduGet:
		vars = a.get(r.spans())
	case pduGetNext:
		vars = a.getNext(r.spans())
	case pduGetBulk:
		nonRepeaters, repetitions := int(r.u16()), int(r.u16())
		vars = a.getBulk(r.spans(), nonRepeaters, repetitions)
	case pduTestSet:
		a.test, a.undo = r.variables(), nil
		status, index = a.try()
	case pduCommitSet:
		status, index = a.commit()
	case pduUndoSet:
		a.revert()
	case pduCleanupSet: // has no answer
		a.test, a.undo = nil, nil
		return nil
	case pduPing:
	default:
		status = parseError
	}
	if r.err != nil {
		vars, status = nil, parseError
	}
	w := newWriter(pduResponse, p.header)
	w.u32(0) // only the master has an uptime
	w.u16(uint16(status))
	w.u16(uint16(index))
	for _, v := range vars {
		w.variable(v)
	}
	return m.write(w)
}

// current is the view, made anew when it is too old.
func (a *Agent) current() View {
	if now := time.Now(); now.Sub(a.viewAt) > viewAge {
		a.view, a.viewAt = a.cfg.View(), now
	}
	return a.view
}

func (a *Agent) get(spans []span) []Variable {
	var out []Variable
	for _, s := range spans {
		out = append(out, a.current().Get(s.start))
	}
	return out
}

func (a *Agent) getNext(spans []span) []Variable {
	var out []Variable
	for _, s := range spans {
		out = append(out, a.current().Next(s.start, s.include, s.end))
	}
	return out
}

// getBulk is RFC 2741 section 7.2.3.3: the first ranges once, the others over
// and over until all have come to their end.
func (a *Agent) getBulk(spans []span, nonRepeaters, repetitions int) []Variable {
	const most = 1000 // more does not fit into SNMP's answers anyway
	nonRepeaters = min(nonRepeaters, len(spans))
	out := a.getNext(spans[:nonRepeaters])
	rest := append([]span(nil), spans[nonRepeaters:]...)
	for range repetitions {
		ended := 0
		for i := range rest {
			v := a.current().Next(rest[i].start, rest[i].include, rest[i].end)
			out = append(out, v)
			rest[i].start, rest[i].include = v.OID, false
			if v.Value.Kind == KindEndOfView {
				ended++
			}
		}
		if ended == len(rest) || len(out) > most {
			break
		}
	}
	return out
}

// try checks every value of a Set.
func (a *Agent) try() (Error, int) {
	for i, v := range a.test {
		status := NotWritable
		if a.cfg.Set != nil {
			status = a.cfg.Set(v, false)
		}
		if status != NoError {
			return status, i + 1
		}
	}
	return NoError, 0
}

// commit puts the values of a Set in force and remembers what was before.
func (a *Agent) commit() (Error, int) {
	for i, v := range a.test {
		before := a.current().Get(v.OID)
		if a.cfg.Set == nil || a.cfg.Set(v, true) != NoError {
			return CommitFailed, i + 1
		}
		a.undo = append(a.undo, before)
	}
	a.viewAt = time.Time{}
	return NoError, 0
}

// revert takes back what commit did.
func (a *Agent) revert() {
	for _, v := range a.undo {
		a.cfg.Set(v, true)
	}
	a.test, a.undo, a.viewAt = nil, nil, time.Time{}
}
