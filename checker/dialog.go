package checker

// dialog is the conversation of one check over a connection: bytes in, bytes
// out. It is pure, is run by a poller or over TLS, and serves one attempt after
// the other: opened begins a new one. The Result is filled when it is over; its
// Reason is OK unless the dialog says otherwise.
type dialog interface {
	// opened is called when the connection stands. send goes out first; over
	// ends the attempt.
	opened(r *Result) (send []byte, over bool)
	// got takes what one read returned; nothing at all is the end of a stream.
	// The slice is not kept.
	got(b []byte, r *Result) (send []byte, over bool)
	// silence: nothing came in the time allowed.
	silence(r *Result)
}

// transport is what a dialog runs over.
type transport uint8

const (
	stream    transport = iota // TCP
	datagrams                  // UDP, connected
	echo                       // ICMP echo socket, connected
)
