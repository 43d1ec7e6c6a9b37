package script

// Credentials say as whom a program runs.
type Credentials struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups; nil: only GID
}

// Command is a program of the configuration.
type Command struct {
	// Args are the program and its arguments as configured, quotes removed.
	Args []string
	Cred Credentials

	// Path is the file to execute. Check sets it; empty means Args[0] as it is.
	Path string
	// Shell is set by Check for a file that the kernel would refuse: no #! line
	// and no known binary format.
	Shell bool
}

// Status is how a program ended.
type Status struct {
	Code   int   // exit status; only if Signal is 0 and Err is nil
	Signal int   // the signal that ended it, or 0
	Err    error // it could not be started; nothing ran
}

// OK reports whether the program exited with status 0.
func (s Status) OK() bool { return s.Err == nil && s.Signal == 0 && s.Code == 0 }
