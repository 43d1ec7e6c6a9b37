package notify

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/script"
)

// FIFOConfig is one of notify_fifo, vrrp_notify_fifo, lvs_notify_fifo.
type FIFOConfig struct {
	// Kind is the word before "notify fifo" in messages: "", "vrrp" or "lvs".
	Kind string
	Path string
	Cred script.Credentials // owner of a FIFO that we make
	// Script is started with the path as last argument; nil: none.
	Script *script.Command
}

// MailConfig is what global_defs says about mail.
type MailConfig struct {
	Server         string        // smtp_server: host or address
	Port           uint16        // 0 means 25
	HELO           string        // smtp_helo_name; empty: the host name, else "localhost"
	ConnectTimeout time.Duration // smtp_connect_timeout, for connect and each reply; 0 means 30 s
	From           string        // notification_email_from, as configured
	To             []string      // notification_email, as configured
	RouterID       string        // in brackets before each subject; empty: the host name
	NoFaults       bool          // no_email_faults: nothing about FAULT of VRRP
}

// Letter is one mail to send, to all recipients.
type Letter struct {
	Subject string // without the router id; at most 255 bytes are sent
	Body    string // at most 511 bytes are sent
}
