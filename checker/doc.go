// Package checker decides which real servers are fit to serve, and asks them.
//
// It has two halves. The pure half, Pool, holds every virtual server, real
// server and check of the process: results, addresses, file values and BFD
// states go in with the time, effects come out, and Want says what the kernel
// should have. It starts no goroutine, opens no socket, reads no clock.
//
// The acting half runs the checks: Scheduler has one heap of due times; checks
// that only connect, write and read are conversations in an epoll loop and cost no
// goroutine, the others (TLS, scripts) get one while they run. A check's
// conversation (HTTP, SMTP, DNS …) is again pure: bytes in, bytes out.
//
//	            Load, Address, File, BFD
//	                      |
//	                      v
//	Scheduler --Result--> Pool --effects--> log, notices, mail, Changed --> ipvs.Plan
//	    ^                  |
//	    +------- Next -----+
//
// internal/checkd owns one of each and calls both from its loop. The package
// never talks to IPVS and never runs a notification.
package checker
