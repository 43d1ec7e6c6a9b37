package configparse_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/report"
	"github.com/keepalived-go/keepalived/vrrp"
)

// TestVRRPDumps compares what we understand of the corpus with what 2.4.3
// wrote into keepalived.data, line by line: global definitions, instances with
// their addresses, routes, rules and tracks, groups, scripts, track files,
// processes, BFD, static entries. Our side is rendered by internal/report, so
// the layout is compared as well.
func TestVRRPDumps(t *testing.T) {
	fields, dumps := 0, 0
	for _, d := range configparse.CorpusDumps(t) {
		theirs := configured(vrrpPart(d.Text), len(d.Ours.VRRP.PaceGroups) > 0)
		if len(theirs) == 0 {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			ours := configured(ourDump(d.Ours), true)
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("(-2.4.3 +ours):\n%s", short(diff))
			}
		})
		dumps++
		fields += len(theirs)
	}
	t.Logf("%d dumps, %d lines compared", dumps, fields)
}

func short(diff string) string {
	const most = 4000
	if len(diff) > most {
		return diff[:most] + "…"
	}
	return diff
}

// vrrpPart is the part of a dump that the VRRP process wrote.
func vrrpPart(dump string) string {
	_, text, _ := strings.Cut(dump, "==> keepalived.data <==\n")
	text, _, _ = strings.Cut(text, "\n==> ")
	return text
}

// ourDump renders a configuration as -d does.
func ourDump(c *configparse.Config) string {
	for i := range c.VRRP.Instances {
		if in := &c.VRRP.Instances[i]; in.VMAC != nil && !in.VMAC.AddrsOnly {
			in.Device = "VMAC" // vrrpd finds a name
		}
	}
	dropUntracked(&c.VRRP)
	now := time.Unix(0, 0)
	r := vrrp.New(vrrp.Options{})
	r.Reload(now, &c.VRRP)
	return report.VRRP{Config: c, Snapshot: r.Snapshot(now)}.Data()
}

// dropUntracked leaves out what nobody follows: the original forgets it before
// it writes a dump.
func dropUntracked(c *vrrp.Config) {
	used := map[string]bool{}
	note := func(lists ...[]vrrp.Track) {
		for _, t := range slices.Concat(lists...) {
			used[t.Name] = true
		}
	}
	for i := range c.Instances {
		in := &c.Instances[i]
		note(in.TrackScripts, in.TrackFiles)
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		note(g.TrackScripts, g.TrackFiles)
	}
	c.Scripts = slices.DeleteFunc(c.Scripts, func(s vrrp.ScriptConfig) bool { return !used[s.Name] })
	c.Files = slices.DeleteFunc(c.Files, func(f vrrp.FileConfig) bool { return !used[f.Name] })
}

// atWork are the lines that tell what a process was doing, or what it found on
// its machine, and not what it was told.
var atWork = regexp.MustCompile(`^ *(` + strings.Join([]string{
	"State = ", "Master router = ", "Master priority = ", "Master advert interval = ",
	"Number of (tracker faults|track scripts init) = ", "Flags of interface faults", "Last transition = ", "Read timeout = ",
	"Master down timer = ", "fd_in ", "No sockets allocated", "Effective priority = ", "Total priority = ", "Last advert sent = ",
	"Num member fault ", "Result = ", "Insecure = ", "Init state = ", "Status = ", "Path = ",
	"Current processes = ", "Have quorum = ", "(Fork|Terminate) delay timer ", "Bfd is ", "GARP next time ", "GNA next time ",
	"Wantstate = ", "Flags:", "unspecified$", "(base )?i/f down$", "Rogue master counter = ", "Roger timer thread = ",
	"Unicast config option specified", "DBus (en|dis)abled", "LVS syncd syncid", "Check unicast src", "Default script uid:gid",
	"Iptables ", "Using ipsets", "ipset ", "nftables (table|base|.*ifindex)", "(VRRP|Global|LVS) notify fifo script", // as far as they go there
	"libnftnl version ", "no source IP address", "Next scheduled",
}, "|") + `)`)

var (
	foundSource = regexp.MustCompile(`^( *Using src_ip) = .*[^)]$|^( *Using src_ip) = \(none\)$`)
	vmacDevice  = regexp.MustCompile(`dev \S+@`)
	onBase      = regexp.MustCompile(`@\S+`)
	useDevice   = regexp.MustCompile(`(Use VMAC, i/f name|Use IPVLAN, i/f) [^ ,]+(, is_up = \w+)?`)
	onDevice    = regexp.MustCompile(`^ *Interface = `)
	ifindex     = regexp.MustCompile(`, ifindex \d+$`)
	holding     = regexp.MustCompile(` set$`)
	program     = regexp.MustCompile(`^( *Command = ')/usr/s?bin/`) // found in PATH
	groupState  = regexp.MustCompile(`^( VRRP Sync Group = .*), \w+$`)
)

// configured leaves the lines of a dump that are configuration. Without a
// garp_group the original shows groups that it made of vrrp_garp_interval.
func configured(dump string, paced bool) []string {
	var out []string
	part, virtual := "", false
	for _, line := range strings.Split(dump, "\n") {
		if strings.HasPrefix(line, "------<") {
			part = strings.Trim(line, "-<> ")
		}
		if line == "" || part == "VRRP Sockpool" || part == "Interfaces" ||
			!paced && (part == "GARP delay group" || part == "Gratuitous ARP delays") || atWork.MatchString(line) {
			continue
		}
		for _, r := range []struct {
			what *regexp.Regexp
			with string
		}{
			{foundSource, "$1$2 = (found)"}, {useDevice, "$1 VMAC"},
			{ifindex, ""}, {program, "$1"}, {holding, ""}, {groupState, "$1"},
		} {
			line = r.what.ReplaceAllString(line, r.with)
		}
		if onDevice.MatchString(line) && virtual {
			line = "   Interface = VMAC" // shorter when it could not be made
		}
		virtual = useDevice.MatchString(line) || virtual && !onDevice.MatchString(line)
		if strings.HasPrefix(part, "Static") { // entries name the virtual interface itself
			line = onBase.ReplaceAllString(line, "")
		} else {
			line = vmacDevice.ReplaceAllString(line, "dev ")
		}
		out = append(out, strings.TrimSuffix(strings.Replace(line, "from 0.0.0.0/0", "from all", 1), "'"))
	}
	return out
}
