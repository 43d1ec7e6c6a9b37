package checkd

import (
	"os"
	"slices"
	"strings"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/log"
)

// pingRangeFile holds the groups that may open ICMP sockets without privilege.
const pingRangeFile = "/proc/sys/net/ipv4/ping_group_range"

// pingRange lets this process, whose group is 0, open ICMP sockets for as long
// as PING_CHECKs are configured.
type pingRange struct {
	original string // what to put back; empty: nothing was changed
}

// set opens the range for group 0 if a PING_CHECK needs it.
func (p *pingRange) set(c *checker.Config) {
	if p.original != "" || !slices.ContainsFunc(c.Services, pings) {
		return
	}
	b, err := os.ReadFile(pingRangeFile)
	f := strings.Fields(string(b))
	if err != nil || len(f) != 2 || f[0] == "0" {
		return
	}
	if err := os.WriteFile(pingRangeFile, []byte("0\t"+f[1]), 0); err != nil {
		log.Info("PING_CHECK: allow ICMP sockets: %v", err)
		return
	}
	p.original = strings.Join(f, "\t")
}

// restore puts back what was there.
func (p *pingRange) restore() {
	if p.original == "" {
		return
	}
	if err := os.WriteFile(pingRangeFile, []byte(p.original), 0); err != nil {
		log.Info("PING_CHECK: put the range of groups for ICMP sockets back: %v", err)
	}
	p.original = ""
}

func pings(s checker.ServiceConfig) bool {
	return slices.ContainsFunc(s.Servers, func(srv checker.ServerConfig) bool {
		return slices.ContainsFunc(srv.Checks, func(c checker.CheckConfig) bool {
			_, ok := c.Spec.(checker.PingCheck)
			return ok
		})
	})
}
