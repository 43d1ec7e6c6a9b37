package checker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	icmpHeader = 8
	pingData   = 128
)

// The ICMP types of an echo.
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// pingDialog is PING_CHECK over an unprivileged ICMP socket: the kernel sets
// id and checksum and passes on only what belongs to the socket.
type pingDialog struct {
	packet []byte
	reply  byte
	seq    uint16
}

func newPingDialog(v6 bool) *pingDialog {
	d := &pingDialog{packet: make([]byte, icmpHeader, icmpHeader+pingData), reply: echoReply4}
	d.packet[0] = echoRequest4
	if v6 {
		d.packet[0], d.reply = echoRequest6, echoReply6
	}
	data := bytes.Repeat([]byte("keepalived check - "), pingData/len("keepalived check - ")+1)
	d.packet = append(d.packet, data[:pingData]...)
	return d
}

func (d *pingDialog) opened(*Result) ([]byte, bool) {
	d.seq++
	binary.BigEndian.PutUint16(d.packet[6:], d.seq)
	return d.packet, false
}

func (d *pingDialog) got(b []byte, _ *Result) ([]byte, bool) {
	ours := len(b) >= icmpHeader && b[0] == d.reply && binary.BigEndian.Uint16(b[6:]) == d.seq
	return nil, ours // others are late answers or no answers: wait on
}

func (d *pingDialog) silence(r *Result) { r.Reason = ReadTimeout }

// pingGroups is where the kernel says which groups may open ICMP sockets.
const pingGroups = "/proc/sys/net/ipv4/ping_group_range"

// AllowPing lets group 0 open ICMP sockets, as PING_CHECK needs, and returns a
// function that puts the setting back. Call it once, if there is a PING_CHECK.
func AllowPing() (restore func(), err error) {
	old, err := os.ReadFile(pingGroups)
	if err != nil {
		return func() {}, fmt.Errorf("read ping_group_range: %w", err)
	}
	f := strings.Fields(string(old))
	if len(f) != 2 {
		return func() {}, fmt.Errorf("read ping_group_range: unexpected %q", old)
	}
	first, _ := strconv.ParseUint(f[0], 10, 32)
	last, _ := strconv.ParseUint(f[1], 10, 32)
	if first == 0 {
		return func() {}, nil
	}
	if first > last { // "1 0" is the kernel's word for nobody
		last = 0
	}
	if err := os.WriteFile(pingGroups, fmt.Appendf(nil, "0\t%d\n", last), 0); err != nil {
		return func() {}, fmt.Errorf("set ping_group_range: %w", err)
	}
	return func() { _ = os.WriteFile(pingGroups, old, 0) }, nil
}
