package host

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// rootCause unwraps an error to its innermost.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// errnoText is strerror's text, which begins with a capital letter.
func errnoText(e unix.Errno) string {
	text := e.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
