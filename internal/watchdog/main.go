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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"golang.org/x/sys/unix"
)

// detachedEnv tells a process that it is the daemon that its parent, started
// from a terminal or a script, has put into the background.
const detachedEnv = "KEEPALIVED_GO_DETACHED"

// Main is the parent process. It returns the daemon's exit status.
func Main(options process.Options, logging log.Options) int {
	logging.Ident = "Keepalived"
	log.Open(logging)
	defer log.Close(time.Second)
	detached := os.Getenv(detachedEnv) != ""
	os.Unsetenv(detachedEnv)
	if !detached {
		greet()
	}
	p := &Parent{options: options, args: os.Args, pid: os.Getpid()}
	p.reading = read(options)
	if !detached {
		p.reading.sayFiles(options)
		p.reading.say()
	}
	if err := p.reading.usable(options); err != nil {
		log.Err("%v", err)
		return process.ExitNoConfig
	}
	if p.reading.ended() {
		return process.ExitConfig
	}
	g := p.reading.config.Global
	if err := enter(g.NetNamespace); err != nil {
		log.Err("%v", err)
		log.Err("Unable to set network namespace %s - exiting", g.NetNamespace)
		return process.ExitOK
	}
	p.names = namesOf(options, g)
	if p.names.suffix != "" {
		ident := "Keepalived" + p.names.suffix
		log.Info("Changing syslog ident to %s", ident)
		log.SetIdent(ident)
	}
	if !options.DontFork && !detached {
		return detach(g.NetNamespace)
	}
	if detached && filepath.IsAbs(options.ConfigFile) {
		// A relative name is read again at a reload and needs the directory.
		_ = os.Chdir("/")
	}
	mask := 0o177
	if g.UmaskSet {
		mask = int(g.Umask)
	}
	if options.UmaskSet {
		mask = options.Umask
	}
	unix.Umask(mask)
	if err := p.names.makeDirectory(); err != nil {
		log.Err("%v", err)
		return process.ExitFatal
	}
	if err := p.claim(); err != nil {
		if errors.Is(err, process.ErrLocked) {
			log.Info("%v", err)
			log.Info("daemon is already running")
			return process.ExitOK
		}
		log.Err("%v", err)
		if errors.Is(err, os.ErrPermission) {
			return process.ExitPermission
		}
		return process.ExitFatal
	}
	if name := g.ProcessName; name != "" {
		_ = process.SetName(name)
	}
	// A child's orphans, such as scripts of a child that was killed, come to this process.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	p.warnings()
	return p.run()
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
		Path: binary, Args: os.Args, Env: append(os.Environ(), detachedEnv+"=1"),
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
