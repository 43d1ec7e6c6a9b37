package spare

import (
	"slices"
	"testing"
)

func TestRunsHere(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want bool
	}{
		{nil, false},
		{[]string{"keepalived"}, false},
		{[]string{"-n"}, false}, // the program's own name
		{[]string{"keepalived", "-n"}, true},
		{[]string{"keepalived", "--dont-fork", "-l"}, true},
		{[]string{"keepalived", "-D", "-n", "-f", "/etc/keepalived/keepalived.conf"}, true},
		{[]string{"keepalived", "-l"}, false},
		{[]string{"keepalived", "-n", "-t"}, false},
		{[]string{"keepalived", "-n", "--config-test=/tmp/log"}, false},
		{[]string{"keepalived", "-n", "-C"}, false}, // checkers only
		{[]string{"keepalived", "--version", "-n"}, false},
	} {
		if got := runsHere(tt.args); got != tt.want {
			t.Errorf("runsHere(%q) = %v, want %v", tt.args, got, tt.want)
		}
	}
}

func TestOwnVariables(t *testing.T) {
	got := ownVariables([]string{"HOME=/root", "KEEPALIVED_GO_CHILD={}", "KEEPALIVED_GO_", "KEEPALIVED_GO_SPARE=1"})
	if want := []string{"KEEPALIVED_GO_CHILD", "KEEPALIVED_GO_SPARE"}; !slices.Equal(got, want) {
		t.Errorf("own variables %q, want %q", got, want)
	}
}

func TestCommandLine(t *testing.T) {
	if got := commandLine(); len(got) == 0 || got[0] == "" {
		t.Errorf("the command line of this test is %q", got)
	}
}
