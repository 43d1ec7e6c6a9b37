package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/internal/report"
)

// width is that of a terminal nobody has made larger.
const width = 80

// show writes one screen for people: what is wrong comes first.
func show(w io.Writer, s status, now time.Time) {
	fmt.Fprintf(w, "keepalived %s, pid %d, running for %s\n", s.Version, s.PID, ago(s.Since, now))
	line(w, "  ", "    ", s.Config)
	if list := warnings(s, now); len(list) > 0 {
		fmt.Fprintf(w, "\nWARNINGS\n")
		for _, text := range list {
			line(w, "  ! ", "    ", text)
		}
	}
	if s.vrrp != nil {
		showVRRP(w, s.vrrp, now)
	}
	if s.checker != nil {
		showServers(w, s.checker, now)
	}
	if len(s.bfd) > 0 {
		showBFD(w, s.bfd, now)
	}
}

// warnings are what every process complains of.
func warnings(s status, now time.Time) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, c := range s.Children {
		switch {
		case c.Error != "":
			add("the %s process: %s", c.Role, c.Error)
		case c.Starts > 1:
			add("the %s process has been started %d times, last %s ago", c.Role, c.Starts, ago(c.Since, now))
		}
	}
	if s.vrrp != nil {
		list = append(list, s.vrrp.Warnings...)
	}
	if s.checker != nil {
		if trouble := ipvsTrouble(s.checker); trouble != "" {
			add("IPVS: %s", trouble)
		}
		list = append(list, s.checker.Warnings...)
	}
	for _, p := range s.Problems {
		if !strings.HasPrefix(p.Text, "Disabling ") { // a process has said it, with the reason
			add("%s", located(p.File, p.Line, p.Column, p.Text))
		}
	}
	return list
}

// ipvsTrouble is what is wrong with IPVS; nothing is if nothing wants it.
func ipvsTrouble(s *report.CheckerStatus) string {
	if s.IPVS == "ok" || len(s.Services) == 0 {
		return ""
	}
	return s.IPVS
}

// line writes a text that may be long: broken between words at the width of the
// screen. Words are never cut, so that they can be copied.
func line(w io.Writer, first, next, text string) {
	out, used := first, len(first)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case used+1+len(word) > width:
			out += "\n" + next
			used = len(next)
		default:
			out += " "
			used++
		}
		out += word
		used += len(word)
	}
	fmt.Fprintln(w, out)
}

// field writes one named line of an instance or server.
func field(w io.Writer, name, format string, args ...any) {
	line(w, fmt.Sprintf("    %-10s", name), strings.Repeat(" ", 14), fmt.Sprintf(format, args...))
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
		showInstance(w, &in, now)
	}
	for _, g := range s.Groups {
		line(w, "  ", "    ", fmt.Sprintf("group %s: %s, of %s", g.Name, g.State, strings.Join(g.Members, ", ")))
	}
	for _, c := range s.Scripts {
		state := "good"
		switch {
		case c.State == report.ScriptDisabled:
			state = "DISABLED"
		case !c.Good:
			state = "FAILING"
		}
		if c.Text != "" {
			state += ", " + c.Text
		}
		line(w, "  ", "    ", fmt.Sprintf("script %s: %s", c.Name, state))
	}
	if l := s.Lateness; l != nil {
		fmt.Fprintf(w, "  deadlines: %d met, %d more than 10 ms late, worst %s\n", l.Count, l.Late, l.Worst)
	}
}

func showInstance(w io.Writer, in *report.InstanceStatus, now time.Time) {
	where := "no interface"
	if in.Interface != "" {
		where = "on " + in.Interface
	}
	fmt.Fprintf(w, "  %-16s %-6s for %-7s vrid %d %s, %s VRRPv%d\n",
		in.Name, in.State, ago(in.Since, now), in.VRID, where, in.Family, in.Version)
	field(w, "why", "%s", in.Why)
	field(w, "priority", "%s", sum(*in))
	master := in.Master
	switch {
	case in.State == "MASTER":
		master = "this router, " + master
		if !in.LastSent.IsZero() {
			master += fmt.Sprintf("; last advert %s ago%s", ago(in.LastSent, now), due(in.Deadline, now))
		}
	case master != "":
		master += fmt.Sprintf(", priority %d", in.Heard)
		if !in.Deadline.IsZero() {
			master += fmt.Sprintf("; given up if silent for %s", max(in.Deadline.Sub(now), 0).Round(10*time.Millisecond))
		}
	default:
		master = "none heard"
	}
	field(w, "master", "%s", master)
	field(w, "adverts", "%d sent, %d received, %d refused", in.Sent, in.Received, in.BadPackets)
	if len(in.Addresses) > 0 {
		held := "not here"
		if in.Holding {
			held = "here"
		}
		field(w, "addresses", "%s: %s", held, strings.Join(in.Addresses, ", "))
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
	fmt.Fprintf(w, "\nSERVERS\n")
	for _, v := range s.Services {
		word := "has quorum"
		switch {
		case v.Suspended:
			word = "suspended: its address is not here"
		case v.Sorry:
			word = "the SORRY SERVER answers"
		case !v.Quorum:
			word = "has LOST its quorum"
		}
		line(w, "  ", "    ", fmt.Sprintf("%s: %s, %d of %d servers, weight %d", v.Name, word, v.Alive, len(v.Servers), v.Weight))
		for i := range v.Servers {
			showServer(w, &v.Servers[i], now)
		}
	}
}

func showServer(w io.Writer, srv *report.ServerStatus, now time.Time) {
	state := "up  "
	if !srv.Alive {
		state = "DOWN"
	}
	head := fmt.Sprintf("    %-26s %s", srv.Name, state)
	if !srv.Since.IsZero() {
		head += " for " + ago(srv.Since, now)
	}
	line(w, strings.TrimRight(head, " ")+", ", "        ", fmt.Sprintf("weight %d%s", srv.Weight, connections(srv)))
	for _, c := range srv.Checks {
		text := c.Last
		if at := when(c.LastAt, now); at != "" {
			text += " " + at
		}
		line(w, fmt.Sprintf("      %-10s ", c.Kind), strings.Repeat(" ", 17), text+due(c.Next, now))
	}
}

func showBFD(w io.Writer, sessions []report.BFDSession, now time.Time) {
	fmt.Fprintf(w, "\nBFD\n")
	for _, b := range sessions {
		text := fmt.Sprintf("%s, neighbour %s", b.State, b.Neighbor)
		if !b.Since.IsZero() {
			text = fmt.Sprintf("%s for %s, neighbour %s", b.State, ago(b.Since, now), b.Neighbor)
		}
		if b.State != "Up" {
			text += " (" + b.Diagnostic + ")"
		}
		if !b.LastSeen.IsZero() {
			text += fmt.Sprintf(", heard %s, given up after %s", when(b.LastSeen, now), time.Duration(b.DetectUS)*time.Microsecond)
		}
		line(w, fmt.Sprintf("  %-16s ", b.Name), "    ", text)
	}
}

func connections(s *report.ServerStatus) string {
	if s.Active == nil || s.Inactive == nil {
		return ""
	}
	return fmt.Sprintf(", %d active, %d idle", *s.Active, *s.Inactive)
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
	for _, b := range s.bfd {
		if b.State != "Up" {
			warning = append(warning, fmt.Sprintf("BFD session %s is %s", b.Name, b.State))
		}
	}
	up, all := 0, 0
	if s.checker != nil {
		if trouble := ipvsTrouble(s.checker); trouble != "" {
			critical = append(critical, "IPVS: "+trouble)
		}
		warning = append(warning, s.checker.Warnings...)
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
