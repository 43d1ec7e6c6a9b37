package configparse

import (
	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/vrrp"
)

// Trim drops everything but the globals and the record of which blocks there
// are: what the parent process keeps.
func (c *Config) Trim() {
	c.VRRP, c.Checker, c.BFD, c.CheckerFiles = vrrp.Config{}, checker.Config{}, nil, nil
}
