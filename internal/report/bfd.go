package report

import (
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/bfd"
)

// BFDProcess is what the BFD process shows of itself.
type BFDProcess struct {
	Config         *configparse.Config
	Brief          bool // only what is configured (-d)
	In, MultihopIn int  // descriptors of the receiving sockets; -1: not open
	Sessions       []bfd.Snapshot
	Sockets        map[string]int // descriptors of the sending sockets, by session
}

// Data is keepalived_bfd.data (process.md 9.5). The original's pointers to its
// timers are written as what they mean: 0x1 for a timer that runs.
func (p BFDProcess) Data() string {
	var t text
	t.WriteString(Global(p.Config, configparse.BFD, time.Time{}))
	t.heading("BFD Data")
	t.lineIf(!p.Brief, " fd_in = %d", p.In)
	t.lineIf(!p.Brief && p.MultihopIn >= 0, " multihop fd_in = %d", p.MultihopIn)
	t.lineIf(!p.Brief, " thread_in = 0x1")
	t.heading("BFD Topology")
	for i := range p.Sessions {
		bfdConfig(&t, &p.Sessions[i].Config)
		if !p.Brief {
			bfdState(&t, &p.Sessions[i], p.Sockets[p.Sessions[i].Config.Name])
		}
	}
	return t.String()
}

func bfdConfig(t *text, c *bfd.Config) {
	line := func(format string, args ...any) { t.line("   "+format, args...) }
	t.line(" BFD Instance = %s", c.Name)
	line("Neighbor IP = %s", c.Neighbor)
	if c.Source.IsValid() {
		line("Source IP = %s", c.Source)
	}
	line("Required min RX interval = %d us", c.MinRX.Microseconds())
	line("Desired min TX interval = %d us", c.MinTX.Microseconds())
	line("Desired idle TX interval = %d us", c.IdleTX.Microseconds())
	line("Detection multiplier = %d", c.Multiplier)
	if c.Neighbor.Is6() {
		line("hoplimit = %d", c.TTL)
	} else {
		line("TTL = %d", c.TTL)
	}
	line("max_hops = %d", c.MaxHops)
	line("passive = %t", c.Passive)
	line("send event to VRRP process = %s", choose(c.ToVRRP, "Yes", "No"))
	line("send event to checker process = %s", choose(c.ToChecker, "Yes", "No"))
}

func bfdState(t *text, s *bfd.Snapshot, fd int) {
	line := func(format string, args ...any) { t.line("   "+format, args...) }
	line("fd_out %d", fd)
	line("thread_open_fd_out 0x(nil)")
	timer := func(thread, sands string, at time.Time) {
		line("%s %s", thread, choose(at.IsZero(), "0x(nil)", "0x1"))
		if at.IsZero() {
			line("%s = [disabled]", sands)
		} else {
			line("%s = %s", sands, stamp(at))
		}
	}
	timer("thread_out", "sands_out", s.SendAt)
	timer("thread_exp", "sands_exp", s.ExpireAt)
	timer("thread_rst", "sands_rst", s.ForgetAt)
	line("send error = %t", s.SendFailed)
	line("local state = %s", s.Local)
	line("remote state = %s", s.Remote)
	line("local discriminator = 0x%08x", s.LocalDisc)
	line("remote discriminator = 0x%08x", s.RemoteDisc)
	line("local diag = %s", s.LocalDiag)
	line("remote diag = %s", s.RemoteDiag)
	line("remote min tx intv = %d us", s.RemoteMinTX.Microseconds())
	line("remote min rx intv = %d us", s.RemoteMinRX.Microseconds())
	line("local demand = 0")
	line("remote demand = %d", bit(s.RemoteDemand))
	line("remote detect multiplier = %d", s.RemoteMult)
	line("%s, !final", choose(s.Poll, "poll", "!poll"))
	line("local tx intv = %d us", s.Interval.Microseconds())
	line("remote tx intv = %d us", s.RemoteInterval.Microseconds())
	line("local detection time = %d us", s.Detect.Microseconds())
	line("remote detection time = %d us", s.RemoteDetect.Microseconds())
	if s.LastSeen.IsZero() {
		line("last_seen = [never]")
	} else {
		line("last seen = %s", stamp(s.LastSeen))
	}
}

// BFDSession is one session in the operator's status.
type BFDSession struct {
	Name       string    `json:"name"`
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	Neighbor   string    `json:"neighbor"`
	Remote     string    `json:"remote_state"`
	Diagnostic string    `json:"diagnostic"`
	IntervalUS int64     `json:"interval_us"`
	DetectUS   int64     `json:"detection_time_us"`
	LastSeen   time.Time `json:"last_seen,omitzero"`
	Sent       uint64    `json:"sent"`
	Received   uint64    `json:"received"`
	UpCount    uint64    `json:"up_count"`
}

// BFDStatus is what the operator's socket answers.
func BFDStatus(sessions []bfd.Snapshot) []BFDSession {
	out := make([]BFDSession, 0, len(sessions))
	for i := range sessions {
		s := &sessions[i]
		out = append(out, BFDSession{
			Name: s.Config.Name, State: s.Local.String(), Since: s.StateChanged, Neighbor: s.Config.Neighbor.String(),
			Remote: s.Remote.String(), Diagnostic: s.LocalDiag.String(), IntervalUS: s.Interval.Microseconds(),
			DetectUS: s.Detect.Microseconds(), LastSeen: s.LastSeen, Sent: s.Sent, Received: s.Heard, UpCount: s.UpCount,
		})
	}
	return out
}
