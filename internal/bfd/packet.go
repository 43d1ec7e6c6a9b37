package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// PacketLen is the length of a control packet without authentication, RFC 5880
// section 4.1.
const PacketLen = 24

const version = 1

// Flag bits of the second byte.
const (
	flagPoll       = 0x20
	flagFinal      = 0x10
	flagCPlane     = 0x08
	flagAuth       = 0x04
	flagDemand     = 0x02
	flagMultipoint = 0x01
)

// State is the state of a session, with its number on the wire.
type State uint8

// The states, RFC 5880 section 4.1.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String returns the state's name in logs.
func (s State) String() string { return [...]string{"AdminDown", "Down", "Init", "Up"}[s&3] }

// Diag says why the session last went down.
type Diag uint8

// The diagnostics, RFC 5880 section 4.1.
const (
	NoDiagnostic Diag = iota
	ControlDetectionTimeExpired
	EchoFunctionFailed
	NeighborSignaledDown
	ForwardingPlaneReset
	PathDown
	ConcatenatedPathDown
	AdministrativelyDown
	ReverseConcatenatedPathDown
)

var diagTexts = [...]string{
	"No Diagnostic", "Control Detection Time Expired", "Echo Function Failed",
	"Neighbor Signaled Session Down", "Forwarding Plane Reset", "Path Down",
	"Concatenated Path Down", "Administratively Down", "Reverse Concatenated Path Down",
}

// String returns the diagnostic's text in logs.
func (d Diag) String() string {
	if int(d) < len(diagTexts) {
		return diagTexts[d]
	}
	return fmt.Sprintf("Unknown (%d)", uint8(d))
}

// Packet is a control packet.
type Packet struct {
	Diag       Diag
	State      State
	Poll       bool
	Final      bool
	CPlane     bool // control plane independent
	Auth       bool // an authentication section follows
	Demand     bool
	Multipoint bool
	Multiplier uint8
	My, Your   uint32 // discriminators

	// In microseconds, as on the wire.
	MinTX, MinRX, MinEchoRX uint32
}

// ErrBogus is the kind of every error of Parse; the error's text is the
// reference's.
var ErrBogus = errors.New("bogus packet")

type bogus string

func (b bogus) Error() string        { return string(b) }
func (b bogus) Is(target error) bool { return target == ErrBogus }

// Parse reads a packet and makes the checks of RFC 5880 section 6.8.6 that need
// no session.
func (p *Packet) Parse(b []byte) error {
	if len(b) < PacketLen {
		return bogus(fmt.Sprintf("Packet is too small: %d bytes", len(b)))
	}
	if int(b[3]) != len(b) {
		return bogus(fmt.Sprintf("Packet size mismatch: length field: %d bytes, buffer size: %d bytes", b[3], len(b)))
	}
	if v := b[0] >> 5; v != version {
		return bogus(fmt.Sprintf("Packet is of unsupported version: %d", v))
	}
	flags := b[1]
	*p = Packet{
		Diag:       Diag(b[0] & 0x1f),
		State:      State(flags >> 6),
		Poll:       flags&flagPoll != 0,
		Final:      flags&flagFinal != 0,
		CPlane:     flags&flagCPlane != 0,
		Auth:       flags&flagAuth != 0,
		Demand:     flags&flagDemand != 0,
		Multipoint: flags&flagMultipoint != 0,
		Multiplier: b[2],
		My:         binary.BigEndian.Uint32(b[4:]),
		Your:       binary.BigEndian.Uint32(b[8:]),
		MinTX:      binary.BigEndian.Uint32(b[12:]),
		MinRX:      binary.BigEndian.Uint32(b[16:]),
		MinEchoRX:  binary.BigEndian.Uint32(b[20:]),
	}
	switch {
	case p.Multiplier == 0:
		return bogus("Packet 'detection multiplier' field is zero")
	case p.Multipoint:
		return bogus("Packet has 'multipoint' flag")
	case p.My == 0:
		return bogus("Packet 'my discriminator' field is zero")
	case p.Your == 0 && p.State != Down && p.State != AdminDown:
		return bogus("Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown")
	case p.Poll && p.Final:
		return bogus("Packet has both poll and final  flags set")
	case p.Diag > ReverseConcatenatedPathDown:
		return bogus(fmt.Sprintf("Packet has invalid 'diag' field: %d", p.Diag))
	}
	return nil
}

// Append appends the packet as it goes on the wire. There is no
// authentication section.
func (p *Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for _, f := range []struct {
		set bool
		bit byte
	}{
		{p.Poll, flagPoll}, {p.Final, flagFinal}, {p.CPlane, flagCPlane},
		{p.Auth, flagAuth}, {p.Demand, flagDemand}, {p.Multipoint, flagMultipoint},
	} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|byte(p.Diag)&0x1f, flags, p.Multiplier, PacketLen)
	for _, v := range []uint32{p.My, p.Your, p.MinTX, p.MinRX, p.MinEchoRX} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}
