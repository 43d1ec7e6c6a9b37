package nettest

import (
	"testing"
	"time"
)

// pollEvery is how often a condition is looked at.
const pollEvery = 5 * time.Millisecond

// mostBetweenLooks is what one look may take of the time of a wait. More
// passes only while the test itself does not get the processor, or the program
// asked does not: then nobody looked, and nothing was too late.
const mostBetweenLooks = 50 * time.Millisecond

// longest bounds a wait on a machine on which every look takes long.
const longest = 2 * time.Minute

// Within waits until cond holds, at most for so long as the test is able to look,
// and reports whether it does. Unlike Eventually it may be called by any goroutine.
func Within(within time.Duration, cond func() bool) bool {
	begin := time.Now()
	last, looked := begin, time.Duration(0)
	for !cond() {
		if looked > within || last.Sub(begin) > within+longest {
			return false
		}
		time.Sleep(pollEvery)
		now := time.Now()
		looked += min(now.Sub(last), mostBetweenLooks)
		last = now
	}
	return true
}

// Eventually waits until cond holds and fails the test if it does not in time.
// what says the condition for the message.
func Eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	if !Within(within, cond) {
		t.Fatalf("not within %v: %s", within, what)
	}
}

// Never watches for a while and fails the test if cond holds at any look.
func Never(t testing.TB, during time.Duration, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(during); time.Now().Before(deadline); time.Sleep(pollEvery) {
		if cond() {
			t.Fatalf("must not be: %s", what)
		}
	}
}
