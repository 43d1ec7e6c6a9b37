// Package report renders what a process knows of itself in the forms that
// operators and programs read: the data dumps of SIGUSR1, the statistics of
// SIGUSR2 and the JSON of signal 36. It is given snapshots and configurations
// and writes text; it reads nothing by itself.
package report
