package process

// Exit statuses that a parent and the programs around the daemon understand.
const (
	ExitOK           = 0
	ExitFatal        = 1
	ExitConfig       = 2
	ExitPermission   = 4
	ExitNoConfig     = 6
	ExitProgramError = 70
	ExitNoMemory     = 204
)
