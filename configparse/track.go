package configparse

import (
	"math"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// trackDefault is the weight that a tracked object brings along.
type trackDefault struct {
	weight  int
	reverse bool
}

// trackKey is one line of a track block, for repeated names.
type trackKey struct {
	owner any // *instance or *syncGroup
	kind  *trackKind
	name  string
}

// trackKind is what the five kinds of track blocks differ in: the bounds of
// the weight, and texts that were never made alike. Every text starts with the
// name of the instance or group; %[2]s is the object, %[3]s the word.
type trackKind struct {
	keyword  string
	max      int64 // of the weight
	find     func(*parser, string) (trackDefault, bool)
	unknown  string
	option   string
	noValue  string
	bad      string
	last     string
	lastDrop bool // a bad last word drops the line
}

var (
	trackInterfaces = &trackKind{
		keyword: "track_interface", max: 253,
		find: func(p *parser, name string) (trackDefault, bool) {
			_, ok := p.env.link(name)
			return trackDefault{}, ok || p.cfg.Global.DynamicInterfaces
		},
		unknown: "(%s) tracked interface %s doesn't exist",
		option:  "(%s) unknown track_interface %[2]s option %[3]s - ignoring",
		noValue: "(%s) weight without value specified for track_interface %s - ignoring",
		bad:     "(%s) weight %[3]s for %[2]s must be between [-253..253] inclusive. Ignoring...",
		last:    "(%s) unknown track_interace %[2]s weight option %[3]s - ignoring",
	}
	trackScripts = &trackKind{
		keyword: "track_script", max: 253,
		find: func(p *parser, name string) (trackDefault, bool) {
			s, ok := p.scripts[name]
			if !ok {
				return trackDefault{}, false
			}
			return trackDefault{s.Weight, s.Reverse}, true
		},
		unknown: "(%s) track script %s not found, ignoring...",
		option:  "(%s) unknown track script option %[3]s - ignoring",
		noValue: "(%s) weight without value specified for track script %s - ignoring",
		bad:     "(%s) track script %[2]s: weight must be between [-253..253] inclusive, ignoring...",
		last:    "(%s) unknown track_script %[2]s weight option %[3]s - ignoring",
	}
	trackFiles = &trackKind{
		keyword: "track_file", max: 254,
		find: func(p *parser, name string) (trackDefault, bool) {
			f, ok := p.files[name]
			if !ok {
				return trackDefault{}, false
			}
			return trackDefault{f.Weight, f.Reverse}, true
		},
		unknown:  "(%s) track file %s not found, ignoring...",
		option:   "(%s) unknown track file option %[3]s - ignoring",
		noValue:  "(%s) weight without value specified for track file %s - ignoring",
		bad:      "(%s) weight for track file %[2]s must be in [-254..254] inclusive. Ignoring...",
		last:     "(%s) unknown track file %[2]s weight option %[3]s - ignoring",
		lastDrop: true,
	}
	trackProcesses = &trackKind{
		keyword: "track_process", max: 254,
		find: func(p *parser, name string) (trackDefault, bool) {
			f, ok := p.processes[name]
			if !ok {
				return trackDefault{}, false
			}
			return trackDefault{f.Weight, f.Reverse}, true
		},
		unknown: "(%s) track process %s not found, ignoring...",
		option:  "(%s) unknown track process option %[3]s - ignoring",
		noValue: "(%s) weight without value specified for track process %s - ignoring",
		bad:     "(%s) weight for track process %[2]s must be in [-254..254] inclusive. Ignoring...",
		last:    "(%s) unknown track_process %[2]s weight option %[3]s - ignoring",
	}
	trackSessions = &trackKind{
		keyword: "track_bfd", max: 253,
		find: func(p *parser, name string) (trackDefault, bool) {
			d, ok := p.sessions[name]
			return d, ok
		},
		unknown:  "(%s) track bfd %s not found, ignoring...",
		option:   "(%s) unknown track bfd %[2]s option %[3]s - ignoring",
		noValue:  "(%s) weight without value specified for track bfd %s - ignoring",
		bad:      "(%s) weight for track bfd %[2]s must be in [-253..253] inclusive. Ignoring...",
		last:     "(%s) unknown track bfd %[2]s weight option %[3]s - ignoring",
		lastDrop: true,
	}
)

// trackLine reads NAME [weight W [reverse|noreverse]]. False: it is dropped.
func (p *parser) trackLine(k *trackKind, owner any, ownerName string, line words) (vrrp.Track, bool) {
	name := p.word(line, 0)
	d, ok := k.find(p, name)
	if !ok {
		p.errorf(k.unknown, ownerName, name)
		p.missingInterface = p.missingInterface || k == trackInterfaces
		return vrrp.Track{}, false
	}
	key := trackKey{owner, k, name}
	if p.tracked[key] {
		p.errorf("(%s) duplicate %s %s - ignoring", ownerName, k.keyword, name)
		return vrrp.Track{}, false
	}
	t := vrrp.Track{Name: name, Weight: d.weight, Reverse: d.reverse}
	if line.has(1) && !p.trackWeight(k, ownerName, line, &t) {
		return vrrp.Track{}, false
	}
	p.tracked[key] = true
	return t, true
}

// text is fmt with texts that may leave out the object or the word.
func (p *parser) trackf(format, owner, name, word string) {
	r := strings.NewReplacer("(%s)", "("+owner+")", "%[2]s", name, "%[3]s", word)
	p.errorf("%s", strings.Replace(r.Replace(format), "%s", name, 1))
}

func (p *parser) trackWeight(k *trackKind, owner string, line words, t *vrrp.Track) bool {
	switch {
	case p.word(line, 1) != "weight":
		p.trackf(k.option, owner, t.Name, p.word(line, 1))
		return false
	case !line.has(2):
		p.trackf(k.noValue, owner, t.Name, "")
		return false
	}
	n, ok := p.signed(line, 2, -254, 254, lenient)
	switch {
	case !ok:
		p.trackf(k.bad, owner, t.Name, p.word(line, 2))
		if k == trackInterfaces {
			t.Weight = 0
		}
	case n > k.max || n < -k.max:
		p.errorf("(%s) weight for %s cannot be +/-254. Setting to +/-253", owner, t.Name)
		t.Weight = int(max(-k.max, min(k.max, n)))
	default:
		t.Weight = int(n)
	}
	if !line.has(3) {
		return true
	}
	switch word := p.word(line, 3); {
	case word == "reverse":
		t.Reverse = true
	case word == "noreverse" && k != trackInterfaces:
		t.Reverse = false
	default:
		p.trackf(k.last, owner, t.Name, word)
		return !k.lastDrop
	}
	return true
}

// tracks are the lists of an instance or group.
type tracks struct {
	owner any
	name  string
	lists [5]*[]vrrp.Track // in the order of trackKinds
}

var trackKinds = [5]*trackKind{trackInterfaces, trackScripts, trackFiles, trackProcesses, trackSessions}

func (in *instance) tracks() tracks {
	return tracks{in, in.Name, [5]*[]vrrp.Track{&in.TrackInterfaces, &in.TrackScripts, &in.TrackFiles, &in.TrackProcesses, &in.TrackBFD}}
}

func (g *syncGroup) tracks() tracks {
	return tracks{g, g.Name, [5]*[]vrrp.Track{&g.TrackInterfaces, &g.TrackScripts, &g.TrackFiles, &g.TrackProcesses, &g.TrackBFD}}
}

// trackBlocks are the five track blocks of an instance or group.
func trackBlocks[T any](of func(*T) tracks) block[T] {
	b := block[T]{}
	for i, k := range trackKinds {
		takes := "value-block: NAME [weight W [reverse|noreverse]]"
		b[k.keyword] = row[T]{takes: takes, help: "what is followed", acts: "vrrp", opens: true,
			set: func(p *parser, t *T, w words) {
				owner := of(t)
				p.readValues(w, 1, func(line words) {
					if entry, ok := p.trackLine(k, owner.owner, owner.name, line); ok {
						*owner.lists[i] = append(*owner.lists[i], entry)
					}
				})
			}}
	}
	return b
}

var instanceTracks = trackBlocks((*instance).tracks)

// trackedScript is a vrrp_script while it is read.
type trackedScript struct {
	vrrp.ScriptConfig

	userBad   bool
	userGiven bool
}

func readScript(p *parser, c *Config, w words) {
	s := &trackedScript{}
	s.Name, s.Interval, s.Rise, s.Fall = p.word(w, 1), time.Second, 1, 1
	readBlock(p, scriptBlock, s)
	p.column = 0
	if s.Command.Argv == nil {
		p.errorf("No script set for vrrp_script %s - removing", s.Name)
		return
	}
	if s.userBad {
		return
	}
	if !s.userGiven && !p.defaultUser(&s.Command) {
		p.errorf("Unable to set default user for vrrp script %s - removing", s.Name)
		return
	}
	c.VRRP.Scripts = append(c.VRRP.Scripts, s.ScriptConfig)
	if _, ok := p.scripts[s.Name]; !ok { // of repeated names the first is found
		p.scripts[s.Name] = &s.ScriptConfig
	}
}

var scriptBlock = block[trackedScript]{
	"script": {takes: "SCRIPT", help: "command to run", acts: "track",
		set: func(p *parser, s *trackedScript, w words) {
			q, ok := p.quoted(w)
			if !ok || !w.has(1) {
				return
			}
			if c, ok := p.command(q, 1); ok {
				old := s.Command
				s.Command = c
				s.Command.UID, s.Command.GID, s.Command.User, s.Command.Group = old.UID, old.GID, old.User, old.Group
				s.Command.Groups, s.Command.UserSet = old.Groups, old.UserSet
			}
		}},
	"interval": {takes: "DECIMAL 0..4294 (3 decimals)", help: "seconds between runs", acts: "track",
		set: func(p *parser, s *trackedScript, w words) {
			if d, ok := p.scriptTime(s, w, "(%s): vrrp script interval '%s' must be between 0.001 and 4294 - ignoring",
				"(%s): vrrp script interval must be greater than 0, setting to 1"); ok {
				s.Interval = d
			}
		}},
	"timeout": {takes: "DECIMAL 0..4294 (3 decimals)", help: "seconds allowed for a run", acts: "track",
		set: func(p *parser, s *trackedScript, w words) {
			if d, ok := p.scriptTime(s, w, "(%s): vrrp script timeout '%s' invalid - ignoring",
				"(%s): vrrp script timeout must be greater than 0, setting to 1"); ok {
				s.Timeout = d
			}
		}},
	"weight": {takes: "INT -253..253 [reverse]", help: "priority change; 0 = FAULT on failure", acts: "vrrp",
		set: func(p *parser, s *trackedScript, w words) {
			n, ok := p.signed(w, 1, -253, 253, lenient)
			if !ok {
				p.errorf("vrrp_script %s weight %s must be in [-253, 253]", s.Name, p.word(w, 1))
			}
			s.Weight = int(max(-253, min(253, n)))
			s.Reverse = false
			if w.has(2) {
				if p.word(w, 2) == "reverse" {
					s.Reverse = true
				} else {
					p.errorf("vrrp_script %s unknown weight option %s", s.Name, p.word(w, 2))
				}
			}
		}},
	"rise": {takes: "INT 1..2147483647", help: "successes needed to go up", acts: "track",
		set: func(p *parser, s *trackedScript, w words) { s.Rise = p.scriptCount(s, w, "rise") }},
	"fall": {takes: "INT 1..2147483647", help: "failures needed to go down", acts: "track",
		set: func(p *parser, s *trackedScript, w words) { s.Fall = p.scriptCount(s, w, "fall") }},
	"user": {takes: "USER [GROUP]", help: "user to run as", acts: "track",
		set: func(p *parser, s *trackedScript, w words) {
			s.userGiven = true
			if s.userBad = !p.setUser(&s.Command, p.word(w, 1), p.opt(w, 2)); s.userBad {
				p.column = 0
				p.errorf("Unable to set uid/gid for script %s", commandText(&s.Command))
			}
		}},
	"init_fail": {takes: "none", help: "start as failed; without effect, as in the original",
		set: flag(func(s *trackedScript) { s.InitFail = true })},
}

// scriptTime reads seconds with milliseconds; 0 becomes a second.
func (p *parser) scriptTime(s *trackedScript, w words, bad, zero string) (time.Duration, bool) {
	n, ok := p.decimal(w, 1, decimalSpec{hi: maxSeconds * 1000, places: 3, class: lenient})
	switch {
	case !ok:
		p.errorf(bad, s.Name, p.word(w, 1))
		return 0, false
	case n == 0:
		p.errorf(zero, s.Name)
		return time.Second, true
	}
	return time.Duration(n) * time.Millisecond, true
}

func (p *parser) scriptCount(s *trackedScript, w words, what string) int {
	n, ok := p.unsigned(w, 1, 1, maxInt32, lenient)
	if !ok {
		p.errorf("(%s): vrrp script %s value '%s' invalid, defaulting to 1", s.Name, what, p.word(w, 1))
		return 1
	}
	return int(n)
}

// trackedFile is a track_file while it is read.
type trackedFile struct {
	vrrp.FileConfig
}

func readTrackFile(p *parser, c *Config, w words) {
	f := &trackedFile{}
	f.Name, f.Weight = p.word(w, 1), 1
	readBlock(p, fileBlock, f)
	p.column = 0
	if f.Path == "" {
		p.errorf("No file set for track_file %s - ignoring", f.Name)
		return
	}
	if p.env.TrackDir != nil {
		if problem := p.env.TrackDir(f.Path, f.Name); problem != "" {
			p.errorf("%s", problem)
			return
		}
	}
	if p.pass == VRRP {
		c.VRRP.Files = append(c.VRRP.Files, f.FileConfig)
	} else {
		c.CheckerFiles = append(c.CheckerFiles, f.FileConfig)
	}
	if _, ok := p.files[f.Name]; !ok {
		p.files[f.Name] = &f.FileConfig
	}
}

var fileBlock = block[trackedFile]{
	"file": {takes: "PATH", help: "file to watch", acts: "track",
		set: needs("track file file name missing", func(p *parser, f *trackedFile, w words) {
			name := p.word(w, 1)
			if f.Path != "" {
				p.errorf("File already set for track file %s - ignoring %s", f.Name, name)
				return
			}
			f.Path = name
		})},
	"weight": {takes: "INT -254..254 [reverse]", help: "multiplier of the number read", acts: "vrrp",
		set: needsNamed("No weight specified for track file %s - ignoring", func(f *trackedFile) string { return f.Name },
			func(p *parser, f *trackedFile, w words) {
				if f.Weight != 1 {
					p.errorf("Weight already set for track file %s - ignoring %s", f.Name, p.word(w, 1))
					return
				}
				n, ok := p.signed(w, 1, -254, 254, lenient)
				if !ok {
					p.errorf("Weight (%s) for track_file %s must be between [-254..254] inclusive. Ignoring...", p.word(w, 1), f.Name)
					n = 1
				}
				f.Weight = int(n)
				p.reverse(w, &f.Reverse, "track_file "+f.Name)
			})},
	"init_file": {takes: "[INT] [overwrite]", help: "create or rewrite the file at start", acts: "track",
		set: func(p *parser, f *trackedFile, w words) {
			f.Init = true
			for i := 1; w.has(i); i++ {
				s := p.word(w, i)
				switch {
				case s == "overwrite":
					f.Overwrite = true
				case s != "" && (isDigit(s[0]) || s[0] == '-' || s[0] == '+'):
					n, ok := p.signed(w, i, math.MinInt32, maxInt32, strict)
					if !ok {
						p.errorf("Track file %s init value %s is invalid", f.Name, s)
						n = 0
					} else if n < -254 || n > 254 {
						p.errorf("Track file %s init value %d is outside sensible range [-254, 254]", f.Name, n)
					}
					f.InitValue = int(n)
				default:
					p.errorf("Unknown track file init option %s", s)
				}
			}
		}},
}

func needsNamed[T any](missing string, name func(*T) string, next func(*parser, *T, words)) func(*parser, *T, words) {
	return func(p *parser, t *T, w words) {
		if !w.has(1) {
			p.errorf(missing, name(t))
			return
		}
		next(p, t, w)
	}
}

// reverse reads the optional word behind a weight.
func (p *parser) reverse(w words, field *bool, what string) {
	if !w.has(2) {
		return
	}
	if p.word(w, 2) != "reverse" {
		p.errorf("%s unknown weight option %s", what, p.word(w, 2))
		return
	}
	*field = true
}

func readProcess(p *parser, c *Config, w words) {
	t := &vrrp.ProcessConfig{Name: p.word(w, 1), Quorum: 1, QuorumMax: -1}
	readBlock(p, processBlock, t)
	p.column = 0
	if t.Path == "" {
		p.errorf("track process '%s' process name not specified", t.Name)
		return
	}
	c.VRRP.Processes = append(c.VRRP.Processes, *t)
	if _, ok := p.processes[t.Name]; !ok {
		p.processes[t.Name] = t
	}
}

var processBlock = block[vrrp.ProcessConfig]{
	"process": {takes: "NAME [PARAM ...]", help: "process to look for", acts: "track",
		set: func(p *parser, t *vrrp.ProcessConfig, w words) {
			name := p.word(w, 1)
			if t.Path != "" {
				p.errorf("Process already set for track process %s - ignoring %s", t.Name, name)
				return
			}
			t.Path = name
			for i := 2; w.has(i); i++ {
				t.Params = append(t.Params, p.word(w, i))
				t.FullCommand = true
			}
		}},
	"param_match": {takes: "[initial|partial]", help: "how parameters are compared", acts: "track",
		set: func(p *parser, t *vrrp.ProcessConfig, w words) {
			switch s := p.opt(w, 1); {
			case !w.has(1):
				t.Match = vrrp.MatchExact
			case s == "initial":
				t.Match = vrrp.MatchInitial
			case s == "partial":
				t.Match = vrrp.MatchPartial
			default:
				p.errorf("Invalid param_match type %s - ignoring", s)
				return
			}
			t.FullCommand = true
		}},
	"weight": {takes: "INT -254..254 [reverse]", help: "priority change", acts: "vrrp",
		set: needsNamed("No weight specified for track process %s - ignoring", func(t *vrrp.ProcessConfig) string { return t.Name },
			func(p *parser, t *vrrp.ProcessConfig, w words) {
				if t.Weight != 0 {
					p.errorf("Weight already set for track process %s - ignoring %s", t.Name, p.word(w, 1))
					return
				}
				n, ok := p.signed(w, 1, -254, 254, lenient)
				if !ok {
					p.errorf("Weight (%s) for vrrp_track_process %s must be between [-254..254] inclusive. Ignoring...", p.word(w, 1), t.Name)
					return
				}
				t.Weight = int(n)
				p.reverse(w, &t.Reverse, "vrrp_track_process "+t.Name)
			})},
	"quorum": {takes: "INT 1..65535", help: "least number of processes", acts: "track",
		set: func(p *parser, t *vrrp.ProcessConfig, w words) {
			n, ok := p.unsigned(w, 1, 1, math.MaxUint16, lenient)
			switch {
			case !ok:
				p.errorf("Quorum (%s) for vrrp_track_process %s must be between [1..65535] inclusive. Ignoring...", p.word(w, 1), t.Name)
			case t.QuorumMax >= 0 && int(n) > t.QuorumMax:
				p.errorf("Quorum is greater than quorum_max - ignoring")
			default:
				t.Quorum = int(n)
			}
		}},
	"quorum_max": {takes: "INT 0..65535", help: "largest number of processes", acts: "track",
		set: func(p *parser, t *vrrp.ProcessConfig, w words) {
			n, ok := p.unsigned(w, 1, 0, math.MaxUint16, lenient)
			switch {
			case !ok:
				p.errorf("quorum_max (%s) for vrrp_track_process %s must be between [0..65535] inclusive. Ignoring...", p.word(w, 1), t.Name)
			case n == 0 && t.Quorum == 1:
				t.Quorum, t.QuorumMax = 0, 0
			case int(n) < t.Quorum:
				p.errorf("quorum_max is less than quorum - ignoring")
			default:
				t.QuorumMax = int(n)
			}
		}},
	"delay": {takes: "DECIMAL 0.000001..3600", help: "both delays", acts: "track",
		set: processDelay("delay", func(t *vrrp.ProcessConfig, d time.Duration) { t.TerminateDelay, t.ForkDelay = d, d })},
	"terminate_delay": {takes: "DECIMAL 0.000001..3600", help: "seconds after losing the quorum", acts: "track",
		set: processDelay("terminate_delay", func(t *vrrp.ProcessConfig, d time.Duration) { t.TerminateDelay = d })},
	"fork_delay": {takes: "DECIMAL 0.000001..3600", help: "seconds after gaining the quorum", acts: "track",
		set: processDelay("fork_delay", func(t *vrrp.ProcessConfig, d time.Duration) { t.ForkDelay = d })},
	"full_command": {takes: "none", help: "match the full command line", acts: "track",
		set: flag(func(t *vrrp.ProcessConfig) { t.FullCommand = true })},
}

func processDelay(keyword string, set func(*vrrp.ProcessConfig, time.Duration)) func(*parser, *vrrp.ProcessConfig, words) {
	return func(p *parser, t *vrrp.ProcessConfig, w words) {
		d, ok := p.timer(w, 1, time.Microsecond, time.Hour)
		if !ok {
			p.errorf("%s (%s) for vrrp_track_process %s must be between [0.000001..3600] inclusive. Ignoring...", keyword, p.word(w, 1), t.Name)
			return
		}
		set(t, d)
	}
}
