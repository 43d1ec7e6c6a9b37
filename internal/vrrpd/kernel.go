package vrrpd

import (
	"net/netip"

	"github.com/keepalived-go/keepalived/internal/kernel"
)

// Kernel is what the process needs of the network stack; *kernel.Kernel is it.
// Its setters take many objects at once, do not mind what is so already, and
// return nil or one error per object.
type Kernel interface {
	SetReceiveBuffer(kernel.Buffer)
	Links() ([]kernel.Link, error)
	LinkByIndex(index int) (kernel.Link, error)
	Addrs() ([]kernel.Address, error)
	AddAddrs([]kernel.Address) []error
	DelAddrs([]kernel.Address) []error

	Routes(protocol uint8) ([]kernel.Route, error)
	AddRoutes([]kernel.Route) []error
	ReplaceRoutes([]kernel.Route) []error
	DelRoutes([]kernel.Route) []error

	Rules() ([]kernel.Rule, error)
	AddRules([]kernel.Rule) []error
	DelRules([]kernel.Rule) []error

	RenameLink(index int, name string) error
	SetLinkUp(index int, up bool) error
	SetLinkMaster(index, master int) error
	SetLinkGroup(index int, group uint32) error
	MakeVMAC(v kernel.VMAC, have *kernel.Link, s *kernel.Sysctls) (kernel.Link, error)
	SetLinkLocal(index int, addr netip.Addr) error
	DelLink(index int) error

	Watch(kernel.WatchOptions, func([]kernel.Event)) (*kernel.Watcher, error)
	Close() error
}
