// Package process is what every process of the daemon is made of: the options
// it was started with, what a child inherits from its parent, its pid file, and
// the loop in which one goroutine owns all state.
package process
