// Package sim runs clusters of vrrp.Router in a simulated world: a clock, a
// network with loss, delay, duplication, reordering and partitions, and a
// kernel per node that remembers what it was told to hold. Everything follows
// from the events put in, so a run repeats exactly. It serves stories
// (testdata/vrrp/*.txtar), the random simulation with its checkers, and later
// keepalivedctl simulate.
//
//	World: one heap of events --+--> Node: Router, Kernel --effects--> Network --+
//	          ^                                                                  |
//	          +---------------------- deliveries, deadlines ---------------------+
package sim
