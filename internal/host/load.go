package host

import (
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// Source is where a child has its configuration from, again at each reload.
type Source struct {
	Child  process.Child
	Pass   configparse.Pass       // the child's
	Adapt  func(*configparse.Env) // changes what the parser may ask, on any goroutine; nil leaves it
	Reader configparse.Reader
}

// Load parses the parent's copy of the configuration and logs what the child's
// pass has to say. It also returns the seed of that copy, and -1 or the exit
// status of a process that cannot go on with it. What was read ahead is taken
// if it is the same, and may be nil.
func (s *Source) Load(ahead *Ahead) (*configparse.Config, uint64, int) {
	copied, err := s.Child.Config()
	if err != nil {
		log.Err("%v", err)
		return nil, 0, process.ExitFatal
	}
	archive, err := configparse.DecodeArchive(copied)
	if err != nil {
		log.Err("read the configuration: %v", err)
		return nil, 0, process.ExitFatal
	}
	conf, problems, same := ahead.result(archive)
	if !same {
		conf, problems = s.Reader.Load(archive, s.Child.Options.ConfigFile, s.env(archive.Seed))
	}
	missing := false
	for _, p := range problems {
		if p.Pass == s.Pass {
			log.Info("%v", p)
			missing = missing || p.Class == configparse.MissingParameter
		}
	}
	if !conf.Failed[s.Pass] {
		return conf, archive.Seed, -1
	}
	if !missing { // then the original ends in the middle of a line
		process.LogStopped()
	}
	return conf, archive.Seed, process.ExitConfig
}

// Ahead is a configuration that a child reads from the files at the same time
// as its parent. It counts for nothing until the parent has found its own
// reading good and handed over the copy: if the child has seen the same files
// it need not parse that.
type Ahead struct {
	recorder *configparse.Recorder
	seed     uint64
	done     chan struct{} // closed when the rest is there
	conf     *configparse.Config
	problems []configparse.Problem
}

// ReadAhead begins to read, on another goroutine, with the seed that the parent
// reads with.
func (s *Source) ReadAhead(seed uint64) *Ahead {
	a := &Ahead{recorder: configparse.NewRecorder(configparse.System{}), seed: seed, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.conf, a.problems = s.Reader.Load(a.recorder, s.Child.Options.ConfigFile, s.env(seed))
	}()
	return a
}

// result waits for the reading and reports whether it saw what the parent saw.
func (a *Ahead) result(archive *configparse.Archive) (*configparse.Config, []configparse.Problem, bool) {
	if a == nil || a.seed != archive.Seed {
		return nil, nil, false
	}
	<-a.done
	return a.conf, a.problems, archive.Confirms(a.recorder)
}

// env is what the parser may ask in a child: not what the process looks
// into itself, such as its scripts, nor what takes time, such as the address of
// the mail server.
func (s *Source) env(seed uint64) configparse.Env {
	o := s.Child.Options
	env := Env(o.ConfigID, seed)
	env = configparse.Env{
		ConfigID: env.ConfigID, HostName: env.HostName, Seed: seed, CPUs: env.CPUs,
		IncludeChecks: o.AllConfig, Namespace: o.Namespace, SNMPSocket: o.SNMPSocket,
		Getenv: env.Getenv, Link: env.Link, User: env.User, Group: env.Group,
	}
	if s.Adapt != nil {
		s.Adapt(&env)
	}
	return env
}
