package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCheck replays samples/05-script-security: the same files, the same lines.
// Lines that begin with two spaces are ours and name the component to mend.
func TestCheck(t *testing.T) {
	needRoot(t)
	base, err := os.MkdirTemp("/etc", "script-check")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	sh := "#!/bin/sh\nexit 0\n"
	for name, mode := range map[string]os.FileMode{
		"d": 0o777, "isdir": 0o755, "sticky": 0o777 | os.ModeSticky,
	} {
		if err := os.Mkdir(base+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(base+"/"+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{
		"d/in.sh": 0o755, "sticky/in.sh": 0o755, "gw.sh": 0o775, "nobodyown.sh": 0o755,
		"noexec.sh": 0o644, "ok.sh": 0o755, "ww.sh": 0o757, "rootgw.sh": 0o775,
	} {
		write(t, base, name, sh, mode)
	}
	write(t, base, "noshebang.sh", "exit 3\n", 0o755)
	for link, to := range map[string]string{"link.sh": "ok.sh", "linkww.sh": "ww.sh", "ldir": "sticky"} {
		if err := os.Symlink(base+"/"+to, base+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	for name, owner := range map[string][2]int{"gw.sh": {0, 1}, "nobodyown.sh": {65534, 0}} {
		if err := os.Chown(base+"/"+name, owner[0], owner[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}

	nobody := Credentials{UID: 65534, GID: 65534}
	root := Credentials{}
	for _, tt := range []struct {
		args     string
		cred     Credentials
		on       bool
		verdict  Verdict
		unsafe   bool
		path     string // below base
		wantText string // lines joined by |
	}{
		{"B/ok.sh", root, true, Usable, false, "ok.sh", ""},
		{"B/ww.sh", root, false, Usable, true, "ww.sh", "Unsafe permissions found for script 'B/ww.sh'.|  B/ww.sh is writable by everybody: chmod o-w ww.sh"},
		{"B/ww.sh", root, true, Insecure, true, "ww.sh", "Unsafe permissions found for script 'B/ww.sh' - disabling.|  B/ww.sh is writable by everybody: chmod o-w ww.sh"},
		{"B/ww.sh", nobody, true, Usable, false, "ww.sh", ""},
		{"B/gw.sh", root, true, Insecure, true, "gw.sh", "Unsafe permissions found for script 'B/gw.sh' - disabling.|  B/gw.sh is writable by group 1: chmod g-w gw.sh"},
		{"B/rootgw.sh", root, true, Usable, false, "rootgw.sh", ""},
		{"B/nobodyown.sh", root, true, Insecure, true, "nobodyown.sh", "Unsafe permissions found for script 'B/nobodyown.sh' - disabling.|  B/nobodyown.sh belongs to uid 65534: chown root nobodyown.sh"},
		{"B/noexec.sh", root, false, NotExecutable, false, "", "WARNING - script 'B/noexec.sh' is not executable for uid:gid 0:0 - disabling."},
		{"B/noshebang.sh", root, true, Usable, false, "noshebang.sh", "Please add a #! shebang to script B/noshebang.sh"},
		{"B/d/in.sh", root, true, Insecure, true, "d/in.sh", "Unsafe permissions found for script 'B/d/in.sh' - disabling.|  B/d is writable by everybody: chmod o-w d"},
		{"B/sticky/in.sh", root, true, Usable, false, "sticky/in.sh", ""},
		{"B/link.sh", root, true, Usable, false, "ok.sh", ""},
		{"B/linkww.sh", root, true, Insecure, true, "ww.sh", "Unsafe permissions found for script 'B/ww.sh' - disabling.|  B/ww.sh is writable by everybody: chmod o-w ww.sh"},
		{"B/ldir/in.sh", root, false, Insecure, false, "sticky/in.sh", "Wrong file type found in script path 'B/ldir/in.sh'.|  B/ldir is a symbolic link: name the directory it leads to"},
		{"B/missing.sh", root, false, Missing, false, "", "Script B/missing.sh cannot be accessed - No such file or directory"},
		{"B/isdir", root, false, Insecure, false, "isdir", "Wrong file type found in script path 'B/isdir'.|  B/isdir is not a regular file"},
		{"B///./x/../ok.sh", root, false, Missing, false, "", "Script B///./x/../ok.sh cannot be accessed - No such file or directory"},
		{"B///./d/../ok.sh", root, true, Usable, false, "ok.sh", ""},
		{"nosuchcmd a", root, false, Missing, false, "", "Cannot find script nosuchcmd in path - disabling"},
		{"<B/missing.sh", root, true, Usable, false, "", ""},
	} {
		t.Run(tt.args, func(t *testing.T) {
			c := Command{Args: strings.Fields(strings.ReplaceAll(tt.args, "B/", base+"/")), Cred: tt.cred}
			got := c.Check(Security{Enabled: tt.on})
			text := strings.ReplaceAll(strings.Join(got.Lines, "|"), base, "B")
			if got.Verdict != tt.verdict || got.Unsafe != tt.unsafe || text != tt.wantText {
				t.Errorf("Check = verdict %d, unsafe %v, lines %q\nwant verdict %d, unsafe %v, lines %q",
					got.Verdict, got.Unsafe, text, tt.verdict, tt.unsafe, tt.wantText)
			}
			if want := filepath.Join(base, tt.path); tt.path != "" && c.Path != want {
				t.Errorf("Path = %q, want %q", c.Path, want)
			}
		})
	}
}

func TestCheckPath(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "tool", "#!/bin/sh\n", 0o755)
	t.Setenv("PATH", "/nonexistent:"+dir)
	c := Command{Args: []string{"tool", "x"}, Cred: Own()}
	f := c.Check(Security{})
	want := []string{"WARNING - script `tool` resolved by path search to `" + dir + "/tool`. Please specify full path."}
	if diff := cmp.Diff(want, f.Lines[:1]); diff != "" || c.Path != dir+"/tool" {
		t.Errorf("Path = %q, lines (-want +got):\n%s", c.Path, diff)
	}
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct {
		user, group, err string
		want             Credentials
	}{
		{"root", "", "", Credentials{}},
		{"root", "daemon", "", Credentials{GID: 1}},
		{"daemon", "", "", Credentials{UID: 1, GID: 1}},
		{"daemon", ":", "", Credentials{UID: 1, GID: 1, Groups: []uint32{1}}},
		{"nosuchuser", "", "Script user 'nosuchuser' does not exist", Credentials{}},
		{"root", "nosuchgroup", "Script group 'nosuchgroup' does not exist", Credentials{}},
	} {
		got, err := Lookup(tt.user, tt.group)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != tt.err || !cmp.Equal(got, tt.want) {
			t.Errorf("Lookup(%q, %q) = %v, %q; want %v, %q", tt.user, tt.group, got, text, tt.want, tt.err)
		}
	}
}
