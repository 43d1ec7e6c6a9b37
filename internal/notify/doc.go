// Package notify tells the outside what happened: notify scripts, FIFOs, mail
// and D-Bus signals. It is told an event by the process's loop, and nothing in
// it ever makes the loop wait: scripts run by themselves, a full FIFO or mail
// queue loses and counts, D-Bus and mail have goroutines of their own.
//
// The order for one event is the caller's and always the same: state script,
// generic script, FIFO line, D-Bus signal, SNMP trap, mail.
package notify
