package checkd

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// compareLog checks that both logs have the same lines equally often, and that
// they come in the recorded order as far as the README of the recordings calls
// it fixed: those about one real server, those about one virtual server, those
// of starting, reloading and stopping. differs lists, after "- ", recorded lines
// that ours has not, after "-2 " those of which it lacks the second, and after
// "+ ", lines that only ours has.
func compareLog(t *findings, want, got, differs []byte) {
	w, g := logLines(recorded(t, want, differs)), logLines(got)
	var more []string // only ours, wherever
	for l := range strings.Lines(string(differs)) {
		if l, ok := strings.CutPrefix(strings.TrimRight(l, "\n"), "+ "); ok {
			more = append(more, l)
		}
	}
	for _, l := range unique(append(slices.Clone(w), more...)) {
		if !slices.Contains(g, l) {
			t.Errorf("log lacks %q", l)
		}
	}
	for _, l := range unique(g) {
		if !slices.Contains(w, l) && !slices.Contains(more, l) && !logMore.MatchString(l) {
			t.Errorf("log has %q", l)
		}
	}
	if !t.Failed() {
		compareOrder(t, w, slices.DeleteFunc(g, func(l string) bool { return !slices.Contains(w, l) }), more)
	}
	if t.Failed() {
		t.Logf("our log:\n%s", got)
	}
}

// recorded is a recorded log without the lines that differs takes away.
func recorded(t *findings, want, differs []byte) []byte {
	type lack struct {
		line string
		nth  int // 0: each
	}
	gone := map[lack]bool{}
	for l := range strings.Lines(string(differs)) {
		m := lacking.FindStringSubmatch(strings.TrimRight(l, "\n"))
		if m == nil {
			continue
		}
		nth, _ := strconv.Atoi(m[1])
		gone[lack{m[2], nth}] = true
		if n := count(logLines(want), m[2]); n <= max(nth-1, 0) {
			t.Errorf("differs.txt takes away %q, which is %d times in the recorded log", l, n)
		}
	}
	var out []byte
	seen := map[string]int{}
	for l := range strings.Lines(string(want)) {
		if m := logLines([]byte(l)); len(m) > 0 {
			seen[m[0]]++
			if gone[lack{m[0], 0}] || gone[lack{m[0], seen[m[0]]}] {
				continue
			}
		}
		out = append(out, l...)
	}
	return out
}

// lacking is a line of differs.txt about a recorded line that ours has not.
var lacking = regexp.MustCompile(`^-(\d*) (.*)`)

func count(list []string, l string) (n int) {
	for _, x := range list {
		if x == l {
			n++
		}
	}
	return n
}

// compareOrder compares, for each subject, the order of its lines. more are
// lines that ours may have oftener.
func compareOrder(t *findings, want, got, more []string) {
	compare := func(what string, want, got []string) {
		if !slices.Equal(want, got) {
			t.Errorf("lines about %s are in this order\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	// First with those that a slow machine has oftener, each once.
	w, g := bySubject(want), bySubject(got)
	for _, subject := range slices.Sorted(maps.Keys(w)) {
		compare(subject, unique(w[subject]), unique(g[subject]))
	}
	oftener := func(l string) bool { return logMore.MatchString(l) || slices.Contains(more, l) }
	want, got = slices.DeleteFunc(want, oftener), slices.DeleteFunc(got, oftener)
	for _, l := range unique(want) {
		if a, b := count(want, l), count(got, l); a != b && !orderFree.MatchString(l) {
			t.Errorf("log has %q %d times, want %d", l, b, a)
		}
	}
	w, g = bySubject(want), bySubject(got)
	for _, subject := range slices.Sorted(maps.Keys(w)) {
		compare(subject, w[subject], g[subject])
	}
	w, g = byService(want), byService(got)
	for _, service := range slices.Sorted(maps.Keys(w)) {
		compare("the servers of "+service, w[service], g[service])
	}
	fixed := func(l string) bool { return fixedOrder.MatchString(l) }
	if slices.ContainsFunc(want, func(l string) bool { return strings.HasPrefix(l, "Starting VRRP child") }) {
		fixed = func(l string) bool { return fixedOrder.MatchString(l) && !strings.Contains(l, "nitializing ipvs") } // both processes say it
	}
	compare("start, reload and stop", matching(want, fixed), matching(got, fixed))
}

// fixedOrder are lines of the checker process that do not depend on results.
var fixedOrder = regexp.MustCompile(`^(Rei|I)nitializing ipvs|^Activating .*healthchecker|^Shutting down|^Removing Virtual Server`)

func matching(list []string, is func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(list), func(l string) bool { return !is(l) })
}

// byService gives the lines about each virtual server and its real servers, as
// they follow on each other. Results of different servers come in any order, so
// the servers' names are masked, and lines with nothing between them but results
// are sorted.
func byService(lines []string) map[string][]string {
	all := map[string][]string{}
	for _, l := range lines {
		if m := serviceIn.FindStringSubmatch(l); m != nil && !orderFree.MatchString(l) {
			all[m[1]] = append(all[m[1]], serverIn.ReplaceAllString(l, "$1 RS "))
		}
	}
	for _, list := range all {
		for i := 0; i < len(list); i++ {
			j := i
			for j < len(list) && resultOf.MatchString(list[j]) {
				j++
			}
			slices.Sort(list[i:j])
			i = max(i, j-1)
		}
	}
	return all
}

var (
	serviceIn = regexp.MustCompile(`VS (\[[0-9a-f.:]+\]:[a-z]+:\d+|\[\w+\]:\d+|FWM \d+)`)
	serverIn  = regexp.MustCompile(`(service|for) \[?\[[0-9a-f.:]+\]:[a-z]+:\d+ `)
	resultOf  = regexp.MustCompile(`^(Adding|Removing|Enabling|Disabling) service |^Misc check for |^Changing weight`)
)

// endpoint is a virtual or real server as log lines name it. In a line about a
// real server it comes first, but for those of scripts, which name the virtual
// server in brackets of its own.
var endpoint = regexp.MustCompile(`\[[0-9a-f.:]+\]:[a-z]+:\d+|VS (?:\[\w+\]:\d+|FWM \d+)`)

// orderFree are lines whose order depends on which url of a check is in turn.
var orderFree = regexp.MustCompile(`^http_check for RS .* content_length|^HTTP status code success to .* url\(/(one|two)\)`)

func bySubject(lines []string) map[string][]string {
	all := map[string][]string{}
	for _, l := range lines {
		if orderFree.MatchString(l) {
			continue
		}
		if s := endpoint.FindString(l); s != "" {
			all[s] = append(all[s], l)
		}
	}
	return all
}

// unique keeps the first of each.
func unique(lines []string) []string {
	var out []string
	for _, l := range lines {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// logMasks cut what no two runs have in common; logSkip are lines of the parent
// that depend on build and machine.
var (
	logMasks = []struct {
		re *regexp.Regexp
		by string
	}{
		{regexp.MustCompile(`^[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:.]+ \d{4}: `), ""},
		{regexp.MustCompile(`, git commit [^ ]*|, keepalived-go [^ ]*$`), ""},
		{regexp.MustCompile(`(Keepalived v2\.4\.3) \([0-9/,]+\)`), "$1"},
		{regexp.MustCompile(`^pid \d+ exited`), "pid PID exited"},
		{regexp.MustCompile(`pid=\d+`), "pid=PID"},
		{regexp.MustCompile(`\(\d+\) (died|exited)`), "(PID) $1"},
		{regexp.MustCompile(`process ?\(\d+\)`), "process(PID)"},
		{regexp.MustCompile(`used \d+\.\d+ user time, \d+\.\d+ system`), "used N user time, N system"},
		{regexp.MustCompile(`(CPU usage \(self/children\)).*`), "$1"},
		{regexp.MustCompile(`delivered in \d+ usec`), "delivered in N usec"},
		{regexp.MustCompile(`reports IP fe80::\S+`), "reports IP fe80::N"},
	}
	// A slow machine sees results that came too late in the recorded run.
	logMore = regexp.MustCompile(`^(TCP|UDP|ICMP) connection to .* success|^Remote (Web|SMTP) server .* succeed on service|^Netlink reflector reports IP (fe80|127|::)|^A thread timer expired `)
	logSkip = regexp.MustCompile(`^Starting Keepalived|^Running on Linux|^Command line|^Configuration file|^NOTICE|^ *'`)
	// Recorded lines that have something masked in them.
	logVaries = regexp.MustCompile(`PID|^Keepalived v|CPU usage`)
)

// logLines are the lines of a log, masked.
func logLines(b []byte) []string {
	var out []string
	for l := range strings.Lines(string(b)) {
		l = strings.TrimRight(l, " \r\n")
		for _, m := range logMasks {
			l = m.re.ReplaceAllString(l, m.by)
		}
		if strings.TrimSpace(l) != "" && !strings.HasPrefix(l, "## ") && !logSkip.MatchString(l) {
			out = append(out, l)
		}
	}
	return out
}
