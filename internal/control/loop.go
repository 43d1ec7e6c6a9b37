package control

import (
	"errors"
	"time"
)

// patience is how long an operator waits for a process's loop.
const patience = 2 * time.Second

// FromLoop answers "status" with what status makes of the state that a loop
// owns. tryPost hands a function to that loop, or reports false at once if its
// queue is full: an operator never delays what the process is there for.
func FromLoop[T any](tryPost func(func(now time.Time)) bool, status func(now time.Time) T) func(Request) (any, error) {
	return func(q Request) (any, error) {
		if q.Get != Status {
			return nil, errors.New("the only question is status")
		}
		got := make(chan T, 1)
		if !tryPost(func(now time.Time) { got <- status(now) }) {
			return nil, errors.New("busy")
		}
		select {
		case s := <-got:
			return s, nil
		case <-time.After(patience):
			return nil, errors.New("busy")
		}
	}
}
