package bfd

import "time"

// Effect is something that the sessions want done. The set is closed: the types
// of this file. Effects are done in order and are valid until the next Drain.
type Effect interface{ effect() }

// Send sends a control packet of a session to its neighbour.
type Send struct {
	Session string
	Bytes   [PacketLen]byte
}

// Changed tells VRRP and the checker, as far as the session's configuration
// wants, that the session is up or down.
type Changed struct {
	Session   string
	Up        bool
	ToVRRP    bool
	ToChecker bool
}

// Level is how serious a log line is.
type Level uint8

// The levels in use, with syslog's numbers.
const (
	LevelErr     Level = 3
	LevelWarning Level = 4
	LevelInfo    Level = 6
)

// Log writes a line.
type Log struct {
	Level Level
	Text  string
}

func (*Send) effect()   {}
func (Changed) effect() {}
func (Log) effect()     {}

// random is a small generator (splitmix64) whose state can be copied; the seed
// comes from outside.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// jittered takes 10 to 25 percent off an interval: RFC 5880 section 6.8.7
// wants up to 25, and at least 10 where the multiplier is 1.
func (r *random) jittered(interval time.Duration) time.Duration {
	permille := 100 + r.next()%151
	return interval - interval*time.Duration(permille)/1000
}
