// Package bfd is Bidirectional Forwarding Detection as RFC 5880, 5881 and 5883
// describe it, asynchronous mode only: packets and sessions.
//
// It is pure. A Session is given packets and the time and appends effects
// (send this, tell that the neighbour is up, log a line) to a slice. It opens
// no socket, starts no goroutine, reads no clock and draws no randomness that
// it was not given; internal/bfdd does all of that.
package bfd
