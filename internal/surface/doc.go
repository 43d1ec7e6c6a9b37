// Package surface has only tests: it runs the built daemon as other programs
// meet it. SNMP's master agent, a message bus, mail servers, programs that read
// the dumps, and the recordings of the original are its peers here; what the
// parts do on their own is tested beside each part.
//
// Every daemon runs in network namespaces of the test's own (internal/nettest),
// with /run, /tmp and /etc/keepalived of its own.
package surface
