package kernel

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// TestAnnouncementBytes compares with frames of the original (vrrp.md appendix B).
func TestAnnouncementBytes(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 10}
	ether := Link{Index: 5, Name: "eth0", Type: unix.ARPHRD_ETHER, MAC: mac, Broadcast: net.HardwareAddr{255, 255, 255, 255, 255, 255}}
	infiniband := Link{
		Name: "ib0", Type: unix.ARPHRD_INFINIBAND, MAC: make(net.HardwareAddr, 20),
		Broadcast: append(net.HardwareAddr{0, 255, 255, 255, 255}, make([]byte, 15)...),
	}
	for _, c := range []struct {
		name, vip string
		link      Link
		router    bool
		want      string
	}{
		{"ARP", "10.99.0.100", ether, false, "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 0a630064 ffffffffffff 0a630064"},
		{"NA", "fd99::210", ether, false, `333300000001 02000000000a 86dd 60000000 0020 3a ff fd990000000000000000000000000210 ff020000000000000000000000000001
			88 00 5542 20000000 fd990000000000000000000000000210 02 01 02000000000a`},
		{"NA of a router", "fd99::210", ether, true, `333300000001 02000000000a 86dd 60000000 0020 3a ff fd990000000000000000000000000210 ff020000000000000000000000000001
			88 00 d541 a0000000 fd990000000000000000000000000210 02 01 02000000000a`},
		{"ARP on InfiniBand", "10.99.0.100", infiniband, false, "00ffffffff" + strings.Repeat("00", 15) + "0806 0000 0020 0800 14 04 0001" +
			strings.Repeat("00", 20) + "0a630064 00ffffffff" + strings.Repeat("00", 15) + "0a630064"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Announcement(c.link, addr(c.vip), c.router)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := hex.EncodeToString(f.Data), strings.Join(strings.Fields(c.want), ""); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	if _, err := Announcement(Link{Name: "tun0"}, addr("10.99.0.100"), false); err == nil {
		t.Error("a link without hardware address was announced on")
	}
}

// TestAnnounce sends over a real link: the frames arrive whole and in order, and
// a link that is not there costs only its own frame.
func TestAnnounce(t *testing.T) {
	ns, k, index := open(t)
	capture := ns.Capture("v1")
	var a *Announcer
	var err error
	ns.Do(func() { a, err = OpenAnnouncer() })
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	link, err := k.LinkByIndex(index)
	if err != nil {
		t.Fatal(err)
	}
	var frames []Frame
	for _, as := range manyAddresses(index, 200) {
		f, err := Announcement(link, as.IP(), false)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	na, err := Announcement(link, addr("fd99::210"), true)
	if err != nil {
		t.Fatal(err)
	}
	nowhere := frames[0]
	nowhere.Link = 9999
	sent := append(append([]Frame{frames[0], nowhere}, frames[1:]...), na)
	errs := a.Send(sent)
	if len(errs) != len(sent) || errs[1] == nil {
		t.Fatalf("no error for a link that is not there: %v", errs)
	}
	errs[1] = nil
	noErrors(t, errs)

	got := capture.Wait(soon, "the neighbour advertisement", func(f nettest.Frame) bool { return f.Kind == nettest.NA })
	if got.Target != addr("fd99::210") || got.Flags != 0xa0 || string(got.Raw) != string(na.Data) {
		t.Errorf("NA arrived as %v", got)
	}
	arps := capture.Frames(nettest.ARP)
	if len(arps) != len(frames) {
		t.Fatalf("%d ARP frames arrived, want %d", len(arps), len(frames))
	}
	for i, f := range arps {
		if string(f.Raw) != string(frames[i].Data) {
			t.Errorf("frame %d arrived as %x", i, f.Raw)
		}
	}
}
