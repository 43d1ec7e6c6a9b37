package main

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// cause unwraps an error to its innermost.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// text is what the C library says of an error number.
func text(e unix.Errno) string {
	s := e.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
