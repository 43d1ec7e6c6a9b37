package configparse

import "time"

// afterPass are the checks that follow the reading of a pass (grammar.md 14).
var afterPass = [passes]func(*parser){Parent: completeGlobal, Checker: completeLVS, VRRP: completeVRRP}

var (
	inParent  = []Pass{Parent}
	inChecker = []Pass{Checker}
	inVRRP    = []Pass{VRRP}
)

// rootBlock are the keywords outside of all blocks.
var rootBlock = block[Config]{
	"linkbeat_use_polling": {takes: "none", help: "poll the link of every interface VRRP uses", acts: "vrrpd", in: inParent,
		set: flag(func(c *Config) { c.Global.LinkbeatUsePolling = true })},
	"net_namespace": {takes: "NAME", help: "network namespace to run in", acts: "watchdog", in: inParent,
		set: needs("net_namespace name missing - ignoring", func(p *parser, c *Config, w words) {
			if p.env.Namespace != "" { // option -s counts
				p.checkf(ClassLog, "Overriding config net_namespace '%s' with command line namespace '%s'",
					p.word(w, 1), p.env.Namespace)
				return
			}
			p.once(&c.Global.NetNamespace, "net_namespace", p.word(w, 1))
		})},
	"net_namespace_ipvs": {takes: "[NAME]", help: "namespace of the IPVS tables", acts: "checkd", in: inParent,
		set: func(p *parser, c *Config, w words) {
			if c.Global.IPVSNamespaceSet {
				p.errorf("Duplicate net_namespace_ipvs definition %s - ignoring", p.word(w, 1))
				return
			}
			c.Global.IPVSNamespaceSet, c.Global.NetNamespaceIPVS = true, p.opt(w, 1)
		}},
	"namespace_with_ipsets": {takes: "none", help: "allow ipsets inside a namespace on old kernels", in: inParent,
		set: flag(func(c *Config) { c.Global.NamespaceIPSets = true })},
	"use_pid_dir": {takes: "none", help: "PID files in the run directory", acts: "watchdog", in: inParent,
		set: flag(func(c *Config) { c.Global.UsePIDDir = true })},
	"instance": {takes: "NAME", help: "name of this daemon in file names and the log", acts: "watchdog", in: inParent,
		set: needs("instance name missing - ignoring", func(p *parser, c *Config, w words) {
			p.once(&c.Global.Instance, "instance", p.word(w, 1))
		})},
	"child_wait_time": {takes: "INT 0..4294967295", help: "seconds the parent waits for children when stopping", acts: "watchdog", in: inParent,
		set: number(0, maxUint32, strict, "Invalid child_wait_time %s",
			func(c *Config, n uint64) { c.Global.ChildWait = time.Duration(n) * time.Second })},
	"global_defs": {takes: "block", help: "settings of the whole daemon", acts: "configparse", in: inParent, opens: true, sub: globalBlock,
		set: func(p *parser, c *Config, w words) { readBlock(p, globalBlock, &c.Global) }},

	"track_group": {takes: "block NAME", help: "instances that static items follow", acts: "vrrp", in: inVRRP, opens: true,
		sub: trackGroupBlock, set: readTrackGroup},
	"static_ipaddress": {takes: "value-block of address-line", help: "addresses that stay", acts: "vrrpd", in: inVRRP, opens: true,
		sub: staticAddressWords, set: readStaticAddresses},
	"static_routes": {takes: "value-block of route-line", help: "routes that stay", acts: "vrrpd", in: inVRRP, opens: true,
		sub: staticRouteWords, set: readStaticRoutes},
	"static_rules": {takes: "value-block of rule-line", help: "policy rules that stay", acts: "vrrpd", in: inVRRP, opens: true,
		sub: staticRuleWords, set: readStaticRules},
	"vrrp_sync_group": {takes: "block NAME", help: "instances that change state together", acts: "vrrp", in: inVRRP, opens: true,
		sub: syncGroupBlock, set: readSyncGroup},
	"garp_group": {takes: "block", help: "send-rate limits of gratuitous ARP and NA", acts: "vrrp", in: inVRRP, opens: true,
		sub: garpGroupBlock, set: readGARPGroup},
	"linkbeat_interfaces": {takes: "value-block: IFNAME [MII|ETHTOOL|IOCTL] per line", help: "interfaces whose link is polled", acts: "vrrpd", in: inVRRP, opens: true,
		set: readLinkbeats},
	"vrrp_instance": {takes: "block NAME", help: "one virtual router", acts: "vrrp", in: inVRRP, opens: true,
		sub: instanceBlock, set: readInstance},
	"vrrp_script": {takes: "block NAME", help: "periodic script that instances can track", acts: "track", in: inVRRP, opens: true,
		sub: scriptBlock, set: readScript},
	"vrrp_track_process": {takes: "block NAME", help: "running processes that instances can track", acts: "track", in: inVRRP, opens: true,
		sub: processBlock, set: readProcess},
	"interface_up_down_delays": {takes: "value-block: IFNAME DOWN [UP] per line", help: "debounce of link changes", acts: "vrrp", in: inVRRP, opens: true,
		set: readDebounce},
	"SSL": {takes: "block", help: "client certificate of SSL_GET", acts: "checker", in: inChecker, opens: true,
		sub: sslBlock, set: readSSL},
	"virtual_server_group": {takes: "value-block NAME of vsg-line", help: "addresses, ranges and marks of one service",
		acts: "checkd", in: inChecker, opens: true, sub: groupLines, set: readGroup},
	"virtual_server": {takes: "block IPADDR [PORT] | block fwmark INT | block group NAME", help: "one service of the load balancer",
		acts: "checkd", in: inChecker, opens: true, sub: serviceBlock, set: readService},
	"bfd_instance": {takes: "block NAME", help: "one BFD session", acts: "bfd", in: []Pass{Checker, VRRP, BFD}, opens: true,
		sub: bfdBlock, set: readBFD},
	"track_file": {takes: "block NAME", help: "file whose number adjusts priority or weight", acts: "track", in: []Pass{Checker, VRRP}, opens: true,
		sub: fileBlock, set: readTrackFile},
	"vrrp_track_file": {takes: "block NAME", help: "old name of track_file", acts: "track", in: []Pass{Checker, VRRP}, opens: true, sub: fileBlock,
		set: func(p *parser, c *Config, w words) {
			p.logf("\"vrrp_track_file\" is deprecated, please use \"track_file\"")
			readTrackFile(p, c, w)
		}},
}

// once keeps the first of a name.
func (p *parser) once(field *string, keyword, name string) {
	if *field != "" {
		p.errorf("Duplicate %s definition %s - ignoring", keyword, name)
		return
	}
	*field = name
}
