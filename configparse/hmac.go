package configparse

import (
	"encoding/hex"
	"math"
	"path"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Keys of auth_hmac are this long, in bytes.
const (
	minHMACKey     = 32
	maxHMACKey     = 64
	maxHMACKeyFile = 4096
)

var hmacBlock = block[instance]{
	"key": {takes: "INT 1..255, then ASCII | hex:DIGITS | file:PATH", help: "signing key", acts: "vrrp", set: readHMACKey},
	"active_key": {takes: "INT 1..255", help: "key used for sending", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 1, math.MaxUint8, strict)
			if !ok {
				p.inst(in, "auth_hmac active_key '%s' must be between 1 and 255", p.word(w, 1))
				return
			}
			in.HMAC.Active = uint8(n)
		}},
	"time_window": {takes: "INT 1..300", help: "accepted clock difference, seconds", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			n, ok := p.unsigned(w, 1, 1, 300, strict)
			if !ok {
				p.inst(in, "auth_hmac time_window '%s' must be between 1 and 300 seconds", p.word(w, 1))
				return
			}
			in.HMAC.Window = time.Duration(n) * time.Second
		}},
	"anti_replay": {takes: "time | monotonic", help: "how replays are refused", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			switch s := p.word(w, 1); s {
			case "time", "monotonic":
				in.HMAC.Monotonic = s == "monotonic"
			default:
				p.inst(in, "auth_hmac anti_replay '%s' must be time or monotonic", s)
			}
		}},
	"mode": {takes: "enforce | permissive | receive-only", help: "how unsigned adverts are treated", acts: "vrrp",
		set: func(p *parser, in *instance, w words) {
			switch s := p.word(w, 1); s {
			case "enforce":
				in.HMAC.Mode = vrrp.HMACEnforce
			case "permissive":
				in.HMAC.Mode = vrrp.HMACPermissive
			case "receive-only":
				in.HMAC.Mode = vrrp.HMACReceiveOnly
			default:
				p.inst(in, "auth_hmac mode '%s' must be enforce, permissive or receive-only", s)
			}
		}},
}

func readHMACKey(p *parser, in *instance, w words) {
	if w.len() < 3 {
		p.inst(in, "auth_hmac key needs an id and a value")
		return
	}
	n, ok := p.unsigned(w, 1, 1, math.MaxUint8, strict)
	if !ok {
		p.inst(in, "auth_hmac key id '%s' must be between 1 and 255", p.word(w, 1))
		return
	}
	key := p.hmacKey(in, p.word(w, 2))
	if len(key) < minHMACKey || len(key) > maxHMACKey {
		p.inst(in, "auth_hmac key %d length %d not in range [%d, %d]", n, len(key), minHMACKey, maxHMACKey)
		return
	}
	for _, k := range in.HMAC.Keys {
		if k.ID == uint8(n) {
			p.inst(in, "duplicate auth_hmac key id %d", n)
			return
		}
	}
	in.HMAC.Keys = append(in.HMAC.Keys, vrrp.HMACKey{ID: uint8(n), Key: key})
}

// hmacKey gives the bytes of a key as written; an unusable one is empty.
func (p *parser) hmacKey(in *instance, s string) []byte {
	if name, ok := strings.CutPrefix(s, "file:"); ok {
		s = p.keyFile(in, name)
	}
	if digits, ok := strings.CutPrefix(s, "hex:"); ok {
		key, err := hex.DecodeString(digits)
		if err != nil {
			return nil
		}
		return key
	}
	return []byte(s)
}

func (p *parser) keyFile(in *instance, name string) string {
	full := name
	if !path.IsAbs(full) {
		full = path.Join(p.at.file.dir, name)
	}
	info, err := p.lex.open.Stat(full)
	var data string
	if err == nil && info.Mode.IsRegular() {
		data, err = p.lex.open.Read(full)
	}
	switch {
	case err != nil || !info.Mode.IsRegular():
		p.inst(in, "auth_hmac key file '%s' cannot be opened", name)
		return ""
	case len(data) > maxHMACKeyFile:
		p.inst(in, "auth_hmac key file '%s' is too large", name)
		return ""
	case info.Mode&0o077 != 0:
		p.classf(Security, "(%s) auth_hmac key file '%s' is readable by group or others", in.Name, name)
	}
	return strings.TrimRight(data, "\r\n")
}
