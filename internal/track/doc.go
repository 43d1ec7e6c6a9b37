// Package track watches what is outside the daemon and raises or lowers
// priorities: check scripts (vrrp_script), files (track_file) and processes
// (vrrp_track_process). It decides nothing about elections: it reports that a
// tracked object is up or down, or has a value, by its name.
//
// Each watcher belongs to the loop of its process: its methods are called there
// and its reports are made there. What blocks (a running program, inotify, the
// process connector) sits in goroutines that only post.
//
//	scripts := track.NewScripts(loop.Post, func(now time.Time, e track.ScriptEvent) { … })
//	scripts.Set(now, list)             // start and every reload; the first runs are due at once
//	scripts.Tick(now); scripts.Next()  // from the loop
package track
