// Package bfdd is the BFD process: it owns the sessions of internal/bfd, gives
// them the packets and the time, and does what they want.
//
//	receiving sockets ──> reader goroutines ──> post ─┐
//	                                                  ├─> bfd.Router ──> effects ──> sending sockets
//	timerfd ──────────────────────────────────────────┘                         └──> pipes to VRRP, checker
//
// It never talks to the other children but over the two pipes its parent made.
package bfdd
