package surface

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

const statusConf = `global_defs {
    router_id lb1
    script_user root
    enable_script_security
}
vrrp_script missing {
    script "/etc/keepalived/none.sh"
    interval 1
    weight 5
    user root
}
vrrp_script chk {
    script "/usr/bin/true"
    interval 1
    weight 10
    user root
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    authentication {
        auth_type PASS
        auth_pass MINE
    }
    track_script {
        chk
        missing
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority 100
    virtual_ipaddress {
        192.0.2.200/24
        192.0.2.201/24
    }
}
vrrp_instance VI_3 {
    interface eth0
    virtual_router_id 53
    version 3
    priority 100
    unicast_peer {
        192.0.2.2
    }
    virtual_ipaddress {
        192.0.2.103/24
    }
}
virtual_server 192.0.2.100 80 {
    delay_loop 1
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.0.2.2 81 {
        TCP_CHECK {
            connect_timeout 1
            retry 0
        }
    }
}
`

// statusPeer has another password for the first instance, another address list
// for the second and the checksums of old versions for the third. It is master.
const statusPeer = `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    authentication {
        auth_type PASS
        auth_pass YOURS
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority 200
    virtual_ipaddress {
        192.0.2.200/24
    }
}
vrrp_instance VI_3 {
    interface eth0
    virtual_router_id 53
    version 3
    priority 200
    old_unicast_checksum
    unicast_peer {
        192.0.2.1
    }
    virtual_ipaddress {
        192.0.2.103/24
    }
}
`

// TestStatusOfAMess is what keepalivedctl shows of a pair that is configured
// badly, on the screen and to a monitoring system.
func TestStatusOfAMess(t *testing.T) {
	nettest.Need(t, "unshare")
	s := newStage(t)
	s.write("peer.conf", statusPeer)
	peer := s.peer.StartWith([]nettest.ProcOption{nettest.PrivateRun()}, programs+"/keepalived", "-n", "-l", "-D", "-G", "-f", s.file("peer.conf"))
	peer.WaitOutput(patience, "(VI_2) Entering MASTER STATE")
	peer.WaitOutput(patience, "(VI_3) Entering MASTER STATE")
	d := s.start(statusConf)
	d.wait("(VI_1) Entering MASTER STATE")
	d.wait("TCP_CHECK on service [192.0.2.2]:tcp:81 failed")
	ctl := func(args ...string) (string, int) {
		p := s.lb.Start(programs+"/keepalivedctl", append([]string{"--socket", s.file("run/keepalived/control.sock"), "status"}, args...)...)
		status := p.Exited(patience)
		return p.Output(), status
	}
	var screen string
	nettest.Eventually(t, patience, "the status has everything", func() bool {
		screen, _ = ctl()
		flat := strings.Join(strings.Fields(screen), " ")
		for _, want := range []string{
			"VI_1: 192.0.2.2 uses VRID 51 too and its adverts are refused: received an invalid passwd from 192.0.2.2!",
			"VI_2: 192.0.2.2 announces 1 addresses, 2 are configured here; 192.0.2.201 is missing",
			"track script missing is disabled since not found/accessible",
			"script missing: DISABLED",
			"VI_3: its peers compute unicast checksums the old way, and so does it now",
			"160 = 150 +10 (script chk)",
			"master this router, 192.0.2.1; last advert ",
			"192.0.2.2, priority 200; given up if silent for ",
			" deadlines: ",
			"why 192.0.2.2 is master with priority 200, ours is 100",
			"[192.0.2.2]:tcp:81 DOWN for",
		} {
			if !strings.Contains(flat, want) {
				return false
			}
		}
		return strings.Contains(flat, "next in")
	})
	for _, line := range strings.Split(screen, "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if out, status := ctl("--check"); status != 2 || !strings.HasPrefix(out, "CRITICAL: ") || !strings.Contains(out, "uses VRID 51 too") {
		t.Errorf("--check: %d, %s", status, out)
	}
	t.Log("\n" + screen)
	out, status := ctl("--json")
	var parsed struct {
		VRRP struct {
			Instances []struct{ Name, State, Why string }
		}
	}
	if err := json.Unmarshal([]byte(out), &parsed); err != nil || status != 0 || len(parsed.VRRP.Instances) != 3 || parsed.VRRP.Instances[0].Why == "" {
		t.Errorf("--json: %d, %v, %+v", status, err, parsed)
	}
	again := s.lb.Start(programs+"/keepalivedctl", "--socket", s.file("run/keepalived/control.sock"), "status", "--watch")
	nettest.Eventually(t, patience, "a second screen of --watch", func() bool { return strings.Count(again.Output(), "keepalived v2.4.3") >= 2 })
	again.Stop()
	d.end()
}
