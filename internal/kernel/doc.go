// Package kernel is what the daemon knows of and does to the Linux network
// stack: links, addresses, routes, rules, virtual MAC interfaces, sysctls,
// VRRP sockets, gratuitous ARP and neighbour advertisements, and the firewall
// objects that guard virtual addresses.
//
// It decides nothing. Callers (vrrpd, checkd) say what is wanted in plain
// structs of this package; every setter is idempotent: adding what is there
// and deleting what is not there succeed.
//
//	            requests (batched, acknowledged)
//	caller ---> Kernel ------------------------------> rtnetlink
//	   ^                                                   |
//	   +--------- Watcher: one ordered stream of events ---+
//
//	caller ---> Sender, Announcer ---> wire ---> Receiver ---> caller
//
// Everything acts in the network namespace of the thread that opened it. The
// daemon's children live wholly in one namespace, so nothing here enters one.
package kernel
