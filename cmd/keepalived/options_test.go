package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/spf13/pflag"
)

func TestOptionsByGetoptRules(t *testing.T) {
	tests := []struct {
		args string
		want func(request) bool
	}{
		{"-nlD -f a.conf", func(r request) bool {
			return r.DontFork && r.LogConsole && r.LogDetail == 1 && r.ConfigFile == "a.conf"
		}},
		{"-DD -fa.conf", func(r request) bool { return r.LogDetail == 2 && r.ConfigFile == "a.conf" }},
		{"--dont-f --use-file=b --log-console", func(r request) bool { return r.DontFork && r.ConfigFile == "b" && r.LogConsole }},
		{"-tlog.txt", func(r request) bool { return r.ConfigTest && r.ConfigTestFile == "log.txt" }},
		{"-t=x", func(r request) bool { return r.ConfigTestFile == "=x" }},
		{"--config-test=x -f c", func(r request) bool { return r.ConfigTestFile == "x" && r.ConfigFile == "c" }},
		{"-t log.txt", func(r request) bool {
			return r.ConfigTest && r.ConfigTestFile == "" && slices.Equal(r.unexpected, []string{"log.txt"})
		}},
		{"--all -P", func(r request) bool { return r.All && r.NoChecker && !r.NoVRRP }},
		{"-P --all", func(r request) bool { return r.All && !r.NoChecker }},
		{"-g", func(r request) bool { return strings.HasSuffix(r.LogFile, "/keepalived.log") }},
		{"-g/x/y.log", func(r request) bool { return r.LogFile == "/x/y.log" }},
		{"-u 022", func(r request) bool { return r.UmaskSet && r.Umask == 0o22 }},
		{"-u 22", func(r request) bool { return r.Umask == 22 }},
		{"-S 7", func(r request) bool { return r.facility == log.FacilityLocal0+7 }},
		{"-S local3", func(r request) bool { return r.facility == log.FacilityLocal0+3 }},
		{"-M", func(r request) bool { return r.CoreDump && r.CorePattern == "core" }},
		{"-p a -r b -c c -b d", func(r request) bool {
			return r.PIDFile == "a" && r.VRRPPIDFile == "b" && r.CheckersPIDFile == "c" && r.BFDPIDFile == "d"
		}},
	}
	for _, test := range tests {
		var stderr bytes.Buffer
		r, ok := parseOptions(strings.Fields(test.args), &stderr)
		if !ok || !test.want(r) {
			t.Errorf("%q: ok = %t, got %+v, stderr %q", test.args, ok, r, &stderr)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	tests := []struct {
		args, stderr string
		ok           bool
	}{
		{"-Z", "Unknown option -Z\n", false},
		{"--badopt", "Unknown option --badopt\n", false},
		{"-f", "Missing parameter for option -f\n", false},
		{"--use-file=", "Missing parameter for option --use-file\n", false},
		{"--use-file", "Missing parameter for option --use-file\n", false},
		{"-Z --badopt -n", "Unknown option -Z\nUnknown option --badopt\n", false},
		{"-S 9", "Invalid log facility '9'\n", true},
	}
	for _, test := range tests {
		var stderr bytes.Buffer
		_, ok := parseOptions(strings.Fields(test.args), &stderr)
		if ok != test.ok || stderr.String() != test.stderr {
			t.Errorf("%q: ok = %t, stderr = %q, want %t, %q", test.args, ok, &stderr, test.ok, test.stderr)
		}
	}
}

func TestCheckIsTheDiagnosisOnlyWithItsOwnOptions(t *testing.T) {
	tests := []struct {
		args string
		want bool
	}{
		{"--check", true},
		{"--check -f a --json", true},
		{"--check --peer=b -f a", true},
		{"--check --peer", true},
		{"-n --check", false},
		{"--check -n", false},
		{"--check -D", false},
		{"", false},
	}
	for _, test := range tests {
		if got := diagnoses(strings.Fields(test.args)); got != test.want {
			t.Errorf("%q: diagnosis = %t, want %t", test.args, got, test.want)
		}
	}
}

// TestDiagnoses: --check is the diagnosis unless an option of the daemon
// follows, for which it is the long form of -C.
func TestDiagnoses(t *testing.T) {
	tests := []struct {
		args string
		want bool
	}{
		{"--check", true}, {"--check --json -f x", true}, {"--check --bogus", true}, {"--check -Z", true}, {"--check word", true},
		{"--check -f", true}, {"--check --dont-fork", false}, {"--check --dont-f", false}, {"--check -n", false}, {"-n --check", false},
		{"-C", false}, {"", false},
	}
	for _, tt := range tests {
		if got := diagnoses(strings.Fields(tt.args)); got != tt.want {
			t.Errorf("diagnoses(%q) = %t, want %t", tt.args, got, tt.want)
		}
	}
}

func TestCheckExits(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	clean := write("clean", "vrrp_instance a {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n")
	warning := write("warning", "global_defs {\n vrrp_version 2\n smtp_alert\n}\n")
	wrong := write("wrong", "bogus\n")
	tests := []struct {
		args []string
		want int
	}{
		{[]string{"--offline", "-f", clean}, 0}, {[]string{"--offline", "-f", warning}, 1}, {[]string{"--offline", "-f", wrong}, 2},
		{[]string{"--bogus"}, 64}, {[]string{"-f"}, 64}, {[]string{"word"}, 64}, {[]string{"-Z"}, 64},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		if got := run(append([]string{"keepalived", "--check"}, tt.args...), &stdout, &stderr); got != tt.want {
			t.Errorf("--check %q: exit %d, want %d\n%s%s", tt.args, got, tt.want, &stdout, &stderr)
		}
	}
}

// The manual page and the shell's completion know every option, as --help does.
func TestEveryOptionIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../packaging/man/keepalived.8")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), `\-`, "-")
	var help bytes.Buffer
	usage(&help)
	var r request
	r.flags(io.Discard).VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(text, "--"+f.Name) || f.Shorthand != "" && !strings.Contains(text, "-"+f.Shorthand+" ") {
			t.Errorf("keepalived(8) lacks -%s, --%s", f.Shorthand, f.Name)
		}
		if !strings.Contains(help.String(), "--"+f.Name) {
			t.Errorf("--help lacks --%s", f.Name)
		}
	})
}

// bash asks --help for the options, so it offers each of them.
func TestCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("skipped: bash is needed")
	}
	complete := func(words ...string) string {
		t.Helper()
		script := `keepalived() { echo "  -f, --use-file=FILE x"; echo "      --signum=SIGFUNC x"; }
. ../../packaging/completion.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _$1; echo "${COMPREPLY[*]}"`
		out, err := exec.Command(bash, append([]string{"-c", script, "bash"}, words...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"keepalived", "--us"}, "--use-file"},
		{[]string{"keepalived", "--signum", "STATS"}, "STATS STATS_CLEAR"},
		{[]string{"keepalived", "--signum", "=", "J"}, "JSON"},
		{[]string{"keepalived", "-S", "us"}, "user"},
		{[]string{"keepalived", "--check", "--p"}, "--peer --peer-id"},
		{[]string{"keepalived", "-f", "options_te"}, "options_test.go"},
		{[]string{"keepalivedctl", "st"}, "status"},
		{[]string{"genhash", "--use-"}, "--use-ssl --use-sni --use-virtualhost"},
	} {
		if got := complete(test.words...); got != test.want {
			t.Errorf("%v: %q, want %q", test.words, got, test.want)
		}
	}
}
