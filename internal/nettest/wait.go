package nettest

import (
	"testing"
	"time"
)

// pollEvery is how often a condition is looked at.
const pollEvery = 5 * time.Millisecond

// Eventually waits until cond holds and fails the test if it does not in time.
// what says the condition for the message.
func Eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !cond(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
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
