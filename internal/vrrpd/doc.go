// Package vrrpd is the VRRP process. It feeds the pure core of package vrrp
// with packets, link and address events, results of tracked objects and the
// time, and does what the core wants done.
//
//	raw sockets ──┐                              ┌─> outbox: sendmmsg
//	kernel.Watch ─┤                              │
//	scripts, BFD ─┼─post─> Loop ─> vrrp.Router ─>├─> worker: addresses, routes,
//	signals ──────┘                  effects     │   rules, firewall, ARP, NA
//	                                             └─> notify: scripts, FIFO, mail
//
// Adverts are sent by the loop itself and wait for nothing. What needs an
// answer of the kernel is done by one worker goroutine, in the order in which
// the core asked for it; notifications follow it there, so that scripts find
// the addresses set or gone.
package vrrpd
