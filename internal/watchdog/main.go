// Package watchdog is the parent process. It reads the configuration, starts a
// child for each kind of work that the configuration has, restarts those that
// die, passes signals on, and stops them in order. It takes no part in
// elections or checks, so that it has no reason to fail.
//
//	main ── read ── claim pid files ── run: start children ── loop ── end
//	                                        ^         |
//	                                        └ respawn ┘
package watchdog

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/spare"
	"golang.org/x/sys/unix"
)

// detachedEnv tells a process that it is the daemon that its parent, started
// from a terminal or a script, has put into the background; its value is that
// parent's spare.Launched.
const detachedEnv = "KEEPALIVED_GO_DETACHED"

// restingGC is the garbage that the parent allows itself at rest.
const restingGC = 100

// Main is the parent process. It returns the daemon's exit status.
func Main(options process.Options, logging log.Options) int {
	logging.Ident = "Keepalived"
	log.Open(logging)
	defer log.Close(time.Second)
	since, detached := os.LookupEnv(detachedEnv)
	os.Unsetenv(detachedEnv)
	again := detached || inNamespace() // who was started first has said it
	if again {
		_ = process.SetName("keepalived") // not "exe", by which it was started
	} else {
		greet()
	}
	p := &Parent{options: options, args: os.Args, pid: os.Getpid(), heap: process.Heap{Percent: restingGC}, launched: spare.Launched}
	if at, err := strconv.ParseInt(since, 10, 64); err == nil {
		p.launched = at
	}
	p.heap.Read()
	p.reader.NoServices = true
	p.reading = p.read(newSeed())
	if !again {
		p.reading.sayFiles(options)
		p.reading.say()
	}
	if err := p.reading.usable(options); err != nil {
		log.Err("%v", err)
		farewell()
		return process.ExitNoConfig
	}
	if p.reading.ended() {
		return process.ExitConfig
	}
	g := p.reading.config.Global
	p.names = namesOf(options, g)
	p.rename(logging, again)
	if err := enter(g.NetNamespace); err != nil {
		log.Info("%v", err)
		log.Err("Unable to set network namespace %s - exiting", g.NetNamespace)
		farewell()
		return process.ExitOK
	}
	if !options.DontFork && !detached {
		return detach(g.NetNamespace)
	}
	if detached && filepath.IsAbs(options.ConfigFile) {
		// A relative name is read again at a reload and needs the directory.
		_ = os.Chdir("/")
	}
	p.signals, p.caught = make(chan os.Signal, 16), make(chan struct{})
	go p.catch()
	restore := allowCores(options)
	defer restore()
	unix.Umask(umask(options, g))
	if status := p.takeFiles(); status >= 0 {
		return status
	}
	if g.ReloadFile { // an earlier run may have ended while it read
		os.Remove(p.names.reloadFile(g))
	}
	if name := g.ProcessName; name != "" {
		_ = process.SetName(name)
	}
	// A child's orphans, such as scripts of a child that was killed, come to this process.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	p.warnings()
	return p.run()
}

// rename gives the log the names of the instance and the namespace, once the
// configuration has told them.
func (p *Parent) rename(logging log.Options, again bool) {
	if p.names.suffix == "" {
		return
	}
	logging.Ident += p.names.suffix
	if !again {
		log.Info("Changing syslog ident to %s", logging.Ident)
	}
	if logging.File != "" {
		logging.File = logFile(logging.File, p.names.suffix)
	}
	log.Open(logging)
}

// takeFiles claims the pid files. It returns the exit status if the daemon
// cannot run, else a negative number.
func (p *Parent) takeFiles() int {
	if err := p.names.makeDirectory(); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	switch err := p.claim(); {
	case err == nil:
		return -1
	case errors.Is(err, process.ErrLocked):
		log.Info("%v", err)
		log.Info("daemon is already running")
		return process.ExitOK
	case errors.Is(err, os.ErrPermission):
		log.Err("%v", err)
		return process.ExitPermission
	default:
		log.Err("%v", err)
		return process.ExitFatal
	}
}

// umask is the option's, else the keyword's, else 0177.
func umask(options process.Options, g configparse.Global) int {
	switch {
	case options.UmaskSet:
		return options.Umask
	case g.UmaskSet:
		return int(g.Umask)
	}
	return 0o177
}

// allowCores does -m and -M. The pattern belongs to the whole machine; what
// restores it is returned.
func allowCores(options process.Options) (restore func()) {
	if err := process.AllowCores(options); err != nil {
		log.Info("%v", err)
	}
	if options.CorePattern == "" {
		return func() {}
	}
	restore, err := process.SetCorePattern(options.CorePattern)
	if err != nil {
		log.Info("%v", err)
	}
	return restore
}

// greet logs who starts, on what, and with which arguments.
func greet() {
	log.Info("Starting Keepalived %s", Version)
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		log.Info("Running on %s %s %s", unix.ByteSliceToString(u.Sysname[:]),
			unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:]))
	}
	log.Info("Command line: '%s'", strings.Join(os.Args, "' '"))
}

// detach starts this program again in a session of its own, as the daemon. The
// process that was started ends at once.
func detach(namespace string) int {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		log.Err("cannot detach from the terminal: %v", err)
		return process.ExitFatal
	}
	cmd := &exec.Cmd{
		Path: spare.Program(), Args: os.Args, Env: append(os.Environ(), fmt.Sprintf("%s=%d", detachedEnv, spare.Launched)),
		Stdin: null, Stdout: null, Stderr: null,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if namespace != "" {
		cmd.Env = append(cmd.Env, enteredEnv+"="+namespace)
	}
	if err := cmd.Start(); err != nil {
		log.Err("cannot detach from the terminal: %v", err)
		return process.ExitFatal
	}
	return process.ExitOK
}
