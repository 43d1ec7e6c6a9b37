package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/report"
)

// show writes one screen for people.
func show(w io.Writer, s status, now time.Time) {
	fmt.Fprintf(w, "keepalived %s, pid %d, running for %s, %s\n", s.Version, s.PID, ago(s.Since, now), s.Config)
	for _, c := range s.Children {
		switch {
		case c.Error != "":
			fmt.Fprintf(w, "  ! the %s process: %s\n", c.Role, c.Error)
		case c.Starts > 1:
			fmt.Fprintf(w, "  ! the %s process has been started %d times, last %s ago\n", c.Role, c.Starts, ago(c.Since, now))
		}
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "  ! %s\n", located(p.File, p.Line, p.Column, p.Text))
	}
	if s.vrrp != nil {
		showVRRP(w, s.vrrp, now)
	}
	if s.checker != nil {
		showServers(w, s.checker, now)
	}
}

func located(file string, line, column int, text string) string {
	switch {
	case line == 0:
		return text
	case column == 0:
		return fmt.Sprintf("%s:%d: %s", file, line, text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", file, line, column, text)
}

func showVRRP(w io.Writer, s *report.Status, now time.Time) {
	fmt.Fprintf(w, "\nVRRP\n")
	for _, in := range s.Instances {
		fmt.Fprintf(w, "  %-16s %-6s for %-8s vrid %d on %s, VRRPv%d\n",
			in.Name, in.State, ago(in.Since, now), in.VRID, in.Interface, in.Version)
		fmt.Fprintf(w, "      why       %s\n", in.Why)
		fmt.Fprintf(w, "      priority  %s\n", sum(in))
		if in.Master != "" {
			fmt.Fprintf(w, "      master    %s\n", in.Master)
		}
		fmt.Fprintf(w, "      adverts   %d sent, %d received, %d refused\n", in.Sent, in.Received, in.BadPackets)
		if len(in.Addresses) > 0 {
			held := "not held here"
			if in.Holding {
				held = "held here"
			}
			fmt.Fprintf(w, "      addresses %s (%s)\n", strings.Join(in.Addresses, ", "), held)
		}
	}
	for _, g := range s.Groups {
		fmt.Fprintf(w, "  group %-10s %-6s %s\n", g.Name, g.State, strings.Join(g.Members, ", "))
	}
	if l := s.Lateness; l != nil {
		fmt.Fprintf(w, "  deadlines: %d met, %d more than 10 ms late, worst %s\n", l.Count, l.Late, l.Worst)
	}
	for _, text := range s.Warnings {
		fmt.Fprintf(w, "  ! %s\n", text)
	}
}

// sum shows how the effective priority comes about.
func sum(in report.InstanceStatus) string {
	if len(in.Sum) == 0 {
		return fmt.Sprint(in.Priority)
	}
	text := fmt.Sprintf("%d = %d", in.Priority, in.Base)
	for _, c := range in.Sum {
		switch {
		case c.Fault:
			text += fmt.Sprintf(", %s %s keeps it in fault", c.What, c.Name)
		case c.Adds != 0:
			text += fmt.Sprintf(" %+d (%s %s)", c.Adds, c.What, c.Name)
		default:
			text += fmt.Sprintf(" +0 (%s %s, weight %d)", c.What, c.Name, c.Weight)
		}
	}
	return text
}

func showServers(w io.Writer, s *report.CheckerStatus, now time.Time) {
	fmt.Fprintf(w, "\nServers\n")
	if s.IPVS != "" && s.IPVS != "ok" {
		fmt.Fprintf(w, "  ! %s\n", s.IPVS)
	}
	for _, v := range s.Services {
		word := "has quorum"
		switch {
		case v.Suspended:
			word = "suspended: its address is not here"
		case v.Sorry:
			word = "the sorry server answers"
		case !v.Quorum:
			word = "has lost its quorum"
		}
		fmt.Fprintf(w, "  %s: %s, %d of %d servers, weight %d\n", v.Name, word, v.Alive, len(v.Servers), v.Weight)
		for _, srv := range v.Servers {
			state := "up"
			if !srv.Alive {
				state = "DOWN"
			}
			fmt.Fprintf(w, "      %-28s %-5s weight %d%s\n", srv.Name, state, srv.Weight, connections(srv))
			for _, c := range srv.Checks {
				fmt.Fprintf(w, "          %-11s %s %s, %d runs, %d failures%s\n", c.Kind, c.Last,
					when(c.LastAt, now), c.Runs, c.Failures, due(c.Next, now))
			}
		}
	}
	for _, text := range s.Warnings {
		fmt.Fprintf(w, "  ! %s\n", text)
	}
}

func connections(s report.ServerStatus) string {
	if s.Active == nil || s.Inactive == nil {
		return ""
	}
	return fmt.Sprintf(", %d active and %d inactive connections", *s.Active, *s.Inactive)
}

func when(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ago(t, now) + " ago"
}

func due(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf(", next in %s", max(t.Sub(now), 0).Round(100*time.Millisecond))
}

// ago is a span as people say it, in at most two units.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "?"
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// judge is the status in one line, and as an exit status for monitoring.
func judge(s status) (int, string) {
	var critical, warning []string
	for _, c := range s.Children {
		if c.Error != "" {
			critical = append(critical, fmt.Sprintf("%s process: %s", c.Role, c.Error))
		} else if c.Starts > 1 {
			warning = append(warning, fmt.Sprintf("%s process started %d times", c.Role, c.Starts))
		}
	}
	counts := map[string]int{}
	if s.vrrp != nil {
		for _, in := range s.vrrp.Instances {
			counts[in.State]++
			if in.State == "FAULT" {
				critical = append(critical, fmt.Sprintf("%s in FAULT: %s", in.Name, in.Why))
			}
		}
		warning = append(warning, s.vrrp.Warnings...)
	}
	up, all := 0, 0
	if s.checker != nil {
		if s.checker.IPVS != "" && s.checker.IPVS != "ok" {
			critical = append(critical, s.checker.IPVS)
		}
		for _, v := range s.checker.Services {
			if !v.Quorum && !v.Suspended {
				critical = append(critical, v.Name+" has lost its quorum")
			}
			for _, srv := range v.Servers {
				all++
				if srv.Alive {
					up++
				} else {
					warning = append(warning, fmt.Sprintf("%s of %s is down", srv.Name, v.Name))
				}
			}
		}
	}
	tail := fmt.Sprintf("%d master, %d backup, %d fault, %d of %d servers up",
		counts["MASTER"], counts["BACKUP"], counts["FAULT"], up, all)
	switch {
	case len(critical) > 0:
		return exitCritical, "CRITICAL: " + strings.Join(append(critical, warning...), "; ") + " | " + tail
	case len(warning) > 0:
		return exitWarning, "WARNING: " + strings.Join(warning, "; ") + " | " + tail
	}
	return exitOK, "OK: " + tail
}
