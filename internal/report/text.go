package report

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// text collects the lines of a dump.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

// heading begins a part of a dump.
func (t *text) heading(name string) { t.line("------< %s >------", name) }

// lineIf writes a line only if the condition holds.
func (t *text) lineIf(ok bool, format string, args ...any) {
	if ok {
		t.line(format, args...)
	}
}

func choose(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}

func enabled(ok bool) string { return choose(ok, "enabled", "disabled") }
func yes(ok bool) string     { return choose(ok, "yes", "no") }
func bit(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// seconds is a whole or decimal number of seconds as the dumps write it.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// stamp is a time as SECONDS.MICROSECONDS (date).
func stamp(t time.Time) string {
	return fmt.Sprintf("%s (%s)", epoch(t), t.Local().Format("Mon Jan _2 15:04:05.000000 2006"))
}

func epoch(t time.Time) string {
	if t.IsZero() {
		return "0.000000"
	}
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// command is a command line with every argument in single quotes.
// A file that is only tested has none.
func command(argv []string) string {
	if len(argv) > 0 && strings.HasPrefix(argv[0], "<") {
		return strings.Join(argv, " ")
	}
	return "'" + strings.Join(argv, "' '") + "'"
}

// ids is the user and group a command runs as.
func ids(c *vrrp.Command) string { return fmt.Sprintf("uid:gid %d:%d", c.UID, c.GID) }

// addrOr is an address, or a word when there is none.
func addrOr(a netip.Addr, none string) string {
	if !a.IsValid() {
		return none
	}
	return a.WithZone("").String()
}

// decimal is a duration as seconds with six decimals.
func decimal(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
