package configparse

import (
	"strings"
	"sync"

	"github.com/keepalived-go/keepalived/checker"
)

// A reload of many virtual servers that changes one of them should cost what
// has changed. So a Reader remembers the virtual_server blocks of its last
// reading, as text and as what they meant, and passes over the text where it
// comes again. That is right because such a block means the same wherever it
// stands outside of all others: it names nothing of the rest of the
// configuration, there is nothing to say about it, and what it inherits
// (lvsDefaults) is compared. Where it turns out that one stands elsewhere, for
// lack of a brace, everything is read once more without what was known.

// Reader reads the configuration again and again, and each time only what is
// new in it. The result is that of Load. The zero value is ready; it may be
// used by several goroutines.
type Reader struct {
	// NoServices says that nobody looks at Config.Checker.Services: they are
	// checked, but not kept.
	NoServices bool

	mu     sync.Mutex
	known  *known
	passed int // blocks that the last reading did not read
}

// Load is the function Load.
func (r *Reader) Load(open Opener, pattern string, env Env) (*Config, []Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = &known{}
	}
	run := newReading(open, pattern, &env, r.known)
	if run.lex.doubtful {
		run = newReading(open, pattern, &env, &known{})
	}
	r.known, r.passed = run.lex.found, len(run.lex.reused)
	if r.NoServices {
		run.cfg.Checker.Services = nil
		r.known.dropServices()
	}
	return run.cfg, run.problems
}

// known are the virtual_server blocks of a reading by the line that opens
// them; nil: nothing is to be remembered.
type known struct {
	blocks   map[string][]*knownBlock
	defaults lvsDefaults
}

// knownBlock is one virtual_server block.
type knownBlock struct {
	head    string // its first line without comment
	text    string // the lines of the file, from that one to that of the closing brace
	lines   int32
	service checker.ServiceConfig
}

func (k *known) any() bool { return k != nil && len(k.blocks) > 0 }

func (k *known) add(b *knownBlock, service checker.ServiceConfig) {
	if k.blocks == nil {
		k.blocks = map[string][]*knownBlock{}
	}
	b.service = service
	k.blocks[b.head] = append(k.blocks[b.head], b)
}

func (k *known) dropServices() {
	for _, list := range k.blocks {
		for _, b := range list {
			b.service = checker.ServiceConfig{}
		}
	}
}

// find gives the block that stands at the beginning of rest, nil if none does.
func (k *known) find(head, rest string) *knownBlock {
	for _, b := range k.blocks[head] {
		if strings.HasPrefix(rest, b.text) {
			return b
		}
	}
	return nil
}

// follower watches the lexer go through a virtual_server block.
type follower struct {
	file   *fileSource // nil: none is being read
	head   string
	from   int // where in the file its first line begins
	at     position
	closed bool // its closing brace was there
}

// blocks is what the lexer of the files has for a Reader.
type blocks struct {
	before, found *known // found is nil where nothing is to be remembered
	follow        follower
	depth         int // braces open

	ended    map[position]*knownBlock // read anew, by where they begin; column 0
	reused   []*knownBlock            // by item.end
	marks    map[int]int32            // lines of the recording that stand for a reused one
	doubtful bool                     // what was reused stands where it may not, or inherits something else
}

// atHead is called for each line of a file, without its comment, before all
// else. It passes over a known block, or begins to follow a new one.
func (l *lexer) atHead(s string) bool {
	if l.found == nil || l.depth != 0 || l.multi != nil || !isServiceHead(s) || !l.fromFile() {
		return false
	}
	f := l.sources[len(l.sources)-1].(*fileSource)
	b := l.before.find(s, f.text[f.from:])
	if b == nil {
		l.follow = follower{file: f, head: s, from: f.from, at: position{file: l.at.file, line: l.at.line}}
		return false
	}
	n := int32(len(l.reused))
	text := f.text[f.from : f.from+len(b.text)] // the old file need not be kept
	l.reused = append(l.reused, &knownBlock{head: text[l.at.column-1:][:len(s)], text: text, lines: b.lines, service: b.service})
	f.data, f.line = f.text[f.from+len(text):], f.line+b.lines-1
	if l.marks == nil {
		l.marks = map[int]int32{}
	}
	l.marks[len(l.record)] = n
	l.record = append(l.record, rawLine{at: l.at})
	l.emit(item{kind: itemKnown, at: l.at, end: n})
	return true
}

func isServiceHead(s string) bool {
	rest, ok := strings.CutPrefix(s, "virtual_server")
	return ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') && strings.IndexByte(s, '\\') < 0
}

// unfollow forgets the block that is being followed.
func (l *lexer) unfollow() { l.follow.file = nil }

// followed is called after each line of a file.
func (l *lexer) followed() {
	w := &l.follow
	if w.file == nil {
		return
	}
	if top := l.sources[len(l.sources)-1]; top != source(w.file) {
		w.file = nil // an include
		return
	}
	text := w.file.text[w.from : len(w.file.text)-len(w.file.data)]
	if !w.closed {
		return
	}
	w.file = nil
	if !strings.HasSuffix(text, "\n") {
		return // the end of the file: later the line may go on
	}
	if l.ended == nil {
		l.ended = map[position]*knownBlock{}
	}
	l.ended[w.at] = &knownBlock{head: w.head, text: text, lines: int32(strings.Count(text, "\n"))}
}

// watch is called for each item. A block that is not just a line of words,
// its braces and what is in them is not followed any longer.
func (l *lexer) watch(it item) {
	w := &l.follow
	if w.closed || it.kind == itemMessage || it.kind == itemWords && l.depth == 0 && it.at.line != w.at.line {
		w.file = nil
	}
	switch it.kind {
	case itemOpen:
		l.depth++
	case itemClose:
		if l.depth > 0 {
			l.depth--
		}
		w.closed = l.depth == 0
	}
}

// knownService takes a known block as the checker's pass.
func (p *parser) knownService(it item) {
	p.cfg.HasChecker = true
	b := p.lex.reused[it.end]
	b.service.Line = it.at.place()
	p.lvs.services = append(p.lvs.services, &serviceDraft{block: b, known: true})
}

// newBlock is the text of the block that w begins, whose reading began with so
// many problems; nil if it is not to be remembered.
func (p *parser) newBlock(w words, problems int) *knownBlock {
	if len(*p.problems) > problems {
		return nil
	}
	return p.lex.ended[position{file: w.at.file, line: w.at.line}]
}

// selfContained tells whether a block says all about its service, apart from
// lvsDefaults, and nothing in it must be looked up each time.
func (s *serviceDraft) selfContained() bool {
	if s.cfg.Target != checker.ByAddr || s.quorumUp != nil || s.quorumDown != nil || len(s.orphans) > 0 {
		return false
	}
	for _, r := range s.servers {
		if r.notifyUp != nil || r.notifyDown != nil {
			return false
		}
		for _, k := range r.checks {
			switch k.spec.(type) {
			case *checker.TCPCheck, *checker.PingCheck, *checker.DNSCheck, *checker.UDPCheck,
				*checker.HTTPCheck, *checker.SMTPCheck:
			default:
				return false
			}
		}
	}
	return true
}

// remember keeps what the services became, each beside its draft.
func (b *blocks) remember(drafts []*serviceDraft, services []checker.ServiceConfig, defaults lvsDefaults) {
	if b.found == nil {
		return
	}
	b.found.defaults = defaults
	if len(b.reused) > 0 && !b.before.defaults.equal(defaults) {
		b.doubtful = true
	}
	for i, s := range drafts {
		if s.known || s.block != nil && s.selfContained() {
			b.found.add(s.block, services[i])
		}
	}
}

func (d lvsDefaults) equal(e lvsDefaults) bool {
	return d.logAllFailure == e.logAllFailure &&
		(d.alert == nil) == (e.alert == nil) && (d.alert == nil || *d.alert == *e.alert)
}
