package surface

import (
	"strings"
	"syscall"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const notifyConf = `global_defs {
    router_id lb1
    script_user root
    enable_script_security
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify "/etc/keepalived/tell.sh"
}
`

// TestScriptOfADeletedInstance reloads without an instance: its script, which
// only the configuration before knows, is told.
func TestScriptOfADeletedInstance(t *testing.T) {
	nettest.Need(t, "unshare")
	s := newStage(t)
	s.write("etc/tell.sh", "#!/bin/sh\necho \"$@\" >> /tmp/told\n")
	second := strings.NewReplacer("VI_1", "VI_2", "51", "52", "2.100", "2.200", "tell.sh\"", "tell.sh\"\n    notify_deleted").Replace(
		notifyConf[strings.Index(notifyConf, "vrrp_instance"):])
	d := s.start(notifyConf + second)
	d.wait("(VI_2) Entering MASTER STATE")
	s.write("etc/keepalived.conf", notifyConf)
	d.Signal(syscall.SIGHUP)
	nettest.Eventually(t, patience, "the script is told DELETED", func() bool {
		return strings.Contains(s.read("tmp/told"), "INSTANCE VI_2 DELETED 100")
	})
	d.end()
	if told := s.read("tmp/told"); !strings.Contains(told, "INSTANCE VI_1 STOP 100") {
		t.Errorf("the script was told:\n%s", told)
	}
}
