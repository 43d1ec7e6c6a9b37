package checkd

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// compareLog checks that both logs have the same lines, and that the lines about
// one real server, and about one virtual server, come in the recorded order; the
// README of the recordings says that the others may stand anywhere. differs
// lists, after "- ", recorded lines that ours has not, and after "+ ", lines
// that only ours has.
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
		compareOrder(t, w, slices.DeleteFunc(g, func(l string) bool { return !slices.Contains(w, l) }))
	}
	if t.Failed() {
		t.Logf("our log:\n%s", got)
	}
}

// recorded is a recorded log without the lines that differs takes away.
func recorded(t *findings, want, differs []byte) []byte {
	var gone []string
	for l := range strings.Lines(string(differs)) {
		if l, ok := strings.CutPrefix(strings.TrimRight(l, "\n"), "- "); ok {
			gone = append(gone, l)
			if !slices.Contains(logLines(want), l) {
				t.Errorf("differs.txt takes away %q, which is not in the recorded log", l)
			}
		}
	}
	var out []byte
	for l := range strings.Lines(string(want)) {
		if m := logLines([]byte(l)); len(m) == 0 || !slices.Contains(gone, m[0]) {
			out = append(out, l...)
		}
	}
	return out
}

// compareOrder compares, for each subject, the order in which its lines come for
// the first time.
func compareOrder(t *findings, want, got []string) {
	w, g := bySubject(want), bySubject(got)
	for _, subject := range slices.Sorted(maps.Keys(w)) {
		if a, b := unique(w[subject]), unique(g[subject]); !slices.Equal(a, b) {
			t.Errorf("lines about %s come in the order\n%s\nwant\n%s", subject, strings.Join(b, "\n"), strings.Join(a, "\n"))
		}
	}
}

// endpoint is a virtual or real server as log lines name it. In a line about a
// real server it comes first, but for those of scripts, which name the virtual
// server in brackets of its own.
var endpoint = regexp.MustCompile(`\[[0-9a-f.:]+\]:[a-z]+:\d+|VS (?:\[\w+\]:\d+|FWM \d+)`)

// orderFree are lines whose order depends on which url of a check is in turn.
var orderFree = regexp.MustCompile(`^http_check for RS .* content_length`)

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
