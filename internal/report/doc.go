// Package report renders what a process knows, handed over as values, into
// what users and their programs read: the data dumps of SIGUSR1, the
// statistics of SIGUSR2, the JSON of SIGRTMIN+2, and SNMP. It reads nothing
// itself.
//
// Labels, order and types are the original's (process.md 3.3 to 3.5), because
// exporters in the field take these files apart.
package report
