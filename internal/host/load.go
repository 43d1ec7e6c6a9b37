package host

import (
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// Load parses the parent's copy of the configuration in one of its children,
// whose pass it is, and logs what that pass has to say. It also returns the
// copy, and -1 or the exit status of a process that cannot go on with it. adapt
// changes what the parser may ask; nil leaves it.
func Load(c process.Child, pass configparse.Pass, adapt func(*configparse.Env)) (*configparse.Config, []byte, int) {
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
	env := childEnv(c.Options, archive.Seed)
	if adapt != nil {
		adapt(&env)
	}
	conf, problems := configparse.Load(archive, c.Options.ConfigFile, env)
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

// childEnv is what the parser may ask in a child: not what the process looks
// into itself, such as its scripts, nor what takes time, such as the address of
// the mail server.
func childEnv(o process.Options, seed uint64) configparse.Env {
	env := Env(o.ConfigID, seed)
	return configparse.Env{
		ConfigID: env.ConfigID, HostName: env.HostName, Seed: seed, CPUs: env.CPUs,
		IncludeChecks: o.AllConfig, Namespace: o.Namespace, SNMPSocket: o.SNMPSocket,
		Getenv: env.Getenv, Link: env.Link, User: env.User, Group: env.Group,
	}
}
