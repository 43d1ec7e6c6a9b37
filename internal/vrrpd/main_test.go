package vrrpd

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
)

// runEnv makes the test binary a VRRP process on the configuration file that
// it names, as if a parent had started it.
const runEnv = "VRRPD_TEST_CONF"

func TestMain(m *testing.M) {
	if name := os.Getenv(runEnv); name != "" {
		os.Exit(runDirect(name))
	}
	os.Exit(m.Run())
}

// runDirect is the parent's part of a VRRP process: it hands over the
// configuration and stays out of the way.
func runDirect(name string) int {
	log.Open(log.Options{Console: true, Detail: 1, Ident: "Keepalived_vrrp"})
	defer log.Close(time.Second)
	opt := process.Options{ConfigFile: name, LogDetail: 1, DontFork: true, LogConsole: true, NoSyslog: true}
	read := func() []byte {
		r := configparse.NewRecorder(configparse.System{})
		configparse.Load(r, name, configparse.Env{})
		return r.Archive(1).Encode()
	}
	conf, err := process.MemoryFile("config", read())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	parent, _, _ := os.Pipe()
	_, ready, _ := os.Pipe()
	return Main(process.Child{
		Handover:    process.Handover{Role: process.RoleVRRP},
		Options:     opt,
		Descriptors: process.Descriptors{Config: conf, Parent: parent, Ready: ready},
	})
}
