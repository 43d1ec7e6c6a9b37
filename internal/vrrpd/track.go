package vrrpd

import (
	"time"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/process"
	"github.com/keepalived-go/keepalived/internal/track"
	"github.com/keepalived-go/keepalived/vrrp"
)

// trackers run and watch what instances follow besides interfaces.
type trackers struct {
	scripts   *track.Scripts
	files     *track.Files
	processes *track.Processes
}

func (t *trackers) open(d *daemon) error {
	changed := func(now time.Time, e vrrp.TrackEvent) { d.router.TrackChanged(now, e) }
	t.scripts = track.NewScripts(d.loop.Post, func(now time.Time, e track.ScriptEvent) {
		changed(now, vrrp.TrackEvent{Kind: vrrp.TrackedScript, Name: e.Name, Up: e.Up})
	})
	t.processes = track.NewProcesses(d.loop.Post, func(now time.Time, e track.ProcessEvent) {
		changed(now, vrrp.TrackEvent{Kind: vrrp.TrackedProcess, Name: e.Name, Up: e.Up})
	})
	var err error
	t.files, err = track.NewFiles(d.loop.Post, func(now time.Time, e track.FileEvent) {
		changed(now, vrrp.TrackEvent{Kind: vrrp.TrackedFile, Name: e.Name, Value: int(e.Value)})
	})
	return err
}

// set makes the trackers those of the configuration and tells the core what is
// known of each, before it takes that configuration.
func (t *trackers) set(d *daemon, now time.Time, first bool) {
	used := usedTracks(d.cfg)
	t.setScripts(d, now, used)
	t.setFiles(d, now, used, first)
	t.setProcesses(d, now, used)
}

func (t *trackers) setScripts(d *daemon, now time.Time, used map[trackKey]bool) {
	var list []track.Script
	for i := range d.cfg.Scripts {
		s := &d.cfg.Scripts[i]
		cmd, ok := d.cmds.command(&s.Command)
		if !ok || !used[trackKey{vrrp.TrackedScript, s.Name}] {
			continue
		}
		list = append(list, track.Script{
			Name: s.Name, Command: *cmd, Interval: s.Interval, Timeout: s.Timeout, Rise: s.Rise, Fall: s.Fall,
		})
	}
	t.scripts.Set(now, list)
	for i := range list {
		up, known := t.scripts.State(list[i].Name)
		d.router.TrackChanged(now, vrrp.TrackEvent{
			Kind: vrrp.TrackedScript, Name: list[i].Name, Up: up, Unknown: !known,
		})
	}
}

func (t *trackers) setFiles(d *daemon, now time.Time, used map[trackKey]bool, first bool) {
	var list []track.File
	for _, f := range d.cfg.Files {
		if used[trackKey{vrrp.TrackedFile, f.Name}] {
			list = append(list, track.File{
				Name: f.Name, Path: f.Path, Create: f.Init, Init: int64(f.InitValue), Overwrite: f.Overwrite,
			})
		}
	}
	values, missing := t.files.Set(list, first)
	for _, name := range missing {
		log.Info("Track file %s: its directory does not exist, it is not tracked", name)
	}
	for _, v := range values {
		d.router.TrackChanged(now, vrrp.TrackEvent{Kind: vrrp.TrackedFile, Name: v.Name, Value: int(v.Value)})
	}
}

func (t *trackers) setProcesses(d *daemon, now time.Time, used map[trackKey]bool) {
	var list []track.Process
	for _, p := range d.cfg.Processes {
		if used[trackKey{vrrp.TrackedProcess, p.Name}] {
			list = append(list, track.Process{
				Name: p.Name, Path: p.Path, Params: p.Params, FullCommand: p.FullCommand,
				ParamMatch: track.ParamMatch(p.Match), Quorum: p.Quorum, QuorumMax: p.QuorumMax,
				ForkDelay: p.ForkDelay, TerminateDelay: p.TerminateDelay,
			})
		}
	}
	buffer := d.conf.Global.ProcessMonitor
	t.processes.SetBuffer(buffer.Size, buffer.Force)
	for _, e := range t.processes.Set(now, list) {
		d.router.TrackChanged(now, vrrp.TrackEvent{Kind: vrrp.TrackedProcess, Name: e.Name, Up: e.Up})
	}
}

func (t *trackers) next() time.Time { return process.Earliest(t.scripts.Next(), t.processes.Next()) }

func (t *trackers) tick(now time.Time) {
	t.scripts.Tick(now)
	t.processes.Tick(now)
}

func (t *trackers) stop() { t.scripts.Stop() }

func (t *trackers) close() {
	t.files.Close()
	t.processes.Close()
}

type trackKey struct {
	kind vrrp.TrackKind
	name string
}

// usedTracks lists the scripts, files and processes that something follows.
func usedTracks(cfg *vrrp.Config) map[trackKey]bool {
	used := map[trackKey]bool{}
	add := func(kind vrrp.TrackKind, list []vrrp.Track) {
		for _, t := range list {
			used[trackKey{kind, t.Name}] = true
		}
	}
	for i := range cfg.Instances {
		in := &cfg.Instances[i]
		add(vrrp.TrackedScript, in.TrackScripts)
		add(vrrp.TrackedFile, in.TrackFiles)
		add(vrrp.TrackedProcess, in.TrackProcesses)
	}
	for i := range cfg.Groups {
		g := &cfg.Groups[i]
		add(vrrp.TrackedScript, g.TrackScripts)
		add(vrrp.TrackedFile, g.TrackFiles)
		add(vrrp.TrackedProcess, g.TrackProcesses)
	}
	return used
}
