package kernel

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ruleCases are rules as the grammar allows them, and what iproute2 says about
// each.
var ruleCases = []struct {
	name string
	r    Rule
	show string
}{
	{"from", Rule{From: prefix("10.1.0.0/16"), Table: 100}, "1000: from 10.1.0.0/16 lookup 100 proto keepalived"},
	{"to, big table", Rule{To: prefix("10.1.0.1/32"), Table: 70000}, "1000: from all to 10.1.0.1 lookup 70000"},
	{"not, both", Rule{Not: true, From: prefix("10.1.0.0/16"), To: prefix("10.2.0.0/16"), Table: 100}, "1000: not from 10.1.0.0/16 to 10.2.0.0/16 lookup 100"},
	{"all", Rule{From: prefix("0.0.0.0/0"), Table: 100}, "1000: from all lookup 100"},
	{"tos", Rule{TOS: 0x10, Table: 100}, "from all tos 0x10 lookup 100"},
	{"mark", Rule{HasMark: true, Mark: 5, Table: 100}, "from all fwmark 0x5 lookup 100"},
	{"mark and mask", Rule{HasMark: true, Mark: 0, Mask: 0xff, Table: 100}, "from all fwmark 0/0xff lookup 100"},
	{"interfaces", Rule{IIF: "v0", OIF: "v1", Table: 100}, "from all iif v0 oif v1 lookup 100"},
	{"interface that is not there", Rule{IIF: "nothing", Table: 100}, "from all iif nothing [detached] lookup 100"},
	{"tunnel", Rule{TunnelID: 77, Table: 100}, "from all tun_id 77 lookup 100"},
	{"users", Rule{HasUID: true, UIDLow: 0, UIDHigh: 99, Table: 100}, "from all uidrange 0-99 lookup 100"},
	{"ports", Rule{IPProto: 6, SPort: PortRange{1000, 2000}, DPort: PortRange{80, 80}, Table: 100}, "from all ipproto tcp sport 1000-2000 dport 80 lookup 100"},
	{"realms", Rule{From: prefix("10.1.0.0/16"), Realms: 3<<16 | 4, Table: 100}, "lookup 100 realms 3/4"},
	{"suppress", Rule{HasSuppressPrefix: true, SuppressPrefix: 0, HasSuppressGroup: true, SuppressGroup: 9, Table: 1000}, "lookup 1000 suppress_prefixlength 0 suppress_ifgroup 9"},
	{"goto", Rule{Action: unix.FR_ACT_GOTO, Goto: 32766}, "from all goto 32766"},
	{"nop", Rule{Action: unix.FR_ACT_NOP}, "from all nop"},
	{"blackhole", Rule{Action: unix.FR_ACT_BLACKHOLE, From: prefix("10.1.0.0/16")}, "from 10.1.0.0/16 blackhole"},
	{"prohibit", Rule{Action: unix.FR_ACT_PROHIBIT}, "from all prohibit"},
	{"unreachable", Rule{Action: unix.FR_ACT_UNREACHABLE}, "from all unreachable"},
	{"l3mdev", Rule{L3MDev: true}, "from all lookup [l3mdev-table]"},
	{"IPv6", Rule{IPv6: true, From: prefix("fd01::/64"), To: prefix("fd02::1/128"), Table: 300}, "1000: from fd01::/64 to fd02::1 lookup 300"},
}

// TestRules adds each rule, reads it back, has iproute2 show it, and deletes it;
// adding and deleting twice is no error.
func TestRules(t *testing.T) {
	ns, k, _ := open(t)
	for _, c := range ruleCases {
		t.Run(c.name, func(t *testing.T) {
			r := c.r
			r.Priority, r.Protocol = 1000, ProtocolKeepalived
			noErrors(t, k.AddRules([]Rule{r, r}))
			have := ourRules(t, k)
			if len(have) != 1 || !r.Matches(have[0]) {
				t.Errorf("have %+v\nwant %+v", have, r)
			}
			show := ns.IP("rule", "show") + ns.IP("-6", "rule", "show")
			if got := strings.Join(strings.Fields(show), " "); !strings.Contains(got, strings.Replace(c.show, " proto keepalived", "", 1)) {
				t.Errorf("iproute2 shows\n%s\nwant\n%s", got, c.show)
			}
			noErrors(t, k.DelRules([]Rule{r, r}))
			if have := ourRules(t, k); len(have) != 0 {
				t.Errorf("still there: %+v", have)
			}
		})
	}
}

func ourRules(t *testing.T, k *Kernel) []Rule {
	t.Helper()
	all, err := k.Rules()
	if err != nil {
		t.Fatal(err)
	}
	var ours []Rule
	for _, r := range all {
		if r.Protocol == ProtocolKeepalived {
			ours = append(ours, r)
		}
	}
	return ours
}

func FuzzParseRule(f *testing.F) {
	for _, c := range ruleCases {
		f.Add(c.r.appendBody(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRule(b)
		if err != nil {
			return
		}
		again, err := parseRule(r.appendBody(nil))
		if err != nil || !r.Matches(again) {
			t.Fatalf("%#v\nreads back as\n%#v, %v", r, again, err)
		}
	})
}
