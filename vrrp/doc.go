// Package vrrp decides who is master. It holds every virtual router and sync
// group of a process in one Router: events and a time go in, Effects come out.
// It has no goroutine, socket, clock, or log of its own; internal/vrrpd feeds
// it and does what it says, internal/sim runs thousands of clusters of it.
//
//	LinkChanged AddrChanged ObjectLost          SendAdvert Sockets
//	TrackChanged BFDChanged           +--------+ HoldAddrs HoldRoutes HoldRules
//	Receive ------------------------->| Router |--> Filter Announce SyncRole
//	Tick(now) when Next() has come    +--------+ Entered PriorityChanged
//	Reload Restore Stop                          RxLowerPrio Rejected Log
//
// The calls, all from the one goroutine that owns the Router:
//
//	New(Options) *Router
//	LinkChanged(now, Link)        a link as it is now; before the first Reload: all of them
//	AddrChanged(now, AddrEvent)   an address came or went; before the first Reload: all of them
//	Restore(now, Snapshot)        before the first Reload: carry on where a predecessor stopped
//	Reload(now, *Config)          also the first start: a reload from nothing
//	Receive(now, *Packet)         a packet from one of the Sockets
//	TrackChanged(now, TrackEvent) a script, file or process has a result
//	BFDChanged(now, name, up)     a BFD session came up or went down
//	ObjectLost(now, Lost)         a held route or rule was deleted by someone else
//	Tick(now)                     do what is due
//	Next() time.Time              when Tick is wanted; zero = never
//	Drain() []Effect              what came out, in order; valid until the next Drain
//	Stop(now, keep)               resign everywhere; keep = --dont-release-vrrp
//	Snapshot(now) Snapshot        all there is to see, and to carry over
//	SocketFailed(now, id, failed) a socket could not be opened, or now could
//
// Not here: static addresses, routes and rules, VMAC interfaces, scripts and
// their rise and fall, sockets. They need no decision of an election.
package vrrp
