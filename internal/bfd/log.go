package bfd

import (
	"fmt"
	"time"
)

// Every text that an operator sees stands here.

func (s *Session) say(level Level, detail int, format string, args ...any) {
	if detail <= s.router.Detail {
		s.out(Log{level, fmt.Sprintf(format, args...)})
	}
}

func (s *Session) logState() {
	if s.local == Down {
		s.say(LevelWarning, 0, "(%s) Entering Down state (Local diagnostic - %s, Remote diagnostic - %s)",
			s.cfg.Name, s.localDiag, s.remoteDiag)
		return
	}
	detail := 0
	if s.local == Init {
		detail = 2
	}
	s.say(LevelInfo, detail, "(%s) Entering %s state", s.cfg.Name, s.local)
}

func (s *Session) logExpired(overdue time.Duration) {
	s.say(LevelWarning, 0, "(%s) Expired after %d ms (%d usec overdue)",
		s.cfg.Name, s.detect.Milliseconds(), max(overdue, 0).Microseconds())
}

// logParameters writes the table of parameters. Without -D only the line with
// the detection time is written, if that changed.
func (s *Session) logParameters(before time.Duration, changed bool) {
	detail := 2
	if changed {
		detail = 1
	}
	if detail > s.router.Detail && s.detect == before {
		return // the usual case: spare the formatting
	}
	indent := len(s.cfg.Name) + 2
	row := func(name string, minTX, minRX, interval time.Duration, mult uint8, detect time.Duration) {
		s.say(LevelInfo, detail, "%*s %-7s%8d%8d%9d%6d%13d", indent, "", name, minTX.Microseconds(),
			minRX.Microseconds(), interval.Microseconds(), mult, detect.Microseconds())
	}
	s.say(LevelInfo, detail, "(%s) ---------------< Session parameters >--------------", s.cfg.Name)
	s.say(LevelInfo, detail, "%*s          min_tx  min_rx  tx_intv  mult  detect_time", indent, "")
	row("local", s.wantTX(), s.cfg.MinRX, s.interval, s.cfg.Multiplier, s.detect)
	row("remote", s.remoteMinTX, s.remoteMinRX, s.remoteInterval(), s.remoteMult, time.Duration(s.cfg.Multiplier)*s.interval)
	if s.detect != before {
		s.say(LevelInfo, 0, "%*s Detection time is %d us (was %d us)", indent, "", s.detect.Microseconds(), before.Microseconds())
	}
}
