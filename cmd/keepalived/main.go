// Command keepalived is the daemon: the watchdog parent and, started again by
// it with a role in the environment, its VRRP, checker and BFD children.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/spare"
	"github.com/keepalived-go/keepalived/internal/watchdog"
	"github.com/spf13/pflag"
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if asks(args, "genhash") {
		return genhash(args[0], args[1:], stderr)
	}
	if len(args) > 1 && (args[1] == "-T" || args[1] == "--genhash") {
		return genhash(args[0], args[2:], stderr)
	}
	if diagnoses(args[1:]) {
		return checkMain(args[2:], stdout, stderr)
	}
	if !spare.Wait() {
		return process.ExitOK
	}
	process.IgnoreRTMin()
	req, ok := parseOptions(args[1:], stderr)
	child, isChild, err := process.Inherit(req.Options)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, err)
		return process.ExitFatal
	case isChild:
		return runChild(req, child)
	case !ok:
		return process.ExitFatal
	case req.help:
		usage(stderr)
		return process.ExitOK
	case req.version:
		version(stderr)
		return process.ExitOK
	case req.signum != "":
		return signum(req.signum, stdout, stderr)
	case req.keywords:
		return listKeywords(stdout)
	}
	if len(req.unexpected) > 0 {
		fmt.Fprintf(stdout, "Unexpected argument(s): %s \n", strings.Join(req.unexpected, " "))
	}
	if req.ConfigTest {
		return testConfig(req, stderr)
	}
	return watchdog.Main(req.Options, logging(req))
}

// asks tells whether the program was called by another name.
func asks(args []string, name string) bool { return filepath.Base(args[0]) == name }

// logging is how every process of the daemon logs, but for its name and file.
func logging(req request) log.Options {
	return log.Options{
		Facility: req.facility, Syslog: !req.NoSyslog, File: req.LogFile, Detail: req.LogDetail,
		Console: req.LogConsole && req.DontFork,
	}
}

// runChild is one of the children. Its pid file is its own: it is removed when
// the child ends in order, and stays after a kill.
func runChild(req request, c process.Child) int {
	_ = process.SetName("keepalived")
	// A fault of the program ends in SIGABRT and not in Go's status 2, which the
	// parent would take for a configuration that no new start can mend.
	debug.SetTraceback("crash")
	opt := logging(req)
	opt.Ident, opt.File = c.Ident, c.LogFile
	log.Open(opt)
	defer log.Close(time.Second)
	if err := process.AllowCores(req.Options); err != nil {
		log.Info("%v", err)
	}
	pid, err := process.OpenPIDFile(c.PIDFile)
	if err == nil {
		err = pid.Write(os.Getpid())
	}
	if err != nil {
		log.Err("%s child process: cannot write pidfile: %v", c.Title, err)
		return process.ExitFatal
	}
	defer pid.Remove()
	main, ok := childMain[c.Role]
	if !ok {
		log.Err("this build has no %s process", c.Role)
		return process.ExitFatal
	}
	return main(c)
}

// genhash runs the digest program, which is a binary of its own beside this
// one or in the usual place.
func genhash(self string, args []string, stderr io.Writer) int {
	exe, err := os.Executable()
	if err != nil {
		exe = self
	}
	for _, path := range []string{filepath.Join(filepath.Dir(exe), "genhash"), "/usr/bin/genhash"} {
		if resolved, err := filepath.EvalSymlinks(path); err == nil && resolved != exe {
			err = syscall.Exec(resolved, append([]string{"genhash"}, args...), os.Environ())
			fmt.Fprintf(stderr, "run %s: %v\n", resolved, err)
			return process.ExitFatal
		}
	}
	fmt.Fprintln(stderr, "genhash is not installed beside keepalived")
	return process.ExitFatal
}

// signum prints the number of the signal that asks the daemon for something.
func signum(name string, stdout, stderr io.Writer) int {
	numbers := map[string]int{"STOP": 15, "RELOAD": 1, "DATA": 10, "STATS": 12, "STATS_CLEAR": 63, "JSON": 36}
	n, ok := numbers[name]
	if !ok {
		fmt.Fprintf(stderr, "Unknown sigfunc %s\n", name)
		return process.ExitFatal
	}
	fmt.Fprintln(stdout, n)
	return process.ExitOK
}

// diagnoses tells whether the command line is `keepalived --check [--json] [-f
// FILE] [--peer FILE]`. The original's --check is the long form of -C, so it
// is taken for the diagnosis only as the first word and when no option of the
// daemon follows. What is no option of either is the diagnosis's to complain of.
func diagnoses(args []string) bool {
	if len(args) == 0 || args[0] != "--check" {
		return false
	}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		name, _, attached := strings.Cut(args[0], "=")
		switch name {
		case "--json", "--offline", "--help", "-h":
		case "-f", "--use-file", "--peer", "--peer-id", "-i", "--config-id":
			if !attached {
				if len(args) == 1 {
					return true // and it will say what is missing
				}
				args = args[1:]
			}
		default:
			return !daemonOption(name)
		}
	}
	return true
}

// daemonOption tells whether a word is an option of the daemon, which may be
// shortened.
func daemonOption(word string) bool {
	fs := (&request{}).flags(io.Discard)
	if long, ok := strings.CutPrefix(word, "--"); ok {
		known := false
		fs.VisitAll(func(f *pflag.Flag) { known = known || strings.HasPrefix(f.Name, long) })
		return known
	}
	return len(word) > 1 && word[0] == '-' && fs.ShorthandLookup(word[1:2]) != nil
}
