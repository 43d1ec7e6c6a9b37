package spare

import (
	"os"
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

func TestProgram(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := Program(); got != name {
		t.Errorf("the program is %q, want %q", got, name)
	}
	if err := os.Rename(name, name+".old"); err != nil {
		t.Fatal(err)
	}
	if got := Program(); got != name+".old" {
		t.Errorf("renamed, the program is %q, want %q", got, name+".old")
	}
	if err := os.Link(name+".old", name); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name + ".old"); err != nil {
		t.Fatal(err)
	}
	if got := Program(); got != "/proc/self/exe" {
		t.Errorf("removed, the program is %q", got)
	}
}

func TestCommandLine(t *testing.T) {
	if got := commandLine(); len(got) == 0 || got[0] == "" {
		t.Errorf("the command line of this test is %q", got)
	}
}
