package vrrpd

import (
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/vrrp"
)

// firewall keeps packets to and from addresses of instances without accept
// mode out.
type firewall struct {
	said bool
}

func (d *daemon) filter(vrrp.Filter) {
	if !d.wall.said {
		d.wall.said = true
		log.Info("no_accept and strict_mode: accepted, the firewall objects have no effect yet")
	}
}
