package checkd

import (
	"slices"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/log"
)

// setTLS loads what SSL_GET shows to servers. The original ends the whole
// daemon if a file cannot be read; here the checks go on without a client
// certificate, which most servers never ask for.
func (d *daemon) setTLS() {
	c := &d.conf.Checker
	if !slices.ContainsFunc(c.Services, usesTLS) {
		return
	}
	client, err := checker.LoadClientTLS(c.SSL)
	if err != nil {
		log.Err("%v", err)
		log.Err("SSL_GET goes on without a client certificate")
	}
	d.sched.SetTLS(client)
}

func usesTLS(s checker.ServiceConfig) bool {
	return slices.ContainsFunc(s.Servers, func(srv checker.ServerConfig) bool {
		return slices.ContainsFunc(srv.Checks, func(c checker.CheckConfig) bool {
			h, ok := c.Spec.(checker.HTTPCheck)
			return ok && h.TLS
		})
	})
}
