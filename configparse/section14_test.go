package configparse

import (
	"strings"
	"testing"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/ipvs"
	"github.com/keepalived-go/keepalived/vrrp"
)

// router writes an instance A on eth0 with VRID 1 and the lines given.
func router(lines ...string) string {
	return "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n " + strings.Join(lines, "\n ") + "\n}\n"
}

const (
	vip4     = "virtual_ipaddress {\n 10.0.0.1\n }"
	vip6     = "virtual_ipaddress {\n fe80::1\n }"
	strictOn = "strict_mode on"
	peers    = "unicast_peer {\n 10.0.0.9\n }"
	second   = "vrrp_instance B {\n interface eth1\n virtual_router_id 2\n " + vip4 + "\n}\n"
	track    = "vrrp_script s {\n script /usr/bin/true\n weight 5\n}\ntrack_file f {\n file /tmp/f\n}\nbfd_instance b {\n neighbor_ip 10.0.0.8\n}\n"
	secured  = "global_defs {\n enable_script_security\n script_user root\n}\n"
)

// service writes a virtual server with the lines given and one real server.
func service(head, protocol string, lines ...string) string {
	if protocol != "" {
		lines = append(lines, "protocol "+protocol)
	}
	return "virtual_server " + head + " {\n " + strings.Join(lines, "\n ") + "\n}\n"
}

const rs = "real_server 10.1.0.1 80 {\n weight 1\n }"

// TestSection14 goes through grammar.md 14: every finding after the reading,
// with its text and, where it changes a value, its effect. What only the log
// gets stands in the tests of internal/vrrpd and vrrp.
func TestSection14(t *testing.T) {
	a := func(c *Config) *vrrp.InstanceConfig { return &c.VRRP.Instances[0] }
	vs := func(c *Config) *checker.ServiceConfig { return &c.Checker.Services[0] }
	failed := func(c *Config) bool { return c.Failed[VRRP] }
	noBFD := func(c *Config) bool { return len(c.BFD) == 0 }
	said := func(*Config) bool { return true } // the effect is the message
	rows := []struct {
		name, conf, want string
		effect           func(*Config) bool
	}{
		// 14.1: what ends the VRRP pass.
		{"no-vrid", "vrrp_instance A {\n interface eth0\n " + vip4 + "\n}\n", "(A) the virtual router id must be set", failed},
		{"missing-interface", "vrrp_instance A {\n interface eth9\n virtual_router_id 1\n " + vip4 + "\n}\n", "Non-existent interface specified in configuration", failed},
		{"missing-vip-interface", router("virtual_ipaddress {\n 10.0.0.1 dev eth9\n }"), "Non-existent interface specified in configuration", failed},
		{"missing-default-interface", "global_defs {\n default_interface eth9\n}\n" + router(vip4), "Non-existent interface specified in configuration", failed},
		{"no-interface", "vrrp_instance A {\n virtual_router_id 1\n " + vip4 + "\n}\n", "(A) Unknown interface!", failed},
		{"unicast-no-source", "vrrp_instance A {\n virtual_router_id 1\n " + peers + "\n " + vip4 + "\n}\n", "(A): Unicast instances must have unicast_src_ip or interface", failed},
		{"link-local-source", "vrrp_instance A {\n virtual_router_id 1\n unicast_src_ip fe80::1\n unicast_peer {\n fe80::2\n }\n " + vip6 + "\n}\n", "(A) Non link-local address required if interface omitted", failed},
		{"strict-unicast", router(strictOn, peers, vip4), "(A) Unicast peers are not supported in strict mode", failed},
		{"no-vip-v3", router("version 3"), "(A) No VIP specified; at least one is required", failed},
		{"no-vip-strict", router(strictOn), "(A) No VIP specified; at least one is required", failed},
		{"vrid-twice", router(vip4) + "vrrp_instance B {\n interface eth0\n virtual_router_id 1\n " + vip4 + "\n}\n", "A and B both use VRID 1 with IPv4 on interface eth0", failed},
		{"vrid-twice-unicast", router("unicast_src_ip 10.0.0.2", peers, vip4) + strings.Replace(router("unicast_src_ip 10.0.0.2", peers, vip4), "e A", "e B", 1), "(A) duplicate VRID conflict with B VRID 1", failed},

		// 14.2: instances.
		{"strict-v2-ipv6", router(strictOn, "version 2", "priority 255", vip6), "(A) cannot use IPv6 with VRRP version 2; setting version 3", func(c *Config) bool { return a(c).Version == 3 }},
		{"strict-master", router(strictOn, "state MASTER", "priority 100", vip4), "(A) State MASTER must match being address owner", func(c *Config) bool { return !a(c).WantMaster }},
		{"strict-auth", router(strictOn, "authentication {\n auth_type PASS\n auth_pass x\n }", vip4), "(A) Strict mode does not support authentication. Ignoring.", func(c *Config) bool { return a(c).Auth.Type == vrrp.AuthNone }},
		{"v3-auth", router("version 3", "authentication {\n auth_type PASS\n auth_pass x\n }", vip4), "(A) VRRP version 3 does not support authentication. Ignoring.", func(c *Config) bool { return a(c).Auth.Type == vrrp.AuthNone }},
		{"auth-no-pass", router("authentication {\n auth_type PASS\n }", vip4), "(A) Authentication specified but no password given. Ignoring", func(c *Config) bool { return a(c).Auth.Type == vrrp.AuthNone }},
		{"ah-ipv6", router("version 2", "authentication {\n auth_type AH\n auth_pass x\n }", vip6), "(A) Cannot use AH authentication with IPv6. ignoring", func(c *Config) bool { return a(c).Auth.Type == vrrp.AuthNone }},
		{"ah-master", router("state MASTER", "priority 100", "authentication {\n auth_type AH\n auth_pass x\n }", vip4), "(A) Initial state master is incompatible with AH authentication - clearing", func(c *Config) bool { return !a(c).WantMaster && a(c).Auth.Type == vrrp.AuthAH }},
		{"hmac-and-auth", router("authentication {\n auth_type PASS\n auth_pass x\n }", "auth_hmac {\n key 1 "+strings.Repeat("ab", 32)+"\n active_key 1\n }", vip4), "(A) auth_hmac cannot be combined with authentication, dropping legacy auth", func(c *Config) bool { return a(c).HMAC != nil && a(c).Auth.Type == vrrp.AuthNone }},
		{"hmac-no-key", router("auth_hmac {\n key 1 "+strings.Repeat("ab", 32)+"\n active_key 2\n }", vip4), "(A) auth_hmac active_key 2 is not defined, disabling extension", func(c *Config) bool { return a(c).HMAC == nil }},
		{"strict-hmac", router(strictOn, "priority 255", "version 3", "auth_hmac {\n key 1 "+strings.Repeat("ab", 32)+"\n active_key 1\n mode permissive\n }", vip4), "(A) strict mode requires auth_hmac mode enforce", func(c *Config) bool { return a(c).HMAC.Mode == vrrp.HMACEnforce }},
		{"unicast-no-peer", router("unicast_src_ip 10.0.0.2", vip4), "(A) A unicast keyword has been specified without any unicast peers. Defaulting to multicast.", func(c *Config) bool { return !a(c).Unicast }},
		{"unicast-no-peer-fault", router("unicast_src_ip 10.0.0.2", "unicast_fault_no_peer", vip4), "", func(c *Config) bool { return a(c).ConfigFault != "" }},
		{"strict-vmac-mac", router(strictOn, "priority 255", "use_vmac 02:00:00:00:00:01", vip4), "(A): cannot specify MAC address with strict mode - clearing", func(c *Config) bool { return a(c).VMAC.MAC == [6]byte{} }},
		{"vmac-on-tunnel", "vrrp_instance A {\n interface tun0\n virtual_router_id 1\n use_vmac\n unicast_src_ip 10.0.0.2\n " + peers + "\n " + vip4 + "\n}\n", "(A): vmacs are only supported on Ethernet type interfaces", func(c *Config) bool { return a(c).ConfigFault != "" }},
		{"no-multicast", "vrrp_instance A {\n interface tun0\n virtual_router_id 1\n " + vip4 + "\n}\n", "(A) interface tun0 does not support multicast, specify unicast peers - disabling", func(c *Config) bool { return a(c).ConfigFault != "" }},
		{"strict-first-vip6", router(strictOn, "priority 255", "virtual_ipaddress {\n 2001:db8::1\n }"), "(A) the first IPv6 VIP address must be link local", said},
		{"vrf-without-unicast", "vrrp_instance A {\n virtual_router_id 1\n vrf vrf0\n unicast_src_ip 10.0.0.2\n virtual_ipaddress {\n 10.0.0.1 dev eth0\n }\n}\n", "(A) vrf can only be specified without unicast - clearing", func(c *Config) bool { return a(c).VRF == "" }},
		{"too-many-vips", router("virtual_ipaddress {\n ~SEQ(N, 1, 255) 10.0.1.${N}\n 10.0.2.1\n 10.0.2.2\n }"), "(A) Number of VIPs (257) exceeds maximum/space available in packet (max 255 addresses) - excess moved to eVIPs", func(c *Config) bool { return len(a(c).Addresses) == 255 && len(a(c).Excluded) == 2 }},
		{"nopreempt-owner", router("priority 255", "nopreempt", vip4), "(A) nopreempt is incompatible with priority 255. resetting nopreempt", func(c *Config) bool { return !a(c).NoPreempt }},
		{"nopreempt-master", router("state MASTER", "priority 100", "nopreempt", vip4), "(A) Warning - nopreempt will not work with initial state MASTER - clearing", func(c *Config) bool { return !a(c).NoPreempt }},
		{"delay-master", router("state MASTER", "priority 100", "preempt_delay 3", vip4), "(A) Warning - preempt delay will not work with initial state MASTER - clearing", func(c *Config) bool { return a(c).PreemptDelay == 0 }},
		{"strict-delay", router(strictOn, "preempt_delay 3", vip4), "(A) preempt_delay is incompatible with strict mode - resetting", func(c *Config) bool { return a(c).PreemptDelay == 0 }},
		{"nopreempt-delay", router("nopreempt", "preempt_delay 3", vip4), "(A) preempt_delay is incompatible with nopreempt mode - resetting", func(c *Config) bool { return a(c).PreemptDelay == 0 && a(c).NoPreempt }},
		{"strict-down-adverts", router(strictOn, "down_timer_adverts 5", vip4), "(A) down_timer_adverts is incompatible with strict mode - resetting", func(c *Config) bool { return a(c).DownTimerAdverts == 3 }},
		{"expired-backup", router("timer_expired_backup", vip4), "(A) expired_timer_backup requires nopreempt - resetting", func(c *Config) bool { return a(c).TimerExpiredBackup == 0 }},
		{"strict-v2-accept", router(strictOn, "version 2", "accept", vip4), "(A) warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting", func(c *Config) bool { return a(c).NoAccept }},
		{"strict-default-accept", router(strictOn, vip4), "", func(c *Config) bool { return a(c).NoAccept }},
		{"multicast-and-unicast", router("mcast_dst_ip 224.0.0.99", peers, vip4), "(A) multicast destination specified with unicast - ignoring", func(c *Config) bool { return !a(c).Destination.IsValid() }},
		{"strict-lower-repeat", router(strictOn, "garp_lower_prio_repeat 2", vip4), "(A) Strict mode requires no repeat garps. resetting", func(c *Config) bool { return a(c).GARP.LowerPrioRepeat == 0 }},
		{"strict-lower-delay", router(strictOn, "garp_lower_prio_delay 2", vip4), "(A) Strict mode requires no repeat garp delay. resetting", func(c *Config) bool { return a(c).GARP.LowerPrioDelay == 0 }},
		{"strict-lower-advert", router(strictOn, "lower_prio_no_advert false", vip4), "(A) Strict mode requires no lower priority advert. resetting", func(c *Config) bool { return a(c).LowerPrioNoAdvert }},
		{"strict-higher-advert", router(strictOn, "higher_prio_send_advert true", vip4), "(A) strict mode requires higher_prio_send_advert to be clear. resetting", func(c *Config) bool { return !a(c).HigherPrioSendAdvert }},
		{"owner-ignore", router("owner_ignore_adverts", vip4), "(A) ignoring owner_ignore_adverts since priority is not 255", func(c *Config) bool { return !a(c).OwnerIgnoreAdverts }},
		{"owner-ignore-off", router("priority 255", "owner_ignore_adverts off", vip4), "(A) strict_mode with priority 255 requires owner_ignore_adverts", func(c *Config) bool { return a(c).OwnerIgnoreAdverts }},
		{"interval-v2", router("version 2", "advert_int 1.6", vip4), "(A) VRRPv2 advertisement interval 1.600000s must be an integer. rounding", func(c *Config) bool { return a(c).AdvertInterval == 2*time.Second }},
		{"interval-v3", router("version 3", "advert_int 0.016", vip4), "(A) VRRPv3 advertisement interval 0.016000s must be in units of 10ms - rounding", func(c *Config) bool { return a(c).AdvertInterval == 20*time.Millisecond }},
		{"interval-v3-long", router("version 3", "advert_int 50", vip4), "(A) VRRPv3 advertisement interval 50.00s is out of range. Must be less than 40.96s. Setting to 40.95s", func(c *Config) bool { return a(c).AdvertInterval == 40950*time.Millisecond }},
		{"vmac-name-taken", router("use_vmac eth1", vip4), "(A) interface eth1 already exists and is not a private macvlan; ignoring vmac if_name", func(c *Config) bool { return a(c).VMAC.Name == "" }},
		{"strict-xmit-base", router(strictOn, "use_vmac", "vmac_xmit_base", vip4), "(A) xmit_base is incompatible with strict mode - resetting", func(c *Config) bool { return !a(c).VMAC.XmitBase }},
		{"promote-vmac", router("use_vmac", "promote_secondaries", vip4), "(A) promote_secondaries is automatically set for vmacs - ignoring", func(c *Config) bool { return !a(c).PromoteAddrs }},
		{"ipvlan-no-address", router("use_ipvlan", vip4), "(A) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state", func(c *Config) bool { return a(c).ConfigFault != "" }},
		{"own-interface", router("track_interface {\n eth0\n }", vip4), "(A) Ignoring track_interface eth0 since own interface", func(c *Config) bool { return len(a(c).TrackInterfaces) == 0 }},
		{"xmit-base-alone", router("vmac_xmit_base", vip4), "(A) vmac_xmit_base is only valid with a vmac", func(c *Config) bool { return a(c).VMAC == nil }},
		{"vip-vmac-twice", router("use_vmac", "virtual_ipaddress {\n 10.0.0.1 use_vmac\n }"), "(A) use_vmac specified for VIP/eVIP 10.0.0.1 and vrrp instance", func(c *Config) bool { return !a(c).Addresses[0].UseVMAC }},
		{"vip-vmac-addr", router("use_vmac_addr", "virtual_ipaddress {\n 10.0.0.1 dev eth1 use_vmac\n }"), "(A) use_vmac_addr specified and use_vmac specified for VIP/eVIP 10.0.0.1", func(c *Config) bool { return !a(c).Addresses[0].UseVMAC }},
		{"vip-no-interface", "vrrp_instance A {\n virtual_router_id 1\n unicast_src_ip 10.0.0.2\n " + peers + "\n virtual_ipaddress {\n 10.0.0.1\n 10.0.0.3 dev eth0\n }\n}\n", "(A): no interface for vip 10.0.0.1 - removing", func(c *Config) bool { return len(a(c).Addresses) == 1 }},
		{"strict-no-vip", router(strictOn, "no_virtual_ipaddress"), "(A) no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress", failed},
		{"no-vip-v2", router("version 2"), "(A) No VIP specified; at least one is sensible", said},
		{"vmac-shared", router("virtual_ipaddress {\n 10.0.0.1 dev eth1 use_vmac\n }") + "vrrp_instance B {\n interface eth1\n virtual_router_id 1\n use_vmac\n " + vip4 + "\n}\n", "(A) VIP/eVIP 10.0.0.1 uses same VMAC as VRRP instance B, disabling A", func(c *Config) bool { return a(c).ConfigFault != "" }},
		{"vmac-shared-by-vips", router("virtual_ipaddress {\n 10.0.0.1 dev lo use_vmac\n }") + "vrrp_instance B {\n interface eth1\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.2 dev lo use_vmac\n }\n}\n", "(A) VIP/eVIP 10.0.0.1 uses same VMAC as VRRP instance B VIP/eVIP 10.0.0.2, disabling A", func(c *Config) bool { return a(c).ConfigFault != "" && c.VRRP.Instances[1].ConfigFault == "" }},
		{"vmac-and-unicast", router("use_vmac", peers, "unicast_src_ip 10.0.0.2", vip4), "(A) unicast with use_vmac requires vmac_xmit_base - setting", func(c *Config) bool { return a(c).VMAC.XmitBase }},
		{"ttl-no-peers", router("unicast_ttl 3", vip4), "(A): Cannot use unicast_ttl without unicast peers - resetting", func(c *Config) bool { return a(c).UnicastTTL == 0 }},
		{"owner-tracked-interface", router("priority 255", "track_interface {\n eth1 weight 5\n }", vip4), "(A) ignoring eth1 tracked interface due to address owner", func(c *Config) bool { return len(a(c).TrackInterfaces) == 0 }},
		{"owner-tracked-script", secured + track + router("priority 255", "track_script {\n s\n }", vip4), "(A) ignoring tracked script s with weights due to address_owner", func(c *Config) bool { return len(a(c).TrackScripts) == 0 }},
		{"owner-tracked-file", track + router("priority 255", "track_file {\n f\n }", vip4), "(A) ignoring weight from tracked file f due to address_owner. specify weight 0", func(c *Config) bool { return a(c).TrackFiles[0].Weight == 0 }},
		{"owner-tracked-file-weight", track + router("priority 255", "track_file {\n f weight 3\n }", vip4), "(A) ignoring tracked file f with weight 3 due to address_owner", func(c *Config) bool { return len(a(c).TrackFiles) == 0 }},
		{"owner-tracked-bfd", track + router("priority 255", "track_bfd {\n b weight 3\n }", vip4), "(A) ignoring tracked bfd b with weight 3 due to address_owner", func(c *Config) bool { return len(a(c).TrackBFD) == 0 }},
		{"member-tracked-interface", router("track_interface {\n eth1 weight 5\n }", vip4) + second + "vrrp_sync_group G {\n group {\n A B\n }\n}\n", "(A) ignoring eth1 tracked interface weight due to SYNC group", func(c *Config) bool { return a(c).TrackInterfaces[0].Weight == 0 }},

		// 14.3: groups.
		{"group-empty", "vrrp_sync_group G {\n}\n" + router(vip4), "Sync group G has no members - removing", func(c *Config) bool { return len(c.VRRP.Groups) == 0 }},
		{"group-member-unknown", router(vip4) + second + "vrrp_sync_group G {\n group {\n A B C\n }\n}\n", "Virtual router C specified in sync group G doesn't exist - ignoring", func(c *Config) bool { return len(c.VRRP.Groups[0].Members) == 2 }},
		{"group-member-twice", router(vip4) + second + "vrrp_sync_group G {\n group {\n A B\n }\n}\nvrrp_sync_group H {\n group {\n A\n }\n}\n", "Virtual router A cannot exist in more than one sync group; ignoring H", func(c *Config) bool { return len(c.VRRP.Groups) == 1 }},
		{"group-nobody-left", router(vip4) + "vrrp_sync_group G {\n group {\n C\n }\n}\n", "Sync group G, no matching virtual router found in group declaration - removing", func(c *Config) bool { return len(c.VRRP.Groups) == 0 }},
		{"group-of-one", router(vip4) + "vrrp_sync_group G {\n group {\n A\n }\n}\n", "Sync group G has only 1 virtual router(s) - this probably isn't what you want", func(c *Config) bool { return len(c.VRRP.Groups) == 1 }},
		{"group-mixed-owners", router("priority 255", vip4) + second + "vrrp_sync_group G {\n group {\n A B\n }\n}\n", "Sync group G has some member(s) as address owner and some not as address owner. This won't work.", said},
		{"group-weight-owner", secured + track + router("priority 255", vip4) + second + "vrrp_sync_group G {\n group {\n B A\n }\n track_script {\n s weight 5\n }\n sync_group_tracking_weight\n}\n", "(G) Cannot have weighted track script 's' with member having priority 255 - clearing weight", func(c *Config) bool { return c.VRRP.Groups[0].TrackScripts[0].Weight == 0 }},
		{"group-file-owner", track + router("priority 255", vip4) + second + "vrrp_sync_group G {\n group {\n B A\n }\n track_file {\n f\n }\n sync_group_tracking_weight\n}\n", "(G) Cannot have weighted track file 'f' with member having priority 255 - setting weight 0", func(c *Config) bool { return c.VRRP.Groups[0].TrackFiles[0].Weight == 0 }},

		// 14.4: virtual servers.
		{"mark-ha-suspend", service("fwmark 3", "", "ha_suspend", rs), "Virtual server FWM 3: cannot use ha_suspend with fwmarks - clearing ha_suspend", func(c *Config) bool { return !vs(c).HASuspend }},
		{"no-protocol", service("10.0.0.1 80", "", rs), "no protocol set - defaulting to UDP", func(c *Config) bool { return vs(c).Protocol == ipvs.UDP }},
		{"ops-tcp", service("10.0.0.1 80", "TCP", "ops", rs), "one packet scheduling requires UDP - resetting", func(c *Config) bool { return vs(c).Options.Flags&ipvs.OnePacket == 0 }},
		{"port-zero", service("10.0.0.1 0", "TCP", "real_server 10.1.0.1 {\n }"), "zero port only valid for persistent services - setting", func(c *Config) bool { return vs(c).Options.Persistence.Timeout == 360 }},
		{"mark-protocol", service("fwmark 3", "TCP", rs), "Warning: Virtual server FWM 3: protocol specified for fwmark - protocol will be ignored", said},
		{"no-scheduler", service("10.0.0.1 80", "TCP", rs), "no scheduler set, setting default 'wlc'", func(c *Config) bool { return vs(c).Options.Scheduler == "wlc" }},
		{"server-twice", service("10.0.0.1 80", "TCP", rs, rs), "real server [10.1.0.1]:tcp:80 is duplicated - removing second rs", func(c *Config) bool { return len(vs(c).Servers) == 1 }},
		{"no-method", service("10.0.0.1 80", "TCP", rs), "no forwarding method set, setting default NAT", func(c *Config) bool { return vs(c).Servers[0].Forward.Method == ipvs.NAT }},
		{"sorry-inhibit", service("10.0.0.1 80", "TCP", "lvs_method NAT", "sorry_server 10.1.0.1 80", "real_server 10.1.0.1 80 {\n inhibit_on_failure\n }"), "matches sorry server, but inhibit setting differs, setting on sorry server", said},
		{"quorum", service("10.0.0.1 80", "TCP", "quorum 9", rs), "Warning - quorum 9 for [10.0.0.1]:tcp:80 exceeds total weight of real servers 1, reducing quorum to 1", func(c *Config) bool { return vs(c).Quorum == 1 }},
		{"hysteresis", service("10.0.0.1 80", "TCP", "hysteresis 4", rs), "hysteresis 4 >= quorum 1; setting hysteresis to 0", func(c *Config) bool { return vs(c).Hysteresis == 0 }},
		{"mark-server-port", service("fwmark 3", "", "lvs_method DR", rs), "WARNING - fwmark virtual server FWM 3, real server [10.1.0.1]:none:80 has port specified - clearing", func(c *Config) bool { return vs(c).Servers[0].Addr.Port() == 0 }},
		{"ports-differ", service("10.0.0.1 80", "TCP", "lvs_method DR", "real_server 10.1.0.1 81 {\n }"), "and real server [10.1.0.1]:tcp:81 ports don't match - resetting", func(c *Config) bool { return vs(c).Servers[0].Addr.Port() == 80 }},
		{"sorry-ports-differ", service("10.0.0.1 80", "TCP", "lvs_method DR", "sorry_server 10.1.0.9 81", rs), "and sorry server ports don't match - resetting", func(c *Config) bool { return vs(c).Sorry.Addr.Port() == 80 }},
		{"mark-sorry-port", service("fwmark 3", "", "lvs_method DR", "sorry_server 10.1.0.9 81", "real_server 10.1.0.1 {\n }"), "sorry server has port specified - clearing", func(c *Config) bool { return vs(c).Sorry.Addr.Port() == 0 }},

		// 14.5: BFD, with line.
		{"bfd-no-neighbour", "bfd_instance b {\n}\n", "BFD instance b has no neighbor address set, disabling instance", noBFD},
		{"bfd-families", "bfd_instance b {\n neighbor_ip 10.0.0.1\n source_ip fe80::1\n}\n", "are not of the same family, disabling instance", noBFD},
		{"bfd-neighbour-twice", "bfd_instance b {\n neighbor_ip 10.0.0.1\n}\nbfd_instance c {\n neighbor_ip 10.0.0.1\n}\n", "BFD instance c has duplicate neighbor address 10.0.0.1, ignoring instance", func(c *Config) bool { return len(c.BFD) == 1 }},
		{"bfd-hops", "bfd_instance b {\n neighbor_ip 10.0.0.1\n ttl 3\n max_hops 9\n}\n", "BFD instance b: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit", func(c *Config) bool { return c.BFD[0].MaxHops == 3 }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			env := labEnv()
			env.Link = func(name string) (Link, bool) {
				switch name {
				case "tun0":
					return Link{NoMulticast: true, MTU: 1500}, true
				case "vrf0":
					return Link{VRF: true, Ethernet: true, MTU: 1500}, true
				}
				return labEnv().Link(name)
			}
			cfg, problems := Load(Files{"FILE": row.conf}, "FILE", env)
			found := row.want == ""
			var all []string
			for _, p := range problems {
				if p.Class != ClassLog {
					found = found || strings.Contains(p.Text, row.want)
					all = append(all, p.String())
				}
			}
			if !found {
				t.Errorf("nobody said %q; said was:\n%s", row.want, strings.Join(all, "\n"))
			}
			if len(cfg.VRRP.Instances)+len(cfg.Checker.Services)+len(cfg.BFD) == 0 && !strings.HasPrefix(row.name, "bfd") {
				t.Fatalf("nothing is configured; said was:\n%s", strings.Join(all, "\n"))
			}
			if !row.effect(cfg) {
				t.Errorf("the effect is missing; said was:\n%s", strings.Join(all, "\n"))
			}
		})
	}
}
