package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/host"
	"github.com/spf13/pflag"
)

// checkMain is keepalived --check [--json] [-f FILE] [--peer FILE]: findings
// about a configuration, each with its place and reason. The status is 0 for
// none, 1 for warnings, 2 for errors, 64 for a wrong command line.
func checkMain(args []string, stdout, stderr io.Writer) int {
	fs := pflag.NewFlagSet("keepalived --check", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Bool("check", true, "")
	asJSON := fs.Bool("json", false, "findings as JSON (docs/check-schema.json)")
	file := fs.StringP("use-file", "f", defaultConfig, "configuration file")
	peer := fs.String("peer", "", "configuration of the other node, to compare with")
	id := fs.StringP("config-id", "i", "", "configuration id of this node, for lines that begin with @")
	peerID := fs.String("peer-id", "", "configuration id of the other node")
	offline := fs.Bool("offline", false, "do not look at this host's interfaces, users and scripts")
	if err := fs.Parse(args); err != nil || fs.NArg() > 0 {
		checkUsage(fs, err, stderr)
		return configparse.CheckUsage
	}
	env := host.Env(*id, uint64(time.Now().UnixNano()))
	env.SaveDir = nil // a check makes no directories
	if *offline {
		env = configparse.Env{ConfigID: env.ConfigID, HostName: env.HostName, Seed: env.Seed, Getenv: env.Getenv}
	}
	ours := configparse.CheckFile(configparse.System{}, *file, env)
	var theirs *configparse.Checked
	if *peer != "" {
		// The peer's interfaces and scripts are not on this host.
		theirs = configparse.CheckFile(configparse.System{}, *peer,
			configparse.Env{ConfigID: *peerID, HostName: *peerID, Seed: env.Seed})
	}
	findings := configparse.Advise(ours, theirs)
	write := func() error { return configparse.WriteAdvice(stdout, findings) }
	if *asJSON {
		write = func() error { return configparse.WriteAdviceJSON(stdout, *file, *peer, findings) }
	}
	if err := write(); err != nil {
		fmt.Fprintln(stderr, err)
		return configparse.CheckErrors
	}
	return configparse.CheckStatus(findings)
}

func checkUsage(fs *pflag.FlagSet, err error, w io.Writer) {
	switch {
	case errors.Is(err, pflag.ErrHelp):
	case err != nil:
		fmt.Fprintln(w, err)
	default:
		fmt.Fprintf(w, "unexpected argument: %s\n", fs.Arg(0))
	}
	_ = fs.MarkHidden("check")
	fmt.Fprintf(w, "usage: keepalived --check [--json] [-f FILE] [--peer FILE]\n\n%s", fs.FlagUsages())
}
