package configparse

import (
	"math"
	"net/netip"
	"strings"
	"time"
)

// strictness is how a number with a message is treated (grammar.md 7.1).
type strictness bool

const (
	strict  strictness = true  // class S: not used
	lenient strictness = false // class L: the daemon uses what can be read
)

// has tells whether there is a word i.
func (w words) has(i int) bool { return i < len(w.list) }

// word gives word i. If it is missing the run ends (grammar.md 3.3): whatever
// the caller does with the empty word is neither reported nor kept.
func (p *parser) word(w words, i int) string {
	return strings.Clone(p.glimpse(w, i)) // who keeps it must not keep the whole file in memory
}

// glimpse is word for who does not keep it.
func (p *parser) glimpse(w words, i int) string {
	if i < len(w.list) {
		p.column = w.at.column + int32(w.list[i].offset)
		return w.list[i].text
	}
	start, before := "", ""
	if len(w.list) > 0 {
		start, before = w.list[0].text, w.list[len(w.list)-1].text
	}
	p.classf(MissingParameter,
		"*** Configuration line starting `%s` is missing a parameter after keyword `%s` at word position %d",
		start, before, len(w.list)+1)
	p.ended = true
	return ""
}

// opt gives word i, or the empty word.
func (p *parser) opt(w words, i int) string {
	if !w.has(i) {
		return ""
	}
	return p.word(w, i)
}

// digits reads decimal digits as the C library does: blanks and a sign before
// them, anything behind them left over.
func digits(s string) (negative bool, n uint64, overflow bool, rest string) {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		negative = s[i] == '-'
		i++
	}
	start := i
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		d := uint64(s[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			overflow = true
			continue
		}
		n = n*10 + d
	}
	if i == start && strings.TrimLeft(s, " \t\n\v\f\r") != "" {
		return negative, 0, false, s // no number at all: everything is left over
	}
	return negative, n, overflow, s[i:]
}

// numberMessage reports a number message; a lenient one is only a warning in
// the daemon.
func (p *parser) numberMessage(class strictness, format string, args ...any) {
	if class == lenient && !p.env.Test {
		format = "WARNING - " + format
	}
	p.classf(InvalidNumber, format, args...)
}

// unsigned reads word i as a number of lo to hi.
func (p *parser) unsigned(w words, i int, lo, hi uint64, class strictness) (uint64, bool) {
	return p.parseUnsigned(p.glimpse(w, i), lo, hi, class)
}

// parseUnsigned is unsigned for text that is not a whole word.
func (p *parser) parseUnsigned(s string, lo, hi uint64, class strictness) (uint64, bool) {
	return p.checkUnsigned(s, lo, hi, class, math.MaxUint32, "unsigned integer")
}

func (p *parser) checkUnsigned(s string, lo, hi uint64, class strictness, most uint64, kind string) (uint64, bool) {
	negative, n, overflow, rest := digits(s)
	fine := true
	switch {
	case negative:
		p.numberMessage(class, "negative number '%s'", s)
		return 0, false
	case rest != "":
		p.numberMessage(class, "invalid number '%s'", s)
		fine = false
	case overflow || n > most:
		p.numberMessage(class, "number '%s' outside %s range", s, kind)
		return 0, false
	case n < lo || n > hi:
		p.numberMessage(class, "number '%s' outside range [%d, %d]", s, lo, hi)
		return n, false
	}
	if !fine {
		return n, class == lenient && !p.env.Test && n >= lo && n <= hi && rest != s
	}
	return n, true
}

// signed reads word i as a number of lo to hi.
func (p *parser) signed(w words, i int, lo, hi int64, class strictness) (int64, bool) {
	return p.parseSigned(p.word(w, i), lo, hi, class)
}

// parseSigned is signed for text that is not a whole word. The number comes
// back also when it is out of range.
func (p *parser) parseSigned(s string, lo, hi int64, class strictness) (int64, bool) {
	negative, u, overflow, rest := digits(s)
	n := int64(min(u, math.MaxInt64))
	if negative {
		n = -n
	}
	switch {
	case rest != "":
		p.numberMessage(class, "invalid number '%s'", s)
		return n, class == lenient && !p.env.Test && n >= lo && n <= hi && rest != s
	case overflow || n > math.MaxInt32 || n < math.MinInt32:
		p.numberMessage(class, "number '%s' outside integer range", s)
		return 0, false
	case n < lo || n > hi:
		p.classf(InvalidNumber, "number '%s' outside range [%d, %d]", s, lo, hi)
		return n, false
	}
	return n, true
}

// decimalSpec is the range of a DECIMAL: both bounds in units of 10^-places.
type decimalSpec struct {
	lo, hi uint64
	places int
	class  strictness
}

// maxTimer is the bound of a TIMER without one of its own.
const maxTimer = math.MaxInt64 / 1000

// seconds is a range of seconds with microseconds, lenient.
func seconds(lo, hi uint64) decimalSpec {
	return decimalSpec{lo: lo, hi: hi, places: 6, class: lenient}
}

// decimal reads word i as a decimal number, in units of 10^-places.
func (p *parser) decimal(w words, i int, d decimalSpec) (uint64, bool) {
	return p.parseDecimal(p.glimpse(w, i), d)
}

// timer reads word i as seconds.
func (p *parser) timer(w words, i int, lo, hi time.Duration) (time.Duration, bool) {
	n, ok := p.decimal(w, i, seconds(uint64(lo/time.Microsecond), uint64(hi/time.Microsecond)))
	return time.Duration(n) * time.Microsecond, ok
}

func (p *parser) parseDecimal(s string, d decimalSpec) (uint64, bool) {
	n, plain, f := scanDecimal(s, d.places)
	if f.long {
		p.classf(InvalidNumber, "number '%s' has too many decimal places", s)
	}
	switch {
	case f.negative:
		p.numberMessage(d.class, "negative number '%s'", s)
		return 0, false
	case f.junk:
		p.numberMessage(d.class, "invalid number '%s'", s)
		// The original forgets the scale when something is left over: whether
		// the value is taken goes by the bare digits, but what is taken is the
		// number that was meant.
		if d.class == strict || plain < d.lo || plain > d.hi {
			return 0, false
		}
		return min(max(n, d.lo), d.hi), true
	case f.overflow:
		p.numberMessage(d.class, "number '%s' outside unsigned decimal range", s)
		return 0, false
	}
	if n < d.lo || n > d.hi {
		p.numberMessage(d.class, "number '%s' outside range [%s, %s]", s, scaled(d.lo, d.places), scaled(d.hi, d.places))
		return n, false
	}
	return n, true
}

// decimalFaults is what was wrong with a decimal number.
type decimalFaults struct{ negative, junk, overflow, long bool }

// scanDecimal gives the number in units of 10^-places, rounded half up, and
// the digits as they stand. What stands behind too many decimals is not looked
// at: the text is cut first, as the original does.
func scanDecimal(s string, places int) (n, plain uint64, f decimalFaults) {
	whole, decimals, _ := strings.Cut(s, ".")
	round := false
	if len(decimals) > places {
		f.long, round = true, decimals[places] >= '5' && isDigit(decimals[places])
		decimals = decimals[:places]
	}
	whole = strings.TrimLeft(whole, " \t\n\v\f\r")
	if strings.HasPrefix(whole, "-") {
		f.negative = true
		return 0, 0, f
	}
	text := strings.TrimPrefix(whole, "+") + decimals
	i := 0
	for ; i < len(text) && isDigit(text[i]); i++ {
		n = f.append(n, text[i])
	}
	plain = n
	f.junk = i < len(text) || text == "" && strings.Trim(s, ".") != ""
	for range places - len(decimals) {
		n = f.append(n, '0')
	}
	if round {
		n++
	}
	return n, plain, f
}

// append puts a digit behind a number.
func (f *decimalFaults) append(n uint64, c byte) uint64 {
	d := uint64(c - '0')
	if n > (math.MaxUint64-d)/10 {
		f.overflow = true
		return n
	}
	return n*10 + d
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// scaled writes a number in units of 10^-places with all its decimals.
func scaled(n uint64, places int) string {
	s := make([]byte, 0, 24)
	for k := 0; k < places || n > 0 || k == places; k++ {
		if k == places {
			s = append(s, '.')
		}
		s = append(s, byte('0'+n%10))
		n /= 10
	}
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
	return strings.TrimSuffix(string(s), ".")
}

// boolean reads word i; a missing one is true. ok is false for a bad word,
// which the caller reports and of which bad is the text.
func (p *parser) boolean(w words, i int) (value, ok bool) {
	switch p.opt(w, i) {
	case "on", "true", "yes":
		return true, true
	case "off", "false", "no":
		return false, true
	}
	return true, !w.has(i)
}

// parseAddr takes what inet_pton takes; a colon decides the family.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a, true
}
