// Package agentx is an AgentX subagent (RFC 2741): it registers parts of the
// tree of object identifiers with an SNMP master agent such as snmpd, answers
// Get, GetNext, GetBulk and Set from a View, and sends notifications.
//
// It knows nothing about what it shows: internal/report makes the variables.
// One goroutine talks to the master; who has something to notify never waits,
// and a view is asked for only when the master wants one, at most every half
// second.
//
//	process loop ──Notify──> queue ─┐
//	                                ├─> run ──> master agent
//	master's requests ──> reader ───┘    └──asks──> Config.View
package agentx
