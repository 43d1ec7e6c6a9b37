package track

import (
	"slices"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/script"
)

// How long a script that is out of time gets after each signal.
const (
	afterTerm      = 2 * time.Second
	afterKill      = 2 * time.Second
	afterAgain     = 10 * time.Second
	defaultRunTime = time.Second // of an interval or timeout of 0
)

// Scripts runs the check scripts of a process by their schedule. All methods
// belong to the loop.
//
//	Tick ── due ──> script.Start ── ends ──> post ──> ended ── changed side ──> report
type Scripts struct {
	post   Post
	report func(now time.Time, e ScriptEvent)

	list   []*tracked
	ending []*tracked // removed by a reload, still running
	next   time.Time
}

// tracked is one script with its state.
type tracked struct {
	Script
	result Result
	exit   int // the last exit status

	due  time.Time       // of the next run
	proc *script.Process // of the run in progress, or nil

	// The run in progress: what happens to it when, and how far that got.
	stepAt time.Time
	step   step
}

// step is how far a run that is out of time has been pushed.
type step int

const (
	running step = iota
	terminated
	killed
)

// NewScripts returns a runner without scripts. report is called from the loop
// each time a script changes sides.
func NewScripts(post Post, report func(now time.Time, e ScriptEvent)) *Scripts {
	return &Scripts{post: post, report: report}
}

// Set replaces the scripts, at start and at each reload. A script with the
// same name, file, arguments and user keeps its result; every other one begins
// anew. All run at once, then by their interval.
func (s *Scripts) Set(now time.Time, scripts []Script) {
	old := s.list
	s.list = nil
	for _, sc := range scripts {
		if sc.Interval <= 0 {
			sc.Interval = defaultRunTime
		}
		if sc.Timeout <= 0 {
			sc.Timeout = sc.Interval
		}
		t := &tracked{Script: sc, result: NewResult(sc.Rise, sc.Fall), due: now}
		if i := slices.IndexFunc(old, func(o *tracked) bool { return sameScript(o.Script, sc) }); i >= 0 {
			t = old[i]
			t.inherit(now, sc)
			old = slices.Delete(old, i, i+1)
		}
		s.list = append(s.list, t)
	}
	for _, t := range old {
		if t.proc != nil {
			t.push(now)
			s.ending = append(s.ending, t)
		}
	}
	s.schedule()
}

// inherit takes over a script's new settings and keeps its state.
func (t *tracked) inherit(now time.Time, sc Script) {
	t.Script = sc
	t.result.Rescale(sc.Rise, sc.Fall)
	if t.proc == nil {
		t.due = now
	}
	switch {
	case !t.result.Known():
	case t.result.Up():
		log.Info("VRRP_Script(%s) considered successful on reload", t.Name)
	default:
		log.Info("VRRP_Script(%s) considered unsuccessful on reload", t.Name)
	}
}

// sameScript reports whether a result of a may stand for b.
func sameScript(a, b Script) bool {
	return a.Name == b.Name && a.Command.Path == b.Command.Path && slices.Equal(a.Command.Args, b.Command.Args) &&
		a.Command.Cred.UID == b.Command.Cred.UID && a.Command.Cred.GID == b.Command.Cred.GID
}

// State returns what is known of a script: whether it is up, and whether it
// has had a result at all.
func (s *Scripts) State(name string) (up, known bool) {
	for _, t := range s.list {
		if t.Name == name {
			return t.result.Up(), t.result.Known()
		}
	}
	return false, false
}

// Next is when Tick has something to do; the zero time means never.
func (s *Scripts) Next() time.Time { return s.next }

// Tick starts what is due and pushes what is out of time.
func (s *Scripts) Tick(now time.Time) {
	if s.next.IsZero() || now.Before(s.next) {
		return
	}
	for _, t := range s.list {
		if !t.due.After(now) {
			s.run(now, t)
		}
		t.pushIfLate(now)
	}
	for _, t := range s.ending {
		t.pushIfLate(now)
	}
	s.schedule()
}

// run starts a script unless it still runs, and sets when it is due again.
func (s *Scripts) run(now time.Time, t *tracked) {
	t.due = t.due.Add(t.Interval)
	if !t.due.After(now) { // after a stall the missed runs are not made up for
		t.due = now.Add(t.Interval)
	}
	if t.proc != nil {
		state := "already running"
		if t.step != running {
			state = "being timed out"
		}
		log.Info("Track script %s is %s, expect idle - skipping run", t.Name, state)
		return
	}
	t.step, t.stepAt = running, now.Add(t.Timeout)
	t.proc = script.Start(t.Command, func(end script.Status) {
		s.post(func(now time.Time) { s.ended(now, t, end) })
	})
}

func (t *tracked) pushIfLate(now time.Time) {
	if t.proc != nil && !t.stepAt.After(now) {
		t.push(now)
	}
}

// push ends a run that is out of time, more firmly each time.
func (t *tracked) push(now time.Time) {
	switch t.step {
	case running:
		t.proc.Signal(syscall.SIGTERM)
		t.step, t.stepAt = terminated, now.Add(afterTerm)
	case terminated:
		t.proc.Signal(syscall.SIGKILL)
		t.step, t.stepAt = killed, now.Add(afterKill)
	case killed:
		log.Info("Script %s child (PID %d) failed to terminate after kill", t.Name, t.proc.PID())
		t.proc.Signal(syscall.SIGKILL)
		t.stepAt = now.Add(afterAgain)
	}
}

// ended takes in the end of a run.
func (s *Scripts) ended(now time.Time, t *tracked, end script.Status) {
	t.proc = nil
	if i := slices.Index(s.ending, t); i >= 0 {
		s.ending = slices.Delete(s.ending, i, i+1)
		s.schedule()
		return
	}
	if !slices.Contains(s.list, t) {
		return
	}
	if end.Err != nil {
		log.Alert("%s", script.ExecMessage(t.Command, end.Err))
	} else if end.Signal == 0 && end.Code != t.exit {
		t.exit = end.Code
		log.Info("Script `%s` now returning %d", t.Name, end.Code)
	}
	changed := false
	if end.OK() {
		if changed = t.result.Success(); changed {
			log.Info("VRRP_Script(%s) succeeded", t.Name)
		}
	} else if changed = t.result.Failure(); changed {
		log.Info("VRRP_Script(%s) %s", t.Name, t.failure(end))
	}
	t.step = running
	s.schedule()
	if changed {
		s.report(now, ScriptEvent{t.Name, t.result.Up()})
	}
}

// failure says how a run failed.
func (t *tracked) failure(end script.Status) string {
	if t.step != running && (end.Signal == int(syscall.SIGTERM) || end.Signal == int(syscall.SIGKILL)) {
		return "timed_out"
	}
	return "failed (" + end.String() + ")"
}

// schedule finds the earliest deadline.
func (s *Scripts) schedule() {
	s.next = time.Time{}
	earlier := func(at time.Time) {
		if s.next.IsZero() || at.Before(s.next) {
			s.next = at
		}
	}
	for _, t := range s.list {
		earlier(t.due)
		if t.proc != nil {
			earlier(t.stepAt)
		}
	}
	for _, t := range s.ending {
		earlier(t.stepAt)
	}
}

// Stop ends every script that runs. Nothing is reported any more.
func (s *Scripts) Stop() {
	for _, t := range append(s.list, s.ending...) {
		if t.proc != nil {
			t.proc.Signal(syscall.SIGTERM)
		}
	}
	s.list, s.ending, s.next = nil, nil, time.Time{}
}
