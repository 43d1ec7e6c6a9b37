package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/watchdog"
	"golang.org/x/sys/unix"
)

// testConfig is -t: the messages about a configuration and nothing else, with
// the exit status of grammar.md 16.3.
func testConfig(req request, stderr io.Writer) int {
	unix.Umask(0o177)
	out := stderr
	if name := req.ConfigTestFile; name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			errno, _ := cause(err).(unix.Errno)
			fmt.Fprintf(stderr, "Unable to open config-test log file %s %d - %s\n", name, int(errno), text(errno))
			return process.ExitFatal
		}
		defer f.Close()
		out = f
	}
	env := host.Env(req.ConfigID, uint64(time.Now().UnixNano()))
	env.Test = true
	env.IncludeChecks = req.AllConfig
	env.Namespace = req.Namespace
	env.SNMPSocket = req.SNMPSocket
	cfg, problems := configparse.Load(configparse.System{}, req.ConfigFile, env)
	if !cfg.NoNamespace && !watchdog.EnterNetwork(cfg.Global.NetNamespace) {
		return process.ExitOK
	}
	for _, p := range problems {
		if p.Class != configparse.ClassLog {
			fmt.Fprintln(out, p)
		}
	}
	return cfg.TestStatus(problems)
}
