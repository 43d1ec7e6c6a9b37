// Package dropin holds one test: two virtual machines with Debian's root file
// system and systemd, joined by a network, run the original keepalived with a
// VRRP and LVS configuration. Our package replaces it on one, then on the
// other, as an operator would do it, while a client counts lost requests.
//
// It takes several minutes and some hundred megabytes, so it runs only as
// `make test-dropin`.
package dropin
