package configparse

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"

	"github.com/keepalived-go/keepalived/checker"
)

// HTTP_GET, SSL_GET and their url blocks.

// urlDraft is a url block while it is read.
type urlDraft struct {
	cfg       checker.URL
	regex     checker.Regex
	withRegex bool // some regex keyword occurred
	withPath  bool
	compliant *bool
}

var httpBlock = joinBlocks(scheduleRows, connRows, block[checkDraft]{
	"nb_get_retry": checkRow("INT 0..4294967295", "old name of retry", func(p *parser, k *checkDraft, w words) {
		p.errorf("nb_get_retry is deprecated - please use 'retry'")
		countRow(0, "Invalid nb_get_retry value '%s'").set(p, &k.timers, w)
	}),
	"virtualhost": checkRow("STRING", "Host name", func(p *parser, k *checkDraft, w words) {
		p.text(w, &k.virtualHost, "HTTP_GET virtualhost name missing", "Duplicate virtualhost - overwriting %s with %s")
	}),
	"http_protocol": checkRow("1.0 | 1.0C | 1.0c | 1.1", "version of the request", func(p *parser, k *checkDraft, w words) {
		if !w.has(1) {
			p.errorf("Missing http_protocol version")
			return
		}
		protocol, ok := map[string]checker.HTTPProtocol{
			"1.0": checker.HTTP10, "1.0C": checker.HTTP10Close, "1.0c": checker.HTTP10Close, "1.1": checker.HTTP11,
		}[p.word(w, 1)]
		if !ok {
			p.errorf("Invalid http_protocol version %s", p.word(w, 1))
			return
		}
		k.http().Protocol = protocol
	}),
	"enable_sni": checkRow("BOOL optional (bare = true)", "send a server name", func(p *parser, k *checkDraft, w words) {
		p.setPlainBool(w, &k.http().SNI, "Invalid enable_sni parameter %s")
	}),
	"sni_name": {takes: "[STRING]", help: "name to send instead of the virtualhost", acts: actsCheck, unreleased: true,
		set: func(p *parser, k *checkDraft, w words) {
			h := k.http()
			h.SNI = true
			switch {
			case w.has(1):
				p.text(w, &h.SNIName, "", "Duplicate sni_name - overwriting %s with %s")
			case h.SNIName != "":
				p.errorf("sni_name already specified as %s - ignoring setting to default", h.SNIName)
			}
		}},
	"fast_recovery": checkRow("BOOL optional (bare = true)", "no delay between urls while recovering", func(p *parser, k *checkDraft, w words) {
		p.setPlainBool(w, &k.http().FastRecovery, "Invalid fast_recovery parameter %s")
	}),
	"url": {takes: "block", help: "one url", acts: actsCheck, opens: true, sub: urlBlock,
		set: func(p *parser, k *checkDraft, _ words) { readURL(p, k, urlBlock) }},
})

var sslGetBlock = joinBlocks(httpBlock, block[checkDraft]{
	"tls_compliant": checkRow("BOOL optional (bare = true)", "end with close_notify", func(p *parser, k *checkDraft, w words) {
		p.setPlainBool(w, &k.http().TLSCompliant, "Invalid tls_compliant option %s")
	}),
	"url": {takes: "block", help: "one url", acts: actsCheck, opens: true, sub: sslURLBlock,
		set: func(p *parser, k *checkDraft, _ words) { readURL(p, k, sslURLBlock) }},
})

func (k *checkDraft) http() *checker.HTTPCheck { return k.spec.(*checker.HTTPCheck) }

func (p *parser) setPlainBool(w words, field *bool, bad string) {
	var v *bool
	p.setBool(w, &v, bad)
	*field = pickOr(*field, v)
}

func finishHTTP(p *parser, k *checkDraft) {
	if len(k.urls) == 0 {
		p.errorf("HTTP/SSL_GET checker has no urls specified - ignoring")
		k.dropped = true
		return
	}
	finishConnected(p, k)
}

func readURL(p *parser, k *checkDraft, b block[urlDraft]) {
	u := &urlDraft{}
	readBlock(p, b, u)
	if !u.withPath {
		p.errorf("HTTP/SSL_GET checker url has no path - ignoring")
		return
	}
	p.finishRegex(u)
	k.urls = append(k.urls, u)
}

// finishRegex keeps the expression if it compiles and its bounds if they
// leave room for a match. Wrong bounds are only logged.
func (p *parser) finishRegex(u *urlDraft) {
	r := u.regex
	if r.Pattern == "" {
		if u.withRegex {
			p.logf("regex parameters specified without regex")
		}
		return
	}
	if r.HasMax && r.MinOffset >= r.MaxOffset+1 {
		p.logf("regex min offset %d > regex_max_offset %d - ignoring", r.MinOffset, r.MaxOffset)
		r.MinOffset, r.MaxOffset, r.HasMax = 0, 0, false
	}
	if _, err := r.Compile(); err != nil {
		// keepalived says this when it runs and lets the url pass without it. A
		// check that asks for less than its configuration must not come unseen.
		p.errorf("Invalid regex: '%s': %v - ignoring", r.Pattern, err)
		return
	}
	u.cfg.Regex = &r
}

var urlBlock = block[urlDraft]{
	"path": urlRow("STRING", "path of the request", func(p *parser, u *urlDraft, w words) {
		path := p.word(w, 1)
		if u.withPath {
			p.errorf("Duplicate path - overwriting %s with %s", u.cfg.Path, path)
		}
		u.cfg.Path, u.withPath = path, true
	}),
	"digest": urlRow("32 hex digits", "MD5 of the body", func(p *parser, u *urlDraft, w words) { p.digest(u, p.word(w, 1)) }),
	"status_code": urlRow("INT | INT-INT ... (100..599)", "status codes that pass", func(p *parser, u *urlDraft, w words) {
		for i := 1; w.has(i); i++ {
			r, ok := statusRange(p.word(w, i))
			if !ok {
				p.errorf("Invalid HTTP_GET status code '%s'", p.word(w, i))
				continue
			}
			u.cfg.Status = append(u.cfg.Status, r)
		}
	}),
	"virtualhost": urlRow("STRING", "Host name for this url", func(p *parser, u *urlDraft, w words) {
		p.text(w, &u.cfg.VirtualHost, "Missing HTTP_GET virtualhost name", "Duplicate url virtualhost - overwriting %s with %s")
	}),
	"regex": urlRow("PATTERN", "what the answer must match", func(p *parser, u *urlDraft, w words) {
		list, ok := p.splitScript(w.raw, true)
		if !ok {
			return
		}
		if len(list) != 2 {
			p.errorf("regex missing or too many fields")
			return
		}
		if u.regex.Pattern != "" {
			p.errorf("Duplicate regex specified - replacing %s with %s", u.regex.Pattern, list[1].text)
		}
		u.regex.Pattern = list[1].text
	}),
	"regex_no_match": urlRow("", "the answer must not match", func(_ *parser, u *urlDraft, _ words) {
		u.regex.NoMatch, u.withRegex = true, true
	}),
	"regex_options": urlRow("WORD ...", "PCRE2 options", func(_ *parser, u *urlDraft, w words) {
		for _, option := range w.list[1:] {
			if slices.Contains(checker.RegexOptions, option.text) && !slices.Contains(u.regex.Options, option.text) {
				u.regex.Options = append(u.regex.Options, option.text)
			}
		}
		order := func(s string) int { return slices.Index(checker.RegexOptions, s) }
		slices.SortFunc(u.regex.Options, func(a, b string) int { return order(a) - order(b) })
	}),
	"regex_min_offset": urlRow("INT", "first byte where a match may start", func(p *parser, u *urlDraft, w words) {
		if n, ok := p.offset(w, "regex_min_offset"); ok {
			u.regex.MinOffset, u.withRegex = n, true
		}
	}),
	"regex_max_offset": urlRow("INT", "last byte where a match may start", func(p *parser, u *urlDraft, w words) {
		if n, ok := p.offset(w, "regex_max_offset"); ok {
			u.regex.MaxOffset, u.regex.HasMax, u.withRegex = n, true, true
		}
	}),
	"regex_stack": urlRow("INT INT", "start and maximum of the stack for matching", func(p *parser, u *urlDraft, w words) {
		if w.len() != 3 {
			p.logf("regex_stack requires start and max values")
			return
		}
		start, ok1 := plainNumber(w.list[1].text)
		most, ok2 := plainNumber(w.list[2].text)
		switch {
		case !ok1:
			p.logf("regex_stack start %s is invalid", w.list[1].text)
		case !ok2:
			p.logf("regex_stack max %s is invalid", w.list[2].text)
		case start > most:
			p.logf("regex_stack start %d > max %d", start, most)
		default:
			u.regex.StackStart, u.regex.StackMax = start, most
		}
	}),
}

var sslURLBlock = func() block[urlDraft] {
	b := block[urlDraft]{"tls_compliant": urlRow("BOOL optional (bare = true)", "end with close_notify",
		func(p *parser, u *urlDraft, w words) { p.setBool(w, &u.compliant, "Invalid tls_compliant option %s") })}
	for name, r := range urlBlock {
		b[name] = r
	}
	return b
}()

func urlRow(takes, help string, set func(*parser, *urlDraft, words)) row[urlDraft] {
	return row[urlDraft]{takes: takes, help: help, acts: actsCheck, set: set}
}

// digest reads 32 hexadecimal digits.
func (p *parser) digest(u *urlDraft, text string) {
	if u.cfg.Digest != nil {
		p.errorf("Digest '%s' is a duplicate", text)
		return
	}
	if len(text) != 32 {
		p.errorf("digest '%s' character length should be 32 rather than %d", text, len(text))
		return
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		bad := strings.IndexFunc(text, func(c rune) bool { return c > 127 || hexDigit(byte(c)) < 0 })
		p.errorf("Unable to interpret hex digit in '%s' at offset %d/%d", text, bad/2*2, bad/2*2+1)
		return
	}
	u.cfg.Digest = b
}

// statusRange reads "200" or "200-299" within 100 to 599.
func statusRange(s string) (r checker.StatusRange, ok bool) {
	one, two, dash := strings.Cut(s, "-")
	a, ok := plainNumber(one)
	b := a
	if dash && ok {
		b, ok = plainNumber(two)
	}
	if !ok || a < 100 || b > 599 || a > b {
		return r, false
	}
	return checker.StatusRange{First: uint16(a), Last: uint16(b)}, true
}

// offset reads the only word behind the keyword; what is wrong is only logged.
func (p *parser) offset(w words, keyword string) (uint64, bool) {
	if w.len() != 2 {
		p.logf("Missing or too may options for %s", keyword)
		return 0, false
	}
	n, ok := plainNumber(w.list[1].text)
	if !ok || n > math.MaxInt64 {
		p.logf("Invalid %s %s specified", keyword, w.list[1].text)
		return 0, false
	}
	return n, true
}

// plainNumber reads a decimal number without saying anything.
func plainNumber(s string) (uint64, bool) {
	negative, n, overflow, rest := digits(s)
	return n, !negative && !overflow && rest == "" && s != ""
}
