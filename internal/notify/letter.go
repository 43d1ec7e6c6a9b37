package notify

import "fmt"

// VRRPLetter is the mail for a new state (MASTER, BACKUP, FAULT, STOP, DELETED)
// of an instance or group.
func VRRPLetter(group bool, name, state string) Letter {
	l := Letter{Subject: fmt.Sprintf("VRRP Instance %s - ", name)}
	if group {
		l.Subject = fmt.Sprintf("VRRP Group %s - ", name)
		l.Body = fmt.Sprintf("=> All VRRP group instances are now in %s state <=", state)
	}
	switch state {
	case "MASTER":
		l.Subject += "Entering MASTER state"
		if !group {
			l.Body = "=> VRRP Instance is now owning VRRP VIPs <="
		}
	case "STOP":
		l.Subject += "Stopping"
		l.Body = "=> VRRP Instance stopping <="
		if group {
			l.Body = "=> All VRRP group instances are now stopping <="
		}
	case "DELETED":
		l.Subject += "Deleted"
		l.Body = "=> VRRP Deleted at reload <="
	default:
		l.Subject += fmt.Sprintf("Entering %s state", state)
		if !group {
			l.Body = "=> VRRP Instance is no longer owning VRRP VIPs <="
		}
	}
	return l
}

// SendVRRP sends the mail for a new state of an instance or group, unless that
// state was mailed last for it, or is FAULT and no_email_faults is set. It
// belongs to the loop.
func (m *Mail) SendVRRP(group bool, name, state string) {
	if m == nil || state == "FAULT" && m.cfg.NoFaults {
		return
	}
	key := vrrpKind(group) + name
	if m.states[key] == state {
		return
	}
	m.states[key] = state
	m.Send(VRRPLetter(group, name, state))
}

// Reload returns a Mail for a new configuration that remembers what was mailed
// last. Letters that wait go out by the old one.
func (m *Mail) Reload(c MailConfig) *Mail {
	n := NewMail(c)
	if m == nil || n == nil {
		return n
	}
	n.states = m.states
	return n
}

// RealServerLetter is the mail for a real server's new state; the names are
// formatted as in the checker's logs, and text comes from the check.
func RealServerLetter(rs, vs string, up bool, text string) Letter {
	return Letter{fmt.Sprintf("Realserver %s of virtual server %s - %s", rs, vs, upDown(up)), "=> " + text + " <="}
}

// VirtualServerLetter is the mail for a virtual server's new state.
func VirtualServerLetter(vs string, up bool, text string) Letter {
	return Letter{fmt.Sprintf("Virtualserver %s - %s", vs, upDown(up)), "=> " + text + " <="}
}
