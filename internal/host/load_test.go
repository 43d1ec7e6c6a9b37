package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/process"
)

// A child that has read ahead takes its own reading only if it is the parent's.
func TestReadAhead(t *testing.T) {
	const text = "include more.conf\nvirtual_server 10.0.0.1 80 {\n real_server 10.1.0.1 80 {\n weight 1\n }\n}\n"
	for _, c := range []struct {
		name   string
		seed   uint64                         // the parent's; the child has 7
		change func(t *testing.T, dir string) // between the child's reading and the parent's
		same   bool
	}{
		{"the same", 7, nil, true},
		{"another seed", 8, nil, false},
		{"a file changed", 7, func(t *testing.T, dir string) {
			write(t, dir+"/k.conf", strings.Replace(text, "weight 1", "weight 2", 1))
		}, false},
		{"an included file changed", 7, func(t *testing.T, dir string) { write(t, dir+"/more.conf", "! changed\n") }, false},
		{"a file is gone", 7, func(t *testing.T, dir string) { os.Remove(dir + "/more.conf") }, false},
		{"a file that was missing is there", 7, func(t *testing.T, dir string) {
			write(t, dir+"/later.conf", "! now\n")
		}, false},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/k.conf", text+"include later.conf\n")
			write(t, dir+"/more.conf", "! nothing\n")
			child := process.Child{Options: process.Options{ConfigFile: dir + "/k.conf"}}
			ahead := (&Source{Child: child}).ReadAhead(7)
			<-ahead.done
			if c.change != nil {
				c.change(t, dir)
			}
			recorder := configparse.NewRecorder(configparse.System{})
			configparse.Load(recorder, child.Options.ConfigFile, Env("", c.seed))
			conf, _, same := ahead.result(recorder.Archive(c.seed))
			if same != c.same {
				t.Fatalf("taken: %v, want %v", same, c.same)
			}
			if same && (len(conf.Checker.Services) != 1 || conf.Checker.Services[0].Servers[0].Weight != 1) {
				t.Errorf("read ahead: %+v", conf.Checker.Services)
			}
		})
	}
	if _, _, same := (*Ahead)(nil).result(nil); same {
		t.Error("what was not read ahead was taken")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Clean(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
