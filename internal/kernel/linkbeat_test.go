package kernel

import "testing"

// TestLinkPoller asks a veth, whose driver knows ETHTOOL and flags but no MII,
// before and after its carrier goes.
func TestLinkPoller(t *testing.T) {
	ns, _, _ := open(t)
	var p *LinkPoller
	var err error
	ns.Do(func() { p, err = OpenLinkPoller() })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, want := range []bool{true, false} {
		for _, how := range []Beat{BeatAny, BeatEthtool, BeatIOCTL} {
			up, used, err := p.Up("v0", how)
			if up != want || err != nil {
				t.Errorf("%v: up %v, %v, want %v", how, up, err, want)
			}
			if how == BeatAny && used != BeatEthtool {
				t.Errorf("answered by %v, want ETHTOOL", used)
			}
		}
		ns.Down("v1")
	}
	if _, _, err := p.Up("v0", BeatMII); err == nil {
		t.Error("a veth answers to MII")
	}
	if _, _, err := p.Up("nothing", BeatAny); err == nil {
		t.Error("a link that is not there answers")
	}
}
