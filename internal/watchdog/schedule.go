package watchdog

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
)

// schedule is a reload at a given time (reload_time_file). The file is looked
// at every second while one is configured: no more than a stat.
type schedule struct {
	at      time.Time // of the reload; zero: none
	dated   bool      // a date was given: no repetition
	checked time.Time // of the file as it was read last
}

// The layouts of a reload time. A Z at the end means UTC.
var layouts = []struct {
	text  string
	dated bool
}{{"15:04:05", false}, {"06-01-02 15:04:05", true}, {"2006-01-02 15:04:05", true}}

// timeShape is what a reload time looks like, whatever its numbers.
var timeShape = regexp.MustCompile(`^((\d\d)?\d\d-\d\d-\d\d )?\d\d:\d\d:\d\d$`)

// parseTime reads one line of a reload time file. A time without a date that
// is past means tomorrow.
func parseTime(line string, now time.Time) (at time.Time, dated bool, err error) {
	line = strings.TrimSpace(line)
	zone := now.Location()
	text, utc := strings.CutSuffix(line, "Z")
	if utc {
		zone = time.UTC
	}
	for _, l := range layouts {
		t, err := time.ParseInLocation(l.text, text, zone)
		if err != nil {
			continue
		}
		if l.dated {
			if !t.After(now) {
				//lint:ignore ST1005 the original's text
				return t, true, fmt.Errorf("Reload time %s is in the past - ignoring", line)
			}
			return t, true, nil
		}
		day := now.In(zone)
		at = time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, false, nil
	}
	if timeShape.MatchString(text) { // 32 January
		//lint:ignore ST1005 the original's text
		return time.Time{}, false, fmt.Errorf("Reload time %s is not valid - ignoring", line)
	}
	//lint:ignore ST1005 the original's text
	return time.Time{}, false, fmt.Errorf("Reload time %s format is incorrect - ignoring", line)
}

// planReload looks whether the reload time file has changed.
func (p *Parent) planReload() {
	path := p.reading.config.Global.ReloadTimeFile
	if path == "" {
		p.schedule = schedule{}
		return
	}
	st, err := os.Stat(path)
	if err != nil {
		if !p.schedule.at.IsZero() {
			log.Info("Cancelling reload scheduled for %s", stamp(p.schedule.at))
		}
		p.schedule = schedule{}
		return
	}
	if st.ModTime().Equal(p.schedule.checked) {
		return
	}
	old := p.schedule.at
	p.schedule = schedule{checked: st.ModTime()}
	b, err := os.ReadFile(path)
	if err != nil {
		return
	}
	line, _, _ := strings.Cut(string(b), "\n")
	at, dated, err := parseTime(line, time.Now())
	if err != nil {
		log.Info("%v", err)
		if dated {
			log.Info("Reload date/time is in the past - ignoring")
		} else {
			log.Info("Invalid reload time '%s' specified - ignoring", strings.TrimSpace(line))
		}
		return
	}
	p.schedule.at, p.schedule.dated = at, dated
	if old.IsZero() {
		log.Info("Scheduling reload for %s", stamp(at))
	} else if !old.Equal(at) {
		log.Info("Reload time updated from %s to %s", stamp(old), stamp(at))
	}
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05") }

// reloadOnTime does the reload that was planned. The file goes, unless the
// reload is to be repeated every day.
func (p *Parent) reloadOnTime() {
	s := p.schedule
	p.schedule.at = time.Time{}
	if p.reading.config.Global.ReloadRepeat && !s.dated {
		p.schedule.at = s.at.AddDate(0, 0, 1)
	} else {
		os.Remove(p.reading.config.Global.ReloadTimeFile)
	}
	p.reload()
}
