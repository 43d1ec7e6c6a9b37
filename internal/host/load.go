package host

import (
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// Load parses the parent's copy of the configuration in one of its children,
// whose pass it is, and logs what that pass has to say. It also returns the
// copy, and -1 or the exit status of a process that cannot go on with it. adapt
// changes what the parser may ask; nil leaves it. What was read ahead is taken
// if it is the same, and may be nil.
func Load(c process.Child, pass configparse.Pass, adapt func(*configparse.Env), ahead *Ahead) (*configparse.Config, []byte, int) {
	copied, err := c.Config()
	if err != nil {
		log.Err("%v", err)
		return nil, nil, process.ExitFatal
	}
	archive, err := configparse.DecodeArchive(copied)
	if err != nil {
		log.Err("read the configuration: %v", err)
		return nil, nil, process.ExitFatal
	}
	conf, problems, same := ahead.result(archive)
	if !same {
		conf, problems = configparse.Load(archive, c.Options.ConfigFile, childEnv(c.Options, archive.Seed, adapt))
	}
	missing := false
	for _, p := range problems {
		if p.Pass == pass {
			log.Info("%v", p)
			missing = missing || p.Class == configparse.MissingParameter
		}
	}
	if !conf.Failed[pass] {
		return conf, copied, -1
	}
	if !missing { // then the original ends in the middle of a line
		process.LogStopped()
	}
	return conf, copied, process.ExitConfig
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

// ReadAhead begins to read with the seed that the parent reads with. adapt is
// called and asked on another goroutine.
func ReadAhead(c process.Child, seed uint64, adapt func(*configparse.Env)) *Ahead {
	a := &Ahead{recorder: configparse.NewRecorder(configparse.System{}), seed: seed, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.conf, a.problems = configparse.Load(a.recorder, c.Options.ConfigFile, childEnv(c.Options, seed, adapt))
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

// childEnv is what the parser may ask in a child: not what the process looks
// into itself, such as its scripts, nor what takes time, such as the address of
// the mail server.
func childEnv(o process.Options, seed uint64, adapt func(*configparse.Env)) configparse.Env {
	env := Env(o.ConfigID, seed)
	env = configparse.Env{
		ConfigID: env.ConfigID, HostName: env.HostName, Seed: seed, CPUs: env.CPUs,
		IncludeChecks: o.AllConfig, Namespace: o.Namespace, SNMPSocket: o.SNMPSocket,
		Getenv: env.Getenv, Link: env.Link, User: env.User, Group: env.Group,
	}
	if adapt != nil {
		adapt(&env)
	}
	return env
}
