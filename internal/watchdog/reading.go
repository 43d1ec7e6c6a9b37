package watchdog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// reading is one reading of the configuration files.
type reading struct {
	config   *configparse.Config
	problems []configparse.Problem
	archive  []byte // what the children read again, with the same names and lines
}

// newSeed is what a reading draws _RANDOM from.
func newSeed() uint64 { return uint64(time.Now().UnixNano()) }

// read reads the configuration files. Every file is read once: the children
// get the recording.
func (p *Parent) read(seed uint64) reading {
	options := p.options
	env := host.Env(options.ConfigID, seed)
	env.IncludeChecks = options.AllConfig
	env.Namespace = options.Namespace
	env.SNMPSocket = options.SNMPSocket
	var r reading
	recorder := configparse.NewRecorder(configparse.System{})
	r.config, r.problems = p.reader.Load(recorder, options.ConfigFile, env)
	r.archive = recorder.Archive(seed).Encode()
	// The parent needs the globals and which children to start; the children
	// parse for themselves. Of 5,000 checks it would keep 25 MB.
	r.config.Trim()
	return r
}

// childWait is how long a child may take to stop (child_wait_time).
func (r reading) childWait() time.Duration {
	if w := r.config.Global.ChildWait; w > 0 {
		return w
	}
	return 5 * time.Second
}

// usable tells whether there is a main file to run with; if not the daemon
// ends with status 6.
func (r reading) usable(options process.Options) error {
	if r.config.IncludeFailed {
		return fmt.Errorf("a file that the configuration includes cannot be read, and include checks are on")
	}
	if len(r.config.Files) == 0 {
		return fmt.Errorf("no configuration could be read from %s", options.ConfigFile)
	}
	return nil
}

// say logs what the parent itself has to say about the configuration: the
// children say theirs.
func (r reading) say() {
	for _, p := range r.problems {
		if p.Pass == configparse.Parent {
			log.Info("%s", p)
		}
	}
}

// ended tells whether the parent's own pass met a keyword without its
// parameter, which ends the run with status 2.
func (r reading) ended() bool {
	return slices.ContainsFunc(r.problems, func(p configparse.Problem) bool {
		return p.Pass == configparse.Parent && p.Class == configparse.MissingParameter
	})
}

// sayFiles logs the names of the files that were read; the main one as -f
// gives it.
func (r reading) sayFiles(options process.Options) {
	for i, name := range r.config.Files {
		if i == 0 && filepath.Base(name) == filepath.Base(options.ConfigFile) {
			name = options.ConfigFile
		}
		log.Detailf("Opening file '%s'.", name)
		if i == 0 {
			log.Info("Configuration file %s", name)
		}
	}
}

// names derives the names of idents, pid files and log files from the
// configuration (process.md 1.8).
type names struct {
	suffix    string // "_NAMESPACE_INSTANCE" of idents and log files
	directory string // of the pid files
	instance  string // "_INSTANCE" of the pid files
}

func namesOf(options process.Options, g configparse.Global) names {
	n := names{directory: "/run"}
	if g.NetNamespace != "" {
		n.suffix = "_" + g.NetNamespace
	}
	if g.Instance != "" {
		n.suffix += "_" + g.Instance
		n.instance = "_" + g.Instance
	}
	if g.UsePIDDir || g.Instance != "" || g.NetNamespace != "" {
		n.directory = "/run/keepalived"
	}
	return n
}

func (n names) pidFile(option, base string) string {
	if option != "" {
		return option
	}
	return n.directory + "/" + base + n.instance + ".pid"
}

// reloadFile is the path of reload_file.
func (n names) reloadFile(g configparse.Global) string {
	switch {
	case g.ReloadFilePath != "":
		return g.ReloadFilePath
	case n.directory == "/run":
		return "/run/keepalived.reload"
	}
	return n.directory + "/keepalived" + n.instance + ".reload"
}

// makeDirectory makes the directory of the pid files if they have one.
func (n names) makeDirectory() error {
	if n.directory == "/run" {
		return nil
	}
	if err := os.MkdirAll(n.directory, 0o755); err != nil {
		return fmt.Errorf("make the directory of the pid files: %w", err)
	}
	return os.Chmod(n.directory, 0o755)
}
