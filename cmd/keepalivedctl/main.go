// Command keepalivedctl asks a running keepalived what it does and why, over
// the operator's socket.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/internal/watchdog"
	"github.com/spf13/pflag"
)

// Exit statuses of --check, as monitoring systems expect them.
const (
	exitOK       = 0
	exitWarning  = 1
	exitCritical = 2
	exitUnknown  = 3
	exitUsage    = 64
)

const usage = `keepalivedctl: ask a running keepalived

  keepalivedctl status            every instance and server, and why it is so
  keepalivedctl status --watch    the same, again every second
  keepalivedctl status --json     for programs
  keepalivedctl status --check    one line and an exit status for monitoring:
                                  0 well, 1 warning, 2 critical, 3 no answer

      --socket FILE   the daemon's socket (default /run/keepalived/control.sock)
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	fs := pflag.NewFlagSet("keepalivedctl", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	socket := fs.String("socket", watchdog.SocketPath(""), "")
	asJSON := fs.Bool("json", false, "")
	watch := fs.Bool("watch", false, "")
	check := fs.Bool("check", false, "")
	help := fs.BoolP("help", "h", false, "")
	err := fs.Parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "%v\n\n%s", err, usage)
		return exitUsage
	case *help:
		fmt.Fprint(stdout, usage)
		return exitOK
	case fs.NArg() != 1 || fs.Arg(0) != "status":
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	for {
		raw, err := ask(*socket)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitUnknown
		}
		if *asJSON {
			fmt.Fprintf(stdout, "%s\n", raw)
		} else {
			s, err := decode(raw)
			if err != nil {
				fmt.Fprintln(stderr, err)
				return exitUnknown
			}
			if *check {
				status, line := judge(s)
				fmt.Fprintln(stdout, line)
				return status
			}
			if *watch {
				fmt.Fprint(stdout, "\x1b[H\x1b[2J") // home, clear
			}
			show(stdout, s, time.Now())
		}
		if !*watch {
			return exitOK
		}
		time.Sleep(time.Second)
	}
}

func ask(socket string) (json.RawMessage, error) {
	c, err := control.Dial(socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Ask(control.Request{Get: control.Status}, 5*time.Second)
}

// status is what the daemon said, with the children's parts understood.
type status struct {
	watchdog.Status
	vrrp    *report.Status
	checker *report.CheckerStatus
	bfd     []report.BFDSession
}

func decode(raw json.RawMessage) (status, error) {
	var s status
	if err := json.Unmarshal(raw, &s.Status); err != nil {
		return s, fmt.Errorf("understand the daemon's answer: %w", err)
	}
	if len(s.VRRP) > 0 {
		s.vrrp = new(report.Status)
		if err := json.Unmarshal(s.VRRP, s.vrrp); err != nil {
			return s, fmt.Errorf("understand the VRRP process's answer: %w", err)
		}
	}
	if len(s.Checker) > 0 {
		s.checker = new(report.CheckerStatus)
		if err := json.Unmarshal(s.Checker, s.checker); err != nil {
			return s, fmt.Errorf("understand the checker process's answer: %w", err)
		}
	}
	if len(s.BFD) > 0 {
		if err := json.Unmarshal(s.BFD, &s.bfd); err != nil {
			return s, fmt.Errorf("understand the BFD process's answer: %w", err)
		}
	}
	return s, nil
}
