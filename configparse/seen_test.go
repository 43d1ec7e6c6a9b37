package configparse

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepalived-go/keepalived/checker"
)

// TestSeen holds what Debian's 2.2.7 was seen to say of snippets that are in
// no table of the reference: found by changing configurations at random and
// comparing. Only texts that 2.2.7 and 2.4.3 share by the reference are kept.
func TestSeen(t *testing.T) {
	tests := []struct{ name, conf, want string }{
		{"native-ipv6-behind-version-2", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n strict_mode\n version 2\n native_ipv6\n virtual_ipaddress {\n fe80::5\n }\n}\n", ""},
		{"ipvlan-and-unicast", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n use_ipvlan\n unicast_src_ip 10.0.0.2\n unicast_peer {\n 10.0.0.3\n }\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(A) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state
(A) vmac_xmit_base is only valid with a vmac
(Line 12) (A) unicast with use_vmac requires vmac_xmit_base - setting`},
		{"ipvlan-and-transmit-base", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n use_ipvlan 10.0.0.2\n strict_mode\n vmac_xmit_base\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(A) vmac_xmit_base is only valid with a vmac`},
		{"refused-block-without-brace", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\nvrrp_instance A\n priority 3\n}\n",
			`(Line 10) Extra '}' found
(Line 10) Unknown keyword '}'
(Line 8) vrrp instance A already defined
(Line 9) Missing '{' at beginning of configuration block
(Line 9) Unknown keyword 'priority'`},
		{"nameless-block-without-body", "vrrp_instance\n}\n",
			`(Line 1) vrrp_instance must have a name
(Line 2) Extra '}' found
(Line 2) Missing '{' at beginning of configuration block
(Line 2) Unknown keyword '}'`},
		{"script-user-unknown", "vrrp_script a {\n script \"killall -0 x\"\n user nosuchuser\n}\n",
			`(Line 3) Unable to set uid/gid for script 'killall' '-0' 'x'`},
		{"multicast-group-that-is-none", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n mcast_dst_ip ff0e::1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(A) No VIP specified; at least one is required
(Line 4) (A) mcast_dst_ip ff0e::1 not link-local multicast. Skipping...
(Line 6) (A): address family must match VRRP instance [10.0.0.1] - ignoring`},
		{"open-quote-behind-a-definition", "$A=eth0\nglobal_defs {\n router_id ${A} \"x\n}\n",
			`(Line 3) Unmatched quote: 'router_id eth0 "x'
(Line 3) Unterminated quote 'router_id ${A} "x'
(Line 3) Unterminated quote 'router_id eth0 "x'`},
		{"fifo-script-of-a-checker", "global_defs {\n notify_fifo_script \"/usr/bin/true x\"\n}\nvirtual_server 192.0.2.1 80 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 192.0.2.2 80 {\n }\n}\n",
			`SECURITY VIOLATION - check scripts are being executed but script_security not enabled.`},
		{"default-user-missing-said-once", "global_defs {\n enable_script_security\n startup_script /usr/bin/true\n}\nvrrp_script a {\n script /usr/bin/true\n}\n",
			`(Line 3) Invalid startup script
(Line 3) Unable to set default user keepalived_script for script
(Line 7) Unable to set default user for vrrp script a - removing`},
		{"own-interface-tracked", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n dont_track_primary\n track_interface {\n eth0\n }\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(A) Ignoring track_interface eth0 since own interface`},
		{"script-without-command", "vrrp_script a {\n script\n interval 1\n}\n",
			`(Line 4) No script set for vrrp_script a - removing`},
		{"ttl-zero-without-peers", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n unicast_ttl 0\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(Line 8) (A): Cannot use unicast_ttl without unicast peers - resetting`},
		{"unknown-state-after-master", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n state MASTER\n state 2\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(Line 5) (A) unknown state '2', defaulting to BACKUP`},
		{"script-user-mended", "global_defs {\n script_user nosuchuser\n script_user root\n}\n",
			`(Line 2) Error setting global script uid/gid
(Line 3) Error setting global script uid/gid`},
		{"vmac-and-fault-without-peer", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n use_vmac\n unicast_fault_no_peer\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
			`(Line 9) (A) unicast with use_vmac requires vmac_xmit_base - setting`},
		{"peer-option-without-value", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n unicast_peer {\n 10.0.0.1 foo\n 10.0.0.2 foo 3\n 10.0.0.3 min_ttl\n 10.0.0.4 no IP of (M) other\n }\n virtual_ipaddress {\n 10.0.0.9\n }\n}\n",
			`(Line 5) (A) 10.0.0.1 - foo is missing a value
(Line 6) (A) 10.0.0.2 - unknown unicast_peer option foo
(Line 7) (A) 10.0.0.3 - min_ttl is missing a value
(Line 8) (A) 10.0.0.4 - other is missing a value
(Line 8) invalid number '(M)'
(Line 8) invalid number 'IP'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Load(Files{"FILE": tt.conf}, "FILE", labEnv())
			var got []string
			for _, p := range problems {
				if p.Class != ClassLog {
					got = append(got, p.String())
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(fold(got), "\n")); diff != "" {
				t.Errorf("(-2.2.7 +ours):\n%s", diff)
			}
		})
	}
}

// TestUnknownUsers are the words about users that do not exist, which only the
// log has: those of 2.2.7 for this configuration. It names no line, and for the
// FIFO itself "vrrp_ fifo (null)" (docs/differences.md).
func TestUnknownUsers(t *testing.T) {
	conf := `global_defs {
 vrrp_notify_fifo /run/f nosuchf
 notify_fifo_script /bin/true a1
 vrrp_notify_fifo_script /bin/true root nogroup1
 startup_script "/bin/true x" a3
}
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 notify "/bin/true" a4
 virtual_ipaddress {
  10.0.0.1
 }
}
virtual_server 10.0.0.1 80 {
 quorum_up "/bin/true x" a5
 real_server 10.0.0.2 80 {
  notify_up /bin/true a6
  MISC_CHECK {
   misc_path /bin/true
   user a7
  }
 }
}
`
	want := []string{
		"2: Script user 'nosuchf' does not exist", "2: Invalid user/group for vrrp_notify_fifo /run/f - ignoring",
		"3: Script user 'a1' does not exist", "3: Invalid user/group for notify_fifo script /bin/true - ignoring",
		"4: Script group 'nogroup1' does not exist", "4: Invalid user/group for vrrp_notify_fifo script /bin/true - ignoring",
		"5: Script user 'a3' does not exist", "5: Invalid user/group for startup script /bin/true - ignoring",
		"10: Script user 'a4' does not exist", "10: Invalid user/group for notify script /bin/true - ignoring",
		"16: Script user 'a5' does not exist", "16: Invalid user/group for quorum script /bin/true - ignoring",
		"18: Script user 'a6' does not exist", "18: Invalid user/group for notify script /bin/true - ignoring",
		"21: Script user 'a7' does not exist",
	}
	env := Env{
		User:  func(name string) (User, bool) { return User{}, name == "root" },
		Group: func(string) (uint32, bool) { return 0, false },
	}
	_, problems := Load(Files{"FILE": conf}, "FILE", env)
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	var got []string
	for _, p := range problems {
		line := fmt.Sprintf("%d: %s", p.Line, p.Text)
		about := strings.HasPrefix(p.Text, "Script ") || strings.HasPrefix(p.Text, "Invalid user")
		if about && !slices.Contains(got, line) { // passes repeat it
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-2.2.7 +ours):\n%s", diff)
	}
}

// TestInvalidRegex: an expression that cannot be searched for is a fault of the
// configuration; the url stays without it. 2.2.7 says so when it runs and dies
// of it at the end.
func TestInvalidRegex(t *testing.T) {
	const conf = `virtual_server 10.0.0.1 80 {
 lvs_sched rr
 lvs_method NAT
 protocol TCP
 real_server 10.0.0.2 80 {
  HTTP_GET {
   url {
    path /
    regex "a(b"
   }
   url {
    path /
    regex "a(b)"
   }
  }
 }
}
`
	cfg, problems := Load(Files{"FILE": conf}, "FILE", Env{})
	if len(problems) != 1 || problems[0].Line != 10 || !strings.HasPrefix(problems[0].Text, "Invalid regex: 'a(b': ") {
		t.Errorf("problems: %v", problems)
	}
	urls := cfg.Checker.Services[0].Servers[0].Checks[0].Spec.(checker.HTTPCheck).URLs
	if len(urls) != 2 || urls[0].Regex != nil || urls[1].Regex == nil {
		t.Errorf("urls: %+v", urls)
	}
}
