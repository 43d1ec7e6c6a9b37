// Package script runs the programs that a configuration names: check scripts,
// notify scripts, FIFO scripts, MISC_CHECK, startup and shutdown scripts. How
// such a program is found, checked and started is the same for all of them and
// stands here once; when to run it and what its exit means is the caller's.
//
// The usual way:
//
//	cred, err := script.Lookup("nobody", "")        // user and group of the configuration
//	cmd := script.Command{Args: argv, Cred: cred}
//	err = cmd.Check(security)                       // PATH, access, owner and mode of every component
//	proc, err := script.Start(cmd, "INSTANCE", "VI_1", "MASTER", "100")
//	status := proc.Wait()                           // in a goroutine that only posts
//
// Start forks from one thread kept for it, so a program never has the
// real-time priority, the CPU set or the locked memory of the daemon.
package script
