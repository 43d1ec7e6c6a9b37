// Package checkd is the checker process: it runs the health checks, keeps the
// kernel's IPVS table as the pool of real servers wants it, and tells the
// outside.
//
//	checks (checker.Scheduler) ──┐                            ┌─> table ─> ipvs.Kernel
//	tracked files, BFD, addresses┼─post─> Loop ─> checker.Pool┤   ^
//	signals, the parent's pipe ──┘                   effects  │   guard: what did others change?
//	                                                          └─> notify: scripts, FIFO, mail
//
// The process never takes the daemon down for want of IPVS: without it checks
// and notifications go on, and the kernel is asked again every ten seconds.
package checkd
